"""HTTPS by configuration: certificate and key are looked at before anything starts."""

import hashlib
import ssl
from pathlib import Path

from core.config import Tls
from core.errors import ConfigError


def check_files(tls: Tls) -> None:
    """ConfigError in one line when the files cannot be read or do not go together."""
    for key, path in (("certificate", tls.certificate), ("key", tls.key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(f"tls.{key}: {path} cannot be read: {error.strerror}") from None
    try:
        # OpenSSL would ask a terminal for the password of a key that has one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise ConfigError(
            f"tls: {tls.certificate} and {tls.key} are not a PEM certificate and its key without a password: {reason}"
        ) from None


def fingerprint(tls: Tls) -> str:
    """SHA-256 of the certificate that callers are shown, in hex."""
    text = Path(tls.certificate).read_text("ascii", "replace")
    first = text[text.index(ssl.PEM_HEADER) :].partition(ssl.PEM_FOOTER)[0] + ssl.PEM_FOOTER
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()
