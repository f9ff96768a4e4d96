"""The commands of docs/running_encrypted.md, run, and what the page says that they print."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lockstep import cli
from tests.test_readme import missing

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "running_encrypted.md").read_text(encoding="utf-8")


def test_commands_print_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert [block.split()[2] for block in blocks] == ["run", "keygen", "encrypt", "evaluate", "decrypt"]
    for block in blocks:
        first, _, wanted = block.partition("\n")
        assert cli.main(shlex.split(first[2:])[1:]) == 0
        assert missing(wanted, capsys.readouterr().out) == []


def test_the_python_example_prints_a_run() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert re.fullmatch(r"\d+\.\d\d s \(bound \d+\.\d\d s\), [\d,]+ ciphertexts moved\n", run.stdout)
