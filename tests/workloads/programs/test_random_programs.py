import pytest

from tests.workloads.programs.conftest import Compile
from tests.workloads.programs.random_programs import random_program
from workloads.programs.check import check_program


@pytest.mark.parametrize("seed", range(6))
def test_random_programs(compiled: Compile, seed: int) -> None:
    objective = ("gates", "depth")[seed % 2]
    checked = check_program(compiled(random_program(seed), objective=objective), n_inputs=40, seed=seed)
    assert checked.n_checked > 0
