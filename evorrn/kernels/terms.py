"""Sums over the terms of a tuple, as plain loops: the oracle of the vector kernels and their fallback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.extending import overload


def sum_of_terms(start: Callable[..., None], add: Callable[..., None]) -> Callable[..., None]:
    """Return a function ``affine(out, bias, terms)`` for Python and for compiled code.

    Parameters
    ----------
    start : callable
        ``start(out, bias)`` sets a tile to its bias, or to zero where the bias is None.
    add : callable
        ``add(out, matrix, tile)`` adds the product of one term.

    Returns
    -------
    callable
        It takes the terms as a tuple ``(W1, X1, W2, X2, ...)``.
    """

    def affine(out: Any, bias: Any, terms: Any) -> None:
        start(out, bias)
        for position in range(0, len(terms), 2):
            add(out, terms[position], terms[position + 1])

    @overload(affine)
    def choose(out, bias, terms):
        if len(terms) == 2:

            def last(out, bias, terms):
                start(out, bias)
                add(out, terms[0], terms[1])

            return last

        def more(out, bias, terms):
            affine(out, bias, terms[:-2])
            add(out, terms[-2], terms[-1])

        return more

    return affine
