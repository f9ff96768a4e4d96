"""The command line: exit codes, one-line errors, one JSON document, examples in every help."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from designs.errors import InputError
from designs.technology import load_technology
from lockstep import cli
from tests import toy_family
from workloads.load import load_workload, workload_names

MAJORITY = Path(__file__).parents[2] / "workloads/classifiers/examples/majority.blif"

ROOT = Path(__file__).parent.parent.parent
TOY = str(ROOT / "tests" / "toy_family" / "space.yaml")
COMMANDS = ("simulate", "sweep", "rtl", "verify", "synth", "report", "trace", "train", "reproduce", "formats")


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_family.install()
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(arguments)
    out, error = capsys.readouterr()
    return code, out, error


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    found, out, _ = run(capsys, *arguments, "--json")
    assert found == code
    return json.loads(out, parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, command, "--help")
    assert code == 0 and error == ""
    assert re.search(rf"Examples?: lockstep {command} ", out) and "--json" in out


def test_help_and_no_arguments_list_the_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0 and all(f"  {command} " in out for command in COMMANDS)
    monkeypatch.setattr(sys, "argv", ["lockstep"])
    assert cli.main() == 0 and capsys.readouterr().out == out


@pytest.mark.parametrize("command", ["simulate", "sweep", "rtl", "synth", "train"])
def test_help_lists_the_workloads_of_every_kind(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # the second time, too
        _, out, _ = run(capsys, command, "--help")
        assert ", ".join(workload_names()) + ", or a path; default: the space's own." in " ".join(out.split())


def test_the_module_runs_like_the_script() -> None:
    command = [sys.executable, "-m", "lockstep.cli", "simulate", "apple"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lockstep: apple: wanted a design space") and done.stderr.count("\n") == 1


def test_simulate(capsys: pytest.CaptureFixture[str]) -> None:
    row = document(capsys, "simulate", TOY, "--set", "lanes=16", "--set", "pipelined=false", "-w", "gemm:8x8x8")
    assert (row["cycles"], row["phases"], row["roofline_cycles"]) == (64, {"compute": 32, "stall": 32}, 32)
    assert (row["latency_ns"], row["utilization"]) == (64.0, 0.5)
    assert row["area_um2"] > 0 and row["energy_pj"] > 0 and row["activity"]["macs"] == 512
    code, out, error = run(capsys, "simulate", TOY)
    assert code == 0 and "gemm:6x5x4" in out and "cycles" in out
    assert error == (
        "open axes take their first value: lanes=8, banks=1, pipelined=true, order=rows_first (pin them with --set)\n"
    )


def test_simulate_a_real_machine_with_a_pinned_tiling_and_a_timeline(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    machine = ["simulate", "tensor", "--set", "array_rows=4", "--set", "array_cols=8", "--set", "weight_bits=8"]
    row = document(capsys, *machine, "--tile", "conv2=rows=2,blocks=1,channels=16", "--timeline", "t.json")
    assert row["layers"][1]["tiling"] == {"rows": 2, "blocks": 1, "channels": 16, "order": "rows_outer"}
    assert row["cycles"] == sum(row["phases"].values()) >= row["roofline_cycles"]
    assert row["cycles"] == sum(layer["cycles"] for layer in row["layers"])
    assert set(row["energy_breakdown_pj"]) - {"leakage", "dram"} <= set(row["area_breakdown_um2"])
    slices = [event for event in json.loads((tmp_path / "t.json").read_text())["traceEvents"] if event["ph"] == "X"]
    end_us = max(event["ts"] + event["dur"] for event in slices)
    assert end_us == pytest.approx(row["latency_ns"] / 1000, rel=1e-3)
    assert document(capsys, *machine)["cycles"] <= row["cycles"]  # the mapper is at least as good


def test_sweep_keeps_a_store_and_writes_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first = document(capsys, "sweep", TOY, "--store", "s.sqlite", "--workers", "1", "--limit", "5")
    assert [first[key] for key in ("points", "computed", "cached", "failed")] == [5, 5, 0, 0]
    again = document(capsys, "sweep", TOY, "--store", "s.sqlite")
    assert [again[key] for key in ("points", "computed", "cached", "failed")] == [24, 19, 5, 8]
    assert [row["cycles"] for row in again["pareto_front"]] == [15, 8]
    third = document(capsys, "sweep", TOY, "--store", "s.sqlite")
    assert third["pareto_front"] == again["pareto_front"] and third["cached"] == 24
    assert "seconds" in again and all("seconds" not in key for row in again["pareto_front"] for key in row)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.sqlite"]  # no page unless asked for
    code, out, _ = run(capsys, "sweep", TOY)
    assert code == 0 and "Pareto front of area_um2, latency_ns" in out and "8 failed" in out
    assert (tmp_path / "out" / "space" / "index.html").is_file()
    assert (tmp_path / "out" / "space" / "results.sqlite").is_file()
    pages = document(capsys, "report", "s.sqlite", "-o", "page")["files"]
    assert all(Path(path).is_file() for path in pages) and "page/index.html" in pages


def test_formats_tells_sizes_the_smallest_first(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    matrix = np.zeros((16, 64), np.int8)
    matrix[3, 5], matrix[9, 60] = 100, -7
    scipy.sparse.save_npz("m.npz", scipy.sparse.csr_array(matrix))
    found = document(capsys, "formats", "m.npz")
    assert (found["shape"], found["nnz"], found["density"], found["refused"]) == ([16, 64], 2, 2 / 1024, [])
    by_format = {row["format"]: row for row in found["formats"]}
    assert by_format["coo"] == {
        "format": "coo", "stored_bits": 36, "metadata_bits": 20, "ratio_to_dense": 36 / 8192, "n_padding": 0,
        "utilization": None,
    }  # fmt: skip
    assert by_format["csr"]["stored_bits"] == 2 * (8 + 6) + 17 * 2 and by_format["dense"]["n_padding"] == 1022
    assert list(by_format)[0] == "coo" and {"rcsc lanes=64", "bsr block=16", "n_of_m 1:4 index"} <= set(by_format)
    assert (found["n_macs"], found["n_sets"]) == (64, 8)
    engine = {row["format"]: row["utilization"]
              for row in document(capsys, "formats", "m.npz", "--n-macs", "4", "--n-sets", "2")["formats"]}  # fmt: skip
    # Two non-zeros on four lanes: rows 3 and 9 of lanes 3 and 1; then in two sets; kept by 256 groups; of all elements.
    assert [engine[name] for name in ("interleaved_csc n_pes=4 relative_bits=4 pointer_bits=16", "sa_rcsc lanes=4 sets=2")] == [0.5, 0.5]
    assert [engine[name] for name in ("rcsc lanes=4", "n_of_m 1:4 index", "dense")] == [0.5, 2 / 256, 2 / 1024]
    assert run(capsys, "formats", "m.npz", "--n-macs", "4", "--n-sets", "3")[2].strip().endswith(
        "--n-sets: wanted a divisor of the 4 MACs, got 3; all sets have as many lanes"
    )
    assert [row["stored_bits"] for row in found["formats"]] == sorted(row["stored_bits"] for row in found["formats"])
    code, _, error = run(capsys, "formats", "m.npz", "--value-bits", "7")
    assert code == 2 and "m.npz: matrix: wanted integers of 7 bits (-64 to 63), got 100" in error
    np.save("t.npy", 0.5 * matrix.reshape(4, 16, 16))
    code, out, _ = run(capsys, "formats", "t.npy", "--pattern")
    assert code == 0 and "t.npy: 4 x 16 x 16, 2 non-zeros (0.195%), 8 bits a value" in out
    assert out.count("refused: bsr: wanted a matrix, got 3 dimensions") == 1
    np.save("none.npy", np.zeros((0, 7)))
    assert document(capsys, "formats", "none.npy")["formats"][0]["ratio_to_dense"] is None
    assert run(capsys, "formats", "none.npy")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("swep",), "No such command 'swep'"),
        (("simulate",), "Missing argument 'SPACE'. (see lockstep simulate --help)"),
        (("simulate", TOY, "--bogus"), "No such option: --bogus"),
        (("simulate", "none.yaml"), "none.yaml: wanted a readable YAML file, got: No such file or directory"),
        (("simulate", TOY, "--set", "lanes"), "--set lanes: wanted --set array_rows=8, got 'lanes'"),
        (("simulate", TOY, "--set", "lanes=8", "--set", "lanes=9"), "wanted each name once, got 'lanes' twice"),
        (("simulate", TOY, "--set", "lanes=x\ny"), "--set lanes=x y: wanted a whole number, got 'x\\ny'"),
        (("simulate", TOY, "--set", "lanes=64"), "layer a: wanted 65 bytes, 64 available"),
        (("simulate", TOY, "-w", "gemm:1x2"), "got 'gemm:1x2'"),
        (("simulate", TOY, "--scaling", "moore"), "'moore' is not one of 'stillmaker_baas', 'whole_operation'"),
        (("simulate", TOY, "--tile", "x=rows=1"), "--tile x: wanted a layer (gemm:6x5x4), got 'x'"),
        (("simulate", TOY, "--tile", "gemm:6x5x4=rows=1"), "wanted a family that has tilings, got toy"),
        (("simulate", "tensor", "--tile", "conv1=rows=1,block=2"), "wanted rows, blocks, channels, order, got 'block' (did you mean 'blocks'?)"),
        (("simulate", "tensor", "--tile", "conv1=rows=1,blocks=x"), "blocks: wanted a whole number, got 'x'"),
        (("simulate", "tensor", "--tile", "conv1=rows=1,order=rows"), "order: wanted one of rows_outer, channels_outer, got 'rows'"),
        (("simulate", "tensor", "--tile", "conv1=rows=1"), "wanted rows, blocks, channels, order, got no blocks, channels"),
        (("simulate", "tensor", "--set", "weight_bits=4"), "conv1: weight_bits: weights are -127 to 116, wanted at least 8, got 4"),
        (("simulate", TOY, "--timeline", "t.json"), "timeline: wanted a family whose simulator tells when things happen"),
        (("sweep", TOY, "--workers", "0"), "Invalid value for '--workers'"),
        (("sweep", TOY, "--store", TOY), "wanted a Lockstep results store, got another kind of file"),
        (("sweep", TOY, "--store", "/proc/none/s"), "/proc/none: wanted a folder to write to"),
        (("report", "none.sqlite", "-o", "page"), "none.sqlite: wanted a results store, got no such file"),
        (("rtl", TOY, "-o", "/proc/none/x"), "/proc/none/x: wanted a folder to write to"),
        (("synth", TOY, "--target", "vacuum"), "'vacuum' is not one of"),
        (("synth", TOY, "--liberty", "none.lib"), "none.lib: wanted a readable liberty file"),
        (("verify", TOY), "family: wanted one that has RTL to verify"),
        (("synth", TOY, "--place"), "--place: wanted the target ecp5 or ice40, got gates"),
        (("train", TOY, "-o", "x.npz"), "train: wanted a family whose machines are trained, got toy"),
        (("formats", "none.npz"), "none.npz: wanted a matrix: .npz of scipy.sparse.save_npz"),
        (("formats", TOY), "space.yaml: wanted a matrix: .npz of scipy.sparse.save_npz"),
        (("reproduce",), "reproduce: wanted a NAME, got none; lockstep reproduce --list tells which there are"),
        (("reproduce", "nothing"), "reproduce: wanted one of "),
        (("trace", "none.onnx", "-o", "x.npz", "--samples", "s.npz"), "--samples s.npz: wanted samples beside a circuit only"),
        (("trace", "none.onnx", "-o", "x.npz"), "none.onnx"),
        (("trace", "none.onnx", "-o", "x.npz", "--bind", "batch=0"), "wanted a whole number of 1 or more, got '0'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("as_json", [False, True])
def test_bad_input_is_one_line_on_stderr_and_exit_code_2(
    arguments: tuple[str, ...], message: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, error = run(capsys, *arguments, *(["--json"] if as_json else []))
    assert code == 2 and out == ""
    assert message in error and error.startswith("lockstep: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("sweep", "sparse", "--store", "new/s.sqlite"), ("rtl", "sparse", "-o", "new")]
)
def test_a_workload_of_another_kind_leaves_nothing_behind(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, error = run(capsys, *arguments, "-w", "gpt2_small:prefill=4")
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert "wanted a sparse matrix for the family sparse" in error and not (tmp_path / "new").exists()


@pytest.mark.rtl
def test_rtl_is_the_same_byte_for_byte(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer = document(capsys, "rtl", TOY, "--set", "lanes=8", "-o", "a")
    assert answer["files"] == ["a/toy_machine.v", "a/design.json"] and answer["point"]["lanes"] == 8
    document(capsys, "rtl", TOY, "--set", "lanes=8", "-o", "b")
    document(capsys, "rtl", TOY, "--set", "lanes=16", "-o", "c")
    texts = [(tmp_path / folder / "toy_machine.v").read_bytes() for folder in "abc"]
    assert texts[0] == texts[1] != texts[2] and b"module toy_machine(" in texts[0]
    described = json.loads((tmp_path / "a" / "design.json").read_text())
    assert described.pop("workload_digest") == load_workload("gemm:6x5x4").digest
    assert described == {
        "family": "toy", "top": "toy_machine", "design": answer["point"], "workload": "gemm:6x5x4",
    }  # fmt: skip


@pytest.mark.rtl
def test_synth_sets_the_model_beside_yosys(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "synth", TOY, "--set", "lanes=8")
    assert found["synthesized"]["flip_flops"] == 8 * 16
    each = load_technology(45).nand2["multiplier"]  # 8 x 8 bits
    assert found["model"]["nand2"] == pytest.approx(
        8 * (each["rows"] * 56 + each["product"] * 64 + each["square"] * 64)
    )
    assert found["coefficients"]["logic"] == "fitted" and "area_fit" in found["coefficients"]["source"]
    assert found["error"] == {"nand2": found["model"]["nand2"] / found["synthesized"]["nand2"] - 1}
    # The coefficients are those of signed multipliers; the toy has unsigned ones, about half the size.
    assert 0 < found["error"]["nand2"] < 1
    code, out, _ = run(capsys, "synth", TOY, "--set", "lanes=8")
    assert code == 0 and "nand2" in out


FAKE_SYNTHESIS = """
def predicted(design, workload, target):
    return {"luts": 10.0 * design.lanes, "flip_flops": 128.0}

def remarks(design, workload, target, found):
    return [f"{workload.name} has {found.flip_flops} flip-flops on {target}."]
"""


@pytest.fixture
def toy_of_explore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty package `explore.families.toy` for a test to fill."""
    import explore.families

    folder = tmp_path / "families" / "toy"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(explore.families, "__path__", [*explore.families.__path__, str(folder.parent)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("explore.families.toy")]:
        del sys.modules[name]


@pytest.mark.rtl
def test_synth_takes_what_the_family_predicts(capsys: pytest.CaptureFixture[str], toy_of_explore: Path) -> None:
    (toy_of_explore / "synthesis.py").write_text(FAKE_SYNTHESIS)
    found = document(capsys, "synth", TOY, "--set", "lanes=8", "--target", "ice40")
    assert found["model"] == {"luts": 80.0, "flip_flops": 128.0} and found["coefficients"] is None
    assert found["error"]["flip_flops"] == 0.0 and found["synthesized"]["flip_flops"] == 128
    assert found["remarks"] == ["gemm:6x5x4 has 128 flip-flops on ice40."] and found["workload"] == "gemm:6x5x4"
    code, out, _ = run(capsys, "synth", TOY, "--set", "lanes=8", "--target", "ice40")
    assert code == 0 and "gemm:6x5x4 has 128 flip-flops on ice40." in out and "held-out" not in out


def test_train_goes_through_the_family(capsys: pytest.CaptureFixture[str], toy_of_explore: Path) -> None:
    (toy_of_explore / "training.py").write_text(
        "def train(design, workload, output, progress):\n"
        "    progress('teacher', 1, 2)\n"
        "    progress('teacher', 2, 2)\n"
        "    output.write_text(workload.name)\n"
        "    progress('trees', 3, 3)\n"
        "    return {'test_accuracy': 0.5, 'n_lanes': design.lanes}\n"
    )
    found = document(capsys, "train", TOY, "--set", "lanes=16", "-o", "made.txt", "-w", "gemm:1x2x3")
    assert Path("made.txt").read_text() == found["workload"] == "gemm:1x2x3"
    assert (found["test_accuracy"], found["n_lanes"], found["point"]["lanes"]) == (0.5, 16, 16)
    code, out, error = run(capsys, "train", TOY, "-o", "made.txt")
    assert code == 0 and "50.00%" in out and "lockstep simulate tensor --workload made.txt" in out
    assert "train space: teacher: 2 of 2" in error and "train space: trees: 3 of 3" in error


FAKE_REPRODUCTION = """
from explore.reproduce import Quantity, Table

TITLE = "Adding"
SUMMARY = "One and one."

def reproduce(progress):
    progress("counting", 1, 1)
    known = {"certainty": "counted", "source": "fingers"}
    return Table(rows=(
        Quantity(quantity="sum", unit="", published=2.0, ours=3.0, differs_because="A carry is <lost>.", **known),
        Quantity(quantity="time", unit="s", published=None, certainty="", source="", ours=0.5),
    ))
"""


def test_reproduce(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import explore.reproduce

    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "adding.py").write_text(FAKE_REPRODUCTION)
    monkeypatch.setattr(explore.reproduce, "__path__", [*explore.reproduce.__path__, str(tmp_path / "papers")])
    assert document(capsys, "reproduce", "--list")["adding"] == {"title": "Adding", "summary": "One and one."}
    found = document(capsys, "reproduce", "adding", "-o", "page")
    assert [row["error"] for row in found["rows"]] == [0.5, None]
    assert found["files"] == ["page/index.html", "page/reproduction.csv"]
    page = Path("page/index.html").read_text()
    assert "A carry is &lt;lost&gt;." in page and "+50.0 %" in page
    lines = Path("page/reproduction.csv").read_text().splitlines()
    assert lines[1:] == ["sum,,2.0,counted,fingers,3.0,0.5,A carry is <lost>.", "time,s,,,,0.5,,"]
    code, out, _ = run(capsys, "reproduce", "adding")
    assert code == 0 and "A carry is <lost>." in out and "+50.0 %" in out
    code, _, error = run(capsys, "reproduce", "addin")
    assert code == 2 and "(did you mean 'adding'?)" in error
    code, _, error = run(capsys, "reproduce", "adding", "--place")
    assert code == 2 and "--place: wanted a reproduction that makes circuits, got adding" in error


def test_trace_makes_a_workload_of_a_circuit(capsys: pytest.CaptureFixture[str]) -> None:
    Path("and.blif").write_text(".model both\n.inputs a b\n.outputs y\n.names a b y\n11 1\n.end\n")
    found = document(capsys, "trace", "and.blif", "-o", "and.npz")
    assert (found["kind"], found["n_inputs"], found["n_outputs"], found["n_luts"]) == ("classification", 2, 1, 1)
    code, _, error = run(capsys, "simulate", "tensor", "-w", "and.npz")
    assert code == 2 and "and: wanted a network for the family tensor (digits_cnn, " in error
    assert error.endswith("got a classification\n")
    code, out, _ = run(capsys, "trace", "and.blif", "-o", "and.npz")
    assert code == 0 and "2 inputs, 1 outputs, 1 luts" in out and "samples are random" in out


def test_a_family_without_rtl_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import hw.families

    monkeypatch.setattr(hw.families, "__path__", hw.families.__path__[:1])
    code, _, error = run(capsys, "rtl", TOY, "-o", "x")
    assert code == 2 and re.search(r"family: wanted one that has RTL \(.*tensor\), got toy", error)


def test_trace_makes_a_workload(capsys: pytest.CaptureFixture[str]) -> None:
    import onnx
    from onnx import TensorProto, helper

    scale = [helper.make_tensor(name, TensorProto.FLOAT, [], [0.5]) for name in ("sx", "sw", "sy")]
    zero = [helper.make_tensor(name, TensorProto.INT8, [], [0]) for name in ("zx", "zw", "zy")]
    weights = helper.make_tensor("w", TensorProto.INT8, [4, 3], list(range(12)))
    node = helper.make_node("QLinearMatMul", ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy"], ["y"], name="product")
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.INT8, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, ["batch", 3])], [*scale, *zero, weights],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "m.onnx")
    code, _, error = run(capsys, "trace", "m.onnx", "-o", "m.npz")
    assert code == 2 and "batch" in error
    found = document(capsys, "trace", "m.onnx", "-o", "m.npz", "--bind", "batch=2")
    assert (found["n_macs"], found["n_weights"], found["n_layers"]) == (24, 12, 1)
    assert document(capsys, "simulate", TOY, "-w", "m.npz")["cycles"] == 3


def test_differences_exit_with_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from explore import verify as module

    def result(rtl_cycles: int) -> module.CaseResult:
        wrong = (module.Difference(what="cycles", expected=10, rtl=rtl_cycles, where="tile 0, cycle 7"),)
        return module.CaseResult(
            point=0, design={"lanes": 8}, layer="a", n_tiles=1, n_outputs=4, simulated_cycles=10, rtl_cycles=rtl_cycles,
            outputs_equal=True, activity_equal=True, overflows=0, differences=() if rtl_cycles == 10 else wrong,
        )  # fmt: skip

    for rtl_cycles, code in ((10, 0), (11, 1)):
        found = module.Verification(results=(result(rtl_cycles),), seed=3, n_points=1)
        monkeypatch.setattr(module, "verify", lambda *_, found=found, **__: found)
        answer = document(capsys, "verify", TOY, "--points", "1", code=code)
        assert (answer["cases"], answer["rtl_cycles"], len(answer["differences"])) == (1, rtl_cycles, code)
        found_code, out, _ = run(capsys, "verify", TOY)
        assert found_code == code and f"{rtl_cycles} RTL cycles" in out


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("designs.space.load_space", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["simulate", TOY])


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = f"{sys.executable} -m tests.toy_family sweep --help | head -n 1"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0 and done.stderr == ""


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from lockstep.cli import main; main(['--help']); "
        "heavy = {'numpy', 'numba', 'amaranth', 'matplotlib', 'onnx', 'scipy', 'yaml', 'sim', 'hw', 'explore', 'reports'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_public_names_are_there() -> None:
    import lockstep

    assert sorted(lockstep.__all__) == lockstep.__all__ == dir(lockstep)
    for name in lockstep.__all__:
        assert getattr(lockstep, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'lockstep' has no attribute 'nothing'"):
        lockstep.nothing  # noqa: B018
    row = lockstep.simulate(TOY, lanes=16, pipelined=False)
    assert row["cycles"] == 16
    found = lockstep.sweep(lockstep.load_space(TOY), lockstep.load_workload("gemm:1x2x3"), order="rows_first")
    assert len(lockstep.flat_table(found.rows)) == 12
    with pytest.raises(InputError, match="--set lanes=8.5: wanted a whole number, got 8.5"):
        lockstep.simulate(TOY, lanes=8.5)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tests.toy_family", "simulate", TOY, "--set", "lanes=8", "--json"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last == "lockstep: stdout: wanted room for the result, got: No space left on device; send it elsewhere"
    assert "Traceback" not in done.stderr


def test_stdout_may_be_closed() -> None:
    command = f"{sys.executable} -m tests.toy_family simulate {TOY} --json >&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr


def test_an_interrupt_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from lockstep import api

    def interrupted(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    def interrupted_in_a_kernel(*arguments: object, **named: object) -> None:
        raise SystemError("CPUDispatcher returned a result with an exception set") from KeyboardInterrupt()

    for simulate in (interrupted, interrupted_in_a_kernel):
        monkeypatch.setattr(api, "simulate", simulate)
        assert run(capsys, "simulate", TOY, "--json") == (130, "", "lockstep: interrupted\n")


def test_what_is_read_is_not_written_over(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, features=np.eye(8, dtype=np.uint8), labels=np.arange(8) % 2)
    kept = data.read_bytes()
    circuit = str(MAJORITY)
    for arguments in (["trace", circuit, "--samples", str(data)], ["train", "lut", "-w", str(data)]):
        assert cli.main([*arguments, "-o", str(data)]) == 2
        assert "wanted another file to write to than the one that is read" in capsys.readouterr().err
    assert data.read_bytes() == kept


def test_a_sweep_without_labels_leaves_accuracy_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["sweep", "lut", "-w", str(MAJORITY), "--limit", "4"]
    assert cli.main([*arguments, "--store", str(tmp_path / "s.sqlite"), "--report", str(tmp_path / "page")]) == 0
    out = capsys.readouterr().out
    assert "accuracy: not known for any point" in out and "4 points: 4 simulated" in out
    assert (tmp_path / "page" / "index.html").stat().st_size > 0
