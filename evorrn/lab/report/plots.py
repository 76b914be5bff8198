"""The pictures that evorrn makes, as SVG or PNG files and as parts of a page; the one user of matplotlib.

The same data give the same bytes of SVG, whenever they are drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.files import write_atomic
from evorrn.lab.report.curves import Curve
from evorrn.lab.report.drawing import (
    GRID,
    INK,
    MUTED,
    SERIES,
    colour_places,
    draw_forecast,
    draw_kept,
    draw_learning,
    draw_losses,
    draw_outputs,
    draw_ranking,
    kept_height,
    ranking_height,
)
from evorrn.lab.report.evolution import Course
from evorrn.lab.report.evolution_drawing import PANELS, panel_height
from evorrn.lab.report.genome_drawing import WIDTH, draw_genome, genome_height
from evorrn.lab.runs.outputs import Outputs as Kept
from evorrn.lab.study.comparison import Comparison

STYLE: Any = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "evorrn",
}


def learning_curve(
    history: Mapping[str, np.ndarray],
    path: Path,
    seconds: np.ndarray | None = None,
    returns: bool = False,
) -> None:
    """Draw a run's losses against work, and against seconds where they are given.

    Parameters
    ----------
    history : mapping
        ``work``, ``train_loss`` and ``valid_loss``, arrays of one length.
    path : Path
        Ends in ``.svg`` or ``.png``.
    seconds : ndarray, optional
        Wall time at each entry of the history.
    returns : bool
        Whether losses are negative returns, to be drawn as returns.
    """
    along = [("work (multiply-adds)", np.asarray(history["work"], dtype=np.float64))]
    if seconds is not None and len(seconds) == len(along[0][1]):
        along.append(("seconds, without compiling", np.asarray(seconds)))
    with _sheet(path, 5.2 * len(along), 3.3, columns=len(along)) as panels:
        for axes, (label, spent) in zip(panels, along):
            draw_losses(axes, spent, history, label, returns)


def kept_plot(kept: Kept, path: Path) -> None:
    """Draw predictions of test over the truth, or the course of an episode, to an ``.svg`` or ``.png`` file."""
    with _sheet(path, 7.2, kept_height(kept) + 0.3) as (axes,):
        draw_kept(axes, kept, kept.kind.removesuffix("s"))


def evolution_plot(course: Course, path: Path) -> None:
    """Draw fitness, diversity and step sizes by generation side by side, to an ``.svg`` or ``.png`` file."""
    height = max(panel_height(course, panel) for panel in PANELS) + 0.2
    with _sheet(path, 4.0 * len(PANELS), height, columns=len(PANELS)) as panels:
        for axes, draw in zip(panels, PANELS.values()):
            draw(axes, course, 0)


def genome_plot(blocks: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw the named blocks of a genome as heat maps, to an ``.svg`` or ``.png`` file."""
    with _sheet(path, WIDTH + 0.2, genome_height(blocks) + 0.2) as (axes,):
        draw_genome(axes, blocks)


def forecast_plot(known: np.ndarray, forecast: np.ndarray, path: Path) -> None:
    """Draw the last known values of a series, and the forecast that follows them.

    Parameters
    ----------
    known : array_like, shape (T,) or (T, O)
        In original units; of several outputs the first is drawn.
    forecast : array_like, shape (steps,) or (steps, O)
    path : Path
        Ends in ``.svg`` or ``.png``.
    """
    with _sheet(path, 7.2, 3.2) as (axes,):
        draw_forecast(axes, _first_output(known), _first_output(forecast))


def outputs_plot(outputs: np.ndarray, truth: np.ndarray | None, name: str, path: Path) -> None:
    """Draw what a network makes of given inputs.

    Parameters
    ----------
    outputs : ndarray, shape (T,)
    truth : ndarray, shape (T,), optional
        NaN where it is not known.
    name : str
        What the values are.
    path : Path
        Ends in ``.svg`` or ``.png``.
    """
    with _sheet(path, 7.2, 3.2) as (axes,):
        draw_outputs(axes, outputs, truth, name)


def ranking_plot(comparison: Comparison, path: Path) -> None:
    """Draw the ranking of a comparison, to an ``.svg`` or ``.png`` file."""
    with _sheet(path, 6.4, ranking_height(comparison)) as (axes,):
        draw_ranking(axes, comparison)


def picture(
    comparison: Comparison,
    curves: Mapping[str, Sequence[Curve]],
    shown: Mapping[str, Kept],
    path: Path,
) -> None:
    """Draw a whole comparison on one sheet: ranking, learning curves, and what the best predicts.

    Parameters
    ----------
    comparison : Comparison
    curves : mapping of str to sequence of Curve
        Validation loss against work, by strategy.
    shown : mapping of str to Predictions or Trajectory
    path : Path
        Ends in ``.svg`` or ``.png``.
    """
    places, best = colour_places(comparison), comparison.best.strategy
    height = max([6.4, *(1.7 * kept_height(kept) for name, kept in shown.items() if name == best)])
    with _sheet(path, 11.5, height, rows=2, columns=2) as (ranking, learning, below, spare):
        draw_ranking(ranking, comparison)
        draw_learning(learning, curves, places, "work (multiply-adds)", comparison.of_episodes)
        spare.remove()
        below.set_subplotspec(below.get_subplotspec().get_gridspec()[1, :])
        if best in shown:
            draw_kept(below, shown[best], best, places[best])


def inline_svg(draw: Callable[[Any], None], width: float, height: float, name: str) -> str:
    """Return a plot as an SVG element for a page, in the page's fonts and colours.

    Parameters
    ----------
    draw : callable
        Fills a pair of axes.
    width, height : float
        In inches.
    name : str
        Makes the ids in the element unlike those of other plots on the page, and labels it for
        screen readers.

    Notes
    -----
    Each colour becomes a CSS variable, so that a page can have a dark scheme: ``--ink``, ``--muted``,
    ``--grid`` and ``--series-1`` to ``--series-6``.
    """
    buffer = io.BytesIO()
    with _sheet(buffer, width, height) as (axes,):
        draw(axes)
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    slug = re.sub(r"\W+", "-", name)
    text = re.sub(r'\bid="', f'id="{slug}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\1{slug}-", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"(font(-family)?:[^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1var(--font)", text)
    variables = {INK: "--ink", MUTED: "--muted", GRID: "--grid"}
    variables |= {colour: f"--series-{place}" for place, colour in enumerate(SERIES, 1)}
    for colour, variable in variables.items():
        text = text.replace(colour, f"var({variable})")
    head, _, body = text.partition(">")
    head = re.sub(r' (width|height|version|xmlns(:\w+)?)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{name}">' + body.replace("*{stroke", f"#{slug}-figure_1 *{{stroke")


@contextmanager
def _sheet(
    target: Path | io.BytesIO, width: float, height: float, rows: int = 1, columns: int = 1
) -> Iterator[list[Any]]:
    """Give the axes of a new figure to a block, and write the figure when the block has drawn it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    inline = not isinstance(target, Path)
    kind = target.suffix.lstrip(".") if isinstance(target, Path) else "svg"
    with rc_context(rc=STYLE):
        figure = Figure(
            figsize=(width, height), layout="constrained", facecolor="none" if inline else "white"
        )
        yield list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes in figure.axes:
            axes.set_facecolor("none")
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=160, metadata=metadata)
    if isinstance(target, Path):
        write_atomic(target, buffer.getvalue())
    else:
        target.write(buffer.getvalue())


def _first_output(series: np.ndarray) -> np.ndarray:
    array = np.asarray(series, dtype=np.float64)
    return array.reshape(len(array), -1)[:, 0]
