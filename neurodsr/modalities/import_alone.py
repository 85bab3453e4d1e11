"""Imports one plug-in in a process of its own and writes down how that went.

    python -m neurodsr.modalities.import_alone lab-calcium:calcium RECORD.json

`neurodsr.modalities.health` starts it. What the plug-in prints goes to stdout, which is therefore
no place for the record.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from neurodsr.errors import PluginError
from neurodsr.modalities.registry import find_plugin, last_lines, load_plugin


def import_alone(name: str, record: Path) -> None:
    """Import a plug-in by its full name, and write what became of it as JSON."""
    plugin, begin = find_plugin(name), time.perf_counter()
    try:
        modality = load_plugin(plugin, out=sys.stdout)
    except PluginError as error:
        found = _failure(error)
    else:
        found = {"state": "ok", "problem": ""}
        found |= {"api_version": modality.api_version, "schema": modality.model_json_schema()}
    found["seconds"] = time.perf_counter() - begin
    record.write_text(json.dumps(found), encoding="utf-8")


def _failure(error: PluginError) -> dict[str, Any]:
    cause = error.__cause__
    if cause is None:
        return {"state": "unfit", "problem": error.what}
    state = "exits" if isinstance(cause, SystemExit) else "raises"
    lines = last_lines(cause)
    return {"state": state, "problem": lines[-1], "traceback": lines}


if __name__ == "__main__":
    import_alone(sys.argv[1], Path(sys.argv[2]))
