"""What breaks the contract of a stream is said in words, whoever loaded it; a sound one passes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.data.lazy import LazyArray
from neurodsr.data.streams import Stream
from neurodsr.data.time import TimeGrid
from neurodsr.modalities import stream_contract
from neurodsr.modalities.stream_contract import misfit

GRID = TimeGrid(start=2.0, bin_width=0.5, n_bins=4)
pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def stream(**fields):
    """A sound stream of channels a and b, b masked in the last bin, with some fields changed."""
    mask = np.ones((4, 2), dtype=bool)
    mask[3, 1] = False
    whole = {
        "values": np.where(mask, np.arange(8.0).reshape(4, 2), 0.0),
        "mask": mask,
        "channels": Channels(("a", "b")),
        "unit": "m",
        "notes": ("1 sample was lost",),
        "exposure": np.where(mask, 0.5, 0.0),
    }
    return Stream(**whole | fields)


def changed(array, place, value):
    array = np.array(array)
    array[place] = value
    return array


def lazy(array):
    return LazyArray(lambda key: array[key], shape=array.shape, dtype=array.dtype)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"exposure": None},
        {"unit": "", "notes": []},
        {"values": np.where(stream().mask, 3, 0)},
        {"values": stream().mask.copy()},
        {"values": stream().values.astype(np.float16)},
        {"mask": np.broadcast_to(np.True_, (4, 2)), "exposure": None},
    ],
)
def test_a_sound_stream_passes(fields):
    assert misfit(stream(**fields), GRID) == ""


@pytest.mark.parametrize("thing", [None, {"values": []}, 3.0, np.zeros((4, 2))])
def test_what_is_no_stream_is_named_by_its_type(thing):
    name = type(thing).__name__
    assert misfit(thing, GRID).endswith(f" {name}, not a Stream")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"unit": None}, "a unit of None, not a text"),
        ({"notes": "lost"}, "a str as notes, not a tuple of texts"),
        ({"notes": (3,)}, "a note of 3, not a text"),
        ({"channels": ("a", "b")}, "a tuple as channels, not Channels"),
        ({"mask": stream().mask.astype(np.int64)}, "a mask of int64, not of bool"),
        ({"mask": lazy(stream().mask)}, "a lazy mask of values that are not lazy"),
        (
            {"values": memoryview(stream().values)},
            "a memoryview as values, neither a NumPy array nor a LazyArray",
        ),
        (
            {"values": stream().values.astype(complex)},
            "values of type complex128, which are no real numbers",
        ),
        (
            {"values": changed(stream().values, (1, 0), np.nan)},
            "nan at 2.5 s in channel 'a', which is observed, and must be a finite float32",
        ),
        (
            {"values": changed(stream().values, (2, 1), -np.inf)},
            "-inf at 3 s in channel 'b', which is observed, and must be a finite float32",
        ),
        (
            {"values": changed(stream().values, (0, 1), 1e39)},  # more than float32 holds
            "1e+39 at 2 s in channel 'b', which is observed, and must be a finite float32",
        ),
        (
            {"values": changed(stream().values, (3, 1), 7)},
            "7.0 at 3.5 s in channel 'b', which is masked, and must be 0",
        ),
        (
            {"values": changed(stream().values, (3, 1), np.nan)},
            "nan at 3.5 s in channel 'b', which is masked, and must be 0",
        ),
        (
            {"exposure": changed(stream().exposure, (0, 0), 0)},
            "an exposure of 0.0 at 2 s in channel 'a', which must be in (0, 1], and 0 where the "
            "mask is False",
        ),
        (
            {"exposure": changed(stream().exposure, (1, 1), 1.5)},
            "an exposure of 1.5 at 2.5 s in channel 'b', which must be in (0, 1], and 0 where the "
            "mask is False",
        ),
        (
            {"exposure": changed(stream().exposure, (3, 1), 0.5)},
            "an exposure of 0.5 at 3.5 s in channel 'b', which must be in (0, 1], and 0 where the "
            "mask is False",
        ),
    ],
)
def test_each_misfit_is_said_with_the_value_and_its_place(fields, said):
    assert misfit(stream(**fields), GRID) == said


def test_a_channel_id_that_is_no_text_is_said():
    assert misfit(stream(channels=Channels(("a", 2))), GRID) == "a channel id of 2, not a text"


def test_another_number_of_bins_than_the_grid_has_is_said():
    assert misfit(stream(), TimeGrid(2.0, 0.5, 5)) == "4 bins where the grid has 5"


def test_lazy_values_are_not_read_but_their_types_are_looked_at():
    def load(key):
        raise AssertionError("a lazy array was read")

    arrays = {"values": float, "mask": bool, "exposure": float}
    parts = {k: LazyArray(load, shape=(4, 2), dtype=t) for k, t in arrays.items()}
    assert misfit(stream(**parts), GRID) == ""
    parts["mask"] = LazyArray(load, shape=(4, 2), dtype=np.uint8)
    assert misfit(stream(**parts), GRID) == "a mask of uint8, not of bool"


@given(place=st.tuples(st.integers(0, 3), st.integers(0, 1)), size=st.integers(1, 9))
def test_a_misfit_is_found_in_whichever_block_it_is(place, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_contract, "BLOCK_VALUES", size)
        said = misfit(stream(values=changed(stream().values, place, np.nan)), GRID)
    assert said.startswith(f"nan at {GRID.edges[place[0]]:g} s in channel {'ab'[place[1]]!r}")
