"""Dynamical surrogates of recorded brains: from a recording to a judged latent RNN.

    import neurodsr as nd

Every name below is imported from its home when it is first used, so that `import neurodsr`
itself takes no time; torch and pynwb take seconds.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurodsr.data.recording import Recording as Recording
    from neurodsr.data.store import open_recording as open_recording
    from neurodsr.data.store import save_recording as save_recording
    from neurodsr.data.time import TimeGrid as TimeGrid
    from neurodsr.evaluation.evaluate import evaluate as evaluate
    from neurodsr.ingest.ingest import ingest as ingest
    from neurodsr.load_config import load_config as load_config
    from neurodsr.pipeline.run import run as run
    from neurodsr.run_config import RunConfig as RunConfig
    from neurodsr.surrogate import Surrogate as Surrogate
    from neurodsr.surrogate import load_surrogate as load_surrogate
    from neurodsr.training.train import train as train

_HOMES = {
    "Recording": "neurodsr.data.recording",
    "RunConfig": "neurodsr.run_config",
    "Surrogate": "neurodsr.surrogate",
    "TimeGrid": "neurodsr.data.time",
    "evaluate": "neurodsr.evaluation.evaluate",
    "ingest": "neurodsr.ingest.ingest",
    "load_config": "neurodsr.load_config",
    "load_surrogate": "neurodsr.surrogate",
    "open_recording": "neurodsr.data.store",
    "run": "neurodsr.pipeline.run",
    "save_recording": "neurodsr.data.store",
    "train": "neurodsr.training.train",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("neurodsr")
    if name not in _HOMES:
        raise AttributeError(f"module 'neurodsr' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps a function's name free of the module that has the same name.

    `ingest` and `load_config` are functions here and modules below; when Python imports such a
    module it would put it in the function's place.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
