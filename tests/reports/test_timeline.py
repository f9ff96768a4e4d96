import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.errors import InputError
from reports.timeline import trace_document, write_timeline

EVENTS = [
    {"track": "dma", "name": "load", "start_cycle": 0, "end_cycle": 40, "layer": "conv1", "tile": 0},
    {"track": "array", "name": "compute", "start_cycle": 40, "end_cycle": 100, "layer": "conv1", "tile": 0},
    {"track": "dma", "name": "load", "start_cycle": 30, "end_cycle": 90, "layer": "conv1", "tile": 1},
]


def slices(document):
    return [event for event in document["traceEvents"] if event["ph"] == "X"]


def test_times_are_microseconds_at_the_clock():
    first = slices(trace_document(EVENTS, clock_mhz=500))[0]
    assert first == {
        "name": "load", "cat": "dma", "ph": "X", "ts": 0.0, "dur": 0.08, "pid": 1, "tid": 1,
        "args": {"layer": "conv1", "tile": 0, "start_cycle": 0, "n_cycles": 40},
    }  # fmt: skip


def test_without_a_clock_a_microsecond_is_a_cycle():
    assert [(e["ts"], e["dur"]) for e in slices(trace_document(EVENTS))] == [(0, 40), (30, 60), (40, 60)]


def test_threads_are_named_in_order_and_overlaps_get_their_own():
    document = trace_document(EVENTS)
    names = {e["tid"]: e["args"]["name"] for e in document["traceEvents"] if e["name"] == "thread_name"}
    order = {e["tid"]: e["args"]["sort_index"] for e in document["traceEvents"] if e["name"] == "thread_sort_index"}
    assert [names[tid] for tid in sorted(order, key=order.get)] == ["dma", "dma 2", "array"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.integers(0, 9))))
def test_every_event_keeps_the_rules_of_the_format(spans):
    events = [{"track": t, "name": "n", "start_cycle": s, "end_cycle": s + d} for t, s, d in spans]
    document = json.loads(json.dumps(trace_document(events)))
    found = document["traceEvents"]
    assert all({"name", "ph", "pid", "tid"} <= event.keys() and event["ph"] in "XM" for event in found)
    assert all(event["ts"] >= 0 and event["dur"] >= 0 for event in slices(document))
    assert len(slices(document)) == len(events)
    assert [e["ts"] for e in slices(document)] == sorted(e["ts"] for e in slices(document))
    by_thread = {}
    for event in slices(document):  # slices of a thread never overlap
        assert event["ts"] >= by_thread.get(event["tid"], 0)
        by_thread[event["tid"]] = event["ts"] + event["dur"]


def test_the_file_is_one_json_document(tmp_path):
    path = write_timeline(EVENTS, tmp_path / "deep" / "run.json", clock_mhz=500, name="digits")
    document = json.loads(path.read_text())
    assert document["traceEvents"][0]["args"] == {"name": "digits"} and document["displayTimeUnit"] == "ns"
    assert [p.name for p in path.parent.iterdir()] == ["run.json"]


def test_impossible_events_are_refused():
    with pytest.raises(InputError, match=r"event 0 \(x\): wanted 0 <= start_cycle <= end_cycle, got 5 and 4"):
        trace_document([{"track": "a", "name": "x", "start_cycle": 5, "end_cycle": 4}])
    with pytest.raises(InputError, match="clock_mhz: wanted more than 0, got 0"):
        trace_document([], clock_mhz=0)
