"""What the page on tables shows is a configuration, and its names of columns are understood."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from neurodsr.run_config import RunConfig
from neurodsr.sources.table import LABELS
from neurodsr.sources.table_clock import is_time

PAGE = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S))
def test_every_block_is_the_streams_of_a_run(block):
    plain = YAML(typ="safe", pure=True).load(block)
    base = {"schema_version": 1, "file": "session.nwb", "grid": {"bin_width": 0.1}}
    assert RunConfig.from_plain(base | plain).streams


def test_the_names_of_times_and_labels_are_those_of_the_code():
    times = re.search(r"note says so:\n(.*?)\. A name in", PAGE, re.S)[1]
    assert all(is_time(name) for name in re.findall(r"`(.*?)`", times))
    labels = re.search(r"vector of texts named (.*?) names the", PAGE, re.S)[1]
    assert set(re.findall(r"`(.*?)`", labels)) <= LABELS
