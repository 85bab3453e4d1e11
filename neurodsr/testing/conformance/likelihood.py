"""Whether a likelihood is one, and whether samples follow it."""

from __future__ import annotations

import torch
from scipy.stats import chi2
from torch import Tensor

from neurodsr.modalities.observed import Observed
from neurodsr.testing.conformance.case import Case
from neurodsr.testing.conformance.cells import cut
from neurodsr.testing.conformance.verdict import require

DECODER = "Decoder (neurodsr/modalities/decoders.py)"
NEAR = 2e-3
"""Sums and integrals are good to some 1e-4."""
N_CLASSES = 20
FALSE_ALARM = 1e-6
"""Probability that a right modality fails one of these checks by accident, at most."""
N_PATHS, N_BINS = 48, 8
N_SIMULATED, N_ERRORS = 256, 6.0
"""Paths, and standard errors of a mean over them: Student's t lies beyond once in 10^8."""
BIN_BY_BIN = (
    "draw each bin from the distribution that given(z, seen) has for it, where seen holds the bins "
    "drawn before"
)


@torch.no_grad()
def check_likelihood_is_normalized(case: Case) -> None:
    """Probabilities sum to 1, densities integrate to 1, in every entry."""
    seen = case.window(6)
    decoder, z = case.moved_decoder(), case.latents(6)
    everything = torch.ones_like(seen.mask)
    for name, p, mask in (
        ("forward(z)", decoder(z), everything),
        ("given(z, seen)", decoder.given(z, seen), seen.mask),
    ):
        total = torch.where(mask, cut(p).total, 1.0)
        off = (total - 1).abs().nan_to_num(torch.inf)
        time, channel = divmod(int(off.argmax()), total.shape[-1])
        require(
            off[time, channel] <= NEAR,
            expected=f"exp(log_prob) of {name} to sum up to 1 over all values",
            found=f"{total[time, channel].item():.4g} in bin {time} of channel {channel}",
            contract=f"{DECODER}: a distribution, so that likelihoods of modalities compare",
            fix="add the missing terms to log_prob, such as -log of the scale or log of k!; of a "
            "mixture, add the probabilities and not their logarithms; let `support` tell all "
            "values and no others",
        )


@torch.no_grad()
def check_samples_follow_the_likelihood(case: Case) -> None:
    """Samples of `forward` are distributed as its log_prob says."""
    p = case.moved_decoder()(case.latents(N_BINS))
    x = p.sample((N_PATHS,)).double()
    _require_uniform(
        cut(p).uniform(x),
        what="forward(z).sample()",
        fix="let sample draw from the distribution whose log_prob is given: compare their means "
        "and variances",
    )


@torch.no_grad()
def check_simulate_follows_given(case: Case) -> None:
    """Simulated paths are distributed as `given` says of a path, each bin after its own past."""
    decoder = case.moved_decoder()
    z = case.latents(N_BINS).expand(N_SIMULATED, -1, -1)
    x = decoder.simulate(z).double()
    seen = Observed(x, torch.ones(x.shape, dtype=torch.bool))
    few = decoder.given(z[:N_PATHS], seen.each(lambda part: part[:N_PATHS]))
    u = cut(few).uniform(x[None, :N_PATHS])
    _require_uniform(u, what="simulate(z), bin after bin,", fix=BIN_BY_BIN)
    gain = (decoder.given(z, seen).log_prob(x) - decoder(z).log_prob(x)).sum((-2, -1))
    error = gain.std() / N_SIMULATED**0.5
    require(
        gain.mean() >= -N_ERRORS * error,
        expected="simulated paths to be likelier under given(z, seen), which knows their past, "
        "than under forward(z)",
        found=f"{-gain.mean().item():.3g} nats less (standard error {error.item():.2g})",
        contract=f"{DECODER}.simulate and .given",
        fix=BIN_BY_BIN,
    )


def check_simulate_is_repeatable(case: Case) -> None:
    """Simulated values are finite, and the same where torch's global generator is."""
    decoder = case.moved_decoder(dtype=torch.float32)
    z = case.latents(2, 64).float()
    first, second = (_simulated(decoder.simulate, z) for _ in range(2))
    n_channels = len(case.channels)
    require(
        tuple(first.shape) == (2, 64, n_channels) and first.isfinite().all(),
        expected=f"finite values of shape (2, 64, {n_channels})",
        found=f"shape {tuple(first.shape)}, of which {int((~first.isfinite()).sum())} not finite",
        contract=f"{DECODER}.simulate",
        fix="give (*batch, time, channel) values, and bound rates so that no sample overflows",
    )
    require(
        torch.equal(first, second),
        expected="the same values for the same torch.manual_seed",
        found=f"{int((first != second).sum())} of {first.numel()} values that differ",
        contract=f"{DECODER}.simulate: from torch's global generator",
        fix="draw with torch.* or distribution.sample(), not with numpy, random or a generator of "
        "your own",
    )


def _simulated(simulate: object, z: Tensor) -> Tensor:
    torch.manual_seed(5)
    with torch.no_grad():
        return simulate(z)


def _require_uniform(u: Tensor, *, what: str, fix: str) -> None:
    """A chi-square test of numbers that should be uniform on (0, 1)."""
    counts = torch.histc(u.clamp(0, 1).flatten(), N_CLASSES, 0, 1)
    expected = u.numel() / N_CLASSES
    statistic = ((counts - expected) ** 2 / expected).sum().item()
    p_value = float(chi2.sf(statistic, N_CLASSES - 1))
    odd = int((counts - expected).abs().argmax())
    require(
        p_value > FALSE_ALARM and not u.isnan().any(),
        expected=f"{what} to follow log_prob: {expected:.0f} of {u.numel()} values in each "
        f"twentieth of the probability",
        found=f"{int(counts[odd])} between the quantiles {odd / N_CLASSES:g} and "
        f"{(odd + 1) / N_CLASSES:g} (chi-square p = {p_value:.1g})",
        contract=DECODER,
        fix=fix,
    )
