"""Calcium imaging: what the configuration means, what loading refuses and notes."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.calcium import Calcium
from neurodsr.modalities.calcium_decoder import CalciumDecoder
from neurodsr.modalities.event_sizes import EventSizeDecoder
from neurodsr.modalities.filters.kinetics import INDICATORS
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.scores import R2
from neurodsr.sources.open import open_source

GRID = TimeGrid(0.0, 1 / 30, 300)
CELLS = Channels(("a", "b"))


def traces(values=None, seed=0):
    times = (np.arange(300) + 0.5) / 30
    values = np.random.default_rng(seed).normal(size=(300, 2)) if values is None else values
    return Series(values, np.ones(values.shape, dtype=bool), times, CELLS, "a.u.")


def load(source, values=None, **options):
    modality = Calcium(path="dff", **options)
    return modality.load(source(traces(values), "dff"), GRID)


def test_a_named_indicator_sets_both_time_constants():
    known = INDICATORS["GCaMP6s"]
    assert Calcium(path="dff", indicator="GCaMP6s").time_constants == (known.decay, known.rise)


def test_given_time_constants_win_over_the_indicators():
    given = Calcium(path="dff", indicator="GCaMP6s", decay=1.0, rise=0.1)
    assert given.time_constants == (1.0, 0.1)


def test_a_decay_alone_keeps_the_indicators_ratio_of_rise_to_decay():
    known = INDICATORS["jGCaMP8f"]
    decay, rise = Calcium(path="dff", indicator="jGCaMP8f", decay=0.1).time_constants
    assert rise / decay == pytest.approx(known.rise / known.decay)


def test_an_unknown_indicator_is_answered_with_the_nearest_and_all_known_ones():
    with pytest.raises(ValidationError, match="did you mean 'GCaMP6f'") as caught:
        Calcium(path="dff", indicator="gcamp6f")
    assert "give decay and rise, in s" in str(caught.value)


@pytest.mark.parametrize("decay", [0.001, 60.0])
def test_a_decay_outside_physiology_is_refused(source, decay):
    with pytest.raises(DataError, match=f"{decay:g} s") as caught:
        load(source, decay=decay)
    assert "give it in s, not in ms or bins" in caught.value.fix


def test_a_negative_event_is_refused_with_its_size_time_and_cell(source):
    values = np.abs(traces().values)
    values[12, 1] = -0.25
    with pytest.raises(DataError, match=r"'b' has an event of size -0.25 at 0.41") as caught:
        load(source, values, observation="events")
    assert "use observation: fluorescence" in caught.value.fix


def test_kinetics_that_nobody_gave_are_noted(source):
    (note,) = load(source).notes
    assert note == (
        "neither indicator nor decay is given: kinetics start from a decay of 0.4 s and a rise "
        "of 0.05 s"
    )


def test_bins_longer_than_the_decay_keep_the_kinetics_fixed_and_say_so(source):
    modality = Calcium(path="dff", decay=0.4)
    grid = TimeGrid(0.0, 0.5, 20)
    (note,) = modality.load(source(traces(), "dff"), grid).notes
    assert "do not show a decay of 0.4 s" in note
    decoder = modality.build_decoder(CELLS, 3, bin_width=0.5)
    assert not any(n.startswith(("decay", "rise")) for n, _ in decoder.named_parameters())


def test_a_drift_is_taken_away_at_loading(source):
    values = traces().values + 10 * np.sin(np.arange(300) / 60)[:, None]
    stream = load(source, values, decay=0.4, drift=2.0)
    # The drift turns by a radian within a window of 60 samples, and has an sd of 7.
    assert stream.values[:, 0].std() < 3
    assert any("running baseline" in note for note in stream.notes)


def test_fluorescence_and_events_have_decoders_of_their_own():
    light = Calcium(path="dff", noise="student", saturation=True)
    decoder = light.build_decoder(CELLS, 3, bin_width=1 / 30)
    assert isinstance(decoder, CalciumDecoder)
    assert decoder.freedom is not None
    assert decoder.half_saturation is not None
    events = Calcium(path="dff", observation="events")
    assert isinstance(events.build_decoder(CELLS, 3, bin_width=1 / 30), EventSizeDecoder)
    assert light.natural_score is R2


@pytest.mark.parametrize("seed", [0, 10])
def test_the_deconvolved_view_sees_observed_entries_of_its_context_alone(seed):
    modality, t = Calcium(path="dff", decay=0.4, deconvolution=0.5), 60
    g = torch.Generator().manual_seed(seed)
    x, other = (torch.randn(120, 2, generator=g) for _ in range(2))
    mask = torch.rand(120, 2, generator=g) < 0.7
    # A gap at the edge of the context would be bridged to what lies beyond it.
    for edge in (t - 24, t, t + 24):
        mask[edge - 1 : edge + 2] = True
    reach = modality.context(1 / 30)
    assert reach == 24
    near = ((torch.arange(120) - t).abs() <= reach).unsqueeze(-1)
    view = lambda values: modality.features(  # noqa: E731
        Observed(values, mask), CELLS, bin_width=1 / 30
    )[0]
    before = view(x)
    assert torch.equal(view(torch.where(mask, x, other)), before)
    assert torch.equal(view(torch.where(near, x, other))[t], before[t])
    assert not torch.equal(view(torch.where(near, other, x))[t], before[t])


def test_without_deconvolution_the_encoder_sees_the_light_as_it_is():
    modality, x = Calcium(path="dff"), torch.randn(10, 2)
    mask = torch.rand(10, 2) < 0.5
    features, known = modality.features(Observed(x, mask), CELLS, bin_width=1 / 30)
    assert torch.equal(features, x)
    assert torch.equal(known, mask)
    assert modality.context(1 / 30) == 0


def test_a_real_recording_of_cells_loads(shared_file):
    with open_source(shared_file("calcium/neuroconv_ophys_nwb_test.nwb")) as opened:
        entry = next(e for e in opened.list_streams() if e.modality == "calcium")
        series = opened.series(entry.path)
        start = float(series.times[0])
        stream = Calcium(path=entry.path).load(opened, TimeGrid(start, 0.1, 200))
    assert stream.mask.any()
    assert stream.n_channels == len(series.channels)


def test_options_of_fluorescence_are_refused_for_events():
    with pytest.raises(ValidationError, match="decay, drift: only for observation: fluorescence"):
        Calcium(path="events", observation="events", decay=0.4, drift=60.0)
