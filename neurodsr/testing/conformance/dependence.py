"""What a bin may depend on: its own member of the batch, the past, and what was observed."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from neurodsr.modalities.correlated_noise import last_observed
from neurodsr.modalities.decoders import Decoder
from neurodsr.modalities.observed import Observed
from neurodsr.testing.conformance.case import WINDOW, Case, differ, place
from neurodsr.testing.conformance.verdict import NotApplicableError, require

DECODER = "Decoder (neurodsr/modalities/decoders.py)"
LAG = f"{DECODER}.lag"
CHANGED = WINDOW // 2
"""Bin from which on, or up to which, something is changed."""
SPARE = 8
"""Bins that are looked at after those that may depend on the changed ones."""


@torch.no_grad()
def check_batch_members_do_not_mix(case: Case) -> None:
    """A batch gives what its members give one by one."""
    decoder, z = case.moved_decoder(), case.latents(3, WINDOW)
    members = [case.window(number=k) for k in range(3)]
    parts = zip(*members, strict=True)
    seen = Observed(*(None if part[0] is None else torch.stack(part) for part in parts))
    together = decoder.given(z, seen).log_prob(seen.values)
    alone = [decoder.given(path, s).log_prob(s.values) for path, s in zip(z, members, strict=True)]
    wrong = differ(together, torch.stack(alone))
    require(
        not wrong.any(),
        expected="the likelihoods of three windows in a batch to be those of each alone",
        found=f"{place(wrong)} whose likelihood changed",
        contract=DECODER,
        fix="take no statistics over batch axes (BatchNorm), and never flatten batch into time",
    )


@torch.no_grad()
def check_later_latents_change_nothing(case: Case) -> None:
    """A bin does not depend on latents after it."""
    decoder, x = case.moved_decoder(), case.other_values(WINDOW)
    z = case.latents(WINDOW)
    other = torch.cat([z[:CHANGED], case.latents(WINDOW - CHANGED, seed=3)])
    wrong = differ(decoder(z).log_prob(x), decoder(other).log_prob(x))[:CHANGED]
    require(
        not wrong.any(),
        expected=f"bins before {CHANGED} not to change with latents from bin {CHANGED} on",
        found=f"{place(wrong)} whose likelihood changed",
        contract=f"{DECODER}: causal, a sensor does not see the future",
        fix="pad a convolution at its start only; take no mean over the window",
    )


@torch.no_grad()
def check_own_future_changes_nothing(case: Case) -> None:
    """`given` uses the stream's own values of earlier bins only."""
    decoder, z, seen = case.moved_decoder(), case.latents(WINDOW), case.window()
    x = case.filled(seen)
    late = (torch.arange(WINDOW) >= CHANGED)[:, None]
    others = seen._replace(values=torch.where(late, case.other_values(WINDOW), seen.values))
    before = decoder.given(z, seen).log_prob(x)
    for changed in (others, seen.without(late)):
        wrong = differ(before, decoder.given(z, changed).log_prob(x))[: CHANGED + 1]
        require(
            not wrong.any(),
            expected=f"bins up to {CHANGED} not to change with the stream's own values from bin "
            f"{CHANGED} on",
            found=f"{place(wrong)} whose likelihood changed",
            contract=f"{DECODER}.given: bin t may use values of bins before t only",
            fix="shift the stream's own values by one bin before they enter",
        )


@torch.no_grad()
def check_lag_is_honest(case: Case) -> None:
    """A bin depends on latents and own values of `lag` bins before it, and on none before.

    Older own values may matter only through the last one that was observed.
    """
    decoder = case.moved_decoder()
    lag = decoder.lag
    require(
        isinstance(lag, int) and lag >= 0,
        expected="a lag of whole bins, 0 or more",
        found=f"{lag!r}",
        contract=LAG,
        fix="int(...), as from a duration in s divided by bin_width",
    )
    z, wholly, partly = _long(case, lag)
    nothing, x = wholly.unknown(), wholly.values
    other = torch.cat([case.latents(CHANGED, seed=3), z[CHANGED:]])
    _require_forgotten("latents", decoder(z).log_prob(x), decoder(other).log_prob(x), lag)
    before, after = (_log_prob(decoder, path, nothing, x) for path in (z, other))
    _require_forgotten("latents", before, after, lag)
    early = (torch.arange(len(x)) < CHANGED)[:, None]
    for seen in (wholly, partly):
        changed = seen._replace(values=torch.where(early, _opposite(x), x))
        before, after = (_log_prob(decoder, z, s, x) for s in (seen, changed))
        known = _last_is_from(CHANGED, seen.mask)
        _require_forgotten("own values", before, torch.where(known, after, before), lag)


@torch.no_grad()
def check_windows_agree_with_the_whole(case: Case) -> None:
    """A window gives what the whole recording gives there, from its lag on.

    Where the last observed value matters, that value must lie behind the lag, too.
    """
    decoder = case.moved_decoder()
    lag = int(decoder.lag)
    z, wholly, partly = _long(case, lag, spare=2 * SPARE)
    x = wholly.values
    for seen in (wholly.unknown(), wholly, partly):
        whole = _log_prob(decoder, z, seen, x)
        late = slice(CHANGED, None)
        window = _log_prob(decoder, z[late], seen.bins(late), x[late])
        known = _last_is_from(CHANGED + lag, seen.mask) | ~seen.mask.any()
        wrong = (differ(whole[late], window) & known[late])[lag:]
        require(
            not wrong.any(),
            expected=f"bins {lag} and later of a window to be those of the path it was cut from",
            found=f"{place(wrong, first=lag)} whose likelihood changed",
            contract=f"{DECODER}: trained on windows, used on whole recordings",
            fix="let nothing depend on a bin's number within the window",
        )


@torch.no_grad()
def check_less_exposure_predicts_less(case: Case) -> None:
    """Of a bin that was watched for half as long, less is predicted."""
    if case.stream.exposure is None:
        raise NotApplicableError("the stream has no exposure: every bin was watched whole")
    decoder, z, seen = case.moved_decoder(), case.latents(WINDOW), case.window()
    x = case.filled(seen)
    exposure = torch.ones_like(x)
    whole = Observed(x, torch.ones_like(seen.mask), exposure)
    half = torch.cat([exposure[:-1], exposure[-1:] / 2])  # of the last bin, which is nobody's past
    much, less = (
        decoder.predict(decoder.given(z, s))[-1] for s in (whole, whole._replace(exposure=half))
    )
    wrong = ~(less < much)
    channel = int(wrong.int().argmax())
    require(
        not wrong.any(),
        expected="a lower prediction for a bin of exposure 1/2 than for the same bin of exposure 1",
        found=f"{less[channel].item():.4g} and {much[channel].item():.4g} in channel {channel}",
        contract=f"{DECODER}.given, and Stream.exposure: values that add up over time",
        fix="in given, multiply the rate by seen.exposure; a stream of means has no exposure",
    )


@torch.no_grad()
def check_masked_values_change_no_likelihood(case: Case) -> None:
    """In `given`, values whose mask is False have no influence."""
    decoder, z, seen = case.moved_decoder(), case.latents(WINDOW), partly_hidden(case)
    x = case.filled(seen)
    zeros = seen._replace(values=seen.values * seen.mask)
    others = seen._replace(values=torch.where(seen.mask, seen.values, case.other_values(WINDOW)))
    wrong = differ(_log_prob(decoder, z, zeros, x), _log_prob(decoder, z, others, x))
    require(
        not wrong.any(),
        expected="given(z, seen) not to depend on values that are masked",
        found=f"{place(wrong)} whose likelihood changed",
        contract=f"{DECODER}.given and Observed: masked values may be anything the stream takes",
        fix="multiply values by the mask before they enter a history or a filter",
    )


def partly_hidden(case: Case, *, n_bins: int = WINDOW) -> Observed:
    """A window of which a third is hidden, as in training."""
    seen = case.window(n_bins)
    generator = torch.Generator().manual_seed(4)
    return seen.without(torch.rand(seen.mask.shape, generator=generator) < 1 / 3)


def _log_prob(decoder: Decoder, z: Tensor, seen: Observed, x: Tensor) -> Tensor:
    return decoder.given(z, seen).log_prob(x)


def _long(case: Case, lag: int, *, spare: int = SPARE) -> tuple[Tensor, Observed, Observed]:
    """Latents, and values all of which are known or but two thirds, beyond all that is changed."""
    n_bins = CHANGED + lag + spare
    x = case.other_values(n_bins)
    wholly = Observed(x, torch.ones(x.shape, dtype=torch.bool))
    generator = torch.Generator().manual_seed(4)
    hidden = torch.rand(x.shape, generator=generator) < 1 / 3
    return case.latents(n_bins), wholly, wholly.without(hidden)


def _opposite(x: Tensor) -> Tensor:
    """Of each channel the lowest value where it is high, and the highest where it is low."""
    low, high = x.amin(0), x.amax(0)
    return torch.where(x > (low + high) / 2, low, high)


def _last_is_from(first: int, mask: Bool[Tensor, "time channel"]) -> Bool[Tensor, "time channel"]:
    """Whether the last value that was observed before a bin is of bin `first` or later."""
    last, known = last_observed(mask)
    return known & (last >= first)


def _require_forgotten(what: str, before: Tensor, after: Tensor, lag: int) -> None:
    first = CHANGED + lag
    wrong = differ(before, after)[first:]
    require(
        not wrong.any(),
        expected=f"{what} before bin {CHANGED} not to matter from bin {first} on, {lag} bins later",
        found=f"{place(wrong, first=first)} whose likelihood changed",
        contract=LAG,
        fix="cut the kernel or the history off, or let lag be the number of past bins it covers",
    )
