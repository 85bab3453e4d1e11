"""What a configuration may say of a stream's clock, and what it may not."""

import pytest
from pydantic import ValidationError

from neurodsr.modalities.clock import ClockConfig


@pytest.mark.parametrize(
    ("plain", "interval"),
    [
        ({}, None),
        ({"rate": 4}, 0.25),
        ({"rate": 30.0}, 1 / 30),
        ({"interval": 1.35}, 1.35),
        ({"times": "time_s"}, None),
    ],
)
def test_rate_and_interval_are_two_ways_to_say_the_same(plain, interval):
    assert ClockConfig.from_plain(plain).sample_interval == interval


@pytest.mark.parametrize(
    ("plain", "default"),
    [
        ({}, True),
        ({"offset": 0, "drift": 0.0, "rate": None}, True),
        ({"offset": 1e-9}, False),
        ({"drift": -3.0}, False),
        ({"rate": 30}, False),
        ({"times": "t"}, False),
        ({"sync": ["intervals/a", "intervals/b"]}, False),
    ],
)
def test_a_clock_is_the_default_only_if_nothing_was_declared(plain, default):
    assert ClockConfig.from_plain(plain).is_default is default


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"rate": 30, "interval": 0.1}, "rate and interval say the same: give one of them"),
        ({"interval": 2, "times": "t"}, "interval and times say the same: give one of them"),
        ({"rate": 1, "interval": 1, "times": "t"}, "rate and interval and times say the same"),
        ({"rate": 0}, "rate\n.*greater than 0"),
        ({"rate": -30}, "rate\n.*greater than 0"),
        ({"interval": 0}, "interval\n.*greater than 0"),
        ({"rate": "30"}, "rate\n.*valid number"),
        ({"drift": 1e5}, "drift\n.*less than 100000"),
        ({"drift": -1e5}, "drift\n.*greater than -100000"),
        ({"offset": float("nan")}, "offset\n.*finite number"),
        ({"offset": float("inf")}, "offset\n.*finite number"),
        ({"sync": ["only one"]}, "sync.*\n.*Field required"),
        ({"frequency": 30}, "frequency\n.*Extra inputs are not permitted"),
    ],
)
def test_a_clock_that_cannot_be_is_refused_by_name(plain, message):
    with pytest.raises(ValidationError, match=message):
        ClockConfig.from_plain(plain)


def test_a_clock_survives_being_written_down():
    clock = ClockConfig(rate=1 / 3, offset=-0.1, drift=12.5, sync=("a", "b"))
    assert ClockConfig.from_plain(clock.to_plain()) == clock
