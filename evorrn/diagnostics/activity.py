"""Activity: every named value of a network's equations at every time step."""

from __future__ import annotations

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.diagnostics.dynamics import Dynamics
from evorrn.network.network import Network


@one_thread()
def activity(
    network: Network,
    genome: np.ndarray,
    x: np.ndarray,
    *,
    state: np.ndarray | None = None,
    closed: bool = False,
) -> dict[str, np.ndarray]:
    """Return every named value of the equations of a network along input sequences.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    x : ndarray, shape (B, T, I)
    state : ndarray, shape (B, S), optional
        The state before the first time step; by default that of `evorrn.Network.predict`.
    closed : bool
        Whether the first O inputs are the network's own previous output, as in a forecast.

    Returns
    -------
    dict of str to ndarray
        For instance ``{"layer0.i": (B, T, H), ..., "layer0.h": (B, T, H), "y": (B, T, O)}``, float64: each name that
        the equations of a layer assign to, the new states, and the output. Where the equations assign to a name
        several times, the value is the last one; a name that is also that of a state is the new state.

    Raises
    ------
    ShapeError
        When an array has a wrong shape.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import activity
    >>> network = evorrn.Network(inputs=1, outputs=1, cell="gru", hidden=3)
    >>> found = activity(network, network.init(seed=0), np.ones((2, 5, 1)))
    >>> {name: values.shape for name, values in found.items()}
    {'layer0.r': (2, 5, 3), 'layer0.z': (2, 5, 3), 'layer0.n': (2, 5, 3), 'layer0.h': (2, 5, 3), 'y': (2, 5, 1)}
    """
    dynamics = Dynamics(network, genome, closed)
    inputs = dynamics.inputs(x)
    at = dynamics.start(state, len(inputs))
    steps = []
    for time in range(inputs.shape[1]):
        at, values = dynamics.named(at, inputs[:, time])
        steps.append(values)
    return {name: np.stack([values[name] for values in steps], axis=1) for name in steps[0]}
