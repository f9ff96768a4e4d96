"""Views against numpy: moves of a view read what moves of the array give, and boxes hold what they say."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.layer import Place
from workloads.lowering.view import Box, View, along, image_view, leading


def matrix(sizes: tuple[int, ...], lines: int, pixels: int) -> View:
    """Images, tokens and channels."""
    *lead, tokens, channels = sizes
    axes = (*leading("image", lead), along("token", tokens), along("channel", channels))
    return View("x", (prod(lead), channels, lines, pixels), axes)


def stored(view: View) -> np.ndarray:
    return np.arange(prod(view.shape)).reshape(view.shape)


@st.composite
def _factored(draw: st.DrawFn, size: int) -> list[int]:
    """Sizes whose product is `size`."""
    found = []
    while size > 1:
        found.append(draw(st.sampled_from([d for d in range(2, size + 1) if size % d == 0])))
        size //= found[-1]
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_moves_read_what_numpy_moves(data: st.DataObject) -> None:
    sizes = tuple(data.draw(st.sampled_from([1, 2, 3, 4, 6])) for _ in range(3))
    view = matrix(sizes, -(-sizes[1] // 2), 2)
    image = stored(view)
    value = view.read(image)
    assert value.shape == view.sizes == sizes
    for _ in range(data.draw(st.integers(1, 5))):
        kind = data.draw(st.sampled_from(["reshape", "transpose", "slice"]))
        if kind == "transpose":
            order = data.draw(st.permutations(range(value.ndim)))
            view, value = view.transposed(order), value.transpose(order)
        elif kind == "reshape":
            shape = data.draw(_factored(value.size)) + [1] * data.draw(st.integers(0, 1))
            moved = view.reshaped(shape)
            view, value = (view, value) if moved is None else (moved, value.reshape(shape))
        elif value.ndim:
            axis = data.draw(st.integers(0, value.ndim - 1))
            start = data.draw(st.integers(0, value.shape[axis] - 1))
            stop = data.draw(st.integers(start + 1, value.shape[axis]))
            cut = view.sliced(axis, start, stop)
            view, value = (view, value) if cut is None else (cut, value.take(range(start, stop), axis))
        np.testing.assert_array_equal(view.read(image), value)
    box = view.box()
    if box is not None:
        part = image[
            box.image : box.image + box.n_images, box.channel : box.channel + box.channels,
            box.line : box.line + box.lines,
        ]  # fmt: skip
        taken = np.isin(part, value)
        assert taken.sum() == value.size  # all elements are in it
        assert taken.any(axis=3).all()  # and in each of its lines
        n_tokens = np.flatnonzero(taken[0, 0].reshape(-1)).max() + 1
        assert (box.n_tokens, taken[0, 0, 0, 0]) == (n_tokens, True)


def test_what_is_written_is_read() -> None:
    view = matrix((2, 5, 6), 3, 2)
    value = np.random.default_rng(0).integers(-9, 9, (2, 5, 6))
    image = view.write(value, 77)
    assert image.shape == (2, 6, 3, 2)
    np.testing.assert_array_equal(view.read(image), value)
    assert (image[:, :, 2, 1] == 77).all()  # five tokens on three lines of two


def test_heads_are_channels() -> None:
    split = matrix((1, 5, 6), 3, 2).reshaped((1, 5, 2, 3))
    assert split is not None
    heads = split.transposed((0, 2, 1, 3))
    box = heads.at((0, 1)).box()
    assert box == Box(image=0, n_images=1, channel=3, channels=3, line=0, lines=3, n_tokens=5)
    assert box is not None and heads.place(box) == Place(n_images=1, channels=6, channel=3)
    merged = heads.transposed((0, 2, 1, 3)).reshaped((1, 5, 6))
    assert merged == matrix((1, 5, 6), 3, 2)
    assert heads.reshaped((1, 2, 15)) is not None and heads.reshaped((1, 5, 6)) is None


def part(view: View, axis: int, start: int, stop: int) -> Place | None:
    cut = view.sliced(axis, start, stop)
    assert cut is not None
    box = cut.box()
    assert box is not None
    return cut.place(box)


def test_places() -> None:
    view = matrix((2, 6, 4), 3, 2)
    assert part(view, 1, 0, 6) is None
    assert part(view, 1, 2, 4) == Place(n_images=2, channels=4, lines=3, line=1)
    assert part(view, 2, 1, 3) == Place(n_images=2, channels=4, channel=1)
    assert part(view, 0, 1, 2) == Place(n_images=2, channels=4, image=1)
    within = view.sliced(1, 1, 3)
    assert within is not None and within.box() is None  # not at the start of a line


def test_images() -> None:
    image = image_view("x", (2, 3, 4, 5))
    assert image.is_image() and image.sizes == (2, 3, 4, 5)
    flat = image.reshaped((2, 60))
    assert flat is not None and not flat.is_image()
    assert flat.reshaped((2, 3, 4, 5)) == image
    np.testing.assert_array_equal(flat.read(stored(image)), stored(image).reshape(2, 60))
