"""The state of reading an ONNX graph: every value so far, and typed access to them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from designs.errors import InputError
from workloads.importers.onnx_values import Constant, Draft, Pending, Quantization, Real, Source, Stored, Value, Weights
from workloads.ir import MAX_BITS, Tensor

PARAMETER_BITS = 24  # as many as the fraction of a float32 has
_LEAST = 1e-30  # largest magnitude that the scale of all-zero numbers is made for


class Tracer:
    """The values known so far, by name, and the draft of the graph they make."""

    def __init__(self, opsets: Mapping[str, int]) -> None:
        self.opsets = opsets
        self.values: dict[str, Value] = {}
        self.unusable: dict[str, str] = {}  # outputs of nodes that are not computed -> what they are
        self.draft = Draft()

    def value(self, name: str) -> Value:
        """The value of that name; InputError where nothing has computed it."""
        if name not in self.values:
            what = self.unusable.get(name, f"{name!r}, which nothing computes")
            raise InputError(f"wanted inputs computed before, got {what}")
        return self.values[name]

    def constant(self, name: str) -> np.ndarray:
        """The array of a constant."""
        value = self.value(name)
        if not isinstance(value, Constant):
            raise InputError(f"wanted a constant, got {name!r}, which is computed")
        return value.array

    def numbers(self, name: str) -> np.ndarray:
        """A constant as a float32 vector, of at least one number."""
        array = np.asarray(self.constant(name)).astype(np.float32).reshape(-1)
        if array.size == 0:
            raise InputError(f"wanted numbers in {name!r}, got none")
        return array

    def integers(self, name: str) -> list[int]:
        """A constant as a list of integers."""
        array = np.asarray(self.constant(name))
        if not np.issubdtype(array.dtype, np.integer):
            raise InputError(f"wanted integers in {name!r}, got {array.dtype}")
        return [int(v) for v in array.reshape(-1)]

    def zero_points(self, name: str) -> np.ndarray:
        """A constant as an int64 vector of zero points, of at least one; a name left out is zero."""
        if not name:
            return np.zeros(1, np.int64)
        value = self.value(name)
        if not isinstance(value, Constant) or value.bits > 32 or value.array.size == 0:
            raise InputError(f"wanted a constant integer zero point of at most 32 bits, got {describe(value)} {name!r}")
        return value.array.astype(np.int64).reshape(-1)

    def quantization(self, scale: str, zero: str) -> Quantization:
        """Scale and zero point of computed numbers: one zero point, and its type says the bits."""
        bits, signed, zero_point = 8, False, 0
        if zero:
            zeros, value = np.unique(self.zero_points(zero)), self.value(zero)
            assert isinstance(value, Constant)
            bits, signed = value.bits, value.signed
            if zeros.size != 1:
                raise InputError(f"wanted one zero point, got {zeros.size} different ones in {zero!r}")
            zero_point = int(zeros[0])
        return Quantization(self.scales(scale), zero_point, bits, signed)

    def scales(self, name: str) -> np.ndarray:
        """Positive finite float32 scales."""
        scale = self.numbers(name)
        if not np.all(np.isfinite(scale) & (scale > 0)):
            raise InputError(f"wanted positive finite scales, got {scale.tolist()} in {name!r}")
        return scale

    def real(self, name: str) -> Real:
        """Real numbers as a tensor; a ReLU or clip that nothing quantizes is stored as its input is."""
        value = self.value(name)
        if isinstance(value, Pending) and value.op.kind == "requantize" and value.gain == 1:
            x = self.draft.tensors[value.op.inputs[0]]
            tensor = self.draft.store(value, name, Quantization(x.scale, x.zero_point, x.bits, x.signed))
            value = self.values[name] = Real(tensor)
        if not isinstance(value, Real):
            raise InputError(f"wanted quantized numbers (a DequantizeLinear before), got {describe(value)} {name!r}")
        return value

    def weights(self, name: str) -> Tensor:
        """Real numbers as constant integers."""
        value = self.value(name)
        if not isinstance(value, Weights):
            raise InputError(f"wanted quantized constant weights, got {describe(value)} {name!r}")
        return value.tensor

    def tensor(self, name: str) -> Tensor:
        """The tensor behind real numbers."""
        return self.draft.tensors[self.real(name).tensor]

    def parameter(self, name: str) -> Tensor:
        """A constant vector of a normalization: integers with a scale, made here of float ones (24 bits of them)."""
        value = self.value(name)
        if not isinstance(value, Constant) or value.bits <= MAX_BITS:
            return self.weights(name)
        array = value.array.astype(np.float64)
        if array.size == 0 or not np.all(np.isfinite(array)):
            raise InputError(f"wanted finite numbers in {name!r}, got others or none")
        bits = PARAMETER_BITS
        scale = np.asarray([max(float(np.abs(array).max()), _LEAST) / ((1 << (bits - 1)) - 1)], np.float32)
        high = (1 << (bits - 1)) - 1
        data = np.clip(_round(array / scale.astype(np.float64)), -high, high)
        return Tensor(name=name, shape=data.shape, bits=bits, signed=True, scale=scale, data=data)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of any value."""
        value = self.value(name)
        if isinstance(value, Constant):
            return value.array.shape
        if isinstance(value, Weights):
            return value.tensor.shape
        if isinstance(value, Pending):
            return value.last_shape
        return value.shape if isinstance(value, Source) else self.draft.tensors[value.tensor].shape

    def bias(self, name: str, scale: np.ndarray) -> Tensor:
        """A bias as 32-bit integers at the scale of the sums (`s_in * s_w`, one or one a channel)."""
        value = self.value(name)
        n_channels = int(np.prod(self.shape(name)))
        if scale.size not in (1, n_channels):
            raise InputError(f"wanted a bias of {scale.size} entries, got {n_channels} in {name!r}")
        if isinstance(value, Weights) and value.tensor.data is not None:
            name = value.tensor.name
            if np.allclose(value.tensor.scale, scale, rtol=1e-5, atol=0):
                data = value.tensor.data.reshape(-1)
            else:
                data = _round(value.tensor.dequantize(value.tensor.data).reshape(-1) / scale.astype(np.float64))
        elif isinstance(value, Constant) and value.bits <= 32:
            data = value.array.astype(np.int64).reshape(-1)  # integer operators: at that scale already
        elif isinstance(value, Constant):
            data = _round(value.array.reshape(-1).astype(np.float64) / scale)
        else:
            raise InputError(f"wanted a constant bias, got {describe(value)} {name!r}")
        return _bias_tensor(name, data)


def describe(value: Value) -> str:
    if isinstance(value, Pending):
        return f"real numbers ({value.op.kind} {value.op.name}) that nothing quantizes:"
    return {Constant: "the constant", Source: "the graph input", Stored: "integers", Weights: "weights"}.get(
        type(value), "numbers"
    )


def _round(values: np.ndarray) -> np.ndarray:
    if not np.all(np.isfinite(values)):
        raise InputError("wanted finite bias values, got others")
    return np.clip(np.rint(values), -(1 << 62), 1 << 62).astype(np.int64)


def _bias_tensor(name: str, data: np.ndarray) -> Tensor:
    return Tensor(name=name, shape=data.shape, bits=32, signed=True, data=data)
