"""The newest sound checkpoint wins; damaged ones are set aside, old ones go."""

import pytest
import torch

from neurodsr.training.checkpoint import load_checkpoint, save_checkpoint

FILES = ["MANIFEST.json", "state.json", "tensors.safetensors"]


def save(folder, step):
    """A checkpoint whose tensors tell its step, and have every shape and type that one has."""
    facts = {"step": step, "running": step / 3, "history": {"step": [50], "loss": [0.1]}}
    tensors = {
        "module/x": torch.full((2, 3), step / 3),
        "optimizer/0/step": torch.tensor(float(step)),
        "module/codes": torch.tensor([step, 2**40]),
        "module/seen": torch.tensor([True, False]),
    }
    save_checkpoint(folder, facts, tensors)
    return facts, tensors


def flip_a_bit(path):
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def loaded_step(folder):
    return load_checkpoint(folder)[0]["step"]


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path):
    facts, tensors = save(tmp_path / "new", 200)
    found, arrays = load_checkpoint(tmp_path / "new")
    assert found == facts
    assert arrays.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert arrays[name].dtype == tensor.dtype
        assert torch.equal(arrays[name], tensor)


def test_the_newest_wins_and_two_are_kept(tmp_path):
    for step in (200, 400, 1_000_000):
        save(tmp_path, step)
    assert loaded_step(tmp_path) == 1_000_000
    assert names(tmp_path) == ["step-00000400", "step-01000000"]


def test_saving_a_step_again_replaces_it(tmp_path):
    save(tmp_path, 200)
    save_checkpoint(tmp_path, {"step": 200, "again": True}, {"x": torch.ones(1)})
    assert load_checkpoint(tmp_path)[0]["again"] is True
    assert names(tmp_path) == ["step-00000200"]


@pytest.mark.parametrize("name", FILES)
def test_after_a_flipped_bit_the_one_before_is_loaded_and_the_damaged_one_set_aside(tmp_path, name):
    save(tmp_path, 200)
    save(tmp_path, 400)
    flip_a_bit(tmp_path / "step-00000400" / name)
    assert loaded_step(tmp_path) == 200
    assert names(tmp_path) == ["step-00000200", "step-00000400.corrupt"]


@pytest.mark.parametrize("name", FILES)
def test_a_checkpoint_that_lacks_a_file_is_set_aside(tmp_path, name):
    save(tmp_path, 200)
    (tmp_path / "step-00000200" / name).unlink()
    assert load_checkpoint(tmp_path) is None
    assert names(tmp_path) == ["step-00000200.corrupt"]


def test_a_step_that_is_damaged_a_second_time_is_set_aside_too(tmp_path):
    """On a failing disk the run that starts over meets the same step damaged again."""
    for _ in range(2):
        save(tmp_path, 200)
        flip_a_bit(tmp_path / "step-00000200" / "tensors.safetensors")
        assert load_checkpoint(tmp_path) is None
    assert names(tmp_path) == ["step-00000200.corrupt"]


def test_what_was_set_aside_is_neither_loaded_nor_counted(tmp_path):
    for step in (200, 400):
        save(tmp_path, step)
    flip_a_bit(tmp_path / "step-00000400" / "state.json")
    load_checkpoint(tmp_path)
    save(tmp_path, 400)
    assert names(tmp_path) == ["step-00000200", "step-00000400", "step-00000400.corrupt"]
    assert loaded_step(tmp_path) == 400


def test_a_half_written_checkpoint_is_not_looked_at(tmp_path):
    save(tmp_path, 200)
    partial = tmp_path / "step-00000400.tmp-1-0123456789abcdef"
    partial.mkdir()
    (partial / "state.json").write_text("{")
    assert loaded_step(tmp_path) == 200
    assert partial.is_dir()


@pytest.mark.parametrize("exists", [True, False])
def test_without_checkpoints_there_is_none(tmp_path, exists):
    folder = tmp_path / "checkpoints"
    if exists:
        folder.mkdir()
    assert load_checkpoint(folder) is None
