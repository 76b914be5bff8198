"""The picture of a result: its predictions on test data over the truth, and its training curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.base.errors import EvorrnError, UnknownName
from evorrn.data.intervals import LEVEL
from evorrn.lab.report.characters import draw_characters, signs_of
from evorrn.lab.report.learning import WORK, draw_losses
from evorrn.lab.runs.calibration import half_widths
from evorrn.lab.runs.outputs import Predictions
from evorrn.training.result import Result

LONGEST = 1000
"""Scored steps that are drawn."""


def draw_result(result: Result, output: int | str, axes: Any) -> Any:
    """Draw a result and return the axes of its predictions, else those of its training curve, see `evorrn.Result.plot`."""
    if result.predictions is not None:
        _place(result, output)
    if axes is not None:
        if result.predictions is None:
            raise EvorrnError(
                "plot: expected a result with test data, for instance fit(network, (train, valid, test))"
            )
        return _draw_predictions(result, result.predictions, output, axes)
    from matplotlib import pyplot

    panels = [] if result.predictions is None else ["predictions"]
    panels += ["training"] if {"work", "train_loss", "valid_loss"} <= set(result.history) else []
    if not panels:
        raise EvorrnError("plot: expected a result with a history or with test data")
    widths = {"predictions": 8.0, "training": 4.5}
    figure = pyplot.figure(figsize=(sum(widths[name] for name in panels), 3.5), layout="constrained")
    ratios = [widths[name] for name in panels]
    drawn = dict(zip(panels, figure.subplots(1, len(panels), squeeze=False, width_ratios=ratios)[0]))
    if "training" in drawn:
        returns = result.network.loss_name == "reward"
        draw_losses(drawn["training"], result.history["work"], result.history, WORK, returns)
    if result.predictions is None:
        return drawn["training"]
    return _draw_predictions(result, result.predictions, output, drawn["predictions"])


def _draw_predictions(result: Result, shown: dict[str, np.ndarray], output: int | str, axes: Any) -> Any:
    """Draw one output on test data over the truth, and return the axes."""
    place = _place(result, output)
    signs = signs_of(result.output_names) if shown["truth"].ndim == 2 else None
    if signs is not None:
        arrays: dict[str, Any] = shown
        draw_characters(axes, *Predictions(**arrays).excerpt(), signs, "network")
        return axes
    if "target_lengths" in shown:
        return _draw_rows(shown, axes)
    labels = shown["truth"].ndim == 2
    truth = shown["truth"] if labels else shown["truth"][:, :, place]
    predicted = shown["predicted"].argmax(axis=2) if labels else shown["predicted"][:, :, place]
    x, label = _times(shown)
    scored = shown["scored"]
    if "residuals" in shown:
        half = half_widths(shown["residuals"], LEVEL)[place]
        low, high = predicted - half, predicted + half
        drawn = scored & np.isfinite(half)
        axes.fill_between(
            x[drawn][:LONGEST], low[drawn][:LONGEST], high[drawn][:LONGEST], alpha=0.2, label="90 % interval"
        )
    for values, name, style in ((truth, "truth", "-"), (predicted, "prediction", "--")):
        axes.plot(x[scored][:LONGEST], values[scored][:LONGEST], style, label=name)
    axes.set(
        xlabel=label,
        ylabel="label" if labels else result.output_names[place] if result.output_names else "output",
    )
    axes.legend()
    return axes


def _draw_rows(shown: dict[str, Any], axes: Any) -> Any:
    """Draw the true and the decoded labels of whole sequences, one sequence after the other, and return the axes."""
    for values, name, mark in zip(Predictions(**shown).excerpt(LONGEST), ("truth", "prediction"), "o."):
        axes.plot(values, mark, label=name)
    axes.set(xlabel="labels of test sequences", ylabel="label")
    axes.legend()
    return axes


def _place(result: Result, output: int | str) -> int:
    """Return the place of an output that is named or counted."""
    if isinstance(output, str):
        if output not in result.output_names:
            raise UnknownName("output", output, result.output_names)
        return result.output_names.index(output)
    count = result.network.outputs
    if not 0 <= output < count:
        raise EvorrnError(f"plot: expected an output from 0 to {count - 1}, got {output}")
    return output


def _times(shown: dict[str, np.ndarray]) -> tuple[np.ndarray, str]:
    """Return where each step (B, T) lies on the axis of time, and the name of the axis."""
    if "dates" in shown:
        dates = shown["dates"]
        return dates, "date" if dates.dtype.kind == "M" else "time"
    scored = shown["scored"]
    return (np.cumsum(scored.ravel()) - 1).reshape(scored.shape), "scored time steps of test"
