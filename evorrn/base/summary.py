"""The class Summary: what an object is in a few facts and one small table, as text and for notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

MOST_ROWS = 24
"""Rows of a table that a summary shows."""


@dataclass(frozen=True, repr=False)
class Summary:
    """Facts about an object, a table and notes. `str` gives lines of text; notebooks show HTML without scripts.

    Attributes
    ----------
    title : str
    facts : sequence of (str, str)
        Names and texts.
    columns : sequence of str
        Names of the columns of the table.
    align : str
        ``l`` or ``r`` for each column: aligned to the left or to the right.
    rows : sequence of sequence of str
    notes : sequence of str
        Sentences.
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    align: str = ""
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()

    def __repr__(self) -> str:
        wide = max((len(name) for name, _ in self.facts), default=0)
        facts = [f"  {name.ljust(wide)}  {text}" for name, text in self.facts]
        table = [self.columns, *self.rows[:MOST_ROWS]] if self.rows else []
        columns = []
        for letter, cells in zip(self.align, zip(*table)):
            width = max(map(len, cells))
            columns.append([cell.rjust(width) if letter == "r" else cell.ljust(width) for cell in cells])
        lines = [f"  {'  '.join(row)}".rstrip() for row in zip(*columns)]
        notes = [f"  {note}" for note in self._notes()]
        return "\n".join([self.title, *facts, *([""] if facts and lines else []), *lines, *notes])

    def _repr_html_(self) -> str:
        left, right = ' style="text-align:left"', ' style="text-align:right"'
        sides = [right if letter == "r" else left for letter in self.align]
        facts = "".join(
            f"<tr><th{left}>{escape(name)}</th><td{left}>{escape(text)}</td></tr>"
            for name, text in self.facts
        )
        head = "".join(f"<th{side}>{escape(name)}</th>" for side, name in zip(sides, self.columns))
        body = "".join(
            "<tr>" + "".join(f"<td{side}>{escape(cell)}</td>" for side, cell in zip(sides, row)) + "</tr>"
            for row in self.rows[:MOST_ROWS]
        )
        parts = [
            f"<div><strong>{escape(self.title)}</strong>",
            f"<table>{facts}</table>" if facts else "",
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else "",
            *(f"<p>{escape(note)}</p>" for note in self._notes()),
            "</div>",
        ]
        return "".join(parts)

    def _notes(self) -> Iterator[str]:
        left_out = len(self.rows) - MOST_ROWS
        if left_out > 0:
            yield f"and {left_out} more"
        yield from self.notes
