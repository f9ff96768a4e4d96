"""What every family keeps, whatever it is: one suite over all families found by listing `designs/families/`.

A family brings `tests/families/<family>_cases.py`, found by its name, with

- `SMALLEST`: the smallest design that can be built; `WORKLOAD`: a workload that it and the default design run at once;
- `more_hardware()`: what was added -> (design, the same with more of it); all run WORKLOAD;
- `random_case(seed)`: (design, workload that fits it, further arguments of `simulate`), a few milliseconds each;
- `COUNTED_ONLY`, where needed: counters that no part pays for, as a sum of others that are paid;
- `VERIFIED`: a shipped space and the parameters to pin for a verification of a few seconds a point.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs import families
from designs.errors import InputError
from designs.space import load_space
from designs.technology import load_technology
from explore.evaluate import evaluate, simulator
from explore.sources import sources_of
from explore.verify import verify
from hw.verilog import emit_verilog, lint
from sim import cost
from sim.run import Run
from tests.test_layers import SOURCES
from workloads.load import Workload, load_workload, workload_names

ROOT = Path(__file__).parent.parent
FAMILIES = tuple(name for name in families.names() if name != "toy")
every_family = pytest.mark.parametrize("family", FAMILIES)
SEEDS = st.integers(0, 2**32 - 1)


def cases_of(family: str) -> ModuleType:
    return importlib.import_module(f"tests.families.{family}_cases")


def default_design(family: str) -> Any:
    return families.load(family).Design()


def row_of(family: str) -> dict[str, Any]:
    return evaluate(family, [asdict(default_design(family))], cases_of(family).WORKLOAD)[0]


def check_run(run: Run, metrics: tuple[str, ...]) -> None:
    assert run.failure is None, run.failure
    assert sum(run.phases.values()) == run.cycles >= run.roofline_cycles > 0
    assert all(count >= 0 for count in (*run.phases.values(), *run.activity.values()))
    assert run.n_inferences > 0 and 0 < (run.latency_cycles or run.cycles) <= run.cycles
    assert sorted([*run.figures, *run.energies_pj]) == sorted(metrics)
    for layer in run.layers:
        assert sum(layer.phases.values()) == layer.cycles >= layer.roofline_cycles
        assert 0 <= layer.utilization <= 1
    if run.layers:
        assert run.cycles == sum(layer.cycles * layer.repeat for layer in run.layers)
        totals = {key: sum(layer.activity[key] * layer.repeat for layer in run.layers) for key in run.activity}
        assert run.activity == totals


@every_family
def test_smallest_and_default_design_run_the_workload(family: str) -> None:
    cases, module = cases_of(family), simulator(family)
    assert isinstance(cases.WORKLOAD, module.RUNS)
    designs = [cases.SMALLEST, default_design(family)]
    for design in designs:
        design.check()
    assert module.misfits(designs, cases.WORKLOAD) == [None, None]
    together = module.simulate(designs, cases.WORKLOAD)
    for design, run in zip(designs, together, strict=True):
        check_run(run, families.metrics(family))
        assert module.simulate([design], cases.WORKLOAD) == [run]  # alone as in a batch
    assert module.simulate([], cases.WORKLOAD) == []


@every_family
@settings(max_examples=60)
@given(seed=SEEDS)
def test_phases_add_up_and_nothing_is_faster_than_the_roofline(family: str, seed: int) -> None:
    design, workload, options = cases_of(family).random_case(seed)
    (run,) = simulator(family).simulate([design], workload, **options)
    check_run(run, families.metrics(family))


@every_family
@settings(max_examples=30)
@given(seed=SEEDS)
def test_every_part_has_a_price_and_every_count_a_part(family: str, seed: int) -> None:
    module = simulator(family)
    design, workload, options = cases_of(family).random_case(seed)
    (run,) = module.simulate([design], workload, **options)
    inventory, technology = module.inventory(design, workload), load_technology(45)
    assert all(value >= 0 for value in cost.area_um2(inventory, technology).values())
    assert sum(cost.area_um2(inventory, technology).values()) > 0
    free = {name for name in cost.unpriced_activity(inventory, run.activity) if run.activity[name]}
    assert free <= set(getattr(cases_of(family), "COUNTED_ONLY", ()))
    energy = cost.energy_pj(inventory, run.activity, 1.0, technology)
    assert all(value >= 0 for value in energy.values()) and sum(energy.values()) > 0


@every_family
def test_more_hardware_is_more_area(family: str) -> None:
    cases, technology = cases_of(family), load_technology(45)
    inventory = simulator(family).inventory
    for added, pair in cases.more_hardware().items():
        small, large = (sum(cost.area_um2(inventory(d, cases.WORKLOAD), technology).values()) for d in pair)
        assert small < large, added


@every_family
def test_a_row_is_the_same_in_another_process(family: str) -> None:
    """With another seed of Python's hashes, and nothing kept in memory."""
    code = f"import json; from tests.test_families import row_of; print(json.dumps(row_of({family!r})))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "77"}, text=True,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    row = row_of(family)
    assert json.loads(found.stdout) == row == json.loads(json.dumps(row))
    assert row["failure"] is None and row["energy_pj"] > 0 and row["latency_ns"] > 0
    assert all(type(row[name]) in (int, float) for name in families.metrics(family))


@every_family
def test_a_workload_of_another_kind_is_refused_in_one_line(family: str) -> None:
    wanted = simulator(family).RUNS
    other = Workload(name="apple", digest="")
    with pytest.raises(InputError) as error:
        evaluate(family, [asdict(default_design(family))], other)
    message = str(error.value)
    assert message.startswith(f"apple: wanted a {wanted.kind()} for the family {family} (") and "\n" not in message
    assert any(name in message for name in workload_names())


@every_family
def test_shipped_spaces_of_the_family_name_workloads_that_it_runs(family: str) -> None:
    spaces = [load_space(path) for path in sorted((ROOT / "designs").glob("*.yaml"))]
    own = [space for space in spaces if space.family == family]
    assert own
    for space in own:
        space.first_point()
        if space.workload is not None:
            assert isinstance(load_workload(space.workload), simulator(family).RUNS)


@every_family
def test_rows_stay_valid_when_another_family_changes(family: str) -> None:
    modules = sources_of(f"designs.families.{family}", f"sim.families.{family}")
    assert f"sim.families.{family}" in modules and "sim.cost" not in modules
    for other in set(FAMILIES) - {family}:
        assert not [name for name in modules if other in name.replace("_", ".").split(".")]


@pytest.mark.rtl
@every_family
@pytest.mark.parametrize("which", ["smallest", "default"])
def test_rtl_elaborates_the_same_twice_and_is_clean(family: str, which: str) -> None:
    cases, build = cases_of(family), importlib.import_module(f"hw.families.{family}").build
    design = cases.SMALLEST if which == "smallest" else default_design(family)
    first, second = (emit_verilog(build(design, cases.WORKLOAD), top="machine") for _ in range(2))
    assert first == second and "module machine(" in first
    assert lint(first, top="machine") == []


@pytest.mark.rtl
@every_family
@pytest.mark.parametrize("seed", [0, 1])
def test_simulator_interpreter_and_rtl_agree_on_random_points(family: str, seed: int) -> None:
    name, pinned = cases_of(family).VERIFIED
    found = verify(load_space(name).pin(pinned), points=2, seed=seed, workers=1)
    assert found.differences == []
    assert len(found.results) >= 2
    assert found.rtl_cycles == sum(result.simulated_cycles for result in found.results) > 0


def family_comparisons(tree: ast.AST) -> list[int]:
    """Lines that compare what is called a family with the name of one."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.Match):
            parts = list(ast.walk(node))
            names = [part.id for part in parts if isinstance(part, ast.Name)]
            names += [part.attr for part in parts if isinstance(part, ast.Attribute)]
            constants = [part.value for part in parts if isinstance(part, ast.Constant)]
            if any("family" in name for name in names) and set(constants) & set(FAMILIES):
                found.append(node.lineno)
    return found


def test_no_file_asks_which_family_it_has() -> None:
    asking = {str(path.relative_to(ROOT)): family_comparisons(ast.parse(path.read_text())) for path in SOURCES}
    assert {path: lines for path, lines in asking.items() if lines} == {}


@pytest.mark.parametrize(
    "code",
    ["if family == 'tensor': pass", "a = space.family in ('tensor', 'x')", "match family:\n  case 'tensor': pass"],
)
def test_a_file_that_asks_is_seen(code: str) -> None:
    assert family_comparisons(ast.parse(code))
