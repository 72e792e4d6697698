"""The learning rate's course, and the published code's two traps as settings."""

import dataclasses

import pytest
import torch
from toy import COURSE, fresh_mapper

from gemel.core.settings import TrainingCourse
from gemel.mapper.schedule import make_optimizer, rate_share

LINEAR = dataclasses.replace(COURSE, decay="linear")
TRAPPED = dataclasses.replace(LINEAR, counted_in="examples")


@pytest.mark.parametrize(
    ("course", "shares"),
    [
        (COURSE, [0.5, 1.0, 1.0, 0.853553, 0.5, 0.146447, 0.0, 0.0]),
        (LINEAR, [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]),
        (dataclasses.replace(LINEAR, warmup_steps=0), [1.0, 5 / 6, 4 / 6, 0.5]),
    ],
    ids=["cosine", "linear", "no warm-up"],
)  # of 6 steps, 2 of them warm-up
def test_rate_warms_up_and_decays_to_zero(course: TrainingCourse, shares: list[float]) -> None:
    assert [rate_share(step, course) for step in range(len(shares))] == pytest.approx(shares, abs=1e-6)


def test_schedule_counted_in_examples_never_leaves_its_warmup() -> None:
    found = [rate_share(step, TRAPPED) for step in range(TRAPPED.steps)]
    # 6 steps of 4 examples: the warm-up is 8 examples long.
    assert found == pytest.approx([number / 8 for number in range(1, 7)])


def test_optimizer_state_has_the_mappers_dtype() -> None:
    mapper = fresh_mapper().half()
    optimizer = make_optimizer(mapper, COURSE)
    for parameter in mapper.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert {state["exp_avg_sq"].dtype for state in optimizer.state.values()} == {torch.float16}


def test_biases_can_be_kept_from_decaying() -> None:
    mapper = fresh_mapper()
    groups = make_optimizer(mapper, dataclasses.replace(COURSE, decay_bias=False)).param_groups
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(COURSE.weight_decay, 1), (0.0, 1)]
    assert groups[1]["params"][0] is mapper.output.bias
