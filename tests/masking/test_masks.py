"""Halves, rows and letters behind the masks: what is stored, what is said, and what stops an event."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.building.exchanges import Exchange, to_rows
from collectors.building.naming import Names
from collectors.cloudevents.events import read
from collectors.labels.reading import read_labels
from collectors.masking.letters import WITHHELD
from collectors.masking.masks import Masks
from collectors.rows import Defaults, RowsRead
from collectors.rows.records import read_json
from collectors.taps.events import decoded_again, half_of
from core.config import Config, parse
from core.errors import Rejected
from core.records import DeadLetter, Half, ModelKey, Payload

RECEIVED = 1_700_000_000_000_000
NAMED = "models: {income: {names: {x: [age, ssn, pay]}}}\n"
HEADERS = {
    "ce-id": "r",
    "ce-source": "here",
    "ce-specversion": "1.0",
    "ce-inferenceservicename": "income",
    "content-type": "application/json",
}


def config(rules: str, more: str = "") -> Config:
    return parse(f"{more}masking: {{key: {{env: KEY}}, rules: [{rules}]}}")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "0123456789abcdef")


def masks(config: Config) -> Masks:
    return Masks(config.masking, Names(config))


def half(body: Any, kind: str = "request", **headers: str) -> Half:
    said = {**HEADERS, "ce-type": f"org.kubeflow.serving.inference.{kind}", **headers}
    (event,) = read(said, orjson.dumps(body))
    assert not isinstance(event, Rejected)
    return half_of(event, said, RECEIVED)


def tensor(name: str, data: list[Any], shape: list[int], datatype: str = "FP64") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def stored(half: Half, names: Names) -> list[dict[str, Any]]:
    (group,) = to_rows([Exchange(half, None)], names)
    rows: list[dict[str, Any]] = group.batch.to_pylist(maps_as_pydicts="strict")
    return [{name: value for name, value in row.items() if name != "latency"} for row in rows]  # NaN equals nothing


def rows(config: Config, *predictions: dict[str, Any], model: str = "income") -> RowsRead:
    body = orjson.dumps({"model": model, "predictions": predictions})
    return masks(config).rows(read_json(body, Defaults("default", "", "", "api", RECEIVED), Names(config)))


def test_without_rules_a_half_is_itself() -> None:
    sent = half({"instances": [1]})
    assert Masks().half(sent) is sent


def test_a_half_decoded_again_has_the_same_masked_fields() -> None:
    declared = config("{field: ssn, do: hash}, {field: pay, do: {truncate: 1}}", NAMED)
    body = {"inputs": [tensor("x", [30, 123456789, 4100, 31, 987654321, None], [2, 3], "INT64")]}
    masked, names = masks(declared).half(half(body)), Names(declared)
    again = decoded_again(masked._replace(payload=Payload(())))
    assert stored(again, names) == stored(masked, names)
    assert stored(again, Names(Config())) == stored(masked, names), (
        "the names are in the body, whoever knows them later"
    )
    (first, second) = stored(again, names)
    assert first["inputs_num"] == {"age": 30, "pay": 4000}
    assert second["inputs_num"] == {"age": 31}
    assert first["inputs_cat"]["ssn"] != second["inputs_cat"]["ssn"]
    assert b"123456789" not in masked.body


@settings(deadline=None)
@given(
    st.lists(st.lists(st.none() | st.floats(), min_size=3, max_size=3), min_size=1, max_size=4),
    st.sampled_from(["drop", "{constant: x}", "{constant: 3}", "{truncate: 2}", "{pattern: '1', with: '#'}"]),
)
def test_whatever_is_masked_is_read_again_as_it_was(values: list[list[float | None]], do: str) -> None:
    declared = parse(f"{NAMED}masking: {{rules: [{{field: ssn, do: {do}}}]}}")
    sent = half({"inputs": [tensor("x", [1.0] * (3 * len(values)), [len(values), 3])]})
    numbers = np.array([[np.nan if v is None else v for v in row] for row in values])
    given = sent.payload.tensors[0]._replace(values=numbers)
    masked = masks(declared).half(sent._replace(payload=Payload((given,))))
    again = decoded_again(masked._replace(payload=Payload(())))
    for one, other in zip(again.payload.tensors, masked.payload.tensors, strict=True):
        assert (one.name, one.datatype, one.columns, one.values.dtype) == (*_said(other), other.values.dtype)
        assert np.array_equal(one.values, other.values, equal_nan=one.values.dtype != object)


def _said(tensor: Any) -> tuple[Any, ...]:
    return tensor.name, tensor.datatype, tensor.columns


def test_integers_beyond_2_53_stay_exact() -> None:
    declared = config("{field: ssn, do: drop}")
    masked = masks(declared).half(half({"inputs": [tensor("n", [2**53 + 1, None], [2], "INT64")]}))
    (first, _) = stored(decoded_again(masked), Names(declared))
    assert first["inputs_cat"] == {"n": str(2**53 + 1)}


def test_a_table_of_numbers_and_texts_keeps_its_fields() -> None:
    declared = parse("masking: {keep_unnamed: [income], rules: [{field: instances_1, do: {constant: x}}]}")
    masked = masks(declared).half(half({"instances": [[1, "a", 2, "b"]]}))
    (row,) = stored(decoded_again(masked), Names(declared))
    assert (row["inputs_num"], row["inputs_cat"]) == (
        {"instances_0": 1, "instances_2": 2},
        {"instances_1": "x", "instances_3": "b"},
    )


def test_what_no_field_holds_is_not_kept_either() -> None:
    masked = masks(config("{field: ssn, do: drop}")).half(half({"instances": [{"age": 1}], "secret": "x"}))
    assert b"secret" not in masked.body


def test_columns_without_names_are_refused_while_a_rule_may_be_meant_for_them() -> None:
    sent = half({"instances": [[1.0, 2.0]]})
    with pytest.raises(Rejected, match="2 columns without names") as raised:
        masks(config("{field: ssn, do: drop}")).half(sent)
    assert raised.value.code == "unnamed_columns"
    kept = parse("masking: {keep_unnamed: [inc*], rules: [{field: ssn, do: drop}]}")
    assert masks(kept).half(sent).payload.tensors == sent.payload.tensors
    assert masks(config("{field: instances, do: drop}")).half(sent), "a rule for the whole tensor needs no names"
    assert masks(config("{tag: customer, do: drop}")).half(sent), "rules for tags need none"


def test_names_learned_later_reveal_nothing() -> None:
    """Refused before the model's metadata is known, masked by its names afterwards."""
    declared = config("{field: ssn, do: drop}")
    names = Names(declared)
    guarded, sent = Masks(declared.masking, names), half({"inputs": [tensor("x", [1.0, 2.0], [1, 2])]})
    with pytest.raises(Rejected):
        guarded.half(sent)
    names.learn(ModelKey("default", "income"), {"inputs": [{"name": "x", "parameters": {"names": ["age", "ssn"]}}]})
    (row,) = stored(guarded.half(sent), names)
    assert row["inputs_num"] == {"age": 1}


def test_rules_of_another_model_leave_a_half_as_it_is() -> None:
    sent = half({"instances": [{"ssn": 1}]})
    assert masks(config("{field: ssn, model: credit, do: drop}")).half(sent) is sent
    assert masks(config("{field: ssn, model: team-a/income, do: drop}")).half(sent) is sent


def test_a_model_is_meant_in_every_namespace_unless_one_is_named() -> None:
    sent = half({"instances": [{"ssn": 1}]}, **{"ce-namespace": "team-a"})
    for model in ("income", "team-a/income", "team-*/inc*"):
        assert (
            stored(masks(config(f"{{field: ssn, model: '{model}', do: drop}}")).half(sent), Names(Config()))[0][
                "inputs_num"
            ]
            == {}
        )


def test_all_rules_that_match_run_in_their_order() -> None:
    declared = config("{field: 's*', do: {pattern: '^.', with: X}}, {field: ssn, do: {truncate: 2}}")
    (row,) = stored(masks(declared).half(half({"instances": [{"ssn": "abcd"}]})), Names(declared))
    assert row["inputs_cat"] == {"ssn": "Xb"}


def test_rules_for_headers_and_tags_are_for_both() -> None:
    metadata = {"ce-metadata": '{"X-User": ["bob"], "Plan": ["free"], "Customer": ["eve"]}'}
    declared = config("{header: X-User, do: drop}, {tag: customer, do: hash}")
    tags = dict(masks(declared).half(half({"instances": [1]}, **metadata)).tags)
    assert tags.keys() == {"plan", "customer"}
    assert tags["customer"] != "eve"


def test_the_text_of_a_failed_inference_is_withheld() -> None:
    masked = masks(config("{field: ssn, do: drop}")).half(half({"error": "cannot take 123-45"}, "response"))
    assert (masked.error, decoded_again(masked).payload.error) == (WITHHELD, WITHHELD)
    assert b"123-45" not in masked.body


def test_a_rule_that_fails_stops_the_half_and_quotes_nothing() -> None:
    declared = config("{field: note, do: {pattern: x, with: y, longest: 5}}")
    with pytest.raises(Rejected) as raised:
        masks(declared).half(half({"instances": [{"note": "CANARY-in-a-long-text"}]}))
    assert (raised.value.status, raised.value.code) == (422, "masking_failed")
    assert str(raised.value) == "masking.rules.0 (field note): a text is longer than 5 characters (longest)"


def test_a_row_that_cannot_be_masked_does_not_cost_its_neighbours() -> None:
    declared = config(
        "{field: note, do: {pattern: '\\d', with: '#', longest: 5}}, {tag: t, do: {pattern: a, with: b, longest: 3}}"
    )
    read = rows(
        declared,
        {"id": "a", "inputs": {"note": "n1"}},
        {"time": "CANARY", "inputs": {}},
        {"id": "b", "inputs": {"note": "CANARY-too-long"}},
        {"id": "c", "inputs": {"note": 123}},
        {"id": "d", "tags": {"t": "CANARY-too-long"}},
    )
    assert read.batch.column("id").to_pylist() == ["a", "c"]
    assert [(row.row, row.code) for row in read.rejected] == [
        (1, "bad_time"),
        (2, "masking_failed"),
        (4, "masking_failed"),
    ]
    assert "CANARY" not in str([row._replace(body=b"") for row in read.rejected])
    assert read.batch.column("inputs_cat").to_pylist() == [[("note", "n#")], [("note", "###")]]


def test_rows_and_halves_of_the_same_values_are_masked_the_same() -> None:
    declared = config(
        "{field: ssn, do: hash}, {field: pay, do: {truncate: 1}}, {field: face, do: hash}, {tag: t, do: hash}"
    )
    values = {"ssn": 123456789, "pay": 4100, "age": 30, "face": [1.5, 2.5], "note": "n"}
    (row,) = rows(declared, {"inputs": values, "tags": {"t": "bob"}}).batch.to_pylist(maps_as_pydicts="strict")
    inputs = [
        tensor(k, v, [1, 1, 2]) if isinstance(v, list) else tensor(k, [v], [1], "BYTES" if k == "note" else "FP64")
        for k, v in values.items()
    ]
    sent = half({"inputs": inputs}, **{"ce-metadata": '{"t": ["bob"]}'})
    (other,) = stored(masks(declared).half(sent), Names(declared))
    names = ("content", "tags", "inputs_num", "inputs_cat", "inputs_vec")
    assert {name: row[name] for name in names} == {name: other[name] for name in names}
    assert row["inputs_num"] == {"pay": 4000, "age": 30}


def test_a_number_declared_a_category_is_masked_as_one_wherever_it_comes_from() -> None:
    declared = config("{field: zip, do: {truncate: 2}}", "models: {income: {fields: {zip: {kind: cat}}}}\n")
    (row,) = rows(declared, {"inputs": {"zip": 8051}}).batch.to_pylist(maps_as_pydicts="strict")
    (other,) = stored(masks(declared).half(half({"instances": [{"zip": 8051}]})), Names(declared))
    assert row["inputs_cat"] == other["inputs_cat"] == {"zip": "80"}


def test_the_content_is_hashed_of_what_is_stored() -> None:
    declared = config("{field: ssn, do: drop}")
    contents = {rows(declared, {"inputs": {"ssn": ssn, "age": 1}}).batch.column("content")[0].as_py() for ssn in (1, 2)}
    assert contents == {rows(Config(), {"inputs": {"age": 1}}).batch.column("content")[0].as_py()}


def test_fields_are_declared_as_what_is_stored() -> None:
    declared = config("{field: ssn, do: hash}, {field: pay, do: {truncate: 1}}")
    found = {f.name: (f.kind, f.datatype) for f in rows(declared, {"inputs": {"ssn": 1, "pay": 2}}).fields}
    assert found == {"ssn": ("cat", "BYTES"), "pay": ("num", "FP64")}


def test_rows_of_several_models_are_masked_by_the_rules_of_each() -> None:
    declared = config("{field: ssn, model: credit, do: drop}")
    read = rows(
        declared, *({"model": m, "inputs": {"ssn": n, "age": n}} for n, m in enumerate(("income", "credit", "income")))
    )
    found = read.batch.to_pylist(maps_as_pydicts="strict")
    assert [(r["model"], r["inputs_num"]) for r in found] == [
        ("income", {"ssn": 0, "age": 0}),
        ("income", {"ssn": 2, "age": 2}),
        ("credit", {"age": 1}),
    ]


def test_a_dead_letter_keeps_its_reason_and_length_and_nothing_that_was_sent() -> None:
    letter = DeadLetter(
        RECEIVED,
        "events",
        "bad_json",
        "found CANARY",
        "inputs[0].CANARY",
        b"{CANARY",
        headers=(("x-user", "CANARY"), ("ce-metadata", '{"x-user": "CANARY"}'), ("ce-id", "7")),
    )
    kept = masks(config("{header: x-user, model: income, do: drop}")).letter(letter)
    assert (kept.body, kept.body_bytes, kept.reason, kept.field) == (b"", 7, "bad_json", "")
    assert kept.headers == (("ce-id", "7"),)
    assert "CANARY" not in str(kept)


def test_a_letter_of_a_model_without_rules_is_whole() -> None:
    letter = DeadLetter(RECEIVED, "mine", "bad_json", "why", "", b"{", "default", "other")
    assert masks(config("{field: ssn, model: income, do: drop}")).letter(letter) is letter


def test_an_error_of_our_own_is_logged_by_type_and_place(caplog: pytest.LogCaptureFixture) -> None:
    try:
        int("CANARY")
    except ValueError as failure:
        answered = masks(config("{field: ssn, do: drop}")).error(failure)
    assert "CANARY" not in f"{answered} {caplog.text}"
    assert "ValueError at test_masks.py" in caplog.text


def test_a_label_is_masked_by_the_rules_for_fields_of_its_name() -> None:
    declared = config("{field: ssn, do: hash}, {field: pay, do: {truncate: 1}}, {field: gone, do: drop}")
    sent = [("ssn", 123), ("ssn", "123"), ("pay", 4100), ("gone", 1), ("free", "as it is")]
    labels = [{"id": "a", "model": "income", "name": name, "value": value} for name, value in sent]
    read = read_labels(orjson.dumps({"labels": labels}), Defaults("default", "", "", "labels", RECEIVED))
    masked = masks(declared).labels(read)
    hashed, again, pay, free = masked.batch.to_pylist()
    assert hashed["value"] == again["value"] != "123" and hashed["num"] is None
    assert (pay["value"], pay["num"], free["value"]) == ("4000", 4000.0, "as it is")
    assert [(row.row, row.code) for row in masked.rejected] == [(3, "masking_failed")]


def test_a_label_of_an_unknown_model_is_masked_by_the_rules_of_all_and_beside_its_prediction_by_its_own() -> None:
    declared = config("{field: ssn, model: income, do: {constant: x}}")
    body = orjson.dumps({"labels": [{"id": "a", "name": "ssn", "value": 1}]})
    masked = masks(declared).labels(read_labels(body, Defaults("default", "", "", "labels", RECEIVED)))
    assert masked.batch.column("value").to_pylist() == ["x"]
    for model, value in (("income", "x"), ("other", "1")):
        beside = rows(declared, {"id": "a", "labels": {"ssn": 1}}, model=model).labels
        assert beside and beside.batch.column("value").to_pylist() == [value]
