"""The compiled kernels: which build this processor runs, found and loaded once.

The installation builds `engine/` for several widths of vector; without a compiler there is none,
and everything works in plain torch, many times slower.
"""

from __future__ import annotations

import ctypes
import logging
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

INTERFACE = 2
"""Version of the C interface; a library of another one is not used."""

FOLDER = Path(__file__).parent
BUILDS = {"AVX512": ("avx512", "avx2", "portable"), "AVX2": ("avx2", "portable")}
"""Builds that a processor runs, fastest first, by what torch calls its capability."""


class Library(NamedTuple):
    """A loaded library: which build it is, the width of its vectors, and its functions."""

    build: str
    vector_bytes: int
    functions: ctypes.CDLL


@cache
def load_library() -> Library | None:
    """The fastest build for this processor; None, with a notice in the log, if there is none."""
    capability = torch.backends.cpu.get_cpu_capability()
    found, problems = find_library(FOLDER, BUILDS.get(capability, ("portable",)))
    if found is None:
        logging.getLogger(__name__).warning(
            "no compiled kernels, training and free runs take the slow path (%s); to build them "
            "install GCC (12 or later) or clang, then neurodsr again",
            "; ".join(problems) or f"none of this installation's lies in {FOLDER}",
        )
    return found


def find_library(folder: Path, builds: tuple[str, ...]) -> tuple[Library | None, list[str]]:
    """The first build in a folder that loads and has our interface; what is wrong with others."""
    problems = []
    for build in builds:
        for path in sorted(folder.glob(f"_engine_{build}.*so")):
            try:
                functions = ctypes.CDLL(str(path))
                functions.neurodsr_version.restype = ctypes.c_int64
                version = functions.neurodsr_version()
            except (OSError, AttributeError) as error:
                problems.append(f"{path.name} cannot be loaded: {error}")
                continue
            if version == INTERFACE:
                return Library(build, functions.neurodsr_vector_bytes(), functions), problems
            problems.append(f"{path.name} has interface {version}, this neurodsr needs {INTERFACE}")
    return None, problems
