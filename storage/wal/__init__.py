"""The write-ahead log: what is appended is on disk before the caller hears so, and is read again after a crash.

Log, AsyncLog    append, read, trim (log.py, async_log.py)
committer.py     one thread, one write and one fsync for all that waits: group commit
segments.py      the files: written at the end, never again after a failure
frames.py        the bytes: checksums, and finding the next whole frame behind a damaged one
quarantine.py    what was damaged, kept for a person to look at
folder.py        the lock, the checkpoint, names
"""

from storage.wal.async_log import AsyncLog
from storage.wal.frames import START, Frame, Position
from storage.wal.log import Counters, Log, Settings

__all__ = ["START", "AsyncLog", "Counters", "Frame", "Log", "Position", "Settings"]
