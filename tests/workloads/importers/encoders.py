"""A tiny encoder of random weights as a QDQ model: 2 heads, width 16, 1 layer, 6 tokens, 30 words."""

from __future__ import annotations

import numpy as np

from tests.workloads.importers.models import Model

N_TOKENS, WIDTH, N_HEADS, INNER, N_WORDS = 6, 16, 2, 32, 30
HEAD = WIDTH // N_HEADS


class Encoder(Model):
    """Scales are powers of two, so that the float arithmetic between two roundings is exact."""

    def __init__(self, rng: np.random.Generator, *, spelled_out: bool = False) -> None:
        super().__init__()
        self.rng, self.spelled_out = rng, spelled_out

    def round(self, x: str, name: str, scale: float, dtype: type = np.int16, zero: int = 0) -> str:
        """x through QuantizeLinear (`name`.q) and DequantizeLinear."""
        return self.quantize(x, name, scale, zero, dtype)

    def linear(self, x: str, name: str, n_in: int, n_out: int, x_scale: float) -> str:
        """x times weights of two scales, plus a bias."""
        scales = np.where(np.arange(n_out) % 2, 2.0**-8, 2.0**-9).astype(np.float32)
        w = self.weights(f"{name}.w", self.rng.integers(-127, 128, (n_in, n_out)).astype(np.int8), scales, axis=1)
        bias = self.rng.integers(-3000, 3000, n_out).astype(np.int32)
        b = self.weights(f"{name}.b", bias, scales * np.float32(x_scale), axis=0)
        return self.node("Add", [self.node("MatMul", [x, w], f"{name}.product"), b], f"{name}.sum")

    def heads(self, x: str, name: str, order: list[int]) -> str:
        shape = self.constant(f"{name}.shape", np.asarray([1, -1, N_HEADS, HEAD]))
        return self.node("Transpose", [self.node("Reshape", [x, shape], f"{name}.split")], name, perm=order)

    def norm(self, x: str, name: str) -> str:
        gain = self.weights(f"{name}.gain", self.rng.integers(16384, 32768, WIDTH).astype(np.int16), 2.0**-15)
        offset = self.weights(f"{name}.offset", self.rng.integers(-(2**20), 2**20, WIDTH).astype(np.int32), 2.0**-22)
        if not self.spelled_out:
            return self.node("LayerNormalization", [x, gain, offset], name, axis=-1, epsilon=1e-12)
        mean = self.node("ReduceMean", [x, self.constant(f"{name}.last", np.asarray([-1]))], f"{name}.mean")
        d = self.node("Sub", [x, mean], f"{name}.d")
        square = self.node("Pow", [d, self.scale(2.0)], f"{name}.square")
        variance = self.node("ReduceMean", [square, f"{name}.last"], f"{name}.variance")
        root = self.node("Sqrt", [self.node("Add", [variance, self.scale(1e-12)], f"{name}.more")], f"{name}.root")
        scaled = self.node("Mul", [self.node("Div", [d, root], f"{name}.whitened"), gain], f"{name}.gained")
        return self.node("Add", [scaled, offset], name)

    def gelu(self, x: str, name: str) -> str:
        if not self.spelled_out:
            return self.node("Gelu", [x], name)
        erf = self.node("Erf", [self.node("Div", [x, self.scale(2**0.5)], f"{name}.scaled")], f"{name}.erf")
        one_more = self.node("Add", [erf, self.scale(1.0)], f"{name}.more")
        return self.node("Mul", [self.node("Mul", [x, one_more], f"{name}.twice"), self.scale(0.5)], name)

    def attention(self, x: str, x_scale: float, factor: float) -> str:
        rounded = {k: self.round(self.linear(x, k, WIDTH, WIDTH, x_scale), f"{k}.r", 2.0**-4, np.int8) for k in "qkv"}
        q, k = self.heads(rounded["q"], "q", [0, 2, 1, 3]), self.heads(rounded["k"], "k", [0, 2, 3, 1])
        v = self.heads(rounded["v"], "v", [0, 2, 1, 3])
        product = self.node("MatMul", [q, k], "scores.product")
        scores = self.round(self.node("Div", [product, self.scale(1 / factor)], "scores.real"), "scores", 2.0**-11)
        weights = self.round(self.node("Softmax", [scores], "attention.real", axis=-1), "attention", 2.0**-8, np.uint8)
        mixed = self.round(self.node("MatMul", [weights, v], "mixed.real"), "mixed", 2.0**-5, np.int8)
        turned = self.node("Transpose", [mixed], "mixed.turned", perm=[0, 2, 1, 3])
        return self.node("Reshape", [turned, self.constant("mixed.shape", np.asarray([1, -1, WIDTH]))], "joined")

    def build(self, *, factor: float = 0.25) -> str:
        """The model; answers the name of its output, (1, N_TOKENS, WIDTH)."""
        ids = self.input("ids", [1, "sequence"], 7)
        table = self.weights("table", self.rng.integers(-127, 128, (N_WORDS, WIDTH)).astype(np.int8), 2.0**-6)
        places = self.weights("places", self.rng.integers(-9999, 9999, (1, 9, WIDTH)).astype(np.int16), 2.0**-13)
        length = self.node("Shape", [ids], "length", start=1, end=2)
        zero, one = self.constant("zero", np.asarray([0])), self.constant("one", np.asarray([1]))
        places = self.node("Slice", [places, zero, length, one, one], "first_places")
        x = self.round(self.node("Add", [self.node("Gather", [table, ids], "words"), places], "x.real"), "x", 2.0**-12)
        x = self.round(self.norm(x, "norm1.real"), "norm1", 2.0**-12)
        small = self.round(x, "norm1.small", 2.0**-4, np.uint8, 120)
        y = self.linear(self.attention(small, 2.0**-4, factor), "out", WIDTH, WIDTH, 2.0**-5)
        x = self.round(self.node("Add", [self.round(y, "out.r", 2.0**-11), x], "sum1.real"), "sum1", 2.0**-11)
        x = self.round(self.norm(x, "norm2.real"), "norm2", 2.0**-12)
        small = self.round(x, "norm2.small", 2.0**-4, np.uint8, 120)
        up = self.round(self.linear(small, "up", WIDTH, INNER, 2.0**-4), "up.r", 2.0**-11)
        up = self.round(self.gelu(up, "gelu.real"), "gelu", 2.0**-4, np.uint8, 3)
        down = self.round(self.linear(up, "down", INNER, WIDTH, 2.0**-4), "down.r", 2.0**-10)
        return self.round(self.node("Add", [down, x], "sum2.real"), "sum2", 2.0**-10)
