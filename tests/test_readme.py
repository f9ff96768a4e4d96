"""The README's commands, read from the README and run: exit codes, and the output that it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SLOW = ("verify", "synth")  # minutes of RTL simulation or synthesis; tests of their own
SMALLER = {"sweep": ["--limit", "40"], "search": ["--budget", "6"], "compress": ["--floor", "0.93", "--budget", "2"]}


def commands() -> list[list[str]]:
    """The commands of the indented block, without their comments."""
    lines = re.findall(r"^    (lockstep .*)$", README, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def shown(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkout, so that relative paths work and nothing is written into the real one."""
    made = tmp_path_factory.mktemp("readme")
    for name in ("designs", "workloads"):
        (made / name).symlink_to(ROOT / name)
    return made


def run(arguments: list[str], folder: Path) -> str:
    found = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, f"{shlex.join(arguments)}\n{found.stderr}"
    return found.stdout


def lockstep(words: list[str], folder: Path) -> str:
    assert words[0] == "lockstep"
    return run([str(Path(sys.executable).parent / "lockstep"), *words[1:]], folder)


def missing(wanted: str, output: str) -> list[str]:
    """Lines of `wanted` that are not in `output`; `...` stands for what the README leaves out."""
    lines = [line.rstrip() for line in output.splitlines()]
    return [line for line in wanted.splitlines() if line != "..." and line not in lines]


def test_the_quick_commands_run_in_the_order_of_the_readme(folder: Path) -> None:
    ran = []
    for words in commands():
        command = words[1]
        if command not in SLOW:
            lockstep([*words, *SMALLER.get(command, [])], folder)
            ran.append(command)
    of_tensor = ["simulate", "sweep", "rtl", "trace", "simulate", "report"]
    of_transformers = ["simulate", "simulate", "sweep", "simulate", "reproduce"]
    of_lut = ["simulate", "sweep", "train", "trace", "simulate", "reproduce"]
    of_encrypted = ["compile", "run", "keygen"]
    of_search = ["search", "search", "compress", "allocate", "scenario"]
    assert ran == of_tensor + of_transformers + of_lut + of_encrypted + of_search
    made_by_them = ("out/tensor/index.html", "rtl/tensor_machine.v", "model.npz", "page/index.html")
    for made in (*made_by_them, "out/poetbin_digits/index.html", "classifier.npz", "circuit.npz", "sigmoid.gates", "small.npz"):
        assert (folder / made).stat().st_size > 0, made


def test_slow_commands_are_known_to_the_command_line(folder: Path) -> None:
    slow = [words for words in commands() if words[1] in SLOW]
    assert len(slow) == 7
    for words in slow:
        told = lockstep([*words[:2], "--help"], folder)
        assert all(option in told for option in words if option.startswith("--")), words


def test_shown_output_is_what_the_command_prints(folder: Path) -> None:
    blocks = shown("console")
    assert blocks
    for block in blocks:
        first, _, wanted = block.partition("\n")
        assert first.startswith("$ lockstep ") and wanted
        assert missing(wanted, lockstep(shlex.split(first[2:]), folder)) == []


def test_the_python_example_prints_what_the_readme_shows(folder: Path) -> None:
    (code,), (wanted,) = shown("python"), shown("text")
    assert run([sys.executable, "-c", code], folder) == wanted


def test_the_space_of_the_readme_can_be_loaded(folder: Path) -> None:
    (text,) = shown("yaml")
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    answer = lockstep(["lockstep", "simulate", "mine.yaml", "--json"], folder)
    assert '"cycles"' in answer
