"""What a decoder gives: a distribution for every entry, finite, in the number format asked for."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurodsr.modalities.decoders import Decoder
from neurodsr.modalities.observed import Observed
from neurodsr.testing.conformance.case import LATENT_DIM, Case, place
from neurodsr.testing.conformance.verdict import require

DECODER = "Decoder (neurodsr/modalities/decoders.py)"
FAR = 10.0
"""Latents have unit variance; free runs stray this far."""


def check_forward_gives_one_distribution_an_entry(case: Case) -> None:
    """The batch shape of what the decoder gives is (*batch, time, channel), each a scalar."""
    decoder, n = case.decoder(), len(case.channels)
    for batch in ((), (2,), (2, 3)):
        p = decoder(case.latents(*batch, 12))
        wanted = (*batch, 12, n)
        found = (tuple(p.batch_shape), tuple(p.event_shape), tuple(decoder.predict(p).shape))
        require(
            found == (wanted, (), wanted),
            expected=f"batch shape {wanted}, event shape () and predictions {wanted} for latents "
            f"{(*batch, 12, LATENT_DIM)}",
            found=f"batch shape {found[0]}, event shape {found[1]} and predictions {found[2]}",
            contract=f"{DECODER}.forward and .predict",
            fix="work on the last two axes only, give a value for each channel, and do not wrap "
            "the distribution in Independent",
        )


def check_decoder_keeps_the_number_format(case: Case) -> None:
    """In float32 and in float64, likelihoods and predictions come out as latents went in."""
    seen = case.window(12)
    for dtype in (torch.float32, torch.float64):
        decoder = case.decoder(dtype=dtype)
        x = seen.values.to(dtype)
        exposure = None if seen.exposure is None else seen.exposure.to(dtype)
        p = decoder.given(case.latents(12).to(dtype), Observed(x, seen.mask, exposure))
        found = (p.log_prob(x).dtype, decoder.predict(p).dtype)
        require(
            found == (dtype, dtype),
            expected=f"log-likelihoods and predictions of {dtype} from latents of {dtype}",
            found=f"{found[0]} and {found[1]}",
            contract=DECODER,
            fix="make constants with the dtype of z, and codes into numbers by .to(p.<...>.dtype)",
        )


def check_decoder_moves_to_another_device(case: Case) -> None:
    """All tensors are parameters or buffers, so that they move, and are saved, with the module."""
    decoder = case.decoder(dtype=torch.float32)
    loose = [name for module in decoder.modules() for name in _loose_tensors(module)]
    require(
        not loose,
        expected="every tensor of the decoder to be a parameter or a buffer",
        found=f"plain tensors {', '.join(loose)}",
        contract=f"{DECODER}: an nn.Module that `.to(device)` moves as a whole",
        fix=f"self.register_buffer({loose[0]!r}, ...)" if loose else "",
    )
    if torch.cuda.is_available():
        _require_same_on_cuda(case, decoder)


def check_log_probabilities_are_finite(case: Case) -> None:
    """Log-likelihoods are finite for latents at 0, at +-10, and for masked entries, too."""
    decoder, seen = case.decoder(dtype=torch.float32), case.seen
    for level in (0.0, FAR, -FAR):
        z = torch.full((len(seen.values), LATENT_DIM), level)
        wrong = ~decoder.given(z, seen).log_prob(seen.values).isfinite()
        require(
            not wrong.any(),
            expected=f"finite log-likelihoods of the recorded values where all latents are "
            f"{level:g}, and of the 0 that stands for a masked one",
            found=f"{place(wrong)} that are not",
            contract="reconstruction_loss: a sum of log-likelihoods times the mask, and "
            "not-a-number times 0 is not 0",
            fix="bound rates and scales away from 0 and infinity (clamp, floor), give the "
            "distribution validate_args=False, and a finite log_prob at 0",
        )


def check_one_channel_and_one_bin_work(case: Case) -> None:
    """A single channel, a single bin and a single latent are enough."""
    channels = case.channels.select(np.array([0]))
    seen = case.seen.each(lambda part: part[:, :1])
    decoder = case.decoder(seen, channels=channels, latent_dim=1)
    one = case.window(1).each(lambda part: part[:, :1])
    p = decoder.given(case.latents(1, latent_dim=1), one)
    require(
        p.log_prob(one.values).shape == p.batch_shape == (1, 1),
        expected="a distribution of batch shape (1, 1) for one bin of one channel and one latent",
        found=f"{tuple(p.batch_shape)}",
        contract=f"{DECODER}.given",
        fix="do not squeeze axes, and repeat the first latent before a window's start",
    )


def check_a_channel_never_seen_stays_finite(case: Case) -> None:
    """A channel without a single observed value makes nothing not-a-number."""
    mask = case.seen.mask.clone()
    mask[:, 0] = False
    exposure = None if case.seen.exposure is None else case.seen.exposure * mask
    seen = Observed(case.seen.values * mask, mask, exposure)
    decoder = case.decoder(seen, dtype=torch.float32)
    bad = [n for n, tensor in decoder.state_dict().items() if not tensor.isfinite().all()]
    likelihood = decoder.given(torch.zeros(len(mask), 3), seen).log_prob(seen.values)
    require(
        not bad and likelihood.isfinite().all(),
        expected="finite parameters and likelihoods where a channel was never observed",
        found=f"not finite: {', '.join(bad) or 'its likelihood'}",
        contract=f"{DECODER}.initialize",
        fix="divide by mask.sum(0).clamp_min(1), as masked_mean and masked_sd do",
    )


def _loose_tensors(module: torch.nn.Module) -> list[str]:
    """Names of tensors among the plain attributes of a module, also in its lists and dicts."""
    own = {k: v for k, v in vars(module).items() if not k.startswith("_")}
    own |= {k: v for k, v in vars(module).items() if isinstance(v, Tensor)}
    found = []
    for name, value in own.items():
        inside = value if isinstance(value, list | tuple) else [value]
        inside = list(value.values()) if isinstance(value, dict) else inside
        found += [name] if any(isinstance(v, Tensor) for v in inside) else []
    return found


def _require_same_on_cuda(case: Case, decoder: Decoder) -> None:
    seen, z = case.seen, case.latents(len(case.seen.values)).float()
    here = decoder.given(z, seen).log_prob(seen.values)
    decoder.to("cuda")
    there = seen.each(lambda part: part.to("cuda"))
    found = decoder.given(z.to("cuda"), there).log_prob(there.values).cpu()
    # Devices sum in other orders; float32 keeps seven digits of numbers up to some hundreds.
    apart = (found - here).abs()
    require(
        torch.allclose(found, here, rtol=1e-3, atol=1e-3),
        expected="the same log-likelihoods on the accelerator as on the processor",
        found=f"differences up to {apart.max().item():.3g}",
        contract=DECODER,
        fix="make every constant a buffer, or on z.device",
    )
