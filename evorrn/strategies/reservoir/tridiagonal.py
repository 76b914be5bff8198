"""Solutions of a symmetric system with many shifts: ``(G + αI)⁻¹ c`` for a grid of α.

With ``G = Q T Qᵀ``, T tridiagonal, each further α costs very little, and T has the eigenvalues of G. An
eigendecomposition gives the same and takes four times as long, because it computes the eigenvectors.
"""

from __future__ import annotations

import numpy as np

from evorrn.strategies.reservoir.lapack import BLOCK, call


class Tridiagonal:
    """The tridiagonal form of a symmetric matrix.

    Parameters
    ----------
    matrix : ndarray, shape (F, F), float64
        Symmetric and finite; overwritten.

    Attributes
    ----------
    values : ndarray, shape (F,)
        The eigenvalues in increasing order.

    Notes
    -----
    Source: Eldén 1977, "Algorithms for the regularization of ill-conditioned least squares problems",
    who reduces the data matrix to bidiagonal form; here the normal equations are reduced to tridiagonal form.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        self._size = len(matrix)
        # The transpose of a symmetric matrix has the memory layout that LAPACK expects.
        self._reflectors = np.asfortranarray(matrix.T)
        self._diagonal, self._off_diagonal = np.empty(self._size), np.empty(max(self._size - 1, 1))
        self._factors = np.empty(max(self._size - 1, 1))
        arguments = (self._reflectors, self._size, self._diagonal, self._off_diagonal, self._factors)
        work = np.empty(BLOCK * self._size)
        call("dsytrd", b"L", self._size, *arguments, work, len(work))
        self.values = self._diagonal.copy()
        call("dsterf", self._size, self.values, self._off_diagonal.copy())

    def solve(self, right: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """Return ``(G + αI)⁻¹ right`` for every shift α.

        Parameters
        ----------
        right : ndarray, shape (F, O)
        shifts : ndarray, shape (A,)
            Each large enough to make all eigenvalues positive.

        Returns
        -------
        ndarray, shape (F, A, O)

        Raises
        ------
        numpy.linalg.LinAlgError
            When a shift is not large enough.
        """
        rotated = self._rotate(b"T", right)
        solved = []
        for shift in shifts:
            columns = rotated.copy(order="F")
            diagonal, off_diagonal = self._diagonal + shift, self._off_diagonal.copy()
            call("dptsv", self._size, right.shape[1], diagonal, off_diagonal, columns, self._size)
            solved.append(columns)
        return self._rotate(b"N", np.hstack(solved)).reshape(self._size, len(shifts), right.shape[1])

    def _rotate(self, transposed: bytes, columns: np.ndarray) -> np.ndarray:
        """Return Q (or its transpose) times columns."""
        result = np.array(columns, np.float64, order="F")
        work = np.empty(BLOCK * max(result.shape[1], 1))
        matrix = (self._reflectors, self._size, self._factors)
        sides = (b"L", b"L", transposed)
        call("dormtr", *sides, *result.shape, *matrix, result, self._size, work, len(work))
        return result
