"""Ridge regression with a grid of penalties, for little more work than with one.

The readout ``y = W x + b`` of R rows minimises ``mean |y - W x - b|² + α |W|²``. With rows centred,
``G = XᵀX / R = Q T Qᵀ``, T tridiagonal, and ``C = XᵀY / R``, the solution for every α is
``Q (T + α)⁻¹ Qᵀ C``: one reduction is used for all α. α is chosen on blocks of rows held out in time order, or by
generalised cross-validation; then all rows are used.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.kernels.threads import together
from evorrn.strategies.reservoir.tridiagonal import Tridiagonal

PIECES = 4
"""Equal parts of the rows whose products are computed in parallel."""

ROUNDING = 10 * np.finfo(np.float64).eps
"""Smallest penalty, as a share of the largest eigenvalue, that stays positive after rounding."""


@dataclass(frozen=True)
class RidgeFit:
    """A solved readout.

    Attributes
    ----------
    weights : ndarray, shape (O, F)
    bias : ndarray, shape (O,)
    alpha : float
        The chosen penalty.
    scores : ndarray, shape (A,)
        The score of each α, from the largest α to the smallest, lower is better: squared error on held-out
        rows, or the criterion of generalised cross-validation; empty when there was no choice.
    unseen : ndarray, shape (R', O), or None
        Outputs for the last R' rows by readouts with the chosen α that were fitted without these rows; None
        when no rows were held out.
    work : int
        Work in multiply-adds.
    """

    weights: np.ndarray
    bias: np.ndarray
    alpha: float
    scores: np.ndarray
    unseen: np.ndarray | None
    work: int


def ridge(
    features: np.ndarray,
    targets: np.ndarray,
    alphas: Sequence[float],
    *,
    select: str = "blocks",
    held_out: float = 0.5,
    blocks: int = 2,
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
        ``"blocks"``: the last rows are divided into blocks, each predicted from all rows before it.
        ``"gcv"``: generalised cross-validation on all rows.
    held_out : float
        Share of the rows that is divided into blocks.
    blocks : int
        Number of blocks.

    Notes
    -----
    The bias is not penalised, so a constant added to the targets is added to the predictions and changes
    nothing else. All arithmetic is float64 with one BLAS thread. The Gram matrix is solved, so directions
    of X below about 1e-8 of the largest are lost in rounding; α is at least 2e-15 times the largest
    eigenvalue.

    Source: Hoerl & Kennard 1970 (ridge); Golub, Heath & Wahba 1979, eq. 1.4 (GCV), which assumes errors
    that are independent from row to row. States of a reservoir are correlated in time, and often the errors
    are as well; then it tends to choose an α that is too small. Deviation from Lukoševičius
    2012, eq. 9: the bias is not penalised and the penalty is per row.
    """
    grid = np.sort(np.asarray(alphas, dtype=np.float64))[::-1]  # of equal scores the larger penalty is chosen
    x, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    rows = len(x)
    with one_thread():
        if len(grid) == 1 or rows == 1:
            sums = _Sums(x, y, [rows])
            chosen, scores, unseen = 0, np.zeros(0), None
        elif select == "gcv":
            sums = _Sums(x, y, [rows])
            scores, unseen = _generalised(sums, grid), None
            chosen = int(np.argmin(scores))
        else:
            last = min(max(round(held_out * rows), 1), rows - 1)
            edges = np.unique(np.linspace(rows - last, rows, blocks + 1).round().astype(int)).tolist()
            sums = _Sums(x, y, edges)
            scores, outputs = _blocks(sums, grid, edges)
            chosen = int(np.argmin(scores))
            unseen = outputs[:, chosen]
        weights, bias = sums.solve(grid[chosen])
    return RidgeFit(weights, bias, float(grid[chosen]), scores, unseen, sums.work)


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


def _blocks(sums: _Sums, grid: np.ndarray, edges: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared error of every α on the held-out rows, (A,), and the outputs there, (R', A, O)."""
    solved = together([partial(sums.solve_all, edge, grid) for edge in edges[:-1]])
    total, outputs = np.zeros(len(grid)), []
    for (start, stop), (weights, bias, _) in zip(itertools.pairwise(edges), solved):
        sums.charge_decomposition(grid)
        predicted = sums.predict(slice(start, stop), weights, bias)
        total += np.square(predicted - sums.y[start:stop, None]).sum(axis=(0, 2))
        outputs.append(predicted + sums.y_shift)
    return np.where(np.isfinite(total), total, np.inf) / (edges[-1] - edges[0]), np.concatenate(outputs)


def _generalised(sums: _Sums, grid: np.ndarray) -> np.ndarray:
    """Return the criterion of generalised cross-validation for every α."""
    weights, bias, values = sums.solve_all(sums.rows, grid)
    sums.charge_decomposition(grid)
    predicted = sums.predict(slice(0, sums.rows), weights, bias)
    error = np.square(predicted - sums.y[:, None]).sum(axis=2).mean(axis=0)
    freedom = 1 + (values / (values + grid[:, None])).sum(axis=1)  # the bias counts as one
    remaining = np.maximum(1 - freedom / sums.rows, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = error / remaining**2
    return np.where(np.isfinite(score), score, np.inf)


class _Sums:
    """Sums of products over the first rows, up to each of several edges, and the solutions from them.

    The mean of all rows is subtracted first, so that centring the used rows loses no digits. Pieces between
    the edges are summed in parallel and added in order; the pieces depend only on the data, so that the
    result does not depend on the number of threads.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, edges: list[int]) -> None:
        self.rows, self.width = features.shape
        self.x_shift, self.y_shift = features.mean(axis=0), targets.mean(axis=0)
        self.x, self.y = np.empty_like(features), targets - self.y_shift
        self.work = self.rows * self.width * (self.width + targets.shape[1])
        cuts = sorted({0, *edges, *np.linspace(0, self.rows, PIECES + 1).round().astype(int).tolist()})
        bounds = list(itertools.pairwise(cuts))
        pieces = together([partial(self._piece, features, start, stop) for start, stop in bounds])
        self._up_to: dict[int, tuple[np.ndarray, ...]] = {}
        running = tuple(np.zeros_like(part) for part in pieces[0])
        for (_, stop), piece in zip(bounds, pieces):
            running = tuple(total + part for total, part in zip(running, piece))
            if stop in edges:
                self._up_to[stop] = running

    def _piece(self, features: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, ...]:
        """Return the sums of products over the rows from start to stop."""
        x, y = self.x[start:stop], self.y[start:stop]
        np.subtract(features[start:stop], self.x_shift, out=x)
        return x.T @ x, x.T @ y, x.sum(axis=0), y.sum(axis=0)

    def _centred(self, used: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return G (F, F), C (F, O) and the means of X and Y over the first rows."""
        gram, cross, x_sum, y_sum = self._up_to[used]
        x_mean, y_mean = x_sum / used, y_sum / used
        centred = gram / used
        centred -= np.outer(x_mean, x_mean)
        return centred, cross / used - np.outer(x_mean, y_mean), x_mean, y_mean

    def solve_all(self, used: int, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weights (F, A, O) and biases (A, O) of every α for the first rows, and the eigenvalues (F,)."""
        gram, cross, x_mean, y_mean = self._centred(used)
        reduced = Tridiagonal(gram)
        values = reduced.values
        # Rounding can make eigenvalues slightly negative; a shift must be larger than that.
        floor = np.maximum(grid, ROUNDING * values[-1]) + max(-values[0], 0)
        weights = reduced.solve(cross, floor)
        return weights, y_mean - np.tensordot(x_mean, weights, axes=1), np.maximum(values, 0)

    def charge_decomposition(self, grid: np.ndarray) -> None:
        """Count the work of one call of `solve_all`, which may run in parallel and so does not count itself."""
        # Tridiagonal reduction: 4/3 F³ operations (Golub & Van Loan, 8.3.1); then two products with Q.
        self.work += 2 * self.width**3 // 3 + (1 + len(grid)) * self.y.shape[1] * self.width**2

    def predict(self, rows: slice, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Return outputs (R', A, O) for shifted rows."""
        x = self.x[rows]
        self.work += len(x) * weights.size
        return np.tensordot(x, weights, axes=1) + bias

    def solve(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (O, F) and bias (O,) of one α, for rows that are not shifted."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        gram, cross, x_mean, y_mean = self._centred(self.rows)
        diagonal = np.einsum("ii->i", gram)
        diagonal += alpha
        try:
            # The transpose of a symmetric matrix has the memory layout that LAPACK expects.
            factor = cho_factor(gram.T, overwrite_a=True, check_finite=False)
            weights = cho_solve(factor, cross, check_finite=False)
            bias = y_mean - x_mean @ weights
            self.work += self.width**3 // 3 + self.width**2 * cross.shape[1]
        except LinAlgError:  # α is below the rounding of a singular Gram matrix
            all_weights, all_bias, _ = self.solve_all(self.rows, np.array([alpha]))
            self.charge_decomposition(np.array([alpha]))
            weights, bias = all_weights[:, 0], all_bias[0]
        return weights.T, bias + self.y_shift - self.x_shift @ weights
