"""Where the prices come from: every source that the technology tables name, for the nodes that were used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from designs import technology, yaml_strict


class Source(NamedTuple):
    """One entry of a technology table that names its source. `certainty` is the table's own word for it."""

    table: str
    entry: str
    certainty: str
    text: str


def technology_sources(nodes_nm: Collection[int], tables: Collection[str] | None = None) -> list[Source]:
    """The sources of `tables` (None: all), without those of nodes outside `nodes_nm` or of memories not used."""
    found: list[Source] = []
    for path in sorted(technology.FOLDER.glob("*.yaml")):
        if tables is None or path.stem in tables:
            found.extend(_walk(path.stem, "", yaml_strict.load(path), set(nodes_nm)))
    return found


def _walk(table: str, entry: str, node: yaml_strict.Node, nodes_nm: set[int]) -> Iterator[Source]:
    if isinstance(node, yaml_strict.Sequence):
        for item in node.items:
            yield from _walk(table, entry, item, nodes_nm)
    if not isinstance(node, yaml_strict.Mapping):
        return
    values = {key: child.value for key, child in node.entries.items() if isinstance(child, yaml_strict.Scalar)}
    if entry and "node_nm" in values and values["node_nm"] not in nodes_nm:
        return
    for key, value in values.items():
        if key == "source" or key.endswith("_source"):
            part = key.removesuffix("source").removesuffix("_")
            certainty = values.get(f"{part}_certainty" if part else "certainty", "not stated")
            yield Source(table, " ".join(filter(None, (entry, part))) or "all", str(certainty), str(value))
    unused = set() if "default" not in values else {"kinds"}
    for key, child in node.entries.items():
        if key in unused and isinstance(child, yaml_strict.Mapping):
            default = str(values["default"])
            yield from _walk(table, default, child.entries[default], nodes_nm)
        else:
            yield from _walk(table, f"{entry} {key}".strip(), child, nodes_nm)
