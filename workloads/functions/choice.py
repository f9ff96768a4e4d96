"""Which integer function stands for softmax and for GELU: part of a machine's design, and of a network's meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from designs.errors import InputError

SoftmaxFunction = Literal["i_bert", "ita", "table"]
GeluFunction = Literal["i_bert", "table"]


@dataclass(frozen=True, kw_only=True)
class FunctionChoice:
    """The functions of `workloads.functions` in use; `ita_block` is how many columns ITA's softmax takes at a time."""

    softmax: SoftmaxFunction = "i_bert"
    gelu: GeluFunction = "i_bert"
    ita_block: int = 16


I_BERT = FunctionChoice()


def check_functions(choice: FunctionChoice) -> None:
    """Raise InputError where the choice names no function or a block without columns."""
    for field, kinds in (("softmax", SoftmaxFunction), ("gelu", GeluFunction)):
        if getattr(choice, field) not in get_args(kinds):
            raise InputError(f"{field}: wanted one of {', '.join(get_args(kinds))}, got {getattr(choice, field)!r}")
    if choice.ita_block < 1:
        raise InputError(f"ita_block: wanted at least 1 column, got {choice.ita_block}")
