"""Commands on encrypted inputs: all in one, in roles, interrupted, refused. Parameters are tiny: nothing is secure here."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designs.errors import InputError, Interrupted
from lockstep import cli, encrypted
from tests.interrupts import heed_interrupts
from tests.workloads.tfhe.small import TINY, WIDE
from workloads.circuits.files import save_circuit
from workloads.circuits.random_circuits import random_circuit
from workloads.tfhe import execute as execution
from workloads.tfhe import files
from workloads.tfhe.kernels import engine

ROOT = Path(__file__).parent.parent.parent
COMMANDS = ("run", "compile", "keygen", "encrypt", "evaluate", "decrypt")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two parameter files, tiny.yaml and wide.yaml."""
    monkeypatch.chdir(tmp_path)
    for name, parameters in (("tiny", TINY), ("wide", WIDE)):
        lines = [f"{key}: {value}\n" for key, value in asdict(parameters).items()]
        Path(f"{name}.yaml").write_text("".join(lines))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(arguments)
    out, error = capsys.readouterr()
    return code, out, error


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    found, out, error = run(capsys, *arguments, "--json")
    assert found == code, error
    return json.loads(out, parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a refusal."""
    code, out, error = run(capsys, *arguments)
    last = error.splitlines()[-1]
    assert (code, out) == (2, "") and last.startswith("lockstep: ") and "Traceback" not in error
    return last


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, command, "--help")
    assert code == 0 and error == ""
    assert re.search(rf"Examples?: lockstep {command} ", out) and "--json" in out


def test_run_decrypts_what_clear_text_gives(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "run", "adder:8", "--inputs", "a=200", "b=100", "--parameters", "tiny.yaml")
    assert found["outputs"] == found["clear_text"] == {"sum": 300} and found["equal"] is True
    assert found["inputs"] == {"a": 200, "b": 100} and found["parameters"] == "custom" and found["insecure"] is False
    assert found["gates_done_before"] == 0 and found["threads"] == len(os.sched_getaffinity(0))
    assert not list(Path().glob("*.secret"))
    exact = document(
        capsys, "run", "adder:8", "--inputs", "a=1", "--inputs", "b=2", "--parameters", "tiny.yaml", "--arithmetic",
        "exact", "--threads", "1", "--batch", "4",
    )  # fmt: skip
    assert exact["outputs"] == {"sum": 3} and (exact["arithmetic"], exact["threads"]) == ("exact", 1)


def test_run_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, "run", "adder:4", "--inputs", "a=9", "b=8", "--parameters", "tiny.yaml", "--seed", "1")
    assert code == 0
    assert "outputs      sum=17" in out and "compared     equal to" in out and "INSECURE: made from a seed" in out
    assert "run adder:4: keys" in error and "run adder:4: gates" in error


def test_random_inputs_and_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    first, again = (document(capsys, "run", "adder:16", "--parameters", "tiny.yaml", "--seed", "7") for _ in range(2))
    other = document(capsys, "run", "adder:16", "--parameters", "tiny.yaml")
    assert first["inputs"] == again["inputs"] != other["inputs"] and first["key_id"] == again["key_id"]
    assert first["insecure"] and not other["insecure"] and first["equal"] and other["equal"]


def test_a_wrong_result_exits_with_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: engine.Engine, extracted: np.ndarray) -> np.ndarray:
        return np.zeros((len(extracted), TINY.lwe_dimension + 1), np.uint32) - np.uint32(5)

    monkeypatch.setattr(engine.Engine, "key_switch", broken)
    found = document(
        capsys, "run", "adder:4", "--inputs", "a=9", "b=8", "--parameters", "tiny.yaml", "--seed", "1", code=1
    )
    assert found["equal"] is False and found["outputs"] != found["clear_text"] == {"sum": 17}
    code, out, _ = run(capsys, "run", "adder:4", "--inputs", "a=9", "b=8", "--parameters", "tiny.yaml", "--seed", "1")
    assert code == 1 and "DIFFERENT from sum=17" in out


def test_client_and_server(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", os.umask)  # nothing of ours may rely on it
    old = os.umask(0)
    try:
        keys = document(capsys, "keygen", "mine", "--parameters", "tiny.yaml")
    finally:
        os.umask(old)
    assert stat.S_IMODE(Path("mine.secret").stat().st_mode) == 0o600
    assert keys["secret_key"] == "mine.secret" and not keys["insecure"]
    sent = document(capsys, "encrypt", "mine.secret", "adder:8", "--inputs", "a=23", "b=42", "-o", "in.ct")
    assert sent["key_id"] == keys["key_id"] and sent["bytes"] == Path("in.ct").stat().st_size
    Path("mine.secret").rename("elsewhere.secret")  # the server has none
    back = document(capsys, "evaluate", "mine.evaluation", "adder:8", "in.ct", "-o", "out.ct", "--threads", "1")
    assert back["key_id"] == keys["key_id"] and not Path("out.ct.checkpoint").exists()
    assert document(capsys, "decrypt", "elsewhere.secret", "adder:8", "out.ct")["outputs"] == {"sum": 65}
    assert run(capsys, "decrypt", "elsewhere.secret", "adder:8", "out.ct")[1] == "sum = 65\n"


def test_run_with_a_key_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    keys = document(capsys, "keygen", "mine", "--parameters", "tiny.yaml", "--seed", "3")
    assert keys["insecure"]
    found = document(capsys, "run", "adder:8", "--inputs", "a=1", "b=2", "--key", "mine")
    assert found["key_id"] == keys["key_id"] and found["insecure"] and found["equal"]


def test_wrong_keys_are_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, parameters in (("mine", "tiny"), ("other", "tiny"), ("wide", "wide")):
        document(capsys, "keygen", name, "--parameters", f"{parameters}.yaml")
    document(capsys, "encrypt", "mine.secret", "adder:8", "--inputs", "a=23", "b=42", "-o", "in.ct")

    def runs(*_: object, **__: object) -> None:
        raise AssertionError("ran")

    monkeypatch.setattr(execution, "execute", runs)
    for name in ("other", "wide"):
        said = refused(capsys, "evaluate", f"{name}.evaluation", "adder:8", "in.ct", "-o", "out.ct")
        assert "ciphertexts: wanted those of key" in said
        assert "ciphertext: wanted one of key" in refused(capsys, "decrypt", f"{name}.secret", "adder:8", "in.ct")
    assert "in.ct: wanted the 9 output bits of adder:8" in refused(capsys, "decrypt", "mine.secret", "adder:8", "in.ct")
    assert "for the inputs of adder:9" in refused(capsys, "evaluate", "mine.evaluation", "adder:9", "in.ct", "-o", "x")
    said = refused(capsys, "run", "adder:8", "--inputs", "a=1", "b=2", "--key", "mine", "--parameters", "wide.yaml")
    assert "mine.secret: wanted a key of the parameters wide.yaml, got another" in said
    Path("mixed.secret").write_bytes(Path("mine.secret").read_bytes())
    Path("mixed.evaluation").write_bytes(Path("other.evaluation").read_bytes())
    said = refused(capsys, "run", "adder:8", "--inputs", "a=1", "b=2", "--key", "mixed")
    assert "mixed.evaluation: wanted the evaluation key of mixed.secret" in said
    swapped = refused(capsys, "evaluate", "mine.secret", "adder:8", "in.ct", "-o", "out.ct")
    assert "mine.secret: wanted an evaluation key, got a secret key" in swapped
    assert not Path("out.ct").exists()


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    document(capsys, "keygen", "mine", "--parameters", "tiny.yaml")
    before = Path("mine.secret").read_bytes()
    assert "mine.secret: wanted a new key" in refused(capsys, "keygen", "mine", "--parameters", "tiny.yaml")
    assert "parameters: wanted tfhe_lib_128" in refused(capsys, "keygen", "new", "--parameters", "tfhe")
    assert "b:" in refused(capsys, "run", "adder:8", "--inputs", "a=1", "--parameters", "tiny.yaml")
    assert "got 256" in refused(capsys, "run", "adder:8", "--inputs", "a=256", "b=1", "--parameters", "tiny.yaml")
    assert "--inputs: wanted values" in refused(capsys, "encrypt", "mine.secret", "adder:8", "-o", "in.ct")
    assert "network" in refused(capsys, "run", "gemm:2x2x2")
    assert "--entry: wanted a C program" in refused(capsys, "run", "adder:8", "--entry", "main")
    assert "--objective: wanted a C program" in refused(capsys, "compile", "adder:8", "--objective", "depth")
    assert "--keep: wanted --key" in refused(capsys, "run", "adder:8", "--keep", "kept") and not Path("kept").exists()
    assert "either --key or --seed" in refused(capsys, "run", "adder:8", "--key", "mine", "--seed", "1")
    assert "No such file" in refused(capsys, "run", "adder:8", "--key", "none")
    said = refused(capsys, "encrypt", "mine.secret", "adder:8", "--inputs", "a=1", "b=1", "-o", "mine.secret")
    assert "mine.secret: wanted another file to write to" in said and Path("mine.secret").read_bytes() == before


def test_no_output_takes_the_place_of_what_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    document(capsys, "keygen", "mine", "--parameters", "tiny.yaml")
    save_circuit(random_circuit(1, 20), "own.gates")
    document(capsys, "encrypt", "mine.secret", "adder:8", "a=1", "b=2", "-o", "in.ct")
    Path("a.json").write_text('{"a": 1, "b": 2}')
    Path("kept").mkdir()
    Path("kept/outputs").write_text("mine")
    Path("link").symlink_to("mine.secret")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    for name in ("mine.secret", "link", "own.gates", "in.ct", "mine.evaluation", "kept", "none/out"):
        said = refused(capsys, "evaluate", "mine.evaluation", "own.gates", "in.ct", "-o", name)
        assert said.startswith(f"lockstep: {name}: wanted ")
    assert "got a secret key" in refused(capsys, "compile", "own.gates", "-o", "mine.secret")
    for name in ("a.json", "mine.secret", "kept"):
        refused(capsys, "encrypt", "mine.secret", "adder:8", "a.json", "-o", name)
    assert "own.gates: wanted another" in refused(capsys, "encrypt", "mine.secret", "own.gates", "x=1", "-o", "own.gates")
    said = refused(capsys, "run", "adder:8", "a=1", "b=2", "--key", "mine", "--keep", "kept")
    assert "kept/outputs: wanted" in said
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_half_a_pair_of_keys_is_not_left(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise InputError("mine.evaluation: wanted a file to write to, got: No space left on device; name another")

    monkeypatch.setattr(files, "save_evaluation_key", full)
    assert "No space" in refused(capsys, "keygen", "mine", "--parameters", "tiny.yaml")
    assert not list(Path().glob("mine*"))


def test_keys_are_looked_at_before_a_program_is_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.c").write_text("int f(")
    assert "none.secret: wanted" in refused(capsys, "run", "bad.c", "--key", "none")
    assert "parameters: wanted" in refused(capsys, "run", "bad.c", "--parameters", "none")


def test_threads_have_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "run", "adder:8", "--parameters", "tiny.yaml", "--threads", "9999999")
    assert "wanted a batch of 1 or more and 1 to 1024 threads" in said


C = """#include <stdint.h>
static int8_t larger(int8_t a, int8_t b) { return a > b ? a : b; }
int16_t most(const int8_t x[3], uint8_t y) { return larger(larger(x[0], x[1]), x[2]) + y; }
int8_t least(int8_t a, int8_t b) { return a < b ? a : b; }
"""


def test_a_c_program_is_compiled_compared_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("two.c").write_text(C)
    named = ("two.c", "--parameters", "tiny.yaml")
    found = document(capsys, "run", *named, "--entry", "most", "--inputs", "x=-100,20,-3", "y=200")
    assert found["outputs"] == found["clear_text"] == {"return": 220} and found["equal"]
    assert found["compared_with"] == "the compiled C program" and found["checked_inputs"] == encrypted.CHECKED_INPUTS
    assert document(capsys, "run", *named, "--entry", "least", "--inputs", "a=-5", "b=4")["outputs"] == {"return": -5}
    assert "two.c" in refused(capsys, "run", *named)  # which of the two?
    assert "parity" in refused(capsys, "run", "program:parity") and "two.c" in refused(capsys, "compile", "two.c")
    shallow = document(capsys, "compile", "two.c", "--entry", "most", "--objective", "depth")
    assert shallow["depth"] <= document(capsys, "compile", "two.c", "--entry", "most")["depth"]
    _, out, _ = run(capsys, "compile", "two.c", "--entry", "most")
    assert "inputs       int8 x[3], uint8 y" in out and "outputs      int16 return" in out


def test_compile_tells_gates_depth_and_widths(capsys: pytest.CaptureFixture[str]) -> None:
    circuit = random_circuit(3, 50)
    save_circuit(circuit, "some.gates")
    found = document(capsys, "compile", "some.gates", "-o", "again.gates")
    assert found["n_bootstraps"] == circuit.n_bootstraps == sum(
        n * {"not": 0, "mux": 2}.get(kind, 1) for kind, n in found["gates_by_kind"].items()
    )
    assert Path("again.gates").read_text() == Path("some.gates").read_text()
    code, out, _ = run(capsys, "compile", "adder:8")
    assert code == 0 and "inputs       uint8 a, uint8 b" in out and "depth" in out
    assert "wanted another file to write to" in refused(capsys, "compile", "some.gates", "-o", "some.gates")


class Interrupting:
    """Progress that interrupts when more than some gates are done."""

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, what: str, n_done: int, n_all: int) -> None:
        if what.startswith("gates") and n_done > self.most:
            raise KeyboardInterrupt


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = engine.Engine.bootstrap

    def bootstrap(self: engine.Engine, lwe: np.ndarray, test_polynomials: np.ndarray) -> np.ndarray:
        time.sleep(0.002)
        return fast(self, lwe, test_polynomials)

    monkeypatch.setattr(engine.Engine, "bootstrap", bootstrap)


@pytest.mark.parametrize("with_key", [False, True])
def test_a_kept_run_goes_on_where_it_stood(with_key: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch)
    named: dict[str, Any] = {"seed": 5, "parameters": "tiny.yaml"}
    if with_key:
        encrypted.keygen("mine", parameters="tiny.yaml")
        named = {"key": "mine"}
    inputs = {"a": 51234, "b": 43210}
    with pytest.raises(Interrupted, match=r"of \d+ gates done, kept in kept/checkpoint; the same command goes on"):
        encrypted.run("adder:16", inputs, batch=2, keep="kept", progress=Interrupting(10), **named)
    said: list[str] = []
    found = encrypted.run(
        "adder:16", inputs, keep="kept", progress=lambda what, n_done, n_all: said.append(f"{what} {n_done}"), **named
    )
    assert found["gates_done_before"] > 10 and found["outputs"] == {"sum": 94444} and found["equal"]
    assert f"gates ({found['gates_done_before']} done before) 0" in said
    assert sorted(path.name for path in Path("kept").iterdir()) == ["inputs", "outputs"]
    with pytest.raises(ValueError, match="kept/inputs: wanted the inputs of this run"):
        encrypted.run("adder:16", {"a": 1, "b": 1}, keep="kept", **named)


def test_ctrl_c_leaves_a_checkpoint_and_one_line() -> None:
    """A real interrupt of a real process; then the same command again."""
    save_circuit(random_circuit(1, 100_000, width=2000), "big.gates")  # seconds of gates: an interrupt may be late
    encrypted.keygen("mine", parameters="tiny.yaml")
    n_inputs = encrypted.circuit_of("big.gates").inputs
    values = [f"{port.name}=1" for port in n_inputs]
    encrypted.encrypt("mine.secret", "big.gates", values, "in.ct")
    command = [sys.executable, "-m", "lockstep.cli", "evaluate", "mine.evaluation", "big.gates", "in.ct", "-o", "out.ct"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heed_interrupts
    )
    assert process.stderr is not None
    for line in process.stderr:
        if ": gates: " in line:
            break
    process.send_signal(signal.SIGINT)
    last = process.stderr.read().splitlines()[-1]
    assert process.wait(60) == 130
    assert re.fullmatch(
        r"lockstep: interrupted: \d+ of \d+ gates done, kept in out.ct.checkpoint; the same command goes on from there", last
    )
    assert Path("out.ct.checkpoint").exists() and not Path("out.ct").exists()
