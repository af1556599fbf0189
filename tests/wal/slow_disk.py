"""A disk that a test can stop and let fail."""

import errno
import os
import threading


class Disk:
    """An fsync that fails when told to, and otherwise may wait."""

    def __init__(self) -> None:
        self.fails = False
        self.synced: list[int] = []
        self.free = threading.Event()
        self.free.set()

    def sync(self, descriptor: int) -> None:
        self.free.wait()
        self.synced.append(os.fstat(descriptor).st_size)
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fdatasync(descriptor)
