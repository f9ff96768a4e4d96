"""PyTorch models by way of ONNX."""

from __future__ import annotations

import importlib.util
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from workloads.importers.torch_export import trace_torch
from workloads.lower import lower
from workloads.reference import run_graph


def test_without_torch_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        InputError, match=r"wanted the packages torch and onnxscript, got no \w+; install them with pip"
    ):
        trace_torch("model.pt2")


needs_torch = pytest.mark.skipif(
    not (importlib.util.find_spec("torch") and importlib.util.find_spec("onnxscript")), reason="the torch extra"
)


@needs_torch
def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="m.pt2: wanted a file of torch.export.save") as error:
        trace_torch(path)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, np.ndarray]:
    """(.pt2 file, an input, its output) of a small residual network quantized by PT2E, weights by channel."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    pt2e = pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e")
    xnnpack = pytest.importorskip("torchao.testing.pt2e._xnnpack_quantizer")
    torch.manual_seed(0)

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
            self.second = torch.nn.Conv2d(8, 8, 3, padding=1)
            self.last = torch.nn.Linear(8 * 9, 10)

        def forward(self, x):  # type: ignore[no-untyped-def]
            y = torch.relu(self.first(x))
            z = torch.max_pool2d(torch.relu(self.second(y) + y), 2)
            return self.last(torch.flatten(z, 1))

    x = torch.rand(1, 3, 6, 6)
    quantizer = xnnpack.XNNPACKQuantizer()
    quantizer.set_global(xnnpack.get_symmetric_quantization_config(is_per_channel=True))
    prepared = pt2e.prepare_pt2e(torch.export.export(Net().eval(), (x,)).module(), quantizer)
    for _ in range(4):
        prepared(torch.rand(1, 3, 6, 6))
    converted = pt2e.convert_pt2e(prepared)
    path = tmp_path_factory.mktemp("torch") / "net.pt2"
    torch.export.save(torch.export.export(converted, (x,)), path)
    return path, x.numpy(), converted(x).detach().numpy()


def test_a_quantized_program_becomes_a_graph(program: tuple[Path, np.ndarray, np.ndarray]) -> None:
    path, x, wanted = program
    graph = trace_torch(path)
    assert [op.kind for op in graph.ops] == ["conv", "conv", "add", "max_pool", "reshape", "matmul"]
    assert [layer.residual for layer in lower(graph)] == [False, True, False, False]
    source, out = graph.by_name[graph.inputs[0]], graph.by_name[graph.outputs[0]]
    values = run_graph(graph, {source.name: source.quantize(x)})
    np.testing.assert_allclose(out.dequantize(values[out.name]), wanted, atol=1.01 * float(out.scale[0]))


def test_no_code_of_a_file_is_run(program: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    """A pickle that would create a file, in place of the tensors of the program."""

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return open, (str(tmp_path / "created"), "w")  # type: ignore[return-value]

    bad = tmp_path / "bad.pt2"
    with zipfile.ZipFile(program[0]) as good, zipfile.ZipFile(bad, "w") as archive:
        for name in good.namelist():
            content = pickle.dumps(Evil(), protocol=2) if name.endswith(".pt") else good.read(name)
            archive.writestr(name, content)
    with pytest.raises(InputError, match="bad.pt2: wanted a file of torch.export.save"):
        trace_torch(bad)
    assert not (tmp_path / "created").exists()
