"""Arrays survive as they are, damage is told, and nothing that is read can run."""

import io
import pickle  # to make the files that must be refused
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from neurodsr.errors import DataError, IntegrityError
from neurodsr.storage.tensors import read_arrays, refuse_pickle, write_arrays

dtypes = st.sampled_from(["float32", "float64", "int64", "uint8", "bool"])
named = st.dictionaries(
    st.text("abc./", min_size=1, max_size=8),
    dtypes.flatmap(lambda d: arrays(d, array_shapes(min_dims=0, max_dims=3, max_side=3))),
    max_size=4,
)


class Bomb:
    """Unpickling it makes a file: the sign that code ran."""

    def __init__(self, sentinel):
        self.sentinel = str(sentinel)

    def __reduce__(self):
        return (open, (self.sentinel, "w"))


@given(named)
def test_arrays_survive_writing_and_reading(tmp_path_factory, given_arrays):
    path = tmp_path_factory.mktemp("arrays") / "a.safetensors"
    write_arrays(path, given_arrays)
    found = read_arrays(path)
    assert found.keys() == given_arrays.keys()
    for name, array in given_arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_the_bytes_depend_on_neither_order_nor_memory_layout(tmp_path):
    a, b = np.arange(6.0).reshape(2, 3), np.arange(3)
    write_arrays(tmp_path / "1", {"a": a, "b": b})
    write_arrays(tmp_path / "2", {"b": b, "a": np.asfortranarray(a)})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_only_numbers_are_written(tmp_path):
    with pytest.raises(AssertionError, match="'a' holds object"):
        write_arrays(tmp_path / "x", {"a": np.array([{}], dtype=object)})


@pytest.mark.parametrize("length", range(1, 120))
def test_a_header_of_any_length_is_not_mistaken_for_a_pickle(tmp_path, length):
    # Headers grow by 8 bytes with the name; some lengths start with 0x80 0x02, as pickles do.
    names = {f"{'n' * (length * 12)}{i}": np.zeros(1) for i in range(2)}
    write_arrays(tmp_path / "a.safetensors", names)
    assert read_arrays(tmp_path / "a.safetensors").keys() == names.keys()


def test_the_trap_of_the_header_length_is_real(tmp_path):
    heads = set()
    for length in range(300, 400):
        write_arrays(tmp_path / "a.safetensors", {"n" * length: np.zeros(1)})
        heads.add((tmp_path / "a.safetensors").read_bytes()[:1])
    assert b"\x80" in heads


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("suffix", ["safetensors", "pkl", "pt", "ckpt", "joblib"])
def test_a_pickle_is_refused_and_its_payload_never_runs(tmp_path, protocol, suffix):
    sentinel, path = tmp_path / "ran", tmp_path / f"weights.{suffix}"
    path.write_bytes(pickle.dumps(Bomb(sentinel), protocol=protocol))
    with pytest.raises(IntegrityError, match="fix: ") as caught:
        read_arrays(path)
    assert caught.value.exit_code == 8
    assert not sentinel.exists()
    pickle.loads(path.read_bytes()).close()
    assert sentinel.exists()  # the payload was live


def test_a_zip_is_refused_under_any_name(tmp_path):
    bytes_ = io.BytesIO()
    with zipfile.ZipFile(bytes_, "w") as archive:
        archive.writestr("data.pkl", b"")
    (tmp_path / "model.safetensors").write_bytes(bytes_.getvalue())
    with pytest.raises(IntegrityError, match="save the weights as safetensors first"):
        refuse_pickle(tmp_path / "model.safetensors")


def test_a_npy_file_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.bin")
    with pytest.raises(IntegrityError, match="give a folder saved by neurodsr"):
        refuse_pickle(tmp_path / "a.bin")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".pkl", ".joblib", ".PT"])
def test_the_suffixes_of_pickles_are_refused_whatever_is_inside(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    write_arrays(path, {"a": np.zeros(3)})
    with pytest.raises(IntegrityError, match="give a folder saved by neurodsr"):
        read_arrays(path)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 9, 40, 100, -8, -1])
def test_a_truncated_file_is_told(tmp_path, keep):
    path = tmp_path / "a.safetensors"
    write_arrays(path, {"a": np.arange(30.0), "b": np.arange(4)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(IntegrityError, match="restore it from a backup, or train the model again"):
        read_arrays(path)


def test_a_header_that_promises_too_much_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    header = b'{"a":{"dtype":"F64","shape":[1000000000000],"data_offsets":[0,8000000000000]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(IntegrityError, match="restore it from a backup"):
        read_arrays(path)
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    with pytest.raises(IntegrityError, match="restore it from a backup"):
        read_arrays(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="check the path"):
        read_arrays(tmp_path / "a.safetensors")
