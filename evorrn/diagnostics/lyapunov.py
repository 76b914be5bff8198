"""Lyapunov exponents of a network along input sequences."""

from __future__ import annotations

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.diagnostics.dynamics import Dynamics
from evorrn.network.network import Network

LOSS, LARGEST_LOSS = np.log(1e2), np.log(1e5)
"""Factors by which directions may grow apart before they are made orthogonal: wanted, and allowed."""
MOST_TOGETHER = 50
COMPILED = 2e10
"""Multiply-adds from which steps are compiled: in NumPy they take about as long as compiling does."""


@one_thread()
def lyapunov_spectrum(
    network: Network,
    genome: np.ndarray,
    x: np.ndarray,
    count: int | None = None,
    *,
    state: np.ndarray | None = None,
    washout: int | None = None,
    closed: bool = False,
) -> np.ndarray:
    """Return the largest Lyapunov exponents of the state of a network along input sequences.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    x : ndarray, shape (B, T, I)
        Input sequences; zeros for a network that runs by itself.
    count : int, optional
        Number of exponents; by default all, one for each entry of the state that does not only count time steps.
    state : ndarray, shape (B, S), optional
        The state before the first time step; by default that of `evorrn.Network.predict`.
    washout : int, optional
        First time steps that are run and not averaged; by default a tenth of T, at most 100.
    closed : bool
        Whether the first O inputs are the network's own previous output, as in a forecast.

    Returns
    -------
    ndarray, shape (count,), float64
        In units of 1 per time step, the largest first: means over time steps and sequences. ``-inf`` for a direction
        that the step maps to zero, NaN where the states are not finite.

    Raises
    ------
    ShapeError
        When an array has a wrong shape.
    ConfigError
        When `count` or `washout` is out of range.

    Notes
    -----
    Source: Benettin, Galgani, Giorgilli and Strelcyn 1980, "Lyapunov characteristic exponents for smooth dynamical
    systems", part 2: directions are carried along by the derivative of the step and made orthogonal by a QR decomposition,
    after as many steps as let them grow apart by a factor of about 100, which costs two of 16 digits. The first directions are random, so that they lie in no invariant subspace.

    Examples
    --------
    The exponents of a linear network are the logarithms of the absolute eigenvalues of its matrix:

    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import lyapunov_spectrum
    >>> network = evorrn.Network(1, 1, hidden=2, cell_options={"activation": evorrn.identity}, dtype="float64")
    >>> blocks = network.unpack(np.zeros(network.size))
    >>> blocks["layer0.W_h"][:] = [[0.5, 1.0], [0.0, 0.25]]
    >>> spectrum = lyapunov_spectrum(network, network.pack(blocks), np.zeros((1, 500, 1)))
    >>> (np.exp(spectrum)).round(6).tolist()
    [0.5, 0.25]
    """
    dynamics = Dynamics(network, genome, closed)
    inputs = dynamics.inputs(x)
    sequences, steps, _ = inputs.shape
    moving = np.flatnonzero(~dynamics.counts)
    wanted = len(moving) if count is None else count
    if not 1 <= wanted <= len(moving):
        raise ConfigError(
            f"count: expected a number from 1 to {len(moving)}, the size of the state, got {count}"
        )
    first = min(steps // 10, 100) if washout is None else washout
    if not 0 <= first < steps:
        raise ConfigError(f"washout: expected a number from 0 to {steps - 1}, got {washout}")
    at = dynamics.start(state, sequences)
    start = np.zeros((wanted, dynamics.size))
    start[:, moving] = np.linalg.qr(np.random.default_rng(0).normal(size=(len(moving), wanted)))[0].T
    directions = np.broadcast_to(start, (sequences, wanted, dynamics.size))
    sums = np.zeros((sequences, wanted))
    time, together = 0, 1
    work = network.size * wanted * sequences * steps
    pushed = dynamics.pushed(wanted) if work >= COMPILED else None
    while time < steps:
        end = min(time + together, steps if time >= first else first)
        after, moved = dynamics.carry(at, inputs[:, time:end], directions, pushed)
        orthogonal, triangular = np.linalg.qr(moved.swapaxes(1, 2))
        grown = np.abs(np.diagonal(triangular, axis1=1, axis2=2))
        with np.errstate(divide="ignore", invalid="ignore"):
            lost = float(np.log(np.abs(triangular).max(axis=(1, 2)) / grown.min(axis=1)).max())
            logarithms = np.log(grown)
        if end - time > 1 and not lost <= LARGEST_LOSS:  # NaN included
            together = max((end - time) // 4, 1)
            continue
        if time >= first:
            sums += logarithms
        share = LOSS / lost if lost > 0 else 2.0
        together = int(np.clip((end - time) * min(share, 2.0), 1, MOST_TOGETHER)) if lost < np.inf else 1
        at, directions, time = after, orthogonal.swapaxes(1, 2), end
    return np.sort((sums / (steps - first)).mean(axis=0))[::-1]
