"""Decoding of CTC: the labels that the outputs of a sequence stand for."""

from __future__ import annotations

import math

import numpy as np

from evorrn.base.checks import is_whole
from evorrn.base.errors import ConfigError, DataError, ShapeError


def ctc_decode(outputs: np.ndarray, lengths: np.ndarray | None = None, beam: int = 1) -> list[np.ndarray]:
    """Return the labels that logits stand for, by the most probable path or by a search over prefixes.

    Parameters
    ----------
    outputs : ndarray, shape (B, T, O)
        Logits, for instance logarithms of probabilities; class 0 is the blank. ``-inf`` is a probability of zero.
    lengths : ndarray of int, shape (B,), optional
        Time steps of each sequence, T by default.
    beam : int
        With 1 the most probable class of each time step is taken, repeated classes are merged and blanks dropped. With
        more, the probabilities of all paths to the same labels are added, for so many of the most probable prefixes.

    Returns
    -------
    list of ndarray of int64
        The labels of each sequence, shape (U,).

    Raises
    ------
    ShapeError
        When an array has a wrong shape.
    DataError
        When a time step has no probabilities, as it holds NaN or ``inf``, or ``-inf`` alone.
    ConfigError
        When `beam` is not a whole number of at least 1.

    Notes
    -----
    Source: Graves, Fernández, Gomez and Schmidhuber 2006, section 3.2 (best path); prefix beam search: Hannun, Maas, Jurafsky and
    Ng 2014, here without a language model.

    Examples
    --------
    Two time steps whose most probable path has no label, although the label 1 is more probable than none:

    >>> import numpy as np
    >>> from evorrn.losses import ctc_decode
    >>> logits = np.log([[[0.6, 0.4], [0.6, 0.4]]])
    >>> [labels.tolist() for labels in ctc_decode(logits)]
    [[]]
    >>> [labels.tolist() for labels in ctc_decode(logits, beam=2)]
    [[1]]
    """
    logits = np.asarray(outputs)
    if logits.ndim != 3 or logits.shape[2] == 0:
        raise ShapeError(f"outputs: expected shape (B, T, O), got {logits.shape}")
    ends = np.full(len(logits), logits.shape[1]) if lengths is None else np.asarray(lengths)
    if ends.shape != (len(logits),) or (ends < 0).any() or (ends > logits.shape[1]).any():
        raise ShapeError(
            f"lengths: expected {len(logits)} whole numbers from 0 to {logits.shape[1]}, got {ends}"
        )
    if not is_whole(beam) or beam < 1:
        raise ConfigError(f"beam: expected a whole number of at least 1, got {beam!r}")
    rows = [row[:end] for row, end in zip(logits, ends.astype(int))]
    for place, row in enumerate(rows):
        wrong = ~np.isfinite(row.max(axis=1))  # the maximum of a row with NaN is NaN
        if wrong.any():
            step = int(wrong.argmax())
            raise DataError(
                f"outputs: expected numbers, or -inf beside them, at every time step, got {row[step]} in sequence {place} at "
                f"time step {step}"
            )
    return [best_path(row) if beam == 1 else _prefix_beam(row, int(beam)) for row in rows]


def best_path(logits: np.ndarray) -> np.ndarray:
    """Return the labels (U,) of the most probable path of logits (T, O); NaN counts as the largest logit."""
    path = logits.argmax(axis=1)
    first = np.diff(path, prepend=-1) != 0
    return np.asarray(path[first & (path != 0)], np.int64)


def _prefix_beam(logits: np.ndarray, beam: int) -> np.ndarray:
    """Return the most probable labels (U,) that a search over prefixes finds for logits (T, O).

    A prefix has two logarithms: the probability of its paths that end with a blank, and of those that end with its
    last label.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    prefixes: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for step in logs.tolist():
        found: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, label) in prefixes.items():
            total = _log_add(blank, label)
            _add(found, prefix, 0, total + step[0])
            for c, value in enumerate(step[1:], start=1):
                if prefix and c == prefix[-1]:
                    _add(found, prefix, 1, label + value)
                    _add(found, (*prefix, c), 1, blank + value)
                else:
                    _add(found, (*prefix, c), 1, total + value)
        best = sorted(found, key=lambda prefix: (-_log_add(*found[prefix]), prefix))[:beam]
        prefixes = {prefix: (found[prefix][0], found[prefix][1]) for prefix in best}
    return np.array(next(iter(prefixes)), np.int64)


def _add(
    found: dict[tuple[int, ...], list[float]], prefix: tuple[int, ...], place: int, value: float
) -> None:
    """Add a probability, given as its logarithm, to one of the two of a prefix."""
    entry = found.setdefault(prefix, [-math.inf, -math.inf])
    entry[place] = _log_add(entry[place], value)


def _log_add(x: float, y: float) -> float:
    """Return ``log(exp(x) + exp(y))``."""
    high, low = max(x, y), min(x, y)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
