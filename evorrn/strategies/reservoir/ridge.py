"""Ridge regression with a grid of penalties, of which the one that predicts best is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.kernels.threads import together
from evorrn.strategies.reservoir.division import by_sequence, by_time, undivided
from evorrn.strategies.reservoir.solvers import Gram, Rows, Solver

AFFORDABLE = 600
"""Most features for which ``"svd"`` is the automatic choice of `ridge`."""


@dataclass(frozen=True)
class RidgeFit:
    """A solved readout.

    Attributes
    ----------
    weights : ndarray, shape (O, F)
    bias : ndarray, shape (O,)
    alpha : float
        The chosen penalty; the largest of several.
    alphas : ndarray, shape (O,)
        The penalty of each output.
    at_edge : int
        -1 or 1 when a chosen penalty is the smallest or the largest of several, else 0.
    scores : ndarray, shape (A,)
        The score of each α, from the largest α to the smallest, lower is better: squared error on held-out
        rows, or the criterion of generalised cross-validation, both added up over outputs; empty when there was no choice.
    unseen : ndarray, shape (R', O), or None
        Outputs for the held-out rows by readouts with the chosen α that were fitted without these rows; None when no
        rows were held out.
    held_out : ndarray of int, shape (R',)
        The held-out rows.
    work : int
        Work in multiply-adds.
    """

    weights: np.ndarray
    bias: np.ndarray
    alpha: float
    alphas: np.ndarray
    at_edge: int
    scores: np.ndarray
    unseen: np.ndarray | None
    held_out: np.ndarray
    work: int


def ridge(
    features: np.ndarray,
    targets: np.ndarray,
    alphas: Sequence[float],
    *,
    select: str = "blocks",
    held_out: tuple[float, int] = (0.5, 2),
    sequences: np.ndarray | None = None,
    solver: str = "auto",
    each_output: bool = False,
) -> RidgeFit:
    """Return a linear readout fitted with the penalty that predicts best.

    Parameters
    ----------
    features : ndarray, shape (R, F), float64
        Rows in time order.
    targets : ndarray, shape (R, O), float64
    alphas : sequence of float
        Penalties to choose from, each above zero, per row: ``β`` of ``XXᵀ + βI`` is α times R, so that a
        grid has the same effect for short and long records.
    select : str
        ``"blocks"``: α is chosen on held-out rows, the last ones, each block predicted from all rows before it; or, of
        several sequences, on whole held-out sequences, each block predicted from all other sequences.
        ``"gcv"``: generalised cross-validation on all rows.
    held_out : tuple of float and int
        Share of the rows, or of the sequences, that is divided into blocks, and their number.
    sequences : ndarray of int, shape (R,), optional
        The sequence of each row; all rows are one record by default. When targets have only two values, each block has
        about the same share of every class, which is the target of a sequence at its last row.
    solver : str
        ``"svd"`` works on the rows (QR, then bidiagonal form), which keeps directions of X down to 1e-16 of the largest.
        ``"cholesky"`` works on their Gram matrix: directions down to 1e-8, in about half the time.
        ``"auto"`` is ``"svd"`` up to 600 features.
    each_output : bool
        Whether every output has the penalty that predicts it best, in place of one for all.

    Notes
    -----
    The bias is not penalised, so a constant added to the targets is added to the predictions and changes
    nothing else. All arithmetic is float64 with one BLAS thread.

    Source: Hoerl & Kennard 1970 (ridge); Golub, Heath & Wahba 1979, eq. 1.4 (GCV), which assumes errors
    that are independent from row to row. States of a reservoir are correlated in time, and often the errors
    are as well; then it tends to choose an α that is too small. Deviation from Lukoševičius
    2012, eq. 9: the bias is not penalised and the penalty is per row.
    """
    grid = np.sort(np.asarray(alphas, dtype=np.float64))[::-1]  # of equal scores the larger penalty is chosen
    x, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    choice = len(grid) > 1 and len(x) > 1
    pieces = undivided(len(x))
    if choice and select == "blocks":
        many = sequences is not None and len(np.unique(sequences)) > 1
        pieces = (
            by_sequence(sequences, _classes(sequences, y), *held_out)
            if sequences is not None and many
            else by_time(len(x), *held_out)
        )
    unseen = None
    with one_thread():
        sums = _solver(solver, x.shape[1])(x, y, pieces)
        places, scores = np.zeros(y.shape[1], np.int64), np.zeros(0)
        if choice:
            by_output, outputs = _held_out(sums, grid) if pieces.trials else _generalised(sums, grid)
            scores = by_output.sum(axis=1)
            places[:] = np.argmin(by_output, axis=0) if each_output else np.argmin(scores)
            if pieces.trials:
                unseen = np.take_along_axis(outputs, places[None, None], axis=1)[:, 0]
        weights, bias = np.empty((y.shape[1], x.shape[1])), np.empty(y.shape[1])
        for place in np.unique(places):
            solved = sums.readout(grid[place])
            used = places == place
            weights[used], bias[used] = solved[0][used], solved[1][used]
    edge = int((places == 0).any()) or -int((places == len(grid) - 1).any()) if choice else 0
    alphas_used = grid[places]
    alpha = float(alphas_used.max(initial=grid[-1]))
    return RidgeFit(weights, bias, alpha, alphas_used, edge, scores, unseen, pieces.held_out, sums.work)


def ridge_path(
    features: np.ndarray, targets: np.ndarray, alphas: Sequence[float], *, solver: str = "auto"
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the readout of every penalty on all rows.

    Parameters
    ----------
    features : ndarray, shape (R, F), float64
    targets : ndarray, shape (R, O), float64
    alphas : sequence of float
        A penalties, as for `ridge`.
    solver : str
        As for `ridge`.

    Returns
    -------
    weights : ndarray, shape (A, O, F)
    bias : ndarray, shape (A, O)
    work : int
        Work in multiply-adds.
    """
    grid = np.asarray(alphas, dtype=np.float64)
    with one_thread():
        sums = _solver(solver, features.shape[1])(features, targets, undivided(len(features)))
        weights, bias, _ = sums.solve(sums.division.pieces, grid)
        sums.charge(sums.division.pieces, grid)
        weights = weights.transpose(1, 2, 0)
        return weights, bias + sums.y_shift - weights @ sums.x_shift, sums.work


def ridge_each(features: np.ndarray, targets: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Return readouts with one penalty for the features of many networks.

    Parameters
    ----------
    features : ndarray, shape (P, R, F), float64
        Finite.
    targets : ndarray, shape (R, O), float64
    alpha : float
        Above zero, as for `ridge`; at least 2e-16 times the trace of each Gram matrix.

    Returns
    -------
    weights : ndarray, shape (P, O, F)
    bias : ndarray, shape (P, O)
    work : int
        Work in multiply-adds: ``R F (F + O) + F³/3 + F² O`` for each network.
    """
    each, rows, width = features.shape
    x_mean, y_mean = features.mean(axis=1), targets.mean(axis=0)
    x, y = features - x_mean[:, None], targets - y_mean
    with one_thread():
        gram, cross = x.swapaxes(1, 2) @ x / rows, x.swapaxes(1, 2) @ y / rows
        diagonal = np.einsum("pii->pi", gram)
        diagonal += np.maximum(alpha, np.finfo(np.float64).eps * diagonal.sum(axis=1, keepdims=True))
        weights = np.linalg.solve(gram, cross).swapaxes(1, 2)
        bias = y_mean - np.einsum("pof,pf->po", weights, x_mean)
    outputs = y.shape[1]
    work = rows * width * (width + outputs) + width**3 // 3 + width**2 * outputs
    return weights, bias, each * work


def _solver(name: str, width: int) -> type[Solver]:
    """Return the class of a solver for a number of features."""
    return Rows if name == "svd" or (name == "auto" and width <= AFFORDABLE) else Gram


def _classes(sequences: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the class of each sequence, (B,): its last target if targets have two values, else the same for all."""
    classes = np.zeros(int(sequences.max()) + 1, np.int64)
    if np.isin(targets, (targets.min(), targets.max())).all():
        last = np.zeros(len(classes), np.int64)
        last[sequences] = np.arange(len(sequences))  # of equal indices the last one stays
        classes = np.unique(targets[last], axis=0, return_inverse=True)[1].reshape(-1)
    return classes


def _held_out(sums: Solver, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared error of every α and output on the held-out rows, (A, O), and the outputs there, (R', A, O)."""
    trials = sums.division.trials
    solved = together([partial(sums.solve, fitted, grid) for fitted, _ in trials])
    total, outputs, rows = np.zeros((len(grid), sums.outputs)), [], 0
    for (fitted, piece), (weights, bias, _) in zip(trials, solved):
        sums.charge(fitted, grid)
        predicted = sums.predict(piece, weights, bias)
        total += np.square(predicted - sums.y[sums.division.rows(piece), None]).sum(axis=0)
        outputs.append(predicted + sums.y_shift)
        rows += len(predicted)
    return np.where(np.isfinite(total), total, np.inf) / rows, np.concatenate(outputs)


def _generalised(sums: Solver, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the criterion of generalised cross-validation for every α and output, (A, O), and the outputs."""
    pieces = sums.division.pieces
    weights, bias, values = sums.solve(pieces, grid, values=True)
    sums.charge(pieces, grid)
    predicted = sums.predict(0, weights, bias)
    error = np.square(predicted - sums.y[:, None]).mean(axis=0)
    freedom = 1 + (values / (values + grid[:, None])).sum(axis=1)  # the bias counts as one
    remaining = np.maximum(1 - freedom / len(sums.y), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = error / remaining[:, None] ** 2
    return np.where(np.isfinite(score), score, np.inf), predicted
