"""PEs, skew, transposers, arrays, accumulators, requantizers: what their docstrings promise, to the cycle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.families.tensor import Design
from hw.parts.accumulators import AccumulatorUnit
from hw.parts.array import OutputStationaryArray, StationaryArray
from hw.parts.im2col import Im2col
from hw.parts.overflow import clip, fit
from hw.parts.pe import OutputStationaryPE, StationaryPE, product, sum_bits
from hw.parts.pooling import MaxPool
from hw.parts.requantizer import RequantizeLane, ResidualLane
from hw.parts.skew import GroupSkew, Skew
from hw.parts.transposer import StreamTransposer, TransposingRegisters
from workloads.requantize import requantize

Cycle = Callable[[Any, int], None]


def simulate(dut: Any, cycle: Cycle, n_cycles: int) -> None:
    """Call `cycle(ctx, number)` in each cycle."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def bench(ctx: Any) -> None:
        for number in range(n_cycles):
            cycle(ctx, number)
            await ctx.tick()

    simulator.add_testbench(bench)
    simulator.run()


def evaluate(make: Callable[[Signal], Any], shape: Any, inputs: list[int]) -> list[Any]:
    """Outputs of the combinational circuit `make(input)`, one or a tuple of values."""
    m, source = Module(), Signal(shape)
    made = make(source)
    outputs = []
    for value in made if isinstance(made, tuple) else (made,):
        outputs.append(Signal.like(value, name=f"output_{len(outputs)}"))
        m.d.comb += outputs[-1].eq(value)
    found = []

    async def bench(ctx: Any) -> None:
        for value in inputs:
            ctx.set(source, value)
            found.append(tuple(ctx.get(output) for output in outputs))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("saturate", [False, True])
def test_fit_wraps_or_saturates_and_tells(saturate: bool) -> None:
    values = list(range(-32, 32))
    found = evaluate(lambda value: fit(value, bits=4, saturate=saturate), signed(6), values)
    for value, (fitted, overflow) in zip(values, found, strict=True):
        assert overflow == (not -8 <= value <= 7)
        assert fitted == (min(max(value, -8), 7) if saturate else (value + 8) % 16 - 8)


def test_fit_of_a_narrow_value_never_overflows() -> None:
    assert evaluate(lambda value: fit(value, bits=4, saturate=True), signed(3), [-4, 3]) == [(-4, 0), (3, 0)]


def test_clip_holds_both_bounds() -> None:
    bounds = Signal(signed(4), init=-3), Signal(signed(4), init=5)
    found = evaluate(lambda value: clip(value, *bounds), signed(5), list(range(-16, 16)))
    assert [value for (value,) in found] == [min(max(value, -3), 5) for value in range(-16, 16)]


@pytest.mark.parametrize("weight_bits", [1, 2, 3])
def test_product_is_exact_at_the_ends_of_the_range(weight_bits: int) -> None:
    design = Design(act_bits=3, weight_bits=weight_bits)
    weights = [-1, 0, 1] if weight_bits == 1 else list(range(-(1 << weight_bits - 1), 1 << weight_bits - 1))
    for weight in weights:
        held = Signal(signed(max(weight_bits, 2)), init=weight)
        found = evaluate(lambda value, held=held: product(design, value, held), signed(4), list(range(-7, 8)))
        assert [value for (value,) in found] == [weight * value for value in range(-7, 8)]


def test_sum_bits_hold_the_largest_sum_and_no_more() -> None:
    assert sum_bits(Design(act_bits=8, weight_bits=8), 1) == 16  # 255 * -128 = -32640
    assert sum_bits(Design(act_bits=8, weight_bits=8), 2) == 17
    assert sum_bits(Design(act_bits=1, weight_bits=1), 3) == 3  # -3 to 3


def test_stationary_pe_takes_the_new_operand_while_the_old_one_works() -> None:
    dut = StationaryPE(Design(dataflow="weight_stationary"), row=1)
    stationary, moving, above = [3, -5, 7, 9], [1, 2, 4, 8], [100, 200, -300, 400]
    held = [0, 3, -5, -5]  # what each cycle multiplies by: loads in cycles 0 and 1

    def cycle(ctx: Any, x: int) -> None:
        if x < 4:
            ctx.set(dut.load, x < 2)
            ctx.set(dut.stationary, stationary[x])
            ctx.set(dut.moving, moving[x])
            ctx.set(dut.sum_in, above[x])
        if x >= 1:
            assert ctx.get(dut.sum_out) == above[x - 1] + moving[x - 1] * held[x - 1]
            assert ctx.get(dut.moving_out) == moving[x - 1]
            assert ctx.get(dut.load_out) == (x - 1 < 2)

    simulate(dut, cycle, 5)


def test_output_stationary_pe_shows_its_sum_for_one_cycle_and_counts_overflows() -> None:
    dut = OutputStationaryPE(Design(dataflow="output_stationary", acc_bits=8, acc_overflow="saturate"))
    activations, lasts = [10, 10, -1, 3, 5, 0, 0], [0, 0, 1, 0, 1, 0, 0]
    totals, overflows = {3: 119, 5: 80}, {2}  # 100, 127 (200 does not fit), 127 - 10 + 2; 30 + 50
    weights = [10, 10, 8, 10, 10, 10, 10]

    def cycle(ctx: Any, x: int) -> None:
        assert ctx.get(dut.total) == totals.get(x, 0)
        assert ctx.get(dut.overflow) == (x in overflows)
        if x < 7:
            ctx.set(dut.activation, activations[x])
            ctx.set(dut.weight, weights[x])
            ctx.set(dut.last, lasts[x])
        if x:
            assert ctx.get(dut.last_out) == lasts[x - 1]
            assert (ctx.get(dut.activation_out), ctx.get(dut.weight_out)) == (activations[x - 1], weights[x - 1])

    simulate(dut, cycle, 8)


@pytest.mark.parametrize("first", ["lowest", "highest"])
def test_skew_delays_lane_by_lane(first: Any) -> None:
    dut = Skew(shape=unsigned(8), n_lanes=3, first=first)

    def cycle(ctx: Any, x: int) -> None:
        for lane in range(3):
            ctx.set(dut.early[lane], 10 * x + lane)
        for lane in range(3):
            delay = lane if first == "lowest" else 2 - lane
            assert ctx.get(dut.late[lane]) == (10 * (x - delay) + lane if x >= delay else 0)

    simulate(dut, cycle, 8)


def test_group_skew_delays_row_by_row() -> None:
    dut = GroupSkew(shape=unsigned(8), n_groups=2, rows_a_group=2, lanes_a_group=3)

    def cycle(ctx: Any, x: int) -> None:
        for lane in range(6):
            ctx.set(dut.early[lane], 10 * x + lane)
        for row in range(4):
            lanes = range(3) if row < 2 else range(3, 6)
            wanted = [10 * (x - row) + lane if x >= row else 0 for lane in lanes]
            assert [ctx.get(dut.late[row][place]) for place in range(3)] == wanted

    simulate(dut, cycle, 8)


@pytest.mark.parametrize("gaps", [[0, 0, 0, 0], [0, 1, 2, 5], [3, 4, 0, 1]])
def test_stream_transposer_with_gaps_between_squares(gaps: list[int]) -> None:
    size = 4
    dut = StreamTransposer(shape=signed(9), size=size)
    squares = np.random.default_rng(0).integers(-256, 256, (len(gaps), size, size))
    words, wanted, now = {}, {}, 0
    for gap, square in zip(gaps, squares, strict=True):
        now += gap
        for i in range(size):
            words[now + i] = square[i]
            wanted[now + i + size + 1] = square[:, i]
        now += size

    def cycle(ctx: Any, x: int) -> None:
        ctx.set(dut.valid, x in words)
        for lane in range(size):
            ctx.set(dut.word[lane], int(words[x][lane]) if x in words else 0)
        found = [ctx.get(dut.lanes[p]) for p in range(size)]
        assert found == (wanted[x].tolist() if x in wanted else [0] * size)

    simulate(dut, cycle, now + 2 * size + 2)


def test_transposing_registers_are_written_across() -> None:
    dut = TransposingRegisters(shape=signed(4), n_words=4, n_lanes=2, width=2)
    values = [(0, 0, (1, 2)), (0, 1, (3, 4)), (1, 0, (5, 6)), (1, 1, (7, -8))]  # lane, group, words of the group

    def cycle(ctx: Any, x: int) -> None:
        ctx.set(dut.write, x < 4)
        if x < 4:
            lane, group, pair = values[x]
            ctx.set(dut.lane, lane)
            ctx.set(dut.group, group)
            for i in range(2):
                ctx.set(dut.values[i], pair[i])
            return
        ctx.set(dut.index, x - 4)
        assert [ctx.get(dut.word[i]) for i in range(2)] == [[1, 5], [2, 6], [3, 7], [4, -8]][x - 4]

    simulate(dut, cycle, 8)


@pytest.mark.rtl
@pytest.mark.parametrize("dataflow", ["weight_stationary", "input_stationary"])
def test_stationary_array_multiplies_without_a_gap_between_folds(dataflow: Any) -> None:
    rows, cols = 3, 2
    design = Design(array_rows=rows, array_cols=cols, dataflow=dataflow)
    dut = StationaryArray(design)
    rng = np.random.default_rng(1)
    n_vectors = 3
    held = rng.integers(-128, 128, (4, rows, cols))
    vectors = rng.integers(-128, 128, (4, n_vectors, rows))
    by_word = held if dataflow == "weight_stationary" else held.transpose(0, 2, 1)
    wanted = np.einsum("fvr,frc->fvc", vectors, held).reshape(-1, cols)

    def cycle(ctx: Any, x: int) -> None:
        fold, q = divmod(x, n_vectors)
        ctx.set(dut.load, q == 0 and fold < 4)
        if fold < 4 and q < by_word.shape[1]:
            for lane in range(by_word.shape[2]):
                ctx.set(dut.stationary[lane], int(by_word[fold, q, lane]))
        if 1 <= x <= 4 * n_vectors:  # one cycle after the loads
            for lane in range(rows):
                ctx.set(dut.moving[lane], int(vectors.reshape(-1, rows)[x - 1, lane]))
        number = x - 1 - (rows + cols - 1)
        if 0 <= number < len(wanted):
            assert [ctx.get(dut.sums[c]) for c in range(cols)] == wanted[number].tolist()

    simulate(dut, cycle, 4 * n_vectors + rows + cols + 1)


@pytest.mark.rtl
@pytest.mark.parametrize("n_of_m", ["2:4", "1:3"])
def test_kept_weights_meet_the_lanes_of_their_places(n_of_m: str) -> None:
    rows, cols, n_folds, n_vectors = 4, 2, 3, 5
    design = Design(array_rows=rows, array_cols=cols, weight_bits=6, n_of_m=n_of_m)
    n, m = design.kept_lanes, design.group_lanes
    dut = StationaryArray(design)
    rng = np.random.default_rng(3)
    kept, places = rng.integers(-32, 32, (n_folds, rows, cols)), rng.integers(0, m, (n_folds, rows, cols))
    vectors = rng.integers(-255, 256, (n_folds, n_vectors, rows // n, m))
    wanted = np.zeros((n_folds, n_vectors, cols), dtype=int)
    for fold, row, col in np.ndindex(kept.shape):
        lane = vectors[fold, :, row // n, places[fold, row, col]]
        wanted[fold, :, col] += kept[fold, row, col] * lane

    def cycle(ctx: Any, x: int) -> None:
        fold, q = divmod(x, n_vectors)
        ctx.set(dut.load, q == 0 and fold < n_folds)
        if fold < n_folds and q < rows:
            for col in range(cols):
                ctx.set(dut.stationary[col].weight, int(kept[fold, q, col]))
                ctx.set(dut.stationary[col].place, int(places[fold, q, col]))
        if 1 <= x <= n_folds * n_vectors:  # one cycle after the loads
            for lane, value in enumerate(vectors.reshape(-1, rows // n * m)[x - 1]):
                ctx.set(dut.moving[lane], int(value))
        number = x - 1 - (rows + cols - 1)
        if 0 <= number < n_folds * n_vectors:
            assert [ctx.get(dut.sums[c]) for c in range(cols)] == wanted.reshape(-1, cols)[number].tolist()

    simulate(dut, cycle, n_folds * n_vectors + rows + cols + 1)


@pytest.mark.rtl
def test_output_stationary_array_gives_rows_one_a_cycle_and_counts_overflows() -> None:
    rows, cols, n_products, n_sums = 3, 4, 3, 3
    design = Design(array_rows=rows, array_cols=cols, dataflow="output_stationary", acc_bits=15)
    dut = OutputStationaryArray(design)
    rng = np.random.default_rng(2)
    left = rng.integers(-128, 128, (n_sums, n_products, rows))
    top = rng.integers(-128, 128, (n_sums, n_products, cols))
    totals = np.zeros((n_sums, rows, cols), dtype=int)
    n_overflows = 0
    for k in range(n_products):
        exact = totals + left[:, k, :, None] * top[:, k, None, :]
        totals = (exact + (1 << 14)) % (1 << 15) - (1 << 14)
        n_overflows += int(np.sum(exact != totals))
    assert n_overflows
    counted = []

    def cycle(ctx: Any, x: int) -> None:
        number, k = divmod(x, n_products)
        running = number < n_sums
        ctx.set(dut.last, running and k == n_products - 1)
        for r in range(rows):
            ctx.set(dut.activations[r], int(left[number, k, r]) if running else 0)
        for c in range(cols):
            ctx.set(dut.weights[c], int(top[number, k, c]) if running else 77)
        counted.append(ctx.get(dut.overflow))
        number, r = divmod(x - (n_products - 1) - cols, rows)
        if 0 <= number < n_sums:
            assert ctx.get(dut.first_row) == (r == 0)
            assert [ctx.get(dut.sums[c]) for c in range(cols)] == totals[number, r].tolist()

    simulate(dut, cycle, n_sums * n_products + rows + cols + 6)
    assert sum(counted) == n_overflows
    # The last product meets the last PE in cycle 8 + 2 + 3, and is counted three cycles later.
    assert not any(counted[n_sums * n_products - 1 + rows - 1 + cols - 1 + 3 + 1 :])


@pytest.mark.rtl
def test_accumulator_unit_reads_adds_and_writes_in_two_cycles() -> None:
    design = Design(array_rows=2, array_cols=2, acc_bits=8, acc_scratchpad_bytes=64)
    dut = AccumulatorUnit(design, sum_bits=9)
    memory = {5: 0x7F01}  # lanes 1 and 127

    def cycle(ctx: Any, x: int) -> None:
        ctx.set(dut.valid, x in (0, 2))
        ctx.set(dut.complete, x == 2)
        ctx.set(dut.addr, 5)
        ctx.set(dut.from_zero, x == 2)
        ctx.set(dut.sums[0], -100)
        ctx.set(dut.sums[1], 200)
        assert ctx.get(dut.read.en) == (x == 0)
        if x == 1:
            ctx.set(dut.read.data, memory[5])
        assert ctx.get(dut.write.en) == (x in (1, 3))
        if x in (1, 3):
            assert ctx.get(dut.write.addr) == 5
            low, high = (1 - 100, 127 + 200 - 256) if x == 1 else (-100, 200 - 256)
            assert ctx.get(dut.write.data) == (low % 256) | (high % 256) << 8
        assert ctx.get(dut.completed) == (x == 3)
        assert ctx.get(dut.overflow) == {2: 1, 4: 1}.get(x, 0)

    simulate(dut, cycle, 7)


@pytest.mark.rtl
def test_im2col_walks_pixels_and_taps_and_tells_what_is_outside() -> None:
    design = Design(act_scratchpad_bytes=4096)
    dut = Im2col(design, keeps_base=False)
    config = {"kernel_h": 2, "kernel_w": 3, "stride_h": 2, "stride_w": 1, "pad_left": 1, "in_w": 3, "out_w": 3}
    tile = {"rows": 2, "row_offset": -1, "act_rows": 3, "blocks": 2}
    walk = [
        (block, kh, kw, row, col)
        for block in range(2) for kh in range(2) for kw in range(3) for row in range(2) for col in range(3)
    ]  # fmt: skip

    def cycle(ctx: Any, x: int) -> None:
        for port, values in ((dut.config, config), (dut.tile, tile)):
            for name, value in values.items():
                ctx.set(port[name], value)
        block, kh, kw, out_row, out_col = walk[x % len(walk)]
        row, col = -1 + 2 * out_row + kh, out_col + kw - 1
        inside = 0 <= row < 3 and 0 <= col < 3
        last_pixel, last_tap = (out_row, out_col) == (1, 2), (kh, kw) == (1, 2)
        assert ctx.get(dut.inside) == inside
        assert not inside or ctx.get(dut.addr) == (block * 3 + row) * 3 + col
        flags = (dut.exists, dut.last_pixel, dut.first_tap, dut.last_tap, dut.last_block)
        wanted = (True, last_pixel, (kh, kw) == (0, 0), last_tap, block == 1)
        assert tuple(ctx.get(flag) for flag in flags) == wanted
        ctx.set(dut.step_pixel, 1)
        ctx.set(dut.restart_pixel, last_pixel)
        ctx.set(dut.step_tap, last_pixel)
        ctx.set(dut.step_block, last_pixel and last_tap)
        ctx.set(dut.end, last_pixel and last_tap and block == 1)

    simulate(dut, cycle, 2 * len(walk))


@pytest.mark.rtl
@pytest.mark.parametrize("is_signed", [False, True])
def test_max_pool_writes_two_cycles_after_the_last_tap(is_signed: bool) -> None:
    design = Design(array_rows=2, array_cols=2, act_bits=4)
    dut = MaxPool(design)
    low = -8 if is_signed else 0
    taps = np.random.default_rng(3).integers(low, low + 16, (4, 3, 2))  # window, tap, lane
    inside = np.random.default_rng(4).random((4, 3)) < 0.7
    inside[:, 1] = True
    written = {}

    def cycle(ctx: Any, x: int) -> None:
        ctx.set(dut.is_signed, is_signed)
        ctx.set(dut.step, x < 12)
        window, tap = divmod(x, 3)
        ctx.set(dut.first, tap == 0)
        ctx.set(dut.last, tap == 2)
        ctx.set(dut.inside, x < 12 and bool(inside[window, tap]))
        ctx.set(dut.end, x == 11)
        if 1 <= x <= 12:
            lanes = taps.reshape(-1, 2)[x - 1] % 16
            ctx.set(dut.word, int(lanes[0] | lanes[1] << 4))
        if ctx.get(dut.write.en):
            written[x] = (ctx.get(dut.write.addr), ctx.get(dut.write.data))
        assert ctx.get(dut.completed) == (x == 13)

    simulate(dut, cycle, 16)
    best = np.where(inside[:, :, None], taps, low).max(axis=1) % 16
    assert written == {3 * w + 2 + 2: (w, int(best[w, 0] | best[w, 1] << 4)) for w in range(4)}


REQUANTIZED = st.lists(
    st.tuples(
        st.integers(-(2**23), 2**23 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**12 - 1),
        st.integers(0, 63),
    ),
    min_size=6, max_size=6,
)  # fmt: skip


@pytest.mark.rtl
@settings(max_examples=30)
@given(cases=REQUANTIZED, zero=st.integers(-128, 255), bounds=st.tuples(st.integers(-128, 255), st.integers(-128, 255)))
def test_requantize_lane_is_exact(cases: list[tuple[int, int, int, int]], zero: int, bounds: tuple[int, int]) -> None:
    design = Design(acc_bits=24, requant_multiplier_bits=12)
    dut = RequantizeLane(design)
    low, high = sorted(bounds)

    def cycle(ctx: Any, x: int) -> None:
        for name, value in (("out_zero", zero), ("out_low", low), ("out_high", high)):
            ctx.set(dut.config[name], value)
        if x < len(cases):
            for port, value in zip((dut.acc, dut.bias, dut.multiplier, dut.shift), cases[x], strict=True):
                ctx.set(port, value)
        if x >= 3:  # latency
            acc, bias, multiplier, shift = cases[x - 3]
            assert ctx.get(dut.y) == int(requantize(np.array(acc + bias), multiplier, shift, zero, low, high))

    simulate(dut, cycle, len(cases) + 3)


@pytest.mark.rtl
@settings(max_examples=30)
@given(
    cases=st.lists(st.tuples(st.integers(-128, 127), st.integers(-128, 127), st.booleans()), min_size=6, max_size=6),
    registers=st.tuples(*[st.integers(-128, 127)] * 3, *[st.integers(0, 2**12 - 1)] * 2, st.integers(0, 20)),
    residual=st.booleans(),
)
def test_residual_lane_is_exact(cases: list[tuple[int, int, bool]], registers: tuple[int, ...], residual: bool) -> None:
    dut = ResidualLane(Design(requant_multiplier_bits=12))
    out_zero, residual_zero, sum_zero, m1, m2, shift = registers
    config = {
        "residual": residual, "residual_signed": 1, "out_zero": out_zero, "residual_zero": residual_zero,
        "sum_zero": sum_zero, "residual_m1": m1, "residual_m2": m2, "residual_shift": shift, "sum_low": -120,
        "sum_high": 119,
    }  # fmt: skip

    def cycle(ctx: Any, x: int) -> None:
        for name, value in config.items():
            ctx.set(dut.config[name], value)
        if x < len(cases):
            for port, value in zip((dut.y, dut.r, dut.keep), cases[x], strict=True):
                ctx.set(port, int(value))
        if x >= 2:  # latency
            y, r, keep = cases[x - 2]
            total = (((y - out_zero) * m1 + (r - residual_zero) * m2 + (1 << shift >> 1)) >> shift) + sum_zero
            wanted = (min(max(total, -120), 119) if keep else sum_zero) if residual else (y if keep else out_zero)
            assert ctx.get(dut.out) == wanted % 256

    simulate(dut, cycle, len(cases) + 2)
