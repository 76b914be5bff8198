"""Gradient by lag: how much the loss at the end of a sequence depends on earlier states."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.compile.step import OUTPUT
from evorrn.data.batch import Batch
from evorrn.diagnostics.dynamics import Dynamics
from evorrn.network.network import Network


class GradientByLag(np.ndarray):
    """The median norm of a gradient by lag, shape (T,), with its quartiles.

    Attributes
    ----------
    quartiles : ndarray, shape (2, T)
        The lower and the upper quartile by lag.
    norms : ndarray, shape (P, B, T)
        The norm of each genome and sequence by lag, NaN where the sequence is too short.
    """

    quartiles: np.ndarray
    norms: np.ndarray

    @classmethod
    def of(cls, norms: np.ndarray) -> GradientByLag:
        """Return the medians and quartiles of norms (P, B, T)."""
        flat = norms.reshape(-1, norms.shape[2])
        known = ~np.isnan(flat).all(axis=0)
        found = np.full((3, flat.shape[1]), np.nan)
        found[:, known] = np.nanquantile(flat[:, known], [0.25, 0.5, 0.75], axis=0)
        made = found[1].view(cls)
        made.quartiles, made.norms = found[[0, 2]], norms
        return made


@one_thread()
def gradient_by_lag(
    network: Network, genome: np.ndarray, batch: Batch, state: str | None = None
) -> GradientByLag:
    """Return the median norm of the gradient of the loss at the last scored step with respect to earlier states.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,), or (P, n)
        Several genomes, for instance initialisations, have one median.
    batch : Batch
        Sequences without a scored step are left out.
    state : str, optional
        The state that the gradient is taken to, such as ``"layer0.c"``; by default all states as one vector.

    Returns
    -------
    GradientByLag, shape (T,), float64
        Entry k is the median over genomes and sequences of ``|d loss_T / d h_(T-k)|``, where T is the last scored
        step of a sequence, ``loss_T`` the loss of this step alone and ``h_t`` the state after step t. The attribute
        `quartiles` (2, T) has the quartiles. NaN for lags that no sequence is long enough for.

    Raises
    ------
    ShapeError
        When genome or batch do not fit the network.
    ConfigError
        When the network has no such state, or its loss takes no batch.

    Notes
    -----
    Source: Hochreiter 1991; Bengio, Simard and Frasconi 1994, "Learning long-term dependencies with gradient descent
    is difficult". For entries k and k + 1 the ratio is at most the largest singular value of the derivative of the
    step. A network that sees its own output is taught as in training, see `evorrn.Network.warm_up`.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn.diagnostics import gradient_by_lag
    >>> network = evorrn.Network(1, 1, hidden=1, cell_options={"activation": evorrn.identity}, dtype="float64")
    >>> blocks = network.unpack(np.ones(network.size))
    >>> blocks["layer0.W_h"][:] = 0.5
    >>> batch = evorrn.Batch(np.ones((1, 4, 1)), np.zeros((1, 4, 1)))
    >>> found = gradient_by_lag(network, network.pack(blocks), batch)
    >>> (found / found[0]).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """
    batch = network.fitting(batch)
    if batch.whole:
        raise ConfigError(
            f"loss {network.loss_name}: a gradient by lag is that of the loss of one time step, and the labels of a whole "
            "sequence have none"
        )
    genomes = np.atleast_2d(np.asanyarray(genome))
    return GradientByLag.of(np.stack([_norms(Dynamics(network, one), batch, state) for one in genomes]))


def _norms(dynamics: Dynamics, batch: Batch, name: str | None) -> np.ndarray:
    """Return the norms (B, T) of one genome."""
    if name is not None and name not in dynamics.parts:
        raise ConfigError(f"state: expected one of {', '.join(dynamics.parts)}, got {name!r}")
    norms = np.full((batch.size, batch.steps), np.nan)
    scored = batch.scored
    last = np.where(scored.any(axis=1), batch.steps - 1 - scored[:, ::-1].argmax(axis=1), -1)
    for step in np.unique(last[last >= 0]):
        rows = np.flatnonzero(last == step)
        for lag, gradient in enumerate(_sweep(dynamics, batch, rows, int(step))):
            chosen = gradient if name is None else dynamics.split(gradient)[name].reshape(len(rows), -1)
            norms[rows, lag] = np.linalg.norm(chosen, axis=1)
    return norms


def _sweep(dynamics: Dynamics, batch: Batch, rows: np.ndarray, last: int) -> Iterator[np.ndarray]:
    """Yield the gradient (R, S) with respect to the state after step `last`, then after each step before."""
    teacher = dynamics.network.warm_up(batch)
    inputs = np.asarray(batch.inputs[rows], np.float64)
    at, states, taught = dynamics.start(None, len(rows)), [], []
    for time in range(last + 1):
        given = np.zeros(at.shape, bool)
        if teacher is not None:
            known = np.isfinite(teacher[rows, time])
            dynamics.split(given)[OUTPUT][...] = known
            at[given] = teacher[rows, time][known]
        states.append(at)
        taught.append(given)
        at = dynamics.step(at, inputs[:, time])
    targets = batch.targets[rows, last]
    outputs = dynamics.output(at, inputs[:, last])
    gradient = dynamics.pull_output(at, inputs[:, last], _loss_gradient(dynamics.network, outputs, targets))
    yield gradient
    for time in range(last, 0, -1):
        gradient = dynamics.pull(states[time], inputs[:, time], gradient)
        gradient[taught[time]] = 0.0
        yield gradient


def _loss_gradient(network: Network, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the gradient (R, O) of the loss of each row of outputs (R, O) for targets (R, O), or labels (R,)."""
    function = importlib.import_module(network.loss_function.module).loss_gradient
    wanted = targets[None].astype(np.float64) if targets.ndim == 1 else targets.T
    found = np.zeros(outputs.T.shape)
    scale = 1.0 / float(network.loss_function.entries(np.ones(1), network.outputs)[0])
    function(np.ascontiguousarray(outputs.T), wanted, np.ones(len(outputs)), scale, found)
    return found.T
