"""Embedding: a vector for each symbol, in packed sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


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
        """Return the vectors (..., Q, T, size, L) of symbols (Q, T, 1, L), for genomes (..., n)."""
        rows = genomes[..., self.genes].reshape(*genomes.shape[:-1], self.symbols, self.size)
        found = np.take(rows, x[:, :, 0].astype(np.int64), axis=-2)
        return np.ascontiguousarray(np.moveaxis(found, -1, -2))

    def back(self, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient of its genes, from that of the vectors (Q, T, size, L); each row is added in float64."""
        symbols = x[:, :, 0].astype(np.int64).ravel()
        rows = np.moveaxis(gradient, 2, -1).reshape(len(symbols), self.size)
        order = np.argsort(symbols, kind="stable")
        known, first = np.unique(symbols[order], return_index=True)
        result = np.zeros((self.symbols, self.size))
        result[known] = np.add.reduceat(rows[order], first, axis=0, dtype=np.float64)
        return result.ravel().astype(gradient.dtype)
