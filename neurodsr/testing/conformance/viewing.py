"""What the encoder sees of a stream: features, which of them are known, and how far they look."""

from __future__ import annotations

import torch
from torch import Tensor

from neurodsr.modalities.observed import Observed
from neurodsr.testing.conformance.case import Case, differ
from neurodsr.testing.conformance.dependence import partly_hidden
from neurodsr.testing.conformance.verdict import require

FEATURES = "Modality.features (neurodsr/modalities/base.py)"


def check_features_have_the_promised_size(case: Case) -> None:
    """Features and their mask are (*batch, time, n_features), finite numbers and booleans."""
    seen, n = case.window(12), case.modality.n_features(case.channels)
    batch = seen.each(lambda part: part[None].expand(2, *part.shape))
    for given, shape in ((seen, (12, n)), (batch, (2, 12, n))):
        features, known = _features(case, given)
        require(
            (tuple(features.shape), tuple(known.shape)) == (shape, shape),
            expected=f"features and mask of shape {shape}, as n_features = {n} says",
            found=f"{tuple(features.shape)} and {tuple(known.shape)}",
            contract=FEATURES,
            fix="let n_features, embed and features agree on the length of the last axis",
        )
        require(
            known.dtype == torch.bool and features.isfinite().all(),
            expected="finite features, and a mask of booleans",
            found=f"{int((~features.isfinite()).sum())} features that are not finite, and a mask "
            f"of {known.dtype}",
            contract=FEATURES,
            fix="give 0 where nothing is known: not-a-number times a mask of 0 is not 0",
        )


@torch.no_grad()
def check_embedding_can_be_undone(case: Case) -> None:
    """`unembed` gives back what `embed` was given, or its equal, as 370 degrees are 10."""
    modality, channels, contract = case.modality, case.channels, "Modality.unembed"
    x = case.filled(case.window())
    features = modality.embed(x, channels)
    back = modality.unembed(features, channels)
    require(
        back.shape == x.shape,
        expected=f"values of shape {tuple(x.shape)} back from embed and unembed",
        found=f"{tuple(back.shape)}",
        contract=f"{contract}: the inverse of embed",
        fix="undo in unembed, axis by axis, what embed does",
    )
    back, p = back.to(x), case.moved_decoder()(case.latents(len(x)))
    # The first alone would let an embedding pass that forgets, such as one of zeros.
    for what, before, after in (
        ("embed(unembed(embed(x))) to be embed(x)", features, modality.embed(back, channels)),
        ("unembed(embed(x)) to be as likely as x", p.log_prob(x), p.log_prob(back)),
    ):
        wrong = differ(before, after)
        require(
            not wrong.any(),
            expected=what,
            found=f"{int(wrong.sum())} of {wrong.numel()} numbers changed, by up to "
            f"{(after - before).abs().max().item():.3g}",
            contract=f"{contract}: the inverse of embed",
            fix="a linear method predicts embedded values, and its predictions are scored "
            "unembedded",
        )


def check_nothing_known_gives_nothing(case: Case) -> None:
    """Where nothing was observed, no feature is known."""
    features, known = _features(case, case.window().unknown())
    require(
        not known.any() and features.isfinite().all(),
        expected="no known and only finite features of a window without an observed value",
        found=f"{int(known.sum())} of {known.numel()} features known, "
        f"{int((~features.isfinite()).sum())} not finite",
        contract=f"{FEATURES}: a stream that is absent adds nothing",
        fix="make the mask of features from seen.mask alone",
    )


def check_masked_values_change_no_feature(case: Case) -> None:
    """Features do not depend on values whose mask is False."""
    seen = partly_hidden(case)
    zeros = seen._replace(values=seen.values * seen.mask)
    first, second = (_masked(case, s) for s in (zeros, seen._replace(values=case.filled(zeros))))
    wrong = differ(first[0], second[0]) | (first[1] != second[1])
    require(
        not wrong.any(),
        expected="known features not to depend on values that are masked",
        found=f"{int(wrong.sum())} of {wrong.numel()} that do",
        contract=f"{FEATURES}: from the observed entries alone",
        fix="multiply by the mask first; bins that are hidden in training would leak otherwise",
    )


def check_context_is_honest(case: Case) -> None:
    """A feature does not depend on bins more than `context` away."""
    context, contract = case.modality.context(case.bin_width), "Modality.context"
    require(
        isinstance(context, int) and context >= 0,
        expected="a context of whole bins, 0 or more",
        found=f"{context!r}",
        contract=contract,
        fix="int(...), as from a duration in s divided by bin_width",
    )
    n_bins = 2 * context + 24
    seen = partly_hidden(case, n_bins=n_bins)
    n_bins, half = len(seen.values), len(seen.values) // 2
    late = (torch.arange(n_bins) >= half)[:, None]
    for side, outside, inside in (
        ("after", late, slice(0, max(0, half - context))),
        ("before", ~late, slice(half + context, n_bins)),
    ):
        changed = torch.where(outside, case.other_values(n_bins), seen.values)
        first, second = (_masked(case, s) for s in (seen, seen._replace(values=changed)))
        hidden = _masked(case, seen.without(outside))
        wrong = differ(first[0], second[0]) | differ(first[0], hidden[0])
        wrong = wrong[inside]
        require(
            not wrong.any(),
            expected=f"features not to depend on bins more than {context} {side} theirs",
            found=f"{int(wrong.sum())} of {wrong.numel()} that do",
            contract=contract,
            fix="let context return the reach of the filter in bins, or make the filter shorter",
        )


def _features(case: Case, seen: Observed) -> tuple[Tensor, Tensor]:
    return case.modality.features(seen, case.channels, bin_width=case.bin_width)


def _masked(case: Case, seen: Observed) -> tuple[Tensor, Tensor]:
    """Features, 0 where unknown, and which are known."""
    features, known = _features(case, seen)
    return features * known, known
