"""Fixed points of a network under a constant input, and how the step acts around them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ShapeError
from evorrn.base.settings import check_seed
from evorrn.diagnostics.dynamics import Dynamics
from evorrn.network.network import Network

HELD = 100
"""Time steps under the constant input whose states are among the starts."""


class FixedPoints(NamedTuple):
    """Points of the state space where the step moves little, the most stable first.

    Attributes
    ----------
    points : ndarray, shape (M, S)
    speeds : ndarray, shape (M,)
        ``|F(s) - s|``, the distance that the step moves the point.
    eigenvalues : ndarray of complex, shape (M, S)
        Those of the Jacobian matrix of the step at each point, the largest absolute value first. A point is stable
        where all absolute values are below 1.
    """

    points: np.ndarray
    speeds: np.ndarray
    eigenvalues: np.ndarray

    @property
    def stable(self) -> np.ndarray:
        """Whether each point is stable, boolean (M,)."""
        found: np.ndarray = np.abs(self.eigenvalues).max(axis=1, initial=0.0) < 1
        return found


def fixed_points(
    network: Network,
    genome: np.ndarray,
    x: np.ndarray,
    seed: int = 0,
    *,
    held: np.ndarray | None = None,
    starts: int = 128,
    speed: float = 1e-8,
) -> FixedPoints:
    """Return fixed points of a network whose input is held constant.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    x : ndarray, shape (B, T, I)
        Inputs whose states are where the search starts.
    seed : int
        Seed of the starts.
    held : ndarray, shape (I,), optional
        The constant input; by default the mean of `x`.
    starts : int
        States from which the search starts: half of them are visited along `x` and the constant input after it, half
        are uniform in a cube around zero whose sides reach twice as far as the largest visited value, at least to 2.
    speed : float
        Points that the step moves further are left out. A larger value also returns slow points, local minima of
        the speed.

    Returns
    -------
    FixedPoints
        Distinct points in the cube with their speeds and the eigenvalues of the step there. The search is not
        exhaustive, and of a line of fixed points only some are returned. Points outside of the cube are left out: a
        gate that saturates makes every state far away nearly a fixed point. None of a network that counts time steps.

    Raises
    ------
    ShapeError
        When an array has a wrong shape.

    Notes
    -----
    Source: Sussillo and Barak 2013, "Opening the black box: low-dimensional dynamics in high-dimensional recurrent
    neural networks". Deviation: the squared speed is minimised by the method of Levenberg and Marquardt with the exact
    Jacobian matrix.

    Examples
    --------
    A unit that excites itself has two stable points with an unstable one between them:

    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import fixed_points
    >>> network = evorrn.Network(1, 1, hidden=1, biases=False, dtype="float64")
    >>> blocks = network.unpack(np.zeros(network.size))
    >>> blocks["layer0.W_h"][:] = 2.0
    >>> found = fixed_points(network, network.pack(blocks), np.zeros((1, 1, 1)))
    >>> sorted(found.points[:, 0].round(4).tolist()), found.stable.tolist()
    ([-0.9575, 0.0, 0.9575], [True, True, False])
    """
    dynamics = Dynamics(network, genome)
    inputs = dynamics.inputs(x)
    constant = inputs.mean(axis=(0, 1)) if held is None else np.asarray(held, np.float64)
    if constant.shape != (network.inputs,):
        raise ShapeError(f"held: expected shape ({network.inputs},), got {constant.shape}")
    if dynamics.counts.any():
        return FixedPoints(np.zeros((0, dynamics.size)), np.zeros(0), np.zeros((0, dynamics.size), complex))
    with one_thread(), np.errstate(all="ignore"):
        points, reach = _starts(dynamics, inputs, constant, np.random.default_rng(check_seed(seed)), starts)
        points = _minimise(dynamics, points, constant)
        points = points[np.abs(points).max(axis=1, initial=0.0) <= reach]
        speeds = np.linalg.norm(_moved(dynamics, points, constant), axis=1)
        points = _distinct(points[np.argsort(speeds)[: np.count_nonzero(speeds <= speed)]])
        if not len(points):
            return FixedPoints(points, np.zeros(0), np.zeros((0, dynamics.size), complex))
        following, jacobians = dynamics.jacobian(points, _repeated(constant, points))
        eigenvalues = np.linalg.eigvals(jacobians).astype(complex)
    eigenvalues = np.take_along_axis(eigenvalues, np.argsort(-np.abs(eigenvalues), axis=1), axis=1)
    order = np.argsort(np.abs(eigenvalues).max(axis=1, initial=0.0), kind="stable")
    return FixedPoints(points[order], np.linalg.norm(following - points, axis=1)[order], eigenvalues[order])


def _starts(
    dynamics: Dynamics, inputs: np.ndarray, constant: np.ndarray, rng: np.random.Generator, count: int
) -> tuple[np.ndarray, float]:
    """Return the states (count, S) from which the search starts, and how far the cube reaches."""
    at, visited = dynamics.start(None, len(inputs)), []
    held = np.broadcast_to(constant, (len(inputs), HELD, len(constant)))
    for x in np.concatenate([inputs, held], axis=1).swapaxes(0, 1):
        at = dynamics.step(at, x)
        visited.append(at)
    states = np.concatenate(visited)
    states = states[np.isfinite(states).all(axis=1)]
    reach = 2 * max(1.0, float(np.abs(states).max(initial=0.0)))
    drawn = rng.uniform(-reach, reach, (count, dynamics.size))
    if len(states):
        drawn[: count // 2] = states[rng.integers(len(states), size=count // 2)]
    return drawn, reach


def _minimise(dynamics: Dynamics, points: np.ndarray, constant: np.ndarray, rounds: int = 200) -> np.ndarray:
    """Return the points (M, S) where the squared speed is smallest around each start (M, S)."""
    at, damping = points.copy(), np.full(len(points), 1e-2)
    error = _moved(dynamics, at, constant)
    unit = np.eye(dynamics.size)
    active = np.isfinite(error).all(axis=1)
    for _ in range(rounds):
        rows = np.flatnonzero(active)
        if not len(rows):
            break
        _, jacobians = dynamics.jacobian(at[rows], _repeated(constant, rows))
        slopes = jacobians - unit
        normal = slopes.swapaxes(1, 2) @ slopes + damping[rows, None, None] * unit
        downhill = -(slopes.swapaxes(1, 2) @ error[rows, :, None])
        change = _solved(normal, downhill)[..., 0]
        tried = at[rows] + change
        moved = _moved(dynamics, tried, constant)
        before, after = np.square(error[rows]).sum(axis=1), np.square(moved).sum(axis=1)
        better = after < before
        at[rows[better]], error[rows[better]] = tried[better], moved[better]
        damping[rows] = np.clip(damping[rows] * np.where(better, 0.1, 10.0), 1e-14, 1e10)
        scale = 1 + np.abs(at[rows]).max(axis=1)
        still = np.abs(change).max(axis=1) <= 1e-14 * scale
        active[rows] = ~(still | (after == 0) | ~np.isfinite(after) & (damping[rows] >= 1e10))
    return at


def _solved(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the solutions (M, S, 1) of linear equations, NaN where there is none: damping then grows."""
    try:
        return np.asarray(np.linalg.solve(matrices, right))
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full(right.shape, np.nan)
        return np.concatenate([_solved(matrices[k : k + 1], right[k : k + 1]) for k in range(len(matrices))])


def _distinct(points: np.ndarray, tolerance: float = 1e-5) -> np.ndarray:
    """Return the points (M, S) that are not within the tolerance of an earlier one."""
    kept: list[np.ndarray] = []
    for point in points:
        near = tolerance * (1 + np.abs(point).max())
        if not any(np.abs(point - other).max() <= near for other in kept):
            kept.append(point)
    return np.array(kept).reshape(-1, points.shape[1])


def _moved(dynamics: Dynamics, points: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Return how the step moves points (M, S)."""
    return dynamics.step(points, _repeated(constant, points)) - points


def _repeated(constant: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.broadcast_to(constant, (len(rows), len(constant)))
