"""Which units of a reservoir are linked, the distribution of the weights, and the spectral radius."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.compile.initial import orthogonal

TOPOLOGIES = ("random", "small-world", "cycle", "jump-cycle", "delay-line", "orthogonal")
DRAWN = ("random", "small-world")
"""Topologies with a number of links into each unit, whose weights are drawn."""
DISTRIBUTIONS = ("uniform", "normal", "sign")

DENSE_EIGENVALUES = 256
"""Largest size at which all eigenvalues are computed; Arnoldi iteration finds the largest of bigger matrices."""


@dataclass(frozen=True)
class Graph:
    """The links of a reservoir and the distribution of its weights.

    Attributes
    ----------
    topology : str
        One of `TOPOLOGIES`.
    distribution : str
        ``"uniform"`` on [-1, 1], ``"normal"`` with standard deviation 1, or ``"sign"``, -1 or 1.
    jump : int
        Units that a shortcut of ``"jump-cycle"`` passes.
    moved : float
        Share of the links of ``"small-world"`` that are moved to random units.

    Notes
    -----
    Source: ``"cycle"`` and ``"delay-line"``: Rodan and Tiňo 2011, "Minimum complexity echo state network", figure 1;
    ``"jump-cycle"``: Rodan and Tiňo 2012, "Simple deterministically constructed cycle reservoirs with regular jumps",
    section 3; ``"small-world"``: Watts and Strogatz 1998; ``"orthogonal"``: White, Lee and Sompolinsky 2004, "Short-term memory in
    orthogonal neural networks", whose matrices are a random rotation or reflection times the radius. Deviations: shortcuts have the weight of the cycle's links, where
    they have a weight of their own; the links of a small world have directions, and each is moved to another source.
    """

    topology: str = "random"
    distribution: str = "uniform"
    jump: int = 5
    moved: float = 0.1

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
        """Return weights of a scale."""
        if self.distribution == "normal":
            return scale * rng.standard_normal(shape)
        if self.distribution == "sign":
            return scale * rng.choice([-1.0, 1.0], shape)
        return rng.uniform(-scale, scale, shape)

    def matrix(
        self, size: int, links: int, rng: np.random.Generator, mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return weights (size, size) of scale 1, in the row of each unit those of its `links`, and zeros.

        Where a mask is zero there is no link, so that a row may have fewer.
        """
        if self.topology == "random":
            return sparse(self.draw(rng, (size, size)), links, rng, mask)
        if self.topology == "small-world":
            linked = small_world(size, links, self.moved, rng)
            matrix = np.where(linked, self.draw(rng, (size, size)), 0.0)
        elif self.topology == "orthogonal":
            matrix = orthogonal(rng, 1, (size, size), size)[0]
        else:
            matrix = fixed_links(self.topology, size, self.jump)
        return matrix if mask is None else np.where(mask != 0, matrix, 0.0)

    def radius(self, matrix: np.ndarray, rng: np.random.Generator) -> tuple[float, int]:
        """Return what is set to the spectral radius, and the work: of a delay line the largest weight.

        The eigenvalues of a cycle of equal weights all have the absolute value of the weight, those of an orthogonal matrix 1.
        """
        if self.topology == "delay-line" or (self.topology == "cycle" and matrix.any(axis=1).all()):
            return float(np.abs(matrix).max()), 0
        if self.topology == "orthogonal" and matrix.all():
            return 1.0, 4 * len(
                matrix
            ) ** 3 // 3  # the QR decomposition that drew it (Golub & Van Loan, 5.2.9)
        return spectral_radius(matrix, rng)


RANDOM = Graph()


def fixed_links(topology: str, size: int, jump: int) -> np.ndarray:
    """Return the links (size, size) of a topology without random links, zeros and ones; orthogonal has all."""
    if topology == "orthogonal":
        return np.ones((size, size))
    matrix = np.eye(size, k=-1)
    if topology != "delay-line":
        matrix[0, -1] = 1.0
    if topology == "jump-cycle":
        # From every jump-th unit to the next such one and back; the last leads to the first if it ends the cycle.
        stops = np.arange(0, size + 1, jump) % size
        for here, there in itertools.pairwise(stops.tolist()):
            matrix[here, there] = matrix[there, here] = 1.0
    return matrix


def small_world(size: int, links: int, moved: float, rng: np.random.Generator) -> np.ndarray:
    """Return which links (size, size) there are: each unit's from its neighbours on a ring, some moved.

    The row of a unit has `links` sources, half of them on each side, at most ``size - 1``; of a single unit itself.
    """
    count = min(links, size - 1)
    if count == 0:
        return np.ones((size, size), dtype=bool)
    linked = np.zeros((size, size), dtype=bool)
    steps = np.arange(1, count + 1)
    offsets = np.where(steps % 2 == 1, -(steps + 1) // 2, steps // 2)  # -1, 1, -2, 2, ...
    for unit in range(size):
        sources = (unit + offsets) % size
        kept = sources[rng.random(count) >= moved]
        linked[unit, kept] = True
        free = np.flatnonzero(~linked[unit] & (np.arange(size) != unit))
        linked[unit, rng.choice(free, count - len(kept), replace=False)] = True
    return linked


def has_cycle(matrix: np.ndarray) -> bool:
    """Return whether links (H, H) that are not zero lead from some unit back to itself; else all eigenvalues are 0."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    parts, _ = connected_components(csr_matrix(matrix != 0), directed=True, connection="strong")
    return bool(parts < len(matrix) or np.diagonal(matrix).any())


def sparse(
    matrix: np.ndarray, links: int, rng: np.random.Generator, mask: np.ndarray | None = None
) -> np.ndarray:
    """Return a matrix (size, size) with zeros in place of all but `links` entries of each row.

    Without a mask every unit has an incoming link, so the graph has a cycle and the spectral radius is positive. Where a
    mask is zero there is no link, so that a row may have fewer.
    """
    size = len(matrix)
    if mask is not None:
        matrix = np.where(mask != 0, matrix, 0.0)
    if links < size:
        order = rng.random((size, size))
        if mask is not None:
            order[mask == 0] = 2.0
        absent = np.argpartition(order, links, axis=1)[:, links:]
        np.put_along_axis(matrix, absent, 0, axis=1)
    return matrix


def spectral_radius(matrix: np.ndarray, rng: np.random.Generator) -> tuple[float, int]:
    """Return the largest absolute eigenvalue of a square matrix, and the work in multiply-adds.

    For large matrices ARPACK computes it to about 1e-8, from a start vector drawn from `rng`. Six eigenvalues
    are computed, because with one ARPACK often returns the second largest.
    """
    from scipy.linalg import eigvals
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

    size = len(matrix)
    with one_thread():
        if size > DENSE_EIGENVALUES:
            sparse = csr_matrix(matrix)
            products = 0

            def product(vector: np.ndarray) -> np.ndarray:
                nonlocal products
                products += 1
                return sparse @ vector

            operator = LinearOperator(matrix.shape, matvec=product, dtype=np.float64)
            vectors = 60
            try:
                found = eigs(
                    operator,
                    k=6,
                    ncv=vectors,
                    v0=rng.standard_normal(size),
                    tol=1e-8,
                    return_eigenvectors=False,
                )
                # Each product is orthogonalised against the vectors so far, at most twice.
                return float(np.abs(found).max()), products * (sparse.nnz + 2 * vectors * size)
            except ArpackNoConvergence:
                pass
        # Eigenvalues of a general matrix: 10 N³ operations (Golub & Van Loan, 7.5).
        return float(np.abs(eigvals(matrix, check_finite=False)).max()), 5 * size**3
