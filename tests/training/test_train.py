"""The ensemble as a whole: reproducible, independent of processes, stopped and resumed safely."""

import pytest
import torch

from neurodsr.data.store import open_recording, save_recording
from neurodsr.errors import ConfigError, OutputError
from neurodsr.models.member import MemberSummary
from neurodsr.run_config import RunConfig
from neurodsr.storage.manifest import folder_digest
from neurodsr.training.train import rank, train


def digest(surrogate, path):
    surrogate.save(path)
    return folder_digest(path)


def member(**changes):
    facts = {
        "member": 0, "encoder": 0, "seed": 0, "alpha": 0.1, "dead": 0.0, "self_divergence": 1.0,
        "self_spectrum": 0.1, "consistency": 0.01, "exponent": 0.0,
    }  # fmt: skip
    return MemberSummary(**(facts | changes))


def test_the_same_seed_gives_the_same_bytes_in_any_number_of_processes(
    small_recording, small_config, trained, tmp_path
):
    alone = digest(trained, tmp_path / "a")
    again = digest(train(small_recording, small_config, n_workers=1), tmp_path / "b")
    together = digest(train(small_recording, small_config, n_workers=2), tmp_path / "c")
    assert alone == again == together


def test_another_seed_gives_another_surrogate(small_recording, small_config, trained):
    other = RunConfig.from_plain(small_config.to_plain() | {"seed": 1})
    second = train(small_recording, other, n_workers=1)
    assert not torch.equal(trained.as_map().W1, second.as_map().W1)


def test_training_leaves_global_torch_state_alone(small_recording, small_config):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    train(small_recording, small_config, n_workers=1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


def test_the_kept_encoder_is_the_one_with_the_lowest_held_out_loss(trained, small_config):
    held_out = {e["held_out"]: e["kept"] for e in trained.history["encoders"]}
    assert held_out[min(held_out)] is True
    assert sum(held_out.values()) == small_config.ensemble.n_kept


def test_the_encoders_loss_falls(trained):
    for curve in trained.history["encoders"]:
        assert curve["loss"][-1] < curve["loss"][0]


def test_members_rank_alive_before_dead_and_then_by_self_divergence():
    members = [
        member(dead=0.5, self_divergence=0.1),
        member(dead=0.0, self_divergence=0.9),
        member(dead=0.0, self_divergence=0.4),
    ]
    assert rank(members) == [2, 1, 0]


def test_every_member_belongs_to_a_kept_encoder_and_there_are_as_many_as_asked(
    small_recording, settings
):
    config = RunConfig.from_plain(
        settings(
            ensemble={
                "n_encoders": 2,
                "n_kept": 2,
                "n_members": 2,
                "n_starts": 2,
                "n_bins": 1000,
            }
        )
    )
    surrogate = train(small_recording, config, n_workers=1)
    assert len(surrogate.members) == len(surrogate.maps) == 4
    assert sorted(m.encoder for m in surrogate.members) == [0, 0, 1, 1]
    assert len(surrogate.observations) == 2


def test_a_folder_that_is_not_empty_is_refused(small_recording, small_config, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="give another folder"):
        train(small_recording, small_config, work=tmp_path / "work", n_workers=1)


def test_resuming_with_another_configuration_names_the_differing_keys(
    small_recording, small_config, tmp_path
):
    train(small_recording, small_config, work=tmp_path / "work", n_workers=1)
    other = RunConfig.from_plain(small_config.to_plain() | {"seed": 9})
    with pytest.raises(ConfigError, match=r"differs in config\.seed"):
        train(small_recording, other, work=tmp_path / "work", resume=True, n_workers=1)


def test_no_worker_at_all_is_refused(small_recording, small_config, tmp_path):
    with pytest.raises(ConfigError, match="at least one process"):
        train(small_recording, small_config, n_workers=0)


def test_training_does_not_read_the_test_stretch(small_recording, small_config, trained, tmp_path):
    spoilt = {
        name: type(s)(s.values.copy(), s.mask, s.channels, s.unit)
        for name, s in small_recording.streams.items()
    }
    for stream in spoilt.values():
        stream.values[int(0.81 * len(stream.values)) :] = 0
    other = type(small_recording)(
        small_recording.id, small_recording.grid, spoilt, small_recording.segments
    )
    a = digest(trained, tmp_path / "a")
    b = digest(train(other, small_config, n_workers=1), tmp_path / "b")
    assert a == b


def test_a_recording_opened_from_disk_trains_to_the_same_bytes(
    small_recording, small_config, trained, tmp_path
):
    save_recording(small_recording, tmp_path / "recording")
    opened = open_recording(tmp_path / "recording")
    a = digest(trained, tmp_path / "a")
    b = digest(train(opened, small_config, n_workers=1), tmp_path / "b")
    assert a == b
