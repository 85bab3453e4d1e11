"""Run configurations: good ones load, bad ones are answered with every place and remedy at once."""

import io
import json

import pytest

from neurodsr.errors import ConfigError
from neurodsr.load_config import load_config
from neurodsr.modalities.registry import list_plugins

GOOD = """\
schema_version: 1
file: demo.nwb
grid:
  bin_width: 2e-2
streams:
  probe:
    kind: spikes
    path: units
  place:
    kind: behavior
    path: processing/behavior/Position/position
    max_gap: 1.5
dynamics:
  latent_dim: 4
  learning_rate: [1e-3, 1e-4]
seed: 7
"""

DYNAMICS = (
    "known: alpha_start, alphas, average, batch_size, family, hidden_dim, latent_dim, "
    "learning_rate, n_steps, teacher_noise, weight_decay, window"
)
TOP = (
    "known: dynamics, encoder, ensemble, file, grid, inputs, schema_version, seed, segments, "
    "split, streams, truth"
)
FIX = "\n  fix: correct it there; `neurodsr schema` prints every key with its meaning"

# What to change in GOOD, and exactly what is said of it.
BAD = {
    "a word where a number belongs": (
        ("bin_width: 2e-2", "bin_width: fast"),
        "run.yaml:4:14: grid.bin_width: should be a valid number (got 'fast')" + FIX,
    ),
    "a number in quotes": (
        ("bin_width: 2e-2", 'bin_width: "2e-2"'),
        "run.yaml:4:14: grid.bin_width: should be a valid number (got '2e-2')" + FIX,
    ),
    "infinity": (
        ("bin_width: 2e-2", "bin_width: 1e400"),
        "run.yaml:4:14: grid.bin_width: should be a finite number (got inf)" + FIX,
    ),
    "not a number": (
        ("bin_width: 2e-2", "bin_width: .nan"),
        "run.yaml:4:14: grid.bin_width: should be a finite number (got nan)" + FIX,
    ),
    "a negative width": (
        ("bin_width: 2e-2", "bin_width: -1"),
        "run.yaml:4:14: grid.bin_width: should be greater than 0 (got -1)" + FIX,
    ),
    "a misspelled key": (
        ("latent_dim: 4", "latent_dmi: 4"),
        "run.yaml:14:3: dynamics.latent_dmi: unknown key, did you mean 'latent_dim' or "
        f"'hidden_dim'? {DYNAMICS}" + FIX,
    ),
    "a key that resembles nothing": (
        ("seed: 7", "zzz: 7"),
        f"run.yaml:16:1: zzz: unknown key, {TOP}" + FIX,
    ),
    "an unknown kind": (
        ("kind: spikes", "kind: spkes"),
        "run.yaml:7:11: streams.probe: unknown modality kind 'spkes': did you mean 'spikes'? "
        "(known kinds: behavior, calcium, fmri, spikes; `neurodsr plugins list` shows them)" + FIX,
    ),
    "no kind": (
        ("    kind: spikes\n", ""),
        "run.yaml:6:3: streams.probe: a stream needs a kind; `neurodsr plugins list` shows the "
        "known ones" + FIX,
    ),
    "an unknown key of a plug-in": (
        ("max_gap: 1.5", "maxgap: 1.5"),
        "run.yaml:12:5: streams.place.maxgap: unknown key, did you mean 'max_gap'? "
        "known: angle_unit, channels, clock, file, kind, levels, max_gap, max_missing, "
        "observation, path, resample, weight, where" + FIX,
    ),
    "a wrong value of a plug-in": (
        ("max_gap: 1.5", "max_gap: [1.5]"),
        "run.yaml:12:14: streams.place.max_gap: should be a valid number" + FIX,
    ),
    "a missing key": (
        ("  bin_width: 2e-2\n", "  start: 0\n"),
        "run.yaml:3:1: grid.bin_width: this key is missing" + FIX,
    ),
    "an element of a list": (
        ("[1e-3, 1e-4]", "[1e-3, slow]"),
        "run.yaml:15:25: dynamics.learning_rate.1: should be a valid number (got 'slow')" + FIX,
    ),
    "a list that is too long": (
        ("[1e-3, 1e-4]", "[1, 2, 3]"),
        "run.yaml:15:18: dynamics.learning_rate: Tuple should have at most 2 items after "
        "validation, not 3" + FIX,
    ),
    "an older number of the format": (
        ("schema_version: 1", "schema_version: 0"),
        "run.yaml:1:17: schema_version: should be 1 (got 0)" + FIX,
    ),
    "several at once, in reading order": (
        ("latent_dim: 4", "latent_dim: 0\n  family: x"),
        "run.yaml: 2 problems\n"
        "  run.yaml:14:15: dynamics.latent_dim: should be greater than or equal to 1 (got 0)\n"
        "  run.yaml:15:11: dynamics.family: should be 'clipped-shallow' (got 'x')" + FIX,
    ),
}


@pytest.fixture(autouse=True)
def _only_built_in_kinds(monkeypatch):
    built_in = [p for p in list_plugins() if p.distribution == "neurodsr"]
    monkeypatch.setattr("neurodsr.modalities.registry.list_plugins", lambda: built_in)


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_config(text=GOOD, name="run.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write_config


def test_a_good_file_becomes_a_frozen_configuration(write):
    config = load_config(write())
    assert config.grid.bin_width == 0.02
    assert config.streams["place"].max_gap == 1.5
    assert config.dynamics.learning_rate == (1e-3, 1e-4)


@pytest.mark.parametrize("case", BAD)
def test_bad_configuration_is_said_word_for_word(write, case):
    (old, new), message = BAD[case]
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load_config(write(GOOD.replace(old, new)))
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


def test_json_gives_the_same_configuration_as_yaml(write):
    config = load_config(write())
    name = write(json.dumps(config.to_plain()), "run.json")
    assert load_config(name) == config


def test_a_dash_reads_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert load_config("-").seed == 7


def test_a_newer_format_names_the_version_it_needs(write):
    with pytest.raises(
        ConfigError, match=r"run.yaml:1:17: .*\n  fix: install a neurodsr that .* 2:"
    ):
        load_config(write(GOOD.replace("schema_version: 1", "schema_version: 2")))


@pytest.mark.parametrize("text", ["- a\n", "just words\n", "streams: [a]\n", "streams: {a: 1}\n"])
def test_what_is_not_a_mapping_is_told_the_form(write, text):
    with pytest.raises(ConfigError, match=r"is a mapping.*\n  fix: write `streams:`"):
        load_config(write(text))


def test_a_kind_may_name_its_distribution(write):
    config = load_config(write(GOOD.replace("kind: spikes", "kind: neurodsr:spikes")))
    assert config.streams["probe"].kind == "spikes"


def test_a_broken_plugin_is_a_plugin_error_and_not_a_config_error(write, monkeypatch):
    from neurodsr.errors import PluginError

    def fail(kind):
        raise PluginError("fails to import", where="plug-in x 1", fix="reinstall x")

    monkeypatch.setattr("neurodsr.run_config.load_modality", fail)
    with pytest.raises(PluginError, match="fix: reinstall x"):
        load_config(write())


def test_set_wins_over_the_file_and_reads_yaml_values(write):
    sets = ["dynamics.latent_dim=5", "streams.place.max_gap=~", "dynamics.alphas=[0.1, 0.2]"]
    config = load_config(write(), sets=[*sets, "grid.stop=1e2", "split.test=0.3"])
    assert config.dynamics.latent_dim == 5
    assert config.streams["place"].max_gap is None
    assert config.dynamics.alphas == (0.1, 0.2)
    assert config.grid.stop == 100
    assert config.split.test == 0.3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dynamics.latent_dmi=3", "unknown path dynamics.latent_dmi: did you mean 'latent_dim'"),
        ("dynamcs.latent_dim=3", "unknown path dynamcs: did you mean 'dynamics'"),
        ("streams.prob.weight=3", "unknown path streams.prob: did you mean 'probe'"),
        ("streams.probe.wieght=3", "unknown path streams.probe.wieght: did you mean 'weight'"),
        ("seed.x=3", "unknown path seed.x: nothing is known here"),
        ("seed", "'seed' is not of the form key=value\n  fix: write for example --set"),
        ("=3", "'=3' is not of the form key=value\n  fix: write for example --set"),
        ("seed=[1", "not valid YAML"),
        ("dynamics.latent_dim=many", "dynamics.latent_dim: should be a valid integer (got 'many')"),
    ],
)
def test_a_wrong_set_is_reported_at_the_set(write, text, message):
    with pytest.raises(ConfigError) as caught:
        load_config(write(), sets=[text])
    assert str(caught.value).startswith(f"--set {text}")
    assert message in str(caught.value)


def test_a_set_may_begin_a_section_and_what_it_lacks_is_named(write):
    with pytest.raises(ConfigError, match=r"(?s)2 problems.*truth.reference: .*truth.exponent: "):
        load_config(write(), sets=["truth.path=x"])
