"""`models.<m>.sample`: what is valid means what it says, and what would bias a figure is refused."""

from datetime import timedelta

import pytest

from core.config import parse
from core.config.sampling import SampleRule, When, rules
from core.errors import ConfigError


def sample(text: str) -> tuple[SampleRule, ...]:
    return rules(parse(f"models:\n  m:\n    sample: {text}").models["m"].sample)


def test_a_ratio_keeps_that_share_of_everything() -> None:
    assert sample("0.1") == (SampleRule(keep=0.1),)
    assert rules(parse("models: {m: {}}").models["m"].sample) == ()


def test_rules_are_read_in_their_order() -> None:
    gold, slow, rest = sample(
        """
      - {when: {tags.tier: gold, version: ["1", "2"]}, keep: 1}
      - {when: {latency_over: 1s, source: api, status: [2xx, 302]}, keep: 0.5}
      - {keep: 0.1}"""
    )
    assert gold.when is not None and gold.when.tags == {"tier": ("gold",)} and gold.when.version == ("1", "2")
    assert slow.when is not None and slow.when.latency_over == timedelta(seconds=1)
    assert slow.when.status == ((200, 299), (302, 302)) and slow.when.source == ("api",)
    assert rest == SampleRule(keep=0.1)


def test_a_rule_for_errors_may_only_say_what_holds_anyway() -> None:
    assert sample("[{when: {status: 5xx}, keep: 1}, {keep: 0.1}]")[0].keep == 1
    for status in ("5xx", "404", "0", "[200, 503]"):
        with pytest.raises(ConfigError, match="errors are never sampled away"):
            sample(f"[{{when: {{status: {status}}}, keep: 0.5}}]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "models.m.sample: must be above 0: no stored row would stand for those left out"),
        ("[{keep: 0}]", "models.m.sample.0.keep: must be above 0"),
        ("1.5", "models.m.sample: Input should be less than or equal to 1"),
        (".nan", "models.m.sample: "),
        ("true", "models.m.sample: Input should be a valid number"),
        ("'0.1'", "models.m.sample: Input should be a valid number"),
        ("{keep: 0.1}", "models.m.sample: Input should be a list"),
        ("[]", "models.m.sample: a list of rules has at least one"),
        ("[{keep: 0.5}, {keep: 0.1}]", "models.m.sample: rule 1 has no 'when', so it decides all"),
        ("[{when: {}, keep: 1}]", "models.m.sample.0.when: a condition names at least one of: status, version"),
        ("[{when: {tag.tier: gold}, keep: 1}]", "models.m.sample.0.when: unknown key 'tag.tier'"),
        ("[{when: {latency: 1s}, keep: 1}]", "unknown key 'latency'; did you mean 'latency_over'?"),
        ("[{when: {latency_over: 1}, keep: 1}]", "models.m.sample.0.when.latency_over: '1' is not a duration"),
        ("[{when: {status: 5yy}, keep: 1}]", "expected a status such as 200, or a class of them such as '2xx'"),
        ("[{when: {tags.tier: 3}, keep: 1}]", "models.m.sample.0.when.tags.tier.0: Input should be a valid string"),
        ("[{wen: {version: a}, keep: 1}]", "unknown key 'models.m.sample.0.wen'; did you mean 'when'?"),
        ("[{when: {version: a}}]", "models.m.sample.0.keep: Field required"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_to_do(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        sample(text)
    (mistake,) = str(raised.value).splitlines()
    assert mistake.startswith("tidemark.yaml:3: ") and said in mistake


def test_conditions_can_be_written_in_python_too() -> None:
    assert When.model_validate({"tags.tier": ["gold", "silver"]}).tags == {"tier": ("gold", "silver")}
