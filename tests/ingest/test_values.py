"""Which kind of values a stream has, from values whose kind is known."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.ingest.inspection import StreamInspection
from neurodsr.ingest.values import observation_of, unit_of_angle

TURN = np.linspace(0, 2 * np.pi, 101)


def stream(path: str, **fields: object) -> StreamInspection:
    plain = {
        "path": path, "kind": "series", "neurodata_type": "TimeSeries", "n_channels": 1,
        "n_samples": 101, "start": 0.0, "stop": 100.0, "rate": 1.0, "unit": "",
        "modality": "behavior", "proposed": "behavior",
    }  # fmt: skip
    return StreamInspection(**(plain | fields))


@pytest.mark.parametrize(
    ("path", "unit", "values"),
    [
        ("behavior/CompassDirection/x", "radians", TURN),
        ("behavior/CompassDirection/x", "radians", 20 * TURN),
        ("behavior/heading", "", np.rad2deg(TURN) - 180),
        ("behavior/heading", "n/a", TURN - np.pi),
        ("behavior/x", "deg", 0.6 * np.rad2deg(TURN)),
    ],
    ids=["by name and unit", "with its turns", "degrees by size", "rad by size", "by unit"],
)
def test_directions_are_angles(path, unit, values):
    assert observation_of(stream(path, unit=unit), values) == "angle"


@pytest.mark.parametrize(
    ("path", "unit", "values"),
    [
        ("behavior/eye", "degrees", np.rad2deg(TURN) / 8),
        ("behavior/wheel", "rad", 20 * TURN),
        ("behavior/direction", "m", TURN),
        ("behavior/heading", "", 500 * TURN),
        ("behavior/heading", "rad", np.cos(TURN)),
        ("behavior/speed", "", TURN),
    ],
    ids=["less than half a turn", "turns of a wheel", "meters", "neither", "a cosine", "no angle"],
)
def test_other_signals_are_not(path, unit, values):
    assert observation_of(stream(path, unit=unit), values) == "gaussian"


def test_labels_need_a_name_and_few_whole_levels():
    codes = np.arange(101) % 3
    assert observation_of(stream("choice"), codes) == "categorical"
    assert observation_of(stream("choice"), codes / 2) == "gaussian"
    assert observation_of(stream("choice", n_channels=2), codes) == "gaussian"
    assert observation_of(stream("contrast"), codes) == "gaussian"


def test_samples_of_licks_are_events_if_they_are_0_or_1():
    assert observation_of(stream("licks"), np.arange(101) % 2) == "events"
    assert observation_of(stream("licks"), np.sin(TURN)) == "gaussian"
    assert observation_of(stream("running"), np.arange(101) % 2) == "gaussian"


def test_a_pose_has_heavy_tails():
    assert observation_of(stream("ear", neurodata_type="PoseEstimationSeries"), TURN) == "student"


def test_deconvolved_traces_are_events_unless_they_are_negative():
    traces = stream("ophys/Deconvolved", modality="calcium", proposed="calcium")
    assert observation_of(traces, TURN) == "events"
    assert observation_of(traces, TURN - 1) == "fluorescence"
    light = stream("ophys/Fluorescence", modality="calcium", proposed="calcium")
    assert observation_of(light, TURN) == "fluorescence"


def test_a_modality_of_one_kind_of_values_needs_none_named():
    assert observation_of(stream("bold", modality="fmri", proposed="fmri"), TURN) == ""


def test_a_plain_signal_in_place_of_another_modality_is_gaussian():
    assert observation_of(stream("spks", modality="calcium"), TURN) == "gaussian"
    assert observation_of(stream("table", modality="", proposed=""), TURN) == "gaussian"


def test_without_a_value_nothing_is_decided():
    assert observation_of(stream("x"), np.zeros(0)) == ""


@pytest.mark.parametrize(
    ("unit", "largest", "found"),
    [("rad", 99, "rad"), ("Degrees", 1, "deg"), ("", 6.28, "rad"), ("", 180, "deg"), ("", 400, ""),
     ("m", 1, "")],
)  # fmt: skip
def test_the_unit_of_angles_is_the_file_s_or_follows_from_their_size(unit, largest, found):
    assert unit_of_angle(unit, (-float(largest), 0.0)) == found
