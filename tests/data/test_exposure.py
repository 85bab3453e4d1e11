"""Exposure: the fraction of a bin in which a channel was watched, exact, where it is needed."""

import tracemalloc
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.coverage import CHANNELS
from neurodsr.data.streams import Events, Stream
from neurodsr.data.time import TimeGrid

UNIX = 1.7e9
GRID = TimeGrid(0.0, 1.0, 4)


def watched(*channels):
    """Channels without events, each with its stretches; None where the file is silent."""
    n = len(channels)
    observed = tuple(np.array(c, dtype=float).reshape(-1, 2) for c in channels)
    ids = tuple(f"n{i}" for i in range(n))
    return Events(np.zeros(0), np.zeros(n + 1, dtype=int), Channels(ids), observed)


def silent(n):
    return watched(*[[]] * n)._replace(observed=None)


# ---- known answers


@pytest.mark.parametrize(
    ("stretches", "fractions"),
    [
        ([(0.5, 3.25)], [0.5, 1, 1, 0.25]),
        ([(1.25, 1.5)], [0, 0.25, 0, 0]),
        ([(1.25, 1.5), (1.75, 2.5)], [0, 0.5, 0.5, 0]),
        ([(0.5, 1.5), (1.0, 2.5)], [0.5, 1, 0.5, 0]),
        ([(0.0, 4.0), (1.25, 1.5)], None),
        ([(0.0, 1.5), (1.5, 3.0)], [1, 1, 1, 0]),
        ([(2.5, 3.0), (-3.0, 0.5)], [0.5, 0, 0.5, 0]),
        ([(3.75, 1e300), (-1e300, -1.0)], [0, 0, 0, 0.25]),
        ([(-np.inf, 0.25), (3.0, np.inf)], [0.25, 0, 0, 1]),
        ([(0.5, np.nan), (2.0, 1.0), (3.5, 4.0)], [0, 0, 0, 0.5]),
    ],
)
def test_each_bin_has_the_fraction_of_it_that_was_watched(stretches, fractions):
    exposure = GRID.exposure(watched(stretches))
    assert (None if exposure is None else exposure[:, 0].tolist()) == fractions


@pytest.mark.parametrize(
    "events",
    [
        silent(2),
        watched(),
        watched([], []),
        watched([(0, 4)]),
        watched([(0, 2)], [(1, 2), (3, 4)], [(-9, 9)]),
    ],
)
def test_where_bins_were_watched_whole_or_not_at_all_there_is_no_exposure(events):
    assert GRID.exposure(events) is None


def test_each_of_many_channels_has_its_own_exposure():
    n = 2 * CHANNELS + 1
    grid = TimeGrid(0.0, 1.0, n)
    exposure = grid.exposure(watched(*([(c, c + 0.5)] for c in range(n))))
    np.testing.assert_array_equal(exposure, np.eye(n, dtype=np.float32) / 2, strict=True)


def test_one_partial_bin_of_the_last_channel_gives_all_channels_an_exposure():
    exposure = GRID.exposure(watched([(0, 2)], [(0, 4)], [(0.5, 4)]))
    assert exposure.tolist() == [[1, 1, 0.5], [1, 1, 1], [0, 1, 1], [0, 1, 1]]


def test_channels_that_were_watched_alike_share_one_exposure_in_memory():
    exposure = GRID.exposure(watched(*[[(0.5, 2)]] * 3))
    assert (exposure.shape, exposure.strides[1]) == ((4, 3), 0)
    assert not exposure.flags.writeable


@pytest.mark.parametrize("bin_width", [0.1, 0.02, 1 / 3])
@pytest.mark.parametrize("start", [0.0, 0.1, UNIX])
def test_ends_that_meet_edges_but_for_rounding_leave_no_slivers(start, bin_width):
    grid = TimeGrid(start, bin_width, 400)
    # A table's times are sums of their own, which meet the grid's edges only but for rounding.
    ends = start + np.arange(0, 400, 7) * bin_width
    assert grid.exposure(watched(np.stack([ends[:-1:2], ends[1::2]], axis=1))) is None


def test_a_part_of_a_grid_has_the_exposure_of_its_bins():
    grid = TimeGrid(0.1, 0.1, 50)
    events = watched([(0.33, 1.27), (2.0, 4.04)], [(-1.0, 2.55)])
    np.testing.assert_array_equal(
        grid.part(7, 40).exposure(events), grid.exposure(events)[7:40], strict=True
    )


# ---- against a direct formulation, in exact arithmetic


@st.composite
def watchings(draw):
    """A grid, and channels whose stretches begin and end on edges, within bins, or never."""
    grid = TimeGrid(
        draw(st.sampled_from([0.0, 0.1, -7.3, UNIX])),
        draw(st.sampled_from([1e-3, 0.02, 0.1, 1 / 3])),
        draw(st.integers(1, 12)),
    )
    n_widths = st.one_of(st.integers(-3, 15), st.floats(-3, 15, width=32))
    times = st.one_of(
        n_widths.map(lambda x: grid.start + x * grid.bin_width),
        st.sampled_from([-np.inf, np.inf, np.nan]),
    )
    stretches = st.lists(st.tuples(times, times), max_size=6)
    return grid, draw(st.lists(stretches, min_size=1, max_size=3))


def union_length(stretches, low, high):
    """Length of the union inside [low, high]: of all pieces between ends, those inside any."""
    cut = [(max(s, low), min(t, high)) for s, t in stretches if max(s, low) < min(t, high)]
    exact = [(Fraction(s), Fraction(t)) for s, t in cut]
    ends = sorted({end for stretch in exact for end in stretch})
    inside = [b - a for a, b in pairwise(ends) if any(s <= a and b <= t for s, t in exact)]
    return sum(inside, Fraction(0))


def moved(grid, stretches):
    """Seconds by which rounding may change a sum: ends move to edges by two steps of the clock."""
    step = np.spacing(max(abs(grid.start), abs(grid.stop)))
    return (4 * len(stretches) + 4) * step


@given(watchings())
def test_exposure_is_the_part_of_each_bin_inside_the_union(watching):
    grid, channels = watching
    exposure = grid.exposure(watched(*channels))
    if exposure is None:
        exposure = grid.observed(watched(*channels))
    for c, stretches in enumerate(channels):
        lengths = [union_length(stretches, a, b) for a, b in pairwise(grid.edges.tolist())]
        expected = [float(length / Fraction(grid.bin_width)) for length in lengths]
        tolerance = moved(grid, stretches) / grid.bin_width + 2.0**-24  # a float32 near 1
        np.testing.assert_allclose(exposure[:, c], expected, rtol=0, atol=tolerance)


@given(watchings())
def test_exposures_sum_to_the_length_of_the_union_inside_the_grid(watching):
    grid, channels = watching
    exposure = grid.exposure(watched(*channels))
    if exposure is None:
        exposure = grid.observed(watched(*channels))
    low, high = grid.edges[[0, -1]].tolist()
    for c, stretches in enumerate(channels):
        total = exposure[:, c].sum(dtype=float) * grid.bin_width
        tolerance = moved(grid, stretches) + grid.n_bins * grid.bin_width * 2.0**-24
        assert total == pytest.approx(float(union_length(stretches, low, high)), abs=tolerance)


@given(watchings())
def test_exposure_is_exactly_one_in_observed_bins_and_absent_where_that_is_all(watching):
    grid, channels = watching
    exposure, seen = grid.exposure(watched(*channels)), grid.observed(watched(*channels))
    if exposure is not None:
        assert exposure.dtype == np.float32
        assert ((exposure >= 0) & (exposure <= 1)).all()
        assert (exposure[seen] == 1).all()
        assert (exposure[~seen] > 0).any()


def test_ten_thousand_short_stretches_in_a_bin_are_summed_and_never_exceed_it():
    starts = np.arange(10_000) * 1e-4
    exposure = GRID.exposure(watched(np.stack([starts, starts + 0.5e-4], axis=1)))
    # Each of the 10^4 ends is rounded to 1e-16, and the sum to float32.
    assert exposure[0, 0] == pytest.approx(0.5, abs=1e-7)
    gapless = GRID.exposure(watched(np.stack([starts, starts + (1 - 1e-12) * 1e-4], axis=1)))
    assert gapless[0, 0] == 1


def test_exposure_takes_less_than_twice_the_memory_of_the_result():
    grid = TimeGrid(0.0, 0.01, 20_000)
    events = watched(*([(c / 7, 150 + c / 7)] for c in range(4 * CHANNELS)))
    grid.edges  # noqa: B018  (held by the grid, whoever asks)
    tracemalloc.start()
    exposure = grid.exposure(events)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * exposure.nbytes


# ---- of a stream


def stream(exposure, *, shape=(7, 2)):
    channels = Channels(tuple(f"c{i}" for i in range(shape[1])))
    return Stream(np.zeros(shape), np.ones(shape, bool), channels, "V", exposure=exposure)


def test_a_stream_is_watched_whole_unless_it_says_otherwise():
    assert Stream(np.zeros((7, 1)), np.ones((7, 1), bool), Channels(("a",)), "V").exposure is None


@pytest.mark.parametrize("shape", [(7, 3), (6, 2), (7,)])
def test_an_exposure_of_another_shape_is_a_bug(shape):
    # TypeError: where shapes are checked while the tests run, that check comes first.
    with pytest.raises((AssertionError, TypeError), match=r"together|exposure"):
        stream(np.ones(shape))


def test_a_change_is_made_to_values_mask_and_exposure_alike():
    values, mask = np.arange(6.0).reshape(3, 2), np.array([[True, False]] * 3)
    whole = Stream(values, mask, Channels(("a", "b")), "V", ("noted",), np.where(mask, 0.5, 0))
    last = whole.transform(lambda array: array[1:, :1], channels=Channels(("a",)))
    assert last.values.tolist() == [[2], [4]]
    assert last.mask.tolist() == [[True], [True]]
    assert last.exposure.tolist() == [[0.5], [0.5]]
    assert (last.channels.ids, last.unit, last.notes) == (("a",), "V", ("noted",))
    assert stream(None).transform(lambda array: array[:2]).exposure is None
