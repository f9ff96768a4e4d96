"""`python -m tests.robustness --files 200 --kills 20 --seed 0`: mutated files and killed sweeps; 1 on any failure.

- Mutated YAML spaces go through `lockstep simulate`, mutated ONNX models, circuits (BLIF, .bench, AIGER) and samples for
  one (.npz) through `lockstep trace`, .gates through `compile`, TFHE keys and ciphertexts (with digests that are right)
  through `decrypt` and `evaluate`: the command line's own entry function in this process, and every tenth again in a process of its own. Each must be accepted, or refused
  with exit code 2, one line on stderr that names the file, an empty stdout and nothing left behind.
- A sweep of the shipped space is killed (SIGKILL) at random instants and started again, until it is done; its rows
  must be those of an undisturbed sweep, row by row.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.robustness.files import try_files
from tests.robustness.kills import try_kills


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness")
    parser.add_argument("--files", type=int, default=200, help="mutated files, of each kind in turn")
    parser.add_argument("--kills", type=int, default=20, help="instants at which a sweep is killed")
    parser.add_argument("--points", type=int, default=2000, help="design points of that sweep")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lockstep_robustness_") as name:
        for title, run in (
            ("files", lambda: try_files(Path(name), chosen.files, chosen.seed)),
            ("kills", lambda: try_kills(Path(name), chosen.kills, chosen.points, chosen.seed)),
        ):
            began = time.monotonic()
            lines, found = run()
            print(f"{title} ({time.monotonic() - began:.0f} s)")
            print("".join(f"  {line}\n" for line in (*lines, *(f"FAILED {failure}" for failure in found))), flush=True)
            failures += found
    print("failures:", len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
