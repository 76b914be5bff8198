"""Plots as files: those of a run, of a forecast, of outputs for given inputs, and of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from evorrn.base.errors import RunError
from evorrn.data.intervals import LEVEL
from evorrn.lab.report.evolution import PANELS, Evolution, panel_height
from evorrn.lab.report.figures import sheet
from evorrn.lab.report.genome import MARGIN, WIDTH, draw_genome, genome_height
from evorrn.lab.report.intervals import bands
from evorrn.lab.report.learning import SECONDS, WORK, draw_learning, draw_losses
from evorrn.lab.report.memories import draw_patterns
from evorrn.lab.report.outputs import draw_forecast, draw_given, draw_outputs, outputs_height
from evorrn.lab.report.rankings import draw_ranking
from evorrn.lab.report.residuals import HEIGHT, has_residuals, panels
from evorrn.lab.report.style import places, rows_height
from evorrn.lab.runs.outputs import KINDS, Outputs, Predictions, Trajectory, read_outputs
from evorrn.lab.runs.run import COMPLETE
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.study.comparison import Comparison
from evorrn.lab.study.curves import Curve
from evorrn.lab.study.ranking import ranked
from evorrn.training.history import load_history
from evorrn.training.result import load


def draw_run(run: RunFolder) -> list[Path]:
    """Draw the pictures of a run into its folder ``plots``, and return the files.

    ``learning.png``: losses or returns against work and time. ``evolution.png``: fitness, diversity and step
    sizes of a population. ``genome.png``: the genome by named block. ``predictions.png`` or
    ``trajectory.png``: outputs on test. ``patterns.png``: patterns of -1 and 1 beside what is recalled. ``residuals.png``:
    truth minus prediction. A run that is not complete has the
    first two.

    Raises
    ------
    RunError
        When there is nothing to draw yet, or a file of the run cannot be read.
    OSError
        When a picture cannot be written.
    """
    history, seconds = load_history(run.path)
    shown = None
    if any((run.path / f"{kind.kind}.npz").exists() for kind in KINDS):
        shown = read_outputs(run.path)
    drawn: dict[str, Callable[[Path], None]] = {}
    if {"work", "train_loss", "valid_loss"} <= set(history):
        returns = isinstance(shown, Trajectory)
        drawn["learning"] = lambda path: learning_curve(history, path, seconds, returns)
    evolution = Evolution.of(history)
    if evolution is not None:
        drawn["evolution"] = lambda path: evolution_plot(evolution, path)
    if run.state() == COMPLETE or (run.path / "result.json").exists():
        result = load(run.path)
        drawn["genome"] = lambda path: genome_plot(result.network.unpack(result.genome), path)
    if shown is not None:
        drawn[shown.kind] = lambda path: run_outputs_plot(shown, path)
        if isinstance(shown, Predictions) and shown.of_patterns:
            kept = shown.scored
            drawn["patterns"] = lambda path: draw_patterns(shown.truth[kept], shown.predicted[kept], path)
        if isinstance(shown, Predictions) and has_residuals(shown):
            drawn["residuals"] = lambda path: residuals_plot(shown, path)
    if not drawn:
        raise RunError(f"{run.path}: expected a history or a result to draw, but it has none yet")
    files = {run.path / "plots" / f"{name}.png": draw for name, draw in drawn.items()}
    for path, draw in files.items():
        draw(path)
    return list(files)


def learning_curve(
    history: Mapping[str, np.ndarray],
    path: Path,
    seconds: np.ndarray | None = None,
    returns: bool = False,
) -> None:
    """Draw a run's losses, or returns, against work, and against the seconds of each entry where they are known.

    The history has ``work``, ``train_loss`` and ``valid_loss``, arrays of one length.
    """
    along = {WORK: np.asarray(history["work"], dtype=np.float64)}
    if seconds is not None and len(seconds) == len(along[WORK]):
        along[SECONDS] = np.asarray(seconds)
    with sheet(path, 5.2 * len(along), 3.3, columns=len(along)) as panels:
        for axes, (label, spent) in zip(panels, along.items()):
            draw_losses(axes, spent, history, label, returns)


def run_outputs_plot(shown: Outputs, path: Path) -> None:
    """Draw predictions on test over the truth, or an episode, to an ``.svg`` or ``.png`` file."""
    with sheet(path, 7.2, outputs_height(shown) + 0.3) as (axes,):
        around = bands(shown, LEVEL) if isinstance(shown, Predictions) else []
        draw_outputs(axes, shown, shown.kind.removesuffix("s"), 0, around)


def residuals_plot(shown: Predictions, path: Path) -> None:
    """Draw residuals on test over time, their histogram and their autocorrelation, to an ``.svg`` or ``.png`` file."""
    draws = panels(shown)
    with sheet(path, 4.0 * len(draws), HEIGHT + 0.3, columns=len(draws)) as found:
        for axes, draw in zip(found, draws.values()):
            draw(axes, shown)


def evolution_plot(evolution: Evolution, path: Path) -> None:
    """Draw fitness, diversity and step sizes by generation side by side, to an ``.svg`` or ``.png`` file."""
    height = max(panel_height(evolution, panel) for panel in PANELS) + 0.2
    with sheet(path, 4.0 * len(PANELS), height, columns=len(PANELS)) as panels:
        for axes, draw in zip(panels, PANELS.values()):
            draw(axes, evolution, 0)


def genome_plot(blocks: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw the named blocks of a genome as heat maps, to an ``.svg`` or ``.png`` file."""
    with sheet(path, WIDTH + 2 * MARGIN, genome_height(blocks) + 2 * MARGIN) as (axes,):
        draw_genome(axes, blocks)


def forecast_plot(
    known: np.ndarray,
    forecast: np.ndarray,
    path: Path,
    *,
    name: str = "value",
    dates: np.ndarray | None = None,
    width: np.ndarray | None = None,
) -> None:
    """Draw the last known values of a series, (T,) or (T, O), and the forecast, (steps,) or (steps, O), after them.

    Of several outputs the first is drawn, called `name`. The dates (T + steps,) are those of both; `width` (steps,) is the
    half width of the intervals.
    """
    with sheet(path, 7.2, 3.2) as (axes,):
        draw_forecast(axes, _first_output(known), _first_output(forecast), name, dates, width)


def outputs_plot(
    outputs: np.ndarray,
    truth: np.ndarray | None,
    name: str,
    path: Path,
    *,
    dates: np.ndarray | None = None,
    width: np.ndarray | None = None,
) -> None:
    """Draw the outputs (T,) of a network for given inputs, over the truth (T,), NaN where it is not known.

    The dates (T,) are those of the outputs; `width` (T,) is the half width of the intervals.
    """
    with sheet(path, 7.2, 3.2) as (axes,):
        draw_given(axes, outputs, truth, name, dates, width)


def comparison_plot(
    comparison: Comparison,
    curves: Mapping[str, Sequence[Curve]],
    shown: Outputs | None,
    path: Path,
) -> None:
    """Draw a comparison on one sheet: the ranking, learning curves, and the outputs of the best on test.

    The curves are validation losses against work, by strategy.
    """
    best, colours = comparison.best.strategy, places([row.strategy for row in comparison.rows])
    entries = ranked(comparison.rows, comparison.baselines, comparison.metric)
    height = max(3.4, rows_height(len(entries))) if shown is None else max(6.4, 1.7 * outputs_height(shown))
    with sheet(path, 11.5, height, rows=1 if shown is None else 2, columns=2) as (ranking, learning, *second):
        draw_ranking(ranking, entries, comparison.metric, colours)
        draw_learning(learning, curves, colours, WORK, comparison.of_episodes)
        if shown is not None:
            below, spare = second
            spare.remove()
            below.set_subplotspec(below.get_subplotspec().get_gridspec()[1, :])
            draw_outputs(below, shown, best, colours[best])


def _first_output(series: np.ndarray) -> np.ndarray:
    array = np.asarray(series, dtype=np.float64)
    return array[:, 0] if array.ndim > 1 else array
