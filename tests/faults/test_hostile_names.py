"""Fault 27: names in a file are its own words; they never reach a path or a terminal unclean."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from neurodsr.cli.main import run_command

WAVE = np.sin(np.arange(200) / 7)
ESCAPE, BIDI = "\x1b[31m", "\u202e"
NAMES = {
    "escape": f"{ESCAPE}speed",
    "bidi": f"speed{BIDI}gpj",
    "upwards": "..",
    "drive": "C:\\windows",
    "newline": "speed\nerror: none",
    "long": "x" * 2000,
}


@pytest.fixture(params=NAMES.values(), ids=NAMES)
def named(request, draft):
    """A file with a signal of that name, said by everything that can say it."""
    name = request.param
    draft.series(f"acquisition/{name}", np.stack([WAVE, WAVE[::-1]], axis=1), rate=10.0)
    draft.electrodes(name, name)
    train = (np.arange(190) / 10).tolist()
    draft.units(train, train[::2], electrodes=draft.rows([0, 1]), quality=[name, "good"])
    with draft.edit() as file:
        del file["identifier"]
        file["identifier"] = f"../../{name}" * 1000
    return draft, name


def test_fault_27_a_hostile_name_reaches_no_terminal(named, capfd):
    draft, _ = named
    assert run_command(["inspect", str(draft.path)]) == 0
    said = capfd.readouterr()
    assert not {ESCAPE[0], BIDI} & set(said.out + said.err)
    assert "\nerror: none" not in said.out
    assert max(len(line) for line in said.out.splitlines()) < 1000


def test_fault_27_a_hostile_name_reaches_no_path(named, tmp_path, capfd):
    draft, name = named
    plain = {
        "schema_version": 1,
        "file": draft.path.name,
        "grid": {"bin_width": 0.1},
        "streams": {
            "speed": {"kind": "behavior", "path": f"acquisition/{name}"},
            "units": {"kind": "spikes"},
        },
    }
    (tmp_path / "run.yaml").write_text(json.dumps(plain), encoding="utf-8")
    before = set(tmp_path.parent.rglob("*"))
    code = run_command(["ingest", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "out")])
    said = capfd.readouterr()
    assert code == 0, said.err
    made = set(tmp_path.parent.rglob("*")) - before
    assert made
    assert all(p == tmp_path / "out" or tmp_path / "out" in p.parents for p in made)
    assert not any(name in p.name for p in made)
    assert not {ESCAPE[0], BIDI} & set(said.out + said.err)


def test_fault_27_bytes_that_are_no_utf8_are_read_and_shown(draft, capfd):
    draft.series("acquisition/speed", WAVE, rate=10.0)
    with draft.edit() as file:
        del file["acquisition/speed/data"].attrs["unit"]
        file["acquisition/speed/data"].attrs["unit"] = np.bytes_(b"\xb5m/s")
        h5py.h5o.link(file["acquisition/speed"].id, file["acquisition"].id, b"caf\xe9")
        del file["acquisition/speed"]
    assert run_command(["inspect", str(draft.path)]) == 0
    assert "Traceback" not in capfd.readouterr().err


def test_fault_27_a_text_of_1_mb_is_cut_where_it_is_shown(draft, capfd):
    draft.series("acquisition/speed", WAVE, rate=10.0)
    with draft.edit() as file:
        file["acquisition/speed"].create_dataset("description", data="d" * 2**20)
    assert run_command(["inspect", str(draft.path)]) == 0
    assert len(capfd.readouterr().out) < 20_000
