import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.errors import StepFailed
from pipelines.worker import Worker


def test_a_call_runs_in_another_process_which_is_reused() -> None:
    worker = Worker()
    try:
        first, second = worker.call(os.getpid), worker.call(os.getpid)
    finally:
        worker.stop()
    assert first == second != os.getpid()


def test_arrays_go_there_and_come_back() -> None:
    worker = Worker()
    try:
        assert worker.call(np.cumsum, np.arange(5.0)).tolist() == [0, 1, 3, 6, 10]
    finally:
        worker.stop()


def loaded_modules() -> set[str]:
    return set(sys.modules)


def test_the_child_does_not_import_the_embedded_engine() -> None:
    worker = Worker()
    try:
        assert not {"chdb", "clickhouse_connect", "storage"} & worker.call(loaded_modules)
    finally:
        worker.stop()


def test_an_abort_fails_the_call_with_its_signal_and_the_next_call_works() -> None:
    worker = Worker()
    try:
        with pytest.raises(StepFailed, match="died: SIGABRT"):
            worker.call(os.abort)
        assert worker.call(abs, -3) == 3
    finally:
        worker.stop()


def test_an_exception_is_told_and_the_child_lives_on() -> None:
    worker = Worker()
    try:
        child = worker.call(os.getpid)
        with pytest.raises(StepFailed, match="ValueError: invalid literal"):
            worker.call(int, "x")
        assert worker.call(os.getpid) == child
    finally:
        worker.stop()


def test_a_call_that_takes_too_long_is_stopped() -> None:
    worker = Worker(seconds=1.0)
    try:
        with pytest.raises(StepFailed, match="longer than 1 s"):
            worker.call(time.sleep, 60)
        assert worker.call(abs, -3) == 3
    finally:
        worker.stop()


def test_a_call_that_wants_too_much_memory_fails_alone() -> None:
    worker = Worker(memory_bytes=256 * 2**20)
    try:
        with pytest.raises(StepFailed, match="more than 256 MB"):
            worker.call(np.ones, 10**9)
        assert worker.call(abs, -3) == 3
    finally:
        worker.stop()


def test_what_cannot_be_sent_fails_the_call_only() -> None:
    worker = Worker()
    try:
        with pytest.raises(StepFailed, match="cannot be sent"):
            worker.call(lambda: 1)
        assert worker.call(abs, -3) == 3
    finally:
        worker.stop()


def test_stop_ends_the_child() -> None:
    worker = Worker()
    child = worker.call(os.getpid)
    worker.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_kill_ends_a_call_under_way() -> None:
    worker = Worker()
    worker.call(abs, -3)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(worker.call, time.sleep, 60)
        time.sleep(0.1)
        worker.kill()
        with pytest.raises(StepFailed, match="died: SIGKILL"):
            call.result(10)
    worker.stop()
