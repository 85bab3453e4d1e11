"""The same recording on HDF5 and on Zarr gives the same Recording, byte for byte."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neurodsr.data.store import save_recording
from neurodsr.ingest.ingest import ingest
from neurodsr.run_config import RunConfig

LINEAR_TRACK = {
    "units": {"kind": "spikes", "path": "units"},
    "position": {"kind": "behavior", "path": "processing/behavior/Position/position"},
}
CALCIUM = {
    "cells": {
        "kind": "behavior",
        "path": "processing/ophys/Fluorescence/RoiResponseSeries",
        "where": {"Accepted": 1},
    },
    "deconvolved": {"kind": "behavior", "path": "processing/ophys/Fluorescence/Deconvolved"},
}
OPTO = {
    "units": {"kind": "spikes", "path": "units"},
    "response": {
        "kind": "behavior",
        "path": "intervals/trials/response",
        "observation": "categorical",
    },
}
LASER = {
    "laser": {"path": "intervals/trials", "value": "photo_stim_power", "where": {"stim_present": 1}}
}
PAIRS = {
    "linear track": (
        "spikes/nelpy_linear-track.nwb",
        "zarr/nelpy_linear-track.nwb.zarr",
        {"streams": LINEAR_TRACK, "grid": {"bin_width": 0.1}},
    ),
    "calcium": (
        "calcium/neuroconv_ophys_nwb_test.nwb",
        "zarr/neuroconv_ophys_nwb_test.nwb.zarr",
        {"streams": CALCIUM, "grid": {"bin_width": 0.1}},
    ),
    "optogenetics": (
        "opto/sub-anm00239123_ses-20170627T093549_ecephys+ogen.nwb",
        "zarr/sub-anm00239123_ecephys+ogen.nwb.zarr",
        {
            "streams": OPTO,
            "inputs": LASER,
            "grid": {"bin_width": 0.1},
            "segments": {"path": "intervals/trials", "where": {"is_good": 1}},
        },
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_hdf5_and_zarr_give_identical_bytes(pair, shared_file, tmp_path):
    saved = []
    for name, form in zip(PAIRS[pair][:2], ("hdf5", "zarr"), strict=True):
        path = shared_file(name)
        config = RunConfig.from_plain({"schema_version": 1, "file": path.name, **PAIRS[pair][2]})
        recording = ingest(config, root=path.parent)
        # Only the name and the checksum of the file differ.
        save_recording(replace(recording, source=None), tmp_path / form)
        saved.append(
            {
                str(p.relative_to(tmp_path / form)): p.read_bytes()
                for p in sorted((tmp_path / form).rglob("*"))
                if p.is_file()
            }
        )
    assert saved[0].keys() == saved[1].keys()
    assert [name for name in saved[0] if saved[0][name] != saved[1][name]] == []
