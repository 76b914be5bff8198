"""Embedding: a vector for each symbol, in packed sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evorrn.base.blas import one_thread


class Embedding(NamedTuple):
    """The first genes of a genome: a row of `size` numbers for each of `symbols` symbols.

    Attributes
    ----------
    symbols, size : int
    """

    symbols: int
    size: int

    @property
    def genes(self) -> slice:
        """Its genes in a genome."""
        return slice(0, self.symbols * self.size)

    def series(self, genomes: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the vectors (..., Q, T, size, L) of symbols (Q, T, 1, L), for genomes (..., n).

        Of vectors (Q, T, symbols, L), which need not have a one at a single place, it is the product with all rows.
        """
        rows = genomes[..., self.genes].reshape(*genomes.shape[:-1], self.symbols, self.size)
        if x.shape[2] > 1:
            with one_thread():
                return np.matmul(np.swapaxes(rows, -1, -2)[..., None, None, :, :], x)
        found = np.take(rows, x[:, :, 0].astype(np.int64), axis=-2)
        return np.ascontiguousarray(np.moveaxis(found, -1, -2))

    def back(self, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient of its genes, from that of the vectors (Q, T, size, L); each row is added in float64."""
        if x.shape[2] > 1:
            with one_thread():
                wide = (x.astype(np.float64), gradient.astype(np.float64))
                return np.tensordot(*wide, axes=((0, 1, 3), (0, 1, 3))).ravel().astype(gradient.dtype)
        symbols = x[:, :, 0].astype(np.int64).ravel()
        rows = np.moveaxis(gradient, 2, -1).reshape(len(symbols), self.size)
        order = np.argsort(symbols, kind="stable")
        known, first = np.unique(symbols[order], return_index=True)
        result = np.zeros((self.symbols, self.size))
        result[known] = np.add.reduceat(rows[order], first, axis=0, dtype=np.float64)
        return result.ravel().astype(gradient.dtype)
