"""One run as a timeline: Chrome trace-event JSON, which Perfetto (ui.perfetto.dev) and chrome://tracing open."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from designs.errors import InputError
from designs.whole_file import whole_file

_PROCESS = 1


def write_timeline(
    events: Sequence[Mapping[str, Any]], path: Path | str, *, clock_mhz: float = 1.0, name: str = "lockstep"
) -> Path:
    """Write `trace_document(...)` to `path`, whole or not at all, and return the path."""
    path = Path(path)
    text = json.dumps(trace_document(events, clock_mhz=clock_mhz, name=name), separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return path


def trace_document(
    events: Sequence[Mapping[str, Any]], *, clock_mhz: float = 1.0, name: str = "lockstep"
) -> dict[str, Any]:
    """The trace of `events`: dicts with `track`, `name`, `start_cycle`, `end_cycle`, and optionally `layer` and `tile`.

    Times are microseconds at `clock_mhz`; at the default of 1 MHz one microsecond shown is one cycle. Every track is a
    thread, in the order of first use. Viewers nest slices of one thread, so slices that overlap are spread over as many
    threads as they need ("dma", "dma 2"). InputError where an event ends before it starts or the clock is not positive.
    """
    if not clock_mhz > 0:
        raise InputError(f"clock_mhz: wanted more than 0, got {clock_mhz}")
    threads: dict[tuple[str, int], int] = {}
    slices = []
    for track, lane, event in _lanes(events):
        thread = threads.setdefault((track, lane), len(threads) + 1)
        slices.append(_slice(event, thread, clock_mhz))
    metadata: list[dict[str, Any]] = [_metadata("process_name", 0, {"name": name})]
    order = sorted(threads, key=lambda key: ([t for t, _ in threads].index(key[0]), key[1]))
    for index, (track, lane) in enumerate(order):
        thread = threads[track, lane]
        metadata.append(_metadata("thread_name", thread, {"name": f"{track} {lane + 1}" if lane else track}))
        metadata.append(_metadata("thread_sort_index", thread, {"sort_index": index}))
    return {
        "traceEvents": metadata + slices,
        "displayTimeUnit": "ns",
        "otherData": {"clock_mhz": clock_mhz, "time": "1 us is one cycle" if clock_mhz == 1 else "cycles at clock_mhz"},
    }


def _lanes(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, Mapping[str, Any]]]:
    """(track, lane, event) by start; an event takes the first lane of its track that is free."""
    tracks = {event["track"]: index for index, event in reversed(list(enumerate(events)))}
    for index, event in enumerate(events):
        if event["end_cycle"] < event["start_cycle"] or event["start_cycle"] < 0:
            raise InputError(
                f"event {index} ({event['name']}): wanted 0 <= start_cycle <= end_cycle, "
                f"got {event['start_cycle']} and {event['end_cycle']}"
            )
    free_from: dict[str, list[int]] = {track: [] for track in tracks}
    placed = []
    for event in sorted(events, key=lambda e: (e["start_cycle"], tracks[e["track"]], e["end_cycle"])):
        ends = free_from[event["track"]]
        lane = next((i for i, end in enumerate(ends) if end <= event["start_cycle"]), len(ends))
        ends[lane : lane + 1] = [event["end_cycle"]]
        placed.append((str(event["track"]), lane, event))
    return placed


def _slice(event: Mapping[str, Any], thread: int, clock_mhz: float) -> dict[str, Any]:
    n_cycles = event["end_cycle"] - event["start_cycle"]
    details = {key: event[key] for key in ("layer", "tile") if event.get(key) is not None}
    return {
        "name": str(event["name"]),
        "cat": str(event["track"]),
        "ph": "X",
        "ts": _microseconds(event["start_cycle"], clock_mhz),
        "dur": _microseconds(n_cycles, clock_mhz),
        "pid": _PROCESS,
        "tid": thread,
        "args": {**details, "start_cycle": event["start_cycle"], "n_cycles": n_cycles},
    }


def _metadata(kind: str, thread: int, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": _PROCESS, "tid": thread, "args": args}


def _microseconds(n_cycles: int, clock_mhz: float) -> int | float:
    return n_cycles if clock_mhz == 1 else n_cycles / clock_mhz
