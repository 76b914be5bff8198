"""Plasticity of recurrent weights: the anti-Hebbian rule and that of Bienenstock, Cooper and Munro, before the readout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.kernels.deferred import cached
from evorrn.strategies.reservoir.plasticity import outputs_of
from evorrn.strategies.reservoir.topology import spectral_radius
from evorrn.strategies.reservoir.units import (
    add_sparse,
    recurrent_name,
    sparse_rows,
    start_of,
    step,
    units_of,
)

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

RULES = ("anti-hebbian", "bcm")
THRESHOLD_RATE = 0.05
"""Share by which the sliding threshold of BCM moves to the present squared output at each step."""
SMALLEST_THRESHOLD = 1e-3


@dataclass(frozen=True)
class RecurrentPlasticity:
    """A local rule for the recurrent links of a reservoir, in passes over the training sequences.

    Attributes
    ----------
    rule : str
        For a link with the weight w from a unit with the last output x to a unit with the present output y.
        ``"anti-hebbian"``: ``w -= rate y (x - y w)``, Oja's rule with its sign changed; links between units that are active one
        after the other become weaker, or inhibit. ``"bcm"``: ``w += rate y (y - m) x / m`` with the sliding mean m of y squared
        of each unit; links become stronger while the unit is more active than usual, and weaker while it is less.
    rate : float
    epochs : int

    Notes
    -----
    Only links that there are change, and after the passes the matrix is scaled to the spectral radius that it had.

    Source: anti-Oja: Babinec and Pospíchal 2007, "Improving the prediction accuracy of echo state neural networks by anti-Oja's
    learning"; BCM: Bienenstock, Cooper and Munro 1982, in the form of Law and Cooper 1994; on reservoirs: Yusoff,
    Chrol-Cannon and Jin 2016. Deviation: the spectral radius is restored.
    """

    rule: str
    rate: float
    epochs: int

    def adapt(self, problem: Problem, genome: np.ndarray) -> None:
        """Adapt a genome (n,) in place, one layer after the other, and charge the work.

        The network has passed `check_units` and has no feedback.
        """
        network, batch = problem.network, problem.batch("train")
        assert batch.lengths is not None
        sequences = [
            np.asarray(batch.inputs[row, :length], np.float64) for row, length in enumerate(batch.lengths)
        ]
        for layer in range(len(network.hidden)):
            units = units_of(network, genome, layer)
            places, weights = sparse_rows(units.recurrent)
            before, work = spectral_radius(units.recurrent, np.random.default_rng(0))
            means = np.full(len(units.bias), SMALLEST_THRESHOLD)
            for _ in range(self.epochs):
                for sequence in sequences:
                    with one_thread():
                        drive = sequence @ units.inputs.T
                    adapt_links(
                        drive,
                        (places, weights),
                        units.step,
                        start_of(units),
                        means,
                        self.rule == "bcm",
                        self.rate,
                    )
            matrix = np.zeros_like(units.recurrent)
            np.add.at(matrix, (np.arange(len(matrix))[:, None], places), weights)
            after, _ = (
                spectral_radius(matrix, np.random.default_rng(0)) if np.isfinite(matrix).all() else (0, 0)
            )
            scale = before / after if after > 0 else 1.0
            network.unpack(genome)[recurrent_name(network, layer)][...] = scale * matrix
            steps = sum(map(len, sequences)) * (self.epochs + 1)
            problem.charge(2 * work + steps * len(matrix) * (units.inputs.shape[1] + 3 * places.shape[1]))
            if layer + 1 < len(network.hidden):
                sequences = outputs_of(units_of(network, genome, layer), sequences)
        problem.charge_pass(self.epochs * sum(map(len, sequences)), 0)


@cached
def adapt_links(
    drive: np.ndarray,
    linked: tuple[np.ndarray, np.ndarray],
    units: tuple[np.ndarray, np.ndarray, np.ndarray, int, bool],
    start: tuple[np.ndarray, np.ndarray],
    means: np.ndarray,
    sliding: bool,
    rate: float,
) -> None:
    """Change the weights of links in place over a sequence of weighted inputs (T, H).

    `linked` are the `sparse_rows` of the recurrent weights, `units` those of `Units.step`, and `means` (H,) the sliding
    means of squared outputs, used by BCM (`sliding`) and changed in place.
    """
    places, weights = linked
    bias, kept, taken, function, last = units
    state, output = start
    count, links = weights.shape
    total, before = np.zeros(count), np.zeros(count)
    for t in range(len(drive)):
        total[:] = drive[t]
        add_sparse(places, weights, output, total)
        before[:] = output
        step(total, state, output, bias, kept, taken, function, last)
        for i in range(count):
            y = output[i]
            if sliding:
                means[i] += THRESHOLD_RATE * (y * y - means[i])
                factor = rate * y * (y - means[i]) / max(means[i], SMALLEST_THRESHOLD)
                for k in range(links):
                    if weights[i, k] != 0.0:
                        weights[i, k] += factor * before[places[i, k]]
            else:
                for k in range(links):
                    if weights[i, k] != 0.0:
                        weights[i, k] -= rate * y * (before[places[i, k]] - y * weights[i, k])
