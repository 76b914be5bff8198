"""Ridge solutions of a least-squares problem with many penalties: ``min |A w - c|² + λ² |w|²`` for a grid of λ².

With ``A = Q B Pᵀ``, B upper bidiagonal, each further λ costs very little. A itself is reduced and not AᵀA, which would
square the condition number: directions down to 1e-16 of the largest keep their digits, in place of 1e-8.
"""

from __future__ import annotations

import numpy as np

from evorrn.strategies.reservoir.lapack import BLOCK, call


class Bidiagonal:
    """The bidiagonal form of a square matrix, which has its singular values.

    Parameters
    ----------
    matrix : ndarray, shape (F, F), float64
        Finite.

    Notes
    -----
    Source: Eldén 1977, "Algorithms for the regularization of ill-conditioned least squares problems", section 4.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        self._size = size = len(matrix)
        self._reflectors = np.array(matrix, np.float64, order="F")
        self._diagonal, self._above = np.empty(size), np.zeros(size)
        self._left, self._right = np.empty(size), np.empty(size)
        arguments = (self._reflectors, size, self._diagonal, self._above, self._left, self._right)
        work = np.empty(2 * BLOCK * size)
        call("dgebrd", size, size, *arguments, work, len(work))

    @property
    def values(self) -> np.ndarray:
        """The singular values in decreasing order, shape (F,)."""
        values, above, unused = self._diagonal.copy(), self._above.copy(), np.empty(1)
        size, work = self._size, np.empty(4 * self._size)
        call("dbdsqr", b"U", size, 0, 0, 0, values, above, unused, 1, unused, 1, unused, 1, work)
        return values

    def solve(self, right: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """Return the w of every penalty λ².

        Parameters
        ----------
        right : ndarray, shape (F, O)
            c.
        penalties : ndarray, shape (A,)
            λ², each above zero.

        Returns
        -------
        ndarray, shape (F, A, O)
        """
        rotated = self._rotate(b"Q", b"T", right)
        outputs = right.shape[1]
        solved = np.empty((self._size, len(penalties), outputs))
        pivots = np.empty((self._size, len(penalties), 1))
        above = np.empty_like(pivots)
        root = np.sqrt(penalties)[:, None]
        # The rows of λ I are rotated into those of B one after the other: `row` is what is left of the present one.
        row, row_right = root, np.zeros((len(penalties), outputs))
        for k in range(self._size):
            pivot = np.hypot(self._diagonal[k], row)
            cosine, sine = self._diagonal[k] / pivot, row / pivot
            pivots[k], above[k] = pivot, cosine * self._above[k]
            solved[k] = cosine * rotated[k] + sine * row_right
            left_over, left_right = -sine * self._above[k], cosine * row_right - sine * rotated[k]
            row = np.hypot(root, left_over)
            row_right = left_over / row * left_right
        solved[-1] /= pivots[-1]
        for k in range(self._size - 2, -1, -1):
            solved[k] = (solved[k] - above[k] * solved[k + 1]) / pivots[k]
        return self._rotate(b"P", b"N", solved.reshape(self._size, -1)).reshape(solved.shape)

    def _rotate(self, side: bytes, transposed: bytes, columns: np.ndarray) -> np.ndarray:
        """Return Q or P (or its transpose) times columns."""
        result = np.array(columns, np.float64, order="F")
        factors = self._left if side == b"Q" else self._right
        work = np.empty(BLOCK * max(self._size, result.shape[1]))
        matrix = (self._size, self._reflectors, self._size, factors)
        call("dormbr", side, b"L", transposed, *result.shape, *matrix, result, self._size, work, len(work))
        return result


def triangle(matrix: np.ndarray) -> np.ndarray:
    """Return R (min(N, M), M) of the QR decomposition of a matrix (N, M), which is overwritten; Fortran order."""
    rows, columns = matrix.shape
    factors, work = np.empty(min(rows, columns)), np.empty(BLOCK * columns)
    call("dgeqrf", rows, columns, matrix, rows, factors, work, len(work))
    return np.triu(matrix[: min(rows, columns)])


def triangle_work(rows: int, columns: int) -> int:
    """Return the multiply-adds of `triangle` (Golub & Van Loan, 5.2.1)."""
    high, low = max(rows, columns), min(rows, columns)
    return high * low**2 - low**3 // 3
