"""The report of a sweep: its page, made from the run folders, and its summary for a terminal.

It can be written at any time, also while the sweep is running, and shows what failed and what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.files import write_atomic
from evorrn.base.text import figure
from evorrn.lab.report import effects as plots
from evorrn.lab.report import sweep_records as records
from evorrn.lab.report import sweep_tables as tables
from evorrn.lab.report.learning import SECONDS, WORK, draw_learning, draw_profiles, draw_reaching
from evorrn.lab.report.page import Figure, make_figure, render
from evorrn.lab.report.rankings import draw_improvements, draw_overall, draw_ranking, draw_ranks
from evorrn.lab.report.style import places, rows_height
from evorrn.lab.report.terminal import GAP, Line, Parts
from evorrn.lab.report.terminal import notes as note_lines
from evorrn.lab.runs.store import writing
from evorrn.lab.study.aggregates import performance_profile
from evorrn.lab.study.effects import Effect, Slice, effects, pooled, slices
from evorrn.lab.study.rank_tests import RankComparison
from evorrn.lab.study.ranking import ranked
from evorrn.lab.study.sentences import sweep as sentences
from evorrn.lab.study.standings import (
    Findings,
    Overall,
    findings,
    improvements,
    leads_across,
    overall,
    rank_comparison,
    strata,
)
from evorrn.lab.study.study import Study, make_study
from evorrn.lab.sweep.results import read_results

RELATIVE = "error, as a multiple of the best median on each task"
SMALL = (5.6, 3.5)
"""Inches."""


@dataclass(frozen=True)
class Report:
    """The report of a sweep that was written, and its summary."""

    path: Path
    title: str
    state: str
    answer: str
    cautions: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {**vars(self), "path": str(self.path)}

    def summary(self) -> Parts:
        """Return the answer and the warnings, for a terminal."""
        found: Parts = [Line(f"{self.title}. {self.state}.", "title"), GAP, Line(self.answer, "answer"), GAP]
        found += [*note_lines(self.cautions), GAP] if self.cautions else []
        return [*found, Line(str(self.path), "report")]


def rebuild(folder: Path) -> Report:
    """Write the ``report.html`` of a sweep's folder ``RUNS/sweeps/<name>`` again.

    Raises
    ------
    RunError
        When the folder is not that of a sweep, or no run of it is complete.
    EvorrnError
        When the page cannot be written.
    """
    shown = content(make_study(read_results(folder)))
    path = folder / "report.html"
    with writing(path):
        write_atomic(path, render("sweep.html", shown))
    return Report(path, *(shown[name] for name in ("title", "state", "answer", "cautions")))


def content(study: Study) -> dict[str, Any]:
    """Return everything that the page shows."""
    colours = places(study.contenders)
    damaged: dict[str, str] = {}
    baselines = {task: records.baselines(study, task) for task in study.tasks}
    found, across, across_pairs = findings(study, baselines), overall(study), leads_across(study)
    pairs = [pair for there in found.values() for pair in there.leads]
    ranks = rank_comparison(study)
    return {
        "name": study.name,
        "title": sentences.title(study),
        "state": sentences.state(study),
        "answer": sentences.answer(study, found, across, across_pairs),
        "cautions": sentences.cautions(study, found),
        "notes": sentences.notes(study),
        "tasks": [_task(study, task, found[task], colours, damaged) for task in study.tasks],
        "across": _across(study, across, colours) if across else None,
        "leads_text": sentences.leads_text(found, across_pairs),
        "improvements": _improvements(study, bool(across)),
        "ranks_text": sentences.ranks_text(study, ranks),
        "ranks": _ranks(ranks),
        "across_table": tables.leads(across_pairs) if across_pairs else None,
        "leads_table": tables.leads(pairs) if pairs else None,
        **_axes(study),
        "failures": records.failures(study, damaged),
        "configurations": tables.configurations(study),
        "runs": tables.runs(study),
        "sweep_file": _sweep_file(study),
        "environment": [
            (
                name,
                "; ".join(f"{value} ({count} runs)" if len(values) > 1 else value for value, count in values),
            )
            for name, values in records.environments(study)
        ],
    }


def _task(
    study: Study, task: str, found: Findings, colours: Mapping[str, int], damaged: dict[str, str]
) -> dict[str, Any]:
    """Return what the page shows of one task."""
    metric = study.metrics[task]
    known = [baseline for baseline in found.baselines if math.isfinite(baseline.value)]
    entries = ranked([standing.row for standing in found.standings], known, metric)
    size = (6.4, rows_height(len(entries)))
    curves = records.curves(study, task, damaged)
    targets = records.targets(study, curves["work"])
    learning = [
        make_figure(
            f"learning on {task} by {cost}", SMALL, draw_learning, curves[cost], colours, label, False, True
        )
        for cost, label in (("work", WORK), ("seconds", SECONDS))
        if curves[cost]
    ]
    if curves["work"] and targets:
        target = targets[len(targets) // 2]
        spent = {n: records.spent_until(study, task, n, runs, target) for n, runs in curves["work"].items()}
        caption = f"Target: a validation loss of {figure(target)}."
        given = (spent, colours, WORK)
        learning.append(make_figure(f"target on {task}", SMALL, draw_reaching, *given, caption=caption))
    reached = [row for target in targets for row in records.reached(study, task, curves, target)]
    return {
        "name": task,
        "plot": make_figure(f"ranking on {task}", size, draw_ranking, entries, metric, colours),
        "table": tables.standings(study, task, found, colours),
        "learning": learning,
        "reached": tables.reached(reached, colours),
    }


def _across(study: Study, found: Sequence[Overall], colours: Mapping[str, int]) -> dict[str, Any]:
    """Return what the page shows of all tasks together."""
    runs = {entry.contender: strata(study, entry.contender) for entry in found}
    errors = np.concatenate([stratum for task in runs.values() for stratum in task])
    finite = errors[np.isfinite(errors) & (errors > 0)]
    low, high = (finite.min(), max(finite.max(), finite.min() * 1.01)) if len(finite) else (1.0, 2.0)
    thresholds = np.geomspace(low * 0.98, high * 1.02, 200)
    profiles = {name: performance_profile(tasks, thresholds) for name, tasks in runs.items()}
    caption = (
        "Performance profiles: the share of runs whose error is at most a multiple of the best; higher is better. Every "
        "task has the same weight; bands are pointwise 95 % intervals."
    )
    size, given = (6.4, rows_height(len(found))), (profiles, colours, RELATIVE)
    return {
        "figures": [
            make_figure("all tasks", size, draw_overall, found, colours, RELATIVE),
            make_figure("performance profiles", SMALL, draw_profiles, *given, caption=caption),
        ],
        "table": tables.overall(found, colours),
    }


def _improvements(study: Study, across: bool) -> Figure | None:
    names, table = improvements(study)
    if len(names) < 2:
        return None
    size = 1.9 + 0.75 * len(names), 1.1 + 0.45 * len(names)
    caption = (
        f"Probability of improvement{', over all tasks' if across else ''}: the chance that a run of the row is better "
        "than one of the column."
    )
    return make_figure("probability of improvement", size, draw_improvements, names, table, caption=caption)


def _ranks(found: RankComparison | None) -> Figure | None:
    if found is None:
        return None
    caption = "Average ranks, 1 is best; thick bars join contenders that cannot be told apart."
    return make_figure(
        "average ranks", (6.4, 1.6 + 0.3 * len(found.names)), draw_ranks, found, caption=caption
    )


def _axes(study: Study) -> dict[str, Any]:
    """Return what the page shows of the axes: each alone, all at once, two at a time."""
    found, points = effects(study), pooled(study)
    names = [name for name in study.axes if name not in study.task_axes and len(study.axes[name]) > 1]
    parallel = None
    if names and len(points) > 1:
        caption = f"{len(points)} configurations, each a line to its median relative error; the best tenth in colour."
        given = (names, study.axes, points)
        parallel = make_figure("all configurations", (8.6, 3.8), plots.draw_parallel, *given, caption=caption)
    return {
        "effects": [
            make_figure(
                f"effect of {one.axis}", (4.4, 3.1), plots.draw_effect, one, caption=_effect_caption(one)
            )
            for one in found
        ],
        "parallel": parallel,
        "slices": [
            make_figure(f"{cut.y} by {cut.x}", _slice_size(cut), plots.draw_slice, cut)
            for cut in slices(study, found)
        ],
    }


def _effect_caption(effect: Effect) -> str:
    what = "fifth of its values" if effect.scattered else "value"
    text = f"{effect.axis}: the worst {what} is {figure(effect.size)} times as bad as the best"
    if effect.blocks:
        return f"{text}; {effect.blocks} groups of runs that differ in it alone."
    return f"{text}; no runs differ in it alone, so errors are multiples of the best on their task."


def _slice_size(shown: Slice) -> tuple[float, float]:
    """Return the size of a plot of two axes in inches."""
    if shown.scattered:
        return 4.8, 3.1
    return 1.6 + max(0.62 * len(shown.x_labels), 2.2), 1.0 + max(0.36 * len(shown.y_labels), 1.2)


def _sweep_file(study: Study) -> str:
    try:
        return (study.runs.root / "sweeps" / study.name / "sweep.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
