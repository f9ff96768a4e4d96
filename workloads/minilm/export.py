"""Export MiniLM's encoder as a float ONNX model: `python -m workloads.minilm.export DIR [--sequence N] [--layers N]`.

Token ids (1, sequence) go in, the last hidden state (1, sequence, 384) comes out, the batch is 1 and every token is
valid (no attention mask). One file serves every length, which is the dynamic dimension `sequence`; with `--sequence N`
the length is fixed; `--layers N` keeps the first N of the six layers, for circuits.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from designs.errors import InputError
from designs.whole_file import whole_file
from workloads.minilm.package import model_folder, needed

OPSET = 21  # the first with 16-bit and 4-bit QuantizeLinear in the main domain
IR_VERSION = 10  # the one that goes with that opset, and that every reader knows
LONGEST = 512  # positions that the model has learnt
N_LAYERS = 6
FLOAT_NAME = "float.onnx"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input, told in one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m workloads.minilm.export", description="MiniLM's encoder as a float ONNX model."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="where float.onnx is written; made where it is not")
    parser.add_argument("--sequence", type=int, metavar="N", help="fixed number of tokens (any, bound later)")
    parser.add_argument("--layers", type=int, metavar="N", help="the first N layers only (all)")
    options = parser.parse_args(arguments)
    try:
        path = export(options.folder, options.sequence, options.layers)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(path)
    return 0


def export(folder: Path, n_tokens: int | None = None, n_layers: int | None = None) -> Path:
    """Write `float.onnx` into the folder and answer its path; InputError for a size that the model has not."""
    if n_tokens is not None and not 2 <= n_tokens <= LONGEST:
        raise InputError(f"--sequence {n_tokens}: wanted 2 to {LONGEST} tokens, got {n_tokens}")
    if n_layers is not None and not 1 <= n_layers <= N_LAYERS:
        raise InputError(f"--layers {n_layers}: wanted 1 to {N_LAYERS} layers, got {n_layers}")
    source = model_folder()
    torch, transformers = needed("torch"), needed("transformers")
    print(f"reading {source}", file=sys.stderr)
    bert = transformers.AutoModel.from_pretrained(source, attn_implementation="eager", local_files_only=True).eval()
    bert.encoder.layer = bert.encoder.layer[:n_layers]
    print("exporting (about 15 s)", file=sys.stderr)
    model = _exported(torch, _encoder(torch, bert), n_tokens)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: wanted a folder to write to, got: {error.strerror}; name another") from error
    with whole_file(folder / FLOAT_NAME) as part:
        onnx.save(model, part)
    return folder / FLOAT_NAME


def _encoder(torch: Any, bert: Any) -> Any:
    """Embeddings and layers without the mask; learnt positions and the one token type are summed beforehand."""

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            words = bert.embeddings
            self.words, self.norm, self.layers = words.word_embeddings, words.LayerNorm, bert.encoder
            fixed = words.position_embeddings.weight + words.token_type_embeddings.weight[0]
            self.register_buffer("positions", fixed[None].detach().clone())

        def forward(self, token_ids: Any) -> Any:
            x = self.words(token_ids) + self.positions[:, : token_ids.shape[1]]
            return self.layers(self.norm(x)).last_hidden_state

    return Encoder().eval()


def _exported(torch: Any, encoder: Any, n_tokens: int | None) -> onnx.ModelProto:
    example = torch.zeros(1, n_tokens or 32, dtype=torch.int64)
    shapes = None if n_tokens else ({1: torch.export.Dim("sequence", min=2, max=LONGEST)},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about its own modules
        program = torch.onnx.export(
            encoder, (example,), dynamo=True, opset_version=OPSET, dynamic_shapes=shapes, verbose=False,
            input_names=["token_ids"], output_names=["last_hidden_state"],
        )  # fmt: skip
    model = program.model_proto
    model.ir_version = IR_VERSION
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]  # stack traces of whoever exported it
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    sys.exit(main())
