"""What callers give a network: checked, and brought to what its programs take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError, ShapeError
from evorrn.data.batch import Batch, numeric
from evorrn.engine.inputs import Conditions, Sequences

if TYPE_CHECKING:
    from evorrn.network.network import Network


def sequences(
    network: Network,
    x: np.ndarray,
    lengths: np.ndarray | None = None,
    *,
    state: np.ndarray | None = None,
    teacher: np.ndarray | None = None,
    free_from: np.ndarray | None = None,
) -> Sequences:
    """Return inputs (B, T, I), lengths (B,) and conditions as a network is shown them."""
    array, ends = _inputs(network, x, lengths)
    given = conditions(network, x, lengths, state=state, teacher=teacher, free_from=free_from)
    return Sequences(array, ends, given)


def conditions(
    network: Network,
    x: np.ndarray,
    lengths: np.ndarray | None,
    *,
    state: np.ndarray | None = None,
    teacher: np.ndarray | None = None,
    free_from: np.ndarray | None = None,
) -> Conditions:
    """Return the conditions of sequences of inputs (B, T, I): a state of zero where none is given."""
    begin = _state(network, state, np.shape(x)[0])
    free = _free_from(network, free_from, x)
    return Conditions(begin, _teacher(network, teacher, x, lengths), free)


def genomes(network: Network, genomes: np.ndarray) -> np.ndarray:
    """Return genomes (P, n) as writable rows of the network's dtype."""
    array = np.asarray(genomes)
    if array.ndim != 2 or array.shape[1] != network.size or len(array) == 0:
        raise ShapeError(f"genomes: expected shape (P, {network.size}), got {array.shape}")
    if array.dtype.kind not in "fiu":
        raise ShapeError(f"genomes: expected floats, got dtype {array.dtype}")
    with np.errstate(over="ignore"):  # a gene beyond float32 becomes infinite and shows as divergence
        # Compiled programs take writable arrays alone: a read-only one would be compiled for anew.
        return np.require(array, network.dtype, ["C", "W"])


def check_batch(network: Network, batch: Batch) -> None:
    """Raise ShapeError when a batch does not fit a network, ConfigError when none does."""
    if network.loss_function.targets == "none":
        raise ConfigError(
            f"network.loss: {network.loss_name} comes from an environment, see Network.simulate, not a batch"
        )
    if batch.n_inputs != network.inputs:
        raise ShapeError(f"batch: expected {network.inputs} inputs, got {batch.n_inputs}")
    if network.loss_function.labels:
        if not batch.labelled:
            raise ShapeError(f"batch: {network.loss_name} needs integer labels (B, T) or (B,), got floats")
        if batch.n_outputs > network.outputs:
            raise ShapeError(f"batch: expected labels below {network.outputs}, got {batch.n_outputs - 1}")
    elif batch.labelled:
        raise ShapeError(
            f"batch: loss {network.loss_name} needs float targets (B, T, {network.outputs}), got labels"
        )
    elif batch.n_outputs != network.outputs:
        raise ShapeError(f"batch: expected {network.outputs} targets, got {batch.n_outputs}")


def _inputs(network: Network, x: np.ndarray, lengths: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (B, T, I) and lengths (B,)."""
    array = numeric("x", x)
    if array.ndim != 3 or array.shape[2] != network.inputs or 0 in array.shape:
        raise ShapeError(f"x: expected shape (B, T, {network.inputs}), got {array.shape}")
    if lengths is None:
        return array, np.full(len(array), array.shape[1], np.int64)
    ends = np.asarray(lengths)
    if ends.shape != (len(array),) or ends.dtype.kind not in "iu":
        raise ShapeError(f"lengths: expected {len(array)} integers, got {ends.shape} of {ends.dtype}")
    if ends.min() < 1 or ends.max() > array.shape[1]:
        raise ShapeError(
            f"lengths: expected values from 1 to {array.shape[1]}, got {ends.min()} to {ends.max()}"
        )
    return array, ends.astype(np.int64)


def _state(network: Network, state: np.ndarray | None, sequences: int) -> np.ndarray:
    """Return the state (B, S) to begin with, zero by default."""
    if state is None:
        return np.zeros((sequences, network.state_size), network.dtype)
    array = numeric("state", state)
    if array.shape != (sequences, network.state_size):
        raise ShapeError(f"state: expected shape ({sequences}, {network.state_size}), got {array.shape}")
    return np.array(array, network.dtype)


def _teacher(
    network: Network, teacher: np.ndarray | None, x: np.ndarray, lengths: np.ndarray | None
) -> np.ndarray | None:
    """Return what a network sees in place of its last output (B, T, O), zero beyond the lengths."""
    if teacher is None:
        return None
    if not network.step.feeds_back:
        raise ConfigError("teacher: this network does not see its own output; make it with feedback=True")
    array = numeric("teacher", teacher)
    wanted = (*np.shape(x)[:2], network.outputs)
    if array.shape != wanted:
        raise ShapeError(f"teacher: expected shape {wanted}, got {array.shape}")
    result = np.array(array, network.dtype)
    if lengths is not None:  # what lies beyond a length may be NaN, and zero times NaN spoils a gradient
        result[np.arange(wanted[1])[None, :] >= np.asarray(lengths)[:, None]] = 0
    return result


def _free_from(network: Network, free_from: np.ndarray | None, x: np.ndarray) -> np.ndarray | None:
    """Return the time step (B,) from which each sequence runs free."""
    if free_from is None:
        return None
    array = np.asarray(free_from)
    if array.shape != (np.shape(x)[0],) or array.dtype.kind not in "iu":
        raise ShapeError(f"free_from: expected {np.shape(x)[0]} integers, got {array.shape} of {array.dtype}")
    if (array < np.shape(x)[1]).any() and network.outputs > network.inputs:
        raise ConfigError(f"free run: {network.outputs} outputs cannot stand for {network.inputs} inputs")
    return array
