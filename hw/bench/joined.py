"""Verilog in which a net that is assigned slice by slice is assigned once: the same circuit, quicker in Icarus.

Icarus takes each assignment to a slice for a driver of the whole net and resolves all of them bit by bit whenever one
changes: where words are wide, that is most of a simulation. Here each slice is a net of its own, and the whole their
concatenation.
"""

from __future__ import annotations

import re
from collections import defaultdict

_MODULE = re.compile(r"^module .*?^endmodule", re.MULTILINE | re.DOTALL)
_NAME = r"(\\\S+ |[A-Za-z_]\w*)"
_NET = re.compile(rf"^ +(?:(?:input|output) )?(?:wire|reg) (?:signed )?\[(\d+):0\] {_NAME}(?: =|;)", re.MULTILINE)
_ASSIGN = re.compile(r"^  assign (.*?) = ", re.MULTILINE)  # up to the first of them: a left side has none
# A slice, or an escaped name alone: such a name may have brackets of its own.
_SLICE = re.compile(r"(?P<name>\\\S+ |[A-Za-z_]\w*(?=\[))(?:\[(?P<high>\d+)(?::(?P<low>\d+))?\])?")


def joined(verilog: str) -> str:
    """The text with nets joined whose slices, assigned apart, are all of the net; everything else as it is."""
    return _MODULE.sub(lambda module: _joined_module(module[0]), verilog)


def _joined_module(text: str) -> str:
    widths = {name.strip(): int(high) + 1 for high, name in _NET.findall(text)}
    slices: dict[str, dict[int, int]] = defaultdict(dict)  # net -> low bit -> high bit
    for left in _ASSIGN.findall(text):
        for name, high, low in _SLICE.findall(left):
            if high:
                slices[name.strip()][int(low or high)] = int(high)
    whole = {name: parts for name, parts in slices.items() if name in widths and _tiles(parts, widths[name])}
    numbers = {name: number for number, name in enumerate(whole)}

    def part(name: str, low: int) -> str:
        return f"joined_{numbers[name]}_{low}"

    def own_net(match: re.Match[str]) -> str:
        name = match["name"].strip()
        return part(name, int(match["low"] or match["high"])) if match["high"] and name in whole else match[0]

    body = _ASSIGN.sub(lambda match: f"  assign {_SLICE.sub(own_net, match[1])} = ", text)
    nets = [
        f"  wire [{high - low}:0] {part(name, low)};\n"
        for name, parts in whole.items() for low, high in parts.items()
    ]  # fmt: skip
    sums = []
    for name, parts in whole.items():
        ends = " " if name.startswith("\\") else ""  # of an escaped name
        joined_parts = ", ".join(part(name, low) for low in sorted(parts, reverse=True))
        sums.append(f"  assign {name}{ends} = {{ {joined_parts} }};\n")
    head, end = body.index(";\n") + 2, body.rindex("endmodule")
    return body[:head] + "".join(nets) + body[head:end] + "".join(sums) + body[end:]


def _tiles(parts: dict[int, int], width: int) -> bool:
    """Whether the slices (low -> high bit) are the whole net, side by side, and more than one."""
    at = 0
    for low in sorted(parts):
        if low != at:
            return False
        at = parts[low] + 1
    return at == width and len(parts) > 1
