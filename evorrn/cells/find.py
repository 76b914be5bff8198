"""Finding cells by name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from evorrn.base.plugins import Plugins

if TYPE_CHECKING:
    from evorrn.compile.grammar import Cell


def _is_cell(value: Any) -> bool:
    from evorrn.compile.grammar import Cell

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
        When there is no such cell.
    """
    return cast("Cell", CELLS.find(reference))


def cell_reference(cell: Cell) -> str:
    """Return a name from which a cell can be found again."""
    if CELLS.get(cell.name) is cell:
        return cell.name
    module, name = cell.function.__module__, cell.function.__name__
    path = inspect.getsourcefile(cell.function)
    if path and (module == "__main__" or module.startswith("evorrn_user_")):
        return f"{Path(path).resolve()}:{name}"
    return f"{module}:{name}"
