"""Grids as linked steps: the order in which their cells are read, and which cells each of them sees."""

from __future__ import annotations

import numpy as np

from evorrn.base.checks import is_whole
from evorrn.base.errors import ConfigError, unknown

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
"""The corners from which a grid can be scanned."""


def scan(rows: int, columns: int, corner: str = "top-left") -> tuple[np.ndarray, np.ndarray]:
    """Return the order of the cells of a grid scanned from a corner, and their links.

    Parameters
    ----------
    rows, columns : int
    corner : str
        ``"top-left"``, ``"top-right"``, ``"bottom-left"`` or ``"bottom-right"``: the cell that comes first.

    Returns
    -------
    order : ndarray of int64, shape (rows * columns,)
        The cell of each time step, counted row by row: pixels (B, rows * columns, I) become the inputs ``pixels[:, order]``.
    links : ndarray of int64, shape (rows * columns, 2)
        For each time step that of the last cell read in its column, and that of the last one read in its row, -1 at the
        edges.

    Raises
    ------
    ConfigError
        For a size below 1 or another corner.

    Notes
    -----
    Source: Graves, Fernandez and Schmidhuber 2007, "Multi-dimensional recurrent neural networks", section 2: the order is
    row by row, one of several in which the cells that a cell sees come before it.

    Examples
    --------
    >>> from evorrn import trees
    >>> order, links = trees.scan(2, 3, "top-right")
    >>> order.tolist()
    [2, 1, 0, 5, 4, 3]
    >>> links.tolist()
    [[-1, -1], [-1, 0], [-1, 1], [0, -1], [1, 3], [2, 4]]
    """
    if corner not in CORNERS:
        raise ConfigError(f"corner: {unknown('corner', corner, CORNERS)}")
    for name, size in (("rows", rows), ("columns", columns)):
        if not is_whole(size) or size < 1:
            raise ConfigError(f"{name}: expected a whole number of at least 1, got {size!r}")
    cells = np.arange(rows * columns).reshape(rows, columns)
    vertical, horizontal = corner.split("-")
    order = cells[:: -1 if vertical == "bottom" else 1, :: -1 if horizontal == "right" else 1]
    links = np.full((rows, columns, 2), -1)
    links[1:, :, 0] = cells[:-1]
    links[:, 1:, 1] = cells[:, :-1]
    return order.ravel(), links.reshape(-1, 2)
