"""First light, measured: the demo over simulation seeds, and the Lorenz-63 example.

    python benchmarks/first_light.py demo --seeds 0 1 2
    python benchmarks/first_light.py lorenz63 --seeds 0

Prints one JSON line a run: verdict, every check and measure, seconds. `--out` keeps the runs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from time import monotonic

from neurodsr.load_config import load_config
from neurodsr.pipeline.run import RunResult, run
from neurodsr.testing.demo import demo
from neurodsr.testing.sessions import lorenz_session
from neurodsr.testing.write_nwb import write_session

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_demo(seed: int, folder: Path, n_workers: int) -> RunResult:
    return demo(folder / f"demo-{seed}", seed=seed, n_workers=n_workers)


def run_lorenz63(seed: int, folder: Path, n_workers: int) -> RunResult:
    inputs = folder / f"lorenz63-{seed}-input"
    inputs.mkdir(parents=True, exist_ok=True)
    write_session(inputs / "lorenz63.nwb", lorenz_session(seed=seed))
    config = load_config(EXAMPLES / "lorenz63.yaml", sets=(f"seed={seed}",))
    return run(config, root=inputs, out=folder / f"lorenz63-{seed}", n_workers=n_workers)


ROWS = {"demo": run_demo, "lorenz63": run_lorenz63}


def describe(row: str, seed: int, result: RunResult, seconds: float) -> dict[str, object]:
    evaluation = result.evaluation
    return {
        "row": row,
        "seed": seed,
        "seconds": round(seconds, 1),
        "reconstructed": evaluation.verdict.reconstructed,
        "checks": {c.name: c.value for c in evaluation.verdict.checks},
        "measures": {m.name: [m.value, m.floor] for m in evaluation.measures},
        "healthy_members": sum(m.dead == 0 for m in evaluation.members),
        "n_members": len(evaluation.members),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="keep the runs here; default: nowhere")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="neurodsr-bench-") as scratch:
        folder = arguments.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for seed in arguments.seeds:
            began = monotonic()
            result = ROWS[arguments.row](seed, folder, arguments.workers)
            print(
                json.dumps(describe(arguments.row, seed, result, monotonic() - began)), flush=True
            )


if __name__ == "__main__":
    main()
