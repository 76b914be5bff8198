"""Tables of text, for pages and terminals alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

CLASSES = {"l": "", "r": "number", "p": "long"}
"""Classes of a page's cells by the alignment of their column."""


@dataclass(frozen=True)
class Entry:
    """A row of a table.

    `style` is ``"best"``, ``"baseline"`` or empty; `colour` is the number, from 1, of the colour beside the first
    cell, 0 for none.
    """

    cells: tuple[str, ...]
    style: str = ""
    colour: int = 0


@dataclass(frozen=True)
class Table:
    """A table of text; as in LaTeX, a column is aligned ``l`` left, ``r`` right or ``p`` left and wrapped.

    `less_important` are the columns that a narrow terminal leaves out first, in this order.
    """

    columns: tuple[str, ...]
    align: str
    entries: list[Entry] = field(default_factory=list)
    heading: str = ""
    less_important: tuple[str, ...] = ()

    @property
    def classes(self) -> list[str]:
        """The class of each column on a page."""
        return [CLASSES[letter] for letter in self.align]

    def only(self, columns: Sequence[str]) -> Table:
        """Return the table with some of its columns."""
        places = [self.columns.index(name) for name in columns if name in self.columns]
        entries = [
            replace(entry, cells=tuple(entry.cells[place] for place in places)) for entry in self.entries
        ]
        align = "".join(self.align[place] for place in places)
        return replace(self, columns=tuple(self.columns[at] for at in places), align=align, entries=entries)

    def records(self) -> list[dict[str, str]]:
        """Return the rows as dicts."""
        return [dict(zip(self.columns, entry.cells)) for entry in self.entries]

    def lines(self) -> list[str]:
        """Return the table as lines of plain text in aligned columns, after their names where they have any."""
        rows = [self.columns] * any(self.columns) + [entry.cells for entry in self.entries]
        padded = []
        for letter, column in zip(self.align, zip(*rows)):
            width = max(map(len, column))
            padded.append([cell.rjust(width) if letter == "r" else cell.ljust(width) for cell in column])
        return [f"  {'  '.join(row)}".rstrip() for row in zip(*padded)]


def text_table(
    heading: str,
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    less_important: tuple[str, ...] = (),
) -> Table:
    """Return a table of plain rows, every column to the left; a column with sentences is wrapped where room is short."""
    cells = list(zip(*rows)) or [()] * len(columns)
    align = "".join("p" if any(" " in cell for cell in column) else "l" for column in cells)
    return Table(columns, align, [Entry(row) for row in rows], heading, less_important)
