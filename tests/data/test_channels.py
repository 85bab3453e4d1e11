"""What is known of each channel, and that it survives selection and storage."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.errors import DataError

TEXT = st.text(st.characters(codec="utf-8"), max_size=5)


@st.composite
def channels_of_any_kind(draw):
    ids = draw(st.lists(TEXT, max_size=5, unique=True))
    n = len(ids)
    coordinates = st.floats(allow_nan=False, allow_infinity=False)
    return Channels(
        ids=tuple(ids),
        regions=tuple(draw(st.lists(TEXT, min_size=n, max_size=n))),
        positions=np.array(
            draw(st.lists(coordinates, min_size=3 * n, max_size=3 * n)), dtype=float
        ).reshape(n, 3),
        located=np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool),
        levels=tuple(draw(st.lists(TEXT, max_size=3))),
    )


def assert_same(first, second):
    assert first == second
    np.testing.assert_array_equal(first.positions, second.positions)
    np.testing.assert_array_equal(first.located, second.located)


def test_what_is_not_given_is_unknown_not_nan():
    channels = Channels(ids=("a", "b"))
    assert channels.regions == ("", "")
    assert not channels.located.any()
    assert channels.positions.shape == (2, 3)
    assert not channels.positions.any()


def test_there_may_be_no_channels():
    assert len(Channels(ids=())) == 0
    assert Channels(ids=()).positions.shape == (0, 3)


@given(channels_of_any_kind())
def test_channels_survive_json_exactly(channels):
    plain = json.loads(json.dumps(channels.to_plain(), allow_nan=False))
    assert_same(Channels.from_plain(plain), channels)


@given(channels_of_any_kind(), st.data())
def test_selecting_by_mask_and_by_index_agree(channels, data):
    n = len(channels)
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    by_mask, by_index = channels.select(keep), channels.select(np.flatnonzero(keep))
    assert_same(by_mask, by_index)
    assert by_mask.ids == tuple(i for i, k in zip(channels.ids, keep, strict=True) if k)


def test_selecting_keeps_region_and_position_with_their_channel():
    channels = Channels(
        ids=("a", "b", "c"),
        regions=("VISp", "CA1", "VISl"),
        positions=np.arange(9.0).reshape(3, 3),
        located=np.array([True, False, True]),
    )
    last_first = channels.select(np.array([2, 0]))
    assert last_first.ids == ("c", "a")
    assert last_first.regions == ("VISl", "VISp")
    assert last_first.positions[0].tolist() == [6.0, 7.0, 8.0]


def test_doubled_ids_are_refused_by_name():
    with pytest.raises(DataError, match=r"b occur(.|\n)*rename or drop the doubled channels"):
        Channels(ids=("a", "b", "b"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"regions": ("VISp",)},
        {"positions": np.zeros((3, 3))},
        {"located": np.zeros(1, dtype=bool)},
    ],
)
def test_a_wrong_number_of_entries_is_refused(wrong):
    with pytest.raises(DataError, match="give one entry per channel"):
        Channels(ids=("a", "b"), **wrong)


def test_positions_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="leave `located` False"):
        Channels(ids=("a", "b"), positions=np.full((2, 3), np.nan))


def test_positions_in_a_plane_are_refused():
    # TypeError: where shapes are checked while the tests run, that check comes first.
    with pytest.raises((DataError, TypeError), match=r"positions"):
        Channels(ids=("a", "b"), positions=np.zeros((2, 2)))
