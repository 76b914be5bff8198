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

from evorrn.base.errors import EvorrnError
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
from evorrn.lab.study.aggregates import performance_profile
from evorrn.lab.study.effects import Effect, Slice, effects, pooled, slices
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
    try:
        write_atomic(path, render("sweep.html", shown))
    except OSError as error:
        raise EvorrnError(f"cannot write {path}: {error.strerror or error}") from None
    return Report(path, *(shown[name] for name in ("title", "state", "answer", "cautions")))


def content(study: Study) -> dict[str, Any]:
    """Return everything that the page shows."""
    colours = places(study.contenders)
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
        "tasks": [_task(study, task, found[task], colours) for task in study.tasks],
        "across": _across(study, across, colours) if across else None,
        "leads_text": sentences.leads_text(found, across_pairs),
        "improvements": _improvements(study, bool(across)),
        "ranks_text": sentences.ranks_text(study, ranks),
        "ranks": None
        if ranks is None
        else make_figure(
            draw_ranks,
            ranks,
            size=(6.4, 1.6 + 0.3 * len(ranks.names)),
            name="average ranks",
            caption="Average ranks, 1 is best; thick bars join contenders that cannot be told apart.",
        ),
        "across_table": tables.leads(across_pairs) if across_pairs else None,
        "leads_table": tables.leads(pairs) if pairs else None,
        **_axes(study),
        "failures": records.failures(study),
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


def _task(study: Study, task: str, found: Findings, colours: Mapping[str, int]) -> dict[str, Any]:
    """Return what the page shows of one task."""
    metric = study.metrics[task]
    known = [baseline for baseline in found.baselines if math.isfinite(baseline.value)]
    entries = ranked([standing.row for standing in found.standings], known, metric)
    curves = records.curves(study, task)
    targets = records.targets(study, task, curves["work"])
    learning = [
        make_figure(
            draw_learning,
            curves[cost],
            colours,
            label,
            False,
            True,
            size=(5.6, 3.5),
            name=f"learning on {task} by {cost}",
        )
        for cost, label in (("work", WORK), ("seconds", SECONDS))
        if curves[cost]
    ]
    if curves["work"] and targets:
        target = targets[len(targets) // 2]
        spent = {n: records.spent_until(study, task, n, runs, target) for n, runs in curves["work"].items()}
        caption = f"Target: a validation loss of {figure(target)}."
        given, name = (spent, colours, WORK), f"target on {task}"
        learning.append(make_figure(draw_reaching, *given, size=(5.6, 3.5), name=name, caption=caption))
    reached = [row for target in targets for row in records.reached(study, task, curves, target)]
    size = (6.4, rows_height(len(entries)))
    return {
        "name": task,
        "plot": make_figure(draw_ranking, entries, metric, colours, size=size, name=f"ranking on {task}"),
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
    size = (6.4, rows_height(len(found)))
    caption = (
        "Performance profiles: the share of runs whose error is at most a multiple of the best; higher is better. Every "
        "task has the same weight; bands are pointwise 95 % intervals."
    )
    return {
        "figures": [
            make_figure(draw_overall, found, colours, RELATIVE, size=size, name="all tasks"),
            make_figure(
                draw_profiles,
                profiles,
                colours,
                RELATIVE,
                size=(5.6, 3.5),
                name="performance profiles",
                caption=caption,
            ),
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
    given = (names, table)
    return make_figure(
        draw_improvements, *given, size=size, name="probability of improvement", caption=caption
    )


def _axes(study: Study) -> dict[str, Any]:
    """Return what the page shows of the axes: each alone, all at once, two at a time."""
    found, points = effects(study), pooled(study)
    names = [name for name in study.axes if name not in study.task_axes and len(study.axes[name]) > 1]
    caption = (
        f"{len(points)} configurations, each a line to its median relative error; the best tenth in colour."
    )
    given = (names, study.axes, points)
    return {
        "effects": [
            make_figure(
                plots.draw_effect,
                effect,
                size=(4.4, 3.1),
                name=f"effect of {effect.axis}",
                caption=_effect_caption(effect),
            )
            for effect in found
        ],
        "parallel": make_figure(
            plots.draw_parallel, *given, size=(8.6, 3.8), name="all configurations", caption=caption
        )
        if names and len(points) > 1
        else None,
        "slices": [
            make_figure(plots.draw_slice, cut, size=_slice_size(cut), name=f"{cut.y} by {cut.x}")
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
