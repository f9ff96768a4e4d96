"""(design, layer, tiling) -> the program of a tensor machine, its DRAM image, and the outputs out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How a layer is cut: the three tile sizes and which loop is outside. The k loop (input blocks) is innermost."""

    rows: int  # output rows of a tile
    blocks: int  # input channel blocks of a tile
    channels: int  # output channels of a tile, a multiple of design.channel_unit
    order: Literal["rows_outer", "channels_outer"] = "rows_outer"
