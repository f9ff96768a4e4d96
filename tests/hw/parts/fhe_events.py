"""Starts of all jobs of blind rotation by the conditions of docs/fhe.md, section 3: what control is held to."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import floor

from designs.families.fhe import Design

Start = Callable[[str, int], int]


def job_starts(
    design: Design, slots: int, first: int, row_taken: Callable[[int, Start], int]
) -> tuple[dict[str, list[int]], int]:
    """(starts of each station's jobs of one batch, rot_end), when ROT may start in cycle `first`.

    `row_taken(i, start)` is the cycle in which the last beat of row i was taken, which may ask for earlier starts.
    """
    n, columns, words = design.parameters.lwe_dimension, design.parameters.glwe_dimension + 1, design.poly_words
    latency = design.multiplier_stages + 2
    interval = max(words, words // 2 + 1 + latency)
    ranks, groups = design.ntt_ranks, design.n_groups
    m, v = design.key_columns, design.inverse_ntts
    per_slot = columns // v
    x = [floor((y + 1) * design.n_stages / ranks) - floor(y * design.n_stages / ranks) for y in range(ranks)]
    order = ["ROT", *(f"F{y}" for y in range(ranks)), "MAC", *(f"I{y}" for y in range(ranks)), "WB"]
    keeps = {"ROT": words, "MAC": words * columns // m, "WB": words}
    lasts = {"ROT": 4, "MAC": latency, "WB": 2}
    for y in range(ranks):
        for kind in "FI":
            keeps[f"{kind}{y}"] = (x[y] - 1) * interval + words
            lasts[f"{kind}{y}"] = (x[y] - 1) * interval + latency
    reads = dict.fromkeys(order, words) | {"MAC": keeps["MAC"]}

    @cache
    def start(station: str, q: int) -> int:
        place = order.index(station)
        bounds = [start(station, q - 1) + keeps[station]] if q else []
        before = order[place - 1] if place else None
        if station == "ROT":
            turn, group = divmod(q, groups)
            if turn < slots:
                bounds.append(first)
            elif group == 0:
                bounds.append(start("WB", (turn - slots + 1) * per_slot - 1) + 2 + words - 1)
        elif station == "I0":
            turn, cg = divmod(q, per_slot)
            done = start("MAC", (turn + 1) * groups - 1) + latency + words * (((cg + 1) * v - 1) // m) + 1
            bounds.append(done)
        elif before is not None:
            settle = 1 if station == "MAC" else words // 2 + 1
            bounds.append(start(before, q) + lasts[before] + settle)
        if station == "MAC":
            turn, group = divmod(q, groups)
            if group == 0 and turn >= 2:
                bounds.append(start("I0", (turn - 1) * per_slot - 1) + max(1, words - latency))
            bounds.append(row_taken(turn // slots, start) + 1)
        elif station != "WB" and q >= 2:
            after = order[place + 1]
            bounds.append(start(after, q - 2) + max(1, reads[after] - lasts[station]))
        return max(bounds)

    counts = {station: n * slots * (groups if place <= ranks + 1 else per_slot) for place, station in enumerate(order)}
    starts = {station: [start(station, q) for q in range(counts[station])] for station in order}
    return starts, starts["WB"][-1] + 2 + words - 1
