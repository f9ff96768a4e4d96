"""The picture of docs/fhe.md: the stations of a bootstrapping machine, and what a batch does when."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from docs.drawing import CONTROL, DATAPATH, ENGINE, MEMORY, arrow, box, canvas, text
from reports.style import BLUE, FAINT, GREEN, INK, MUTED, ORANGE

WIDTH, HEIGHT = 900, 590


def bootstrapping_machine() -> Figure:
    """Streams, one of the cores with its stations and memories, key rows; below, two batches over time."""
    figure, axes = canvas(WIDTH, HEIGHT)
    box(axes, 112, 10, 676, 392, "", "white", edge=FAINT)
    _load(axes)
    for shift in (8, 4, 0):  # cores, one behind the other
        box(axes, 256 + shift, 96 - shift, 518, 252, "", "white", edge=FAINT if shift else MUTED)
    _rotation(axes)
    _key(axes)
    _key_switch(axes)
    _batches(axes)
    return figure


def _load(axes: Axes) -> None:
    box(axes, 8, 130, 90, 74, "commands,\nciphertexts\n\nD words", ENGINE)
    box(axes, 126, 106, 104, 122, "LOAD\n\ns1 A + s2 B\n+ constant,\nmodulus switch", CONTROL)
    arrow(axes, [(98, 167), (126, 167)], BLUE)


def _rotation(axes: Axes) -> None:
    text(axes, 764, 336, "C cores", ha="right", color=MUTED)
    box(axes, 268, 112, 92, 52, "exponents\n2 x B slots", MEMORY)
    arrow(axes, [(230, 138), (268, 138)], BLUE)
    box(axes, 268, 196, 92, 100, "ACC\n\nB x (k + 1)\npolynomials\nINIT fills", MEMORY)
    box(axes, 384, 112, 96, 76, "ROT\n\nr rotators,\nd digits each", DATAPATH)
    box(axes, 504, 112, 112, 76, "F: R ranks of\nP/2 butterflies\n\nr d transforms", DATAPATH)
    box(axes, 640, 112, 118, 76, "MAC\n\nr d m P\nmultipliers", DATAPATH)
    box(axes, 640, 220, 118, 76, "transformed\naccumulator\n\n2 places", MEMORY)
    box(axes, 504, 220, 112, 76, "I: R ranks of\nP/2 butterflies\n\nv transforms", DATAPATH)
    box(axes, 384, 220, 96, 76, "WB\n\nlift, add", DATAPATH)
    arrow(axes, [(314, 164), (314, 178), (372, 178), (372, 136), (384, 136)], BLUE)
    arrow(axes, [(360, 214), (374, 214), (374, 166), (384, 166)], ORANGE)
    for start, end, y in ((480, 504, 150), (616, 640, 150)):
        arrow(axes, [(start, y), (end, y)], ORANGE)
    arrow(axes, [(699, 188), (699, 220)], ORANGE)
    for start, end in ((640, 616), (504, 480), (384, 360)):
        arrow(axes, [(start, 258), (end, 258)], ORANGE)
    text(axes, 446, 204, "n steps x slots x G groups", size=7, color=ORANGE)


def _key(axes: Axes) -> None:
    box(axes, 8, 26, 90, 48, "bootstrapping\nkey, E residues", ENGINE)
    box(axes, 560, 24, 198, 52, "K key rows, for all cores and slots:\n(k + 1)² l N residues each", MEMORY, size=7.2)
    arrow(axes, [(98, 50), (560, 50)], BLUE)
    arrow(axes, [(699, 76), (699, 112)], BLUE)


def _key_switch(axes: Axes) -> None:
    box(axes, 268, 312, 92, 30, "EXTRACT", DATAPATH)
    arrow(axes, [(314, 296), (314, 312)], GREEN)
    box(axes, 384, 306, 232, 40, "KEY SWITCH: U units of V lanes\nsigned digits x key words", DATAPATH, size=7.2)
    arrow(axes, [(360, 327), (384, 327)], GREEN)
    box(axes, 8, 356, 90, 36, "key-switching\nkey, V words", ENGINE, size=7.2)
    arrow(axes, [(98, 374), (500, 374), (500, 346)], BLUE)
    box(axes, 800, 306, 92, 40, "STORE\nD words", ENGINE)
    arrow(axes, [(616, 327), (800, 327)], GREEN)


def _batches(axes: Axes) -> None:
    text(axes, 20, 426, "Batches overlap", weight="bold", ha="left")
    rows = (("LOAD", CONTROL), ("rotation", DATAPATH), ("KEY SWITCH", DATAPATH), ("STORE", ENGINE))
    spans = {  # what -> left edges and width, of a batch and the next; not to scale
        "LOAD": ((110, 250), 60), "rotation": ((172, 452), 278), "KEY SWITCH": ((452, 732), 104),
        "STORE": ((558, 838), 44),
    }  # fmt: skip
    for index, (name, fill) in enumerate(rows):
        y = 444 + 32 * index
        text(axes, 98, y + 13, name, ha="right", color=INK)
        lefts, width = spans[name]
        for batch, left in enumerate(lefts):
            words = {"rotation": f"batch {batch}: INIT, n steps, EXTRACT", "KEY SWITCH": f"batch {batch}"}
            box(axes, left, y, width, 26, words.get(name, f"{batch}"), fill, size=7.2)
    text(axes, 20, 580, "batch 2 may load what batch 0 stored while batch 1 rotates", ha="left", color=MUTED)
