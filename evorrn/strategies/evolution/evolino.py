"""Evolino: the hidden weights evolve, and the readout of every candidate is solved for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.evolution.esp import ESP
from evorrn.strategies.evolution.population import Start
from evorrn.strategies.reservoir.echo_state import LARGEST_STATE, fitted_steps, sees_output
from evorrn.strategies.reservoir.readout import check_bias, logit_scale, write_readout
from evorrn.strategies.reservoir.ridge import ridge_each

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

STATES_BYTES = 64 * 2**20
"""Memory that the states of candidates may take at a time."""


@dataclass(frozen=True)
class Evolino(ESP):
    """Evolution of recurrent networks with optimal linear output.

    The hidden weights evolve by `ESP`, with a sub-population for each cell that holds all weights into it, its
    gates' included. A candidate's fitness takes two passes over the training sequences:

    1. Its states Phi are collected under the true inputs (and true outputs, where the network sees its own),
       and the readout W = Y Phi^T (Phi Phi^T + beta I)^(-1) is solved for and written into the genome.
    2. The finished network runs again, and its loss is what evolution sees: in a free run from the first
       scored step on where the task is one, else on the inputs as they come.

    Notes
    -----
    Source: J. Schmidhuber, D. Wierstra, M. Gagliolo and F. Gomez, Training Recurrent Networks by Evolino,
    Neural Computation 19 (2007), section 2. Deviations: the pseudo-inverse is taken with a penalty of
    `alpha` on states brought to unit deviation and an unpenalised bias (`evorrn.strategies.reservoir.ridge`);
    the readout sees inputs only with ``direct=True``; cells are judged by the mean rank of their networks,
    since a free run that blows up would outweigh all others in a mean loss; the deviations of `ESP` from its
    sources. Weights start small and biases apart, so that the cells start as nearly linear filters with time
    constants of their own, whose states can be told apart by the solve. For
    classes the regression aims at 1 for the class and 0 elsewhere, and one factor makes logits of the outputs.
    The support vector readout (Evoke) is left out.

    Work is that of both passes and of the solve, N^2 T + N^3/3 with T fitted steps. Bounds, step sizes
    and weight decay concern the hidden weights. On a function of a vector, where there is no readout, `search`
    is that of `ESP`.
    """

    name: ClassVar[str] = "evolino"
    requires: ClassVar[frozenset[str]] = frozenset({"fitness", "states", "targets"})
    network_defaults: ClassVar[dict[str, Any]] = {"cell": "lstm", "hidden": 10, "dtype": "float64"}

    shaping: str = setting(
        "ranks",
        "what a network gives to its cells: its fitness, or its rank among the networks",
        choices=("raw", "ranks"),
    )
    width: float = setting(0.01, "hidden weights are uniform on ± this at the start", above=0)
    bias_width: float = setting(
        1.0, "hidden biases at the start are uniform on ± this around the network's own values", minimum=0
    )
    alpha: float = setting(
        1e-12, "ridge penalty of the readout, per row and squared weight of states of unit deviation", above=0
    )
    washout: int | None = setting(
        None,
        "first steps of each sequence left out of the solve; a tenth of it, 100 at most, when none",
        minimum=0,
    )

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first generation.

        Raises
        ------
        ConfigError
            For a problem without states or targets, for a network without biases, and for one that sees its
            own output under a loss on classes: there is no teacher for logits.
        """
        missing = sorted(self.requires - problem.provides)
        if missing:
            raise ConfigError(f"strategy evolino: needs a problem that provides {', '.join(missing)}")
        network = problem.network
        check_bias(self.name, network)
        if sees_output(network) and network.loss_function.logits:
            raise ConfigError(
                f"strategy evolino: a network that sees its own output needs the loss mse, got {network.loss_name}; "
                "the targets that are fed back while states are collected are no logits"
            )
        layout = {
            block.name: network.blocks[block.name] for block in network.layout if block.layer is not None
        }
        hidden = sum(math.prod(shape) for shape in layout.values())
        vector = np.concatenate([np.full(math.prod(shape), len(shape) == 1) for shape in layout.values()])
        width = np.where(vector, self.bias_width, self.width)

        def draw(rng: np.random.Generator, count: int) -> np.ndarray:
            own = np.where(vector, problem.init(rng, count)[:, :hidden], 0.0)
            return own + rng.uniform(-width, width, own.shape)

        state = self.initial(hidden, rng, draw, layout)
        return {"candidate": None, "train_loss": np.inf, "finished": "", **state}

    def started(self, start: Start, rng: np.random.Generator) -> Start:
        """Return the start as it is: its weights are within the widths already."""
        return start

    def evaluate(
        self, problem: Problem, genomes: np.ndarray, sequences: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the networks (P, n) of hidden weights (P, hidden genes), readouts solved, and their fitness."""
        networks = np.zeros((len(genomes), problem.size))
        networks[:, : genomes.shape[1]] = genomes
        batch = problem.train
        bytes_each = 8 * batch.size * batch.steps * (problem.network.hidden[-1] + problem.network.inputs)
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
        """Write the readouts into some networks; return whose states stayed bounded, (P,)."""
        network = problem.network
        batch = problem.train if sequences is None else problem.train.take(sequences)
        rows = fitted_steps(batch, self.washout)
        states = problem.population_states(networks, sequences, teacher=sees_output(network))
        features = states[:, rows].astype(np.float64)
        if network.direct:
            seen = np.broadcast_to(batch.inputs[rows], (len(networks), *batch.inputs[rows].shape))
            features = np.concatenate([seen, features], axis=2)
        with np.errstate(invalid="ignore"):
            bounded: np.ndarray = np.all(np.abs(features) < LARGEST_STATE, axis=(1, 2))  # NaN is not
        features[~bounded] = 0
        deviation = features.std(axis=1)
        deviation[deviation == 0] = 1.0
        truth = batch.targets[rows]
        aims = network.loss_function.regression_targets(truth, network.outputs)
        weights, bias, work = ridge_each(features / deviation[:, None], aims, self.alpha)
        weights /= deviation[:, None]
        problem.charge(work)
        for genome, x, w, b in zip(networks, features, weights, bias):
            scale = logit_scale(network.loss_function, x @ w.T + b, truth)
            write_readout(network, genome, scale * w, scale * b)
        return bounded
