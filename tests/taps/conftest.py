"""`upstream` is an inference server under the test's control, `service` the tap `m` in front of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from raw_http import Upstream, listening
from tap_service import Host, Service

from core.config import Config


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with listening() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    with Host().running() as host:
        yield host


@pytest.fixture
def start(host: Host) -> Iterator[Callable[..., Service]]:
    """Starts a service with a configuration of the test's own."""
    with ExitStack() as stack:

        def start(upstream: Upstream, *, tags: tuple[str, ...] = (), **config: Any) -> Service:
            tap = {"name": "m", "upstream": upstream.url, "tags": tags}
            return stack.enter_context(host.serving(Config.model_validate({"taps": [tap], **config})))

        yield start


@pytest.fixture
def service(upstream: Upstream, start: Callable[..., Service]) -> Service:
    return start(upstream)
