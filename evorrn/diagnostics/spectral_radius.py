"""Effective spectral radius: the largest absolute eigenvalue of the step's derivative, gates and leaks included."""

from __future__ import annotations

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.diagnostics.dynamics import Dynamics
from evorrn.network.network import Network


@one_thread()
def effective_spectral_radius(
    network: Network, genome: np.ndarray, x: np.ndarray | None = None, *, state: np.ndarray | None = None
) -> np.ndarray:
    """Return the spectral radius of the Jacobian matrix of the step along input sequences.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    x : ndarray, shape (B, T, I), optional
        By default one time step of zeros.
    state : ndarray, shape (B, S), optional
        The state before the first time step; by default that of `evorrn.Network.predict`.

    Returns
    -------
    ndarray, shape (B, T), float64
        The largest absolute eigenvalue at each time step, without states that only count time steps. Without `x` and `state` it is that of the network at rest:
        for a leaky network without biases the spectral radius of ``(1 - leak) I + leak W``.

    Raises
    ------
    ShapeError
        When an array has a wrong shape.

    Notes
    -----
    Source: Jaeger, Lukosevicius, Popovici and Siewert 2007, "Optimization and applications of echo state networks with
    leaky-integrator neurons"; here of any cell, from the derivative of its equations.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import effective_spectral_radius
    >>> network = evorrn.Network(1, 1, cell="leaky", hidden=1, cell_options={"leak": 0.5}, dtype="float64")
    >>> blocks = network.unpack(np.zeros(network.size))
    >>> blocks["layer0.W_h"][:] = 0.9
    >>> effective_spectral_radius(network, network.pack(blocks)).tolist()
    [[0.95]]
    """
    dynamics = Dynamics(network, genome)
    inputs = dynamics.inputs(np.zeros((1, 1, network.inputs)) if x is None else x)
    moving = np.flatnonzero(~dynamics.counts)
    at, radii = dynamics.start(state, len(inputs)), []
    for time in range(inputs.shape[1]):
        at, jacobians = dynamics.jacobian(at, inputs[:, time])
        jacobians = jacobians[:, moving][:, :, moving]
        radii.append(np.abs(np.linalg.eigvals(jacobians)).max(axis=1, initial=0.0))
    return np.stack(radii, axis=1)
