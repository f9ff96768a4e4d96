"""Classifiers on disk: one `.npz` of plain arrays, checked in full when it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from designs.errors import InputError
from designs.spelling import shown
from designs.whole_file import whole_file
from workloads.archives import UNREADABLE, arrays_of, one_line
from workloads.classifiers.classifier import Answer, Classifier
from workloads.kinds import array_names
from workloads.netlist import Netlist
from workloads.netlist_builder import check

FORMAT = "lockstep-classifier-1"
_HEADER = "classifier"  # the array that tells this file from a graph and from a data set
_NETLIST_ARRAYS = ("fanin_start", "fanin", "table_start", "roles", "outputs")
_ARRAYS = (*_NETLIST_ARRAYS, "tables", "samples")  # the last two as bits, packed


def is_classifier_file(path: str | Path) -> bool:
    """Whether the file is an archive that says it holds a classifier; it may be damaged all the same."""
    return _HEADER in (array_names(path) or ())


def classifier_digest(classifier: Classifier) -> str:
    """SHA-256 (hex) of the circuit, its names, its samples and labels, and how answers are read; not of `facts`."""
    return _digest(_header(classifier), _arrays(classifier))


def save_classifier(classifier: Classifier, path: str | Path) -> None:
    """Write a classifier as `.npz`, whole or not at all; the same classifier gives the same bytes.

    InputError for another ending and for a path that cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"{path}: wanted a name that ends in .npz, got {shown(path.suffix)}; rename it")
    header, arrays = _header(classifier), _arrays(classifier)
    header |= {"digest": _digest(header, arrays), "facts": {k: float(v) for k, v in classifier.facts.items()}}
    text = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    with whole_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **{_HEADER: text}, **arrays)  # type: ignore[arg-type]


def load_classifier(path: str | Path) -> Classifier:
    """Read and check a classifier that `save_classifier` wrote; InputError naming the file for anything else."""
    path = Path(path)
    wanted = "a classifier file of lockstep train or trace"
    try:
        header, arrays = _read(path)
    except UNREADABLE as error:
        reason = one_line(error)
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        raise InputError(f"{path}: wanted {wanted}, got: {reason}; write it again") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"{path}: wanted {wanted} of format {FORMAT!r}, got another; write it again")
    for name in _ARRAYS:
        if name not in arrays:
            raise InputError(f"{path}: wanted {wanted}, got one without the array {name}; write it again")
    try:
        classifier = _classifier(header, arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}; write it again") from error
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: wanted {wanted} with a legal header, got: {reason}; write it again") from error
    if header.get("digest") != classifier_digest(classifier):
        raise InputError(f"{path}: wanted {wanted}, got one whose content is not what was written; write it again")
    return classifier


def _header(classifier: Classifier) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "answer": classifier.answer,
        "n_classes": classifier.n_classes,
        "score_bits": classifier.score_bits,
        "n_samples": len(classifier.samples),
        "input_names": list(classifier.netlist.input_names),
        "output_names": list(classifier.netlist.output_names),
    }


def _arrays(classifier: Classifier) -> dict[str, np.ndarray]:
    netlist = classifier.netlist
    arrays = {
        "fanin_start": netlist.fanin_start.astype("<i8"),
        "fanin": netlist.fanin.astype("<i4"),
        "table_start": netlist.table_start.astype("<i8"),
        "roles": netlist.roles.astype("u1"),
        "outputs": netlist.outputs.astype("<i4"),
        "tables": np.packbits(netlist.tables),
        "samples": np.packbits(classifier.samples),
    }
    if classifier.labels is not None:
        arrays["labels"] = classifier.labels.astype("<i8")
    return arrays


def _digest(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    loaded = np.load(path, allow_pickle=False)
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        raise ValueError("a single array")
    with loaded as archive:
        if _HEADER not in archive.files:
            raise ValueError(f"arrays {', '.join(archive.files) or 'none'}"[:100])
        text = arrays_of(archive, (_HEADER,))[_HEADER].tobytes().decode()
        arrays = arrays_of(archive, (*_ARRAYS, "labels"))
    return json.loads(text), arrays


def _classifier(header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Classifier:
    for name, array in arrays.items():
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError(f"{name}: wanted a list of integers, got {array.dtype} of shape {array.shape}")
    input_names, output_names = _names(header, "input_names"), _names(header, "output_names")
    n_samples = _count(header, "n_samples")
    starts = arrays["table_start"].astype(np.int64)
    netlist = Netlist(
        input_names=input_names,
        output_names=output_names,
        fanin_start=arrays["fanin_start"].astype(np.int64),
        fanin=_narrow(arrays, "fanin", np.int32),
        table_start=starts,
        tables=_bits(arrays["tables"], int(starts[-1]) if len(starts) else 0, "tables"),
        roles=_narrow(arrays, "roles", np.uint8),
        outputs=_narrow(arrays, "outputs", np.int32),
    )
    check(netlist, "circuit")
    samples = _bits(arrays["samples"], n_samples * len(input_names), "samples").reshape(n_samples, len(input_names))
    classifier = Classifier(
        netlist=netlist,
        samples=samples,
        labels=arrays["labels"].astype(np.int64) if "labels" in arrays else None,
        answer=header["answer"],
        n_classes=_count(header, "n_classes"),
        score_bits=_count(header, "score_bits"),
        facts={str(name): float(value) for name, value in header["facts"].items()},
    )
    _check_answer(classifier)
    return classifier


def _check_answer(classifier: Classifier) -> None:
    if classifier.answer not in get_args(Answer):
        raise InputError(f"answer: wanted one of {', '.join(get_args(Answer))}, got {shown(classifier.answer)}")
    n_outputs = classifier.netlist.n_outputs
    if classifier.answer == "scores" and (
        classifier.score_bits < 1 or classifier.n_classes * classifier.score_bits != n_outputs
    ):
        wanted = f"{classifier.n_classes} classes of {classifier.score_bits} bits"
        raise InputError(f"score_bits: wanted {wanted} in all outputs, got {n_outputs} outputs")
    labels = classifier.labels
    if labels is not None and len(labels) != len(classifier.samples):
        raise InputError(f"labels: wanted one for each of {len(classifier.samples)} samples, got {len(labels)}")


def _narrow(arrays: Mapping[str, np.ndarray], name: str, kind: type[np.integer]) -> np.ndarray:
    array, limits = arrays[name], np.iinfo(kind)
    if len(array) and not (limits.min <= int(array.min()) and int(array.max()) <= limits.max):
        raise InputError(f"{name}: wanted {limits.min} to {limits.max}, got {array.min()} to {array.max()}")
    return array.astype(kind)


def _bits(packed: np.ndarray, count: int, name: str) -> np.ndarray:
    if packed.dtype != np.uint8 or count < 0 or len(packed) != (count + 7) // 8:
        raise InputError(f"{name}: wanted {count} bits, got {len(packed)} bytes")
    return np.unpackbits(packed, count=count)


def _names(header: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = header[key]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{key}: wanted a list of names, got {shown(names)}")
    return tuple(names)


def _count(header: Mapping[str, Any], key: str) -> int:
    value = header[key]
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise InputError(f"{key}: wanted a count, got {shown(value)}")
    return value
