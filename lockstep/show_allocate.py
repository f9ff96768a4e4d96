"""Text of `lockstep allocate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.tables import Cell, cell, make_table


def allocated(found: Mapping[str, Any]) -> str:
    """The methods beside each other, then the widths that differ from the largest."""
    limits = ", ".join(
        f"{found[f'{which}_limit_bytes']:,} bytes of {label}"
        for which, label in (("flash", "flash"), ("ram", "RAM"))
        if found[f"{which}_limit_bytes"] is not None
    )
    lines = [f"{found['network']}: a width for each tensor, for {limits or 'no limits'}", ""]
    lines += [_methods(found), ""]
    lines += [_infeasible(answer) for answer in found["answers"] if answer["shortfall"] is not None]
    widths = _widths(found)
    lines += [*widths, ""] if widths else []
    if found["loss_is"]:
        lines.append(f"loss: {found['loss_is']}")
    lines.append("bytes are of packed storage; a tensor machine holds narrow tensors at its act_bits and weight_bits")
    lines += found["remarks"]
    if found["output"] is not None:
        use = f"lockstep simulate tensor --workload {found['output']}{_set(found)}"
        lines += [f"written: {found['output']}", f"use it: {use}"]
    return "\n".join(lines)


def _set(found: Mapping[str, Any]) -> str:
    """What the machine needs for the file: shifts, or a multiplier a channel."""
    if found["scales"] == "power_of_two":
        return " --set requant=shift"
    return " --set requant_granularity=per_channel" if found["normalization"] == "per_channel" else ""


def _methods(found: Mapping[str, Any]) -> str:
    is_measured = found["widest"]["measured"] is not None
    columns = [("method", False), ("flash", True), ("RAM", True), ("loss", True)]
    columns += [("measured", True), ("test accuracy", True)] if is_measured else []
    columns += [("choices", True), ("seconds", True), ("", False)]
    rows = [_row("all widest", found["widest"] | {"loss": 0.0}, is_measured, ["", "", ""])]
    for answer in found["answers"]:
        if answer["shortfall"] is not None:
            continue
        end = [f"{answer['n_evaluated']:,}", f"{answer['seconds']:.2f}", _proof(answer)]
        rows.append(_row(answer["method"], answer, is_measured, end))
    return make_table(columns, rows).console()


def _row(name: str, answer: Mapping[str, Any], is_measured: bool, end: Sequence[str]) -> list[Cell]:
    loss = answer["loss"]
    texts = [name, f"{answer['flash_bytes']:,}", f"{answer['ram_bytes']:,}", "-" if loss is None else f"{loss:.4g}"]
    if is_measured:
        texts += [f"{answer['measured']['loss']:.4g}", f"{answer['measured']['test_accuracy']:.2%}"]
    return [cell(text) for text in (*texts, *end)]


def _proof(answer: Mapping[str, Any]) -> str:
    if answer["is_optimal"]:
        return "optimum of the loss"
    if answer["gap"] is not None:
        return f"within {answer['gap']:.2%} of the optimum"
    return ""


def _infeasible(answer: Mapping[str, Any]) -> str:
    short = answer["shortfall"]
    limit, where = ("RAM", f" in {short['step']}") if short["limit"] == "ram" else ("flash", "")
    least = "at least" if short["proven"] else "with what it finds"
    return (
        f"{answer['method']}: infeasible: {limit}{where}: {least} {short['needed_bytes']:,} bytes, "
        f"{short['over_bytes']:,} more than the {short['limit_bytes']:,} there are"
    )


def _widths(found: Mapping[str, Any]) -> list[str]:
    """Tensors that some method makes narrower, a column a method."""
    answers = [answer for answer in found["answers"] if answer["shortfall"] is None]
    rows = []
    for tensor in found["tensors"]:
        chosen = [answer["bits"][tensor["name"]] for answer in answers]
        if tensor["same_as"] is None and any(bits < tensor["widths"][-1] for bits in chosen):
            named = [cell(tensor["name"]), cell(tensor["role"]), cell(f"{tensor['n_elements']:,}")]
            rows.append(named + [cell(bits) for bits in chosen])
    if not answers:
        return []
    if not rows:
        return ["every tensor has its largest width"]
    columns = [("tensor", False), ("of", False), ("elements", True), *((answer["method"], True) for answer in answers)]
    n_other = sum(tensor["same_as"] is None for tensor in found["tensors"]) - len(rows)
    return [make_table(columns, rows).console(), f"the other {n_other} tensors have their largest width"]
