"""Emission of Verilog: same text each time, shared modules, clean lint (bench/test_simulator: it simulates right)."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from hw.verilog import emit_verilog, lint, share_modules
from tests.hw.circuits import Countdown, MacRow


def test_same_text_in_another_process_with_another_hash_seed() -> None:
    code = (
        "import sys; from hw.verilog import emit_verilog; from tests.hw.circuits import MacRow;"
        "sys.stdout.write(emit_verilog(MacRow(), top='row'))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {emit_verilog(MacRow(), top="row").encode()}


def test_equal_instances_share_a_module() -> None:
    text = emit_verilog(MacRow(), top="row")
    assert len(re.findall(r"^module ", text, re.MULTILINE)) == 3  # row, and the two kinds of MAC
    assert [f"mac_{i} (" in text for i in range(4)] == [True] * 4


def test_modules_that_differ_in_a_child_stay_apart() -> None:
    leaf = "module \\{}\n  cell ${} $1\n  end\nend\n"
    parent = "module \\{0}\n  cell \\{0}.leaf \\leaf\n  end\nend\n"
    text = parent.format("a") + parent.format("b") + parent.format("c")
    text += leaf.format("a.leaf", "add") + leaf.format("b.leaf", "sub") + leaf.format("c.leaf", "add")
    shared = share_modules(text)
    assert re.findall(r"^module (\S+)", shared, re.MULTILINE) == ["\\a", "\\b", "\\a.leaf", "\\b.leaf"]


def test_no_process_waits_for_an_initial_event() -> None:
    assert "always @*" not in emit_verilog(Countdown(), top="countdown")


@pytest.mark.parametrize("component", [Countdown, MacRow])
def test_lint_is_clean(component: type) -> None:
    assert lint(emit_verilog(component(), top="top")) == []


def test_lint_sees_faults() -> None:
    assert any("WIDTH" in line for line in lint("module top(input [3:0] a, output b); assign b = a; endmodule"))
