"""Units of a genome: which genes cross over or mutate together."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from evorrn.base.errors import ShapeError

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


def neurons(layout: Mapping[str, tuple[int, ...]]) -> np.ndarray:
    """Return the number of the hidden neuron that each gene belongs to, by its input or its output weights.

    Hidden neurons are the units ``"neuron"`` of `units`, and column j of ``readout.W`` joins neuron j of the
    last layer. What is left of the readout, its biases and its weights from the inputs, belongs to the
    output units, which are counted behind the others. Where there is no such readout the numbers are those
    of `units`; so each gene of a plain vector is a neuron by itself.

    Returns
    -------
    ndarray, shape (n,), int64
        Numbers from 0 on, without gaps.
    """
    owner = units(layout, "neuron")
    ends = np.cumsum([math.prod(shape) for shape in layout.values()])
    blocks = dict(zip(layout, np.split(owner, ends[:-1])))  # views
    hidden = [name for name in layout if not name.startswith("readout.")]
    if "readout.W" not in layout or not hidden:
        return owner
    outputs, width = layout["readout.W"]
    layer = hidden[-1].rpartition(".")[0] + "."
    sources = [name for name in hidden if name.startswith(layer) and layout[name][:1] == (width,)]
    if sources:
        rows = blocks[sources[0]].reshape(width, -1)[:, 0]
        blocks["readout.W"][:] = np.tile(rows, outputs)
    return np.unique(owner, return_inverse=True)[1]


def check_layout(layout: Mapping[str, tuple[int, ...]], size: int) -> None:
    """Refuse a layout whose blocks do not add up to `size` genes.

    Raises
    ------
    ShapeError
    """
    genes = sum(math.prod(shape) for shape in layout.values())
    if genes != size:
        raise ShapeError(f"layout: expected blocks of {size} genes in all, got {genes}")
