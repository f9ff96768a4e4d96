"""What chooses the trainer."""

from __future__ import annotations

from explore.compression.trainers import LC, SCHEMES, STRAIGHT_THROUGH, Figures, best_of, compare
from tests.explore.compression.test_search import subject
from workloads.compression import lc, straight_through


def test_validation_images_choose_and_test_images_do_not() -> None:
    first, second = STRAIGHT_THROUGH[:2]
    figures = [
        Figures(first, validation=(0.9, 0.7), test=(0.1, 0.1)),
        Figures(second, validation=(0.8, 0.7), test=(1.0, 1.0)),
        Figures(LC[0], validation=(0.7, 0.9), test=(1.0, 1.0)),
    ]
    assert best_of(figures) is figures[0]  # as good as the third: the first of them


def test_defaults_are_among_what_was_compared() -> None:
    assert straight_through.Settings() in STRAIGHT_THROUGH and lc.Settings() in LC
    assert len({*STRAIGHT_THROUGH, *LC}) == 13


def test_each_scheme_is_trained_with_each_setting() -> None:
    settings = (straight_through.Settings(n_batches=0), straight_through.Settings(n_batches=1))
    alone, trained = compare(subject(), settings)
    assert len(alone.validation) == len(trained.test) == len(SCHEMES) == 4
    assert alone == compare(subject(), settings[:1])[0]
    assert alone.mean == sum(alone.validation) / 4
