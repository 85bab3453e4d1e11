"""The committed JSON Schemas: equal to the models, valid, and as strict as the loader."""

import copy
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from neurodsr.run_config import RunConfig
from neurodsr.schema import build_schemas, built_in_kinds, write_schemas

COMMITTED = Path(__file__).parents[2] / "schemas"

CONFIG = {
    "schema_version": 1,
    "file": "demo.nwb",
    "grid": {"bin_width": 0.02},
    "streams": {
        "probe": {"kind": "spikes", "path": "units"},
        "choice": {"kind": "behavior", "path": "x", "observation": "categorical"},
    },
}


def files_below(folder):
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.json")}


def test_committed_schemas_equal_the_models(tmp_path):
    write_schemas(tmp_path)
    assert files_below(tmp_path) == files_below(COMMITTED), (
        "a model changed: run `neurodsr schema --write schemas/` and commit the result"
    )


@pytest.mark.parametrize("name", build_schemas(built_in_kinds()))
def test_every_schema_is_valid_draft_2020_12(name):
    schema = build_schemas(built_in_kinds())[name]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.fixture
def run_schema():
    return Draft202012Validator(build_schemas(built_in_kinds())["run.json"])


def test_the_run_schema_accepts_what_the_loader_accepts(run_schema):
    run_schema.validate(CONFIG)
    RunConfig.from_plain(CONFIG)


def test_a_configuration_with_all_defaults_written_out_is_accepted(run_schema):
    run_schema.validate(RunConfig.from_plain(CONFIG).to_plain())


@pytest.mark.parametrize(
    "stream",
    [
        {"kind": "spkes", "path": "units"},
        {"path": "units"},
        {"kind": "spikes", "path": "units", "max_gap": 1.0},
        {"kind": "behavior", "path": "x", "max_gap": -1.0},
    ],
)
def test_the_run_schema_refuses_streams_that_the_loader_refuses(run_schema, stream):
    config = copy.deepcopy(CONFIG)
    config["streams"]["probe"] = stream
    assert not run_schema.is_valid(config)


def test_streams_are_one_of_the_built_in_kinds():
    streams = build_schemas(built_in_kinds())["run.json"]["properties"]["streams"]
    kinds = ("behavior", "calcium", "fmri", "spikes")
    assert streams["additionalProperties"] == {
        "oneOf": [{"$ref": f"#/$defs/stream-{kind}"} for kind in kinds]
    }


def test_every_field_has_a_description():
    def fields(schema):
        for name, part in schema.get("properties", {}).items():
            yield name, part
        for part in schema.get("$defs", {}).values():
            yield from fields(part)

    silent = {
        (file, name)
        for file, schema in build_schemas(built_in_kinds()).items()
        for name, part in fields(schema)
        # A reference is described by the model it leads to.
        if not part.get("description") and "$ref" not in part
    }
    assert silent == set()
