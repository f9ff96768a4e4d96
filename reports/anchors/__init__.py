"""Results of others to set beside ours: tables with their sources, read strictly."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from designs import yaml_strict

LUT_NETWORKS = Path(__file__).parent / "lut_networks.yaml"
CERTAINTIES = ("measured", "primary", "survey", "recalled")
WHOLE = "whole"


class Network(NamedTuple):
    """One kind of network on one data set."""

    name: str
    certainty: str  # one of CERTAINTIES; the table says what they mean
    counts: str  # WHOLE, or what its LUTs leave out
    points: tuple[tuple[float, float], ...]  # (LUTs, accuracy in per cent)


def lut_networks(workload: str, path: Path = LUT_NETWORKS) -> tuple[Network, ...]:
    """LUT networks measured on a workload's data and split; none where there are none. InputError for a bad table."""
    top = yaml_strict.load(path)
    top.expect_keys(["sets"], "the table")
    found: tuple[Network, ...] = ()
    for entry in _items(top.entries["sets"]):
        fields = _fields(entry, ("workload", "data", "networks"), "a set")
        name = _text(fields["workload"])
        networks = tuple(_network(node) for node in _items(fields["networks"]))
        _text(fields["data"])
        if workload == name or (name.endswith(":") and workload.startswith(name)):
            found += networks
    return found


def _network(node: yaml_strict.Node) -> Network:
    fields = _fields(node, ("name", "certainty", "counts", "points"), "a network")
    certainty = _text(fields["certainty"])
    if certainty not in CERTAINTIES:
        raise fields["certainty"].place.error(f"wanted one of {', '.join(CERTAINTIES)}, got {certainty}")
    points = tuple(_point(item) for item in _items(fields["points"]))
    return Network(_text(fields["name"]), certainty, _text(fields["counts"]), points)


def _point(node: yaml_strict.Node) -> tuple[float, float]:
    values = [item.value for item in _items(node) if isinstance(item, yaml_strict.Scalar)]
    match values:
        case [int(luts), int() | float() as accuracy] if luts > 0 and 0 < accuracy <= 100:
            return float(luts), float(accuracy)
    raise node.place.error(f"wanted [LUTs, accuracy in per cent], got {values}")


def _fields(node: yaml_strict.Node, names: tuple[str, ...], what: str) -> dict[str, yaml_strict.Node]:
    if not isinstance(node, yaml_strict.Mapping):
        raise node.place.error(f"wanted {what} with the keys {', '.join(names)}, got {yaml_strict.describe(node)}")
    node.expect_keys(names, what)
    for name in names:
        if name not in node.entries:
            raise node.place.error(f"wanted the key {name} of {what}, got none")
    return node.entries


def _items(node: yaml_strict.Node) -> tuple[yaml_strict.Node, ...]:
    if not isinstance(node, yaml_strict.Sequence):
        raise node.place.error(f"wanted a list, got {yaml_strict.describe(node)}")
    return node.items


def _text(node: yaml_strict.Node) -> str:
    if not isinstance(node, yaml_strict.Scalar) or not isinstance(node.value, str):
        raise node.place.error(f"wanted a text, got {yaml_strict.describe(node)}")
    return node.value
