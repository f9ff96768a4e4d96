"""Published transformers in their phases, as jobs without numbers.

A name is `MODEL:PHASE=SIZE`, then `batch=B` and, where tokens are generated, `beam=B`, as in
`gpt2_small:decode=1024:batch=8`. Phases: `encode=T`; `score=T`, a causal pass with the logits of every token;
`prefill=T`, with those of the last token only; `decode=T`, one token that attends to T keys, itself among them, with
those before it in the cache; `generate=P+G`, a prefill of P and G - 1 decode steps;
`translate=NxM`, N source tokens in and M tokens out, and `translate_naive=NxM`, which runs all positions anew in each
step; `segment=T+M`, T tokens after a memory of M. `skew=S` makes expert e popular in proportion to `e ** -(S / 100)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads.builders.shapes import matrix_product, merged
from workloads.builders.transformer_blocks import Heads, Jobs, expert_loads, largest_share
from workloads.layer import Layer
from workloads.vector_layer import Job

MOST_TOKENS, MOST_SEQUENCES, MOST_STEPS = 16_384, 4096, 4096
MOST_NAIVE_STEPS = 512  # no two of them have a shape in common: their jobs are not merged


@dataclass(frozen=True, kw_only=True)
class Model:
    """Sizes of a published network."""

    width: int
    n_heads: int
    inner: int  # of the feed-forward layer
    n_layers: int  # of the encoder, or of a decoder alone
    n_decoder_layers: int = 0  # of a decoder that attends to the encoder
    tables: tuple[int, ...] = ()  # rows of each embedding table; the first is the vocabulary
    sinusoids: bool = False  # positions are added, not looked up
    norm_first: bool = False
    logits: bool = False  # a product with the vocabulary's table at the end
    experts: int = 0  # mixture of experts in place of the feed-forward layer, top 2

    @property
    def head(self) -> int:
        """Channels of a head."""
        return self.width // self.n_heads


MINILM = Model(width=384, n_heads=12, inner=1536, n_layers=6, tables=(30_522, 512, 2))  # all-MiniLM-L6
BERT_BASE = Model(width=768, n_heads=12, inner=3072, n_layers=12, tables=(30_522, 512, 2))  # Devlin et al. 2019
GPT2_SMALL = Model(
    width=768, n_heads=12, inner=3072, n_layers=12, tables=(50_257, 1024), norm_first=True, logits=True
)  # Radford et al. 2019
TRANSFORMER_BASE = Model(
    width=512, n_heads=8, inner=2048, n_layers=6, n_decoder_layers=6, tables=(37_000,), sinusoids=True, logits=True
)  # Vaswani et al. 2017, WMT
TRANSFORMER_XL = Model(width=410, n_heads=10, inner=2100, n_layers=16)  # Dai et al. 2019, base, WikiText-103
TRANSFORMER_XL_MOE = Model(width=512, n_heads=8, inner=1024, n_layers=12, experts=64)  # FastMoE's example, enwik8
_PLANER_EXPERTS = 8  # our choice: no public code
PLANER = Model(width=512, n_heads=8, inner=2048, n_layers=0)  # sizes recalled: Transformer-XL base on enwik8

_MODELS: dict[str, tuple[Model, tuple[str, ...]]] = {
    "minilm": (MINILM, ("encode=128",)),
    "bert_base": (BERT_BASE, ("encode=128",)),
    "gpt2_small": (GPT2_SMALL, ("generate=128+32", "prefill=128", "decode=128", "score=1024")),
    "transformer_base": (TRANSFORMER_BASE, ("translate=27x27", "translate_naive=27x27", "encode=27", "decode=27")),
    "transformer_xl": (TRANSFORMER_XL, ("segment=150+150",)),
    "transformer_xl_moe": (TRANSFORMER_XL_MOE, ("segment=512+512",)),
}
_PHASE = re.compile(r"([a-z_]+)=([0-9]{1,6})(?:([+x])([0-9]{1,6}))?")
_OPTION_RANGES = {"batch": (1, MOST_SEQUENCES), "beam": (1, MOST_SEQUENCES), "skew": (0, 9999)}
_SEPARATORS = {"generate": "+", "segment": "+", "translate": "x", "translate_naive": "x"}


def names() -> tuple[str, ...]:
    """Names of which `build` knows any size; a model alone stands for its first phase."""
    listed = (f"{model}:{phase}" for model, (_, phases) in _MODELS.items() for phase in phases[1:])
    return ("bert_base_layer", *_MODELS, *listed, "planer:a8+f+a4+m+s:segment=192+192")


def build(name: str) -> tuple[Job, ...] | None:
    """Jobs of a name as above (without a phase: the model's first); None where the name is no transformer's."""
    model_name, *parts = name.split(":")
    if model_name == "bert_base_layer" and not parts:
        return bert_base_layer()
    if model_name == "planer":
        return _planer(name, parts or [""])
    if model_name not in _MODELS:
        return None
    model, phases = _MODELS[model_name]
    parts = parts or [phases[0]]
    phase, sizes = _phase(name, parts[0], [p.partition("=")[0] for p in phases])
    run, known = _PHASES[phase]
    options = _options(name, parts[1:], known)
    try:
        return run(model, *sizes, **options)
    except InputError as error:
        raise InputError(f"workload {name}: {error}") from error


def n_sequences(name: str) -> int:
    """Sequences that a name which `build` knows works on at a time: its batch."""
    return next((int(part[6:]) for part in name.split(":") if part.startswith("batch=")), 1)


def more_sequences(name: str, n: int) -> str | None:
    """The name of the same phase with `n` times the sequences of a name that `build` knows; None for names without."""
    model, *parts = name.split(":")
    if model not in _MODELS:
        return None
    parts = parts or [_MODELS[model][1][0]]
    kept = (part for part in parts if not part.startswith("batch="))
    return ":".join((model, *kept, f"batch={n * n_sequences(name)}"))


def bert_base_layer(n_tokens: int = 128) -> tuple[Layer, ...]:
    """Matrix products of one encoder layer of BERT-base: 768 wide, 12 heads of 64, feed-forward 3072.

    The two products inside attention have activations on both sides: one is written where weights are. Softmax, GELU
    and layer normalization are not in the list, so that machines without a vector unit run it.
    """
    width, n_heads, inner = BERT_BASE.width, BERT_BASE.n_heads, BERT_BASE.inner
    head = BERT_BASE.head
    return merged(
        (
            *(matrix_product(name, n_tokens, width, width) for name in ("query", "key", "value", "attention_output")),
            matrix_product("attention_scores", n_tokens, head, n_tokens, repeat=n_heads),
            matrix_product("attention_values", n_tokens, n_tokens, head, repeat=n_heads),
            matrix_product("feed_forward_up", n_tokens, width, inner),
            matrix_product("feed_forward_down", n_tokens, inner, width),
        )
    )


def encode(model: Model, n_tokens: int, *, batch: int = 1) -> tuple[Job, ...]:
    """The encoder on `batch` sequences of `n_tokens`."""
    jobs = Jobs("encode")
    rows = batch * n_tokens
    jobs.embed(rows, model.width, model.tables, offset=model.sinusoids)
    if not model.sinusoids and not model.norm_first:
        jobs.normalize("embed_norm", rows, model.width, repeat=1, stream=True)
    _stack(jobs, model, model.n_layers, rows, _own(model, batch, n_tokens, n_tokens))
    return tuple(jobs.jobs)


def score(
    model: Model, n_tokens: int, *, batch: int = 1, last_only: bool = False, phase: str = "score"
) -> tuple[Job, ...]:
    """A causal pass over `n_tokens`, and logits of all of them or of the last."""
    jobs = Jobs(phase)
    rows = batch * n_tokens
    jobs.embed(rows, model.width, model.tables)
    _stack(jobs, model, model.n_layers, rows, _own(model, batch, n_tokens, n_tokens, causal_offset=0))
    _end(jobs, model, batch if last_only else rows)
    return tuple(jobs.jobs)


def decode(model: Model, n_keys: int, *, batch: int = 1, beam: int = 1, n_source: int = 0) -> tuple[Job, ...]:
    """One token for each of `batch` sequences of `beam` hypotheses; of the `n_keys` it attends to, only its own is new.

    Of an encoder-decoder, `n_source` tokens (default: n_keys) were encoded, their keys and values are cached, and the
    hypotheses of a sequence share them.
    """
    jobs, rows = Jobs(f"decode.{n_keys}"), batch * beam
    jobs.embed(rows, model.width, model.tables, offset=model.sinusoids)
    own = _own(model, rows, 1, n_keys, causal_offset=n_keys - 1, first_key=n_keys - 1, cached=True)
    cross = None
    if model.n_decoder_layers:
        n_source = n_source or n_keys
        cross = Heads(
            n_heads=model.n_heads, size=model.head, sequences=batch, queries=beam, keys=n_source, first_key=n_source,
            cached=True,
        )  # fmt: skip
    _stack(jobs, model, model.n_decoder_layers or model.n_layers, rows, own, cross)
    _end(jobs, model, rows)
    return tuple(jobs.jobs)


def generate(model: Model, n_prompt: int, n_new: int, *, batch: int = 1, beam: int = 1) -> tuple[Job, ...]:
    """A prefill of `n_prompt` tokens, which gives the first of `n_new`, and a decode step for each of the others."""
    if n_new > MOST_STEPS:
        raise InputError(f"generate: wanted at most {MOST_STEPS} new tokens, got {n_new}; generate fewer")
    found = list(score(model, n_prompt, batch=batch, last_only=True, phase="prefill"))
    for step in range(1, n_new):
        found += decode(model, n_prompt + step, batch=batch, beam=beam)
    return tuple(found)


def translate(
    model: Model, n_source: int, n_target: int, *, batch: int = 1, beam: int = 1, naive: bool = False
) -> tuple[Job, ...]:
    """Encode `n_source` tokens, project them to the decoder's keys and values, and `n_target` decode steps.

    `naive`: without skipping redundant computation: step t runs positions 1 to t and the projections anew.
    """
    if not model.n_decoder_layers:
        raise InputError("translate: wanted an encoder and a decoder, got a model with one stack")
    most = MOST_NAIVE_STEPS if naive else MOST_STEPS
    if n_target > most:
        raise InputError(f"{'translate_naive' if naive else 'translate'}: wanted at most {most} target tokens, "
                         f"got {n_target}; generate fewer")  # fmt: skip
    found = list(encode(model, n_source, batch=batch))
    if naive:
        for step in range(1, n_target + 1):
            found += _naive_step(model, n_source, step, batch, beam)
        return tuple(found)
    found += cross_projection(model, n_source, batch)
    for step in range(1, n_target + 1):
        found += decode(model, step, batch=batch, beam=beam, n_source=n_source)
    return tuple(found)


def cross_projection(model: Model, n_source: int, batch: int = 1) -> tuple[Job, ...]:
    """Keys and values of the encoder's output for all layers of the decoder, brought into the array's order once."""
    jobs = Jobs("encode")
    layers = model.n_decoder_layers
    jobs.product("cross_key_value", batch * n_source, model.width, model.width, repeat=2 * layers)
    # Made once: the pinned tiling of a cache keeps their order the same for all steps.
    heads = Heads(n_heads=model.n_heads, size=model.head, sequences=batch, queries=1, keys=n_source, cached=True)
    for role, product in (("keys", "scores"), ("values", "mix")):
        jobs.weights(f"cross_{role}", role, heads, layers * batch * model.n_heads, reader=f"decode.1.cross_{product}")
    return tuple(jobs.jobs)


def segment(model: Model, n_tokens: int, n_memory: int, *, batch: int = 1, skew: int = 0) -> tuple[Job, ...]:
    """Transformer-XL (Dai et al. 2019): `n_tokens` after a memory of `n_memory`; no embedding and no logits.

    `skew` is the exponent of the experts' popularity in hundredths (`expert_loads`; 0: balanced).

    Queries are not computed on the memory (the published code does, and throws them away).
    """
    jobs = Jobs("segment")
    _relative_attention(jobs, model, n_tokens, n_memory, batch, model.n_heads, model.n_layers)
    _expert_layer(jobs, model, batch * n_tokens, model.n_layers, skew)
    return tuple(jobs.jobs)


def kv_cache_bytes(model: Model, n_tokens: int, bits: int, *, n_source: int = 0) -> int:
    """Bytes of the keys and values of one sequence in all layers; `n_source` tokens of the encoder among them."""
    layers = model.n_decoder_layers or model.n_layers
    return 2 * layers * (n_tokens + n_source) * model.width * bits // 8


def cached_bytes(name: str, bits: int) -> int:
    """Bytes of the keys and values of all sequences of a name as above when it ends; 0 where it has no cache.

    Hypotheses of a beam have keys and values of their own, of the target only.
    """
    model_name, *parts = name.split(":")
    if model_name not in _MODELS:
        return 0
    model, phases = _MODELS[model_name]
    phase, sizes = _phase(name, (parts or [phases[0]])[0], [p.partition("=")[0] for p in phases])
    options = _options(name, parts[1:], _PHASES[phase][1])
    batch, beam = options["batch"], options.get("beam", 1)
    if phase == "generate":  # the last token is not attended to
        return batch * beam * kv_cache_bytes(model, sum(sizes) - 1, bits)
    if phase == "decode":
        of_source = kv_cache_bytes(model, 0, bits, n_source=sizes[0]) if model.n_decoder_layers else 0
        return batch * (beam * kv_cache_bytes(model, sizes[0], bits) + of_source)
    if phase == "translate":
        n_source, n_target = sizes
        of_source = kv_cache_bytes(model, 0, bits, n_source=n_source)
        return batch * (beam * kv_cache_bytes(model, n_target, bits) + of_source)
    return 0


def expert_imbalance(name: str) -> float | None:
    """Tokens of the fullest expert over the mean of all experts, of a name as above; None where it has no experts."""
    model_name, *parts = name.split(":")
    if model_name == "planer" and parts and "m" in parts.pop(0).split("+"):
        n_experts, phase = _PLANER_EXPERTS, (parts or ["segment=192+192"])[0]
    elif model_name in _MODELS and _MODELS[model_name][0].experts:
        n_experts, phase = _MODELS[model_name][0].experts, (parts or _MODELS[model_name][1])[0]
    else:
        return None
    _, (n_tokens, _) = _phase(name, phase, ["segment"])
    options = _options(name, parts[1:], ("batch", "skew"))
    return largest_share(expert_loads(options["batch"] * n_tokens, n_experts, 2, options.get("skew", 0) / 100))


def _own(model: Model, sequences: int, queries: int, keys: int, **more: int) -> Heads:
    return Heads(
        n_heads=model.n_heads, size=model.head, sequences=sequences, queries=queries, keys=keys,
        causal_offset=more.get("causal_offset"), first_key=more.get("first_key", 0), cached=bool(more.get("cached")),
    )  # fmt: skip


def _stack(jobs: Jobs, model: Model, n_layers: int, rows: int, own: Heads, cross: Heads | None = None) -> None:
    """All layers of a stack, each job standing for that of every layer."""
    d = model.width
    norm = partial(jobs.normalize, rows=rows, width=d, repeat=n_layers, stream=not model.norm_first)
    if model.norm_first:
        norm("attention_norm")
    jobs.product("query_key_value", rows, d, d, repeat=3 * n_layers)
    jobs.attention("self", own, repeat=n_layers)
    jobs.product("attention_output", rows, d, d, repeat=n_layers, residual=True)
    if not model.norm_first:
        norm("attention_norm")
    if cross:
        if cross.first_key == 0:  # without a cache, keys and values are projected anew
            jobs.product("cross_key_value", cross.sequences * cross.keys, d, d, repeat=2 * n_layers)
        jobs.product("cross_query", rows, d, d, repeat=n_layers)
        jobs.attention("cross", cross, repeat=n_layers)
        jobs.product("cross_output", rows, d, d, repeat=n_layers, residual=True)
        norm("cross_norm")
    if model.norm_first:
        norm("feed_forward_norm")
    jobs.feed_forward("feed_forward", rows, d, model.inner, repeat=n_layers)
    if not model.norm_first:
        norm("feed_forward_norm")


def _end(jobs: Jobs, model: Model, rows: int) -> None:
    if model.norm_first:
        jobs.normalize("last_norm", rows, model.width, repeat=1, stream=False)
    if model.logits:
        jobs.product("logits", rows, model.width, model.tables[0], wide=True)


def _naive_step(model: Model, n_source: int, step: int, batch: int, beam: int) -> tuple[Job, ...]:
    jobs, sequences = Jobs(f"decode.{step}"), batch * beam
    rows = sequences * step
    jobs.embed(rows, model.width, model.tables, offset=model.sinusoids)
    own = _own(model, sequences, step, step, causal_offset=0)
    cross = _own(model, batch, beam * step, n_source)
    _stack(jobs, model, model.n_decoder_layers, rows, own, cross)
    _end(jobs, model, sequences)
    return tuple(jobs.jobs)


def _relative_attention(
    jobs: Jobs, model: Model, n_tokens: int, n_memory: int, batch: int, n_heads: int, repeat: int
) -> None:
    """Attention with relative positions: a second product of scores, with projected positions in place of keys."""
    d, attended = model.width, n_heads * model.head
    rows, keys = batch * n_tokens, n_tokens + n_memory
    heads = Heads(
        n_heads=n_heads, size=model.head, sequences=batch, queries=n_tokens, keys=keys, causal_offset=n_memory
    )
    jobs.product("query", rows, d, attended, repeat=repeat)
    jobs.product("key_value", batch * keys, d, attended, repeat=2 * repeat)
    jobs.product("position_key", keys, d, attended, repeat=repeat)
    products = repeat * batch * n_heads
    jobs.weights("positions", "keys", heads, products, reader=jobs.named("position_scores"))
    jobs.product(
        "position_scores", n_tokens, model.head, keys, repeat=products, wide=True,
        weights_from=jobs.named("positions"),
    )  # fmt: skip
    jobs.vector("add", "scores_add", n_tokens, keys, repeat=repeat, images=batch * n_heads, to_wide=True)
    jobs.attention("relative", heads, repeat=repeat)
    jobs.product("attention_output", rows, attended, d, repeat=repeat, residual=True)
    jobs.normalize("attention_norm", rows, d, repeat=repeat, stream=True)


def _expert_layer(jobs: Jobs, model: Model, rows: int, repeat: int, skew: int) -> None:
    if model.experts:
        loads = expert_loads(rows, model.experts, 2, skew / 100)
        jobs.mixture("experts", rows, model.width, model.inner, loads, 2, repeat=repeat)
    else:
        jobs.feed_forward("feed_forward", rows, model.width, model.inner, repeat=repeat)
    jobs.normalize("feed_forward_norm", rows, model.width, repeat=repeat, stream=True)


def _planer(name: str, parts: list[str]) -> tuple[Job, ...]:
    """PLANER's choice a block: `aN` attention with N heads, `f` feed-forward, `m` 8 experts of which 2, `s` skipped."""
    blocks = parts[0].split("+")
    for block in blocks:
        if not re.fullmatch(r"a[1248]|f|m|s", block):
            raise InputError(f"workload {name}: wanted blocks a1, a2, a4, a8, f, m or s with + between, got {block!r}")
    _, (n_tokens, n_memory) = _phase(name, parts[1] if parts[1:] else "segment=192+192", ["segment"])
    if all(block == "s" for block in blocks):
        raise InputError(f"workload {name}: wanted a block that is not skipped, got {shown(parts[0])}")
    options = _options(name, parts[2:], ("batch", "skew"))
    rows = options["batch"] * n_tokens
    found: list[Job] = []
    for block in sorted(set(blocks) - {"s"}):
        repeat, jobs = blocks.count(block), Jobs(f"segment.{block}")
        if block[0] == "a":
            _relative_attention(jobs, PLANER, n_tokens, n_memory, options["batch"], int(block[1:]), repeat)
        elif block == "m":
            loads = expert_loads(rows, _PLANER_EXPERTS, 2, options.get("skew", 0) / 100)
            jobs.mixture("experts", rows, PLANER.width, PLANER.inner, loads, 2, repeat=repeat)
            jobs.normalize("experts_norm", rows, PLANER.width, repeat=repeat, stream=True)
        else:
            jobs.feed_forward("feed_forward", rows, PLANER.width, PLANER.inner, repeat=repeat)
            jobs.normalize("feed_forward_norm", rows, PLANER.width, repeat=repeat, stream=True)
        found += jobs.jobs
    return tuple(found)


def _phase(name: str, part: str, known: list[str]) -> tuple[str, tuple[int, ...]]:
    """Phase and its sizes; InputError where the model has no such phase or a size is out of range."""
    match = _PHASE.fullmatch(part)
    if match is None or match[1] not in known:
        raise InputError(f"workload {name}: wanted {_examples(known)}, got {shown(part)}{_misspelt(part, known)}")
    phase, first, separator, second = match.groups()
    if separator != _SEPARATORS.get(phase):
        raise InputError(f"workload {name}: wanted {_examples([phase])}, got {shown(part)}")
    sizes = (int(first),) if second is None else (int(first), int(second))
    smallest = (1, 0) if phase == "segment" else (1, 1)  # a memory may be empty
    if not all(low <= size <= MOST_TOKENS for low, size in zip(smallest, sizes, strict=False)):
        wanted = f"1 to {MOST_TOKENS} tokens" + (" after 0 or more" if phase == "segment" else "")
        raise InputError(f"workload {name}: {phase}: wanted {wanted}, got {part.partition('=')[2]}")
    return phase, sizes


def _misspelt(part: str, known: Sequence[str]) -> str:
    """A hint where the name before `=` is not known; none where it is what follows that is wrong."""
    key = part.partition("=")[0]
    return "" if key in known else nearest(key, known)


def _examples(phases: list[str]) -> str:
    return " or ".join(f"{phase}=128" + (f"{_SEPARATORS[phase]}32" if phase in _SEPARATORS else "") for phase in phases)


def _options(name: str, parts: list[str], known: tuple[str, ...]) -> dict[str, int]:
    """`batch=4` and the like, each at most once; InputError for one that the phase does not have."""
    found, given = {"batch": 1}, set[str]()
    for part in parts:
        key, _, text = part.partition("=")
        lowest, highest = _OPTION_RANGES.get(key, (0, -1))
        is_legal = re.fullmatch(r"[0-9]{1,4}", text) and lowest <= int(text) <= highest
        if key not in known or not is_legal:
            wanted = " or ".join("{}={} to {}".format(option, *_OPTION_RANGES[option]) for option in known)
            raise InputError(f"workload {name}: wanted {wanted}, got {shown(part)}{_misspelt(part, known)}")
        if key in given:
            raise InputError(f"workload {name}: wanted {key} once, got it twice; leave one out")
        given.add(key)
        found[key] = int(text)
    return found


_PHASES: dict[str, tuple[Callable[..., tuple[Job, ...]], tuple[str, ...]]] = {
    "encode": (encode, ("batch",)),
    "score": (score, ("batch",)),
    "prefill": (partial(score, last_only=True, phase="prefill"), ("batch",)),
    "decode": (decode, ("batch", "beam")),
    "generate": (generate, ("batch", "beam")),
    "translate": (translate, ("batch", "beam")),
    "translate_naive": (partial(translate, naive=True), ("batch", "beam")),
    "segment": (segment, ("batch", "skew")),
}
