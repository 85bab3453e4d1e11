"""Whatever is not a whole surrogate of this version is refused, and nothing in it ever runs."""

import json
import pickle

import pytest

from neurodsr.errors import IntegrityError
from neurodsr.storage.manifest import write_manifest
from neurodsr.surrogate import load_surrogate

MEMBERS = [
    *("surrogate.json", "history.json"),
    *(f"observation-{i}.safetensors" for i in range(2)),
    *(f"map-{i}.safetensors" for i in range(3)),
]


@pytest.fixture
def folder(small_surrogate, tmp_path):
    small_surrogate.save(tmp_path / "a.surrogate")
    return tmp_path / "a.surrogate"


def test_a_surrogate_is_made_of_these_files(folder):
    assert sorted(p.name for p in folder.iterdir()) == sorted([*MEMBERS, "MANIFEST.json"])


@pytest.mark.parametrize("at", [0, 0.5, 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("name", [*MEMBERS, "MANIFEST.json"])
def test_one_flipped_bit_is_refused(folder, name, at):
    path = folder / name
    damaged = bytearray(path.read_bytes())
    damaged[round(at * (len(damaged) - 1))] ^= 1
    path.write_bytes(damaged)
    what = "" if name == "MANIFEST.json" else r"changed \('" + name
    with pytest.raises(IntegrityError, match=what + r"[\s\S]*fix: restore"):
        load_surrogate(folder)


@pytest.mark.parametrize("name", [*MEMBERS, "MANIFEST.json"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(IntegrityError, match="again with the command that wrote it"):
        load_surrogate(folder)


def test_a_file_too_many_is_refused(folder):
    (folder / "extra.bin").write_bytes(b"x")
    with pytest.raises(IntegrityError, match="remove the extra files"):
        load_surrogate(folder)


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


@pytest.mark.parametrize("listed", [True, False], ids=["in the manifest", "slipped in"])
def test_a_pickle_in_place_of_weights_is_never_run(folder, listed):
    (folder / "map-0.safetensors").write_bytes(pickle.dumps(Bomb()))
    if listed:
        (folder / "MANIFEST.json").unlink()
        write_manifest(folder)
    fix = "give a folder saved by neurodsr" if listed else "restore it"
    with pytest.raises(IntegrityError, match=f"fix: {fix}"):
        load_surrogate(folder)


@pytest.mark.parametrize("name", ["model.pkl", "a.surrogate"])
def test_a_pickle_alone_is_no_surrogate_whatever_its_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(IntegrityError, match="or neurodsr did not write it"):
        load_surrogate(path)


def rewrite_header(folder, **changes):
    path = folder / "surrogate.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    (folder / "MANIFEST.json").unlink()
    write_manifest(folder)


def test_another_complete_folder_is_no_surrogate(tmp_path):
    folder = tmp_path / "evaluation"
    folder.mkdir()
    (folder / "evaluation.json").write_text("{}")
    write_manifest(folder)
    with pytest.raises(IntegrityError, match=r"not a surrogate[\s\S]*`neurodsr train`"):
        load_surrogate(folder)


def test_a_surrogate_of_a_later_version_is_refused(folder):
    rewrite_header(folder, schema="neurodsr/surrogate/9")
    with pytest.raises(IntegrityError, match=r"newer than[\s\S]*with a newer neurodsr"):
        load_surrogate(folder)


def test_weights_that_do_not_fit_the_configuration_are_refused(folder, small_surrogate):
    config = small_surrogate.config.to_plain()
    config["encoder"]["width"] = 9
    rewrite_header(folder, config=config)
    with pytest.raises(IntegrityError, match=r"do not fit[\s\S]*plug-in versions that wrote it"):
        load_surrogate(folder)
