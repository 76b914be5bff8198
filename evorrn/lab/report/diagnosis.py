"""The pictures and the table of a diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.diagnostics.fixed_points import FixedPoints
from evorrn.diagnostics.gradients import GradientByLag
from evorrn.diagnostics.memory import MemoryCapacity
from evorrn.diagnostics.spectrum import PowerSpectra
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
    files: list[Path] = []

    def write(name: str, size: tuple[float, float], draw: Callable[..., None], *given: Any) -> None:
        files.append(folder / f"{name}.png")
        with sheet(files[-1], *size) as (axes,):
            draw(axes, *given)

    write("unrolled", (WIDTH, unrolled_height(made.network)), draw_unrolled, made.network)
    files.append(activity_plot(made.activity, folder / "activity.png"))
    if made.trajectories is not None:
        write(
            "trajectories", (5.6, 4.6), draw_trajectories, made.trajectories.points, made.trajectories.shares
        )
    if made.gradients is not None:
        write("gradient", (6.4, 3.6), draw_gradient, made.gradients)
    if made.exponents is not None and np.isfinite(made.exponents).any():
        write("exponents", (6.4, 3.4), draw_exponents, made.exponents, made.closed_exponents)
    if made.spectra is not None:
        files.append(spectra_plot(made.spectra, made.outputs, folder / "spectra.png"))
    if made.memory is not None:
        files.append(memory_plot(made.memory, made.processing, folder / "memory.png"))
    if made.points is not None and len(made.points.points):
        write("eigenvalues", (4.8, 4.6), draw_eigenvalues, made.points)
    return files


def diagnosis_table(made: Diagnosis) -> Table:
    """Return the figures of a diagnosis."""
    return text_table(f"{made.name}: {made.network!r}", ("what", "value"), list(made.figures()))


def activity_plot(activity: Mapping[str, np.ndarray], path: Path) -> Path:
    """Draw every named value of the equations along the first sequence."""
    rows, columns, width, height = activity_panels(activity)
    with sheet(path, width, height, rows=rows, columns=columns) as panels:
        for place, (name, values) in enumerate(activity.items()):
            draw_activity(panels[place], name, values[0], last=place + columns >= len(activity))
        for spare in panels[len(activity) :]:
            spare.remove()
    return path


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


def draw_exponents(axes: Axes, driven: np.ndarray, closed: np.ndarray | None) -> None:
    """Draw the largest Lyapunov exponents, those of a closed loop beside them."""
    axes.axhline(0, color=INK, linewidth=1)
    places = np.arange(1, len(driven) + 1)
    axes.plot(places, driven, "o", color=SERIES[0], markersize=5, label="driven by test inputs")
    if closed is not None:
        axes.plot(1, closed[0], "s", color=SERIES[1], markersize=6, label="largest, on its own output")
    axes.set(xlabel="number of the exponent", ylabel="Lyapunov exponent per time step")
    axes.locator_params(axis="x", integer=True)
    legend_above(axes)


def spectra_plot(found: PowerSpectra, outputs: Sequence[str], path: Path) -> Path:
    """Draw the power spectra of free runs over those of the truth."""
    rows, columns = spectra.form(found.truth.shape[1])
    with sheet(path, spectra.WIDTH * columns, spectra.HEIGHT * rows, rows=rows, columns=columns) as panels:
        spectra.fill(panels, found, outputs)
    return path


def memory_plot(memory: MemoryCapacity, processing: Mapping[int, float] | None, path: Path) -> Path:
    """Draw the memory capacity by delay, and the capacities of products by degree."""
    columns = 1 if processing is None else 2
    with sheet(path, 4.6 * columns, 3.4, columns=columns) as panels:
        by_delay = memory.by_delay
        seen = np.flatnonzero(by_delay > 0.01)
        last = min(len(by_delay), max(10, 2 * int(seen[-1] + 1) if len(seen) else 10))
        panels[0].bar(np.arange(1, last + 1), by_delay[:last], width=1.0, color=SERIES[0])
        panels[0].set(xlabel="delay (time steps)", ylabel="capacity", xlim=(0.4, last + 0.6))
        panels[0].locator_params(axis="x", integer=True)
        panels[0].set_title(f"sum {memory:.2f}", loc="right", fontsize=9, color=MUTED)
        if processing is not None:
            degrees = list(processing)
            bars = panels[1].bar(degrees, list(processing.values()), width=0.6, color=SERIES[2])
            panels[1].bar_label(bars, fmt="%.2f", fontsize=9, color=INK, padding=2)
            panels[1].set(xlabel="degree of the product", ylabel="capacity, all delays")
            panels[1].set_xticks(degrees)
            panels[1].grid(axis="x", visible=False)
    return path


def draw_eigenvalues(axes: Axes, points: FixedPoints) -> None:
    """Draw the eigenvalues of the step at the fixed points, stable ones and others, and the unit circle."""
    turn = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(turn), np.sin(turn), color=INK, linewidth=1)
    stable = points.stable
    for mask, name, colour, mark in (
        (stable, "stable", SERIES[0], "o"),
        (~stable, "unstable", SERIES[1], "^"),
    ):
        values = points.eigenvalues[mask].ravel()
        if values.size:
            label = f"{mask.sum()} {name} " + ("point" if mask.sum() == 1 else "points")
            axes.plot(values.real, values.imag, mark, color=colour, markersize=4, alpha=0.7, label=label)
    axes.set(xlabel="real part of the eigenvalue", ylabel="imaginary part", aspect="equal")
    axes.set_adjustable("datalim")
    legend_above(axes)
