"""Turn a report into one HTML page that asks nobody for anything."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from neurodsr.report.interactive import plotly_source
from neurodsr.report.model import Report
from neurodsr.report.sections import Section, sections
from neurodsr.report.text import (
    count_of,
    format_duration,
    format_number,
    format_percent,
    plain_text,
)


def render_html(report: Report, arrays: Mapping[str, np.ndarray]) -> str:
    """The page, the same bytes for the same inputs; the clock is never read.

    A section that fails shows its error, and the others render.
    """
    environment = _environment()
    parts = [
        {"id": s.id, "title": s.title, "body": _render_section(environment, s, report, arrays)}
        for s in sections()
    ]
    body = "".join(part["body"] for part in parts)
    return environment.get_template("report.html.j2").render(
        report=report,
        parts=parts,
        plotly=Markup(plotly_source()) if 'id="orbit-data"' in body else None,
        nonce=_nonce(body),
        date=_date(),
    )


def _render_section(
    environment: Environment, section: Section, report: Report, arrays: Mapping[str, np.ndarray]
) -> Markup:
    try:
        content = section.build(report, arrays)
        return Markup(environment.get_template(f"{section.id}.html.j2").render(**content))
    except Exception as error:
        # The one place where everything is caught: a broken figure must not cost the verdict.
        logging.getLogger(__name__).warning(
            "the report's section %r failed", section.id, exc_info=True
        )
        text = f"{type(error).__name__}: {error}"
        return Markup(environment.get_template("failed.html.j2").render(error=text))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("neurodsr.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=format_number,
        percent=format_percent,
        duration=format_duration,
        whole=_whole,
        note=_note,
    )
    environment.globals["count_of"] = count_of
    return environment


def _shown(value: Any) -> Any:
    """Every string that a template prints passes here first, and is escaped after."""
    return plain_text(value) if type(value) is str else value


def _whole(text: str) -> Markup:
    """A text of ours, or a document, that must not be cut at 200 characters."""
    return escape(plain_text(text, limit=None))


def _note(text: str) -> Markup:
    """A sentence that may embed names from files: longer than a name, and still bounded."""
    return escape(plain_text(text, limit=1000))


def _nonce(body: str) -> str:
    # A text inside the page cannot hold the hash of the page, so no file can guess it.
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def _date() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.strftime("%Y-%m-%d", time.gmtime(int(epoch))) if epoch.isdigit() else ""
