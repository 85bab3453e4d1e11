"""The page: self-contained, escaped, deterministic, and whole even where parts are missing."""

import html as html_module
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from neurodsr.evaluation.results import Evaluation, Verdict
from neurodsr.report.build import build_report
from neurodsr.report.interactive import orbit_figure, plotly_source, script_text
from neurodsr.report.render import render_html

FAILED = "could not be drawn"


class Page(HTMLParser):
    """What a browser would see: tags with attributes, and text outside scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self._skipped = [], [], None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._skipped = tag

    def handle_endtag(self, tag):
        if tag == self._skipped:
            self._skipped = None

    def handle_data(self, data):
        if self._skipped is None:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(report, arrays):
    return Page(render_html(report, arrays))


@pytest.fixture(scope="module")
def full(shared_sample):
    """The whole sample page, rendered once."""
    recording = shared_sample.recording()
    return render_html(shared_sample.report(recording), shared_sample.arrays(recording))


def test_no_section_of_the_full_report_fails_and_all_are_in_the_menu(full):
    page = Page(full)
    assert FAILED not in full
    sections = [s["id"] for s in page.all("section")]
    assert sections[0] == "verdict"
    assert len(sections) == 13
    links = {a["href"] for a in page.all("a")}
    assert {f"#{s}" for s in sections} <= links


def test_the_matrix_shows_what_each_stream_tells_of_each_other_one(full):
    table = full.split('aria-label="What each stream tells of each other one"')[1]
    table = table.split("</table>")[0]
    assert "r2, higher is better" in table
    assert "<strong>0.870</strong>" in table
    assert "–" in table  # accuracy of the choice from itself was not defined


def test_the_page_loads_nothing_from_anywhere(full):
    page = Page(full)
    loads = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster")
    ]
    assert loads
    assert all(re.match(r"#|data:(image/(png|svg\+xml);base64)?,", value) for value in loads)
    style = full[full.index("<style>") : full.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_the_content_security_policy_allows_only_scripts_with_its_nonce(full):
    page = Page(full)
    policy = page.all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; script-src 'nonce-")
    nonce = re.search(r"'nonce-([0-9a-f]+)'", policy["content"]).group(1)
    running = [s for s in page.all("script") if s.get("type") != "application/json"]
    assert len(running) == 2
    assert all(s["nonce"] == nonce for s in running)
    handlers = [n for _, attributes in page.tags for n in attributes if n.startswith("on")]
    assert not handlers


def test_the_page_stays_within_its_budget_and_holds_plotly_once(full):
    assert len(full.encode()) <= 12 * 2**20
    assert full.count('id="plotly-source"') == 1


def test_every_figure_has_words_for_those_who_cannot_see_it(full):
    images = Page(full).all("img")
    assert len(images) >= 8
    assert all(len(image["alt"]) > 20 for image in images)
    assert len(Page(full).all("source")) == len(images)


def test_the_same_inputs_give_the_same_bytes(full, sample):
    recording = sample.recording()
    assert render_html(sample.report(recording), sample.arrays(recording)) == full


def test_the_verdict_its_rules_and_the_command_are_on_the_page(full):
    text = " ".join("".join(Page(full).text).split())
    assert "✓ Reconstructed" in text
    assert "aligned divergence at most 4" in text
    assert "neurodsr run session.yaml -o out --set seed=7" in text
    assert "Beats the best trivial method, repeated context." in text
    assert "smoothed rate 0.288" in text


def test_the_attractor_is_compared_with_the_true_system_only_where_one_is_named(sample):
    recording = sample.recording(n_bins=700)
    arrays = {k: v for k, v in sample.arrays(recording).items() if k.startswith("attractor")}
    known = sample.report(recording)
    unknown = known.model_copy(update={"config": {**known.config, "truth": None}})
    assert '"name": "True system"' in render_html(known, arrays)
    assert '"name": "Data, encoded"' in render_html(unknown, arrays)


def test_a_surrogate_that_failed_is_called_so(sample):
    recording = sample.recording()
    page = page_of(sample.report(recording, reconstructed=False), {})
    text = " ".join("".join(page.text).split())
    assert "✕ Not reconstructed" in text
    assert "✕ failed" in text


def test_a_script_in_a_stream_name_a_channel_and_a_note_appears_as_text(sample):
    evil = "<script>window.PWN=1</script>"
    recording = sample.recording(spikes_name=evil, n_bins=700)
    report = sample.report(recording)
    notes = (f"{evil} & \u202ereversed\x1b[31m",)
    report = report.model_copy(
        update={
            "title": evil,
            "recording": report.recording.model_copy(update={"id": evil, "notes": notes}),
        }
    )
    html = render_html(report, sample.arrays(recording))
    assert FAILED not in html
    assert evil not in html
    assert html_module.escape(evil) in html
    assert "window.PWN" in "".join(Page(html).text)
    assert not re.search("[\u202e\x1b]", html[: html.index('id="plotly-source"')])


def test_a_name_of_a_megabyte_with_formulas_does_not_swell_the_page(sample):
    plain = render_html(sample.report(sample.recording(n_bins=700)), {})
    recording = sample.recording(spikes_name="$\\frac{" + "x" * 10**6, n_bins=700)
    html = render_html(sample.report(recording), {})
    assert FAILED not in html
    assert len(html) < len(plain) + 5000


def test_missing_arrays_leave_a_reason_in_every_section_that_needed_them(sample):
    page = page_of(sample.report(sample.recording()), {})
    text = "".join(page.text)
    assert FAILED not in text
    for name in ("attractor/data", "spectrum/frequency", "lyapunov/time", "forecast/horizon"):
        assert name in text
    assert not page.all("script")  # no interactive plot, so no plotly either


def test_a_report_without_streams_members_or_numbers_renders(sample):
    recording = sample.recording()
    recording.streams.clear()
    nothing = Verdict(reconstructed=False, sentence="Nothing was computed.", checks=())
    evaluation = Evaluation(
        members=(), measures=(), exponents=(), exponents_sd=(), streams=(), verdict=nothing
    )
    report = build_report({}, recording, {}, evaluation, sample.provenance())
    html = render_html(report, {"raster/time": np.arange(3.0)})
    assert FAILED not in html
    assert "The recording holds no streams." in html


def test_a_section_that_fails_shows_its_error_and_the_others_render(sample):
    recording = sample.recording(n_bins=700)
    arrays = sample.arrays(recording)
    arrays["spectrum/data"] = np.zeros((3, 2))  # not the length of the frequencies
    arrays["raster/position/mask"] = np.ones((2, 2), dtype=bool)
    html = render_html(sample.report(recording), arrays)
    assert html.count(FAILED) == 3  # spectra; data and fit share the excerpt
    assert "the excerpt of stream &#39;position&#39; does not fit together" in html
    assert "✓" in html
    assert 'id="orbit-data"' in html


def test_the_date_is_the_source_date_epoch_or_absent(sample, monkeypatch):
    report = sample.report(sample.recording())
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert "neurodsr report</p>" in render_html(report, {})
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert "neurodsr report · 1970-01-02</p>" in render_html(report, {})


def test_script_text_cannot_end_or_nest_its_element():
    assert "</script" not in script_text('{"a": "</script><!--"}')
    assert json.loads(script_text('{"a": "</script><!--"}')) == {"a": "</script><!--"}


def test_no_spelling_of_a_script_end_lies_in_the_inlined_plotly():
    assert not re.search("</script|<!--", plotly_source(), re.IGNORECASE)


def test_the_interactive_plot_holds_at_most_5000_points_an_orbit_and_no_plane():
    orbit = np.random.default_rng(0).normal(size=(12_345, 3))
    traces = json.loads(orbit_figure(orbit, orbit, reference="Data"))["data"]
    assert [len(t["x"]["bdata"]) for t in traces] <= [5000 * 4 * 4 / 3 + 4] * 2
    assert orbit_figure(orbit[:, :2], orbit[:, :2], reference="Data") is None
