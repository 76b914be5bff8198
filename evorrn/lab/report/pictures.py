"""The pictures of one run, drawn into its folder from what it left there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evorrn.base.errors import RunError
from evorrn.lab.report import plots
from evorrn.lab.report.evolution import Course
from evorrn.lab.runs.outputs import KINDS, Trajectory
from evorrn.lab.runs.outputs import read_outputs as read_kept
from evorrn.lab.runs.run import COMPLETE
from evorrn.lab.runs.store import RunFolder
from evorrn.training.result import load, load_history


def draw_run(run: RunFolder) -> list[Path]:
    """Draw what a run left into its folder ``plots``, and return the files.

    ``learning.png``: losses or returns against work and time. ``evolution.png``: fitness, diversity and step
    sizes of a population. ``genome.png``: the genome by named block. ``predictions.png`` or
    ``trajectory.png``: what the network does on test. A run that is not complete has the first two.

    Raises
    ------
    RunError
        When there is nothing to draw yet, or a file of the run cannot be read.
    OSError
        When a picture cannot be written.
    """
    folder = run.path / "plots"
    history, seconds = load_history(run.path)
    kept = None
    if any((run.path / f"{kind.kind}.npz").exists() for kind in KINDS):
        kept = read_kept(run.path)
    drawn: dict[str, Callable[[Path], None]] = {}
    if {"work", "train_loss", "valid_loss"} <= set(history):
        returns = isinstance(kept, Trajectory)
        drawn["learning"] = lambda path: plots.learning_curve(history, path, seconds, returns)
    course = Course.of(history)
    if course is not None:
        drawn["evolution"] = lambda path: plots.evolution_plot(course, path)
    if run.state() == COMPLETE or (run.path / "result.json").exists():
        result = load(run.path)
        drawn["genome"] = lambda path: plots.genome_plot(result.network.unpack(result.genome), path)
    if kept is not None:
        drawn[kept.kind] = lambda path: plots.kept_plot(kept, path)
    if not drawn:
        raise RunError(f"{run.path}: expected a history or a result to draw, but it has none yet")
    paths = []
    for name, draw in drawn.items():
        path = folder / f"{name}.png"
        draw(path)
        paths.append(path)
    return paths
