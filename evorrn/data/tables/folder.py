"""A folder of sequences as one table: a subfolder for each class, a table for each sequence."""

from __future__ import annotations

import os
from pathlib import Path

from evorrn.base.errors import DataError
from evorrn.data.tables.reader import read_table
from evorrn.data.tables.rules import Rules
from evorrn.data.tables.table import Table

ENDS = (".csv", ".tsv", ".txt")


def is_folder_of_classes(path: Path) -> bool:
    """Return whether a path is a folder with at least two subfolders that hold tables."""
    return os.path.isdir(path) and sum(bool(_tables(each)) for each in path.iterdir() if each.is_dir()) >= 2


def read_folder(path: Path, rules: Rules, sequence: str, label: str) -> Table:
    """Return the rows of all tables in the subfolders of a folder, in the order of their names.

    Parameters
    ----------
    path : Path
    rules : Rules
        How every table is read.
    sequence, label : str
        Names of two columns more: the file of a row, and its subfolder.

    Raises
    ------
    DataError
        When no subfolder holds a table, tables have different columns, or a column of numbers is none in another table.
    """
    places = [file for folder in sorted(path.iterdir()) if folder.is_dir() for file in _tables(folder)]
    if not places:
        raise DataError(
            f"{path}: expected a subfolder for each class, with a table ({', '.join(ENDS)}) for each sequence, got none"
        )
    tables = [read_table(place, rules) for place in places]
    first = tables[0]
    for name in (sequence, label):
        if name in first.names:
            raise DataError(
                f"{first.path}: expected no column {name!r}, since the folder says it; name another"
            )
    numeric = first.numeric()
    rows: list[list[str]] = []
    lines: list[int] = []
    for place, table in zip(places, tables):
        if table.names != first.names:
            raise DataError(
                f"{place}: expected the columns {', '.join(first.names)} as in {first.path}, got {', '.join(table.names)}"
            )
        table.columns(numeric)  # a cell that is no number is told with its file and line
        rows += [[*cells, str(place.relative_to(path)), place.parent.name] for cells in table.rows]
        lines += table.lines
    names = (*first.names, sequence, label)
    return Table(path, names, rows, lines, first.rules, first.separator, first.header)


def _tables(folder: Path) -> list[Path]:
    """Return the tables in a folder, in the order of their names."""
    return sorted(file for file in folder.iterdir() if file.is_file() and file.suffix.lower() in ENDS)
