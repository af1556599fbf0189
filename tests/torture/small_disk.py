"""A disk of a few megabytes, which can be filled and given room again."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    def __init__(self, folder: Path) -> None:
        self.folder, self._filler = folder, folder / "filler"

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, left_bytes: int) -> None:
        """Something else takes all but this."""
        with self._filler.open("ab") as filler:
            while (more := self.free_bytes - left_bytes) > 0:
                filler.write(bytes(min(more, 1 << 20)))
                filler.flush()

    def free(self) -> None:
        self._filler.unlink()

    def take_more_files(self, files: int) -> None:
        """Bytes are free, names are not."""
        found = os.statvfs(self.folder)
        limit = f"remount,nr_inodes={found.f_files - found.f_ffree + files}"
        subprocess.run(["mount", "-o", limit, str(self.folder)], check=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mounted for the block; skips the test where nobody may mount."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tidemark-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk needs `mount -t tmpfs`, as root: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
