"""Units of a genome: which genes cross over or mutate together."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from evorrn.errors import ShapeError

UNITS = ("gene", "block", "neuron")


def units(layout: Mapping[str, tuple[int, ...]], unit: str) -> np.ndarray:
    """Return the number of the unit that each gene belongs to.

    Parameters
    ----------
    layout : mapping of str to tuple of int
        ``{block name: shape}`` of the genome, in order.
    unit : str
        ``"gene"``: every gene by itself. ``"block"``: the genes of one named block. ``"neuron"``: all
        weights into one unit of a layer, that is row j of every matrix and entry j of every vector whose
        names share what stands before the last dot (``layer0.W_x``, ``layer0.U`` and ``layer0.b``).

    Returns
    -------
    ndarray, shape (n,), int64
        Numbers from 0 on, without gaps, in order of first appearance.
    """
    numbers: dict[tuple[str, int], int] = {}
    parts = []
    for name, shape in layout.items():
        genes, rows = math.prod(shape), shape[0] if shape else 1
        if unit == "gene":
            keys = [(name, gene) for gene in range(genes)]
        elif unit == "block":
            keys = [(name, 0)]
        else:
            layer = name.rpartition(".")[0] or name
            keys = [(layer, row) for row in range(rows)]
        each = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
        parts.append(np.repeat(each, genes // len(keys)))
    return np.concatenate(parts)


def check_layout(layout: Mapping[str, tuple[int, ...]], size: int) -> None:
    """Refuse a layout whose blocks do not add up to `size` genes.

    Raises
    ------
    ShapeError
    """
    genes = sum(math.prod(shape) for shape in layout.values())
    if genes != size:
        raise ShapeError(f"layout: expected blocks of {size} genes in all, got {genes}")
