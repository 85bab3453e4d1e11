"""Which modality fits an entry of a listing, and which is proposed with what is installed."""

from __future__ import annotations

import pytest

from neurodsr.ingest.fitting import fit_modality, is_too_short, propose_modality
from neurodsr.ingest.inspection import StreamInspection
from neurodsr.sources.base import StreamEntry

BUILT_IN = frozenset({"behavior", "calcium", "fmri", "spikes"})


def entry(path: str, kind: str = "series", word: str = "array", modality: str = "") -> StreamEntry:
    return StreamEntry(path, kind, word, 1, 9, 0.0, 9.0, 0.0, "", "", modality=modality)


def stream(modality: str, **fields: object) -> StreamInspection:
    plain = {
        "path": "x", "kind": "series", "neurodata_type": "TimeSeries", "n_channels": 1,
        "n_samples": 101, "start": 0.0, "stop": 1000.0, "rate": 1.0, "unit": "",
    }  # fmt: skip
    return StreamInspection(**(plain | fields), modality=modality)


@pytest.mark.parametrize(
    ("what", "fits"),
    [
        (entry("x", modality="calcium"), ("calcium", False)),
        (entry("bold", modality="behavior"), ("behavior", False)),
        (entry("bold"), ("fmri", True)),
        (entry("bold", word="column"), ("", False)),
        (entry("licks", "events"), ("behavior", True)),
        (entry("licks", "events", "event list", "spikes"), ("behavior", True)),
        (entry("licks", "events", "Units", "spikes"), ("spikes", False)),
        (entry("neurons", "events", "event list", "spikes"), ("spikes", False)),
        (entry("behavior/licks", "events", modality="behavior"), ("behavior", False)),
        (entry("behavior/reward", "events", modality="behavior"), ("", False)),
        (entry("touches", "events", modality="touch"), ("touch", False)),
        (entry("bold", "intervals"), ("", False)),
    ],
)
def test_the_file_decides_and_where_it_is_silent_the_name_does(what, fits):
    assert fit_modality(what, BUILT_IN, file="x.npz") == fits


def test_a_plug_in_for_poses_takes_them_once_it_is_installed():
    pose = entry("ear", word="PoseEstimationSeries", modality="behavior")
    assert fit_modality(pose, BUILT_IN, file="x.nwb") == ("behavior", False)
    assert fit_modality(pose, BUILT_IN | {"keypoints"}, file="x.nwb") == ("keypoints", False)


@pytest.mark.parametrize(
    ("found", "proposed"),
    [
        (stream("fmri"), "fmri"),
        (stream("lfp"), "behavior"),
        (stream(""), ""),
        (stream("touch", kind="events"), ""),
        (stream("behavior", path="processing/simulation/state"), ""),
    ],
)
def test_a_signal_without_its_modality_becomes_a_plain_one(found, proposed):
    assert propose_modality(found, BUILT_IN) == proposed


def test_bold_that_does_not_outlast_the_response_in_training_becomes_a_plain_signal():
    # 70 % of the run are for training, and the response lasts 32 s: 45.7 s are needed.
    assert propose_modality(stream("fmri", stop=45.0), BUILT_IN) == "behavior"
    assert propose_modality(stream("fmri", stop=46.0), BUILT_IN) == "fmri"
    assert not is_too_short(stream("fmri", start=None, stop=None))
    assert not is_too_short(stream("lfp", stop=1.0))
