"""Which files a run reads: paths, patterns, lists, and a stream's own files."""

from __future__ import annotations

import pytest

from neurodsr.errors import ConfigError, DataError
from neurodsr.ingest.files import input_files, session_files, stream_file
from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.spikes import Spikes
from neurodsr.run_config import RunConfig


@pytest.fixture
def folder(tmp_path):
    for name in ("b.nwb", "a.nwb", "track[1].nwb", "a.csv", "b.csv"):
        (tmp_path / name).write_text("x")
    return tmp_path


def test_one_path_is_one_session(folder):
    assert session_files("a.nwb", root=folder) == (folder / "a.nwb",)


def test_a_pattern_gives_its_files_by_name(folder):
    assert session_files("?.nwb", root=folder) == (folder / "a.nwb", folder / "b.nwb")
    assert session_files(str(folder / "?.nwb"), root=folder / "elsewhere") == (
        folder / "a.nwb",
        folder / "b.nwb",
    )


def test_a_list_keeps_its_order(folder):
    assert session_files(("b.nwb", "a.nwb"), root=folder) == (folder / "b.nwb", folder / "a.nwb")


def test_a_file_whose_name_has_brackets_is_no_pattern(folder):
    assert session_files("track[1].nwb", root=folder) == (folder / "track[1].nwb",)


def test_a_pattern_that_matches_nothing_is_refused(folder):
    with pytest.raises(DataError, match=r"no file matches 'c\*.nwb'\n  fix: check the pattern"):
        session_files("c*.nwb", root=folder)


def test_a_file_named_twice_is_refused(folder):
    with pytest.raises(DataError, match="fix: list every session once"):
        session_files(("a.nwb", "*.nwb"), root=folder)


def test_a_stream_may_lie_in_files_of_its_own(folder):
    tables = Behavior(path="x", file=("a.csv", "b.csv"))
    default = folder / "a.nwb"
    assert stream_file(tables, 1, default=default, root=folder) == folder / "b.csv"
    assert stream_file(Spikes(), 1, default=default, root=folder) == default


def test_a_stream_with_too_few_files_is_refused(folder):
    config = RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": ["a.nwb", "b.nwb"],
            "grid": {"bin_width": 0.1},
            "streams": {"x": {"kind": "behavior", "path": "x", "file": "a.csv"}},
        }
    )
    with pytest.raises(ConfigError, match="fix: give the stream one file for each file of the run"):
        input_files(config, root=folder)


def test_everything_that_is_read_is_looked_at_first(folder):
    config = RunConfig.from_plain(
        {
            "schema_version": 1,
            "file": "a.nwb",
            "grid": {"bin_width": 0.1},
            "streams": {"x": {"kind": "behavior", "path": "x", "file": "missing.csv"}},
        }
    )
    with pytest.raises(DataError, match="no such file"):
        input_files(config, root=folder)
