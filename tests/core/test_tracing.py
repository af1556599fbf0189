"""Spans cost nothing without an SDK, and with one they hang together from the sender to the insert."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace

from core.tracing import MOST_LINKS, span, trace_id

SENDER = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{SENDER}-b7ad6b7169203331-01"

# The SDK is set up once a process and for good, so each test that wants one has a process of its own.
RECORDED = """
import json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from core.tracing import span

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
{program}
print(json.dumps([{{
    "name": s.name,
    "trace": f"{{s.context.trace_id:032x}}",
    "id": f"{{s.context.span_id:016x}}",
    "parent": f"{{s.parent.span_id:016x}}" if s.parent else None,
    "links": [f"{{link.context.trace_id:032x}}" for link in s.links],
    "attributes": dict(s.attributes),
    "failed": not s.status.is_ok,
    "said": [s.status.description, *(str(dict(e.attributes)) for e in s.events)],
}} for s in spans.get_finished_spans()]))
"""


def recorded(program: str) -> list[dict[str, Any]]:
    """The spans that `program` finished, the first finished first."""
    script = RECORDED.format(program=program)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return list(json.loads(run.stdout))


def test_a_span_continues_the_trace_of_the_headers_it_is_given() -> None:
    (receive,) = recorded(f"with span('receive', {{'traceparent': '{TRACEPARENT}'}}, tap='events', rows=3): pass")
    assert (receive["trace"], receive["parent"]) == (SENDER, "b7ad6b7169203331")
    assert receive["attributes"] == {"tap": "events", "rows": 3}


def test_a_span_inside_another_is_its_child() -> None:
    step, window = recorded("with span('window'):\n with span('step'): pass")
    assert (step["trace"], step["parent"]) == (window["trace"], window["id"])
    assert window["parent"] is None


def test_an_insert_is_linked_to_the_trace_of_every_row_it_holds() -> None:
    (store,) = recorded(f"with span('store', links=['{SENDER}', '', '{SENDER}', 'f' * 32]): pass")
    assert store["links"] == [SENDER, "f" * 32]


def test_a_row_whose_trace_id_is_none_does_not_stop_the_insert() -> None:
    (store,) = recorded("with span('store', links=['hello', '0' * 32, 'g' * 32, 'ab']): pass")
    assert store["links"] == []


def test_links_are_bounded() -> None:
    (store,) = recorded("with span('store', links=(f'{n:032x}' for n in range(1, 1000))): pass")
    assert len(store["links"]) == MOST_LINKS


def test_headers_that_are_no_traceparent_begin_a_trace_of_their_own() -> None:
    (receive,) = recorded("with span('receive', {'traceparent': 'hello'}): pass")
    assert receive["parent"] is None


def test_an_exception_passes_through_and_marks_its_span_as_failed() -> None:
    (step,) = recorded("try:\n with span('step'): 1 / 0\nexcept ZeroDivisionError: pass")
    assert step["failed"]


def test_without_quotes_a_failed_span_says_only_the_type_of_its_error() -> None:
    program = "try:\n with span('receive', quotes_errors=False): int('CANARY')\nexcept ValueError: pass"
    (receive,) = recorded(program)
    assert (receive["failed"], receive["said"]) == (True, ["ValueError"])


def test_nothing_is_recorded_without_an_sdk() -> None:
    with span("receive", {"traceparent": TRACEPARENT}, links=[SENDER]) as current:
        assert not current.is_recording()
        assert trace.get_current_span() is trace.INVALID_SPAN


def test_the_trace_id_of_a_traceparent_is_its_second_part() -> None:
    assert trace_id(TRACEPARENT) == SENDER
    assert trace_id(f"01-{SENDER}-b7ad6b7169203331-01-more") == SENDER


@pytest.mark.parametrize(
    "text",
    [
        "",
        SENDER,
        f"00-{SENDER}",
        f"ff-{SENDER}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{'z' * 32}-b7ad6b7169203331-01",
        f"00-{SENDER.upper()}-b7ad6b7169203331-01",
    ],
)
def test_what_is_no_traceparent_has_no_trace_id(text: str) -> None:
    assert trace_id(text) == ""


@given(st.text())
def test_any_text_has_a_trace_id_of_32_hex_digits_or_none(text: str) -> None:
    assert len(trace_id(text)) in (0, 32)
