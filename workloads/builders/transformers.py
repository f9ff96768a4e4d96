"""Matrix products of transformers."""

from __future__ import annotations

from workloads.builders.shapes import matrix_product, merged
from workloads.layer import Layer


def bert_base_layer(n_tokens: int = 128) -> tuple[Layer, ...]:
    """One encoder layer of BERT-base (Devlin et al. 2019): 768 wide, 12 heads of 64, feed-forward 3072.

    The two products inside attention have activations on both sides: one is written where weights are. Softmax, GELU
    and layer normalization are not matrix products and not in the list.
    """
    width, n_heads, inner = 768, 12, 3072
    head = width // n_heads
    return merged(
        (
            *(matrix_product(name, n_tokens, width, width) for name in ("query", "key", "value", "attention_output")),
            matrix_product("attention_scores", n_tokens, head, n_tokens, repeat=n_heads),
            matrix_product("attention_values", n_tokens, n_tokens, head, repeat=n_heads),
            matrix_product("feed_forward_up", n_tokens, width, inner),
            matrix_product("feed_forward_down", n_tokens, inner, width),
        )
    )
