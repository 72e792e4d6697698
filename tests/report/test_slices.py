"""Slices of both kinds of metrics.json."""

from gemel.report.slices import slices
from report.synthetic_run import figure


def test_figures_without_slices_are_grouped() -> None:
    found = slices({"accuracy_head": figure(0.9), "image_gain_head": figure(0.2), "accuracy_tail": None})
    (head,) = found["how often the entity was trained on"]
    assert (head.group, head.accuracy["mean"], head.too_small) == ("head", 0.9, False)
    assert head.image_gain == figure(0.2)
    assert len(found) == 1


def test_slices_are_taken_as_they_are_stated() -> None:
    groups = {"short": {"accuracy": figure(0.5), "image_gain": None, "too_small": True}}
    found = slices({"accuracy_head": figure(0.9), "slices": {"text_length": groups}})
    assert list(found) == ["text_length"]
    assert found["text_length"][0].too_small
