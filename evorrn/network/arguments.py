"""Checks of the arguments of a network's methods, and their conversion to arrays for its programs."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from evorrn.base.checks import is_whole
from evorrn.base.errors import ConfigError, DataError, ShapeError
from evorrn.data.arrays import numeric, unmasked
from evorrn.data.batch import Batch
from evorrn.data.links import checked_links
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.losses.sequence import SequenceLoss
from evorrn.network.architecture import Architecture


class Given(TypedDict, total=False):
    """What sequences may be given besides inputs and a first state; `evorrn.Network.predict` describes it."""

    lengths: np.ndarray | None
    free_from: np.ndarray | None
    teacher: np.ndarray | None
    links: np.ndarray | None
    steps: int | None


def sequences(
    network: Architecture,
    x: np.ndarray,
    lengths: np.ndarray | None = None,
    *,
    state: np.ndarray | None = None,
    teacher: np.ndarray | None = None,
    free_from: np.ndarray | None = None,
    links: np.ndarray | None = None,
    steps: int | None = None,
) -> Sequences:
    """Return inputs (B, T, I), lengths (B,), conditions and links, checked.

    `conditions` describes `state`, `teacher` and `free_from`; `linked` describes `links`.
    """
    array, ends = _inputs(network, _in_steps(network, x, lengths, steps), lengths)
    given = conditions(network, array, lengths, state=state, teacher=teacher, free_from=free_from)
    checked = None if links is None else checked_links(unmasked("links", links), ends, array.shape[1])
    return Sequences(array, ends, given, linked(network, checked))


def linked(network: Architecture, links: np.ndarray | None, name: str = "links") -> np.ndarray | None:
    """Return checked links (B, T, A) of sequences.

    Raises
    ------
    ShapeError
        When a cell with predecessors is given no links, or another number of them, and when another cell is given some.
    """
    arity, cell = network.arity, network.cell_name
    if (0 if links is None else links.shape[2]) == arity:
        return links
    if not arity:
        raise ShapeError(
            f"{name}: cell {cell} sees the last step and takes no links; choose a cell with predecessors"
        )
    got = "none" if links is None else f"{links.shape[2]}"
    raise ShapeError(
        f"{name}: cell {cell} sees {arity} predecessors of each step: expected links (B, T, {arity}), got {got}"
    )


def check_chain(network: Architecture, what: str, asked: bool = True) -> None:
    """Raise ConfigError where something is asked for that needs steps that follow each other in one direction."""
    if asked and network.arity:
        raise ConfigError(
            f"{what}: cell {network.cell_name} sees linked steps, of which none is the last; choose a cell of a chain"
        )
    if asked and not network.causal:
        raise ConfigError(
            f"{what}: this network sees a whole sequence before its first output, so that a run cannot go on from one; "
            f"make it without {network.wiring}"
        )


def check_every(network: Architecture, what: str) -> None:
    """Raise ConfigError where something is asked for that needs a readout at every time step."""
    if network.pool:
        raise ConfigError(
            f"{what}: expected a readout at every time step, and this network reads a sequence once; "
            f"make it without {network.wiring}"
        )


def conditions(
    network: Architecture,
    x: np.ndarray,
    lengths: np.ndarray | None,
    *,
    state: np.ndarray | None = None,
    teacher: np.ndarray | None = None,
    free_from: np.ndarray | None = None,
) -> Conditions:
    """Return the conditions under which sequences run, checked.

    Parameters
    ----------
    network : Architecture
    x : ndarray, shape (B, T, I)
    lengths : ndarray of int, shape (B,), or None
    state : ndarray, shape (B, S), optional
        The first state; zero by default, or the first value that the cell declares.
    teacher : ndarray, shape (B, T, O), optional
        Values that the network sees in place of its previous output.
    free_from : ndarray of int, shape (B,), optional
        The time step from which the first O inputs are the previous output.

    Raises
    ------
    ShapeError
        When an array has a wrong shape or dtype.
    ConfigError
        When the network does not see its output but a teacher is given, or when it cannot run on its own outputs.
    """
    if not (state is None and free_from is None):
        check_chain(network, "state" if free_from is None else "free_from")
    if free_from is not None and network.embedding:
        raise ConfigError(
            f"free run: outputs cannot go back as symbols; make the network without {network.wiring}"
        )
    begin = first_state(network, state, np.shape(x)[0])
    free = _free_from(network, free_from, x)
    return Conditions(begin, _teacher(network, teacher, x, lengths), free)


def warm_up(network: Architecture, batch: Batch) -> np.ndarray | None:
    """Return the teacher (B, T, O) of `evorrn.Network.warm_up`, None when there is none."""
    logits_go_back = network.loss_function.logits and network.fed_back == "output"  # targets are not logits
    if not network.feeds_back or batch.labelled or logits_go_back:
        return None
    first = np.where(batch.scored.any(axis=1), batch.scored.argmax(axis=1), batch.steps)
    teacher = np.full(batch.targets.shape, np.nan)
    before = np.arange(1, batch.steps)[None, :] <= first[:, None]
    known = before[:, :, None] & np.isfinite(batch.targets[:, :-1])
    teacher[:, 1:][known] = batch.targets[:, :-1][known]
    return teacher if known.any() else None


def genomes(network: Architecture, genomes: np.ndarray) -> np.ndarray:
    """Return genomes (P, n) as a writable C-contiguous array of the network's dtype; raise ShapeError if wrong."""
    array = unmasked("genomes", genomes)
    if array.ndim != 2 or array.shape[1] != network.size or len(array) == 0:
        raise ShapeError(f"genomes: expected shape (P, {network.size}), got {array.shape}")
    if array.dtype.kind not in "fiu":
        raise ShapeError(f"genomes: expected floats, got dtype {array.dtype}")
    with np.errstate(over="ignore"):  # a gene beyond the range of float32 becomes infinite, and the loss too
        # numba would compile the programs a second time for read-only arrays.
        return np.require(array, network.dtype, ["C", "W"])


def check_batch(network: Architecture, batch: Batch) -> None:
    """Raise an error when a batch does not fit the network.

    Raises
    ------
    ShapeError
        When the number of inputs or outputs or the kind of the targets does not fit.
    DataError
        When targets are outside of the range of the loss.
    ConfigError
        When the loss takes no batch.
    """
    if network.loss_function.targets == "none":
        raise ConfigError(
            f"network.loss: {network.loss_name} needs an environment, see Network.simulate, and takes no batch"
        )
    if batch.vectors and not network.context:
        raise ShapeError(
            f"batch: expected inputs (B, T, {network.inputs}), got {batch.inputs.shape}; one vector a sequence needs a network with "
            'context="every" or "first"'
        )
    if batch.symbols and network.context:
        raise ShapeError("batch: a context is one vector a sequence, floats (B, I), got integers")
    if network.embedding and not batch.symbols:
        raise ShapeError("batch: an embedding takes inputs of integers (B, T)")
    if batch.symbols and batch.n_inputs > network.inputs:
        raise ShapeError(
            f"batch: expected symbols from 0 to {network.inputs - 1}, as the network has {network.inputs} inputs, got "
            f"{batch.n_inputs - 1}"
        )
    if not batch.symbols and batch.n_inputs != network.inputs:
        raise ShapeError(f"batch: expected {network.inputs} inputs, got {batch.n_inputs}")
    counts = batch.scored.sum(axis=1)
    if network.pool and counts.max() > 1:
        row = int(counts.argmax())
        raise ShapeError(
            f"batch: readout {network.readout} gives one output a sequence: expected targets (B,) of labels or (B, O) of "
            f"floats, got {counts[row]} scored steps in sequence {row}"
        )
    linked(network, batch.links, "batch")
    if isinstance(network.loss_function, SequenceLoss) != batch.whole:
        wanted = (
            "labels of whole sequences, with target_lengths"
            if not batch.whole
            else "a target for each time step"
        )
        raise ShapeError(f"batch: {network.loss_name} needs {wanted}")
    if isinstance(network.loss_function, SequenceLoss):
        _check_rows(network, network.loss_function, batch)
    elif network.loss_function.labels:
        if not batch.labelled:
            raise ShapeError(f"batch: {network.loss_name} needs integer labels (B, T) or (B,), got floats")
        if batch.n_outputs > network.outputs:
            raise ShapeError(f"batch: expected labels below {network.outputs}, got {batch.n_outputs - 1}")
    elif batch.labelled:
        raise ShapeError(
            f"batch: loss {network.loss_name} needs float targets (B, T, {network.outputs}), got labels"
        )
    elif batch.n_outputs != network.outputs:
        missing = network.outputs == 1 and batch.n_outputs == batch.steps
        hint = "; one target at each time step is (B, T, 1), so targets[..., None]" if missing else ""
        raise ShapeError(f"batch: expected {network.outputs} targets, got {batch.n_outputs}{hint}")
    most_of_dtype = float(np.finfo(network.dtype).max)
    if batch.largest > most_of_dtype:
        raise DataError(
            f"batch: expected numbers up to {most_of_dtype:.3g}, the largest of {network.dtype.name}, got "
            f"{batch.largest:.3g}; scale them, or make the network with dtype='float64'"
        )
    low, high = network.loss_function.target_range
    if not batch.labelled and not low <= batch.target_range[0] <= batch.target_range[1] <= high:
        least, most = batch.target_range
        raise DataError(
            f"batch: loss {network.loss_name} needs targets from {low:g} to {high:g}, got {least:g} to {most:g}"
        )


def _check_rows(network: Architecture, loss: SequenceLoss, batch: Batch) -> None:
    """Raise ShapeError for labels that are no class of the network, DataError where their loss cannot be computed."""
    assert batch.lengths is not None
    if batch.n_outputs > network.outputs:
        raise ShapeError(f"batch: expected labels below {network.outputs}, got {batch.n_outputs - 1}")
    problems = loss.problems(batch.rows, batch.lengths)
    if problems:
        raise DataError("\n".join(f"batch: {problem}" for problem in problems))


def _inputs(
    network: Architecture, x: np.ndarray, lengths: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (B, T, I) and lengths (B,), T by default; raise ShapeError when they are wrong."""
    array = _vectors(network, unmasked("x", x))
    wide = 1 if network.embedding else network.inputs
    if array.ndim != 3 or array.shape[2] != wide or 0 in array.shape[:2]:
        raise ShapeError(f"x: expected shape (B, T, {network.inputs}), got {array.shape}")
    if lengths is None:
        return array, np.full(len(array), array.shape[1], np.int64)
    ends = unmasked("lengths", lengths)
    if ends.shape != (len(array),) or ends.dtype.kind not in "iu":
        raise ShapeError(f"lengths: expected {len(array)} integers, got {ends.shape} of {ends.dtype}")
    if ends.min() < 1 or ends.max() > array.shape[1]:
        raise ShapeError(
            f"lengths: expected values from 1 to {array.shape[1]}, got {ends.min()} to {ends.max()}"
        )
    return array, ends.astype(np.int64)


def _vectors(network: Architecture, x: np.ndarray) -> np.ndarray:
    """Return symbols (B, T) as vectors with a one, or (B, T, 1) for an embedding; other inputs as they are.

    Raises
    ------
    ShapeError
        For symbols that the network does not have, and for vectors in place of symbols.
    """
    symbols = x.ndim == 2 and x.dtype.kind in "iu"
    if network.embedding and not symbols:
        raise ShapeError(f"x: an embedding takes integers (B, T), got {x.shape} of {x.dtype}")
    if not symbols or not x.size:
        return numeric("x", x)
    if x.min() < 0 or x.max() >= network.inputs:
        raise ShapeError(
            f"x: expected symbols from 0 to {network.inputs - 1}, as the network has {network.inputs} inputs, got "
            f"{x.min()} to {x.max()}"
        )
    return x[:, :, None] if network.embedding else np.eye(network.inputs, dtype=network.dtype)[x]


def _in_steps(
    network: Architecture, x: np.ndarray, lengths: np.ndarray | None, steps: int | None
) -> np.ndarray:
    """Return inputs (B, T, I) that show a context (B, I) at its time steps; other inputs as they are."""
    if not (network.context and np.ndim(x) == 2):
        if steps is not None:
            raise ConfigError("steps: the inputs say how many time steps there are; leave it out")
        return x
    array = numeric("x", x)
    if array.shape[1] != network.inputs or not len(array):
        raise ShapeError(f"x: expected shape (B, {network.inputs}) of a context, got {array.shape}")
    if steps is None and lengths is None:
        raise ConfigError(
            "steps: expected the number of time steps, or lengths, since a context does not say it"
        )
    count = int(np.max(np.asarray(lengths))) if steps is None else steps
    if not is_whole(count) or count < 1:
        raise ConfigError(f"steps: expected a whole number of at least 1, got {count!r}")
    return shown_in_steps(network, array, int(count))


def shown_in_steps(network: Architecture, vectors: np.ndarray, steps: int) -> np.ndarray:
    """Return a context (B, I) at each of its time steps, (B, T, I), in the network's dtype."""
    shown = np.zeros((len(vectors), steps, vectors.shape[1]), network.dtype)
    shown[:, : steps if network.context == "every" else 1] = vectors[:, None]
    return shown


def of_symbols(network: Architecture, batch: Batch) -> Batch:
    """Return a batch of symbols as one of vectors with a one, unless the network has an embedding.

    A context is shown at its time steps; other batches are returned as they are.
    """
    if batch.vectors:
        shown = "context", network.context, network.dtype.str
        if shown not in batch.packed:
            batch.packed[shown] = batch.with_inputs(shown_in_steps(network, batch.inputs, batch.steps))
        return batch.packed[shown]  # type: ignore[no-any-return]
    if not batch.symbols or network.embedding:
        return batch
    key = "one-hot", network.inputs, network.dtype.str
    if key not in batch.packed:
        batch.packed[key] = batch.with_inputs(np.eye(network.inputs, dtype=network.dtype)[batch.inputs])
    made: Batch = batch.packed[key]
    return made


def first_state(network: Architecture, state: np.ndarray | None, sequences: int) -> np.ndarray:
    """Return the first state (B, S), zero by default; raise ShapeError when it is wrong."""
    if state is None:
        return np.repeat(network.first_state[None], sequences, axis=0)
    array = numeric("state", state)
    if array.shape != (sequences, network.state_size):
        raise ShapeError(f"state: expected shape ({sequences}, {network.state_size}), got {array.shape}")
    return np.array(array, network.dtype, order="C")


def _teacher(
    network: Architecture, teacher: np.ndarray | None, x: np.ndarray, lengths: np.ndarray | None
) -> np.ndarray | None:
    """Return the values (B, T, O) that a network sees in place of its previous output, zero beyond the lengths."""
    if teacher is None:
        return None
    if not network.feeds_back:
        raise ConfigError("teacher: this network does not see its own output; make it with feedback=True")
    array = numeric("teacher", teacher)
    wanted = (*np.shape(x)[:2], network.outputs)
    if array.shape != wanted:
        raise ShapeError(f"teacher: expected shape {wanted}, got {array.shape}")
    result = np.array(array, network.dtype, order="C")
    if lengths is not None:  # what lies beyond a length may be NaN, and 0 * NaN in a gradient is NaN
        result[np.arange(wanted[1])[None, :] >= np.asarray(lengths)[:, None]] = 0
    return result


def _free_from(network: Architecture, free_from: np.ndarray | None, x: np.ndarray) -> np.ndarray | None:
    """Return the time step (B,) from which each sequence runs on its own outputs; raise if it is wrong."""
    if free_from is None:
        return None
    array = unmasked("free_from", free_from)
    if array.shape != (np.shape(x)[0],) or array.dtype.kind not in "iu":
        raise ShapeError(f"free_from: expected {np.shape(x)[0]} integers, got {array.shape} of {array.dtype}")
    if (array < np.shape(x)[1]).any() and network.outputs > network.inputs:
        raise ConfigError(f"free run: {network.outputs} outputs cannot replace {network.inputs} inputs")
    return np.clip(array, 0, np.shape(x)[1]).astype(np.int64)
