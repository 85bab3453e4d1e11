"""A stream's values, mask and channels belong together."""

import numpy as np
import pytest

from neurodsr.data.channels import Channels
from neurodsr.data.streams import Stream


def test_a_stream_knows_its_size():
    stream = Stream(np.zeros((7, 2)), np.ones((7, 2), bool), Channels(("a", "b")), "V")
    assert (stream.n_bins, stream.n_channels) == (7, 2)


@pytest.mark.parametrize(
    ("values", "mask", "n_channels"),
    [((7, 2), (7, 3), 2), ((7, 2), (6, 2), 2), ((7, 2), (7, 2), 3), ((7,), (7,), 1)],
)
def test_shapes_that_do_not_belong_together_are_a_bug(values, mask, n_channels):
    channels = Channels(tuple(f"c{i}" for i in range(n_channels)))
    # TypeError: where shapes are checked while the tests run, that check comes first.
    with pytest.raises((AssertionError, TypeError), match=r"together|mask|values"):
        Stream(np.zeros(values), np.ones(mask, bool), channels, "V")
