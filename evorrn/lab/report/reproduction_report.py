"""The page of a reproduced experiment: every figure beside the published one, and every run shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from evorrn.lab.report import plots
from evorrn.lab.report.comparison_page import SHOWN_ENVIRONMENT, settings_text
from evorrn.lab.report.drawing import INK, MARKERS, MUTED, SERIES, scale_axis
from evorrn.lab.report.reproduction_table import COLUMNS, by_problem, cells, measure, outcome
from evorrn.lab.study.reproduction import Finding, Reproduction


def render(made: Reproduction) -> str:
    """Return the page of a reproduction as HTML."""
    import jinja2

    templates = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    pages = jinja2.Environment(
        loader=templates, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    pages.filters.update(settings=settings_text)
    return pages.get_template("reproduction.html").render(
        made=made,
        measure=measure(made.measure),
        outcome=outcome(made),
        columns=COLUMNS,
        problems=[
            {
                "name": name,
                "conditions": findings[0].conditions,
                "svg": _plot(findings, made.measure, name),
                "rows": [{"cells": cells(finding, made.measure), "finding": finding} for finding in findings],
            }
            for name, findings in by_problem(made)
        ],
        environment=[
            (name, settings_text(value))
            for name in SHOWN_ENVIRONMENT
            if (value := made.environment.get(name))
        ],
    )


def draw_findings(axes: Any, findings: list[Finding], measure: str) -> None:
    """Draw one line per row: a dot for every run, a bar for our figure, a diamond for the published one."""
    known = [finding.published for finding in findings if finding.published is not None]
    every = [value for finding in findings for value in finding.values if np.isfinite(value)]
    scale_axis(axes, "x", np.array([*every, *known] or [1.0]), ratio=3)
    for height, finding in enumerate(findings):
        values = np.array(finding.values)
        colour = SERIES[height % len(SERIES)]
        offsets = 0.5 * ((np.arange(len(values)) * 0.618034 + 0.3) % 1 - 0.5)
        good = np.isfinite(values)
        marker = MARKERS[height % len(MARKERS)]
        axes.scatter(
            values[good], (height + offsets)[good], s=15, color=colour, alpha=0.7, linewidth=0, marker=marker
        )
        if np.isfinite([finding.low, finding.high]).all():
            axes.plot([finding.low, finding.high], [height] * 2, color=colour, linewidth=9, alpha=0.32)
        if np.isfinite(finding.mean):
            axes.plot([finding.mean] * 2, [height - 0.36, height + 0.36], color=INK, linewidth=2.2)
        if finding.published is not None:
            axes.plot(
                finding.published,
                height,
                marker="D",
                markersize=8,
                color="none",
                markeredgecolor=MUTED,
                markeredgewidth=1.8,
            )
        if not good.all():
            axes.annotate(
                f"✕ {int((~good).sum())} unsolved",
                (1.01, height),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=9,
            )
    names = [cells(finding, measure)[0] for finding in findings]
    axes.set_yticks(range(len(findings)), names)
    axes.set_ylim(len(findings) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(measure)


def _plot(findings: list[Finding], measure: str, name: str) -> Any:
    from markupsafe import Markup

    height = 1.0 + 0.42 * len(findings)
    return Markup(
        plots.inline_svg(lambda axes: draw_findings(axes, findings, measure), 6.8, height, f"runs {name}")
    )
