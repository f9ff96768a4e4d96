"""What the digits network answers in the arithmetic of a machine."""

from designs.families.tensor import Design
from sim.accuracy import has_labels, measure
from sim.families.tensor import arithmetics, simulate
from workloads.load import load_workload

DIGITS = load_workload("digits_cnn")


def _measured(**changes: object):  # type: ignore[no-untyped-def]
    design = Design(**{"requant_granularity": "per_tensor", **changes})  # type: ignore[arg-type]
    (run,) = simulate([design], DIGITS)
    return measure(DIGITS, arithmetics(design, run))


def test_wide_accumulators_answer_as_the_interpreter() -> None:
    """The shipped network labels 445 of 450 test images right (workloads/digits/train.py prints it)."""
    found = _measured(acc_bits=32)
    assert (found.accuracy, found.overflows, found.n_images) == (445 / 450, 0, 450)


def test_narrow_accumulators_overflow_and_forget() -> None:
    saturating = _measured(acc_bits=12, acc_overflow="saturate")
    wrapping = _measured(acc_bits=12, acc_overflow="wrap")
    assert saturating.overflows > 0 and saturating.accuracy < 0.5
    assert wrapping.accuracy < 0.5
    assert _measured(acc_bits=20).accuracy == 445 / 450


def test_only_networks_with_labelled_images_are_measured() -> None:
    assert has_labels(DIGITS)
    assert not has_labels(load_workload("resnet18"))
