"""Functions of a design that are worked out once for all designs that agree in what they look at."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
_D = TypeVar("_D")
_MOST_KEPT = 1024  # answers a function, then it begins anew


def remembered(function: Callable[[_D], _T]) -> Callable[[_D], _T]:
    """`function(design)`, kept by the attributes that it reads of the design, and nothing else.

    Which ones these are is seen as it runs, and they may depend on each other: what is kept is a tree of "it read this,
    and it was that". So a slice of an inventory that depends on three of thirty axes is built once for each of their
    values. The function must depend on the attributes alone and answer something that nobody changes.
    """
    kept: _Kept[_T] = _Kept()

    @wraps(function)
    def found(design: _D) -> _T:
        return kept.find(design, function)

    return found


class _Kept(Generic[_T]):
    """The tree: a node is [attribute, {value: node}], a leaf is [None, answer]."""

    def __init__(self) -> None:
        self._root: list[Any] = []
        self._n_kept = 0

    def find(self, design: Any, function: Callable[[Any], _T]) -> _T:
        node = self._root
        while node:
            attribute, below = node
            if attribute is None:
                answer: _T = below
                return answer
            value = getattr(design, attribute)
            # 1, 1.0 and True are equal keys, but not equal values.
            following = below.get((type(value), value))
            if following is None:
                break
            node = following
        return self._add(design, function)

    def _add(self, design: Any, function: Callable[[Any], _T]) -> _T:
        reads: dict[str, Any] = {}
        answer = function(_Recorder(design, reads))
        if self._n_kept == _MOST_KEPT:
            self._root, self._n_kept = [], 0
        node = self._root
        for attribute, value in reads.items():
            if not node:
                node += [attribute, {}]
            node = node[1].setdefault((type(value), value), [])
        node[:] = [None, answer]
        self._n_kept += 1
        return answer


class _Recorder:
    """A design that writes down the attributes that are read of it, in the order of the first reads."""

    def __init__(self, design: Any, reads: dict[str, Any]) -> None:
        self._design, self._reads = design, reads

    def __getattr__(self, name: str) -> Any:
        reads = self._reads
        if name not in reads:
            reads[name] = getattr(self._design, name)
        return reads[name]
