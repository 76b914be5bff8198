"""reservoirpy: the same reservoir in its node, sparse as it keeps them, and its ridge readout."""

from __future__ import annotations

import numpy as np
from reservoirpy.nodes import RLS, IPReservoir, Reservoir, Ridge
from scipy.sparse import csr_matrix

from evorrn.bench.session import Contender
from evorrn.network.network import Network


def states(network: Network, genome: np.ndarray, x: np.ndarray) -> Contender:
    """Return the contender that runs a reservoir of ours over one series x (T, I)."""
    reservoir = _reservoir(network, genome)
    reservoir.initialize(x)

    def call() -> np.ndarray:
        reservoir.reset()
        return reservoir.run(x)

    return Contender("reservoirpy", call, lambda: [call()])


def fit(network: Network, genome: np.ndarray, x: np.ndarray, y: np.ndarray, alpha: float) -> Contender:
    """Return the contender that runs a reservoir over x (T, I) and solves for the readout of y (T, O).

    Parameters
    ----------
    alpha : float
        The one penalty, per row as ours.
    """
    reservoir, readout = _reservoir(network, genome), Ridge(ridge=alpha * len(x))
    model = reservoir >> readout
    model.fit(x, y)

    def call() -> None:
        reservoir.reset()
        model.fit(x, y)

    def check() -> list[np.ndarray]:
        call()
        reservoir.reset()
        return [np.mean(np.square(model.run(x) - y))]

    return Contender("reservoirpy, one penalty", call, check)


def recursive(x: np.ndarray, y: np.ndarray) -> Contender:
    """Return the contender that fits y (T, O) to features x (T, N) by recursive least squares, from a penalty of 1."""

    def call() -> np.ndarray:
        readout = RLS(alpha=1.0, fit_bias=False)
        readout.partial_fit(x, y)
        return readout.Wout.T

    return Contender("reservoirpy", call, lambda: [call()])


def plasticity(
    matrix: np.ndarray, weights: np.ndarray, x: np.ndarray, rule: tuple[float, float, float]
) -> Contender:
    """Return the contender that adapts tanh units without leak and bias; the rule is rate, mean and deviation."""
    rate, mean, deviation = rule

    def call() -> list[np.ndarray]:
        node = IPReservoir(
            lr=1.0,
            mu=mean,
            sigma=deviation,
            learning_rate=rate,
            W=csr_matrix(matrix),
            Win=weights,
            bias=np.zeros(len(matrix)),
        )
        node.fit(x)
        return [node.a, node.b]

    return Contender("reservoirpy", call, call)


def _reservoir(network: Network, genome: np.ndarray) -> Reservoir:
    blocks = network.unpack(np.asarray(genome, np.float64))
    return Reservoir(
        lr=network.cell_options["leak"],
        W=csr_matrix(blocks["layer0.W_h"]),
        Win=blocks["layer0.W_x"],
        bias=blocks["layer0.b"],
    )
