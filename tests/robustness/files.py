"""Mutated design spaces, models, circuits, samples, keys and ciphertexts through the command line."""

from __future__ import annotations

import contextlib
import io
import random
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from lockstep import cli
from tests.designs.test_mutated_files import SPACES, damaged
from tests.robustness import encrypted
from tests.robustness.encrypted import EncryptedFiles
from tests.workloads.importers.test_onnx import mutate

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "workloads" / "digits").glob("*.onnx"))
CIRCUIT = ROOT / "workloads" / "classifiers" / "examples" / "majority.blif"
KINDS = ("yaml", "onnx", "blif", "npz", *encrypted.KINDS)
OWN_PROCESS_EVERY = 10  # files: Python takes seconds to start; prime to the number of kinds, so that each has its turn
LONGEST_SECONDS = 120  # of one command in a process of its own


@dataclass(frozen=True)
class Answer:
    """What a command line said."""

    code: int
    out: str
    error: str


def try_files(folder: Path, n_files: int, seed: int) -> tuple[list[str], list[str]]:
    """(lines of a summary, failures)."""
    with tempfile.TemporaryDirectory(prefix="lockstep_sound_") as name:
        return _try_files(folder, n_files, seed, EncryptedFiles(Path(name)))


def _try_files(folder: Path, n_files: int, seed: int, sound: EncryptedFiles) -> tuple[list[str], list[str]]:
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    failures: list[str] = []
    for index in range(n_files):
        kind = KINDS[index % len(KINDS)]
        path = folder / f"mutated_{index}.{kind}"
        is_encrypted = kind in encrypted.KINDS
        path.write_bytes(sound.mutated(kind, draw) if is_encrypted else _damaged(kind, draw, rng))
        output = folder / ("traced.gates" if is_encrypted else "traced.npz")
        arguments = sound.arguments(path, output) if is_encrypted else _arguments(path, output)
        answers = [_here(arguments)]
        if index % OWN_PROCESS_EVERY == 0:
            answers.append(_in_a_process(arguments))
            counts[f"{kind}: also in a process of its own"] += 1
        for answer in answers:
            failures += [f"{path.name} (seed {seed}): {problem}" for problem in problems(answer, path, output)]
        if len({answer.code for answer in answers}) > 1:
            failures.append(f"{path.name} (seed {seed}): another exit code in a process of its own")
        counts[f"{kind}: {'accepted' if answers[0].code == 0 else 'refused in one line'}"] += 1
        output.unlink(missing_ok=True)
        path.unlink()
    left = [path.name for path in folder.iterdir()]
    failures += [f"left behind: {name}" for name in left]
    return [f"{name}: {counts[name]}" for name in sorted(counts)], failures


def problems(answer: Answer, path: Path, output: Path) -> list[str]:
    """What is wrong with an answer."""
    if answer.code == 0:
        return []
    found = []
    if answer.code != 2:
        found.append(f"exit code {answer.code}: {' '.join(answer.error.split())[-200:]}")
    if "Traceback" in answer.error:
        found.append("a traceback")
    if answer.error.count("\n") != 1 or not answer.error.startswith("lockstep: "):
        found.append(f"not one line: {answer.error[:200]!r}")
    if "wanted" not in answer.error or len(answer.error) > 1000:
        found.append(f"does not say what was wanted: {answer.error[:200]!r}")
    if answer.out:
        found.append(f"stdout has {answer.out[:80]!r}")
    if output.exists():
        found.append("an output was left although the input was refused")
    return found


def _arguments(path: Path, output: Path) -> list[str]:
    if path.suffix == ".onnx":
        return ["trace", str(path), "-o", str(output), "--bind", "batch=1", "--json"]
    if path.suffix == ".blif":
        return ["trace", str(path), "-o", str(output), "--json"]
    if path.suffix == ".npz":
        return ["trace", str(CIRCUIT), "-o", str(output), "--samples", str(path), "--json"]
    return ["simulate", str(path), "--workload", "gemm:5x6x7", "--json"]


def _damaged(kind: str, draw: random.Random, rng: np.random.Generator) -> bytes:
    if kind == "onnx":
        return damaged_model(rng)
    if kind == "npz":
        return damaged(_samples(), draw)
    return damaged(CIRCUIT.read_bytes() if kind == "blif" else draw.choice(SPACES).read_bytes(), draw)


def _samples() -> bytes:
    """Features and labels that the circuit takes."""
    content = io.BytesIO()
    features = np.arange(32)[:, None] >> np.arange(5) & 1
    np.savez(content, features=features.astype(np.uint8), labels=features[:, 0])
    return content.getvalue()


def damaged_model(rng: np.random.Generator) -> bytes:
    """A shipped model with bytes changed, cut short, or with fields changed that stay legal protobuf."""
    content = MODELS[rng.integers(len(MODELS))].read_bytes()
    kind = rng.integers(4)
    if kind == 0:
        changed = bytearray(content)
        for position in rng.integers(0, len(changed), int(rng.integers(1, 30))):
            changed[position] = rng.integers(256)
        return bytes(changed)
    if kind == 1:
        return content[: rng.integers(len(content))]
    model = onnx.ModelProto.FromString(content)
    for _ in range(int(rng.integers(1, 4))):
        if kind == 2:
            mutate(model, rng)
        else:
            _mutate_graph(model.graph, rng)
    return bytes(model.SerializeToString())


def _mutate_graph(graph: onnx.GraphProto, rng: np.random.Generator) -> None:
    """Remove, repeat or rename a node, or change an input's shape or type."""
    kind, node = rng.integers(5), int(rng.integers(len(graph.node)))
    dims = graph.input[0].type.tensor_type.shape.dim
    if kind == 0 and len(graph.node) > 1:
        del graph.node[node]
    elif kind == 1:
        graph.node.add().CopyFrom(graph.node[node])
    elif kind == 2:
        graph.node[node].name = str(rng.choice(["", "two\nlines", "\x1b[31m", "x" * 5000]))
        graph.node[node].op_type = str(rng.choice(["", "Loop", "Conv\n", graph.node[node].op_type]))
    elif kind == 3 and dims:
        dims[rng.integers(len(dims))].dim_param = str(rng.choice(["batch", "n", "two\nlines"]))
    else:
        graph.input[0].type.tensor_type.elem_type = int(rng.integers(0, 27))


def _here(arguments: list[str]) -> Answer:
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            code = cli.main(arguments)
        except Exception:  # what a process of its own would print; it counts as a failure
            traceback.print_exc()
            code = 1
    return Answer(code, out.getvalue(), error.getvalue())


def _in_a_process(arguments: list[str]) -> Answer:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from lockstep.cli import main; sys.exit(main())", *arguments],
        cwd=ROOT, text=True, capture_output=True, check=False, timeout=LONGEST_SECONDS,
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)
