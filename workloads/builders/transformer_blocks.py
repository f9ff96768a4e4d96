"""Blocks of transformers as jobs of a tensor machine with a vector unit, without numbers (docs/vector.md).

Edges into a residual sum, a normalization, GELU and softmax have 16 bits, all others 8: plain 8 bits ruin a network
that was not trained for it. A machine with wider activations, or without wide edges, stores them as it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workloads.builders.shapes import matrix_product
from workloads.layer import Layer, matrix_lines
from workloads.vector_layer import Job, VectorKind, VectorLayer

NARROW_BITS, WIDE_BITS = 8, 16
_PIXELS = 16  # of a line, at most: a row of all channels must fit the vector unit's buffers
_LONGEST_LINE = 64
EMBED = "embed"  # names of look-ups in tables of parameters start so


def token_lines(n_tokens: int) -> tuple[int, int]:
    """(lines, pixels a line) of so many tokens: lines of 8 to 16 pixels; one long line where no such length divides."""
    exact = [pixels for pixels in range(_PIXELS, _PIXELS // 2 - 1, -1) if n_tokens % pixels == 0]
    if exact:
        return n_tokens // exact[0], exact[0]
    return (1, n_tokens) if n_tokens <= _LONGEST_LINE else matrix_lines(n_tokens, most=_PIXELS)


@dataclass(frozen=True, kw_only=True)
class Heads:
    """One multi-head attention: `n_heads` heads of `size` channels for each of `sequences` that have their own keys.

    Each has `queries` rows and `keys` columns. `causal_offset` is the number of keys before the first query that it may
    attend to besides itself; None: all keys are open to all. Keys before `first_key` lie in a cache.
    """

    n_heads: int
    size: int
    sequences: int
    queries: int
    keys: int
    causal_offset: int | None = None
    first_key: int = 0
    cached: bool = False


@dataclass
class Jobs:
    """Jobs in order. Names start with the phase (`prefill.`, `decode.`); `repeat` stands for layers of equal shape."""

    phase: str
    jobs: list[Job] = field(default_factory=list)

    def product(
        self, name: str, m: int, k: int, n: int, *, repeat: int = 1, wide: bool = False, residual: bool = False,
        weights_from: str = "",
    ) -> None:  # fmt: skip
        """(m, k) x (k, n) with constant weights, or with those that the job `weights_from` makes."""
        lines, pixels = token_lines(m)
        shape = matrix_product(self.named(name), m, k, n, repeat=repeat)
        self.jobs.append(
            replace(
                shape, in_h=lines, in_w=pixels, out_h=lines, out_w=pixels, residual=residual,
                out_bits=WIDE_BITS if wide or residual else NARROW_BITS, weights_from=weights_from,
            )
        )  # fmt: skip

    def vector(
        self, kind: VectorKind, name: str, rows: int, channels: int, *, repeat: int = 1, images: int = 1,
        from_wide: bool = True, to_wide: bool = False, n_table_rows: int = 0, causal_offset: int | None = None,
    ) -> None:  # fmt: skip
        """A job of the vector unit on `images` matrices of `rows` tokens."""
        lines, pixels = token_lines(rows)
        in_bits, out_bits = (WIDE_BITS if wide else NARROW_BITS for wide in (from_wide, to_wide))
        self.jobs.append(
            VectorLayer(
                name=self.named(name), kind=kind, n_images=images, in_h=lines, in_w=pixels, channels=channels,
                in_bits=in_bits, z_bits=in_bits, out_bits=out_bits, repeat=repeat, n_table_rows=n_table_rows,
                causal=causal_offset is not None, causal_offset=causal_offset or 0,
            )
        )  # fmt: skip

    def attention(self, name: str, heads: Heads, *, repeat: int = 1) -> None:
        """Scores, softmax and weighted values of all heads; queries, keys and values are there."""
        products = repeat * heads.sequences * heads.n_heads
        self.weights(f"{name}_keys", "keys", heads, products, reader=self.named(f"{name}_scores"))
        self.product(
            f"{name}_scores", heads.queries, heads.size, heads.keys, repeat=products, wide=True,
            weights_from=self.named(f"{name}_keys"),
        )  # fmt: skip
        self.softmax(name, heads, repeat)
        self.weights(f"{name}_values", "values", heads, products, reader=self.named(f"{name}_mix"))
        self.product(
            f"{name}_mix", heads.queries, heads.keys, heads.size, repeat=products,
            weights_from=self.named(f"{name}_values"),
        )  # fmt: skip

    def softmax(self, name: str, heads: Heads, repeat: int) -> None:
        """Softmax of the scores of all heads."""
        self.vector(
            "softmax", f"{name}_softmax", heads.queries, heads.keys, repeat=repeat,
            images=heads.sequences * heads.n_heads, causal_offset=heads.causal_offset,
        )  # fmt: skip

    def weights(self, name: str, role: str, heads: Heads, repeat: int, *, reader: str) -> None:
        """Keys or values of one head brought into the order in which the product `reader` reads weights."""
        lines, pixels = (-(-heads.keys // _PIXELS), _PIXELS) if heads.cached else token_lines(heads.keys)
        self.jobs.append(
            VectorLayer(
                name=self.named(name), kind="to_weights", in_h=lines, in_w=pixels, channels=heads.size,
                out_bits=NARROW_BITS, role=role, product=reader, n_tokens=heads.keys,  # type: ignore[arg-type]
                first_token=heads.first_key, cached=heads.cached, output=self.named(name), repeat=repeat,
            )
        )  # fmt: skip

    def normalize(self, name: str, rows: int, width: int, *, repeat: int, stream: bool) -> None:
        """Layer normalization of the residual stream; `stream`: its result is the stream, which needs both widths."""
        self.vector("layer_norm", name, rows, width, repeat=repeat, to_wide=stream)
        if stream:
            self.vector("requantize", f"{name}_narrow", rows, width, repeat=repeat)

    def feed_forward(
        self, name: str, rows: int, width: int, inner: int, *, repeat: int = 1, residual: bool = True
    ) -> None:
        """Two products with GELU between them."""
        self.product(f"{name}_up", rows, width, inner, repeat=repeat, wide=True)
        self.vector("gelu", f"{name}_gelu", rows, inner, repeat=repeat)
        self.product(f"{name}_down", rows, inner, width, repeat=repeat, wide=True, residual=residual)

    def mixture(
        self, name: str, rows: int, width: int, inner: int, loads: Sequence[int], top_k: int, *, repeat: int = 1
    ) -> None:
        """Mixture of experts: gate, tokens brought to experts, `loads[e]` of them through expert e, results added.

        Experts with equal loads are one job that repeats; an expert without tokens costs nothing.
        """
        n_experts = len(loads)
        self.product(f"{name}_gate", rows, width, n_experts, repeat=repeat, wide=True)
        self.vector("softmax", f"{name}_gate_softmax", rows, n_experts, repeat=repeat)
        for load in sorted({load for load in loads if load}, reverse=True):
            n_equal = repeat * list(loads).count(load)
            self.vector(
                "gather", f"{name}_dispatch_{load}", load, width, repeat=n_equal, from_wide=False, n_table_rows=rows
            )
            self.feed_forward(f"{name}_expert_{load}", load, width, inner, repeat=n_equal, residual=False)
        # one addition a chosen expert, the residual among them
        self.vector("add", f"{name}_combine", rows, width, repeat=repeat * top_k, to_wide=True)

    def embed(self, rows: int, width: int, tables: Sequence[int], *, offset: bool = False) -> None:
        """Rows of each table, added up; `offset`: and a constant added (sinusoids)."""
        for index, n_rows in enumerate(tables):
            self.vector("gather", f"{EMBED}_{index}", rows, width, from_wide=False, to_wide=True, n_table_rows=n_rows)
        n_additions = len(tables) - 1 + offset
        if n_additions:
            self.vector("add", f"{EMBED}_add", rows, width, repeat=n_additions, to_wide=True)

    def named(self, name: str) -> str:
        """The name with the phase before it."""
        return f"{self.phase}.{name}" if self.phase else name


def expert_loads(n_tokens: int, n_experts: int, top_k: int, skew: float = 0.0) -> tuple[int, ...]:
    """Tokens of each expert where `n_tokens` choose `top_k` each, most first; they add up to `n_tokens * top_k`.

    Expert e is chosen in proportion to `(e + 1) ** -skew` (Zipf; 0: balanced), but by no token twice: what exceeds
    `n_tokens` goes to the others in proportion. Largest remainders make the counts whole.
    """
    weights = [(expert + 1) ** -skew for expert in range(n_experts)]
    shares = [0.0] * n_experts
    full: set[int] = set()
    left = float(n_tokens * top_k)
    while left > 1e-9:
        total = sum(w for e, w in enumerate(weights) if e not in full)
        for expert in (e for e in range(n_experts) if e not in full):
            shares[expert] += left * weights[expert] / total
        left = sum(max(0.0, share - n_tokens) for share in shares)
        for expert, share in enumerate(shares):
            if share >= n_tokens:
                shares[expert] = float(n_tokens)
                full.add(expert)
    counts = [int(share + 1e-9) for share in shares]
    order = sorted(range(n_experts), key=lambda e: (counts[e] - shares[e], e))
    for expert in order[: n_tokens * top_k - sum(counts)]:
        counts[expert] += 1
    return tuple(sorted(counts, reverse=True))


def largest_share(loads: Sequence[int]) -> float:
    """The fullest expert's tokens over the mean: 1 is balance."""
    return max(loads) * len(loads) / sum(loads)


def network_parameters(jobs: Sequence[Job]) -> int:
    """Weights and biases of products with constant weights, tables, and two a channel of a normalization."""
    found = 0
    for job in jobs:
        if isinstance(job, Layer):
            found += 0 if job.weights_from else job.repeat * (job.n_weights + job.out_channels)
        elif job.kind == "gather" and job.name.rpartition(".")[2].startswith(EMBED):
            found += job.repeat * job.n_table_rows * job.channels
        elif job.kind == "layer_norm":
            found += job.repeat * 2 * job.channels
    return found

