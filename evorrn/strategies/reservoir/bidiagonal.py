"""Ridge solutions of a least-squares problem with many penalties: ``min |A w - c|² + λ² |w|²`` for a grid of λ².

With ``A = Q B Pᵀ``, B upper bidiagonal, each further λ costs very little. A itself is reduced and not AᵀA, which would
square the condition number: directions down to 1e-16 of the largest keep their digits, in place of 1e-8.
"""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import cached
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
        solved = np.empty((self._size, len(penalties), right.shape[1]))
        _eliminate(self._diagonal, self._above, rotated, np.sqrt(penalties), solved)
        return self._rotate(b"P", b"N", solved.reshape(self._size, -1)).reshape(solved.shape)

    def _rotate(self, side: bytes, transposed: bytes, columns: np.ndarray) -> np.ndarray:
        """Return Q or P (or its transpose) times columns."""
        result = np.array(columns, np.float64, order="F")
        factors = self._left if side == b"Q" else self._right
        work = np.empty(BLOCK * max(self._size, result.shape[1]))
        matrix = (self._size, self._reflectors, self._size, factors)
        call("dormbr", side, b"L", transposed, *result.shape, *matrix, result, self._size, work, len(work))
        return result


@cached
def _eliminate(
    diagonal: np.ndarray, above: np.ndarray, rotated: np.ndarray, roots: np.ndarray, solved: np.ndarray
) -> None:
    """Solve ``min |B w - c|² + λ² |w|²`` of an upper bidiagonal matrix for every λ.

    Parameters
    ----------
    diagonal, above : ndarray, shape (F,)
        B; the last entry of `above` is zero.
    rotated : ndarray, shape (F, O)
        c.
    roots : ndarray, shape (A,)
        λ.
    solved : ndarray, shape (F, A, O)
        The solutions, which are written.
    """
    size, outputs = rotated.shape
    pivots, beyond, left = np.empty(size), np.empty(size), np.empty(outputs)
    for place in range(len(roots)):
        # The rows of λ I are rotated into those of B one after the other: `row` is what is left of the present one.
        root, row = roots[place], roots[place]
        left[:] = 0.0
        for k in range(size):
            pivots[k] = np.hypot(diagonal[k], row)
            cosine, sine = diagonal[k] / pivots[k], row / pivots[k]
            beyond[k] = cosine * above[k]
            rest = -sine * above[k]
            row = np.hypot(root, rest)
            for o in range(outputs):
                solved[k, place, o] = cosine * rotated[k, o] + sine * left[o]
                left[o] = rest / row * (cosine * left[o] - sine * rotated[k, o])
        for o in range(outputs):
            solved[size - 1, place, o] /= pivots[size - 1]
            for k in range(size - 2, -1, -1):
                solved[k, place, o] = (solved[k, place, o] - beyond[k] * solved[k + 1, place, o]) / pivots[k]
