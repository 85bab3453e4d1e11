"""Values of behavior as numbers for linear methods, and back."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.data.channels import Channels
from neurodsr.errors import NeurodsrError
from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.observations import OBSERVATIONS
from neurodsr.modalities.observed import Observed
from neurodsr.modalities.scores import (
    ACCURACY,
    BITS_PER_EVENT,
    CIRCULAR_ERROR,
    ORDINAL_ERROR,
    R2,
)

LEVELS = ("1", "2", "3", "4")
CHANNELS = Channels(("x", "y"), levels=LEVELS)
NUMBERS = st.floats(-1e6, 1e6, width=32)
CODES = st.integers(0, len(LEVELS) - 1)
VALUES = {
    "gaussian": NUMBERS,
    "student": NUMBERS,
    "angle": st.floats(-3.125, 3.125, width=32),
    "categorical": CODES,
    "ordinal": CODES,
    "events": st.integers(0, 1),
}


def behavior(observation, **fields):
    return Behavior.from_plain({"path": "p", "observation": observation, **fields})


def test_each_name_of_the_configuration_is_in_the_table():
    assert set(get_args(Behavior.model_fields["observation"].annotation)) == set(OBSERVATIONS)
    assert set(OBSERVATIONS) == set(VALUES)


@pytest.mark.parametrize("observation", OBSERVATIONS)
@given(data=st.data())
def test_what_is_embedded_comes_back(observation, data):
    drawn = data.draw(st.lists(st.lists(VALUES[observation], min_size=2, max_size=2), min_size=1))
    how, x = behavior(observation), torch.tensor(drawn, dtype=torch.float32)
    embedded = how.embed(x, CHANNELS)
    assert embedded.shape == (len(x), how.n_features(CHANNELS))
    assert embedded.dtype == x.dtype
    # Of an angle, the two roundings of float32: of cosine and sine, and of the angle.
    torch.testing.assert_close(
        how.unembed(embedded, CHANNELS), x, rtol=0, atol=1e-6 if observation == "angle" else 0
    )


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_each_channel_has_its_own_features_one_channel_after_the_other(observation):
    """Batch axes stay, and the mask of a channel is that of all its features."""
    how, x = behavior(observation), torch.ones(5, 3, 2)
    mask = torch.tensor([True, False]).expand(5, 3, 2)
    features, known = how.features(Observed(x, mask), CHANNELS, bin_width=0.1)
    half = how.n_features(CHANNELS) // 2
    assert features.shape == known.shape == (5, 3, 2 * half)
    assert known[..., :half].all()
    assert not known[..., half:].any()
    alone = Channels(("x",), levels=LEVELS)
    assert torch.equal(features[..., :half], how.embed(x[..., :1], alone))


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_the_decoder_is_for_as_many_channels_as_there_are(observation):
    decoder = behavior(observation).build_decoder(CHANNELS, 3, bin_width=0.1)
    p = decoder(torch.zeros(4, 7, 3))
    assert p.batch_shape == (4, 7, 2)
    assert decoder.predict(p).shape == (4, 7, 2)
    assert decoder.simulate(torch.zeros(4, 7, 3)).shape == (4, 7, 2)
    assert decoder.lag == 0


def test_an_angle_is_a_unit_vector():
    x = torch.tensor([[math.pi / 2, math.pi]])
    found = behavior("angle").embed(x, CHANNELS)
    torch.testing.assert_close(found, torch.tensor([[0.0, 1.0, -1.0, 0.0]]), atol=1e-6, rtol=0)
    assert behavior("angle").unembed(5 * found, CHANNELS)[0, 0].item() == pytest.approx(x[0, 0])


def test_an_ordinal_label_says_which_levels_it_exceeds():
    how, x = behavior("ordinal"), torch.tensor([[0.0, 2.0], [3.0, 1.0]])
    assert how.embed(x, CHANNELS).tolist() == [[0, 0, 0, 1, 1, 0], [1, 1, 1, 1, 0, 0]]


def test_the_mean_of_embedded_ordinal_labels_is_their_median():
    how, alone = behavior("ordinal"), Channels(("x",), levels=LEVELS)
    x = torch.tensor([0, 0, 1, 3, 3, 2, 3]).float()[:, None]
    assert how.unembed(how.embed(x, alone).mean(0), alone).item() == x.median().item() == 2


def test_the_number_that_a_linear_method_gives_for_an_event_becomes_a_probability():
    found = behavior("events").unembed(torch.tensor([[-0.2, 0.3], [1.4, 1.0]]), CHANNELS)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.3], [1.0, 1.0]]))


@pytest.mark.parametrize(
    ("observation", "score"),
    [
        ("gaussian", R2),
        ("student", R2),
        ("angle", CIRCULAR_ERROR),
        ("categorical", ACCURACY),
        ("ordinal", ORDINAL_ERROR),
        ("events", BITS_PER_EVENT),
    ],
)
def test_each_kind_of_values_is_judged_by_the_score_natural_to_it(observation, score):
    assert behavior(observation).natural_score is score


@pytest.mark.parametrize(
    ("fields", "fix"),
    [
        ({"observation": "gaussian", "levels": ["a", "b"]}, "levels are for observation: categ"),
        ({"observation": "ordinal", "levels": ["a", "b", "a"]}, "name the same level twice"),
        ({"observation": "student", "angle_unit": "deg"}, "angle_unit is for observation: angle"),
        ({"observation": "poisson"}, "'gaussian', 'student', 'angle', 'categorical', 'ordinal'"),
    ],
)
def test_a_field_that_does_not_fit_is_refused(fields, fix):
    with pytest.raises((ValueError, NeurodsrError), match=fix):
        Behavior.from_plain({"path": "p", **fields})
