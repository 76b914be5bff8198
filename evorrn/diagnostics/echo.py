"""Echo-state index: how many different responses a network has to one input sequence."""

from __future__ import annotations

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.base.memory import whole_number
from evorrn.base.settings import check_seed
from evorrn.diagnostics.dynamics import Dynamics
from evorrn.network.network import Network

WINDOW = 10
"""Last time steps over which responses are compared."""


@one_thread()
def echo_state_index(
    network: Network,
    genome: np.ndarray,
    x: np.ndarray,
    seed: int = 0,
    *,
    starts: int = 32,
    spread: float = 1.0,
    tolerance: float = 1e-3,
) -> np.ndarray:
    """Return for each input sequence the number of different responses that remain from different first states.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    x : ndarray, shape (B, T, I)
        Input sequences, long enough for the first state to be forgotten.
    seed : int
        Seed of the first states.
    starts : int
        First states that are tried; their entries are normal with standard deviation `spread`.
    spread : float
    tolerance : float
        The largest difference, over all entries of the state and the last 10 time steps, of responses that count as
        one.

    Returns
    -------
    ndarray of int, shape (B,)
        1 where the network has the echo state property for the sequence; 2 where two responses remain, and so on. As
        many as `starts` where the network is chaotic or the sequence too short.

    Raises
    ------
    ShapeError
        When an array has a wrong shape.

    Notes
    -----
    Source: Ceni, Ashwin, Livi and Postlethwaite 2020, "The echo index and multistability in input-driven recurrent
    neural networks". The index here counts responses that random first states reach.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import echo_state_index
    >>> network = evorrn.Network(1, 1, hidden=1, biases=False, dtype="float64")
    >>> blocks = network.unpack(np.ones(network.size))
    >>> blocks["layer0.W_h"][:] = 2.0
    >>> weak, strong = np.zeros((2, 100, 1))
    >>> strong[50] = 5.0
    >>> echo_state_index(network, network.pack(blocks), np.stack([weak, strong])).tolist()
    [2, 1]
    """
    if whole_number("starts", starts) < 2:
        raise ConfigError(f"starts: expected at least 2, got {starts}")
    dynamics = Dynamics(network, genome)
    inputs = dynamics.inputs(x)
    drawn = spread * np.random.default_rng(check_seed(seed)).normal(size=(starts, dynamics.size))
    drawn[:, dynamics.counts] = dynamics.start(None, starts)[:, dynamics.counts]
    sequences, steps, _ = inputs.shape
    at, window = np.tile(drawn, (sequences, 1)), []
    for time in range(steps):
        at = dynamics.step(at, np.repeat(inputs[:, time], starts, axis=0))
        if time >= steps - WINDOW:
            window.append(at.reshape(sequences, starts, -1))
    responses = np.concatenate(window, axis=2)
    return np.array([_different(each, tolerance) for each in responses])


def _different(responses: np.ndarray, tolerance: float) -> int:
    """Return the number of responses (starts, ...) that differ from each other."""
    kept: list[np.ndarray] = []
    with np.errstate(invalid="ignore"):
        for one in responses:
            if not any(np.abs(one - other).max() <= tolerance for other in kept):
                kept.append(one)
    return len(kept)
