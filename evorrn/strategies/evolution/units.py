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
        ``"gene"``: each gene is a unit. ``"block"``: the genes of one named block. ``"neuron"``: all weights
        into one unit of a layer, that is row j of every matrix and entry j of every vector whose names are
        equal up to the last dot (``layer0.W_x``, ``layer0.U`` and ``layer0.b``).

    Returns
    -------
    ndarray, shape (n,), int64
        Numbers from 0 on, without gaps, in order of first appearance.
    """
    numbers: dict[tuple[str, int], int] = {}
    parts = []
    for name, shape in layout.items():
        genes, rows = math.prod(shape), shape[0] if shape else 1
        if not genes:  # weights from inputs, where there are none
            continue
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
    """Return the number of the neuron that each gene belongs to: weights into a hidden neuron and out of it.

    Hidden neurons are the units ``"neuron"`` of `units`; column j of ``readout.W`` also belongs to the neuron that it
    reads: neuron j of the last layer, or of all layers one after the other. The rest of the readout, its biases and its weights from the inputs, belongs to the output
    units, which have the last numbers. Without a readout the numbers are those of `units`, so each gene of
    a vector without blocks is a neuron.

    Returns
    -------
    ndarray, shape (n,), int64
        Numbers from 0 on, without gaps.
    """
    owner = units(layout, "neuron")
    ends = np.cumsum([math.prod(shape) for shape in layout.values()])
    blocks = dict(zip(layout, np.split(owner, ends[:-1])))  # views
    hidden = [name for name in layout if not name.startswith("readout.") and 0 not in layout[name]]
    if "readout.W" not in layout or not hidden:
        return owner
    outputs, width = layout["readout.W"]
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in hidden))
    first = [next(name for name in hidden if name.rpartition(".")[0] == layer) for layer in layers]
    last = [name for name in hidden if name.rpartition(".")[0] == layers[-1] and layout[name][:1] == (width,)]
    sources = last[:1] or first
    rows = [blocks[name].reshape(layout[name][0] if layout[name] else 1, -1)[:, 0] for name in sources]
    if sum(map(len, rows)) == width:
        blocks["readout.W"][:] = np.tile(np.concatenate(rows), outputs)
    return np.unique(owner, return_inverse=True)[1]


def places(owner: np.ndarray) -> np.ndarray:
    """Return the index of each gene among the genes of its neuron, shape (n,), given the neuron of each gene."""
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner)
    indices = np.empty_like(owner)
    indices[order] = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return indices


def check_layout(layout: Mapping[str, tuple[int, ...]], size: int) -> None:
    """Check that the blocks of a layout have `size` genes in all.

    Raises
    ------
    ShapeError
        When they do not.
    """
    genes = sum(math.prod(shape) for shape in layout.values())
    if genes != size:
        raise ShapeError(f"layout: expected blocks of {size} genes in all, got {genes}")
