"""How predictions are judged: a point prediction in the stream's unit, and a score that ranks."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neurodsr.modalities.scores import Score
from neurodsr.testing.conformance.case import LATENT_DIM, Case
from neurodsr.testing.conformance.verdict import require

SCORE = "Modality.natural_score (neurodsr/modalities/scores.py)"


def check_predictions_have_the_streams_unit(case: Case) -> None:
    """The best constant prediction of a channel lies among the channel's values."""
    seen, constant = case.seen, _best_constant(case)
    inf = torch.full_like(seen.values, math.inf)
    low = torch.where(seen.mask, seen.values, inf).amin(0)
    high = torch.where(seen.mask, seen.values, -inf).amax(0)
    wrong = ~((constant >= low) & (constant <= high)).all(0) & seen.mask.any(0)
    channel = int(wrong.int().argmax())
    require(
        not wrong.any(),
        expected=f"predict(forward(z = 0)) of channel {channel} between {low[channel]:.4g} and "
        f"{high[channel]:.4g}, the values it took",
        found=f"{constant[0, channel]:.4g}",
        contract="Decoder.predict: the point prediction in the stream's own unit",
        fix="undo the standardization that initialize took into buffers, and give levels as codes "
        "0, 1, ... like the stream's values",
    )


def check_score_ranks_predictions(case: Case) -> None:
    """Predicting without error scores better than the best constant, and both are finite."""
    score, seen = case.modality.natural_score, case.seen
    require(
        isinstance(score, Score) and score.better in ("higher", "lower"),
        expected='a Score that says whether "higher" or "lower" is better',
        found=f"{score!r}",
        contract=SCORE,
        fix="return one of neurodsr.modalities.scores, such as R2",
    )
    constant = _best_constant(case)
    perfect, trivial = (
        float(score.value(p, constant, seen)) for p in (seen.values.clone(), constant)
    )
    better = perfect > trivial if score.better == "higher" else perfect < trivial
    require(
        math.isfinite(perfect) and math.isfinite(trivial) and better,
        expected=f"{score.name} of the values themselves to be {score.better} than that of the "
        "best constant, and both to be finite",
        found=f"{perfect:.4g} and {trivial:.4g}",
        contract=SCORE,
        fix="value(predicted, constant, seen) counts observed entries only; choose the score that "
        "belongs to what predict gives",
    )


@torch.no_grad()
def _best_constant(case: Case) -> Tensor:
    decoder, seen = case.decoder(dtype=torch.float32), case.seen
    return decoder.predict(decoder(torch.zeros(len(seen.values), LATENT_DIM)))
