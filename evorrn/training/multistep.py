"""Forecasts of several rows ahead by a network that was not trained for that row alone, judged as one that was.

A recursive forecast comes from a network that was trained for the next row and goes on from its own outputs. Of a network
with an output for each row ahead, the outputs of the last row are taken. Both are scored on the same steps and with
the same baselines as a direct forecast of that row.

Source: Taieb, Bontempi, Atiya and Sorjamaa 2012, "A review and comparison of strategies for multi-step ahead time
series forecasting", where they are called recursive, multi-input multi-output, and direct.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import Task
from evorrn.training.assessment import SequenceAssessment, predictions
from evorrn.training.calibration import Calibrating, Chosen, halves
from evorrn.training.problem import Problem

if TYPE_CHECKING:
    from evorrn.network.network import Network

MOST_ORIGINS = 256
"""Steps from which recursive forecasts are made together."""


class MultistepAssessment(SequenceAssessment):
    """The assessment of a task whose `multistep` is not ``"direct"``.

    Parameters
    ----------
    task : Task
        Its data are what the network is trained on. Scores are those of the same task with direct forecasts.
    seed : int
    """

    def __init__(self, task: Task, seed: int) -> None:
        direct = dataclasses.replace(task, multistep="direct")  # type: ignore[type-var]
        super().__init__(direct.data(seed), direct)
        self.trained_on = task.data(seed)
        self.recursive = task.multistep == "recursive"
        self.scaling = self.trained_on.scaling
        self.output_names = task.output_names
        self.rows = int(task.horizon)
        self.horizon = 1 if self.recursive else None

    def problem(self, network: Network) -> Problem:
        """Return the problem of the next row, or of all rows ahead; raise ShapeError when data do not fit the network."""
        assert self.trained_on.test is not None
        network.check_batch(self.trained_on.test)
        return Problem(
            network, self.trained_on.train, self.trained_on.valid, calibrated=self._calibrates(network)
        )

    def outputs(self, network: Network, genome: np.ndarray, split: str) -> np.ndarray:
        """Return the forecasts (B, T, O) of the row that is judged, at the steps of the direct split."""
        own = getattr(self.trained_on, split)
        if self.recursive:
            return recursive(network, genome, own, getattr(self.splits, split), self.rows)
        columns = network.outputs // self.rows
        return predictions(network, genome, own, False)[:, :, -columns:]

    def predictions(
        self, network: Network, genome: np.ndarray, calibrating: Calibrating = None
    ) -> dict[str, np.ndarray] | None:
        """Return what a direct forecast returns, and the residuals of the network's own outputs on validation."""
        arrays = super().predictions(network, genome, calibrating)
        if arrays is None or "residuals" not in arrays:
            return arrays
        batch, scaling = self.trained_on.valid, self.trained_on.scaling
        assert batch is not None and scaling is not None
        early, late = (Chosen(network, genome),) * 2 if calibrating is None else calibrating
        first, _ = halves(batch)
        on_first, on_second = (predictions(*judge, batch, False) for judge in (late, early))
        difference = (batch.targets - np.where(first[:, :, None], on_first, on_second))[batch.scored]
        return {**arrays, "own_residuals": difference * scaling.target_deviation}


def recursive(network: Network, genome: np.ndarray, own: Batch, judged: Batch, rows: int) -> np.ndarray:
    """Return forecasts (B, T, O) of some rows ahead at the scored steps of a batch, NaN elsewhere.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    own : Batch
        The inputs of the judged batch, followed by those of the next ``rows - 1`` rows, of which only the inputs that
        are no targets are used.
    judged : Batch
    rows : int
        Rows from the last known values to the forecast ones.
    """
    found = np.full((judged.size, judged.steps, network.outputs), np.nan)
    sequences, steps = np.nonzero(judged.scored)
    for begin in range(0, len(steps), MOST_ORIGINS):
        chosen = slice(begin, begin + MOST_ORIGINS)
        places, origins = sequences[chosen], steps[chosen]
        last = origins + rows - 1
        inputs = own.inputs[places, : last.max() + 1]
        outputs = network.predict(genome, inputs, lengths=last + 1, free_from=origins + 1)
        found[places, origins] = outputs[np.arange(len(places)), last]
    return found
