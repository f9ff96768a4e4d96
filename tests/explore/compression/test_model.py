"""The model of accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from explore.compression.model import Tried, chances

POOL = np.array([[2.0**a, 2.0**b] for a in range(-6, 0) for b in range(-6, 0)])
N_IMAGES = 200


def tried(*places: tuple[int, int]) -> list[Tried]:
    """The reference, and choices whose wrong labels double with each step."""
    return [Tried(np.zeros(2), 1), *(Tried(np.array([2.0**a, 2.0**b]), 2 ** (a + 6)) for a, b in places)]


def test_chances_fall_with_the_layer_that_costs_labels() -> None:
    found = chances(POOL, tried((-6, -1), (-3, -6), (-1, -4), (-2, -2)), N_IMAGES, 10).reshape(6, 6)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[:3].min() > 0.5) and (found[4:].max() < 0.5)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_units_of_errors_do_not_matter(factor: float) -> None:
    some = tried((-6, -1), (-3, -6), (-1, -4))
    scaled = [Tried(one.errors * factor, one.n_wrong) for one in some]
    np.testing.assert_allclose(
        chances(POOL * factor, scaled, N_IMAGES, 10), chances(POOL, some, N_IMAGES, 10), rtol=1e-6, atol=1e-9
    )


def test_beyond_a_failure_little_is_left_as_much_as_noise_allows() -> None:
    """At 11 wrong where 10 are allowed a second draw keeps the floor at 0.46; at 100 wrong never."""
    near, far = ([Tried(np.zeros(2), 1), Tried(np.array([0.25, 0.25]), n)] for n in (11, 100))
    beyond = np.all(POOL >= 0.25, axis=1)
    # (10.5 - 11) / sqrt(2 * 200 * p * (1 - p) + 0.5), p = 11.5 / 201: the normal law at -0.1064 is 0.4576
    assert 0.0 < chances(POOL, near, N_IMAGES, 10)[beyond].max() <= 0.4577
    assert chances(POOL, far, N_IMAGES, 10)[beyond].max() < 1e-9
