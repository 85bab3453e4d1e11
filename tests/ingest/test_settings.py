"""What init writes of a stream, and why, from inspections made by hand."""

from __future__ import annotations

import pytest

from neurodsr.ingest.inspection import ColumnInspection, StreamInspection
from neurodsr.ingest.settings import REASONS, observation_settings, remark_on, settings_of
from neurodsr.ingest.values import RULES
from neurodsr.modalities.clock import ClockConfig
from neurodsr.modalities.registry import load_modality


def stream(modality: str, **fields: object) -> StreamInspection:
    plain = {
        "path": "x", "kind": "series", "neurodata_type": "TimeSeries", "n_channels": 2,
        "n_samples": 101, "start": 0.0, "stop": 100.0, "rate": 1.0, "unit": "",
        "modality": modality, "proposed": modality,
    }  # fmt: skip
    return StreamInspection(**(plain | fields))


def plain(found: StreamInspection) -> dict:
    """The settings as a configuration has them; the modality takes them."""
    config = {s.field: s.value for s in settings_of(found)}
    load_modality(found.proposed).from_plain({"path": "x", **config})
    return config


def test_a_stream_that_its_modality_takes_as_it_is_needs_no_setting():
    assert plain(stream("behavior", observation="gaussian")) == {}
    assert plain(stream("calcium", observation="fluorescence")) == {}
    assert plain(stream("spikes", kind="events")) == {}


@pytest.mark.parametrize(("kind", "observation"), REASONS)
def test_another_kind_of_values_is_written_with_a_reason(kind, observation):
    assert plain(stream(kind, observation=observation))["observation"] == observation
    (setting,) = observation_settings(kind, observation)
    assert setting.reason


def test_every_kind_of_values_that_is_found_has_its_reason():
    found = {(kind, name) for kind, rules in RULES.items() for name in rules}
    assert found - {("behavior", "gaussian"), ("calcium", "fluorescence")} == REASONS.keys()


def test_angles_without_a_unit_get_the_one_of_their_size():
    angles = {"observation": "angle", "extent": (-180.0, 180.0)}
    assert plain(stream("behavior", **angles))["angle_unit"] == "deg"
    assert "angle_unit" not in plain(stream("behavior", unit="degrees", **angles))


def test_of_events_only_what_the_animal_does_is_used():
    mixed = {"kind": "events", "observation": "events", "ids": ("lick", "tone", "lick_right")}
    assert plain(stream("behavior", **mixed))["channels"] == ["lick", "lick_right"]
    assert "channels" not in plain(stream("behavior", **mixed | {"ids": ("lick",)}))


def test_a_known_indicator_is_written_and_another_one_is_remarked_on():
    known = stream("calcium", description="indicator GCaMP6s, plane P")
    assert plain(known) == {"indicator": "GCaMP6s"}
    assert remark_on(known) == ""
    other = stream("calcium", description="indicator OGB-1, plane P")
    assert plain(other) == {}
    assert "kinetics of OGB-1 are not known here: give decay in s" in remark_on(other)
    assert "names no indicator: give decay in s; it is learned from 0.4 s" in remark_on(
        stream("calcium")
    )


def test_events_of_cells_have_no_kinetics():
    deconvolved = stream("calcium", observation="events", description="indicator GCaMP6s, plane P")
    assert plain(deconvolved) == {"observation": "events"}
    assert remark_on(deconvolved) == ""


def test_only_accepted_cells_are_used_whatever_takes_them():
    column = ColumnInspection(path="x/Accepted", levels=("0", "1"), n_levels=2)
    for kind in ("calcium", "behavior"):
        cells = stream("calcium", proposed=kind, columns=(column,))
        assert plain(cells) == {"where": {"Accepted": 1}}


def test_of_a_table_of_regions_tissue_and_motion_are_taken_out():
    config = plain(stream("fmri", ids=("WM", "V1", "V2", "trans_x")))
    assert config == {"channels": ["V1", "V2"], "nuisance": ["x/WM", "x/trans_x"]}
    assert plain(stream("fmri", ids=("V1", "V2"))) == {}
    assert plain(stream("fmri", ids=("WM", "CSF"))) == {}


def test_of_a_table_with_a_column_called_bold_only_that_is_used():
    assert plain(stream("fmri", ids=("bold", "events"))) == {"channels": ["bold"]}


def test_a_declared_clock_is_written_with_any_modality():
    clock = ClockConfig(interval=1.89)
    assert plain(stream("fmri", clock=clock)) == {"clock": {"interval": 1.89}}


def test_a_modality_that_follows_from_a_name_says_so():
    assert "concluded from its name" in remark_on(stream("fmri", by_name=True))
    assert remark_on(stream("lfp", proposed="behavior", by_name=True)) == ""
