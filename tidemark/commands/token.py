"""`tidemark token`: a fresh token, and its hash for the configuration."""

from argparse import Namespace

import orjson

from tidemark.tokens import fresh_token, token_hash


def run(arguments: Namespace) -> int:
    token = fresh_token()
    if arguments.json:
        print(orjson.dumps({"token": token, "hash": token_hash(token)}).decode())
        return 0
    print(f"token: {token}  # for the caller; shown only now")
    print(f"hash: {token_hash(token)}  # for tidemark.yaml")
    return 0
