"""Fitting a table into the width of a terminal: numbers and names are never cut; columns are left out instead."""

from __future__ import annotations

from evorrn.lab.report.tables import Table

GAP = 2
"""Spaces between two columns."""
NARROWEST = 16
"""A column of sentences is wrapped, but not below this width unless all its words are shorter."""


def fit(table: Table, width: int) -> tuple[Table, list[int], list[str]]:
    """Return a table that fits into a width, the widths of its columns, and the names of those left out.

    Columns of sentences are wrapped first. If that is not enough, columns are left out: first those of
    `Table.less_important` in their order, then those with one value in all rows, then the others from the right.
    The first column always stays.
    """
    left_out: list[str] = []
    while True:
        widths = _widths(table, width)
        if sum(widths) + GAP * (len(widths) - 1) <= width:
            return table, widths, left_out
        name = _next_to_go(table)
        if name is None:
            return table, widths, left_out
        left_out.append(name)
        table = table.only([column for column in table.columns if column != name])


def _widths(table: Table, width: int) -> list[int]:
    """Return the width of each column: that of its longest cell, less for sentences where the table is too wide."""
    columns = list(zip(table.columns, *(entry.cells for entry in table.entries)))
    widths = [max(map(len, column)) for column in columns]
    smallest = [
        min(wide, max(NARROWEST, max(len(word) for cell in column for word in cell.split() or [""])))
        if letter == "p"
        else wide
        for letter, column, wide in zip(table.align, columns, widths)
    ]
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    for place in sorted(range(len(widths)), key=lambda place: smallest[place] - widths[place]):
        shrunk = max(smallest[place], widths[place] - max(excess, 0))
        excess -= widths[place] - shrunk
        widths[place] = shrunk
    return widths


def _next_to_go(table: Table) -> str | None:
    """Return the name of the column to leave out next, None where only the first is there."""
    for name in table.less_important:
        if name in table.columns[1:]:
            return name
    others = table.columns[1:]
    alike = [name for name in others if len(table.entries) > 1 and _constant(table, name)]
    return next(reversed([*others, *alike]), None)


def _constant(table: Table, name: str) -> bool:
    place = table.columns.index(name)
    return len({entry.cells[place] for entry in table.entries}) == 1
