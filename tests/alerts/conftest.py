import shutil
from collections.abc import Callable

import pytest


@pytest.fixture
def binary() -> Callable[[str], str]:
    """The path of an installed program; a test that needs one that is missing skips and says so."""

    def path(name: str) -> str:
        return shutil.which(name) or pytest.skip(f"{name} is not installed: tests/system-packages.sh installs it")

    return path
