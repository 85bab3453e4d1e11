"""The report's plain value, built from the parts of a run."""

import math

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.recording import Recording
from neurodsr.data.streams import Intervals, Stream
from neurodsr.data.time import TimeGrid
from neurodsr.report.build import build_report, summarize_recording, summarize_training
from neurodsr.report.methods import methods_text
from neurodsr.report.model import Report


def recording_of(streams, *, n_bins, bin_width):
    nothing = Intervals(np.zeros(0), np.zeros(0), {})
    return Recording("s", TimeGrid(0.0, bin_width, n_bins), streams, nothing)


def test_counts_are_summarized_as_spikes_per_second_of_observed_time():
    counts = np.array([[2, 0], [1, 5]])
    seen = np.array([[True, True], [True, False]])
    stream = Stream(np.where(seen, counts, 0), seen, Channels(ids=("a", "b")), "count")
    recording = recording_of({"probe": stream}, n_bins=2, bin_width=0.1)
    (summary,) = summarize_recording(recording, {}).streams
    assert summary.mean == pytest.approx(3 / (3 * 0.1))
    assert summary.mean_unit == "1/s"
    assert summary.observed == 0.75


def test_a_categorical_stream_is_summarized_by_the_share_of_its_levels():
    codes = np.array([[0], [1], [1], [1]])
    channels = Channels(ids=("choice",), levels=("left", "right"))
    stream = Stream(codes, np.ones((4, 1), dtype=bool), channels, "")
    recording = recording_of({"choice": stream}, n_bins=4, bin_width=1.0)
    (summary,) = summarize_recording(recording, {}).streams
    assert summary.levels == {"left": 0.25, "right": 0.75}
    assert summary.mean is None


def test_a_stream_longer_than_one_block_is_averaged_as_a_whole():
    n_bins = 150_000
    values = np.arange(n_bins, dtype=float)[:, None]
    stream = Stream(values, np.ones((n_bins, 1), dtype=bool), Channels(ids=("x",)), "m")
    recording = recording_of({"ramp": stream}, n_bins=n_bins, bin_width=1.0)
    assert summarize_recording(recording, {}).streams[0].mean == pytest.approx((n_bins - 1) / 2)


def test_a_stream_without_channels_and_one_never_observed_are_summarized():
    silent = Stream(np.zeros((3, 1)), np.zeros((3, 1), dtype=bool), Channels(ids=("x",)), "m")
    empty = Stream(np.zeros((3, 0)), np.zeros((3, 0), dtype=bool), Channels(ids=()), "m")
    recording = recording_of({"silent": silent, "empty": empty}, n_bins=3, bin_width=1.0)
    first, second = summarize_recording(recording, {}).streams
    assert (first.observed, first.mean) == (0.0, None)
    assert (second.observed, second.mean) == (None, None)


def test_regions_are_counted_and_unknown_ones_come_last(sample):
    summary = summarize_recording(sample.recording(), {})
    assert list(summary.streams[0].regions.items()) == [
        ("CA1", 13),
        ("CA3", 13),
        ("VISp", 13),
        ("", 1),
    ]


def test_losses_that_are_not_finite_become_null_and_long_curves_are_thinned():
    steps = list(range(5000))
    losses = [math.nan, *(float(s) for s in steps[1:])]
    member = {"seed": 0, "encoder": 0, "alpha": 0.1, "step": steps, "loss": losses}
    (run,) = summarize_training({"members": [member]}).members
    assert run.loss[0] is None
    assert len(run.loss) == len(run.step) == 1000


def test_a_report_survives_the_way_through_json(sample):
    report = sample.report(sample.recording())
    assert Report.from_plain(report.to_plain()) == report


def test_the_methods_text_carries_the_numbers_of_the_run_and_only_cites_what_is_listed(sample):
    report = sample.report(sample.recording())
    text = " ".join(report.methods)
    assert "8000 steps" in text
    assert "|A| < 1" in text
    assert "2000 bins" in text
    for year, author in (("2023", "Hess"), ("2024", "Brenner"), ("2019", "Koppe")):
        assert f"{author} et al. {year}" in text
        assert any(r.startswith(author) and year in r for r in report.references)


def test_the_methods_text_leaves_out_what_the_configuration_does_not_say(sample):
    paragraphs = methods_text({}, summarize_recording(sample.recording(), {}))
    assert len(paragraphs) == 1


def test_dead_members_sparse_streams_and_a_missing_history_are_warned_of(sample):
    recording = sample.recording()
    seen = np.zeros((2000, 2), dtype=bool)
    seen[:200] = True
    sparse = Stream(np.zeros((2000, 2)), seen, Channels(ids=("x", "y")), "m")
    recording.streams["position"] = sparse
    report = build_report(
        sample.config(recording), recording, {}, sample.evaluation(), sample.provenance()
    )
    text = " ".join(report.warnings)
    assert "'position' was observed in 10\u00a0%" in text
    assert "2 of 4 ensemble members die" in text
    assert "No training history" in text
