"""PyTorch models by way of ONNX."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from workloads.importers.torch_export import trace_torch
from workloads.reference import run_graph


def test_without_torch_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"wanted the packages torch and onnxscript, got no \w+; install them with pip"):
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


@needs_torch
def test_an_exported_program_becomes_a_graph(tmp_path: Path) -> None:
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.fake_quantize_per_tensor_affine(x, 0.05, 3, 0, 255)
            w = torch.fake_quantize_per_tensor_affine(self.conv.weight, 0.01, 0, -128, 127)
            y = torch.relu(torch.nn.functional.conv2d(x, w, None, padding=1))
            return torch.fake_quantize_per_tensor_affine(y, 0.1, 0, 0, 255)

    net, x = Net().eval(), torch.rand(1, 3, 6, 6)
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(net, (x,)), path)
    graph = trace_torch(path)
    assert [op.kind for op in graph.ops] == ["conv"]
    source, target = graph.by_name[graph.inputs[0]], graph.by_name[graph.outputs[0]]
    values = run_graph(graph, {source.name: source.quantize(x.numpy())})
    np.testing.assert_allclose(target.dequantize(values[target.name]), net(x).detach().numpy(), atol=0.101)
