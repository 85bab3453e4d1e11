"""The demo: an attractor recovered from spikes, behavior and choice, and nothing from shuffles."""

from dataclasses import replace

import numpy as np
import pytest

from neurodsr.evaluation.evaluate import evaluate
from neurodsr.ingest.ingest import ingest
from neurodsr.load_config import load_config
from neurodsr.testing.demo import demo, write_demo
from neurodsr.training.train import train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_the_demo_recovers_the_attractor_and_says_so(tmp_path):
    result = demo(tmp_path / "demo", seed=0)
    values = {c.name: c.value for c in result.evaluation.verdict.checks}
    assert result.evaluation.verdict.reconstructed
    assert result.evaluation.verdict.sentence.startswith("Reconstructed")
    assert values["dead starts"] == 0
    assert values["aligned state-space divergence"] <= 4
    assert values["aligned spectral distance"] <= 0.15
    assert values["relative error of the largest exponent"] <= 0.25
    assert result.report_path.is_file()
    assert demo(tmp_path / "demo", seed=0).up_to_date


def test_bins_shuffled_in_time_are_not_reconstructed_also_without_knowing_the_truth(tmp_path):
    config = load_config(write_demo(tmp_path, seed=0))
    recording = ingest(config, root=tmp_path)
    order = np.random.default_rng(0).permutation(recording.grid.n_bins)
    shuffled = {
        name: replace(s, values=s.values[order], mask=s.mask[order])
        for name, s in recording.streams.items()
    }
    shuffled = replace(recording, streams=shuffled, truth=None)
    evaluation, _ = evaluate(train(shuffled, config), shuffled)
    assert not evaluation.verdict.reconstructed
    failed = {c.name for c in evaluation.verdict.checks if not c.passed}
    assert "forecast gain (95 % lower bound)" in failed
