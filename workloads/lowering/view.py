"""Where the elements of a graph tensor lie in a stored tensor: moves of a graph are other views, not copies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import numpy as np

from workloads.layer import Place

Kind = Literal["image", "channel", "token"]
KINDS: tuple[Kind, ...] = ("image", "channel", "token")


@dataclass(frozen=True)
class Atom:
    """Some of the steps of a tensor's axis: `size` of them, each `stride` images, channels or tokens further."""

    kind: Kind
    size: int
    stride: int = 1


Axis = tuple[Atom, ...]  # outer to inner; an axis of size 1 has none


@dataclass(frozen=True)
class Box:
    """A range of images, of channels and of tokens of a stored tensor, whose tokens begin with a line.

    Every line of it holds tokens of the view, and may hold others: what works on tokens one by one works on those too.
    """

    image: int
    n_images: int
    channel: int
    channels: int
    line: int
    lines: int
    n_tokens: int  # from the first to the last of the view


@dataclass(frozen=True)
class View:
    """A graph tensor as part of the stored one, which has `shape` (images, channels, lines, pixels a line).

    Token = line * pixels + pixel. `start` is (image, channel, token) of the first element.
    """

    stored: str
    shape: tuple[int, int, int, int]
    axes: tuple[Axis, ...]
    start: tuple[int, int, int] = (0, 0, 0)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Shape of the graph tensor."""
        return tuple(_size(axis) for axis in self.axes)

    def transposed(self, order: Sequence[int]) -> View:
        """The axes in another order."""
        return replace(self, axes=tuple(self.axes[i] for i in order))

    def reshaped(self, shape: Sequence[int]) -> View | None:
        """The same elements in the same order with other axes; None where that is no view of the stored tensor."""
        atoms = [atom for axis in self.axes for atom in axis][::-1]
        axes = []
        for size in shape:
            axis: list[Atom] = []
            while size > 1:
                atom = atoms.pop()
                if atom.size > size:
                    if atom.size % size:
                        return None
                    atoms.append(replace(atom, size=atom.size // size))
                    atom = replace(atom, size=size, stride=atom.stride * (atom.size // size))
                if size % atom.size:
                    return None
                axis.append(atom)
                size //= atom.size
            axes.append(_merged(axis))
        return replace(self, axes=tuple(axes))

    def sliced(self, axis: int, start: int, stop: int) -> View | None:
        """Indices start .. stop - 1 of an axis; None where they are no run of images, channels or tokens."""
        if (start, stop) == (0, _size(self.axes[axis])):
            return self
        if len(self.axes[axis]) > 1:
            return None
        atom = self.axes[axis][0]
        moved = self._moved([(atom, start)])
        axes = (*self.axes[:axis], along(atom.kind, stop - start, atom.stride), *self.axes[axis + 1 :])
        return replace(moved, axes=axes)

    def at(self, index: Sequence[int]) -> View:
        """The part at these indices of the leading axes, without them."""
        steps = []
        for axis, i in zip(self.axes, index, strict=False):
            for atom in reversed(axis):
                steps.append((atom, i % atom.size))
                i //= atom.size
        return replace(self._moved(steps), axes=self.axes[len(index) :])

    def on(self, stored: str, shape: tuple[int, int, int, int]) -> View:
        """The view of a stored tensor that is this one's box computed anew."""
        return View(stored, shape, self.axes)

    def with_rows(self, stored: str, shape: tuple[int, int, int, int]) -> View:
        """Likewise, with all channels of the new stored tensor as the last axis."""
        return View(stored, shape, (*self.axes[:-1], along("channel", shape[1])))

    def box(self) -> Box | None:
        """The box whose images, channels and lines the elements take, in any order; None where they leave some out."""
        counts = {kind: self._run(kind) for kind in KINDS}
        pixels = self.shape[3]
        image, channel, token = self.start
        if 0 in counts.values() or token % pixels:
            return None
        return Box(
            image=image, n_images=counts["image"], channel=channel, channels=counts["channel"],
            line=token // pixels, lines=-(-counts["token"] // pixels), n_tokens=counts["token"],
        )  # fmt: skip

    def place(self, box: Box) -> Place | None:
        """Where the box lies in the stored tensor; None where it is the whole."""
        n_images, channels, lines, _ = self.shape
        if (box.n_images, box.channels, box.lines) == (n_images, channels, lines):
            return None
        return Place(
            n_images=n_images, channels=channels, image=box.image, channel=box.channel,
            lines=0 if box.lines == lines else lines, line=box.line,
        )  # fmt: skip

    def is_image(self) -> bool:
        """Whether this is a whole stored image (N, C, H, W), its axes in that order."""
        return self == image_view(self.stored, self.shape)

    def read(self, image: np.ndarray) -> np.ndarray:
        """The graph tensor out of the stored one (images, channels, lines, pixels)."""
        return image.reshape(*self.shape[:2], -1)[self._indices()]

    def write(self, value: np.ndarray, fill: int) -> np.ndarray:
        """A new stored tensor that holds the graph tensor, and `fill` elsewhere; int64."""
        n_images, channels, lines, pixels = self.shape
        image = np.full((n_images, channels, lines * pixels), fill, np.int64)
        image[self._indices()] = value
        return image.reshape(self.shape)

    def _indices(self) -> tuple[np.ndarray, ...]:
        rank = len(self.axes)
        found = []
        for kind, start in zip(KINDS, self.start, strict=True):
            index = np.full(self.sizes, start, np.int64)
            for i, axis in enumerate(self.axes):
                index += _offsets(axis, kind).reshape([-1 if j == i else 1 for j in range(rank)])
            found.append(index)
        return tuple(found)

    def _moved(self, steps: Iterable[tuple[Atom, int]]) -> View:
        start = dict(zip(KINDS, self.start, strict=True))
        for atom, n in steps:
            start[atom.kind] += n * atom.stride
        return replace(self, start=(start["image"], start["channel"], start["token"]))

    def _run(self, kind: Kind) -> int:
        """From the first image, channel or token to the last; 0 where there are gaps.

        The rest of a line is no gap: matrices that lie one after the other each begin with a line.
        """
        count, pixels = 1, self.shape[3]
        for atom in sorted((a for axis in self.axes for a in axis if a.kind == kind), key=lambda a: a.stride):
            line_ends = kind == "token" and -(-count // pixels) * pixels == atom.stride
            if atom.stride != count and not line_ends:
                return 0
            count += (atom.size - 1) * atom.stride
        return count


def along(kind: Kind, size: int, stride: int = 1) -> Axis:
    """An axis of one atom, or of none where its size is 1."""
    return (Atom(kind, size, stride),) if size > 1 else ()


def image_view(stored: str, shape: tuple[int, int, int, int]) -> View:
    """An image (N, C, H, W) as it is."""
    n_images, channels, lines, pixels = shape
    axes = (along("image", n_images), along("channel", channels), along("token", lines, pixels), along("token", pixels))
    return View(stored, shape, axes)


def leading(kind: Kind, sizes: Sequence[int], unit: int = 1) -> tuple[Axis, ...]:
    """Axes, the last of which steps by `unit`, the one before it over all of that one, and so on."""
    return tuple(along(kind, size, prod(sizes[i + 1 :]) * unit) for i, size in enumerate(sizes))


def _size(axis: Axis) -> int:
    return prod(atom.size for atom in axis)


def _merged(atoms: Sequence[Atom]) -> Axis:
    found: list[Atom] = []
    for atom in atoms:
        last = found[-1] if found else None
        if last is not None and last.kind == atom.kind and last.stride == atom.size * atom.stride:
            found[-1] = replace(atom, size=last.size * atom.size)
        else:
            found.append(atom)
    return tuple(found)


def _offsets(axis: Axis, kind: Kind) -> np.ndarray:
    """How many images, channels or tokens each index of the axis lies further than index 0."""
    offsets = np.zeros(1, np.int64)
    for atom in axis:
        steps = np.arange(atom.size) * (atom.stride if atom.kind == kind else 0)
        offsets = (offsets[:, None] + steps).reshape(-1)
    return offsets
