"""How weights begin: initialisations by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evorrn.blas import one_thread


def glorot(rng: np.random.Generator, shape: tuple[int, ...], units: int) -> np.ndarray:
    """Uniform on ±sqrt(6 / (fan in + fan out)). Source: Glorot and Bengio 2010, equation 16."""
    bound = np.sqrt(6.0 / (shape[0] + shape[-1]))
    return rng.uniform(-bound, bound, shape)


def orthogonal(rng: np.random.Generator, shape: tuple[int, ...], units: int) -> np.ndarray:
    """Orthogonal rows or columns, from the QR of a Gaussian matrix. Source: Saxe et al. 2014."""
    rows, columns = shape[0], shape[-1]
    with one_thread():
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T


def identity(rng: np.random.Generator, shape: tuple[int, ...], units: int) -> np.ndarray:
    """The identity matrix, or ones for a vector. Source: Le, Jaitly and Hinton 2015."""
    return np.eye(shape[0], shape[-1]) if len(shape) == 2 else np.ones(shape)


def uniform(rng: np.random.Generator, shape: tuple[int, ...], units: int) -> np.ndarray:
    """Uniform on ±1/sqrt(H), PyTorch's default for recurrent layers."""
    bound = 1.0 / np.sqrt(units)
    return rng.uniform(-bound, bound, shape)


def unit(rng: np.random.Generator, shape: tuple[int, ...], units: int) -> np.ndarray:
    """Uniform on [0, 1]."""
    return rng.uniform(0.0, 1.0, shape)


def zeros(rng: np.random.Generator, shape: tuple[int, ...], units: int) -> np.ndarray:
    """All zero."""
    return np.zeros(shape)


def ones(rng: np.random.Generator, shape: tuple[int, ...], units: int) -> np.ndarray:
    """All one, for the bias of forget gates. Source: Jozefowicz, Zaremba and Sutskever 2015."""
    return np.ones(shape)


INITIALISERS: dict[str, Callable[[np.random.Generator, tuple[int, ...], int], np.ndarray]] = {
    function.__name__: function for function in (glorot, orthogonal, identity, uniform, unit, zeros, ones)
}
