"""The report of a sweep: one page that needs nothing but itself, made from the run folders.

It can be made at any time, also while the sweep is running, and shows what failed and what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.base.files import write_atomic
from evorrn.lab.report import axes_drawing, plots, tables
from evorrn.lab.report import study_drawing as drawing
from evorrn.lab.report import study_runs as study_runs
from evorrn.lab.report.drawing import SERIES
from evorrn.lab.study import comparison_words as words
from evorrn.lab.study import words as study_words
from evorrn.lab.study.aggregates import Estimate, performance_profile
from evorrn.lab.study.effects import Slice, effects, pooled, slices
from evorrn.lab.study.standings import (
    Findings,
    Overall,
    Standing,
    findings,
    improvements,
    leads_across,
    overall,
    rank_comparison,
    strata,
)
from evorrn.lab.study.statistics import Interval
from evorrn.lab.study.study import Study, chosen_text, make_study
from evorrn.lab.sweep.results import read_results

Draw = Callable[[Any], None]


@dataclass(frozen=True)
class Report:
    """The report of a sweep that was written, and what it says in short."""

    path: Path
    title: str
    state: str
    answer: str
    cautions: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {**vars(self), "path": str(self.path)}

    def lines(self) -> list[str]:
        """Return the report in short, as lines of text."""
        notes = [f"note: {text}" for text in self.cautions]
        return [
            f"{self.title}. {self.state}.",
            "",
            self.answer,
            *([""] if notes else []),
            *notes,
            "",
            f"report: {self.path}",
        ]


def rebuild(folder: Path) -> Report:
    """Write the ``report.html`` of a sweep's folder ``RUNS/sweeps/<name>`` anew.

    Raises
    ------
    RunError
        When the folder is no sweep's, or no run of it is complete.
    EvorrnError
        When the page cannot be written.
    """
    shown = content(make_study(read_results(folder)))
    path = folder / "report.html"
    try:
        write_atomic(path, render(shown))
    except OSError as error:
        raise EvorrnError(f"cannot write {path}: {error.strerror or error}") from None
    return Report(path, *(shown[name] for name in ("title", "state", "answer", "cautions")))


def render(shown: Mapping[str, Any]) -> str:
    """Return the page that shows what `content` gave."""
    import jinja2

    templates = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    pages = jinja2.Environment(
        loader=templates, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    pages.filters.update(figure=words.figure, amount=_amount, ends=_ends)
    return pages.get_template("sweep.html").render(**shown)


def content(study: Study) -> dict[str, Any]:
    """Return everything that the page shows."""
    places = {name: place for place, name in enumerate(sorted(study.contenders))}
    baselines = {task: study_runs.baselines(study, task) for task in study.tasks}
    found, across, pairs = findings(study, baselines), overall(study), leads_across(study)
    ranks = rank_comparison(study)
    return {
        "name": study.name,
        "title": study_words.title(study),
        "state": study_words.state(study),
        "answer": study_words.answer(study, found, across, pairs),
        "cautions": study_words.cautions(study, found),
        "notes": study_words.notes(study),
        "several": len(study.contenders) > 1,
        "colours": {name: place % len(SERIES) + 1 for name, place in places.items()},
        "tasks": [_task(study, task, found[task], places) for task in study.tasks],
        "across": _across(study, across, places),
        "across_pairs": pairs,
        "pairs": [pair for there in found.values() for pair in there.leads],
        "leads_text": study_words.leads_text(found, pairs),
        "improvements": _improvements(study),
        "ranks_text": study_words.ranks_text(study, ranks),
        "ranks": None
        if ranks is None
        else _plot(
            lambda axes: drawing.draw_ranks(axes, ranks), 6.4, 1.6 + 0.3 * len(ranks.names), "average ranks"
        ),
        "axes": _axes(study),
        "failures": study_runs.failures(study),
        "configurations": tables.configurations(study),
        "runs": tables.runs(study),
        "sweep_file": _sweep_file(study),
        "environment": study_runs.environments(study),
    }


def _task(study: Study, task: str, found: Findings, places: Mapping[str, int]) -> dict[str, Any]:
    """Return what is shown of one task."""
    metric = study.metrics[task]
    curves = study_runs.curves(study, task)
    targets = study_runs.targets(study, task, curves["work"])
    middle = targets[len(targets) // 2] if targets else math.nan
    spent = {
        name: study_runs.spent_until(study, task, name, runs, middle) for name, runs in curves["work"].items()
    }
    learning = []
    for along, label in (("work", "work (multiply-adds)"), ("seconds", "seconds, without compiling")):
        if curves[along]:
            draw = _with(drawing.draw_bands, curves[along], places, label)
            learning.append(_plot(draw, 5.6, 3.5, f"learning on {task} by {along}"))
    return {
        "name": task,
        "metric": metric,
        "standings": [_standing(study, standing) for standing in found.standings],
        "baselines": found.baselines,
        "plot": _plot(
            _with(drawing.draw_standings, found.standings, metric, places, found.baselines),
            6.4,
            0.85 + 0.42 * (len(found.standings) + len(found.baselines)),
            f"ranking on {task}",
        ),
        "learning": learning,
        "target": middle,
        "reaching": _plot(
            _with(drawing.draw_reaching, spent, places, "work (multiply-adds)"), 5.6, 3.5, f"target on {task}"
        )
        if spent
        else None,
        "reached": [row for target in targets for row in study_runs.reached(study, task, curves, target)],
    }


def _standing(study: Study, standing: Standing) -> dict[str, Any]:
    """Return a row of a task's ranking, in values of its metric."""
    median, middle = tables.in_metric(study.metrics[standing.task], standing.median, standing.middle).tolist()
    return {
        "contender": standing.contender,
        "median": Interval(*median),
        "middle": Estimate(*middle),
        "settings": chosen_text(study, standing.configuration),
        "tried": standing.tried,
        "seeds": len(standing.configuration.trials),
        "failed": standing.failed,
        "work": standing.work,
        "seconds": standing.seconds,
    }


def _across(study: Study, found: Sequence[Overall], places: Mapping[str, int]) -> dict[str, Any] | None:
    """Return what is shown across tasks; None when there is one task."""
    if not found:
        return None
    runs = {entry.contender: strata(study, entry.contender) for entry in found}
    errors = np.concatenate([stratum for task in runs.values() for stratum in task])
    finite = errors[np.isfinite(errors) & (errors > 0)]
    low, high = (finite.min(), max(finite.max(), finite.min() * 1.01)) if len(finite) else (1.0, 2.0)
    thresholds = np.geomspace(low * 0.98, high * 1.02, 200)
    profiles = {name: performance_profile(tasks, thresholds) for name, tasks in runs.items()}
    label = "error, as a multiple of the best median on each task"
    return {
        "rows": found,
        "plot": _plot(_with(drawing.draw_overall, found, places), 6.4, 0.85 + 0.42 * len(found), "all tasks"),
        "profiles": _plot(
            _with(drawing.draw_profiles, profiles, places, label), 5.6, 3.5, "performance profiles"
        ),
    }


def _improvements(study: Study) -> Any:
    names, table = improvements(study)
    if len(names) < 2:
        return None
    size = 1.9 + 0.75 * len(names), 1.1 + 0.45 * len(names)
    return _plot(_with(drawing.draw_improvements, names, table), *size, "probability of improvement")


def _axes(study: Study) -> dict[str, Any]:
    """Return what is shown of the axes: each alone, all at once, two at a time."""
    found, points = effects(study), pooled(study)
    names = [name for name in study.axes if name not in study.task_axes and len(study.axes[name]) > 1]
    return {
        "effects": [
            {
                "axis": effect.axis,
                "size": effect.size,
                "blocks": effect.blocks,
                "scattered": effect.scattered,
                "svg": _plot(_with(axes_drawing.draw_effect, effect), 4.4, 3.1, f"effect of {effect.axis}"),
            }
            for effect in found
        ],
        "slices": [
            _plot(
                _with(axes_drawing.draw_slice, shown),
                *((4.4, 3.1) if shown.scattered else _grid_size(shown)),
                f"{shown.y} by {shown.x}",
            )
            for shown in slices(study, found)
        ],
        "parallel": _plot(
            _with(axes_drawing.draw_parallel, names, study.axes, points), 8.6, 3.8, "all configurations"
        )
        if names and len(points) > 1
        else None,
        "points": len(points),
    }


def _grid_size(shown: Slice) -> tuple[float, float]:
    """Return the size of a table drawn in cells, in inches."""
    return 1.6 + max(0.62 * len(shown.x_labels), 2.2), 1.0 + max(0.36 * len(shown.y_labels), 1.2)


def _sweep_file(study: Study) -> str:
    try:
        return (study.runs.root / "sweeps" / study.name / "sweep.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _with(draw: Callable[..., None], *given: Any) -> Draw:
    return lambda axes: draw(axes, *given)


def _plot(draw: Draw, width: float, height: float, name: str) -> Any:
    from markupsafe import Markup

    return Markup(plots.inline_svg(draw, width, height, name))


def _amount(value: float | None) -> str:
    return (
        "never"
        if value is not None and math.isinf(value)
        else words.amount(math.nan if value is None else value)
    )


def _ends(found: Interval | Estimate) -> str:
    """Return an interval in brackets, a dash where there is none."""
    return "–" if math.isnan(found.low) else f"[{words.figure(found.low)}, {words.figure(found.high)}]"
