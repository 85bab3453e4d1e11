"""What training needs of a decoder: gradients, a good start, and parameters that can be saved."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from neurodsr.modalities.decoders import Decoder, scorable
from neurodsr.modalities.observed import Observed
from neurodsr.testing.conformance.case import LATENT_DIM, Case, as_double, differ, place
from neurodsr.testing.conformance.verdict import NotApplicableError, require

DECODER = "Decoder (neurodsr/modalities/decoders.py)"
STEP = 1e-5
"""Of a central difference in float64: its error is some STEP^2 = 1e-10 of the gradient."""
N_DIRECTIONS = 4
GAIN = 0.02
"""Nats a value that another constant may gain: less than noise of 200 values would, and more than
a robust mean loses to the likeliest one."""


def check_gradients_reach_every_parameter(case: Case) -> None:
    """The loss has a finite gradient in the latents and in every parameter, somewhere not 0."""
    decoder, seen = case.decoder(dtype=torch.float32), case.seen
    z = case.latents(len(seen.values)).float().requires_grad_()
    _loss(decoder, z, seen).backward()
    gradients = {"the latents": z.grad} | {
        name: parameter.grad
        for name, parameter in decoder.named_parameters()
        if parameter.requires_grad
    }
    for name, gradient in gradients.items():
        require(
            gradient is not None and gradient.any(),
            expected=f"the loss to depend on {name}",
            found="no gradient" if gradient is None else "a gradient of 0 everywhere",
            contract=f"{DECODER}: trained by the gradient of -given(z, seen).log_prob(x)",
            fix="use it in forward or given, without .detach(), .item() or a clamp that always "
            "binds; what shall not be trained is a buffer or has requires_grad=False",
        )
        require(
            gradient.isfinite().all(),
            expected=f"finite gradients in {name}",
            found=f"{int((~gradient.isfinite()).sum())} of {gradient.numel()} that are not",
            contract=f"{DECODER}: trained by the gradient of -given(z, seen).log_prob(x)",
            fix="torch.where does not protect the branch it leaves out: make its argument "
            "harmless first; clamp before log, sqrt and division",
        )


def check_gradients_are_right(case: Case) -> None:
    """Gradients in the latents are those of finite differences, in float64."""
    decoder, seen = case.moved_decoder().requires_grad_(False), case.window(12)
    z = case.latents(12).requires_grad_()
    (gradient,) = torch.autograd.grad(_log_likelihood(decoder, z, seen), z)
    for k in range(N_DIRECTIONS):
        step = STEP * case.latents(12, seed=10 + k)
        ahead, behind = (_log_likelihood(decoder, z.detach() + s, seen) for s in (step, -step))
        difference = ((ahead - behind) / 2).item()
        exact = (gradient * step).sum().item()
        size = (gradient * step).abs().sum().item()
        require(
            abs(difference - exact) <= 1e-4 * size + 1e-12,
            expected=f"the slope of the log-likelihood along a random direction, "
            f"{difference / STEP:.6g} by finite differences",
            found=f"{exact / STEP:.6g} by the gradient",
            contract=f"{DECODER}: trained by gradients",
            fix="let autograd differentiate; correct the backward of your autograd.Function; "
            "detach nothing that depends on the latents",
        )


def check_zero_is_the_best_constant(case: Case) -> None:
    """After `initialize`, no other constant latent predicts any channel better than z = 0."""
    seen = as_double(case.seen)
    if seen.exposure is not None:
        seen = seen._replace(mask=seen.mask & (seen.exposure == 1), exposure=None)
    decoder = case.decoder(seen.each(_single))
    constants = torch.cat([case.latents(16, seed=20) * size for size in (0.0, 0.1, 0.3, 1.0, 3.0)])
    z = constants[:, None].expand(-1, len(seen.values), LATENT_DIM)
    with torch.no_grad():
        likelihood = torch.where(seen.mask, decoder(z).log_prob(seen.values), 0.0)
    cost = -likelihood.sum(-2) / seen.mask.sum(0).clamp_min(1)
    gain, channel = (cost[0] - cost.amin(0)).max(0)
    best = constants[cost[:, channel].argmin()]
    require(
        gain <= GAIN,
        expected=f"z = 0 to be the best constant, to within {GAIN:g} nats a value",
        found=f"that z = ({', '.join(f'{v:.2f}' for v in best.tolist())}) gains {gain:.3f} nats a "
        f"value in channel {int(channel)}",
        contract=f"{DECODER}.initialize",
        fix="set offsets to the mean of the observed data through the link (log for exp), and "
        "buffers of center and scale to those of the data",
    )


def check_masked_values_do_not_initialize(case: Case) -> None:
    """`initialize` learns nothing from values whose mask is False."""
    seen = case.seen
    if seen.mask.all():
        hidden = torch.zeros_like(seen.mask)
        hidden[::5] = True
        seen = seen.without(hidden)
    zeros = seen._replace(values=seen.values * seen.mask)
    others = seen._replace(values=_single(case.filled(as_double(zeros))))
    first, second = case.decoder(zeros).state_dict(), case.decoder(others).state_dict()
    for name, tensor in first.items():
        wrong = differ(tensor, second[name])
        require(
            not wrong.any(),
            expected=f"{name} not to depend on values that are masked",
            found=f"{int(wrong.sum())} of {wrong.numel()} numbers that do",
            contract=f"{DECODER}.initialize",
            fix="masked_mean(x, mask) in place of x.mean(0), and so on for every statistic",
        )


def check_parameters_can_be_saved(case: Case) -> None:
    """Two decoders have the same keys, and one with the other's numbers predicts the same."""
    decoder, z = case.moved_decoder(dtype=torch.float32), case.latents(12).float()
    blank = Observed(torch.zeros_like(case.seen.values), torch.zeros_like(case.seen.mask))
    other = case.decoder(blank, dtype=torch.float32)
    saved, wanted = decoder.state_dict(), other.state_dict()
    keys = sorted(set(_shapes(saved).items()) ^ set(_shapes(wanted).items()))
    require(
        not keys,
        expected="every decoder of the same channels to have the same parameters and buffers",
        found=f"{', '.join(f'{k} {shape}' for k, shape in keys)} in one of two only",
        contract="surrogates store state_dict() and give it to a decoder that was built anew",
        fix="make all parameters and buffers in __init__, of sizes that channels and latent_dim "
        "tell; initialize only sets their numbers",
    )
    other.load_state_dict({k: t.clone() for k, t in saved.items()})
    x = case.other_values(12).float()
    wrong = differ(decoder(z).log_prob(x), other(z).log_prob(x))
    require(
        not wrong.any(),
        expected="a decoder with another's state_dict to give the same likelihoods",
        found=f"{place(wrong)} that differ",
        contract="surrogates store state_dict() and nothing else of a decoder",
        fix="keep whatever initialize finds in parameters or buffers (register_buffer), never in "
        "plain attributes",
    )


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _single(numbers: Tensor) -> Tensor:
    return numbers.float() if numbers.is_floating_point() else numbers


def _log_likelihood(
    decoder: Decoder, z: Float[Tensor, "time latent"], seen: Observed
) -> Float[Tensor, ""]:
    return (decoder.given(z, seen).log_prob(seen.values) * seen.mask).sum()


def _loss(decoder: Decoder, z: Float[Tensor, "time latent"], seen: Observed) -> Float[Tensor, ""]:
    """What training minimizes: the mean negative log-likelihood of an observed scalar."""
    counts = scorable(decoder, seen.mask)
    if not counts.any():
        raise NotApplicableError(
            f"no entry has all of its past, {decoder.lag} bins, in a recording of "
            f"{len(seen.values)} bins"
        )
    return -(decoder.given(z, seen).log_prob(seen.values) * counts).sum() / counts.sum()
