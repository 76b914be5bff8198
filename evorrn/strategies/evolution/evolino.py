"""Evolino: the hidden weights evolve, and the readout of every candidate is solved by ridge regression."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.esp import ESP
from evorrn.strategies.evolution.start import Start
from evorrn.strategies.reservoir.conditions import (
    LARGEST_STATE,
    check_fed_back,
    check_solvable,
    check_washout,
    fitted_steps,
    sees_output,
)
from evorrn.strategies.reservoir.readout import check_bias, logit_scale, write_readout
from evorrn.strategies.reservoir.ridge import ridge_each

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

STATES_BYTES = 64 * 2**20
"""Memory in bytes for the states of the candidates that are solved together."""


@dataclass(frozen=True)
class Evolino(ESP):
    """Evolution of recurrent networks with optimal linear output.

    The hidden weights evolve by `ESP`, with a sub-population for each cell: all weights into it, its gates'
    included. The fitness of a candidate takes two passes over the training sequences:

    1. The states Phi are computed on the true inputs (and on the true outputs, if the network sees its own
       output), and the readout W = Y Phi^T (Phi Phi^T + beta I)^(-1) is written into the genome.
    2. The loss of this network is computed: in a free run from the first scored step on if the task is
       a free run, else on the true inputs. The fitness is the negative loss.

    Notes
    -----
    Source: J. Schmidhuber, D. Wierstra, M. Gagliolo and F. Gomez, Training Recurrent Networks by Evolino,
    Neural Computation 19 (2007), section 2. Deviations: ridge regression with the penalty `alpha`, on states scaled
    to unit standard deviation and with an unpenalised bias, replaces the pseudo-inverse
    (`evorrn.strategies.reservoir.ridge`); the readout sees the inputs only with ``direct=True``; the fitness of a
    cell is the mean rank of its networks, because one diverging free run would dominate a mean loss; the
    deviations of `ESP` from its sources. Initial weights are small and initial biases are spread, so that the
    cells start as nearly linear filters with different time constants. For classes the regression targets are
    1 for the class and 0 elsewhere, and one factor turns the outputs into logits. The support vector readout
    (Evoke) is not implemented.

    The work is that of both passes and of the solve, N^2 T + N^3/3 with T fitted steps. Bounds, step sizes
    and weight decay apply to the hidden weights. `search` on a function of a vector has no readout and does
    what `ESP` does.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sines", waves=2)
    >>> network = evorrn.Network.for_task(task, cell="lstm", hidden=3, dtype="float64")
    >>> strategy = evorrn.Evolino(population=4, trials=2)
    >>> result = strategy.fit(network, task, budget="2gen")
    >>> result.meter.evaluations
    16
    """

    name: ClassVar[str] = "evolino"
    requires: ClassVar[frozenset[str]] = frozenset({"fitness", "states", "targets"})
    network_defaults: ClassVar[dict[str, Any]] = {"cell": "lstm", "hidden": 10, "dtype": "float64"}

    shaping: str = setting(
        "ranks",
        "what is averaged over the networks of a cell: their fitness, or their ranks",
        choices=("raw", "ranks"),
    )
    width: float = setting(0.01, "initial hidden weights are uniform between -width and width", above=0)
    bias_width: float = setting(
        1.0,
        "initial hidden biases are uniform within this distance of the network's own initial values",
        minimum=0,
    )
    alpha: float = setting(
        1e-12,
        "ridge penalty of the readout, per row and squared weight, for states of unit standard deviation",
        above=0,
    )
    washout: int | None = setting(
        None,
        "first steps of each sequence left out of the solve; by default a tenth of it, at most 100",
        minimum=0,
    )

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first generation.

        Raises
        ------
        ConfigError
            For a problem without states or targets, for a network without biases, for a loss on whole sequences, for a
            network that sees its own logits, and for a washout that leaves fewer rows than the readout has weights.
        """
        missing = sorted(self.requires - problem.provides)
        if missing:
            raise ConfigError(f"strategy evolino: needs a problem that provides {', '.join(missing)}")
        network = problem.network
        check_bias(self.name, network)
        check_solvable(self.name, network)
        check_fed_back(self.name, network)
        check_washout(self.name, problem, self.washout)
        layout = {name: shape for name, shape in network.blocks.items() if not name.startswith("readout.")}
        hidden = sum(math.prod(shape) for shape in layout.values())
        vector = np.concatenate([np.full(math.prod(shape), len(shape) == 1) for shape in layout.values()])
        width = np.where(vector, self.bias_width, self.width)

        def draw(rng: np.random.Generator, count: int) -> np.ndarray:
            own = np.where(vector, problem.init(rng, count)[:, :hidden], 0.0)
            return own + rng.uniform(-width, width, own.shape)

        state = self.initial(hidden, rng, draw, layout)
        return {"candidate": None, "train_loss": np.inf, "finished": "", **state}

    def started(self, start: Start, rng: np.random.Generator) -> Start:
        """Return the start unchanged: its weights were drawn within the widths."""
        return start

    def evaluate(
        self, problem: Problem, genomes: np.ndarray, sequences: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the networks (P, n) of hidden weights (P, hidden genes), with solved readouts, and their fitness."""
        networks = np.zeros((len(genomes), problem.size))
        networks[:, : genomes.shape[1]] = genomes
        batch = problem.train
        bytes_each = 8 * batch.size * batch.steps * (problem.network.readout_width + problem.network.inputs)
        together = max(STATES_BYTES // bytes_each, 1)
        bounded = np.concatenate(
            [
                self._solve(problem, networks[first : first + together], sequences)
                for first in range(0, len(networks), together)
            ]
        )
        fitness = problem.fitness(networks, sequences, free_run=problem.free_run)
        return networks, np.where(bounded, fitness, -np.inf)

    def _solve(self, problem: Problem, networks: np.ndarray, sequences: np.ndarray | None) -> np.ndarray:
        """Write the solved readouts into networks (P, n); return which networks had bounded states, (P,)."""
        network = problem.network
        batch = problem.train if sequences is None else problem.train.take(sequences)
        rows = fitted_steps(batch, self.washout)
        states = problem.population_states(networks, sequences, teacher=sees_output(network))
        features = states[:, rows].astype(np.float64)
        if network.direct:
            inputs = np.broadcast_to(batch.inputs[rows], (len(networks), *batch.inputs[rows].shape))
            features = np.concatenate([inputs, features], axis=2)
        with np.errstate(invalid="ignore"):
            bounded: np.ndarray = np.all(np.abs(features) < LARGEST_STATE, axis=(1, 2))  # false for NaN
        features[~bounded] = 0
        deviation = features.std(axis=1)
        deviation[deviation == 0] = 1.0
        truth = batch.targets[rows]
        fitted = network.loss_function.regression_targets(truth, network.outputs)
        weights, bias, work = ridge_each(features / deviation[:, None], fitted, self.alpha)
        weights /= deviation[:, None]
        problem.charge(work)
        for genome, x, w, b in zip(networks, features, weights, bias):
            scale = logit_scale(network.loss_function, x @ w.T + b, truth)
            write_readout(network, genome, scale * w, scale * b)
        return bounded
