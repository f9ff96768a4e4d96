"""A compressed network as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNITS = {"cycles": "cycles", "bytes": "bytes", "energy": "pJ"}


def compressed(found: Mapping[str, Any]) -> str:
    """The trials, and the network that was found beside its reference."""
    seen = "; the given weights were trained on them" if found["validation_was_seen"] else ""
    lines = [
        f"{found['network']} on {found['space']}, fewest {found['objective']}, accuracy >= {found['accuracy_floor']:g} "
        f"on {found['n_validation_images']} validation images{seen}",
        "",
        f"trial  accuracy  {_UNITS[found['objective']]:>10}  found by",
        *(_trial(number, trial, found["objective"]) for number, trial in enumerate(found["trials"], 1)),
        "",
    ]
    before, after = found["reference"], found["compressed"]
    if after is None:
        return "\n".join([*lines, f"no trial keeps the floor and costs less than the reference, whose accuracy is "
                          f"{before['validation_accuracy']:.4f}; lower --floor"])  # fmt: skip
    labels, ratios, test = found["labels"], found["ratios"], found["test"]
    verdict = "keeps the floor there too" if test["keeps_floor"] else "below the floor there"
    lines += [
        "choice       " + ", ".join(f"{name} {value}" for name, value in found["choice"].items()),
        f"bytes        {before['bytes']:,} -> {after['bytes']:,} ({ratios['bytes']:.2f} x), with indices and scales",
        f"MACs         {before['n_macs']:,} -> {after['n_macs']:,} ({ratios['n_macs']:.2f} x; "
        f"{ratios['nonzero_macs']:.2f} x by non-zero weights)",
        f"cycles       {before['cycles']:,} -> {after['cycles']:,} ({ratios['cycles']:.2f} x)",
        f"energy       {before['energy_pj'] / 1e6:.3g} -> {after['energy_pj'] / 1e6:.3g} µJ "
        f"({ratios['energy_pj']:.2f} x)",
        f"validation   {before['validation_accuracy']:.4f} -> {after['validation_accuracy']:.4f}",
        f"test top-1   {labels['top1_before']:.4f} -> {labels['top1_after']:.4f} ({verdict}; 95 % interval "
        f"{test['interval'][0]:.3f} to {test['interval'][1]:.3f}; these {test['n_images']} images chose nothing)",
        f"labels       {labels['changed']:.2%} changed; {_share(labels['changed_where_right'])} where the reference is "
        f"right; by class {labels['class_min']:.2%} to {labels['class_max']:.2%}, deviation {labels['class_std']:.2%}",
        *(
            f"  {layer['name']:10} {layer['n_nonzeros']:>6,} of {layer['n_weights']:>6,} weights, "
            f"{layer['weight_bits']} bits, {layer['format']}: {layer['bytes']:,} bytes"
            for layer in after["layers"]
        ),
        *([f"written      {found['output']}"] if found["output"] else []),
    ]
    return "\n".join(lines)


def _trial(number: int, trial: Mapping[str, Any], objective: str) -> str:
    kept = "" if trial["feasible"] else ", below the floor"
    return f"{number:>5}  {trial['accuracy']:>8.4f}  {trial['costs'][objective]:>10,.0f}  {trial['origin']}{kept}"


def _share(share: float | None) -> str:
    return "none" if share is None else f"{share:.2%}"
