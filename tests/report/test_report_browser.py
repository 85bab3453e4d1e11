"""The page in a real browser: drawn, without errors, without a request, wide and narrow."""

import os
import re
import shutil
import subprocess

import pytest

from neurodsr.report.write import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"),
        reason="no chromium here; .ci/run installs it, and there its absence is a failure",
    ),
    pytest.mark.timeout(300),
]


def browse(page, folder, *more):
    """Open a page with the network off and return (stdout, what the browser logged)."""
    assert CHROMIUM, "chromium is missing"
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
        "--enable-logging=stderr", "--v=0", "--virtual-time-budget=4000", *more,
        page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture
def page(sample, tmp_path):
    recording = sample.recording()
    write_report(sample.report(recording), sample.arrays(recording), tmp_path / "report.html")
    return tmp_path / "report.html"


def test_the_page_runs_without_a_console_error_and_without_trying_a_request(page, tmp_path):
    # The page's own policy forbids every request, and the browser reports each one it blocked.
    dom, console = browse(page, tmp_path, "--dump-dom")
    assert console == []
    assert "Dynamical surrogate of" in dom
    (button,) = re.findall(r'<button[^>]*id="orbit-button"[^>]*>', dom)
    assert "hidden" not in button  # the script ran and offers the plot that turns


@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_is_drawn_and_not_blank(page, tmp_path, width):
    from matplotlib.image import imread

    shot = tmp_path / "shot.png"
    browse(page, tmp_path, f"--window-size={width},2400", f"--screenshot={shot}")
    pixels = imread(shot)[..., :3]
    assert pixels.shape[0] >= 2000
    inked = (pixels.min(axis=-1) < 0.6).mean(axis=1)
    thirds = [inked[k : k + 800].mean() for k in (0, 800, 1600)]
    assert min(thirds) > 0.005  # text and lines in every part of the window
