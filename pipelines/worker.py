"""A process of its own for steps with heavy imports: what kills it costs one step."""

import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, ParamSpec, TypeVar

from core.errors import StepFailed, TidemarkError

P = ParamSpec("P")
T = TypeVar("T")

# The heaviest libraries take 6-25 s to import, so a first call needs patience.
SECONDS = 120.0
MEMORY_BYTES = 4 * 2**30
# On busy cores the threads of numerical libraries wait for each other: 0.4 s of work took two minutes. And what is
# drawn at random in parallel differs with their number.
_THREADS = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMBA_NUM", "TF_NUM_INTEROP", "TF_NUM_INTRAOP")
ONE_THREAD = {f"{name}_THREADS": "1" for name in _THREADS}
# Characters of what a library says when it fails.
LONGEST_ERROR = 500


class _Child(NamedTuple):
    process: subprocess.Popen[bytes]
    pipe: Connection


class Worker:
    """Runs functions in one child process, which starts with the first call and again after it died.

    The child is a fresh interpreter, never a fork: the embedded engine does not survive one. `seconds` bounds each
    call, `memory_bytes` what the child may allocate beyond what it holds at its start. `python` is another interpreter
    to run in, of an environment with libraries that this one lacks, and with numpy and pydantic; '' = this one.
    """

    def __init__(self, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES, python: str = "") -> None:
        self._seconds, self._memory_bytes, self._python = seconds, memory_bytes, python
        self._lock = Lock()
        self._child: _Child | None = None

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args, **kwargs)` in the child; all of it must pickle. StepFailed whatever goes wrong there."""
        with self._lock:
            self._child = self._child or _start(self._memory_bytes, self._python)
            result, error = self._ask(self._child.pipe, (function, args, kwargs))
        if error:
            raise StepFailed(error)
        return result  # type: ignore[no-any-return]

    def stop(self) -> None:
        """End the child and wait for it."""
        with self._lock:
            self._end(patience_seconds=1.0)

    def kill(self) -> None:
        """End the child at once, from any thread; a call under way there is a StepFailed."""
        if child := self._child:
            child.process.kill()

    def _ask(self, pipe: Connection, work: Any) -> Any:
        try:
            pipe.send(work)
            if pipe.poll(self._seconds):
                return pipe.recv()
            self._end()
            raise StepFailed(f"ran longer than {self._seconds:g} s and was stopped")
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise StepFailed(f"cannot be sent to the worker process: {error}") from None
        except (EOFError, OSError):
            raise StepFailed(f"its process died: {self._end(patience_seconds=1.0)}") from None

    def _end(self, patience_seconds: float = 0.0) -> str:
        """End the child, by force after `patience_seconds`; returns how it ended."""
        child, self._child = self._child, None
        if child is None:
            return ""
        child.pipe.close()
        try:
            code = child.process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            child.process.kill()
            code = child.process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _start(memory_bytes: int, python: str) -> _Child:
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            _command(python, theirs.fileno(), memory_bytes),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**ONE_THREAD, **os.environ},
            start_new_session=True,  # Ctrl-C at the terminal is for the parent, which then stops the child
        )
    except OSError as error:
        ours.close()
        raise StepFailed(f"the interpreter {python} cannot be started: {error.strerror}") from None
    finally:
        theirs.close()
    return _Child(process, Connection(ours.detach()))


def _command(python: str, descriptor: int, memory_bytes: int) -> list[str]:
    if python:
        script = Path(__file__).with_name("outside.py")
        return [python, "-P", str(script), str(descriptor), str(memory_bytes)]
    serve = f"from pipelines.worker import serve; serve({descriptor}, {memory_bytes})"
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {serve}"]


def serve(descriptor: int, memory_bytes: int) -> None:
    """The child's life: take a call, answer it, until the parent hangs up."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _data_bytes() + memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    pipe = Connection(descriptor)
    while True:
        try:
            answer = _answer(pipe, memory_bytes)
        except (EOFError, OSError):
            return
        pipe.send(answer)


def _answer(pipe: Connection, memory_bytes: int) -> tuple[Any, str]:
    message = pipe.recv_bytes()
    try:
        function, args, kwargs = pickle.loads(message)
        return function(*args, **kwargs), ""
    except MemoryError:
        return None, f"needed more than {memory_bytes >> 20} MB of memory"
    except TidemarkError as error:
        return None, str(error)
    except Exception as error:
        return None, " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_ERROR]


def _data_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        kilobytes = next(line.split()[1] for line in status if line.startswith("VmData:"))
    return int(kilobytes) * 1024
