"""Look-up of cells by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from evorrn.base.plugins import Plugins

if TYPE_CHECKING:
    from evorrn.compile.cell import Cell


def _is_cell(value: Any) -> bool:
    from evorrn.compile.cell import Cell

    return isinstance(value, Cell)


CELLS = Plugins(
    "cell",
    "evorrn.cells",
    "evorrn.cells",
    _is_cell,
    "a name, a function made with @evorrn.cell or 'file.py:function'",
)


def cells() -> dict[str, Cell]:
    """Return every registered cell by name."""
    return CELLS.all()


def find_cell(reference: Any) -> Cell:
    """Return a cell from its name, ``"file.py:name"``, ``"module:name"`` or the cell itself.

    Raises
    ------
    EvorrnError
        When no cell has that name.
    """
    return cast("Cell", CELLS.find(reference))


def cell_reference(cell: Cell) -> str:
    """Return a name from which a cell can be found again."""
    return CELLS.reference(cell)
