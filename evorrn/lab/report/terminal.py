"""Results on a terminal: coloured tables and sentences on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evorrn.lab.report.fitting import fit
from evorrn.lab.report.tables import Table

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    "best": "bold",
    "baseline": "dim",
    "title": "bold",
    "answer": "green",
    "note": "yellow",
    "aside": "dim",
}
PREFIXES = {"note": "note: ", "report": "report: "}


@dataclass(frozen=True)
class Line:
    """A line of text with a role: ``title``, ``answer``, ``note``, ``aside``, ``report``, or none."""

    text: str
    role: str = ""

    def __str__(self) -> str:
        return PREFIXES.get(self.role, "") + self.text


GAP = Line("")
Parts = list[Line | Table]


def notes(texts: Iterable[str]) -> list[Line]:
    """Return sentences as notes."""
    return [Line(text, "note") for text in texts]


def lines(parts: Iterable[Line | Table]) -> list[str]:
    """Return the parts as lines of plain text."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, Table):
            found += [part.heading] if part.heading else []
            found += part.lines()
        else:
            found.append(str(part))
    return found


def show(parts: Iterable[Line | Table], console: Console) -> None:
    """Print the parts; as plain lines of any length where the console is no terminal."""
    if not console.is_terminal:
        console.file.writelines(f"{line}\n" for line in lines(parts))
        return
    from rich.text import Text

    for part in parts:
        if isinstance(part, Table):
            _draw(part, console)
        else:
            console.print(Text(str(part), style=STYLES.get(part.role, "")), soft_wrap=part.role == "report")


def _draw(table: Table, console: Console) -> None:
    """Print a table that fits the width of the terminal, and the names of the columns that it leaves out."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Drawn
    from rich.text import Text

    table, widths, left_out = fit(table, console.width)
    look: dict[str, Any] = {
        "box": SIMPLE_HEAD,
        "padding": (0, 1, 0, 0),
        "pad_edge": False,
        "show_edge": False,
    }
    drawn = Drawn(title=table.heading or None, title_justify="left", show_header=any(table.columns), **look)
    for name, letter, width in zip(table.columns, table.align, widths):
        drawn.add_column(name, justify="right" if letter == "r" else "left", overflow="fold", width=width)
    for entry in table.entries:
        drawn.add_row(*map(Text, entry.cells), style=STYLES.get(entry.style, ""))
    console.print(drawn)
    if left_out:
        console.print(Text(f"not shown at this width: {', '.join(left_out)}", style=STYLES["aside"]))
