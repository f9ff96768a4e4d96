"""Two functions in one fracturable LUT: as many pairs as there can be."""

from __future__ import annotations

import numpy as np
from numba import njit

from workloads.netlist import Netlist


def n_packed(netlist: Netlist, lut_inputs: int) -> int:
    """Fabric LUTs that hold the netlist, when two LUTs that read at most lut_inputs - 1 signals in all share one.

    The pairs are a maximum matching of the graph of LUTs that fit together (Edmonds 1965), so the count is exact.
    """
    return netlist.n_luts - len(pairs(netlist, lut_inputs))


def pairs(netlist: Netlist, lut_inputs: int) -> np.ndarray:
    """(n_pairs, 2) int64: LUTs that share one of the fabric, the smaller number first, ascending."""
    widths = np.diff(netlist.fanin_start)
    narrow = np.flatnonzero(widths < lut_inputs)
    # The narrowest last: a wide function has few partners, so it chooses first where the matching starts.
    narrow = narrow[np.argsort(-widths[narrow], kind="stable")]
    fanins = np.full((len(narrow), lut_inputs - 1), -1, np.int64)
    for row, lut in enumerate(narrow.tolist()):
        fanins[row, : int(widths[lut])] = np.sort(netlist.inputs_of(lut))
    mates = _matching(*_partners(fanins, widths[narrow], lut_inputs - 1))
    first = np.flatnonzero(mates > np.arange(len(mates)))
    found = np.sort(np.stack((narrow[first], narrow[mates[first]]), axis=1), axis=1)
    return found[np.argsort(found[:, 0])]


@njit(cache=True)
def _together(fanins, widths, a, b, most):  # type: ignore[no-untyped-def]
    """Whether two LUTs read at most `most` different signals."""
    i, j, union = 0, 0, widths[a] + widths[b]
    while union > most and i < widths[a] and j < widths[b]:
        if fanins[a, i] == fanins[b, j]:
            union -= 1
            i += 1
            j += 1
        elif fanins[a, i] < fanins[b, j]:
            i += 1
        else:
            j += 1
    return union <= most


@njit(cache=True)
def _partners(fanins, widths, most):  # type: ignore[no-untyped-def]
    """The graph: (start of each LUT's partners, partners ascending)."""
    n = len(widths)
    degree = np.zeros(n + 1, np.int64)
    for a in range(n):
        for b in range(a):
            if _together(fanins, widths, a, b, most):
                degree[a + 1] += 1
                degree[b + 1] += 1
    start = np.cumsum(degree)
    at = start[:-1].copy()
    partners = np.empty(start[-1], np.int32)
    for a in range(n):
        for b in range(a):
            if _together(fanins, widths, a, b, most):
                partners[at[a]] = b
                at[a] += 1
                partners[at[b]] = a
                at[b] += 1
    return start, partners


@njit(cache=True)
def _matching(start, partners):  # type: ignore[no-untyped-def]
    """The mate of each vertex or -1, in a maximum matching: greedy, then augmented along alternating trees.

    A tree that found no free vertex stays out of all later ones: no augmenting path leads through it (Edmonds).
    """
    n = len(start) - 1
    mate = np.full(n, -1, np.int64)
    for vertex in range(n):
        for place in range(start[vertex], start[vertex + 1]):
            if mate[vertex] < 0 and mate[partners[place]] < 0:
                mate[vertex] = partners[place]
                mate[partners[place]] = vertex
    parent = np.full(n, -1, np.int64)
    base = np.arange(n)
    outer = np.zeros(n, np.bool_)  # at even distance from the root, or in a blossom
    spent = np.zeros(n, np.bool_)
    queue = np.empty(n, np.int64)
    touched = np.empty(n, np.int64)
    for root in range(n):
        if mate[root] >= 0:
            continue
        end, n_touched = _tree(root, start, partners, mate, parent, base, outer, spent, queue, touched)
        for index in range(n_touched):
            spent[touched[index]] = end < 0
        while end >= 0:
            before = parent[end]
            after = mate[before]
            mate[end] = before
            mate[before] = end
            end = after
        for index in range(n_touched):
            vertex = touched[index]
            parent[vertex] = -1
            base[vertex] = vertex
            outer[vertex] = False
    return mate


@njit(cache=True)
def _tree(root, start, partners, mate, parent, base, outer, spent, queue, touched):  # type: ignore[no-untyped-def]
    """(free vertex at the end of an augmenting path from root, or -1; vertices in the tree)."""
    queue[0], touched[0] = root, root
    outer[root] = True
    head, tail, n_touched = 0, 1, 1
    while head < tail:
        vertex = queue[head]
        head += 1
        for place in range(start[vertex], start[vertex + 1]):
            other = np.int64(partners[place])
            if spent[other] or base[vertex] == base[other] or mate[vertex] == other:
                continue
            if other == root or (mate[other] >= 0 and parent[mate[other]] >= 0):
                stem = _common(vertex, other, root, mate, parent, base)
                tail = _contract(vertex, other, stem, mate, parent, base, outer, queue, tail, touched, n_touched)
            elif parent[other] < 0:
                parent[other] = vertex
                touched[n_touched] = other
                n_touched += 1
                if mate[other] < 0:
                    return other, n_touched
                touched[n_touched] = mate[other]
                n_touched += 1
                outer[mate[other]] = True
                queue[tail] = mate[other]
                tail += 1
    return -1, n_touched


@njit(cache=True)
def _common(first, second, root, mate, parent, base):  # type: ignore[no-untyped-def]
    """The base of the blossom that an edge between two outer vertices closes."""
    ancestors = {base[root]}
    vertex = base[first]
    while vertex != base[root]:
        ancestors.add(vertex)
        vertex = base[parent[mate[vertex]]]
    vertex = base[second]
    while vertex not in ancestors:
        vertex = base[parent[mate[vertex]]]
    return vertex


@njit(cache=True)
def _contract(first, second, stem, mate, parent, base, outer, queue, tail, touched, n_touched):  # type: ignore[no-untyped-def]
    """Every vertex of the blossom becomes outer, of base `stem`; the end of the queue."""
    inside = {base[stem]}
    for vertex, child in ((first, second), (second, first)):
        while base[vertex] != stem:
            inside.add(base[vertex])
            inside.add(base[mate[vertex]])
            parent[vertex] = child
            child = mate[vertex]
            vertex = parent[mate[vertex]]
    for index in range(n_touched):
        vertex = touched[index]
        if base[vertex] in inside:
            base[vertex] = stem
            if not outer[vertex]:
                outer[vertex] = True
                queue[tail] = vertex
                tail += 1
    return tail
