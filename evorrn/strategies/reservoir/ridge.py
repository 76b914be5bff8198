"""Ridge regression over a whole grid of penalties for little more than the price of one.

The readout ``y = W x + b`` of R rows minimises ``mean |y - W x - b|² + α |W|²``. With rows centred,
``G = XᵀX / R = V Λ Vᵀ`` and ``C = XᵀY / R``, the solution for every α is ``V (Λ + α)⁻¹ Vᵀ C``: one
eigendecomposition serves the grid. α is chosen on blocks of rows held out in time order, or by
generalised cross-validation; then all rows are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.blas import one_thread


@dataclass(frozen=True)
class RidgeFit:
    """A solved readout.

    Attributes
    ----------
    weights : ndarray, shape (O, F)
    bias : ndarray, shape (O,)
    alpha : float
        The penalty that was chosen.
    scores : ndarray, shape (A,)
        What each α was judged by, from the largest down: squared error on held-out rows, or the
        criterion of generalised cross-validation; empty when there was nothing to choose by.
    unseen : ndarray, shape (R', O), or None
        Outputs for the last R' rows by readouts with the chosen α that had not seen them; None when
        nothing was held out.
    work : int
        Multiply-adds.
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
    """Fit a linear readout with the penalty that predicts best.

    Parameters
    ----------
    features : ndarray, shape (R, F), float64
        Rows in time order.
    targets : ndarray, shape (R, O), float64
    alphas : sequence of float
        Penalties to choose from, each above zero, in units of a squared error per squared weight: ``β``
        of ``XXᵀ + βI`` is α times R, so that a grid means the same for short and long records.
    select : str
        ``"blocks"``: the last rows are cut into blocks, each predicted from all rows before it.
        ``"gcv"``: generalised cross-validation on all rows.
    held_out : float
        Share of the rows that blocks are cut from.
    blocks : int
        Number of blocks.

    Notes
    -----
    The bias carries no penalty, so adding a constant to the targets adds it to the predictions and
    changes nothing else. Everything is float64 under one BLAS thread. Since the Gram matrix is
    solved, directions of X below about 1e-8 of the largest are lost in rounding; an α under
    2e-16 times the largest eigenvalue is raised to that.

    Source: Hoerl & Kennard 1970 (ridge); Golub, Heath & Wahba 1979, eq. 1.4 (GCV), which assumes errors
    that are independent from row to row: states of a reservoir are correlated in time and so often
    are the errors, in which case it tends to choose an α that is too small. Deviation from Lukoševičius
    2012, eq. 9: the bias is not penalised and the penalty is per row.
    """
    grid = np.sort(np.asarray(alphas, dtype=np.float64))[::-1]  # a tie goes to the larger penalty
    with one_thread():
        sums = _Sums(np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64))
        if len(grid) == 1 or sums.rows == 1:
            sums.add(sums.rows)
            chosen, scores, unseen = 0, np.zeros(0), None
        elif select == "gcv":
            sums.add(sums.rows)
            scores, unseen = _generalised(sums, grid), None
            chosen = int(np.argmin(scores))
        else:
            scores, outputs = _blocks(sums, grid, held_out, blocks)
            chosen = int(np.argmin(scores))
            unseen = outputs[:, chosen]
        weights, bias = sums.solve(grid[chosen])
    return RidgeFit(weights, bias, float(grid[chosen]), scores, unseen, sums.work)


def _blocks(sums: _Sums, grid: np.ndarray, held_out: float, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared error of every α on the held-out rows, and the outputs (R', A, O) behind it."""
    last = min(max(round(held_out * sums.rows), 1), sums.rows - 1)
    edges = np.unique(np.linspace(sums.rows - last, sums.rows, blocks + 1).round().astype(int))
    total, outputs = np.zeros(len(grid)), [np.zeros((0, len(grid), sums.y.shape[1]))]
    sums.add(int(edges[0]))
    for stop in edges[1:]:
        rows = slice(sums.used, int(stop))
        predicted = sums.predict(rows, *sums.solve_all(grid)[:2])
        total += np.square(predicted - sums.y[rows, None]).sum(axis=(0, 2))
        outputs.append(predicted + sums.y_shift)
        sums.add(int(stop))
    return np.where(np.isfinite(total), total, np.inf) / last, np.concatenate(outputs)


def _generalised(sums: _Sums, grid: np.ndarray) -> np.ndarray:
    """Return the criterion of generalised cross-validation for every α."""
    weights, bias, values = sums.solve_all(grid)
    predicted = sums.predict(slice(0, sums.rows), weights, bias)
    error = np.square(predicted - sums.y[:, None]).sum(axis=2).mean(axis=0)
    freedom = 1 + (values / (values + grid[:, None])).sum(axis=1)  # the bias counts as one
    remaining = np.maximum(1 - freedom / sums.rows, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = error / remaining**2
    return np.where(np.isfinite(score), score, np.inf)


class _Sums:
    """Sums of products over the first `used` rows, grown block by block, and the solutions they give.

    Rows are shifted by the mean of all rows once, so that centring on the rows in use loses no digits.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray) -> None:
        self.rows, self.width = features.shape
        self.x_shift, self.y_shift = features.mean(axis=0), targets.mean(axis=0)
        self.x, self.y = features - self.x_shift, targets - self.y_shift
        self.used = 0
        self.work = 0
        outputs = targets.shape[1]
        self.gram = np.zeros((self.width, self.width))
        self.cross = np.zeros((self.width, outputs))
        self.x_sum, self.y_sum = np.zeros(self.width), np.zeros(outputs)

    def add(self, stop: int) -> None:
        """Take the rows up to `stop` into the sums."""
        x, y = self.x[self.used : stop], self.y[self.used : stop]
        self.gram += x.T @ x
        self.cross += x.T @ y
        self.x_sum += x.sum(axis=0)
        self.y_sum += y.sum(axis=0)
        self.work += len(x) * self.width * (self.width + y.shape[1])
        self.used = stop

    def _centred(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        x_mean, y_mean = self.x_sum / self.used, self.y_sum / self.used
        gram = self.gram / self.used - np.outer(x_mean, x_mean)
        cross = self.cross / self.used - np.outer(x_mean, y_mean)
        return gram, cross, x_mean, y_mean

    def solve_all(self, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weights (F, A, O) and biases (A, O) of every α, and the eigenvalues (F,)."""
        from scipy.linalg import eigh

        gram, cross, x_mean, y_mean = self._centred()
        values, vectors = eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
        values = np.maximum(values, 0)
        floor = np.maximum(grid, np.finfo(np.float64).eps * values[-1])
        scaled = (vectors.T @ cross)[:, None, :] / (values[:, None] + floor)[:, :, None]
        weights = np.tensordot(vectors, scaled, axes=1)
        outputs = cross.shape[1]
        # Symmetric eigendecomposition with vectors: 9 F³ operations (Golub & Van Loan, 8.3).
        self.work += 9 * self.width**3 // 2 + len(grid) * outputs * self.width**2
        return weights, y_mean - np.tensordot(x_mean, weights, axes=1), values

    def predict(self, rows: slice, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Return outputs (R', A, O) for shifted rows."""
        x = self.x[rows]
        self.work += len(x) * weights.size
        return np.tensordot(x, weights, axes=1) + bias

    def solve(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (O, F) and bias (O,) of one α, for rows as they came."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        gram, cross, x_mean, y_mean = self._centred()
        diagonal = np.einsum("ii->i", gram)
        diagonal += alpha
        try:
            factor = cho_factor(gram, overwrite_a=True, check_finite=False)
            weights = cho_solve(factor, cross, check_finite=False)
            bias = y_mean - x_mean @ weights
            self.work += self.width**3 // 3 + self.width**2 * cross.shape[1]
        except LinAlgError:  # α is lost in the rounding of a singular Gram matrix
            all_weights, all_bias, _ = self.solve_all(np.array([alpha]))
            weights, bias = all_weights[:, 0], all_bias[0]
        return weights.T, bias + self.y_shift - self.x_shift @ weights
