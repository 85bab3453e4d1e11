"""MATLAB files, both kinds: structs by dotted names, cells as neurons, axes as MATLAB has them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.mat_source import open_mat, read_scalars

CLOCK = DeclaredClock(interval=0.001)
SPIKES = [[0.25, 0.5], [], [3.0]]


def cells(items):
    array = np.empty((1, len(items)), dtype=object)
    array[0] = [np.array(item) for item in items]
    return array


def write_v5(path, *, compressed=True):
    units = np.zeros((1, 2), dtype=[("times", "O"), ("depth", "O")])
    units[0, 0], units[0, 1] = ([0.5, 1.5], 10.0), ([2.5, 3.5], 20.0)
    content = {
        "data": {"LFP": np.arange(20.0).reshape(10, 2), "t": np.arange(10) / 8, "fs": 8.0},
        "spikes": cells(SPIKES),
        "names": np.array(["left", "right"], dtype=object),
        "units": units,
    }
    scipy.io.savemat(path, content, do_compression=compressed)


def write_v73(path):
    """The same as MATLAB lays it out: axes reversed, cells and struct arrays behind references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")

        def put(group, name, value, kind="double"):
            value = np.atleast_2d(value)
            empty = value.size == 0
            stored = np.array([0, 0], dtype="u8") if empty else value.T
            dataset = group.create_dataset(name, data=stored)
            dataset.attrs["MATLAB_class"] = np.bytes_(kind)
            if empty:
                dataset.attrs["MATLAB_empty"] = 1
            return dataset

        def point(group, name, targets):
            pointers = np.array([[t.ref] for t in targets], dtype=object)
            return group.create_dataset(name, data=pointers, dtype=h5py.ref_dtype)

        data = file.create_group("data")
        put(data, "LFP", np.arange(20.0).reshape(10, 2))
        put(data, "t", (np.arange(10) / 8)[:, None])
        put(data, "fs", 8.0)
        point(file, "spikes", [put(refs, f"s{i}", s) for i, s in enumerate(SPIKES)])
        texts = [np.frombuffer(s.encode("utf-16-le"), "u2") for s in ("left", "right")]
        point(file, "names", [put(refs, f"n{i}", s, "char") for i, s in enumerate(texts)])
        units = file.create_group("units")
        times = [put(refs, f"u{i}", t) for i, t in enumerate([[0.5, 1.5], [2.5, 3.5]])]
        point(units, "times", times)
        point(units, "depth", [put(refs, f"d{i}", d) for i, d in enumerate([10.0, 20.0])])
    with open(path, "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


@pytest.fixture(params=["v5", "v5 uncompressed", "v7.3"])
def mat(request, tmp_path):
    """The same content in each of the formats, opened."""
    path = tmp_path / "a.mat"
    if request.param == "v7.3":
        write_v73(path)
    else:
        write_v5(path, compressed=request.param == "v5")
    with open_mat(path) as source:
        yield source


def test_fields_of_a_struct_have_dotted_names_and_find_their_time(mat):
    series = mat.series("data.LFP")
    np.testing.assert_array_equal(series.values, np.arange(20.0).reshape(10, 2))
    np.testing.assert_array_equal(series.times, np.arange(10) / 8)
    assert series.channels.ids == ("left", "right")
    assert series.notes == (
        "the channels are named by 'names'", "'data.t' was taken as the time, s",
    )  # fmt: skip


def test_everything_is_listed_once_and_single_numbers_are_not(mat):
    found = {(e.path, e.kind, e.modality) for e in mat.list_streams()}
    assert found == {
        ("data.LFP", "series", ""),
        ("spikes", "events", "spikes"),
        ("units.times", "events", "spikes"),
    }


def test_a_cell_array_of_times_has_a_channel_for_each_cell(mat):
    events = mat.events("spikes")
    assert events.channels.ids == ("spikes{1}", "spikes{2}", "spikes{3}")
    np.testing.assert_array_equal(events.times, [0.25, 0.5, 3.0])
    np.testing.assert_array_equal(events.offsets, [0, 2, 2, 3])


def test_times_in_an_array_of_structs_have_a_channel_for_each_struct(mat):
    events = mat.events("units.times")
    np.testing.assert_array_equal(events.times, [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_array_equal(events.offsets, [0, 2, 4])


def test_the_axes_are_those_that_matlab_shows_and_can_be_exchanged(mat):
    turned = mat.series("data.LFP.T", clock=CLOCK)
    np.testing.assert_array_equal(turned.values, np.arange(20.0).reshape(10, 2).T)


def test_slices_of_large_matrices_are_the_same_numbers(mat, monkeypatch):
    monkeypatch.setattr("neurodsr.sources.table_values.EAGER_BYTES", 0)
    expected = np.arange(20.0).reshape(10, 2)
    lazy = mat.series("data.LFP").values
    np.testing.assert_array_equal(lazy[3:6], expected[3:6])
    np.testing.assert_array_equal(
        mat.series("data.t", clock=DeclaredClock(interval=0.125)).values[2:4, 0], [0.25, 0.375]
    )


def test_a_path_that_is_not_there_gets_the_nearest(mat):
    with pytest.raises(DataError, match=r"did you mean .*'data\.LFP'"):
        mat.series("data.lfp")


def test_what_holds_no_real_numbers_is_listed_with_a_reason(tmp_path):
    content = {
        "z": np.ones(3) * 1j,
        "s": scipy.sparse.csc_matrix(np.eye(4)),
        "d4": np.ones((2, 2, 2, 2)),
        "signals": cells([[2.0, 1.0], [1.0, 2.0]]),
    }
    scipy.io.savemat(tmp_path / "a.mat", content)
    problems = {e.path: e.problems[0] for e in open_mat(tmp_path / "a.mat").list_streams()}
    assert "fix: save its numbers as a full matrix of real numbers" in problems["z"]
    assert problems["s"].startswith("error: a sparse matrix")
    assert "fix: save an array of shape (time, channel)" in problems["d4"]
    assert "fix: sort the times" in problems["signals"]


def test_matrices_in_cells_are_listed_one_by_one(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"runs": cells([np.ones((4, 2)), np.ones((6, 2))])})
    assert [e.path for e in open_mat(tmp_path / "a.mat").list_streams()] == ["runs{1}", "runs{2}"]


def test_too_many_cells_of_several_kinds_are_not_looked_into(tmp_path):
    items = [np.ones((4, 2))] * 101
    scipy.io.savemat(tmp_path / "a.mat", {"runs": cells(items)})
    (entry,) = open_mat(tmp_path / "a.mat").list_streams()
    assert "101 cells of several kinds" in entry.problems[0]


def test_an_older_version_is_to_be_saved_again(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"\x00" * 200)
    with pytest.raises(DataError, match=r"fix: save it again in MATLAB: save\('file.mat'"):
        open_mat(tmp_path / "a.mat")


def test_a_hdf5_file_that_leads_elsewhere_is_unsafe(tmp_path):
    write_v73(tmp_path / "a.mat")
    with h5py.File(tmp_path / "a.mat", "a") as file:
        file["x"] = h5py.ExternalLink("/etc/other.h5", "/x")
    with pytest.raises(IntegrityError, match="external link to"):
        open_mat(tmp_path / "a.mat")


def test_a_truncated_hdf5_file_is_refused(tmp_path):
    write_v73(tmp_path / "a.mat")
    raw = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DataError, match=r"fix: copy it again, or save it again in MATLAB"):
        open_mat(tmp_path / "a.mat")


def test_functions_and_sparse_matrices_of_hdf5_files_are_left_alone(tmp_path):
    write_v73(tmp_path / "a.mat")
    with h5py.File(tmp_path / "a.mat", "a") as file:
        file["f"] = [1, 2]
        file["f"].attrs["MATLAB_class"] = np.bytes_("function_handle")
        file.create_group("sp").attrs["MATLAB_sparse"] = 3
    with open_mat(tmp_path / "a.mat") as source:
        problems = {e.path: e.problems for e in source.list_streams()}
    assert problems["f"][0].startswith("error: an object or function")
    assert problems["sp"][0].startswith("error: a sparse matrix")


def test_single_numbers_of_one_variable_can_be_asked_for(tmp_path):
    write_v5(tmp_path / "a.mat")
    assert read_scalars(tmp_path / "a.mat", "data") == {"data.fs": 8.0}
    write_v73(tmp_path / "b.mat")
    assert read_scalars(tmp_path / "b.mat", "data") == {}


def test_real_trials_of_field_potential_and_spikes(shared_file):
    path = shared_file("lfp/CaseStudies_spikes-LFP-1.mat")
    expected = scipy.io.loadmat(path)
    with open_mat(path) as source:
        entries = {e.path: e for e in source.list_streams()}
        assert set(entries) == {"n", "y"}
        with pytest.raises(DataError, match=r"fix: path: y\.T if the 100 rows are channels, y\."):
            source.series("y")
        trials, spikes = source.series("y.trials"), source.series("n.trials")
        turned = source.series("y.T")
    np.testing.assert_array_equal(trials.values[:, 0], expected["y"].ravel())
    np.testing.assert_array_equal(spikes.values[:, 0], expected["n"].ravel())
    np.testing.assert_array_equal(trials.times, spikes.times)
    np.testing.assert_array_equal(trials.times[:1000], expected["t"].ravel())
    np.testing.assert_array_equal(turned.values, expected["y"].T)
