"""NumPy files: mapped, never unpickled, and never larger in memory than they promise."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from neurodsr.errors import DataError, IntegrityError
from neurodsr.sources.base import DeclaredClock
from neurodsr.sources.npy_source import open_npy, open_npz

CLOCK = DeclaredClock(interval=0.001)


@pytest.fixture
def npy(tmp_path):
    """A function that saves an array and opens it."""

    def save(array):
        np.save(tmp_path / "a.npy", array)
        return open_npy(tmp_path / "a.npy")

    return save


@pytest.fixture
def npz(tmp_path):
    """A function that saves arrays and opens them."""

    def save(**arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        return open_npz(tmp_path / "a.npz")

    return save


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i1", "u2", "i8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_any_type_and_order_are_read(npy, dtype, order):
    array = np.array([[0, 1], [1, 0], [1, 1]], dtype=dtype, order=order)
    series = npy(array).series("table", clock=CLOCK)
    np.testing.assert_array_equal(series.values, array.astype(float))
    np.testing.assert_array_equal(np.asarray(series.times), [0.0, 0.001, 0.002])
    assert series.channels.ids == ("table[0]", "table[1]")


@pytest.mark.parametrize("path", ["", "table", "/table"])
def test_a_vector_is_one_channel_of_that_path(npy, path):
    assert npy(np.arange(3.0)).series(path, clock=CLOCK).values.shape == (3, 1)


def test_large_arrays_stay_in_the_file_and_give_the_same_numbers(npy, monkeypatch):
    array = np.random.default_rng(0).normal(size=(50, 3))
    array[7, 1] = np.nan
    expected = npy(array).series("table", clock=CLOCK)
    monkeypatch.setattr("neurodsr.sources.table_values.EAGER_BYTES", 0)
    monkeypatch.setattr("neurodsr.sources.table_values.BLOCK_BYTES", 100)
    lazy = npy(array).series("table", clock=CLOCK)
    assert not isinstance(lazy.values, np.ndarray)
    assert lazy.notes == expected.notes == ("1 of 150 values are empty, NaN or infinite: masked",)
    keys = [
        slice(None), slice(3, 9), slice(40, 5, -4), 7, -1, [9, 2, 2], np.arange(50) % 3 == 0,
        (slice(5, 9), 1), (slice(None), [2, 0]), [],
    ]  # fmt: skip
    for key in keys:
        np.testing.assert_array_equal(lazy.values[key], expected.values[key])
        np.testing.assert_array_equal(lazy.valid[key], expected.valid[key])


def test_the_axes_are_exchanged_on_request(npy):
    source = npy(np.arange(6).reshape(2, 3))
    (entry,) = source.list_streams()
    assert entry.problems[0].startswith("warning: shape (2, 3): more channels than samples; may be")
    series = source.series("table.T", clock=CLOCK)
    np.testing.assert_array_equal(series.values, [[0, 3], [1, 4], [2, 5]])


def test_exchanging_what_has_one_axis_is_refused(npy):
    with pytest.raises(DataError, match=r"fix: leave out '\.T'"):
        npy(np.arange(3)).series("table.T", clock=CLOCK)


def test_three_axes_are_refused_with_the_path_that_reads_trials(npy):
    source = npy(np.arange(24.0).reshape(2, 4, 3))
    (entry,) = source.list_streams()
    assert (entry.n_samples, entry.n_channels) == (8, 3)
    assert entry.problems[0].startswith("error: an array of shape (2, 4, 3)")
    with pytest.raises(DataError, match=r"fix: path: table\.trials if its axes are trial, time"):
        source.series("table", clock=CLOCK)
    with pytest.raises(DataError, match=r"fix: use 'table\.trials'"):
        source.series("table.T", clock=CLOCK)


def test_trials_lie_one_after_another_with_a_gap_between(npy):
    array = np.arange(24.0).reshape(2, 4, 3)
    series = npy(array).series("table.trials", clock=CLOCK)
    np.testing.assert_array_equal(series.values, array.reshape(8, 3))
    np.testing.assert_allclose(series.times[3:5], [0.003, 0.008])


def test_a_vector_has_no_trials(npy):
    with pytest.raises(DataError, match=r"fix: leave out '\.trials'"):
        npy(np.arange(3)).series("table.trials", clock=CLOCK)


def test_an_empty_array_is_listed_as_an_error(npy):
    (entry,) = npy(np.zeros((0, 3))).list_streams()
    assert entry.problems == ("error: an array of shape (0, 3) is empty; fix: leave it out",)


def test_pickled_objects_are_never_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}, None]), allow_pickle=True)
    with pytest.raises(DataError, match=r"keeps as pickle(.|\n)*fix: save numbers"):
        open_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("array", [np.ones(3, complex), np.array(["a"]), np.float64(3.0)])
def test_what_is_no_signal_says_what_would_be(npy, array):
    with pytest.raises(DataError, match=r"fix: save real numbers of shape \(time,\)"):
        npy(array)


def test_a_truncated_file_is_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy_bytes(np.zeros(100))[:500])
    with pytest.raises(DataError, match="fix: copy it again"):
        open_npy(tmp_path / "a.npy")


def test_a_file_changed_while_it_is_read_is_refused(npy, tmp_path):
    source = npy(np.zeros(5))
    with open(tmp_path / "a.npy", "ab") as file:
        file.write(b"more")
    with pytest.raises(DataError, match="fix: wait until the program that writes it is done"):
        source.series("table", clock=CLOCK)


def test_members_are_streams_and_their_time_is_found(npz):
    source = npz(x=np.ones((3, 2)), t=np.array([0.0, 0.5, 1.5]), note=np.array("hello"))
    (entry,) = source.list_streams()
    assert (entry.path, entry.start, entry.stop) == ("x", 0.0, 1.5)
    np.testing.assert_array_equal(source.series("x").times, [0, 0.5, 1.5])


def test_gaps_are_listed(npz):
    times = np.concatenate([np.arange(20) * 0.1, 9 + np.arange(20) * 0.1])
    (entry,) = npz(x=np.ones(40), t=times).list_streams()
    assert entry.gaps == ((pytest.approx(1.9), 9.0),)


def test_a_vector_of_labels_names_the_channels(npz):
    series = npz(x=np.ones((3, 2)), labels=np.array(["V1", "V2"])).series("x", clock=CLOCK)
    assert series.channels.ids == ("V1", "V2")
    assert series.notes == ("the channels are named by 'labels'",)


def test_a_member_of_objects_is_listed_and_the_others_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", allow_pickle=True, bad=np.array([{}]), good=np.ones(3))
    source = open_npz(tmp_path / "a.npz")
    problems = {e.path: e.problems for e in source.list_streams()}
    assert problems["bad"][0].startswith("error: an array of Python objects")
    assert source.series("good", clock=CLOCK).values.sum() == 3
    with pytest.raises(DataError, match="fix: save numbers"):
        source.series("bad")


@pytest.mark.parametrize("name", ["../a.npy", "/a.npy", "a/../../b.npy", "..\\a.npy", "C:a.npy"])
def test_members_that_lead_out_of_the_archive_are_unsafe(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(name, npy_bytes(np.zeros(3)))
    with pytest.raises(IntegrityError, match=r"fix: write the file again with numpy\.savez"):
        open_npz(tmp_path / "a.npz")


def test_an_archive_larger_on_paper_than_on_disk_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(10**6))
    monkeypatch.setattr("neurodsr.sources.npy_source.MAX_UNSTORED", 10**6)
    monkeypatch.setattr("neurodsr.sources.npy_source.MAX_RATIO", 100)
    with pytest.raises(DataError, match="fix: write the file again with its real content"):
        open_npz(tmp_path / "a.npz")


def test_a_member_that_declares_more_than_it_holds_is_listed_as_an_error(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", npy_bytes(np.zeros(1000))[:-8])
    (entry,) = open_npz(tmp_path / "a.npz").list_streams()
    assert "needs 8128 bytes, the archive holds 8120" in entry.problems[0]


def test_a_damaged_archive_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(1000))
    raw = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(raw[:-30])
    with pytest.raises(DataError, match="fix: copy it again"):
        open_npz(tmp_path / "a.npz")


def test_a_flipped_bit_in_a_member_is_found(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(1000))
    raw = bytearray((tmp_path / "a.npz").read_bytes())
    raw[4000] ^= 1
    (tmp_path / "a.npz").write_bytes(raw)
    with pytest.raises(DataError, match="Bad CRC-32"):
        open_npz(tmp_path / "a.npz").series("x", clock=CLOCK)


def test_nothing_is_read_after_closing(npz):
    with npz(x=np.ones(3)) as source:
        pass
    with pytest.raises(DataError, match=r"fix: read inside `with open_source"):
        source.series("x", clock=CLOCK)


def test_real_field_potential(shared_file):
    path = shared_file("lfp/neurodsp_sample_data_1.npy")
    with open_npy(path) as source:
        series = source.series("table", clock=CLOCK)
    np.testing.assert_array_equal(series.values[:, 0], np.load(path))
    assert series.times[-1] == pytest.approx(9.999)


def test_real_simulations_of_networks(shared_file):
    with open_npz(shared_file("perturbation/npi_wbm66_seed0.npz")) as source:
        series = source.series("BOLD_TR0p72", clock=DeclaredClock(interval=0.72))
    assert series.values.shape == (12000, 66)
    assert series.channels.ids[:2] == ("rENT", "rPARH")
    with open_npz(shared_file("perturbation/npi_rnn20_seeds00-04.npz")) as source:
        problems = {e.path: e.problems[0] for e in source.list_streams()}
        assert problems["dynamics"].startswith("error: an array of shape (5, 8000, 20)")
        trials = source.series("dynamics.trials", clock=DeclaredClock(interval=0.72))
    assert trials.values.shape == (40_000, 20)
