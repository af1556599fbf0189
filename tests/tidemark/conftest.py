"""One `tidemark up` for all tests that only look; those that stop or break one start their own."""

from collections.abc import Iterator

import pytest
from tenants import Tenants, two_tenants
from up_process import Done, Tidemark, Up, up

from tidemark.cli import main

CONFIG = """
models:
  declared: {fields: {code: {kind: cat}}}
retention: {dead_letters: 30}
monitors:
  - name: watched-drift
    model: watched
    reference: {first_rows: 200}
    window: {rows: 200}
    steps: [{name: drift, use: ks}, {name: shape, use: psi}, {name: rows, use: mahalanobis}]
"""


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`tidemark up` with CONFIG, for the whole session: each test uses models of its own."""
    with up(tmp_path_factory.mktemp("up"), CONFIG) as started:
        yield started


@pytest.fixture(scope="session")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """`tidemark up` with two namespaces and a token for each, for the tests of what they may not do to each other."""
    with two_tenants(tmp_path_factory.mktemp("tenants")) as started:
        yield started


@pytest.fixture
def tidemark(capfd: pytest.CaptureFixture[str]) -> Tidemark:
    """Runs `tidemark …` in this process."""

    def run(*words: object) -> Done:
        capfd.readouterr()
        code = main([str(word) for word in words])
        return Done(code, *capfd.readouterr())

    return run
