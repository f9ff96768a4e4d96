"""What is said of arguments that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from designs.arguments import MOST_SEED, expect_one_of, expect_real, expect_seed, expect_whole
from designs.errors import InputError


@pytest.mark.parametrize(
    ("value", "got"),
    [(0, "0"), (5, "5"), (2.0, "2.0"), ("2", "'2'"), (None, "None"), (True, "True"), ([2], r"\[2\]")],
)
def test_what_is_no_whole_number(value: Any, got: str) -> None:
    with pytest.raises(InputError, match=f"^images: wanted 1 to 4, got {got}$"):
        expect_whole("images", value, 1, 4)


def test_whole_numbers() -> None:
    expect_whole("images", 10**30, 1)
    expect_whole("images", np.int64(1), 1, 1)
    with pytest.raises(InputError, match="^images: wanted 1 or more, got 0$"):
        expect_whole("images", 0, 1)


@pytest.mark.parametrize(
    ("value", "got"), [(1.5, "1.5"), (-1, "-1"), (float("nan"), "nan"), ("x", "'x'"), (None, "None"), (True, "True")]
)
def test_what_is_no_number(value: Any, got: str) -> None:
    expect_real("floor", 0.5, 0, 1)
    expect_real("floor", np.float32(1), 0, 1)
    with pytest.raises(InputError, match=f"^floor: wanted 0 to 1, got {got}$"):
        expect_real("floor", value, 0, 1)


@pytest.mark.parametrize(("value", "got"), [("rul", r"'rul' \(did you mean 'rule'\?\)"), (3, "3"), (["rule"], ".*")])
def test_what_is_none_of_the_words(value: Any, got: str) -> None:
    expect_one_of("method", "rule", ("rule", "search"))
    with pytest.raises(InputError, match=f"^method: wanted one of rule, search, got {got}$"):
        expect_one_of("method", value, ("rule", "search"))


def test_the_largest_seed_is_the_largest_that_numpy_takes() -> None:
    expect_seed(MOST_SEED)
    np.random.RandomState(MOST_SEED)
    for seed in (-1, MOST_SEED + 1, 1.5):
        with pytest.raises(InputError, match="^seed: wanted 0 to 4294967295, got "):
            expect_seed(seed)
    with pytest.raises(ValueError, match="between 0 and"):
        np.random.RandomState(MOST_SEED + 1)
