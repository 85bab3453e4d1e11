"""Looks over the installation: versions, processors, accelerator, and whether plug-ins import."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from neurodsr.modalities.registry import Plugin, list_plugins

# A plug-in that imports torch needs some 10 s on a busy machine; one that hangs needs for ever.
TIMEOUT = 60.0

_IMPORT = "import sys; from neurodsr.modalities.registry import load_modality as f; f(sys.argv[1])"
_DEVICE = (
    "import torch; n = torch.cuda.device_count(); "
    "print(torch.cuda.get_device_name(0) if n else 'cpu', '|', torch.get_num_threads())"
)


@dataclass(frozen=True)
class PluginHealth:
    """Whether one installed modality can be imported; `problem` is "" if it can."""

    kind: str
    distribution: str
    version: str
    problem: str


@dataclass(frozen=True)
class Installation:
    """What neurodsr runs on here; `problems` are sentences, empty if all is well."""

    versions: dict[str, str]
    system: str
    processors: int
    threads: str
    device: str
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
    device, threads, trouble = _device(timeout)
    plugins = tuple(_plugin_health(plugin, timeout) for plugin in list_plugins())
    problems += [trouble] if trouble else []
    problems += [f"plug-in {p.kind} ({p.distribution}): {p.problem}" for p in plugins if p.problem]
    return Installation(
        versions=versions,
        system=f"Python {platform.python_version()} on {platform.platform()}",
        processors=os.cpu_count() or 1,
        threads=threads,
        device=device,
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


def _device(timeout: float) -> tuple[str, str, str]:
    output, problem = _try_python(timeout, "-c", _DEVICE)
    if problem:
        return "unknown", "unknown", f"torch: {problem}"
    device, _, threads = output.partition("|")
    return device.strip(), threads.strip(), ""


def _plugin_health(plugin: Plugin, timeout: float) -> PluginHealth:
    name = f"{plugin.distribution}:{plugin.kind}"
    _, problem = _try_python(timeout, "-c", _IMPORT, name)
    return PluginHealth(plugin.kind, plugin.distribution, plugin.version, problem)


def _try_python(timeout: float, *args: str) -> tuple[str, str]:
    """Standard output of a Python of its own, and what went wrong with it ("" if nothing)."""
    try:
        done = subprocess.run(
            [sys.executable, *args],
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"did not import within {timeout:.0f} s"
    if done.returncode < 0:
        return "", f"killed by signal {-done.returncode} while importing"
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        return "", f"exit {done.returncode}: {last}"
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "", ""
