"""The report of a reproduced experiment: its page, and its summary for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from evorrn.base.text import amount, counted, figure
from evorrn.diagnostics.quantities import QUANTITIES
from evorrn.lab.report.page import environment_rows, make_figure, render, settings_text
from evorrn.lab.report.style import (
    MUTED,
    Axes,
    look,
    names_down,
    note_beside,
    ranking_row,
    rows_height,
    scale_axis,
)
from evorrn.lab.report.tables import Entry, Table
from evorrn.lab.report.terminal import GAP, Line, Parts, notes
from evorrn.lab.study.reproduction import Finding, Reproduction
from evorrn.lab.sweep.experiment import EVALUATIONS

COLUMNS = ("way of training", "published", "mean", "95 % interval", "median", "spread", "solved", "verdict")
NOTES = (
    "A verdict compares our 95 % interval with the published figure: the interval is entirely better (better), contains "
    "the figure (reproduced), or is entirely worse (not reproduced). A published range is reproduced where our interval "
    "overlaps it.",
    "Where evaluations are counted and some runs fail, the mean is the total of all runs divided by the number of runs "
    "that succeeded. The spread is the standard deviation over the runs that succeeded.",
    "Evaluations are counted to the end of the generation in which a network succeeded.",
)


def summary(made: Reproduction) -> Parts:
    """Return the tables, the notes and the outcome, for a terminal."""
    found: Parts = [Line(title(made), "title"), GAP]
    for name, findings in made.by_problem():
        found.append(findings_table(findings, made.measure, name))
        conditions = findings[0].conditions
        found += [Line(f"  conditions: {conditions}", "aside"), GAP] if conditions else [GAP]
    return [*found, *notes(made.notes), Line(outcome(made), "title"), Line(made.report, "report")]


def title(made: Reproduction) -> str:
    """Return what was reproduced, in a line."""
    seeds = sorted({finding.seeds for finding in made.findings})
    runs = counted(seeds[0], "seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    return f"{made.title}; {measure_text(made.measure)}; {runs} a row; after {made.source}"


def outcome(made: Reproduction) -> str:
    """Return the number of rows with each verdict, in a sentence."""
    verdicts = [finding.verdict for finding in made.findings]
    parts = [f"{verdicts.count(kind)} {kind}" for kind in dict.fromkeys(verdicts)]
    return f"{counted(len(verdicts), 'row')}: {', '.join(parts)}"


def measure_text(measure: str) -> str:
    """Return what the figures are."""
    if measure in QUANTITIES:
        return QUANTITIES[measure].title
    return "evaluations until solved, fewer is better" if measure == EVALUATIONS else f"{measure} on test"


def findings_table(findings: Sequence[Finding], measure: str, heading: str = "") -> Table:
    """Return our figures beside the published ones."""
    columns: tuple[str, ...] = ("network", *COLUMNS[1:]) if measure in QUANTITIES else COLUMNS
    rows: list[tuple[str, ...]]
    rows, align = [_cells(finding, measure) for finding in findings], "lrrrrrrl"
    if any(finding.automata is not None for finding in findings):
        columns, align = (*columns[:-1], "automaton", columns[-1]), "lrrrrrrrl"
        counts = ["–" if one.automata is None else f"{one.automata} of {one.seeds}" for one in findings]
        rows = [(*row[:-1], count, row[-1]) for row, count in zip(rows, counts)]
    return Table(columns, align, [Entry(row) for row in rows], heading)


def _cells(finding: Finding, measure: str) -> tuple[str, ...]:
    write = evaluations_text if measure == EVALUATIONS else _digits if measure in QUANTITIES else figure
    return (
        _method(finding),
        _published(finding, write),
        write(finding.mean),
        "–" if math.isnan(finding.low) else f"[{write(finding.low)}, {write(finding.high)}]",
        write(finding.median),
        write(finding.spread),
        "" if finding.solved is None else f"{finding.solved} of {finding.seeds}",
        finding.verdict,
    )


def _published(finding: Finding, write: Callable[[float], str]) -> str:
    if finding.published is None:
        return "–"
    first = write(finding.published)
    return first if finding.published_to is None else f"{first} to {write(finding.published_to)}"


def _digits(value: float) -> str:
    """Return a quantity with five digits, since some are known exactly."""
    return f"{value:.5g}"


def _method(finding: Finding) -> str:
    name = str(finding.strategy["name"])
    return name if finding.method in ("", name) else f"{finding.method} ({name})"


def evaluations_text(value: float) -> str:
    """Return a number of evaluations: whole below 100,000, ``never`` where it is infinite."""
    return f"{value:,.0f}" if value < 100_000 else amount(value, "never")


def page(made: Reproduction) -> str:
    """Return the page of a reproduction as HTML."""
    return render("reproduction.html", {
        "made": made,
        "measure": measure_text(made.measure),
        "answer": outcome(made),
        "cautions": made.notes,
        "notes": NOTES,
        "problems": [_problem(name, findings, made.measure) for name, findings in made.by_problem()],
        "environment": environment_rows(made.environment),
    })  # fmt: skip


def _problem(name: str, findings: Sequence[Finding], measure: str) -> dict[str, Any]:
    size = (6.8, rows_height(len(findings)) + 0.2)
    settings = [
        (
            _method(one),
            settings_text(one.network),
            settings_text(one.strategy),
            one.of or "–",
            one.deviation or "–",
        )
        for one in findings
    ]
    columns = ("way of training", "network", "settings", "published by", "what differs")
    return {
        "name": name,
        "conditions": findings[0].conditions,
        "figure": make_figure(f"runs {name}", size, draw_findings, findings, measure),
        "table": findings_table(findings, measure),
        "settings_table": Table(columns, "llplp", [Entry(cells) for cells in settings]),
    }


def draw_findings(axes: Axes, findings: Sequence[Finding], measure: str) -> None:
    """Draw one row for each finding: a dot for every run, a bar for our mean, a diamond for the published figure."""
    figures = [figure for finding in findings for figure in (finding.published, finding.published_to)]
    known = [figure for figure in figures if figure is not None]
    every = [value for finding in findings for value in finding.values if np.isfinite(value)]
    scale_axis(axes, "x", np.array([*every, *known] or [1.0]), ratio=3)
    for height, finding in enumerate(findings):
        middle = (finding.mean, finding.low, finding.high)
        ranking_row(axes, height, finding.values, middle, look(height))
        if finding.published is not None:
            hollow = {"color": "none", "markeredgecolor": MUTED, "markeredgewidth": 1.8}
            axes.plot(finding.published, height, marker="D", markersize=8, **hollow)
        if finding.published_to is not None:
            axes.plot(finding.published_to, height, marker="D", markersize=8, **hollow)
        unsolved = sum(not math.isfinite(value) for value in finding.values)
        if unsolved:
            note_beside(axes, height, f"✕ {unsolved} unsolved")
    names_down(axes, [_method(finding) for finding in findings])
    axes.set_xlabel(measure)
