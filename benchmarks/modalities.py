"""What observation models are worth: kernels against plain Gaussians, many streams against one.

    python benchmarks/modalities.py calcium --seeds 0 1 2 3 4
    python benchmarks/modalities.py bold --seeds 0 1 2 3 4
    python benchmarks/modalities.py streams --seeds 0
    python benchmarks/modalities.py unsigned --seeds 0 1 2 3 4 5 6 7 8 9

Each row trains ensembles on a simulated Lorenz-63 latent and judges them beside the truth; one JSON
line a training. `calcium` and `bold` compare the sensor's own model with a Gaussian one that knows
nothing of its kernel; `streams` compares all streams together with each alone and with half of each
missing; `unsigned` has ordinal items and counts only. `--only` names some of a row's models.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, NamedTuple

from neurodsr.evaluation.evaluate import evaluate
from neurodsr.testing.multimodal import Simulation, bold_lorenz, calcium_lorenz, multimodal_lorenz
from neurodsr.testing.prepare import configure_run
from neurodsr.training.train import train

SIGNAL = {"signal": {"kind": "behavior"}}
ITEMS = {"items": {"kind": "behavior", "observation": "ordinal"}}
COUNTS = {"counts": {"kind": "spikes"}}
ALL = SIGNAL | ITEMS | COUNTS


class Model(NamedTuple):
    """A way to look at a simulation: its name, who simulates, and the streams it uses."""

    name: str
    simulate: Callable[..., Simulation]
    streams: dict[str, Any]


def half_missing(*, seed: int) -> Simulation:
    return multimodal_lorenz(seed=seed, missing=0.5)


ROWS = {
    "calcium": (
        Model("kernel", calcium_lorenz, {"calcium": {"kind": "calcium"}}),
        Model("gaussian", calcium_lorenz, {"calcium": {"kind": "behavior"}}),
    ),
    "bold": (
        Model("kernel", bold_lorenz, {"bold": {"kind": "fmri"}}),
        Model("gaussian", bold_lorenz, {"bold": {"kind": "behavior", "resample": "sample"}}),
    ),
    "streams": (
        Model("all", multimodal_lorenz, ALL),
        Model("signal", multimodal_lorenz, SIGNAL),
        Model("items", multimodal_lorenz, ITEMS),
        Model("counts", multimodal_lorenz, COUNTS),
        Model("all, half missing", half_missing, ALL),
    ),
    "unsigned": (Model("items and counts", multimodal_lorenz, ITEMS | COUNTS),),
}


def measure(row: str, model: Model, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    began = monotonic()
    simulation = model.simulate(seed=seed)
    config = configure_run(
        simulation.recording,
        streams=model.streams,
        seed=seed,
        sections={
            "encoder": {"n_steps": arguments.encoder_steps},
            "dynamics": {"n_steps": arguments.dynamics_steps},
            "ensemble": {"n_encoders": arguments.encoders, "n_members": arguments.members},
        },
    )
    surrogate = train(simulation.recording, config, n_workers=arguments.workers)
    evaluation, _ = evaluate(surrogate, simulation.recording)
    found = {m.name: m.value for m in evaluation.measures}
    exponent, true = found["largest exponent"], simulation.recording.truth.exponent
    return {
        "row": row,
        "model": model.name,
        "seed": seed,
        "state R2": found["held-out state R2"],
        "D_stsp": found["aligned state-space divergence"],
        "D_H": found["aligned spectral distance"],
        "exponent / true": None if exponent is None else exponent / true,
        "reconstructed": evaluation.verdict.reconstructed,
        "healthy members": sum(m.dead == 0 for m in evaluation.members),
        "seconds": round(monotonic() - began, 1),
    }


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for seed in arguments.seeds:
        for model in ROWS[arguments.row]:
            if arguments.only is None or model.name in arguments.only:
                yield measure(arguments.row, model, seed, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", help="some of the row's models, by name")
    parser.add_argument("--encoder-steps", type=int, default=8000)
    parser.add_argument("--dynamics-steps", type=int, default=6000)
    parser.add_argument("--encoders", type=int, default=2)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    for row in rows(parser.parse_args()):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
