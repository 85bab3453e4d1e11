"""Looks over the installation: versions, processors, accelerator, and whether plug-ins import."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from neurodsr.modalities.health import TIMEOUT, PluginHealth, check_plugin, run_alone
from neurodsr.modalities.plugins import list_plugins

_DEVICE = (
    "import torch; from neurodsr.kernels.dispatch import describe_paths; "
    "n = torch.cuda.device_count(); "
    "print(torch.cuda.get_device_name(0) if n else 'cpu', torch.get_num_threads(), "
    "describe_paths(), sep='|')"
)


@dataclass(frozen=True)
class Installation:
    """What neurodsr runs on here; `problems` are sentences, empty if all is well."""

    versions: dict[str, str]
    system: str
    processors: int
    threads: str
    device: str
    kernels: str
    plugins: tuple[PluginHealth, ...]
    problems: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        """The same as plain JSON-like data."""
        return asdict(self)


def check_installation(*, timeout: float = TIMEOUT) -> Installation:
    """Look over the installation; each plug-in and torch is tried in a process of its own.

    Parameters
    ----------
    timeout
        Longest time one import may take, s.
    """
    versions, problems = _versions()
    device, threads, kernels, trouble = _device(timeout)
    plugins = tuple(check_plugin(plugin, timeout=timeout) for plugin in list_plugins())
    problems += [trouble] if trouble else []
    problems += [f"plug-in {p.kind} ({p.distribution}): {p.problem}" for p in plugins if p.problem]
    return Installation(
        versions=versions,
        system=f"Python {platform.python_version()} on {platform.platform()}",
        processors=os.cpu_count() or 1,
        threads=threads,
        device=device,
        kernels=kernels,
        plugins=plugins,
        problems=tuple(problems),
    )


def _versions() -> tuple[dict[str, str], list[str]]:
    versions, problems = {"neurodsr": version("neurodsr")}, []
    for requirement in requires("neurodsr") or []:
        if "extra ==" in requirement:
            continue
        name = requirement.split(";")[0].strip()
        for mark in "<>=!~[ ":
            name = name.split(mark)[0]
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            problems.append(f"{name} is not installed: pip install '{requirement}'")
    return versions, problems


def _device(timeout: float) -> tuple[str, str, str, str]:
    """Device and threads of torch, kernels, and what is wrong ("" if nothing)."""
    ran = run_alone("-c", _DEVICE, timeout=timeout)
    if ran.code is None:
        return "unknown", "unknown", "unknown", f"torch: does not import within {timeout:g} s"
    if ran.code or not ran.out:
        last = (ran.err.strip() or f"exit {ran.code}").splitlines()[-1]
        return "unknown", "unknown", "unknown", f"torch: {last}"
    device, threads, kernels = ran.out.strip().splitlines()[-1].split("|")
    return device, threads, kernels, ""
