"""`lockstep trace circuit.blif`: a circuit becomes a classifier file, with samples to run it on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.spelling import shown
from workloads.classifiers.classifier import Answer, Classifier
from workloads.classifiers.data import load_samples
from workloads.classifiers.files import save_classifier
from workloads.importers.blif import import_blif
from workloads.importers.gates import Imported
from workloads.importers.verilog import import_verilog
from workloads.netlist import Netlist

CIRCUITS = (".blif", ".v", ".sv")
N_RANDOM_SAMPLES = 1024
_SEED = 0


def trace(
    file: str | Path, output: str | Path, *, bind: Mapping[str, int] | None = None, samples: str | Path | None = None
) -> dict[str, Any]:
    """Import a circuit (.blif, .v, .sv) and write it as a classifier file; what was imported, counted.

    `samples` is an .npz of features and labels, see `classifier_of_file`. InputError for what cannot be imported.
    """
    if bind:
        raise InputError(f"--bind {next(iter(bind))}: wanted dimensions beside a model only, got {file}; leave it out")
    classifier, imported = classifier_of_file(file, samples)
    save_classifier(classifier, output)
    return {
        "n_inputs": imported.netlist.n_inputs,
        "n_outputs": imported.netlist.n_outputs,
        "n_luts": imported.netlist.n_luts,
        "n_register_stages_left_out": imported.n_register_stages,
        "inputs_left_out": list(imported.dropped_inputs),
        "n_samples": len(classifier.samples),
        "samples_are_random": samples is None,
    }


def classifier_of_file(file: str | Path, samples: str | Path | None = None) -> tuple[Classifier, Imported]:
    """A circuit as a classifier, and what is to be told about the import.

    Without `samples` it runs on N_RANDOM_SAMPLES random vectors, the same every time; its activity is then that of
    random vectors, no real data's (fact `random_samples`), and what its outputs mean is not known. `samples` is an .npz
    of `features` and `labels`. A feature is as many inputs of the circuit as it takes for all to be used, in the order
    of the inputs, bit 0 first. The outputs are then the index of the class, if they are as many as that has bits; or
    for each class in turn a signed score of two bits or more. InputError for a file that does not fit so.
    """
    file = Path(file)
    if file.suffix not in CIRCUITS:
        raise InputError(f"{file}: wanted a circuit ({', '.join(CIRCUITS)}), got {shown(file.suffix)}; name another")
    imported = import_blif(file) if file.suffix == ".blif" else import_verilog(file)
    netlist = imported.netlist
    if samples is None:
        vectors = np.random.default_rng(_SEED).integers(0, 2, (N_RANDOM_SAMPLES, netlist.n_inputs), dtype=np.uint8)
        facts = {"random_samples": 1.0}
        return Classifier(netlist=netlist, samples=vectors, labels=None, answer="bits", facts=facts), imported
    features, labels = load_samples(samples)
    n_classes = int(labels.max()) + 1
    answer, score_bits = _answer(samples, netlist, n_classes)
    vectors = _bits_of(samples, features, netlist.n_inputs)
    return (
        Classifier(
            netlist=netlist, samples=vectors, labels=labels, answer=answer, n_classes=n_classes, score_bits=score_bits
        ),
        imported,
    )


def _bits_of(samples: str | Path, features: np.ndarray, n_inputs: int) -> np.ndarray:
    n_features = features.shape[1]
    bits = n_inputs // n_features
    if bits * n_features != n_inputs or bits == 0:
        raise InputError(
            f"{samples}: features: wanted as many as the circuit has inputs ({n_inputs}), or a share of that, "
            f"got {n_features}; cut or binarize them"
        )
    if int(features.max()) >> bits:
        raise InputError(
            f"{samples}: features: wanted {bits} bits each, as {n_inputs} inputs over {n_features} features allow, "
            f"got {int(features.max())}; scale them"
        )
    return ((features[:, :, None] >> np.arange(bits, dtype=np.uint16)) & 1).astype(np.uint8).reshape(-1, n_inputs)


def _answer(samples: str | Path, netlist: Netlist, n_classes: int) -> tuple[Answer, int]:
    n_outputs = netlist.n_outputs
    index_bits = max(1, (n_classes - 1).bit_length())
    if n_outputs == index_bits:
        return "class", 0
    if n_outputs % n_classes == 0 and n_outputs // n_classes >= 2:
        return "scores", n_outputs // n_classes
    raise InputError(
        f"{samples}: labels: wanted {n_classes} classes as {index_bits} output bits (the index) or as signed scores of "
        f"two bits or more each, got a circuit of {n_outputs} outputs; leave the samples out, or mend its outputs"
    )
