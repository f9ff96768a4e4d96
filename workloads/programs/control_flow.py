"""The order in which blocks of a function are visited, and what is still needed when a block begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from workloads.programs.llvm_ir import Function, Instruction, Local, Operand


@dataclass(frozen=True)
class Loop:
    """A head, and what is visited after it in each iteration."""

    head: str
    body: Sequence[str | Loop]
    blocks: frozenset[str]


def targets(instruction: Instruction) -> list[str]:
    """Where the last instruction of a block may go."""
    if isinstance(instruction.extra, list):  # br
        return list(instruction.extra)
    if isinstance(instruction.extra, tuple):  # switch
        return [instruction.extra[0], *(target for _, target in instruction.extra[1])]
    return []


def weak_topological_order(function: Function) -> list[str | Loop]:
    """Blocks that can be reached, each after all that lead to it but for ways back to the head of a loop."""
    following = {name: targets(block[-1]) for name, block in function.blocks.items()}
    order = _reverse_postorder(next(iter(function.blocks)), following)
    return _components(order, following)


def _reverse_postorder(start: str, following: dict[str, list[str]]) -> list[str]:
    seen, postorder, stack = {start}, [], [(start, iter(following[start]))]
    while stack:
        block, rest = stack[-1]
        for target in rest:
            if target not in seen:
                seen.add(target)
                stack.append((target, iter(following[target])))
                break
        else:
            stack.pop()
            postorder.append(block)
    return postorder[::-1]


def _components(order: list[str], following: dict[str, list[str]]) -> list[str | Loop]:
    """`order` (reverse postorder) with strongly connected parts made loops, each ordered the same way without its head.

    Parts stand in the order of their first blocks: of two parts, the one that leads to the other finishes later in the
    depth-first search, without the head too, for that was on the stack while its loop was searched.
    """
    place = {block: number for number, block in enumerate(order)}
    edges = [(place[a], place[b]) for a in order for b in following[a] if b in place]
    rows, cols = (
        (np.array(side, np.int32) for side in zip(*edges, strict=True)) if edges else (np.zeros(0, np.int32),) * 2
    )
    graph = coo_array((np.ones(len(edges), np.int8), (rows, cols)), shape=(len(order), len(order)))
    _, labels = connected_components(graph, directed=True, connection="strong")
    parts: dict[int, list[str]] = {}
    for block, label in zip(order, labels, strict=True):
        parts.setdefault(int(label), []).append(block)
    items: list[str | Loop] = []
    for part in parts.values():
        head = part[0]
        if len(part) == 1 and head not in following[head]:
            items.append(head)
        else:
            items.append(Loop(head, _components(part[1:], following), frozenset(part)))
    return items


def live_values(function: Function) -> dict[str, frozenset[str]]:
    """Block -> values that it or what follows reads and that were made before its phis."""
    uses: dict[str, set[str]] = {}
    made: dict[str, set[str]] = {}
    for name, block in function.blocks.items():
        uses[name] = {local for step in block if step.opcode != "phi" for local in _locals(step.operands)}
        made[name] = {step.result for step in block if step.result is not None}
    live = {name: frozenset(uses[name] - made[name]) for name in function.blocks}
    changed = True
    while changed:
        changed = False
        for name in reversed(function.blocks):
            after: set[str] = set()
            for target in targets(function.blocks[name][-1]):
                after |= live[target]
                for step in function.blocks[target]:
                    if step.opcode != "phi":
                        break
                    after |= set(_locals([step.extra[name]]))  # type: ignore[index]
            before = frozenset((after | uses[name]) - made[name])
            if before != live[name]:
                live[name], changed = before, True
    return live


def _locals(operands: Sequence[Operand]) -> list[str]:
    found = []
    for operand in operands:
        if isinstance(operand, Local):
            found.append(operand.name)
        elif isinstance(operand, tuple):
            found += _locals(operand)
    return found
