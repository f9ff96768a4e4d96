"""PyTorch models, by way of ONNX: torch exports, `trace_onnx` reads. Needs the `torch` extra."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from designs.errors import InputError
from workloads.importers.onnx import trace_onnx
from workloads.ir import Graph

_UNREADABLE = (
    OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, AssertionError,
    zipfile.BadZipFile,
)  # fmt: skip
"""What torch.export.load raises for a file that is damaged or no exported program."""


def trace_torch(
    source: str | Path | Any, example_inputs: Sequence[Any] = (), bind: Mapping[str, int] | None = None
) -> Graph:
    """The quantized graph of a quantized PyTorch model.

    `source` is a `.pt2` file of `torch.export.save`, an exported program, or a module with its `example_inputs`. The
    model must carry quantize and dequantize ops (as PT2E quantization leaves them). InputError where torch or its
    exporter is not installed, where the file is no exported program, and for whatever `trace_onnx` refuses.
    """
    torch = _import_torch()
    name = str(source) if isinstance(source, (str, Path)) else type(source).__name__
    program = _load(torch, Path(source)) if isinstance(source, (str, Path)) else source
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _export(torch, program, tuple(example_inputs), path, name)
        try:
            return trace_onnx(path, bind)
        except InputError as error:
            raise InputError(str(error).replace(str(path), name)) from error


def _import_torch() -> Any:
    try:
        import_module("onnxscript")  # what torch's ONNX exporter is written with
        return import_module("torch")
    except ImportError as error:
        raise InputError(
            f"torch.export: wanted the packages torch and onnxscript, got no {error.name}; "
            "install them with pip install 'lockstep[torch]'"
        ) from error


def _load(torch: Any, path: Path) -> Any:
    try:
        # registers the quantize and dequantize ops, without which the file of a quantized model does not load
        import_module("torchao.quantization.pt2e")
    except ImportError:
        pass  # models quantized in another way do not need it
    try:
        with _no_pickled_code():
            return torch.export.load(path)
    except (*_UNREADABLE, torch.serialization.pickle.UnpicklingError) as error:
        raise InputError(f"{path}: wanted a file of torch.export.save, got {_one_line(error)}") from error


@contextmanager
def _no_pickled_code() -> Iterator[None]:
    """While it lasts torch unpickles tensors only: torch.export.load falls back to arbitrary objects otherwise."""
    variable = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(variable)
    os.environ[variable] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def _export(torch: Any, program: Any, example_inputs: tuple[Any, ...], path: Path, name: str) -> None:
    try:
        torch.onnx.export(program, example_inputs, path, dynamo=True, opset_version=21, verbose=False)
    except torch.onnx.errors.OnnxExporterError as error:
        raise InputError(f"{name}: wanted a model that torch exports to ONNX, got {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
