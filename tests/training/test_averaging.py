"""The running average of parameters: its weights, and what it leaves behind."""

import pytest
import torch
from torch import nn

from neurodsr.training.averaging import Averaged, average_keeps


class Point(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.x = nn.Parameter(torch.tensor([value], dtype=torch.float64))


def followed(values, decay):
    point = Point(values[0])
    averaged = Averaged(point, decay)
    for k, value in enumerate(values):
        point.x.data.fill_(value)
        averaged.follow(k)
    averaged.settle()
    return point.x.item()


def test_early_steps_forget_the_start_sooner_than_the_decay_would():
    assert average_keeps(0.99, 0) == 0.1
    assert average_keeps(0.99, 8) == 0.5
    assert average_keeps(0.99, 100_000) == 0.99


def test_a_decay_of_zero_leaves_the_last_parameters_exactly():
    assert followed([0.1, 0.7, 1 / 3], 0.0) == 1 / 3


def test_the_average_is_the_recurrence_taken_by_hand():
    # It starts on the first value and keeps 1/10, 2/11, 3/12 of what it was.
    expected = 2.0
    for k, value in enumerate([2.0, 5.0, -1.0]):
        expected = expected * (1 + k) / (10 + k) + value * 9 / (10 + k)
    assert followed([2.0, 5.0, -1.0], 0.9) == pytest.approx(expected, rel=1e-14)


def test_only_the_module_is_optimized_and_both_are_saved():
    averaged = Averaged(Point(1.0), 0.9)
    assert [n for n, p in averaged.named_parameters() if p.requires_grad] == ["module.x"]
    assert averaged.state_dict().keys() == {"module.x", "average.x"}
