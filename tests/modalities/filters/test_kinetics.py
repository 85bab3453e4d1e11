"""Published kinetics of indicators against the kernels made of them, and times that are refused."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import brentq

from neurodsr.errors import DataError
from neurodsr.modalities.filters.kinetics import INDICATORS, require_physiological

every_indicator = pytest.mark.parametrize("name", sorted(INDICATORS))

HALF_RISES = {"jGCaMP7f": 0.0248, "jGCaMP8f": 0.0071, "jGCaMP8m": 0.0071, "jGCaMP8s": 0.0101}
"""Published beside the other times (Zhang et al. 2023) and not used for the time constants, s."""


def response(indicator):
    def at(t):
        return np.exp(-t / indicator.decay) - np.exp(-t / indicator.rise)

    rise, decay = indicator.rise, indicator.decay
    peak = rise * decay / (decay - rise) * np.log(decay / rise)
    return at, peak


@every_indicator
def test_the_response_has_the_published_time_to_peak_and_half_decay(name):
    indicator = INDICATORS[name]
    at, peak = response(indicator)
    half = brentq(lambda t: at(t) - at(peak) / 2, peak, 10 * indicator.decay)
    # Time constants are given in three digits.
    assert peak == pytest.approx(indicator.time_to_peak, rel=0.005)
    assert half - peak == pytest.approx(indicator.half_decay, rel=0.005)


@pytest.mark.parametrize("name", sorted(HALF_RISES))
def test_its_half_rise_is_near_the_published_one(name):
    at, peak = response(INDICATORS[name])
    half = brentq(lambda t: at(t) - at(peak) / 2, 0, peak)
    # A difference of exponentials has two times for three numbers; 30 % is what is left.
    assert half == pytest.approx(HALF_RISES[name], rel=0.3)


@every_indicator
def test_every_indicator_is_physiological_and_has_a_source(name):
    indicator = INDICATORS[name]
    require_physiological(indicator.decay, indicator.rise)
    assert "Nature" in indicator.source


def test_the_order_of_the_names_is_that_of_the_sensors_speed():
    assert INDICATORS["GCaMP6f"].decay < INDICATORS["GCaMP6s"].decay
    decays = [INDICATORS[f"jGCaMP8{kind}"].decay for kind in "fms"]
    assert decays == sorted(decays)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        INDICATORS["mine"] = INDICATORS["GCaMP6f"]


def test_a_configuration_reads_the_table_without_waiting_for_torch():
    code = "import sys, neurodsr.modalities.filters.kinetics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("decay", [0.02, 0.4, 10.0])
def test_a_decay_within_physiology_passes(decay):
    require_physiological(decay, 0.0)


@pytest.mark.parametrize("decay", [0.0, -1.0, 0.019, 10.1, 400.0, float("nan")])
def test_a_decay_outside_physiology_is_refused(decay):
    with pytest.raises(DataError, match=r"of .* s, outside 0.02 to 10 s\n.*not in ms or bins"):
        require_physiological(decay, 0.0)


@pytest.mark.parametrize("rise", [-0.1, 0.4, 1.0, float("nan")])
def test_a_rise_that_is_not_shorter_than_the_decay_is_refused(rise):
    with pytest.raises(DataError, match=r"at a decay of 0.4 s\n.*to below the decay, both in s"):
        require_physiological(0.4, rise)


def test_an_error_says_where_the_times_are_from():
    with pytest.raises(DataError, match=r"streams\.calcium: a calcium decay[\s\S]*give it in s"):
        require_physiological(400.0, 0.0, where="streams.calcium")
