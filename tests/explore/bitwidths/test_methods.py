"""Methods beside each other on random problems: the integer program is brute force, the rule is never better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from explore.bitwidths.brute_force import brute_force, fitting
from explore.bitwidths.integer_program import integer_program, least_shortfall
from explore.bitwidths.rule import rule
from tests.explore.bitwidths.test_rule import chain
from workloads.bitwidths.problem import Problem, Step, TensorChoice


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Chains of up to four steps, some with weights and constants, limits around what is needed, whole losses."""
    n_steps = draw(st.integers(1, 4))
    sizes = st.integers(0, 60)
    tensors = [TensorChoice(name="a0", role="activations", n_elements=draw(sizes), bits=(8,))]
    steps = []
    for i in range(n_steps):
        same = f"a{i}" if i and draw(st.booleans()) and not tensors[-1].same_as else ""
        weights = f"w{i}" if draw(st.booleans()) else ""
        if weights:
            tensors.append(TensorChoice(name=weights, role="weights", n_elements=draw(sizes)))
        same = same and next(t.same_as or t.name for t in tensors if t.name == same)
        bits = draw(st.sampled_from([(2, 4, 8), (4, 8), (8,)]))
        tensors.append(
            TensorChoice(name=f"a{i + 1}", role="activations", n_elements=draw(sizes), bits=bits, same_as=same)
        )
        folded = draw(st.integers(0, 9))
        steps.append(
            Step(
                name=f"s{i}", output=f"a{i + 1}", held=tuple(f"a{j}" for j in range(draw(st.integers(0, i)), i + 1)),
                weights=weights, folded_bytes=folded, narrow_bytes=folded + draw(st.integers(0, 9)),
            )
        )  # fmt: skip
    problem = Problem(name="random", tensors=tuple(tensors), steps=tuple(steps))
    losses = {t.name: {width: draw(st.integers(0, 50)) for width in t.bits} for t in problem.free}
    wide = problem.widest()
    shares = st.sampled_from([None, 0.2, 0.5, 0.7, 0.9, 1.0])
    flash, ram = draw(shares), draw(shares)
    return replace(
        problem,
        losses=losses,
        loss_is="whole numbers",
        flash_bytes=None if flash is None else int(flash * problem.flash_needed(wide)),
        ram_bytes=None if ram is None else int(ram * problem.ram_needed(wide).n_bytes),
    )


@settings(max_examples=60, deadline=None)
@given(problems())
def test_the_integer_program_is_brute_force(problem: Problem) -> None:
    exact, program = brute_force(problem), integer_program(problem)
    assert exact.shortfall == program.shortfall
    if exact.shortfall is None:
        assert program.loss == exact.loss and program.is_optimal and exact.is_optimal
        assert problem.fits(program.bits) and problem.fits(exact.bits)
        assert program.bound is not None and program.bound == pytest.approx(program.loss, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_the_rule_is_never_better_and_always_ends(problem: Problem) -> None:
    exact, found = brute_force(problem), rule(problem)
    if found.shortfall is None:
        assert problem.fits(found.bits)
        assert exact.loss is not None and found.loss is not None and exact.loss <= found.loss
    elif found.shortfall.proven:
        assert exact.shortfall is not None
    elif exact.shortfall is not None:
        assert found.shortfall.needed_bytes >= exact.shortfall.needed_bytes


@settings(max_examples=30, deadline=None)
@given(problems(), st.integers(0, 40))
def test_more_memory_is_never_worse(problem: Problem, more: int) -> None:
    larger = replace(
        problem,
        flash_bytes=None if problem.flash_bytes is None else problem.flash_bytes + more,
        ram_bytes=None if problem.ram_bytes is None else problem.ram_bytes + more,
    )
    before, after = integer_program(problem), integer_program(larger)
    if before.shortfall is None:
        assert before.loss is not None and after.loss is not None and after.loss <= before.loss
    if after.shortfall is not None:
        assert before.shortfall is not None


@settings(max_examples=30, deadline=None)
@given(problems())
def test_brute_force_counts_as_the_problem_does(problem: Problem) -> None:
    """Vectorized sizes against those of one choice after the other."""
    n_fitting = 0
    for bits, losses in fitting(problem):
        n_fitting += len(bits)
        for row, loss in zip(bits[:20].tolist(), losses[:20].tolist(), strict=True):
            complete = problem.complete({t.name: b for t, b in zip(problem.free, row, strict=True)})
            assert problem.fits(complete) and problem.loss(complete) == loss
    rng = np.random.default_rng(0)
    chosen = [{t.name: int(rng.choice(t.bits)) for t in problem.free} for _ in range(20)]
    any_fits = any(problem.fits(problem.complete(one)) for one in chosen)
    assert not any_fits or n_fitting > 0


def test_the_least_flash_may_need_wide_tensors() -> None:
    """Constants grow with narrow tensors: 4 weights of 8 bits and 4 bytes of constants are less than 1 and 20."""
    problem = Problem(
        name="p",
        tensors=(
            TensorChoice(name="a", role="activations", n_elements=1, bits=(8,)),
            TensorChoice(name="w", role="weights", n_elements=4),
            TensorChoice(name="b", role="activations", n_elements=1, bits=(8,)),
        ),
        steps=(Step(name="s", output="b", held=("a",), weights="w", folded_bytes=4, narrow_bytes=20),),
        losses={"w": {2: 5, 4: 1, 8: 0}},
    )
    assert least_shortfall(replace(problem, flash_bytes=8)) is None
    assert integer_program(replace(problem, flash_bytes=8)).bits["w"] == 8
    short = least_shortfall(replace(problem, flash_bytes=7))
    assert short is not None and (short.limit, short.needed_bytes, short.over_bytes) == ("flash", 8, 1)


def test_large_sizes_do_not_slip_through_the_solvers_tolerances() -> None:
    """One byte too little among a hundred million."""
    sizes = (99_999_999, 50_000_001, 75_000_003)
    problem = replace(chain(1, 1, 1, 1, ram=None, weights=sizes), losses={
        "a1": {2: 0.0, 4: 0.0, 8: 0.0}, "a2": {2: 0.0, 4: 0.0, 8: 0.0},
        **{f"w{i}": {2: 3e-7 * (i + 1), 4: 1e-7, 8: 0.0} for i in range(3)},
    })  # fmt: skip
    for bits in ({"w0": 4, "w1": 8, "w2": 8}, {"w0": 8, "w1": 4, "w2": 4}):
        flash = problem.flash_needed(problem.widest() | bits)
        for limit in (flash, flash - 1):
            tight = replace(problem, flash_bytes=limit)
            exact, found = brute_force(tight), integer_program(tight)
            assert tight.fits(found.bits) and found.loss == pytest.approx(exact.loss, rel=1e-9)


def test_without_losses_or_with_too_many_tensors() -> None:
    problem = chain(1, 1, 1, ram=None)
    with pytest.raises(InputError, match="chain: wanted losses"):
        integer_program(problem)
    with pytest.raises(InputError, match="chain: wanted losses"):
        brute_force(problem)
    many = chain(*[1] * 15, ram=None)
    many = replace(many, losses={t.name: dict.fromkeys(t.bits, 0.0) for t in many.free})
    with pytest.raises(InputError, match="take --method integer_program"):
        brute_force(many)
    assert integer_program(many).loss == 0


def test_nothing_to_choose() -> None:
    problem = chain(3, 4, ram=7)
    assert integer_program(problem).is_optimal and brute_force(problem).is_optimal and rule(problem).ram_bytes == 7
    short = integer_program(replace(problem, ram_bytes=6)).shortfall
    assert short is not None and (short.limit, short.over_bytes, short.step) == ("ram", 1, "s0")
