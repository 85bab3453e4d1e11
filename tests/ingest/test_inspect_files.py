"""Several files side by side: who holds what, and one bad file hides no other."""

from neurodsr.ingest.inspect_files import compare_files, inspect_files


def test_a_file_that_cannot_be_opened_is_told_and_hides_no_other(demo, tmp_path):
    bad = tmp_path / "bad.nwb"
    bad.write_bytes(b"")
    found, refused = inspect_files([bad, demo, tmp_path / "none.nwb"])
    assert [f.file for f in found] == [str(demo)]
    assert [r.file for r in refused] == [str(bad), str(tmp_path / "none.nwb")]
    assert [r.exit_code for r in refused] == [3, 3]
    assert all(r.what and r.fix for r in refused)


def test_the_streams_of_several_files_are_compared_by_path(demo):
    (one,), _ = inspect_files([demo])
    units = tuple(s for s in one.streams if s.path != "units")
    two = one.model_copy(update={"streams": units})
    shared = {s.path: s.n_channels for s in compare_files([one, two])}
    assert shared["units"] == (6, None)
    assert shared["processing/behavior/Position/position"] == (2, 2)


def test_streams_that_something_takes_and_that_most_files_have_come_first(demo):
    (one,), _ = inspect_files([demo])
    two = one.model_copy(update={"streams": tuple(s for s in one.streams if s.path != "units")})
    paths = [s.path for s in compare_files([one, two])]
    assert paths.index("processing/behavior/Position/position") < paths.index("units")
    assert paths.index("units") < paths.index("processing/simulation/exponent")


def test_a_stream_that_cannot_be_read_counts_as_lacking(demo):
    (one,), _ = inspect_files([demo])
    units = next(s for s in one.streams if s.path == "units")
    broken = units.model_copy(update={"problems": ("error: broken",)})
    two = one.model_copy(update={"streams": (broken,)})
    shared = {s.path: s.n_channels for s in compare_files([one, two])}
    assert shared["units"] == (6, None)
