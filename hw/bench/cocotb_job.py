"""Runs cocotb's own runner in a process of its own: `python -m hw.bench.cocotb_job build|test JOB.json`.

cocotb's runner reads and changes os.environ, raises SystemExit under pytest and writes to stdout; a process of its own
keeps all of that away from the caller, whose stdout carries JSON only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cocotb_tools.runner import get_runner

TIMESCALE = ("1ns", "1ps")


def build(job: dict[str, Any]) -> None:
    get_runner(job["simulator"]).build(
        sources=[Path(job["source"])],
        hdl_toplevel=job["top"],
        build_dir=job["build_dir"],
        build_args=job["build_args"],
        waves=job["waves"],
        timescale=TIMESCALE,
    )


def test(job: dict[str, Any]) -> None:
    get_runner(job["simulator"]).test(
        test_module=job["module"],
        hdl_toplevel=job["top"],
        hdl_toplevel_lang="verilog",
        build_dir=job["build_dir"],
        test_dir=job["work_dir"],
        results_xml=job["results_xml"],
        plusargs=job["plusargs"],
        waves=job["waves"],
        seed=job["seed"],
    )


if __name__ == "__main__":
    {"build": build, "test": test}[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
