"""How a cocotb bench gets its arguments and hands back its result: two JSON files, big arrays beside them as .npz."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

WORK_DIR_VARIABLE = "LOCKSTEP_BENCH_DIR"
ARGUMENTS_FILE = "arguments.json"
RESULT_FILE = "result.json"


def work_dir() -> Path:
    """Folder that the bench shares with its caller: arguments, result, .npz files, waves. Only inside a bench."""
    return Path(os.environ[WORK_DIR_VARIABLE])


def read_arguments() -> dict[str, Any]:
    """The `arguments` given to `hw.bench.simulator.run_bench`."""
    arguments: dict[str, Any] = json.loads((work_dir() / ARGUMENTS_FILE).read_text())
    return arguments


def write_result(result: dict[str, Any]) -> None:
    """Hand `result` (JSON-able) back to the caller of `run_bench`; a bench that never does has failed."""
    (work_dir() / RESULT_FILE).write_text(json.dumps(result))
