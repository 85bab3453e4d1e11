"""The truth of a simulated session: put on the grid whole, or refused with the reason."""

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.store import open_recording, save_recording
from neurodsr.data.streams import Series
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.ingest.ingest import ingest
from neurodsr.ingest.truth import load_truth
from neurodsr.run_config import RunConfig, TruthConfig
from neurodsr.sources.base import Source
from neurodsr.testing.lorenz import EXPONENT
from neurodsr.testing.sessions import demo_config, demo_session

CONFIG = TruthConfig(path="state", reference="reference", exponent=0.5)
GRID = TimeGrid(1.0, 0.1, 20)


def series(values, times):
    values = np.asarray(values, dtype=float)
    channels = Channels(tuple("xyzw"[: values.shape[1]]))
    return Series(values, np.isfinite(values), np.asarray(times), channels, "sd")


class Simulated(Source):
    """A file that holds nothing but the two series of the truth."""

    path = "simulated.nwb"

    def __init__(self, **series):
        self._series = series

    def series(self, path):
        return self._series[path]

    def list_streams(self):
        return []

    def events(self, path):
        raise KeyError(path)

    intervals = events

    def close(self):
        pass


@pytest.fixture
def state():
    """Two samples a bin, from before the grid to after it: bin k holds k - 0.25 and k + 0.25."""
    bins = np.arange(-5, 25)
    times = GRID.start + GRID.bin_width * (bins[:, None] + [0.25, 0.75]).ravel()
    x = (bins[:, None] + [-0.25, 0.25]).ravel()
    return series(np.stack([x, -x], axis=1), times)


@pytest.fixture
def reference():
    return series(np.random.default_rng(0).normal(size=(50, 2)), np.arange(50.0))


def test_the_state_is_averaged_in_every_bin_of_the_grid(state, reference):
    truth = load_truth(Simulated(state=state, reference=reference), CONFIG, GRID)
    expected = np.arange(20.0)[:, None] * [1, -1]
    np.testing.assert_allclose(truth.state.values, expected, atol=1e-6)  # float32
    assert truth.state.values.dtype == np.float32
    assert truth.state.mask.all()
    assert (truth.state.channels, truth.state.unit) == (state.channels, "sd")
    assert truth.exponent == 0.5


def test_the_reference_is_taken_sample_by_sample_whatever_its_clock(state, reference):
    """Rounded to float32 as it will be on disk, so that opened and fresh recordings agree."""
    truth = load_truth(Simulated(state=state, reference=reference), CONFIG, GRID)
    expected = reference.values.astype(np.float32).astype(float)
    np.testing.assert_array_equal(truth.reference, expected, strict=True)


@pytest.mark.parametrize(
    ("lost", "n_bins"),
    [(slice(0, 16), 3), (slice(-14, None), 2), (slice(20, 22), 1)],
    ids=["before", "after", "within"],
)
def test_a_state_that_is_missing_in_some_bins_is_refused(state, reference, lost, n_bins):
    values = state.values.copy()
    values[lost, 1] = np.nan
    holed = series(values, state.times)
    with pytest.raises(DataError, match=f"missing in {n_bins} of 20 bins") as caught:
        load_truth(Simulated(state=holed, reference=reference), CONFIG, GRID)
    assert caught.value.where == "simulated.nwb:/state"
    assert "leave the truth section out, or choose grid.start and grid.stop" in caught.value.fix


def test_a_reference_of_another_system_is_refused(state):
    other = series(np.zeros((50, 3)), np.arange(50.0))
    source = Simulated(state=state, reference=other)
    with pytest.raises(DataError, match=r"2 dimensions, the reference 3\n  fix: name two series"):
        load_truth(source, CONFIG, GRID)


@pytest.fixture(scope="module")
def ingested(demo):
    return ingest(RunConfig.from_plain(demo_config(file=demo.name)), root=demo.parent)


def test_the_truth_of_a_simulated_session_is_what_was_simulated(ingested):
    session = demo_session(seed=0, n_bins=500, n_units=6, n_reference=400)
    np.testing.assert_allclose(ingested.truth.state.values, session.state, atol=1e-6)
    np.testing.assert_allclose(ingested.truth.reference, session.reference, atol=1e-6)
    assert ingested.truth.exponent == EXPONENT


def test_the_truth_is_the_same_after_the_recording_was_saved_and_opened(ingested, tmp_path):
    save_recording(ingested, tmp_path / "recording")
    truth = open_recording(tmp_path / "recording").truth
    np.testing.assert_array_equal(truth.state.values[:], ingested.truth.state.values)
    np.testing.assert_array_equal(truth.reference, ingested.truth.reference)


def test_without_a_truth_section_nothing_of_it_is_read(demo):
    plain = demo_config(file=demo.name)
    del plain["truth"]
    assert ingest(RunConfig.from_plain(plain), root=demo.parent).truth is None
