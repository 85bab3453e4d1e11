"""Behavior of real recordings: trials of the opto session and the position of the linear track."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.observed import Observed
from neurodsr.sources.open import open_source

OPTO = "opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb"
TRACK = "spikes/nelpy_linear-track.nwb"
POSITION = "processing/behavior/Position/position"


def load(file, grid, **fields):
    with open_source(file) as source:
        return Behavior.from_plain(fields).load(source, grid)


def initialized(stream, **fields):
    """The decoder of a stream, and the likelihood of its best constant prediction."""
    how = Behavior.from_plain({"path": "p", **fields})
    decoder = how.build_decoder(stream.channels, 2, bin_width=0.1)
    seen = Observed(
        torch.from_numpy(np.asarray(stream.values, dtype=np.float32)),
        torch.from_numpy(np.array(stream.mask)),
    )
    decoder.initialize(seen)
    likelihood = decoder(torch.zeros(len(seen.values), 2)).log_prob(seen.values)
    return decoder, (likelihood * seen.mask).sum() / seen.mask.sum()


@pytest.fixture
def session():
    """The time in which the mouse performs, in bins of 0.1 s."""
    return TimeGrid.spanning(1940.0, 3000.0, 0.1)


def test_the_side_that_the_mouse_should_lick_is_a_label(shared_file, session):
    fields = {"path": "intervals/trials/type", "observation": "categorical"}
    stream = load(shared_file(OPTO), session, **fields)
    assert stream.channels.levels == ("lick left", "lick right", "non-performing")
    assert "type never takes the level non-performing" in stream.notes
    _, likelihood = initialized(stream, observation="categorical")
    assert -np.log(3) < likelihood < 0


def test_the_outcome_of_a_trial_is_ordinal_once_its_order_is_declared(shared_file, session):
    fields = {"path": "intervals/trials/response", "observation": "ordinal"}
    with pytest.raises(DataError, match=r"'correct', 'early lick', 'incorrect'[\s\S]*fix: declare"):
        load(shared_file(OPTO), session, **fields)
    levels = ["early lick", "incorrect", "correct"]
    stream = load(shared_file(OPTO), session, **fields, levels=levels)
    assert stream.channels.levels == tuple(levels)
    assert "70 rows without a label were masked" in stream.notes
    _, likelihood = initialized(stream, observation="ordinal")
    assert -np.log(3) < likelihood < 0


def test_the_power_of_light_has_an_order_of_its_own(shared_file, session):
    fields = {"path": "intervals/trials/photo_stim_power", "observation": "ordinal"}
    stream = load(shared_file(OPTO), session, **fields)
    assert stream.channels.levels == ("0.0", "1.5")
    assert 0.05 < stream.values[stream.mask].mean() < 0.3  # 63 of 412 trials had light


def test_spikes_of_a_real_session_are_events_too(shared_file, session):
    stream = load(shared_file(OPTO), session, path="units", observation="events")
    several = [n for n in stream.notes if n.endswith("have several events, which count as one")]
    assert len(several) == 1
    assert set(np.unique(stream.values)) == {0, 1}
    decoder, _ = initialized(stream, observation="events")
    rates = decoder.predict(decoder(torch.zeros(1, 2)))[0].detach()
    np.testing.assert_allclose(rates, stream.values.mean(0), rtol=1e-5)


def test_heavy_tails_fit_a_real_position_no_worse_than_a_gaussian(shared_file):
    grid = TimeGrid.spanning(4500.0, 5300.0, 0.05)
    stream = load(shared_file(TRACK), grid, path=POSITION, observation="student")
    _, heavy = initialized(stream, observation="student")
    _, plain = initialized(stream, observation="gaussian")
    # With at most 100 degrees of freedom a Gaussian is met to a few 1e-3 nats.
    assert heavy > plain - 0.01


def test_a_position_is_no_angle_and_no_event(shared_file):
    grid, file = TimeGrid.spanning(4500.0, 4600.0, 0.05), shared_file(TRACK)
    with pytest.raises(DataError, match=r"a unit of 'pixels'[\s\S]*fix: declare angle_unit"):
        load(file, grid, path=POSITION, observation="angle")
    with pytest.raises(DataError, match=r"neither 0 nor 1[\s\S]*fix: use observation: gaussian"):
        load(file, grid, path=POSITION, observation="events")
