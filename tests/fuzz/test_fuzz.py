"""Every decoder over its committed corpus and, for a bounded time, over mutations of it; `run.py` does it for long."""

from random import Random

import corpus
import mutate
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from targets import TARGETS, parsed

from collectors.formats import FORMATS
from collectors.taps.rows import READERS

EXAMPLES = 150  # about two seconds a decoder
SEEDS = {target: corpus.seeds(target) for target in TARGETS}


def test_every_registered_decoder_is_a_target_with_seeds() -> None:
    assert set(FORMATS) <= set(TARGETS)
    assert len(READERS) == len([target for target in TARGETS if target.startswith("rows-")])
    assert {path.name for path in corpus.FOLDER.iterdir()} == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_what_once_broke_a_decoder_and_every_seed_is_read_or_rejected(target: str) -> None:
    for data in SEEDS[target]:
        TARGETS[target](parsed(data))


@pytest.mark.parametrize("target", TARGETS)
@given(random=st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_mutated_input_is_read_or_rejected(target: str, random: Random) -> None:
    TARGETS[target](parsed(mutate.mutated(random, SEEDS[target])))
