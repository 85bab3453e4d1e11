"""Whether a plug-in can be imported, found out in a process of its own, with a time limit.

Catching exceptions does not contain a plug-in: it may end the process, crash it, or hang.
"""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from neurodsr.modalities.plugins import UNKNOWN, Plugin
from neurodsr.modalities.registry import N_LINES
from neurodsr.modalities.run_alone import Ran, run_alone

# A plug-in that imports torch needs some 10 s on a busy machine; one that hangs needs for ever.
TIMEOUT = 60.0
State = Literal["ok", "prints", "raises", "exits", "hangs", "crashes", "unfit"]


@dataclass(frozen=True)
class PluginHealth:
    """How the import of one installed modality went.

    Parameters
    ----------
    kind, distribution, version
        As the package announces them.
    state
        "ok"; "prints", which is bad manners and does no harm; or why it cannot be used: it
        "raises", "exits", "hangs" or "crashes" on import, or what it gives is "unfit", such as
        for another version of the contract.
    problem
        A sentence; empty if all is well.
    traceback
        Its last lines, where there is one.
    seconds
        Time that the import took, s.
    api_version
        Version of the contract that the class is written for, or "unknown".
    """

    kind: str
    distribution: str
    version: str
    state: State
    problem: str
    traceback: tuple[str, ...]
    seconds: float
    api_version: str

    @property
    def broken(self) -> bool:
        """Whether a run that names the kind would fail."""
        return self.state not in ("ok", "prints")

    def to_plain(self) -> dict[str, Any]:
        """The same as plain JSON-like data."""
        return asdict(self)


def check_plugin(plugin: Plugin, *, timeout: float = TIMEOUT) -> PluginHealth:
    """Import a plug-in in a process of its own.

    Parameters
    ----------
    timeout
        Longest time that the process may take, s.
    """
    return look_at_plugin(plugin, timeout=timeout)[0]


def look_at_plugin(
    plugin: Plugin, *, timeout: float = TIMEOUT
) -> tuple[PluginHealth, dict[str, Any]]:
    """Health of a plug-in, and the JSON Schema of its class, {} if it is broken."""
    with TemporaryDirectory(prefix="neurodsr-") as folder:
        record = Path(folder) / "record.json"
        module = "neurodsr.modalities.import_alone"
        ran = run_alone("-m", module, plugin.name, str(record), timeout=timeout)
        # A process that was killed may have left half of it.
        found = json.loads(record.read_text("utf-8")) if ran.code == 0 and record.exists() else {}
    found = _verdict(ran, found, timeout)
    health = PluginHealth(
        kind=plugin.kind,
        distribution=plugin.distribution,
        version=plugin.version,
        state=found["state"],
        problem=found["problem"],
        traceback=tuple(found.get("traceback", ())),
        seconds=round(found.get("seconds", ran.seconds), 3),
        api_version=found.get("api_version", UNKNOWN),
    )
    return health, found.get("schema", {})


def _verdict(ran: Ran, found: dict[str, Any], timeout: float) -> dict[str, Any]:
    lines = ran.err.rstrip().splitlines()[-N_LINES:]
    if ran.code is None:
        return {"state": "hangs", "problem": f"does not import within {timeout:g} s"}
    if ran.code < 0:
        name = signal.strsignal(-ran.code) or "unknown"
        problem = f"crashes on import with signal {-ran.code}, {name}"
        return {"state": "crashes", "problem": problem, "traceback": lines}
    if not found:
        problem = f"ends the process on import, with exit code {ran.code}"
        return {"state": "exits", "problem": problem, "traceback": lines}
    if found["state"] == "ok" and ran.out:
        return found | {"state": "prints", "problem": f"prints on import: {ran.out[:60]!r}"}
    return found
