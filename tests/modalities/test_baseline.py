"""The running baseline of fluorescence: drift goes, transients stay."""

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Series
from neurodsr.errors import DataError
from neurodsr.modalities.baseline import running_baseline

TIMES = np.arange(6000) / 30


def series(values, valid=None):
    values = np.asarray(values, dtype=float)[:, None]
    valid = np.ones(values.shape, dtype=bool) if valid is None else valid[:, None]
    return Series(values * valid, valid, TIMES, Channels(("cell",)), "a.u.")


def transients(seed=0):
    """Rare events of a size of 1 that decay within 0.4 s."""
    spikes = np.random.default_rng(seed).random(len(TIMES)) < 0.01
    return np.convolve(spikes, np.exp(-np.arange(60) / 12))[: len(TIMES)]


def test_a_slow_drift_is_taken_away_and_transients_stay():
    light, drift = transients(), 5 + np.sin(2 * np.pi * TIMES / 200)
    found = running_baseline(series(light + drift), 20.0, where="f").values[:, 0]
    # Within half a window the drift changes by 0.3; a line between 60 s quantiles follows it.
    assert np.abs(found - light).mean() < 0.1
    assert np.corrcoef(found, light)[0, 1] > 0.95


def test_a_note_says_what_was_subtracted():
    (note,) = running_baseline(series(transients()), 20.0, where="f").notes
    assert note == "a running baseline, the 20 % quantile within 20 s, was subtracted"


def test_invalid_samples_stay_invalid_and_pull_no_baseline():
    valid = np.ones(len(TIMES), dtype=bool)
    valid[1000:1100] = False
    x = np.full(len(TIMES), 7.0)
    found = running_baseline(series(x, valid), 20.0, where="f")
    assert (found.values == 0).all()
    assert (found.valid[:, 0] == valid).all()


@pytest.mark.parametrize("window", [0.1, 1e4])
def test_a_window_that_holds_too_little_or_too_much_is_refused(window):
    with pytest.raises(DataError, match="a drift window of") as caught:
        running_baseline(series(transients()), window, where="f.nwb:/dff")
    assert "drift: 60" in caught.value.fix
