import math

import numpy as np
import pytest
import torch

from neurodsr.data.channels import Channels
from neurodsr.kernels.pwl import PiecewiseLinearMap
from neurodsr.modalities.counts import CountDecoder
from neurodsr.modalities.observed import Observed
from neurodsr.models.loss import (
    consistency,
    gauge_penalty,
    reconstruction_loss,
    smoothness_penalty,
    total_variance,
    weight_penalty,
)
from neurodsr.models.observation import ObservationModel


def test_the_likelihood_is_a_mean_over_what_was_observed_and_hidden(direct_config, direct_model):
    x = torch.tensor([[0.0, 1.0], [50.0, 0.0], [7.0, 2.0]])
    mask = torch.tensor([[True, True], [False, True], [True, True]])
    hidden = torch.tensor([[True], [True], [False]])
    loss = reconstruction_loss(
        direct_model(direct_config(2), noise=1.0),
        torch.zeros(3, 2),
        {"signal": Observed(x, mask)},
        {"signal": hidden},
    )
    expected = 0.5 * math.log(2 * math.pi) + (0 + 0.5 + 0) / 3
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_where_nothing_is_observed_the_likelihood_is_zero(direct_config, direct_model):
    nothing = torch.zeros(20, 2, dtype=bool)
    seen = {"signal": Observed(torch.ones(20, 2), nothing)}
    model = direct_model(direct_config(2))
    assert reconstruction_loss(model, torch.zeros(20, 2), seen, {"signal": ~nothing}) == 0


@pytest.mark.parametrize("watched", ["wholly", "partly"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_bins_that_are_not_scored_need_not_be_computed(
    direct_config, monkeypatch, watched, per_channel
):
    config = direct_config(2, streams={"units": {"kind": "spikes"}})
    model = ObservationModel.build(config, {"units": Channels(("a", "b", "c"))}, bin_width=0.02)
    g = torch.Generator().manual_seed(0)
    counts = torch.poisson(torch.ones(4, 30, 3), generator=g)
    mask = torch.rand(4, 30, 3, generator=g) < 0.8
    exposure = mask * torch.rand(4, 30, 3, generator=g) if watched == "partly" else None
    seen = {"units": Observed(counts * mask, mask, exposure)}
    hidden = {"units": torch.rand(4, 30, 3 if per_channel else 1, generator=g) < 0.3}
    found = []
    for memoryless in (True, False):
        monkeypatch.setattr(CountDecoder, "memoryless", memoryless)
        z = torch.randn(4, 30, 2, generator=torch.Generator().manual_seed(1)).requires_grad_()
        loss = reconstruction_loss(model, z, seen, hidden)
        found.append((loss, *torch.autograd.grad(loss, [z, *model.decoders.parameters()])))
    for some, every in zip(*found, strict=True):
        torch.testing.assert_close(some, every, rtol=1e-5, atol=1e-7)  # order of float32 sums


def test_a_stream_counts_by_its_weight(direct_config, direct_model):
    streams = {"signal": {"kind": "behavior", "path": "signal", "weight": 3.0}}
    z, mask = torch.zeros(20, 2), torch.ones(20, 2, dtype=bool)
    seen = {"signal": Observed(z + 1, mask)}
    plain, weighted = (
        reconstruction_loss(direct_model(c), z, seen, {"signal": mask})
        for c in (direct_config(2), direct_config(2, streams=streams))
    )
    assert weighted.item() == pytest.approx(3 * plain.item(), rel=1e-6)


def test_a_straight_path_is_perfectly_smooth():
    z = torch.stack([torch.arange(20.0), -2 * torch.arange(20.0)], dim=1)[None]
    assert smoothness_penalty(z).item() == pytest.approx(0, abs=1e-12)


def test_the_roughness_of_a_sine_is_the_fourth_power_of_its_step():
    r"""$\ddot z = (2 \cos\omega - 2) z$, so the penalty is $(2 - 2\cos\omega)^2$."""
    omega = 2 * np.pi / 40
    z = torch.from_numpy(np.sin(omega * np.arange(4000)))[None, :, None]
    expected = (2 - 2 * np.cos(omega)) ** 2
    # The ends are not whole periods of the second difference: one bin in four thousand.
    assert smoothness_penalty(z).item() == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_smoothness_does_not_depend_on_the_scale_of_the_latent(scale):
    z = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # The variance carries a floor of 1e-6.
    assert smoothness_penalty(scale * z).item() == pytest.approx(
        smoothness_penalty(z).item(), rel=1e-3
    )


def test_the_gauge_is_fixed_at_unit_variance_per_latent():
    z = torch.randn(4, 500, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = z / (total_variance(z) / 3).sqrt()
    assert gauge_penalty(z).item() == pytest.approx(0, abs=1e-9)
    assert gauge_penalty(math.e * z).item() == pytest.approx(4.0, rel=1e-4)


def test_a_path_that_does_not_move_has_finite_penalties():
    z = torch.zeros(1, 10, 2, requires_grad=True)
    loss = smoothness_penalty(z) + gauge_penalty(z)
    loss.backward()
    assert loss.isfinite()
    assert z.grad.isfinite().all()


def test_consistency_is_the_squared_distance_per_variance_member_by_member():
    teacher = torch.zeros(2, 3, 5, 2)
    z = teacher.clone()
    z[1] += 1.0
    found = consistency(z, teacher, torch.tensor(4.0))
    assert found.tolist() == [0.0, 2 / 4]


def test_the_weight_penalty_sums_the_squares_of_the_nonlinear_part():
    pwl = PiecewiseLinearMap(
        A=torch.full((1, 2), 9.0),
        W1=torch.full((1, 2, 3), 2.0),
        W2=torch.ones(1, 3, 2),
        h1=torch.full((1, 2), 9.0),
        h2=torch.full((1, 3), 9.0),
    )
    assert weight_penalty(pwl).tolist() == [6 * 4.0 + 6 * 1.0]
