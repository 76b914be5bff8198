"""reservoirpy: the same reservoir in its node, sparse as it keeps them, and its ridge readout."""

from __future__ import annotations

import numpy as np
from reservoirpy.nodes import Reservoir, Ridge
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


def _reservoir(network: Network, genome: np.ndarray) -> Reservoir:
    blocks = network.unpack(np.asarray(genome, np.float64))
    return Reservoir(
        lr=network.cell_options["leak"],
        W=csr_matrix(blocks["layer0.W_h"]),
        Win=blocks["layer0.W_x"],
        bias=blocks["layer0.b"],
    )
