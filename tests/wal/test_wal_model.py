"""The log against a list: any order of appends, trims, reads, restarts and crashes leaves the same frames in both."""

import shutil
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.errors import Overloaded
from storage.wal import START, Frame, Log, Position, Settings

SMALL = Settings(segment_bytes=150, most_bytes=900)
PAYLOAD = st.binary(max_size=60)


class LogMachine(RuleBasedStateMachine):
    """`frames` is everything acknowledged and `trimmed` what was let go of, in the copy that survived so far."""

    @initialize()
    def start(self) -> None:
        self.scratch = Path(mkdtemp())
        self.folder = self.scratch / "log"
        self.log = Log(self.folder, SMALL)
        self.frames: list[Frame] = []
        self.trimmed = START

    @rule(payload=PAYLOAD)
    def append(self, payload: bytes) -> None:
        bytes_before = self.log.counters().bytes
        try:
            self.frames.append(Frame(self.log.append(payload), payload))
        except Overloaded:
            assert bytes_before + 16 + len(payload) > SMALL.most_bytes

    @rule(payloads=st.lists(PAYLOAD, max_size=8))
    def submit_a_group(self, payloads: list[bytes]) -> None:
        self.frames += self._submit(payloads)

    @rule(data=st.data())
    def read_from_somewhere(self, data: st.DataObject) -> None:
        after = data.draw(st.sampled_from([START, *(frame.position for frame in self.frames)]))
        assert list(self.log.read(after)) == self._kept(after)

    @rule(data=st.data())
    def trim(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from([START, *(frame.position for frame in self.frames)]))
        self.log.trim(position)
        self.trimmed = max(self.trimmed, position)

    @rule()
    def restart(self) -> None:
        identity = self.log.identity
        self.log.close()
        self.log = Log(self.folder, SMALL)
        assert self.log.identity == identity or not self.frames

    @rule(payloads=st.lists(PAYLOAD, max_size=8), part=st.floats(0, 1), zeros=st.booleans())
    def crash_while_writing(self, payloads: list[bytes], part: float, zeros: bool) -> None:
        """Of what was written since the last fsync any beginning is on disk, and perhaps zeros behind it."""
        before = {path.name: path.stat().st_size for path in self.folder.glob("*.wal")}
        doubtful = self._submit(payloads)
        self.log.close()
        left = round(part * self._written_since(before))
        for path in sorted(self.folder.glob("*.wal")):
            old, new = before.get(path.name, 0), path.stat().st_size
            cut = path.read_bytes()[: old + min(left, new - old)]
            if left < new - old:
                path.write_bytes(cut + bytes(new - len(cut) if zeros else 0))
                zeros = False
            left -= min(left, new - old)
        self.log = Log(self.folder, SMALL)
        survived = len(list(self.log.read())) - len(self._kept())
        assert 0 <= survived <= len(doubtful)
        self.frames += doubtful[:survived]

    @rule(data=st.data())
    def crash_before_the_checkpoint_is_written(self, data: st.DataObject) -> None:
        checkpoint = self.folder / "checkpoint"
        old, before = checkpoint.read_bytes() if checkpoint.exists() else b"", self._kept()
        self.trim(data)
        self.log.close()
        checkpoint.write_bytes(old) if old else checkpoint.unlink(missing_ok=True)
        self.log = Log(self.folder, SMALL)
        again = list(self.log.read())
        assert again == before[len(before) - len(again) :]
        assert len(again) >= len(self._kept())
        self.log.trim(self.trimmed)

    @invariant()
    def exactly_the_acknowledged_frames_are_there(self) -> None:
        assert list(self.log.read()) == self._kept()
        assert all(one.position < next.position for one, next in pairwise(self.frames))
        counters = self.log.counters()
        assert counters.damaged == (0, 0) and counters.waiting_bytes == 0
        assert counters.bytes == sum(path.stat().st_size for path in self.folder.glob("*.wal")) <= SMALL.most_bytes

    def teardown(self) -> None:
        self.log.close()
        shutil.rmtree(self.scratch)

    def _submit(self, payloads: list[bytes]) -> list[Frame]:
        waiting = []
        for payload in payloads:
            future: Future[Position | Exception] = Future()
            try:
                self.log.submit(payload, future.set_result)
            except Overloaded:
                continue
            waiting.append((payload, future))
        results = [(payload, future.result()) for payload, future in waiting]
        return [Frame(result, payload) for payload, result in results if isinstance(result, Position)]

    def _kept(self, after: Position = START) -> list[Frame]:
        return [frame for frame in self.frames if frame.position > max(after, self.trimmed)]

    def _written_since(self, before: dict[str, int]) -> int:
        return sum(path.stat().st_size - before.get(path.name, 0) for path in self.folder.glob("*.wal"))


LogMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLogAgainstAList = LogMachine.TestCase
