"""What each stream tells of each other one: the matrix "given -> predicted" on the test stretch."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

import torch

from neurodsr.evaluation.parts import Parts
from neurodsr.evaluation.predictions import Predicted, concatenated, predict_along, predict_hidden
from neurodsr.evaluation.results import CrossModalScore


@torch.no_grad()
def cross_modal_scores(parts: Parts) -> list[CrossModalScore]:
    """How well each stream is predicted from each single one, and from all others together.

    A stream is predicted from itself through hidden bins: each bin from the others of the stream.
    Every prediction is judged by the measure natural to the stream that is predicted, beside the
    best constant one.
    """
    names = parts.model.names
    given = [(name,) for name in names]
    if len(names) > 2:
        given += [tuple(n for n in names if n != predicted) for predicted in names]
    scores = []
    for some in given:
        paths = [parts.model.encode({n: s[n] for n in some}) for s in parts.test]
        for predicted in names:
            if predicted not in some:
                along = (
                    predict_along(parts, z, s[predicted], predicted)
                    for z, s in zip(paths, parts.test, strict=True)
                )
                scores.append(_score(parts, some, predicted, along))
            elif len(some) == 1:
                alone = ({predicted: s[predicted]} for s in parts.test)
                own = (predict_hidden(parts, streams, predicted) for streams in alone)
                scores.append(_score(parts, some, predicted, own))
    return scores


def _score(
    parts: Parts, given: tuple[str, ...], predicted: str, pieces: Iterable[Predicted]
) -> CrossModalScore:
    values = (concatenated(pieces).values, parts.constant_prediction(predicted, parts.test).values)
    value, constant = (parts.score(predicted, v, parts.test) for v in values)
    score = parts.model.modalities[predicted].natural_score
    return CrossModalScore(
        given=given,
        predicted=predicted,
        score=score.name,
        better=score.better,
        value=value if isfinite(value) else None,
        constant=constant if isfinite(constant) else None,
    )
