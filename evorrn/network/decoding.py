"""Decoding: the symbols that a decoder chooses one after the other, and the search for the most probable row of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from evorrn.network.symbols import answers

Step = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""``step(symbols, state)`` returns the logits (N, O) after symbols (N,), and the state (N, D)."""


def choose(
    logits: np.ndarray, barred: Sequence[int], rng: np.random.Generator | None, temperature: float
) -> np.ndarray:
    """Return a symbol (N,) for each row of logits (N, O): the most probable one, or with `rng` one that is drawn.

    `barred` symbols are never chosen. A symbol is drawn with a probability proportional to ``exp(logit / temperature)``. Where a
    logit is NaN, the first symbol that may be chosen is.
    """
    values = logits.astype(np.float64)
    values[np.isnan(values).any(axis=1)] = 0
    values[:, barred] = -np.inf
    if rng is None:
        return np.asarray(values.argmax(axis=1), np.int64)
    shifted = (values - values.max(axis=1, keepdims=True)) / temperature
    shares = np.cumsum(np.exp(shifted), axis=1)
    below = rng.random(len(values)) * shares[:, -1]
    return np.asarray((shares > below[:, None]).argmax(axis=1), np.int64)


def beam_search(
    step: Step, begin: np.ndarray, marks: tuple[int, int], steps: int, beam: int
) -> list[np.ndarray]:
    """Return the most probable row of symbols that a search finds for each sequence.

    At each step, the `beam` most probable rows of a sequence are kept, whether they have ended or not. The search of a sequence ends
    when its most probable row has ended, since longer ones only lose; after `steps` symbols a row can only end.

    Parameters
    ----------
    step : callable
    begin : ndarray, shape (B, D)
        The states in which the decoder begins.
    marks : tuple of int
        The symbols that start and stop a row; the start is never chosen.
    steps : int
        The most symbols of a row, without its stop.
    beam : int
    """
    count, (start, stop) = len(begin), marks
    scores = np.full((count, beam), -np.inf)
    scores[:, 0] = 0
    ended = np.zeros((count, beam), bool)
    rows = np.zeros((count, beam, 0), np.int64)
    symbols, state = np.full(count * beam, start), np.repeat(begin, beam, axis=0)
    first = np.arange(count)[:, None]
    for place in range(steps + 1):
        logits, state = step(symbols, state)
        logs = _log_probabilities(logits).reshape(count, beam, -1)
        logs[:, :, start] = -np.inf
        if place == steps:
            logs[:, :, np.arange(logs.shape[2]) != stop] = -np.inf
        logs[ended] = np.where(
            np.arange(logs.shape[2]) == stop, 0, -np.inf
        )  # what has ended goes on as it is
        totals = (scores[:, :, None] + logs).reshape(count, -1)
        best = np.argsort(-totals, axis=1, kind="stable")[:, :beam]
        scores = np.take_along_axis(totals, best, axis=1)
        parents, chosen = np.divmod(best, logs.shape[2])
        rows = np.concatenate([rows[first, parents], chosen[:, :, None]], axis=2)
        ended = ended[first, parents] | (chosen == stop)
        symbols = chosen.ravel()
        state = state.reshape(count, beam, -1)[first, parents].reshape(count * beam, -1)
        if ended[:, 0].all():
            break
    return answers(rows[:, 0], stop)


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the logarithms of the probabilities of logits (N, O), float64; those of logits that are NaN are equal."""
    values = logits.astype(np.float64)
    values[np.isnan(values).any(axis=1)] = 0
    shifted = values - values.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
