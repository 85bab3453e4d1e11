"""The engine, measured: training steps, free runs, exponents, trainers, ensembles.

    python benchmarks/engine.py steps --shapes S1 S2 S3 S4
    python benchmarks/engine.py sparse free lyapunov trainer shooting ensemble members step
    python benchmarks/engine.py --device cuda

Prints one JSON line a variant: its time, ratios to the others with the bounds of issue 5, and
verdicts. One thread; variants take turns within a process, so that ratios survive a busy machine
where seconds do not. What is not there is named as not available, and nothing stands in for it.

    steps      one training step of each shape by every path; the table of issue 5
    sparse     forcing every 25 bins, which cuts a window into independent pieces
    free       free runs
    lyapunov   spectra of exponents
    trainer    the dynamics stage in one native loop
    shooting   one long sequence in pieces that run side by side
    ensemble   two processes against one
    members    many models in one call
    step       the share of kernels and matrix products in a whole training step
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator

import torch
from engine_parts import (
    ensemble,
    free,
    lyapunov,
    members,
    shooting,
    sparse,
    steps,
    trainer,
    whole_step,
)
from engine_parts.shapes import SHAPES

Rows = Callable[[argparse.Namespace], Iterator[dict[str, object]]]

ROWS: dict[str, Rows] = {
    "steps": steps.rows,
    "sparse": sparse.rows,
    "free": free.rows,
    "lyapunov": lyapunov.rows,
    "trainer": trainer.rows,
    "shooting": shooting.rows,
    "ensemble": ensemble.rows,
    "members": members.rows,
    "step": whole_step.rows,
    "throughput": ensemble.throughput,
}
ON_CUDA = ("steps", "members")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, help="of `steps` and `ensemble`")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each variant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a process in `ensemble`")
    parser.add_argument("--backend", default="adjoint", help="path of the scan in `throughput`")
    arguments = parser.parse_args()
    on_cuda = arguments.device == "cuda"
    arguments.rows = arguments.rows or (list(ON_CUDA) if on_cuda else ["steps"])
    if unknown := set(arguments.rows) - set(ON_CUDA if on_cuda else ROWS):
        parser.error(f"no row {', '.join(sorted(unknown))} on {arguments.device}")
    if on_cuda and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device")
    return arguments


def main() -> None:
    arguments = parse()
    torch.set_num_threads(1)
    for row in arguments.rows:
        for line in ROWS[row](arguments):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
