"""Plots against cost: losses of one run, of several runs, the share of runs at a target, and profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evorrn.lab.report.style import (
    LINES,
    SERIES,
    Axes,
    legend_above,
    log_labels,
    look,
    scale_axis,
    short,
    step_curve,
)
from evorrn.lab.study.aggregates import Profile
from evorrn.lab.study.curves import Curve, quantile_curves
from evorrn.lab.study.reaching import Spent, reached_share

WORK, SECONDS = "work (multiply-adds)", "seconds, without compiling"


def draw_learning(
    axes: Axes,
    curves: Mapping[str, Sequence[Curve]],
    places: Mapping[str, int],
    label: str,
    returns: bool = False,
    band: bool = False,
) -> None:
    """Draw the median over runs of the best validation loss so far, and the runs it is made of.

    Parameters
    ----------
    axes : Axes
    curves : mapping of str to sequence of Curve
        By way of training; `places` has the place of each in the colours.
    label : str
        The cost.
    returns : bool
        Whether losses are negative returns, which are drawn as returns.
    band : bool
        Draw the band that holds the middle half of the runs, in place of a thin line for each run.
    """
    drawn, spent = [np.ones(0)], [np.ones(0)]
    sign, quantity = (-1.0, "return") if returns else (1.0, "loss")
    for name, runs in curves.items():
        shape = look(places[name])
        best = [curve for curve in (run.best_so_far() for run in runs) if len(curve.loss)]
        if not best:
            continue
        low, middle, high = quantile_curves(best, (0.25, 0.5, 0.75))
        if band:
            ends = (sign * low.loss, sign * high.loss)
            axes.fill_between(low.spent, *ends, step="post", color=shape.colour, alpha=0.18, linewidth=0)
            drawn += ends
        for curve in best if not band else ():
            faint = {"color": shape.colour, "alpha": 0.3, "linewidth": 0.8}
            axes.step(curve.spent, sign * curve.loss, where="post", **faint)
            drawn.append(sign * curve.loss)
            spent.append(curve.spent)
        step_curve(axes, middle.spent, sign * middle.loss, shape, name, shape.marker)
        spent.append(middle.spent)
    axes.set(xlabel=label, ylabel=f"best validation {quantity} so far", xscale="log")
    scale_axis(axes, "y", np.concatenate(drawn))
    log_labels(axes.xaxis, np.concatenate(spent))
    if len(drawn) > 1:
        legend_above(axes)


def draw_losses(
    axes: Axes, spent: np.ndarray, history: Mapping[str, np.ndarray], label: str, returns: bool = False
) -> None:
    """Draw the training and validation losses of one run against its cost, or with `returns` its returns."""
    sign, drawn = -1.0 if returns else 1.0, []
    for place, (name, column) in enumerate((("training", "train_loss"), ("validation", "valid_loss"))):
        values = np.where(np.isfinite(history[column]), sign * np.asarray(history[column]), np.nan)
        line = {"color": SERIES[place], "linestyle": LINES[place], "linewidth": 1.6}
        line["marker"] = "o" if np.isfinite(values).sum() == 1 else ""  # a line of one point is not seen
        axes.plot(spent, values, **line, label=name)
        drawn.append(values)
    everything = np.concatenate(drawn)
    everything = everything[np.isfinite(everything)]
    axes.yaxis.set_major_formatter(short)  # without an exponent above the axis, where the names stand
    if len(everything) and np.ptp(everything) < 1e-3 * np.abs(everything).max():
        axes.set_ylim(sorted((0.0, 2 * float(everything[0]))))
    scale_axis(axes, "y", everything)
    axes.set(xlabel=label, ylabel="return" if returns else "loss")
    axes.xaxis.set_major_formatter(short)
    legend_above(axes)


def draw_reaching(axes: Axes, found: Mapping[str, Spent], places: Mapping[str, int], label: str) -> None:
    """Draw the share of runs that have reached the target by each cost; a cross marks censored runs."""
    everything = np.concatenate([spent.cost for spent in found.values()])
    for name, spent in found.items():
        shape = look(places[name])
        costs, share = reached_share(spent)
        last = share[-1] if len(share) else 0.0
        x = np.concatenate([[everything.min() / 1.5], costs, [spent.cost.max()]])
        step_curve(axes, x, np.concatenate([[0.0], share, [last]]), shape, name)
        if not spent.reached.all():
            axes.plot(x[-1], last, "x", color=shape.colour, markersize=7, markeredgewidth=2)
    axes.set(xscale="log", xlabel=label, ylabel="share of runs at the target", ylim=(-0.03, 1.03))
    log_labels(axes.xaxis, everything)
    legend_above(axes)


def draw_profiles(axes: Axes, profiles: Mapping[str, Profile], places: Mapping[str, int], label: str) -> None:
    """Draw the share of runs within each multiple of the best error, with pointwise bands."""
    for name, profile in profiles.items():
        shape, x = look(places[name]), profile.thresholds
        axes.fill_between(x, profile.low, profile.high, color=shape.colour, alpha=0.16, linewidth=0)
        step_curve(axes, x, profile.share, shape, name)
    axes.set(xscale="log", xlabel=label, ylabel="share of runs", ylim=(-0.02, 1.02))
    log_labels(axes.xaxis, next(iter(profiles.values())).thresholds)
    legend_above(axes)
