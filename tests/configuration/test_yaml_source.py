"""The safe YAML reader: what it accepts, where things stand, and what it refuses at once."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.errors import ConfigError
from neurodsr.yaml_source import MAX_BYTES, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("no", "no"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("1_000", "1_000"),
        ("2020-01-01", "2020-01-01"),
        ('"5"', "5"),
        ("~", None),
        ("True", True),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("1e400", math.inf),
        ("12:30:00", "12:30:00"),
        ('"\\ud83e\\udde0"', "\U0001f9e0"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    assert parse_yaml(f"a: {text}", "x").data == {"a": value}


def test_every_key_and_value_knows_its_line_and_column():
    source = parse_yaml("a: 1\nb:\n  c: [x, y]\n", "run.yaml")
    assert source.key_place(("b", "c")) == "run.yaml:3:3"
    assert source.place(("b", "c", 1)) == "run.yaml:3:10"


def test_a_missing_value_is_placed_at_what_encloses_it():
    assert parse_yaml("b:\n  c: 1\n", "run.yaml").place(("b", "d", "e")) == "run.yaml:2:3"


def test_json_with_tabs_is_read_like_yaml():
    assert parse_yaml('{\n\t"a": [1,\t2.5e1],\n\t"b": null}', "x").data == {"a": [1, 25], "b": None}


# DEL is no printable character in YAML, although JSON allows it bare.
words = st.text(st.characters(exclude_characters="\x7f", exclude_categories=["Cs"]))
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_json_text_is_read_as_json_reads_it(value):
    text = json.dumps({"a": value})
    assert parse_yaml(text, "x").data == {"a": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^x: is empty\n  fix: write at least one key"),
        ("a: &x 1", r"^x:1:4: an anchor or alias.*\n  fix: write the value out"),
        ("a: *x", r"^x:1:4: an anchor or alias.*\n  fix: write the value out"),
        ("&k a: 1", r"^x:1:1: a key that is not a plain word"),
        ("a: !!python/object:os.system ls", r"^x:1:4: a tag .*\n  fix: remove the !tag"),
        ("a: 1\na: 2", r"^x:2:1: key 'a' twice \(first at x:1:1\).*\n  fix: keep one"),
        ("a: 1\n---\nb: 2", r"^x:2:1: a second document.*\n  fix: keep one document"),
        ("%YAML 1.1\n---\na: no", r"^x:2:1: a YAML directive.*\n  fix: remove the line"),
        ("? [1]\n: 2", r"^x:1:3: a key that is not a plain word.*\n  fix: use a word"),
        ("a: [1,\nb: 2", r"^x:2:5: not valid YAML: expected ','.*\n  fix: check indentation"),
        ("a: '\x01'", r"^x: not valid YAML: unacceptable character.*\n  fix: keep to plain"),
        ('a: "\\ud800"', r"^x: not valid YAML: .*\n  fix: keep to plain"),
        ("[" * 20_000, r"^x:1:66: nesting deeper than 64.*\n  fix: flatten"),
        ("- " * 20_000, r"nesting deeper than 64.*\n  fix: flatten"),
        ("{a: " * 20_000, r"nesting deeper than 64.*\n  fix: flatten"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_place_and_fix(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_yaml(text, "x")


def test_a_file_larger_than_one_mebibyte_is_refused_unparsed(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(b"a" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match=r"larger than 1048576 bytes\n  fix: this is not a run"):
        read_yaml(path)


def test_bytes_that_are_not_utf8_are_named(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match=r"byte 3 is 0xff\)\n  fix: save the file as UTF-8"):
        read_yaml(path)


@pytest.mark.parametrize(("name", "what"), [("none.yaml", "no such file"), (".", "is not a file")])
def test_a_path_without_a_file_is_refused(tmp_path, name, what):
    with pytest.raises(ConfigError, match=rf"{what}\n  fix: check the path"):
        read_yaml(tmp_path / name)
