"""The TR is settled by sidecar, user or header, or refused; a volume's time is within it."""

from __future__ import annotations

import numpy as np
import pytest

from neurodsr.errors import DataError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.nifti_header import NiftiHeader
from neurodsr.sources.volume_clock import read_volume_clock

MIDDLE = "a volume's time is its start + 1 s, the middle of its acquisition"


def header(step=2.0, unit="sec", *, shape=(4, 5, 6, 3)):
    return NiftiHeader(
        path="sub-01_task-rest_bold.nii.gz", shape=shape, dtype=np.dtype("i2"), offset=352,
        compressed=True, slope=1.0, intercept=0.0, affine=np.eye(4), space="scanner",
        length_unit="mm", time_step=step, time_unit=unit,
    )  # fmt: skip


def clock(scan, interval=None, **sidecar):
    declared = None if interval is None else DeclaredClock(interval=interval)
    return read_volume_clock(scan, sidecar, declared=declared)


# The TR


@pytest.mark.parametrize(("step", "unit"), [(2.0, "sec"), (2000.0, "msec"), (2e6, "usec")])
def test_the_header_s_unit_is_converted(step, unit):
    found = clock(header(step, unit))
    np.testing.assert_allclose(found.times, [1, 3, 5], rtol=1e-15)
    assert found.rate == 0.5
    assert found.notes == (MIDDLE,)


@pytest.mark.parametrize("step", [2.0, 2000.0, 2e6])
def test_without_a_unit_the_only_plausible_reading_counts_and_is_noted(step):
    found = clock(header(step, "unknown"))
    assert found.times[0] == pytest.approx(1.0, rel=1e-15)
    assert found.notes[0].endswith("has no unit: 2 s is plausible, no other")


def test_the_sidecar_comes_before_the_header():
    assert clock(header(), RepetitionTime=2.01).notes == (
        "a volume's time is its start + 1.005 s, the middle of its acquisition",
    )


def test_a_sidecar_that_differs_by_more_than_a_percent_wins_with_a_note():
    found = clock(header(2000.0), RepetitionTime=2)
    assert found.times.tolist() == [1, 3, 5]
    assert found.notes == ("the header's TR of 2000 s was not used: the sidecar says 2 s", MIDDLE)


def test_the_declared_interval_comes_before_the_header():
    found = clock(header(2000.0), 2.0)
    assert found.times.tolist() == [1, 3, 5]
    assert found.notes == ("the header's TR of 2000 s was not used: it was declared", MIDDLE)


def test_the_declared_interval_stands_in_for_an_implausible_sidecar():
    found = clock(header(0.0), 2.0, RepetitionTime=2000)
    assert found.notes[0] == "a RepetitionTime of 2000 s was not used: the TR was declared"


def test_a_declared_interval_that_a_plausible_sidecar_contradicts_is_refused():
    with pytest.raises(DataError, match=r"is 2 s.*RepetitionTime 1.5 s\n  fix: remove clock.int"):
        clock(header(), 2.0, RepetitionTime=1.5)


def test_seconds_in_the_header_that_must_be_milliseconds_are_refused_with_both_readings():
    with pytest.raises(DataError) as caught:
        clock(header(2000.0))
    assert "a TR of 2000 s; " in caught.value.what
    assert "read as ms it would be 2 s" in caught.value.what
    assert caught.value.fix == (
        'write {"RepetitionTime": 2} into sub-01_task-rest_bold.json beside it, '
        "or declare clock: {interval: 2}"
    )


def test_milliseconds_in_the_header_that_must_be_seconds_are_refused():
    with pytest.raises(DataError, match=r"TR of 2 ms.*read as s it would be 2 s\n  fix: write"):
        clock(header(2.0, "msec"))


@pytest.mark.parametrize(
    ("step", "unit"), [(0.0, "sec"), (-1.0, "sec"), (np.nan, "sec"), (1.0, "unknown"), (2.0, "hz")]
)
def test_a_header_that_says_no_tr_is_refused(step, unit):
    with pytest.raises(DataError, match=r'no sidecar gives a TR(.|\n)*fix: .*"RepetitionTime": TR'):
        clock(header(step, unit))


@pytest.mark.parametrize(("said", "meant"), [(2000, "2"), (0, "TR in s"), (0.001, "TR in s")])
def test_an_implausible_sidecar_is_refused(said, meant):
    with pytest.raises(DataError, match=rf'fix: write {{"RepetitionTime": {meant}}}'):
        clock(header(), RepetitionTime=said)


@pytest.mark.parametrize("said", ["2.0", True, None, [2.0], float("nan")])
def test_a_repetition_time_that_is_no_number_is_refused(said):
    with pytest.raises(DataError, match="fix: write RepetitionTime as the BIDS standard says"):
        clock(header(), RepetitionTime=said)


def test_a_column_of_times_cannot_be_named_for_an_image():
    with pytest.raises(DataError, match=r"fix: declare clock: \{interval"):
        read_volume_clock(header(), {}, declared=DeclaredClock(times="t"))


# The moment within a volume


def test_slice_times_give_the_mean_moment_of_a_volume():
    found = clock(header(), SliceTiming=[0.0, 1.0, 0.25, 1.25, 0.5, 1.5])
    assert found.times.tolist() == [0.75, 2.75, 4.75]
    assert found.notes == ("a volume's time is its start + 0.75 s, the mean of its 6 slice times",)


def test_slices_that_were_corrected_already_stand_for_the_reference_time():
    found = clock(header(), SliceTiming=[0.0, 1.9], SliceTimingCorrected=True, StartTime=0.95)
    assert found.times.tolist() == [0.95, 2.95, 4.95]
    assert "corrected to 0.95 s after" in found.notes[0]


def test_a_delay_without_acquisition_moves_the_middle():
    assert clock(header(), DelayTime=1.0).times.tolist() == [0.5, 2.5, 4.5]


def test_a_start_time_is_added():
    found = clock(header(), StartTime=10.0)
    assert found.times.tolist() == [11, 13, 15]
    assert found.notes == (f"{MIDDLE}; StartTime adds 10 s",)


def test_the_length_of_the_whole_run_is_not_taken_for_that_of_a_volume():
    assert clock(header(), AcquisitionDuration=600.0).times[0] == 1.0
    assert clock(header(), FrameAcquisitionDuration=1.0).times[0] == 0.5


@pytest.mark.parametrize("times", [[0.0, 1500.0], [-0.1, 1.0], [], [0.1] * 7])
def test_slice_times_outside_the_tr_are_refused(times):
    with pytest.raises(DataError, match="fix: write SliceTiming in s, one time a slice"):
        clock(header(), SliceTiming=times)


@pytest.mark.parametrize("delay", [2.0, -1.0])
def test_a_delay_as_long_as_the_tr_is_refused(delay):
    with pytest.raises(DataError, match="fix: correct DelayTime"):
        clock(header(), DelayTime=delay)


# Sparse acquisition


def test_volume_timing_gives_the_starts_and_no_rate():
    found = clock(header(0.0), VolumeTiming=[0.0, 10.0, 25.0])
    assert found.times.tolist() == [0, 10, 25]
    assert found.rate == 0.0
    assert found.notes == (
        "a volume's time is its start + 0 s, for how long it takes is not known",
    )


@pytest.mark.parametrize(
    ("said", "moment"),
    [({"AcquisitionDuration": 2.0}, 1.0), ({"SliceTiming": [0.0, 0.5]}, 0.25),
     ({"DelayTime": 9.0}, 0.5)],
)  # fmt: skip
def test_the_moment_within_a_sparse_volume(said, moment):
    found = clock(header(), VolumeTiming=[0.0, 10.0, 25.0], **said)
    np.testing.assert_array_equal(found.times, np.array([0, 10, 25]) + moment)


def test_volume_timing_beside_a_repetition_time_is_noted():
    found = clock(header(), VolumeTiming=[0, 10, 25], RepetitionTime=2.0)
    assert found.notes[0] == "VolumeTiming was used, RepetitionTime was not"


def test_one_sparse_volume_has_a_time():
    assert clock(header(shape=(4, 5, 6, 1)), VolumeTiming=[3.0]).times.tolist() == [3.0]


@pytest.mark.parametrize("starts", [[0, 10], [0, 10, 5], [0, 0, 1]])
def test_volume_timing_that_does_not_fit_is_refused(starts):
    with pytest.raises(DataError, match=r"3 volumes.*\n  fix: list one start a volume"):
        clock(header(), VolumeTiming=starts)


def test_a_declared_interval_that_volume_timing_contradicts_is_refused():
    with pytest.raises(
        DataError, match=r"VolumeTiming in steps of 10 s.*\n  fix: remove clock.int"
    ):
        clock(header(), 2.0, VolumeTiming=[0, 10, 25])
