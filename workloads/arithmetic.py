"""Integer arithmetic in LUTs of six inputs, with as few of them as we know how: comparators, sums, argmax."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np

from workloads.netlist import CONSTANT_0, CONSTANT_1, Netlist
from workloads.netlist_builder import NetlistBuilder

_LUT_INPUTS = 6
_MOST_EXPANSIONS = 3000  # of one search for a compressor tree; what is found by then is taken


def at_least(builder: NetlistBuilder, bits_lsb_first: Sequence[int], threshold: int, role: str) -> int:
    """The signal of x >= threshold for an unsigned x. At most ceil((bits - 1) / 5) LUTs."""
    bits = list(bits_lsb_first)
    if threshold <= 0:
        return CONSTANT_1
    if threshold >= 1 << len(bits):
        return CONSTANT_0
    found = CONSTANT_1  # the bits below `low` are at least those of the threshold
    low = (threshold & -threshold).bit_length() - 1  # zeros at the end of the threshold: every x passes there
    while low < len(bits):
        take = bits[low : low + _LUT_INPUTS - (found >= 0)]
        part = threshold >> low & ((1 << len(take)) - 1)
        index = np.arange(2 << len(take))
        value, tie = index >> 1, index & 1
        found = builder.lut([found, *take], (value > part) | ((value == part) & (tie == 1)), role)
        low += len(take)
    return found


def count_ones(builder: NetlistBuilder, signals: Sequence[int], role: str) -> list[int]:
    """How many of the signals are 1: bit_length(len(signals)) bits, least significant first."""
    return _sum_columns(builder, [list(signals)], len(signals).bit_length(), role)


def add_signed(builder: NetlistBuilder, operands: Sequence[Sequence[int]], role: str) -> list[int]:
    """The sum of two's complement numbers (bits least significant first), as wide as its range asks for.

    A sign bit s of weight -2^k is read as ~s of weight 2^k and a constant -2^k, so that all bits add; the constants
    are summed here.
    """
    if not operands:
        return [CONSTANT_0]
    lowest = -sum(1 << (len(bits) - 1) for bits in operands)
    highest = sum((1 << (len(bits) - 1)) - 1 for bits in operands)
    n_bits = 1 + max(highest.bit_length(), (-lowest - 1).bit_length())
    columns: list[list[int]] = [[] for _ in range(n_bits)]
    constant = lowest
    for bits in operands:
        for weight, signal in enumerate(bits[:-1]):
            columns[weight].append(signal)
        columns[len(bits) - 1].append(_inverse(builder, bits[-1], role))
    for column in columns:  # constants of the operands too
        column[:] = [signal for signal in column if signal != CONSTANT_0]
    for weight, column in enumerate(columns):
        constant += column.count(CONSTANT_1) << weight
        column[:] = [signal for signal in column if signal != CONSTANT_1]
    for weight, column in enumerate(columns):
        if constant >> weight & 1:
            column.append(CONSTANT_1)
    return _sum_columns(builder, columns, n_bits, role)


def argmax(builder: NetlistBuilder, scores: Sequence[Sequence[int]], *, signed: bool, role: str) -> list[int]:
    """The index of the largest score (the first of equals), bits least significant first; none for a lone score.

    Scores are bits least significant first; `signed`: two's complement. They are widened to the widest.
    """
    n_bits = max((len(score) for score in scores), default=0)
    rows = [_widened(list(score), n_bits, signed) for score in scores]
    if signed:  # offset by half the range: the order of two's complement is then that of unsigned numbers
        rows = [[*row[:-1], _inverse(builder, row[-1], role)] for row in rows]
    if len(rows) < 2:
        return []
    return _ARGMAX[_best_argmax(len(rows), n_bits)](builder, rows, role)


def _widened(bits: list[int], n_bits: int, signed: bool) -> list[int]:
    top = bits[-1] if signed and bits else CONSTANT_0
    return bits + [top] * (n_bits - len(bits))


def _inverse(builder: NetlistBuilder, signal: int, role: str) -> int:
    return builder.lut((signal,), 0b01, role)  # readers absorb it


# Sums: a tree of counters, each of which replaces at most six bits of neighbouring weights by their sum.


def _sum_columns(builder: NetlistBuilder, columns: list[list[int]], n_bits: int, role: str) -> list[int]:
    """n_bits of the sum of columns[w] * 2^w, modulo 2^n_bits."""
    columns = [list(column) for column in columns[:n_bits]] + [[] for _ in range(n_bits - len(columns))]
    for offset, taken in _counters(tuple(len(column) for column in columns)):
        operands = [columns[offset + weight][:count] for weight, count in enumerate(taken)]
        for weight, count in enumerate(taken):
            del columns[offset + weight][:count]
        for weight, signal in enumerate(_counter(builder, operands, n_bits - offset, role)):
            columns[offset + weight].append(signal)
    return [column[0] if column else CONSTANT_0 for column in columns]


def _counter(builder: NetlistBuilder, operands: list[list[int]], n_bits: int, role: str) -> list[int]:
    """The bits of the sum of a few bits: operands[w] have weight 2^w."""
    fanin = [signal for column in operands for signal in column]
    weights = [1 << weight for weight, column in enumerate(operands) for _ in column]
    index = np.arange(1 << len(fanin))
    total = sum(((index >> place & 1) * weight for place, weight in enumerate(weights)), np.zeros_like(index))
    n_out = min(n_bits, sum(weights).bit_length())
    return [builder.lut(fanin, total >> place & 1, role) for place in range(n_out)]


@lru_cache(maxsize=4096)
def _counters(heights: tuple[int, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Counters (lowest weight, bits taken of each weight from there on) that leave at most one bit a weight.

    A* over the heights of the columns, lowest column first. No counter removes more bits than it has LUTs, so the bits
    in excess bound the LUTs still to come. So the tree is the smallest of its kind, unless the search is cut short.
    """
    start = tuple(heights)
    best = {start: 0}
    came: dict[tuple[int, ...], tuple[tuple[int, ...], tuple[int, tuple[int, ...]]]] = {}
    queue = [(_to_come(start), 0, start)]
    expansions = 0
    while queue:
        _, cost, state = heapq.heappop(queue)
        if cost > best[state]:
            continue
        offset = next((weight for weight, height in enumerate(state) if height > 1), None)
        if offset is None:
            return _path(came, state)
        expansions += 1
        for taken in _choices(state[offset : offset + 3], greedy=expansions > _MOST_EXPANSIONS):
            reached, luts = _after(state, offset, taken)
            if cost + luts < best.get(reached, 1 << 30):
                best[reached] = cost + luts
                came[reached] = (state, (offset, taken))
                heapq.heappush(queue, (cost + luts + _to_come(reached), cost + luts, reached))
    raise AssertionError("a column of two bits can always be counted")


def _to_come(heights: tuple[int, ...]) -> int:
    return sum(height - 1 for height in heights if height > 1)


def _path(came: dict, state: tuple[int, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    steps = []
    while state in came:
        state, step = came[state]
        steps.append(step)
    return tuple(reversed(steps))


@cache
def _choices(heights: tuple[int, ...], greedy: bool) -> list[tuple[int, ...]]:
    """How many bits a counter may take of the lowest column and of the two above it."""
    first, second, third = (*heights, 0, 0)[:3]
    if greedy and first >= _LUT_INPUTS:
        return [(_LUT_INPUTS,)]
    return [
        (a, b, c)[: 3 if c else 2 if b else 1]
        for a in range(2, min(first, _LUT_INPUTS) + 1)
        for b in range(min(second, _LUT_INPUTS - a) + 1)
        for c in range((min(third, _LUT_INPUTS - a - b) if b else 0) + 1)
    ]


def _after(heights: tuple[int, ...], offset: int, taken: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """(heights after a counter, its LUTs)."""
    left = list(heights)
    for weight, count in enumerate(taken):
        left[offset + weight] -= count
    total = sum(count << weight for weight, count in enumerate(taken))
    n_out = min(total.bit_length(), len(heights) - offset)
    for weight in range(n_out):
        left[offset + weight] += 1
    return tuple(left), n_out


# Argmax: two ways; which one is better depends on the number of scores and their bits.


def _tournament(builder: NetlistBuilder, rows: list[list[int]], role: str) -> list[int]:
    """Pairs compare, winners go on with their value and index."""
    players: list[tuple[list[int], list[int]]] = [(row, []) for row in rows]
    while len(players) > 1:
        winners = []
        for first, second in zip(players[::2], players[1::2], strict=False):
            winners.append(_winner(builder, first, second, len(players) > 2, role))
        if len(players) % 2:
            value, index = players[-1]
            n_index = len(winners[0][1])
            winners.append((value, index + [CONSTANT_0] * (n_index - len(index))))
        players = winners
    return players[0][1]


def _winner(
    builder: NetlistBuilder,
    first: tuple[list[int], list[int]],
    second: tuple[list[int], list[int]],
    with_value: bool,
    role: str,
) -> tuple[list[int], list[int]]:
    second_wins = _less(builder, first[0], second[0], role)
    mux = [builder.lut((a, b, second_wins), 0b11001010, role) for a, b in zip(first[1], second[1], strict=False)]
    for rest in first[1][len(second[1]) :]:  # the second half is the smaller one: its index is 0 there
        mux.append(builder.lut((rest, second_wins), 0b0010, role))
    value = (
        [builder.lut((a, b, second_wins), 0b11001010, role) for a, b in zip(first[0], second[0], strict=True)]
        if with_value
        else []
    )
    return value, [*mux, second_wins]


def _less(builder: NetlistBuilder, first: list[int], second: list[int], role: str) -> int:
    """first < second, unsigned: three bits of each in the first LUT, two more in each next one."""
    found, low = CONSTANT_0, 0
    while low < len(first):
        take = (_LUT_INPUTS - (found >= 0)) // 2
        a, b = first[low : low + take], second[low : low + take]
        index = np.arange(2 << 2 * len(a))
        tie, x, y = index & 1, index >> 1 & ((1 << len(a)) - 1), index >> (1 + len(a))
        found = builder.lut([found, *a, *b], (x < y) | ((x == y) & (tie == 1)), role)
        low += take
    return found


def _knockout(builder: NetlistBuilder, rows: list[list[int]], role: str) -> list[int]:
    """The largest score is found bit by bit from the top; who falls short of it is out.

    Who is still in after three bits is one LUT a score (its bits against the maximum's), from then on one LUT a bit.
    """
    alive = [CONSTANT_1] * len(rows)
    best: list[int] = []  # bits of the maximum, highest first, since `alive` was brought up to date
    for bit in reversed(range(len(rows[0]))):
        since = [row[bit + 1 : bit + 1 + len(best)][::-1] for row in rows]
        if len(best) == 3 or (best and alive[0] != CONSTANT_1):
            alive = [_any_of(builder, [(still, *b)], best, [], role) for still, b in zip(alive, since, strict=True)]
            best, since = [], [[] for _ in rows]
        terms = [(still, *bits, row[bit]) for still, bits, row in zip(alive, since, rows, strict=True)]
        best.append(_any(builder, terms, [*best, CONSTANT_1], role))
    last = [(still, *row[: len(best)][::-1]) for still, row in zip(alive, rows, strict=True)]
    return _first(builder, last, best, role)


# A term (alive, bit, bit, ...) holds where it is alive and its bits equal those that are wanted of all terms.


def _any(builder: NetlistBuilder, terms: Sequence[tuple[int, ...]], wanted: Sequence[int], role: str) -> int:
    """Whether any term holds: as many as fit into a LUT at a time, then what is left with what came."""
    left, found = deque(terms), deque[int]()
    n_wanted = _n_signals(wanted)
    while left or len(found) > 1:
        room = _LUT_INPUTS - (n_wanted if left else 0)
        taken: list[tuple[int, ...]] = []
        while left and (not taken or _n_signals(left[0]) <= room):
            taken.append(left.popleft())
            room -= _n_signals(taken[-1])
        others = [found.popleft() for _ in range(min(room, len(found)) if not left else 0)]
        found.append(_any_of(builder, taken, wanted if taken else [], others, role))
    return found[0]


def _any_of(
    builder: NetlistBuilder,
    terms: Sequence[tuple[int, ...]],
    wanted: Sequence[int],
    others: Sequence[int],
    role: str,
) -> int:
    """One LUT: whether any of the terms holds or any of the other signals is 1."""
    fanin = list(dict.fromkeys([*wanted, *others, *(signal for term in terms for signal in term)]))
    index = np.arange(1 << len(fanin))
    value = {signal: index >> place & 1 == 1 for place, signal in enumerate(fanin)}
    table = np.zeros(len(index), bool)
    for signal in others:
        table |= value[signal]
    for alive, *bits in terms:
        holds = value[alive].copy()
        for bit, want in zip(bits, wanted, strict=True):
            holds &= value[bit] == value[want]
        table |= holds
    return builder.lut(fanin, table, role)


def _n_signals(signals: Sequence[int]) -> int:
    return sum(signal >= 0 for signal in signals)


def _first(builder: NetlistBuilder, terms: list[tuple[int, ...]], wanted: Sequence[int], role: str) -> list[int]:
    """The index of the first term that holds; of the last one if no other does.

    The pair is found among the pairs in the same way; which of its two then follows from the first of them.
    """
    if len(terms) == 1:
        return []
    if 2 * _n_signals(terms[0]) + _n_signals(wanted) > _LUT_INPUTS:
        alive = [_any_of(builder, [term], wanted, [], role) for term in terms[:-1]]
        return _first(builder, [*((still,) for still in alive), (CONSTANT_1,)], [], role)
    if not wanted and len(terms) <= _LUT_INPUTS + 1:
        return _first_of_few(builder, [alive for alive, *_ in terms[:-1]], role)
    pairs = [terms[start : start + 2] for start in range(0, len(terms), 2)]
    held = [*(_any_of(builder, pair, wanted, [], role) for pair in pairs[:-1]), CONSTANT_1]
    second = CONSTANT_0
    for pair, holds in zip(reversed(pairs), reversed(held), strict=True):
        first = _any_of(builder, pair[:1], wanted, [], role) if len(pair) == 2 else CONSTANT_1
        second = builder.lut((first, holds, second), 0b01110100, role)  # holds ? ~first : second
    return [second, *_first(builder, [(holds,) for holds in held], [], role)]


def _first_of_few(builder: NetlistBuilder, flags: list[int], role: str) -> list[int]:
    """The index of the first flag that is 1, their number if none is; a LUT a bit."""
    n = len(flags)
    first = np.array([(entry & -entry).bit_length() - 1 if entry else n for entry in range(1 << n)])
    return [builder.lut(flags, first >> place & 1, role) for place in range(n.bit_length())]


_ARGMAX = {"tournament": _tournament, "knockout": _knockout}


@cache
def _best_argmax(n_scores: int, n_bits: int) -> str:
    """The way with the least product of LUTs and levels: a few LUTs more often save many levels."""
    products = {}
    for name, build in _ARGMAX.items():
        builder = NetlistBuilder([f"x{index}" for index in range(n_scores * n_bits)])
        rows = [list(range(start, start + n_bits)) for start in range(0, n_scores * n_bits, n_bits)]
        index = build(builder, rows, "argmax")
        netlist = builder.finish([(f"i{place}", signal) for place, signal in enumerate(index)])
        products[name] = netlist.n_luts * _n_levels(netlist)
    return min(products, key=products.__getitem__)


def _n_levels(netlist: Netlist) -> int:
    levels = np.zeros(netlist.n_inputs + netlist.n_luts, dtype=np.int64)
    for lut in range(netlist.n_luts):
        levels[netlist.n_inputs + lut] = 1 + levels[netlist.inputs_of(lut)].max()
    return int(levels.max())
