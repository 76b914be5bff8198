"""The pictures and the table of a diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from evorrn.diagnostics.gradients import GradientByLag
from evorrn.lab.report import spectra
from evorrn.lab.report.figures import sheet
from evorrn.lab.report.inside import activity_panels, draw_activity, draw_trajectories
from evorrn.lab.report.style import INK, MUTED, SERIES, Axes, legend_above
from evorrn.lab.report.tables import Table, text_table
from evorrn.lab.report.unrolled import WIDTH, draw_unrolled, unrolled_height
from evorrn.lab.study.diagnosis import Diagnosis


def draw_diagnosis(made: Diagnosis, folder: Path) -> list[Path]:
    """Draw the pictures of a diagnosis into a folder, and return the files.

    ``unrolled.png``: the network at three time steps. ``activity.png``: every named value over time.
    ``trajectories.png``: states in their principal components. ``gradient.png``: the gradient by lag.
    ``exponents.png``: Lyapunov exponents. ``spectra.png``: those of free runs and of the truth. ``memory.png``: capacities.
    ``eigenvalues.png``: those of the step at fixed points.

    Raises
    ------
    OSError
        When a picture cannot be written.
    """
    drawn: dict[str, Callable[[Path], None]] = {
        "unrolled": lambda path: unrolled_plot(made, path),
        "activity": lambda path: activity_plot(made, path),
    }
    if made.trajectories is not None:
        drawn["trajectories"] = lambda path: trajectories_plot(made, path)
    if made.gradients is not None:
        drawn["gradient"] = lambda path: gradient_plot(made, path)
    if made.exponents is not None and np.isfinite(made.exponents).any():
        drawn["exponents"] = lambda path: exponents_plot(made, path)
    if made.spectra is not None:
        drawn["spectra"] = lambda path: spectra_plot(made, path)
    if made.memory is not None:
        drawn["memory"] = lambda path: memory_plot(made, path)
    if made.points is not None and len(made.points.points):
        drawn["eigenvalues"] = lambda path: eigenvalues_plot(made, path)
    files = {folder / f"{name}.png": draw for name, draw in drawn.items()}
    for path, draw in files.items():
        draw(path)
    return list(files)


def diagnosis_table(made: Diagnosis) -> Table:
    """Return the figures of a diagnosis."""
    return text_table(f"{made.name}: {made.network!r}", ("what", "value"), list(made.figures()))


def unrolled_plot(made: Diagnosis, path: Path) -> None:
    """Draw the network at three time steps."""
    with sheet(path, WIDTH, unrolled_height(made.network)) as (axes,):
        draw_unrolled(axes, made.network)


def activity_plot(made: Diagnosis, path: Path) -> None:
    """Draw every named value of the equations along the first sequence."""
    rows, columns, width, height = activity_panels(made.activity)
    with sheet(path, width, height, rows=rows, columns=columns) as panels:
        for place, (name, values) in enumerate(made.activity.items()):
            draw_activity(panels[place], name, values[0], last=place + columns >= len(made.activity))
        for spare in panels[len(made.activity) :]:
            spare.remove()


def trajectories_plot(made: Diagnosis, path: Path) -> None:
    """Draw the states in their two first principal components."""
    assert made.trajectories is not None
    with sheet(path, 5.6, 4.6) as (axes,):
        draw_trajectories(axes, made.trajectories.points, made.trajectories.shares)


def gradient_plot(made: Diagnosis, path: Path) -> None:
    """Draw the gradient of the last loss by lag."""
    assert made.gradients is not None
    with sheet(path, 6.4, 3.6) as (axes,):
        draw_gradient(axes, made.gradients)


def draw_gradient(axes: Axes, found: GradientByLag) -> None:
    """Draw the median gradient by lag over the band of its quartiles."""
    median, (low, high) = np.asarray(found), found.quartiles
    lags = np.arange(len(median))
    axes.plot(lags, median, color=SERIES[0], linewidth=1.8, label="median")
    if found.norms.shape[0] * found.norms.shape[1] > 2:
        band = {"color": SERIES[0], "alpha": 0.2, "linewidth": 0}
        axes.fill_between(lags, low, high, label="middle half of the sequences", **band)
    positive = median[np.isfinite(median) & (median > 0)]
    if positive.size and positive.max() > 10 * positive.min():
        axes.set_yscale("log")
        axes.set_ylim(max(positive.min(), positive.max() * 1e-20) / 2, 2 * np.nanmax(high))
    axes.set(xlabel="lag k (time steps)", ylabel="|d loss$_T$ / d state$_{T-k}$|")
    legend_above(axes)


def exponents_plot(made: Diagnosis, path: Path) -> None:
    """Draw the largest Lyapunov exponents, those of a closed loop beside them."""
    assert made.exponents is not None
    with sheet(path, 6.4, 3.4) as (axes,):
        axes.axhline(0, color=INK, linewidth=1)
        places = np.arange(1, len(made.exponents) + 1)
        axes.plot(places, made.exponents, "o", color=SERIES[0], markersize=5, label="driven by test inputs")
        if made.closed_exponents is not None:
            axes.plot(
                1,
                made.closed_exponents[0],
                "s",
                color=SERIES[1],
                markersize=6,
                label="largest, on its own output",
            )
        axes.set(xlabel="number of the exponent", ylabel="Lyapunov exponent per time step")
        axes.locator_params(axis="x", integer=True)
        legend_above(axes)


def spectra_plot(made: Diagnosis, path: Path) -> None:
    """Draw the power spectra of free runs over those of the truth."""
    assert made.spectra is not None
    rows, columns = spectra.form(made.spectra.truth.shape[1])
    with sheet(path, spectra.WIDTH * columns, spectra.HEIGHT * rows, rows=rows, columns=columns) as panels:
        spectra.fill(panels, made.spectra, made.outputs)


def memory_plot(made: Diagnosis, path: Path) -> None:
    """Draw the memory capacity by delay, and the capacities of products by degree."""
    assert made.memory is not None
    columns = 1 if made.processing is None else 2
    with sheet(path, 4.6 * columns, 3.4, columns=columns) as panels:
        by_delay = made.memory.by_delay
        seen = np.flatnonzero(by_delay > 0.01)
        last = min(len(by_delay), max(10, 2 * int(seen[-1] + 1) if len(seen) else 10))
        panels[0].bar(np.arange(1, last + 1), by_delay[:last], width=1.0, color=SERIES[0])
        panels[0].set(xlabel="delay (time steps)", ylabel="capacity", xlim=(0.4, last + 0.6))
        panels[0].locator_params(axis="x", integer=True)
        panels[0].set_title(f"sum {made.memory:.2f}", loc="right", fontsize=9, color=MUTED)
        if made.processing is not None:
            degrees = list(made.processing)
            bars = panels[1].bar(degrees, list(made.processing.values()), width=0.6, color=SERIES[2])
            panels[1].bar_label(bars, fmt="%.2f", fontsize=9, color=INK, padding=2)
            panels[1].set(xlabel="degree of the product", ylabel="capacity, all delays")
            panels[1].set_xticks(degrees)
            panels[1].grid(axis="x", visible=False)


def eigenvalues_plot(made: Diagnosis, path: Path) -> None:
    """Draw the eigenvalues of the step at the fixed points, stable ones and others, and the unit circle."""
    assert made.points is not None
    with sheet(path, 4.8, 4.6) as (axes,):
        turn = np.linspace(0, 2 * np.pi, 200)
        axes.plot(np.cos(turn), np.sin(turn), color=INK, linewidth=1)
        stable = made.points.stable
        for mask, name, colour, mark in (
            (stable, "stable", SERIES[0], "o"),
            (~stable, "unstable", SERIES[1], "^"),
        ):
            values = made.points.eigenvalues[mask].ravel()
            if values.size:
                label = f"{mask.sum()} {name} " + ("point" if mask.sum() == 1 else "points")
                axes.plot(values.real, values.imag, mark, color=colour, markersize=4, alpha=0.7, label=label)
        axes.set(xlabel="real part of the eigenvalue", ylabel="imaginary part", aspect="equal")
        axes.set_adjustable("datalim")
        legend_above(axes)
