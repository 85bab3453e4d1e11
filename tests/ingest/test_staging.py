"""Blocks of a large stream: the same bytes however they are made, kept over interruptions."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurodsr.data.time import TimeGrid
from neurodsr.errors import DataError, InterruptedRunError, OutputError, ResourceError
from neurodsr.ingest import staging
from neurodsr.ingest.stage_pool import compute_here
from neurodsr.ingest.stage_worker import Blocks, load_job, write_block
from neurodsr.ingest.staging import file_stamp, stage_stream
from neurodsr.storage.lock import locked

sys.path.insert(0, str(Path(__file__).parent))  # processes import the fake by its name
import lazy_fake
from lazy_fake import GRID, known_numbers, make_job, noted, tell_fake

BLOCK = 256  # bins a block of the fake: 5000 bins would be 32 blocks of 157, fewer than 256
N_BLOCKS = 20
MUCH = 2**30
CONFIG = lazy_fake.CONFIG


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def work(tmp_path):
    return tmp_path / "work" / "lfp"


def written(work):
    """Name and bytes of each block."""
    return {p.name: p.read_bytes() for p in sorted(work.glob("*/*.safetensors"))}


def own_folder(work):
    (folder,) = [p for p in work.iterdir() if p.is_dir()]
    return folder


def stage(root, work, *, n_workers=1, progress=None, **changes):
    """Stage as a process would that was just started."""
    load_job.cache_clear()
    job = make_job(root, **changes)
    return stage_stream("lfp", job, work, n_workers=n_workers, progress=progress)


# ---- what is staged


def test_a_staged_stream_equals_the_lazy_one(root, work):
    stream = stage(root, work)
    values, mask = known_numbers(GRID)
    np.testing.assert_array_equal(stream.values[:], values.astype(np.float32), strict=True)
    np.testing.assert_array_equal(stream.mask[:], mask, strict=True)
    assert stream.channels.ids == ("c0", "c1", "c2")
    assert (stream.unit, stream.notes) == ("V", ("2 samples were lost",))
    assert (stream.values.dtype, stream.mask.dtype) == (np.float32, bool)


@pytest.mark.parametrize(
    "key",
    [
        slice(0, 0),
        slice(255, 257),
        slice(4990, 6000),
        slice(100, 3000, 7),
        (slice(10, 20), 1),
        slice(300, 200, -1),
        np.array([3, 4999, 300]),
        np.arange(5000) % 1000 == 999,
        -1,
    ],
)
def test_any_part_of_a_staged_stream_is_that_of_the_array(root, work, key):
    stream = stage(root, work)
    values, mask = known_numbers(GRID)
    np.testing.assert_array_equal(np.squeeze(stream.values[key]), values.astype("f4")[key])
    np.testing.assert_array_equal(np.squeeze(stream.mask[key]), mask[key])


@pytest.mark.parametrize(
    ("shape", "n_bins"),
    [
        ((5000, 3), 256),
        ((1_000_000, 3), 4096),
        ((9300, 384), 291),
        ((1_000_000, 10_000), 419),
        ((10, 10**8), 1),
        ((10, 0), 256),
    ],
)
def test_blocks_are_of_16_MiB_at_most_and_enough_to_be_shared_evenly(shape, n_bins):
    blocks = Blocks("", shape, "float32")
    assert blocks.n_bins == n_bins
    bins = [blocks.bins(i) for i in range(len(blocks))]
    assert [b.start for b in bins[1:]] == [b.stop for b in bins[:-1]]
    assert (bins[0].start, bins[-1].stop) == (0, shape[0])


def test_each_block_is_computed_once(root, work):
    stream = stage(root, work)
    assert stream.values[:].shape == stream.mask[:].shape
    assert noted(root, "read") == [str(k) for k in range(0, 5000, BLOCK)]


def test_progress_counts_blocks(root, work):
    told = []
    stage(root, work, progress=lambda *what: told.append(what))
    assert told == [("lfp", k, N_BLOCKS) for k in range(N_BLOCKS + 1)]


# ---- the same bytes


def test_processes_of_any_number_and_order_give_the_same_bytes(root, work, tmp_path):
    stage(root, work)
    job = make_job(root)
    folder = tmp_path / "backward"
    folder.mkdir()
    stream = load_job(job.text)
    blocks = Blocks.of(stream, folder)
    records = list(compute_here(job, stream, blocks, range(N_BLOCKS)[::-1]))
    assert [r.block for r in records] == list(range(N_BLOCKS))[::-1]
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == written(work)
    stage(root, tmp_path / "w" / "two", n_workers=2, n_input_bytes=MUCH)
    assert written(tmp_path / "w" / "two") == written(work)


def test_a_process_has_one_thread_and_no_torch_and_opens_the_file_once(root, work):
    stage(root, work, n_workers=2, n_input_bytes=MUCH)
    in_processes = noted(root, "load")[1:]
    assert 1 <= len(in_processes) <= 2
    assert set(in_processes) == {"1 False"}
    assert len(noted(root, "read")) == N_BLOCKS
    assert multiprocessing.active_children() == []


def test_a_small_stream_starts_no_processes(root, work, monkeypatch):
    monkeypatch.delattr(staging, "compute_in_processes")
    assert stage(root, work, n_workers=8).n_bins == 5000


# ---- going on


def interrupt_after(n):
    def progress(_name, done, _total):
        if done == n:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("n_workers", [1, 2])
def test_ctrl_c_keeps_the_finished_blocks_and_a_rerun_computes_the_others(root, work, n_workers):
    much = {"n_workers": n_workers, "n_input_bytes": MUCH}
    with pytest.raises(InterruptedRunError, match="run the same command again") as caught:
        stage(root, work, progress=interrupt_after(7), **much)
    assert caught.value.exit_code == 130
    assert multiprocessing.active_children() == []
    assert len(written(work)) >= 7
    listed = (own_folder(work) / "progress.jsonl").read_text().splitlines()
    assert len(listed) == 7
    (root / "log.txt").unlink()
    stage(root, work, n_input_bytes=MUCH)
    assert len(noted(root, "read")) == N_BLOCKS - 7
    stage(root, work.parent / "straight")
    assert written(work) == written(work.parent / "straight")


def test_what_is_done_is_not_done_again(root, work):
    stage(root, work)
    (root / "log.txt").unlink()
    stage(root, work)
    assert noted(root, "read") == []


@pytest.mark.parametrize(
    "tail", [b'{"block": 1', b"\xff\xfe\n", b'{"block": 3}\n', b"[]\n", b"7\n"]
)
def test_a_torn_or_damaged_list_costs_only_the_blocks_it_lost(root, work, tail):
    stage(root, work)
    path = own_folder(work) / "progress.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]) + tail)
    (root / "log.txt").unlink()
    stage(root, work)
    assert noted(root, "read") == [str(BLOCK * (N_BLOCKS - 1))]
    assert [json.loads(line)["block"] for line in path.read_text().splitlines()] == [*range(20)]


@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_a_damaged_block_is_computed_again(root, work, damage):
    stage(root, work)
    whole = written(work)
    path = own_folder(work) / "00000003.safetensors"
    flipped = whole[path.name][:-9] + bytes([whole[path.name][-9] ^ 1]) + whole[path.name][-8:]
    {
        "flip": lambda: path.write_bytes(flipped),
        "cut": lambda: path.write_bytes(whole[path.name][:100]),
        "delete": path.unlink,
    }[damage]()
    (root / "log.txt").unlink()
    stage(root, work)
    assert noted(root, "read") == [str(3 * BLOCK)]
    assert written(work) == whole


def test_what_killed_processes_left_is_removed(root, work):
    with pytest.raises(InterruptedRunError):
        stage(root, work, progress=interrupt_after(2))
    folder = own_folder(work)
    (folder / "00000009.safetensors").write_bytes(b"never listed")
    (folder / "00000004.safetensors.tmp-1-0123456789abcdef").write_bytes(b"half")
    (folder / "scratch" / "x").mkdir(parents=True)
    stage(root, work)
    names = {p.name for p in folder.iterdir()}
    assert names == {"progress.jsonl", *(f"{k:08d}.safetensors" for k in range(N_BLOCKS))}


OTHER_STREAM = {**CONFIG, "streams": {"lfp": {"kind": "behavior", "path": "lfp", "max_gap": 1.0}}}


@pytest.mark.parametrize(
    "change",
    [
        {"stamp": "new"},
        {"config": OTHER_STREAM},
        {"session": 1},
        {"grid": TimeGrid(0.5, 0.01, 4999)},
    ],
)
def test_another_input_configuration_or_grid_starts_anew(root, work, change):
    stage(root, work)
    before = own_folder(work)
    (root / "log.txt").unlink()
    stage(root, work, **change)
    assert own_folder(work) != before
    assert len(noted(root, "read")) == N_BLOCKS


def test_a_change_that_the_stream_does_not_depend_on_keeps_its_blocks(root, work):
    stage(root, work)
    (root / "log.txt").unlink()
    stage(root, work, config={**CONFIG, "seed": 7}, n_input_bytes=1)
    assert noted(root, "read") == []


def test_other_things_in_the_folder_are_left_alone(root, work):
    work.mkdir(parents=True)
    (work / "thesis.txt").write_text("x")
    stage(root, work)
    assert (work / "thesis.txt").read_text() == "x"


def test_the_stamp_of_a_file_changes_with_it_and_only_then(tmp_path):
    path, folder = tmp_path / "a.nwb", tmp_path / "b.zarr"
    path.write_bytes(b"1234")
    folder.mkdir()
    (folder / "0").write_bytes(b"1")
    before = file_stamp([path, folder])
    assert file_stamp([path, folder]) == before
    (folder / "0").write_bytes(b"12")
    changed = file_stamp([path, folder])
    os.utime(path, ns=(1, 1))
    assert len({before, changed, file_stamp([path, folder])}) == 3


# ---- what goes wrong


def test_a_block_that_comes_out_differently_is_a_bug(root, work):
    tell_fake(root, random=True)
    stage(root, work)
    (own_folder(work) / "00000002.safetensors").unlink()
    with pytest.raises(AssertionError, match=r"block 2 of stream 'lfp' was computed twice"):
        stage(root, work)
    assert stage(root, work).n_bins == 5000  # told once, and no reason to be stuck for ever


def test_a_block_that_a_retry_makes_differently_is_a_bug(root, tmp_path):
    tell_fake(root, random=True)
    job = make_job(root)
    stream, blocks = load_job(job.text), Blocks(str(tmp_path), (5000, 3), "float32")
    write_block(stream, blocks, 2, name="lfp")
    with pytest.raises(AssertionError, match="with different results"):
        write_block(load_stream_again(job), blocks, 2, name="lfp")


def load_stream_again(job):
    load_job.cache_clear()
    return load_job(job.text)


def test_a_repeated_block_is_the_same_block(root, tmp_path):
    job = make_job(root)
    stream, blocks = load_job(job.text), Blocks(str(tmp_path), (5000, 3), "float32")
    first = write_block(stream, blocks, 2, name="lfp")
    assert write_block(load_stream_again(job), blocks, 2, name="lfp") == first
    assert (first.block, first.n_masked) == (2, int((~known_numbers(GRID.part(512, 768))[1]).sum()))


@pytest.mark.parametrize("n_workers", [1, 2])
def test_an_error_of_a_process_arrives_as_it_was_raised(root, work, n_workers):
    tell_fake(root, fail_at=9 * BLOCK)
    with pytest.raises(DataError) as caught:
        stage(root, work, n_workers=n_workers, n_input_bytes=MUCH)
    error = caught.value
    assert error.what == "the file was modified while it was read"
    assert (error.where, error.fix) == ("fake.nwb", "wait")


def test_a_bug_in_a_process_is_not_dressed_up(root, work):
    tell_fake(root, bug_at=0)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        stage(root, work, n_workers=2, n_input_bytes=MUCH)


def test_a_process_that_is_killed_once_costs_nothing(root, work, capfd):
    tell_fake(root, die_once_at=4 * BLOCK)
    stream = stage(root, work, n_workers=2, n_input_bytes=MUCH)
    np.testing.assert_array_equal(stream.values[:], known_numbers(GRID)[0].astype("f4"))
    assert (root / "died").exists()
    assert capfd.readouterr() == ("", "")


def test_a_block_that_always_kills_its_process_is_named(root, work):
    tell_fake(root, die_at=4 * BLOCK)
    with pytest.raises(ResourceError, match="use fewer --workers") as caught:
        stage(root, work, n_workers=2, n_input_bytes=MUCH)
    assert "bins 1024 to 1280 of stream 'lfp'" in caught.value.what
    assert caught.value.exit_code == 7


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import lazy_fake
root, out = Path(sys.argv[2]), Path(sys.argv[3])
lazy_fake.make_recording(root, out, n_workers=2, n_input_bytes=2**30)
"""


def test_a_script_that_every_process_would_run_again_is_told_what_to_do(root, tmp_path):
    script = tmp_path / "analysis.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(Path(__file__).parent), str(root)]
    done = subprocess.run(
        [*command, str(tmp_path / "r.zarr")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "call ingest below `if __name__ == '__main__':`" in done.stderr
    assert not (tmp_path / "r.zarr").exists()


def test_two_processes_do_not_work_in_one_folder(root, work):
    work.mkdir(parents=True)
    with locked(work), pytest.raises(OutputError, match="wait until that process ends"):
        stage(root, work)


def test_a_disk_that_is_too_small_is_told_before_the_work(root, work, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(staging.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ResourceError, match="choose an output on another disk") as caught:
        stage(root, work)
    assert "0.0 GiB are free" in caught.value.what
    assert noted(root, "read") == []


def test_a_stage_file_lost_while_it_is_needed_says_what_to_do(root, work):
    stream = stage(root, work)
    Path(own_folder(work), "00000000.safetensors").unlink()
    with pytest.raises(Exception, match="run the same command again"):
        stream.values[:10]
