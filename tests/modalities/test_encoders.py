import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.modalities.behavior import Behavior
from neurodsr.modalities.encoders import StreamEncoder
from neurodsr.modalities.observed import Observed


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    built = StreamEncoder(n_features=3, width=5)
    built.center.copy_(torch.tensor([1.0, 2.0, 3.0]))
    built.scale.copy_(torch.tensor([0.5, 1.0, 2.0]))
    return built


def values(seed=0):
    return torch.randn(20, 3, generator=torch.Generator().manual_seed(seed))


def masks(seed=0):
    return torch.rand(20, 3, generator=torch.Generator().manual_seed(seed)) < 0.5


def test_where_nothing_is_observed_the_evidence_is_exactly_zero(encoder):
    mask = masks()
    mask[4] = False
    assert (encoder(values(), mask)[4] == 0).all()
    assert (encoder(values(), torch.zeros(20, 3, dtype=bool)) == 0).all()


def test_masked_values_change_neither_evidence_nor_gradient(encoder):
    mask, x = masks(), values()
    other = torch.where(mask, x, values(1))
    found = []
    for features in (x, other):
        evidence = encoder(features, mask)
        (gradient,) = torch.autograd.grad(evidence.square().sum(), [encoder.evidence.weight])
        found.append((evidence, gradient))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_silence_and_absence_differ(encoder):
    """A value at the mean says something that an unseen one does not: it was observed."""
    x = encoder.center.expand(1, 3)
    seen, unseen = (encoder(x, torch.full((1, 3), v)) for v in (True, False))
    assert torch.equal(seen, encoder.evidence.weight[:, -1][None])
    assert not torch.equal(seen, unseen)


def test_features_are_standardized_by_what_was_observed():
    encoder, mask = StreamEncoder(n_features=3, width=5), masks()
    x = 100 + 7 * values()
    encoder.initialize(torch.where(mask, x, -1e6), mask)
    for c in range(3):
        seen = x[mask[:, c], c]
        assert encoder.center[c].item() == pytest.approx(seen.mean().item(), rel=1e-5)
        assert encoder.scale[c].item() == pytest.approx(
            seen.std(correction=0).item(),
            rel=1e-4,  # float32 of values around 100
        )


def test_a_channel_that_never_varies_keeps_a_scale_of_one():
    encoder = StreamEncoder(n_features=2, width=5)
    encoder.initialize(torch.full((10, 2), 3.0), torch.tensor([True, False]).expand(10, 2))
    assert encoder.scale.tolist() == [1, 1]
    assert encoder.center.tolist() == [3, 0]


def test_each_level_of_a_label_is_a_feature_masked_with_its_channel():
    choice = Behavior(path="choice", observation="categorical")
    channels = Channels(("choice",), levels=("left", "none", "right"))
    x = torch.tensor([[0.0], [2.0], [1.0]])
    seen = Observed(x, torch.tensor([[True], [False], [True]]))
    features, known = choice.features(seen, channels, bin_width=0.1)
    assert features.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert known.tolist() == [[True] * 3, [False] * 3, [True] * 3]
    assert (StreamEncoder(choice.n_features(channels), 4)(features, known)[1] == 0).all()


def test_one_channel_among_others_may_be_unknown(encoder):
    """Its features add nothing, and the fraction that is known says so."""
    x, mask = values()[:1], torch.tensor([[True, False, True]])
    standardized = (x - encoder.center) / encoder.scale
    expected = torch.tensor([[*(standardized * mask)[0], 2 / 3]]) @ encoder.evidence.weight.T
    torch.testing.assert_close(encoder(x, mask), expected)
