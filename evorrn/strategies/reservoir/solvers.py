"""Two ways to solve ridge regression with a grid of penalties: from the rows themselves, or from their Gram matrix.

The readout ``y = W x + b`` of R rows minimises ``mean |y - W x - b|² + α |W|²``.
"""

from __future__ import annotations

import itertools
from functools import partial, reduce

import numpy as np

from evorrn.kernels.threads import together
from evorrn.strategies.reservoir import triangles
from evorrn.strategies.reservoir.bidiagonal import Bidiagonal
from evorrn.strategies.reservoir.division import Division
from evorrn.strategies.reservoir.tridiagonal import Tridiagonal

PARTS = 4
"""Equal parts of the rows whose products are computed in parallel."""

ROUNDING = 10 * np.finfo(np.float64).eps
"""Smallest penalty, as a share of the largest eigenvalue of a Gram matrix, that stays positive after rounding."""

Solution = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Weights (F, A, O) and biases (A, O) of every penalty, and the eigenvalues (F,) of ``XᵀX / R`` or nothing."""


class Solver:
    """Rows in pieces, and the ridge solutions on some of the pieces.

    The mean of all rows is subtracted first, so that centring the used rows loses no digits. What is computed for each
    piece in parallel depends only on the data, so that results do not depend on the number of threads.

    Parameters
    ----------
    features : ndarray, shape (R, F), float64
    targets : ndarray, shape (R, O), float64
    division : Division

    Attributes
    ----------
    x, y : ndarray
        Rows in the order of the pieces, shifted.
    work : int
        Multiply-adds so far.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, division: Division) -> None:
        self.division = division
        self.width, self.outputs = features.shape[1], targets.shape[1]
        self.x_shift, self.y_shift = features.mean(axis=0), targets.mean(axis=0)
        order = division.order
        self.x = (features if order is None else features[order]) - self.x_shift
        self.y = (targets if order is None else targets[order]) - self.y_shift
        self.work = 0

    def solve(self, pieces: tuple[int, ...], grid: np.ndarray, values: bool = False) -> Solution:
        """Return the solutions on some pieces; may run in parallel, so `charge` counts its work."""
        raise NotImplementedError

    def charge(self, pieces: tuple[int, ...], grid: np.ndarray) -> None:
        """Count the work of one call of `solve`."""
        raise NotImplementedError

    def last(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (F, O) and bias (O,) of one penalty on all pieces, and count the work."""
        grid = np.array([alpha])
        weights, bias, _ = self.solve(self.division.pieces, grid)
        self.charge(self.division.pieces, grid)
        return weights[:, 0], bias[0]

    def predict(self, piece: int, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Return shifted outputs (R', A, O) for the rows of a piece."""
        x = self.x[self.division.rows(piece)]
        self.work += len(x) * weights.size
        return np.tensordot(x, weights, axes=1) + bias

    def readout(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (O, F) and bias (O,) of one penalty, for rows that are not shifted."""
        weights, bias = self.last(alpha)
        return weights.T, bias + self.y_shift - self.x_shift @ weights


class Rows(Solver):
    """Solutions from the rows: QR of every piece, then for a grid of penalties the bidiagonal form of R, see `Bidiagonal`.

    With a column of ones before the features, R of the centred rows is a block of R, and the bias is not penalised.
    Triangles of pieces, one below the other, have the same R as their rows. For one penalty they get another below
    them, the root of the penalty times the identity.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, division: Division) -> None:
        super().__init__(features, targets, division)
        self._columns = 1 + self.width + self.outputs
        self._triangles = together([partial(self._triangle, piece) for piece in division.pieces])
        self._leading = self._triangles[:1]
        self._charged = 1
        self.work += triangles.rows_work(len(self.x), self._columns)

    def _triangle(self, piece: int) -> np.ndarray:
        """Return R (C, C) of a piece's ones, features and targets."""
        upper = np.zeros((self._columns, self._columns), order="F")
        for rows in triangles.blocks(self.division.rows(piece), self._columns):
            block = np.empty((rows.stop - rows.start, self._columns), order="F")
            block[:, 0] = 1
            block[:, 1 : 1 + self.width] = self.x[rows]
            block[:, 1 + self.width :] = self.y[rows]
            triangles.update(upper, block)
        return upper

    def _joined(self, pieces: tuple[int, ...]) -> np.ndarray:
        """Return R of some pieces, joined one after the other; those of the first pieces are kept."""
        if not self._leads(pieces):
            return reduce(triangles.join, [self._triangles[piece] for piece in pieces])
        leading = self._leading
        for piece in pieces[len(leading) :]:
            leading = [*leading, triangles.join(leading[-1], self._triangles[piece])]
        self._leading = max(self._leading, leading, key=len)  # other threads find one list or the other
        return leading[len(pieces) - 1]

    def _leads(self, pieces: tuple[int, ...]) -> bool:
        """Return whether some pieces are the first ones."""
        return pieces == self.division.pieces[: len(pieces)]

    def solve(self, pieces: tuple[int, ...], grid: np.ndarray, values: bool = False) -> Solution:
        """Return the solutions on some pieces."""
        joined, end = self._joined(pieces), 1 + self.width
        edges = self.division.edges
        rows = sum(edges[piece + 1] - edges[piece] for piece in pieces)
        reduced = Bidiagonal(np.triu(joined[1:end, 1:end]))
        weights = reduced.solve(joined[1:end, end:], rows * grid)
        return weights, self._bias(joined, weights), reduced.values**2 / rows if values else np.zeros(0)

    def last(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (F, O) and bias (O,) of one penalty on all pieces, and count the work."""
        from scipy.linalg import solve_triangular

        joined = self._joined(self.division.pieces)
        self._charge_joins(self.division.pieces)
        solved = triangles.penalise(joined[1:, 1:], self.width, np.sqrt(len(self.x) * alpha))
        self.work += triangles.join_work(self._columns) + self.width**2 * self.outputs
        upper, right = solved[: self.width, : self.width], solved[: self.width, self.width :]
        weights = solve_triangular(upper, right, check_finite=False)
        return weights, self._bias(joined, weights)

    def _bias(self, joined: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the biases that belong to weights (F, ..., O), from the means in the first row of R."""
        means = joined[0, 1:] / joined[0, 0]
        return np.asarray(means[self.width :] - np.tensordot(means[: self.width], weights, axes=1))

    def charge(self, pieces: tuple[int, ...], grid: np.ndarray) -> None:
        """Count the work of one call of `solve`."""
        self._charge_joins(pieces)
        # Bidiagonal reduction: 8/3 F³ operations (Golub & Van Loan, 5.4.3); then products with Q and P.
        self.work += 4 * self.width**3 // 3 + (1 + len(grid)) * self.outputs * self.width**2
        self.work += self.width * len(grid) * (12 + 6 * self.outputs)

    def _charge_joins(self, pieces: tuple[int, ...]) -> None:
        """Count the work of joining pieces, of the first ones only what was not counted before."""
        joins = len(pieces) - 1
        if self._leads(pieces):
            joins, self._charged = max(len(pieces) - self._charged, 0), max(len(pieces), self._charged)
        self.work += joins * triangles.join_work(self._columns)


class Gram(Solver):
    """Solutions from the Gram matrix of the rows, whose condition number is the square of theirs.

    Directions of X below about 1e-8 of the largest are lost in rounding; α is at least 2e-15 times the largest
    eigenvalue while penalties are compared. The readout of one α is solved by Cholesky decomposition.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, division: Division) -> None:
        super().__init__(features, targets, division)
        rows = len(self.x)
        self.work += rows * self.width * (self.width + self.outputs)
        cuts = sorted({*division.edges, *np.linspace(0, rows, PARTS + 1).round().astype(int).tolist()})
        spans = list(itertools.pairwise(cuts))
        sums = together([partial(self._products, start, stop) for start, stop in spans])
        self._sums = [
            [part for (start, stop), part in zip(spans, sums) if first <= start and stop <= end]
            for first, end in itertools.pairwise(division.edges)
        ]

    def _products(self, start: int, stop: int) -> tuple[np.ndarray, ...]:
        """Return the sums of products over the rows from start to stop, and their number."""
        x, y = self.x[start:stop], self.y[start:stop]
        return x.T @ x, x.T @ y, x.sum(axis=0), y.sum(axis=0), np.array(stop - start)

    def _centred(self, pieces: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return G (F, F), C (F, O) and the means of X and Y over some pieces."""
        parts = [part for piece in pieces for part in self._sums[piece]]
        totals = [np.zeros_like(field) for field in parts[0]]
        for part in parts:
            totals = [total + field for total, field in zip(totals, part)]
        gram, cross, x_sum, y_sum, used = totals
        x_mean, y_mean = x_sum / used, y_sum / used
        centred = gram / used
        centred -= np.outer(x_mean, x_mean)
        return centred, cross / used - np.outer(x_mean, y_mean), x_mean, y_mean

    def solve(self, pieces: tuple[int, ...], grid: np.ndarray, values: bool = False) -> Solution:
        """Return the solutions on some pieces."""
        gram, cross, x_mean, y_mean = self._centred(pieces)
        reduced = Tridiagonal(gram)
        found = reduced.values
        # Rounding can make eigenvalues slightly negative; a shift must be larger than that.
        floor = np.maximum(grid, ROUNDING * found[-1]) + max(-found[0], 0)
        weights = reduced.solve(cross, floor)
        return weights, y_mean - np.tensordot(x_mean, weights, axes=1), np.maximum(found, 0)

    def charge(self, pieces: tuple[int, ...], grid: np.ndarray) -> None:
        """Count the work of one call of `solve`."""
        # Tridiagonal reduction: 4/3 F³ operations (Golub & Van Loan, 8.3.1); then two products with Q.
        self.work += 2 * self.width**3 // 3 + (1 + len(grid)) * self.outputs * self.width**2

    def last(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (F, O) and bias (O,) of one penalty on all pieces, and count the work."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        gram, cross, x_mean, y_mean = self._centred(self.division.pieces)
        diagonal = np.einsum("ii->i", gram)
        diagonal += alpha
        try:
            # The transpose of a symmetric matrix has the memory layout that LAPACK expects.
            factor = cho_factor(gram.T, overwrite_a=True, check_finite=False)
        except LinAlgError:  # α is below the rounding of a singular Gram matrix
            return super().last(alpha)
        weights = cho_solve(factor, cross, check_finite=False)
        self.work += self.width**3 // 3 + self.width**2 * cross.shape[1]
        return weights, y_mean - x_mean @ weights
