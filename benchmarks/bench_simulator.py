"""How fast the tensor simulator is on one core, and how that compares with SCALE-Sim 3 from PyPI on the same layers.

    python -m benchmarks

SCALE-Sim is put in a virtual environment of its own under out/bench (it needs numpy < 2.4); where it cannot be
installed, the comparison is left out and the reason printed.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from designs.families.tensor import Design
from designs.space import load_space
from sim.families import tensor
from workloads.layer import Layer
from workloads.load import load_workload

OUT = Path("out/bench")
SPACE = "designs/resnet50_arrays.yaml"
SEED = 0

# Two layers of ResNet-50 (batch 1), small enough for SCALE-Sim to finish: 1x1 convolutions over 7x7 and 14x14 pixels.
PEER_LAYERS = (
    Layer(name="conv5_x_1x1a", kind="conv", in_h=7, in_w=7, in_channels=2048, out_h=7, out_w=7, out_channels=512),
    Layer(name="conv4_x_1x1a", kind="conv", in_h=14, in_w=14, in_channels=1024, out_h=14, out_w=14, out_channels=256),
)
PEER_SIDE = 32  # rows and columns of the array
PEER_DATAFLOWS = {"ws": "weight_stationary", "os": "output_stationary", "is": "input_stationary"}

WHY_THEY_DIFFER = """\
Why the compute cycles differ (R x C array, M pixels, K products an output, N output channels):
- WS, IS: SCALE-Sim loads, computes and drains every fold alone: M + 2R + C - 2 cycles (IS: N + 2R + C - 2). Here the
  next fold's operand follows the last pixels of the fold before through the array, so folds follow without a gap:
  max(M, R) cycles each (IS: max(N, C)).
- OS: SCALE-Sim takes K + R + C - 2 cycles a fold, in which the last sums leave before their last operands came. Here
  folds follow without a gap, K cycles each, and finished sums leave one row a cycle under the next fold.
- A fold does not cross tiles: where a layer is cut into tiles of rows, each may end with a partly filled fold.
- Fill and drain of the whole layer are phases of their own here, with DRAM latency, output path and store; SCALE-Sim's
  stall-free mode has neither. Its "Total Cycles" is the index of the last cycle, so 1 is added.
The column `whole machine` is everything: DRAM, scratchpads, requantization and stores, which that mode leaves out."""

_CONFIG = """\
[general]
run_name = bench
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
[architecture_presets]
ArrayHeight = {side}
ArrayWidth = {side}
ifmapsramszkB = 128
filtersramszkB = 128
ofmapsramszkB = 128
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
Bandwidth = 16
ReadRequestBuffer = 32
WriteRequestBuffer = 32
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
"""

# Runs in SCALE-Sim's environment: CPU seconds of the run alone, without imports.
_RUN_PEER = """\
import json, sys, time
from scalesim.scale_sim import scalesim
folder = sys.argv[1]
tool = scalesim(save_disk_space=True, verbose=False, config=folder + "/s.cfg", topology=folder + "/topology.csv",
                layout=folder + "/layout.csv", input_type_gemm=True)
start = time.process_time()
tool.run_scale(top_path=folder)
print(json.dumps(time.process_time() - start))
"""


def points_a_second(workload: str, n_points: int) -> tuple[float, int]:
    """(design points a CPU second, tiling search included; how many) on one core, of random points that fit.

    The median of three runs: other work on the machine shows in a single one.
    """
    layers = load_workload(workload).layers
    space = load_space(SPACE)
    designs = [space.design(point) for point in space.random_points(n_points, SEED)]
    # The first run compiles, or reads numba's cache, and tells the points that do not fit, which would be too quick.
    runs = tensor.simulate_layers(designs, layers)
    designs = [design for design, run in zip(designs, runs, strict=True) if run.failure is None]
    seconds = []
    for _ in range(3):
        start = time.process_time()
        tensor.simulate_layers(designs, layers)
        seconds.append(time.process_time() - start)
    return len(designs) / statistics.median(seconds), len(designs)


def install_peer() -> Path | None:
    """Python of the environment that has SCALE-Sim; None where it cannot be installed, after saying why."""
    folder = OUT / "scalesim"
    python = folder / "bin" / "python"
    if python.exists() and subprocess.run([python, "-c", "import scalesim"], capture_output=True).returncode == 0:
        return python
    print("[bench] SCALE-Sim from PyPI into", folder, flush=True)
    venv.create(folder, with_pip=True, clear=True)
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", "scalesim", "numpy<2.4"], capture_output=True, text=True
    )
    if done.returncode == 0:
        return python
    print(
        "[bench] SCALE-Sim is left out:", done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip failed"
    )
    return None


def run_peer(python: Path, dataflow: str, layers: Sequence[Layer] = PEER_LAYERS) -> tuple[list[int], float]:
    """(compute cycles of each layer, a matrix product; CPU seconds) of SCALE-Sim, stall-free."""
    folder = OUT / f"scalesim_{dataflow}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "s.cfg").write_text(_CONFIG.format(side=PEER_SIDE, dataflow=dataflow))
    topology, layout = "Layer, M, N, K,\n", "Layer,\n"
    for layer in layers:
        topology += f"{layer.name}, {layer.out_h * layer.out_w}, {layer.out_channels}, {layer.in_channels},\n"
        layout += f"{layer.name}, {'1, ' * 15}\n"
    (folder / "topology.csv").write_text(topology)
    (folder / "layout.csv").write_text(layout)
    done = subprocess.run([python, "-c", _RUN_PEER, str(folder)], capture_output=True, text=True, check=True)
    seconds = json.loads(done.stdout.splitlines()[-1])
    report = (folder / "bench" / "COMPUTE_REPORT.csv").read_text().splitlines()[1:]
    return [int(row.split(",")[2]) + 1 for row in report], seconds


def compare_with_peer(python: Path) -> None:
    """Print cycles of both side by side, and the ratio of their speeds."""
    ours_seconds = peer_seconds = 0.0
    repeats = 2000
    print(f"[bench] {PEER_SIDE}x{PEER_SIDE}, {' and '.join(layer.name for layer in PEER_LAYERS)}")
    print(f"{'layer':14} {'dataflow':18} {'SCALE-Sim':>10} {'here: compute':>14} {'ratio':>6} {'whole machine':>14}")
    for code, dataflow in PEER_DATAFLOWS.items():
        design = Design(
            array_rows=PEER_SIDE,
            array_cols=PEER_SIDE,
            dataflow=dataflow,  # type: ignore[arg-type]
            act_scratchpad_bytes=131072,
            weight_scratchpad_bytes=131072,
            acc_scratchpad_bytes=131072,
        )
        cycles, seconds = run_peer(python, code)
        peer_seconds += seconds
        start = time.process_time()
        run = tensor.simulate_layers([design] * repeats, PEER_LAYERS)[0]
        ours_seconds += (time.process_time() - start) / repeats
        for layer, theirs in zip(run.layers, cycles, strict=True):
            compute = layer.phases["compute"]
            print(f"{layer.name:14} {dataflow:18} {theirs:10} {compute:14} {theirs / compute:6.2f} {layer.cycles:14}")
    print(WHY_THEY_DIFFER)
    print(
        f"[bench] CPU seconds for all of it: SCALE-Sim {peer_seconds:.1f}, here {ours_seconds:.6f} "
        f"with the search for tilings: {peer_seconds / ours_seconds:,.0f} times faster"
    )


def main() -> None:
    """Print all figures."""
    for workload, n_points in (("resnet50", 400), ("digits_cnn", 4000)):
        rate, n_fit = points_a_second(workload, n_points)
        print(
            f"[bench] {workload}: {rate:,.0f} design points a second on one core, best tilings searched "
            f"({n_fit} of {n_points} random points of {SPACE}, seed {SEED}, that fit)",
            flush=True,
        )
    python = install_peer()
    if python is not None:
        compare_with_peer(python)


if __name__ == "__main__":
    main()
