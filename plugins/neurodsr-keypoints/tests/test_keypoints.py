"""What `keypoints` does with numbers, what bad input gets, and what is asked of every kind."""

import numpy as np
import pytest
import torch
from neurodsr.data.lazy import LazyArray
from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError
from neurodsr.modalities.observed import Observed
from neurodsr.testing.checks import parametrize_with_checks
from neurodsr.testing.fake_source import FakeSource, sampled
from pydantic import ValidationError

from neurodsr_keypoints.keypoints import Keypoints

RATE, N = 10.0, 40
GRID = TimeGrid(0.0, 0.1, N)
PATH = "processing/behavior/PoseEstimation"


def pose(values, ids, *, confidence=None, rate=RATE, sure=0.6):
    """A pose as a source gives it: what its own threshold leaves out is kept, but not valid."""
    series = sampled(values, rate=rate, start=0.5 / rate, unit="pixels", ids=ids)
    if confidence is None:
        return series
    told = np.where(series.valid, confidence, 0.0)
    return series._replace(confidence=told, valid=told >= sure)


def load(series, *, path=PATH, grid=GRID, **fields):
    fields = {"max_missing": 1.0} | fields
    return Keypoints(path=path, **fields).load(FakeSource({path: series}), grid)


@pytest.fixture
def mouse():
    """A nose, a body and a tail that walk about; some of the nose and the tail is unsure."""
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=(N, 6)), axis=0)
    confidence = np.ones((N, 6))
    confidence[:8, :2] = np.array([0.1, 0.3, 0.5, 0.7, 0.8, 0.85, 0.95, 1.0])[:, None]
    confidence[20:25, 4:] = 0.2
    ids = ("nose.x", "nose.y", "body.x", "body.y", "tail.x", "tail.y")
    return pose(values, ids, confidence=confidence)


def long_pose():
    """A minute of three body parts at 50 Hz, whose confidence comes and goes."""
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=(3000, 6)), axis=0)
    confidence = np.repeat(rng.random((3000, 3)) ** 0.2, 2, axis=1)
    ids = ("nose.x", "nose.y", "body.x", "body.y", "tail.x", "tail.y")
    series = pose(values, ids, confidence=confidence, rate=50.0)
    return FakeSource({PATH: series})


@parametrize_with_checks([Keypoints, Keypoints(path="pose", resample="interpolate")])
def test_it_keeps_the_contract(check):
    check()


@parametrize_with_checks(
    [
        Keypoints(path=PATH, min_confidence=0.4, center="body"),
        Keypoints(path=PATH, min_confidence=0.8, body_parts=("nose",), max_missing=0.5),
    ],
    source=long_pose(),
    grid=TimeGrid(1.0, 0.02, 1600),
)
def test_it_keeps_the_contract_with_the_confidence_of_a_tracker(check):
    check()


# Confidence


@pytest.mark.parametrize(
    ("min_confidence", "nose", "tail"), [(0.15, 1, 0), (0.6, 3, 5), (0.9, 6, 5)]
)
def test_the_threshold_is_ones_own_below_that_of_the_source_and_above(
    mouse, min_confidence, nose, tail
):
    stream = load(mouse, min_confidence=min_confidence, max_gap=0.01)
    assert (~stream.mask).sum(axis=0).tolist() == [nose, nose, 0, 0, tail, tail]
    np.testing.assert_allclose(
        stream.values, np.where(stream.mask, mouse.values, 0), rtol=1e-6
    )  # float32


def test_what_is_masked_is_counted_by_body_part(mouse):
    assert load(mouse, min_confidence=0.9).notes == (
        "11 samples of a confidence below 0.9 were masked, of 40 of each body part: nose 6, tail 5",
    )


def test_the_note_of_the_source_on_its_own_threshold_is_replaced(mouse):
    told = mouse._replace(notes=("8 samples of a confidence below 0.6 were masked", "sorted"))
    assert load(told, min_confidence=0.05).notes == ("sorted",)


def test_a_pose_without_confidence_is_taken_whole_and_a_note_says_so(mouse):
    stream = load(pose(mouse.values, mouse.channels.ids))
    assert stream.mask.all()
    assert stream.notes == (
        "the file does not say how sure the tracker was: every position that is a number counts",
    )


def test_a_position_that_is_no_number_never_counts():
    values = np.arange(2.0 * N).reshape(N, 2)
    values[5] = np.nan
    stream = load(pose(values, ("nose.x", "nose.y"), confidence=np.ones((N, 2))), max_gap=0.01)
    assert np.flatnonzero(~stream.mask[:, 0]).tolist() == [5]


def test_a_tracker_that_was_never_sure_is_refused_with_its_largest_confidence(mouse):
    with pytest.raises(DataError, match=r"of 2 or more; the largest is 1\n  fix: lower min_conf"):
        load(mouse, min_confidence=2.0)


def test_too_much_that_is_unsure_is_refused(mouse):
    with pytest.raises(DataError, match=r"9\.2% of the values.*\n  fix: .* raise max_missing"):
        load(mouse, min_confidence=0.9, max_missing=0.05)


# Body parts and the center


def test_body_parts_are_chosen_in_the_order_of_the_file(mouse):
    stream = load(mouse, body_parts=("tail", "nose"))
    assert stream.channels.ids == ("nose.x", "nose.y", "tail.x", "tail.y")


def test_the_others_are_seen_from_the_center_where_both_were_seen(mouse):
    stream = load(mouse, center="tail", max_gap=0.01)
    assert stream.channels.ids == ("nose.x", "nose.y", "body.x", "body.y")
    distance = mouse.values[:, :4] - np.tile(mouse.values[:, 4:], 2)
    np.testing.assert_allclose(stream.values, np.where(stream.mask, distance, 0), atol=1e-5)
    both = mouse.valid[:, :4] & np.tile(mouse.valid[:, 4:], 2)
    np.testing.assert_array_equal(stream.mask, both)


def test_where_the_animal_walks_does_not_change_what_is_seen_from_its_body(mouse):
    walk = np.cumsum(np.random.default_rng(1).normal(size=(N, 2)), axis=0)
    walked = mouse._replace(values=mouse.values + np.tile(walk, 3))
    before, after = load(mouse, center="body"), load(walked, center="body")
    np.testing.assert_allclose(after.values, before.values, atol=1e-5)


def test_the_center_need_not_be_among_the_body_parts_that_are_used(mouse):
    assert load(mouse, center="tail", body_parts=("nose",)).channels.ids == ("nose.x", "nose.y")


def test_three_dimensions_are_seen_from_the_center_as_two_are():
    values = np.random.default_rng(0).normal(size=(N, 6))
    series = pose(values, ("a.x", "a.y", "a.z", "b.x", "b.y", "b.z"))
    stream = load(series, center="b")
    assert stream.channels.ids == ("a.x", "a.y", "a.z")
    np.testing.assert_allclose(stream.values, values[:, :3] - values[:, 3:], atol=1e-6)


def test_a_series_of_one_body_part_is_named_by_its_path(mouse):
    nose = pose(mouse.values[:, :2], ("x", "y"))
    stream = load(nose, path=f"{PATH}/nose", body_parts=("nose",))
    assert stream.channels.ids == ("x", "y")


def test_a_single_coordinate_can_be_chosen(mouse):
    assert load(mouse, center="body", channels=("nose.y",)).channels.ids == ("nose.y",)


def test_a_large_pose_stays_in_its_file_and_gives_the_same(mouse):
    def lazily(array):
        return LazyArray(lambda key: array[key], shape=array.shape, dtype=array.dtype)

    lazy = mouse._replace(
        values=lazily(mouse.values),
        valid=lazily(mouse.valid),
        confidence=lazily(mouse.confidence),
    )
    fields = {"center": "body", "min_confidence": 0.9, "body_parts": ("tail",)}
    stream, eager = load(lazy, **fields), load(mouse, **fields)
    assert isinstance(stream.values, LazyArray)
    np.testing.assert_array_equal(stream.values[3:30], eager.values[3:30])
    np.testing.assert_array_equal(stream.mask[3:30], eager.mask[3:30])
    assert stream.notes == eager.notes


@pytest.mark.parametrize("field", ["body_parts", "center"])
def test_a_body_part_that_is_not_there_is_refused_with_the_nearest(mouse, field):
    value = ("nse",) if field == "body_parts" else "nse"
    with pytest.raises(DataError, match=rf"mean 'nose'\?\n  fix: correct `{field}`; the pose has"):
        load(mouse, **{field: value})


def test_a_center_that_lacks_an_axis_is_refused():
    series = pose(np.zeros((N, 5)), ("flat.x", "flat.y", "deep.x", "deep.y", "deep.z"))
    with pytest.raises(DataError, match=r"'deep' has an axis 'z'.*\n  fix: name as body_parts"):
        load(series, center="flat")


def test_a_center_alone_is_refused():
    with pytest.raises(DataError, match=r"only body part.*\n  fix: set center: none"):
        load(pose(np.zeros((N, 2)), ("nose.x", "nose.y")), center="nose")


def test_a_center_among_the_body_parts_is_refused_in_the_configuration():
    with pytest.raises(ValidationError, match="take it out of body_parts"):
        Keypoints(path=PATH, center="nose", body_parts=("nose", "tail"))


def test_a_grid_outside_of_the_recording_is_refused(mouse):
    with pytest.raises(DataError, match=r"\n  fix: check grid.start"):
        load(mouse, grid=TimeGrid(100.0, 0.1, N))


# The observation model


def test_a_jump_of_the_tracker_moves_the_center_little_and_widens_the_tails():
    steady = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0))
    jumped = steady.clone()
    jumped[::50] = 1000.0
    channels = load(pose(np.zeros((N, 1)), ("nose",))).channels
    located, freedom = [], []
    for x in (steady, jumped):
        decoder = Keypoints(path=PATH).build_decoder(channels, 3, bin_width=0.1)
        decoder.initialize(Observed(x, torch.ones_like(x, dtype=torch.bool)))
        with torch.no_grad():
            p = decoder(torch.zeros(1, 3))
            located.append(decoder.predict(p).item())
            freedom.append(p.df.item())
    # Of 1000 standard normal values the location has a standard error of 0.03; the mean of the
    # jumped ones would be 20.
    assert abs(located[1] - located[0]) < 0.1
    assert freedom[1] < freedom[0]
