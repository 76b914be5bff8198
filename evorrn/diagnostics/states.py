"""The space that the states of a network fill: rank, condition, and the principal components of its trajectories."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.network import arguments
from evorrn.network.network import Network


class StateSpace(NamedTuple):
    """What the singular values of the units that a readout sees tell, with the mean of each unit removed.

    Attributes
    ----------
    rank : int
        Directions that the states fill, in the precision of the network's dtype.
    condition : float
        Largest over smallest singular value; ``inf`` where a unit is a linear function of the others.
    dimension : float
        The participation ratio ``(sum of variances)² / sum of squared variances``, from 1 to the number of units.
    singular_values : ndarray, shape (R,)
        The largest first.
    """

    rank: int
    condition: float
    dimension: float
    singular_values: np.ndarray


def state_space(network: Network, genome: np.ndarray, x: np.ndarray) -> StateSpace:
    """Return rank, condition and dimension of the units that the readout sees along input sequences.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    x : ndarray, shape (B, T, I)

    Returns
    -------
    StateSpace

    Raises
    ------
    ShapeError
        When an array has a wrong shape.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import state_space
    >>> network = evorrn.Network(1, 1, hidden=5)
    >>> x = np.random.default_rng(0).normal(size=(2, 100, 1))
    >>> state_space(network, network.init(seed=0), x).rank
    5
    """
    units = _centred(network, genome, x)
    with one_thread():
        sizes = np.linalg.svd(units, compute_uv=False)
    sizes = np.concatenate([sizes, np.zeros(units.shape[1] - len(sizes))])
    rank = int(np.sum(sizes > sizes[0] * max(units.shape) * np.finfo(network.dtype).eps))
    variances = np.square(sizes)
    with np.errstate(divide="ignore", invalid="ignore"):
        condition, dimension = sizes[0] / sizes[-1], variances.sum() ** 2 / np.square(variances).sum()
    return StateSpace(rank, float(condition), float(dimension), sizes)


class Trajectories(NamedTuple):
    """Trajectories of the units in their principal components.

    Attributes
    ----------
    points : ndarray, shape (B, T, count)
    shares : ndarray, shape (count,)
        The share of the variance that each component has.
    components : ndarray, shape (count, R)
        The directions, of length 1.
    """

    points: np.ndarray
    shares: np.ndarray
    components: np.ndarray


def principal_trajectories(
    network: Network, genome: np.ndarray, x: np.ndarray, count: int = 3
) -> Trajectories:
    """Return the trajectories of the units that the readout sees in their principal components.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    x : ndarray, shape (B, T, I)
    count : int
        Number of components.

    Returns
    -------
    Trajectories
        Points are relative to the mean over time steps and sequences. The largest entry of a component is positive.

    Raises
    ------
    ShapeError
        When an array has a wrong shape.
    ConfigError
        When there are fewer units or states than components.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import principal_trajectories
    >>> network = evorrn.Network(1, 1, hidden=5)
    >>> x = np.random.default_rng(0).normal(size=(2, 100, 1))
    >>> principal_trajectories(network, network.init(seed=0), x).points.shape
    (2, 100, 3)
    """
    arguments.check_every(network, "trajectories")
    units = _centred(network, genome, x)
    if not 1 <= count <= min(units.shape):
        raise ConfigError(f"count: expected a number from 1 to {min(units.shape)}, got {count}")
    with one_thread():
        _, sizes, components = np.linalg.svd(units, full_matrices=False)
        components = components[:count]
        largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
        components = components * np.where(largest < 0, -1, 1)
        points = units @ components.T
    variances = np.square(sizes)
    shares = variances[:count] / max(variances.sum(), np.finfo(float).tiny)
    return Trajectories(points.reshape(*np.shape(x)[:2], count), shares, components)


def _centred(network: Network, genome: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the units (B T, R) that the readout sees, without the mean of each."""
    units = np.float64(network.readout_states(genome, x)).reshape(-1, network.readout_width)
    return units - units.mean(axis=0)
