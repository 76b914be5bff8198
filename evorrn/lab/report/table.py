"""A comparison on the terminal: a table where there is one, plain lines where there is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evorrn.lab.study import comparison_words as words
from evorrn.lab.study.comparison import Baseline, Comparison, Row
from evorrn.lab.study.ranking import ranked
from evorrn.lab.study.statistics import LEVEL, smallest_p

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ("", "median", "95 % interval", "network", "genes", "work", "seconds")


def show(comparison: Comparison, console: Console) -> None:
    """Print a comparison: ranking, answer, paired differences and cautions.

    Parameters
    ----------
    comparison : Comparison
    console : rich.console.Console
        Where it is no terminal, the lines are plain text of any length.
    """
    if console.is_terminal:
        _show_rich(comparison, console)
    else:
        for line in lines(comparison):
            console.file.write(line + "\n")


def lines(comparison: Comparison) -> list[str]:
    """Return a comparison as lines of plain text."""
    rows = [COLUMNS, *(cells(entry) for entry in ranked(comparison))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    found = [title(comparison), ""]
    for row in rows:
        text = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        found.append("  ".join(text).rstrip())
    found += ["", words.answer(comparison), ""]
    found += differences(comparison)
    found += [f"note: {text}" for text in words.cautions(comparison)]
    if comparison.report:
        found += ["", f"report: {comparison.report}"]
    return found


def title(comparison: Comparison) -> str:
    """Return what was compared, in a line."""
    seeds = words.counted(len(comparison.seeds), "seed")
    better = "higher" if comparison.higher_is_better else "lower"
    return (
        f"{words.subject(comparison.task)}: {words.ways(len(comparison.rows))}, {comparison.budget} each, {seeds}; "
        f"{comparison.metric} on test, {better} is better"
    )


def cells(entry: Row | Baseline) -> tuple[str, ...]:
    """Return the cells of a row of the table, in order of `COLUMNS`."""
    if isinstance(entry, Baseline):
        return (entry.name, words.figure(entry.value), "", "baseline", "", "", "")
    return (
        entry.strategy,
        words.figure(entry.median),
        words.interval(entry),
        words.hidden(entry.network),
        str(entry.network.get("genes", "–")),
        words.amount(entry.work),
        words.figure(entry.seconds),
    )


def differences(comparison: Comparison) -> list[str]:
    """Return the paired differences in two lines: those that hold, and those that do not.

    None where the seeds are too few for any to hold, which the cautions say.
    """
    if smallest_p(len(comparison.seeds), len(comparison.differences)) > LEVEL:
        return []
    found = []
    for holds, label in ((True, "holds"), (False, "does not hold")):
        pairs = [
            f"{pair.a} before {pair.b} (p {words.figure(pair.p)})"
            for pair in comparison.differences
            if pair.holds == holds
        ]
        if pairs:
            found.append(f"{label}: {', '.join(pairs)}")
    return found


def _show_rich(comparison: Comparison, console: Console) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console.print(Text(title(comparison), style="bold"))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="right" if column else "left", no_wrap=column != "network")
    for entry in ranked(comparison):
        best = isinstance(entry, Row) and entry is comparison.best
        style = "dim" if isinstance(entry, Baseline) else "bold" if best else ""
        table.add_row(*cells(entry), style=style)
    console.print(table)
    console.print(Text(words.answer(comparison), style="green"))
    console.print()
    for line in differences(comparison):
        console.print(Text(line))
    for text in words.cautions(comparison):
        console.print(Text(f"! {text}", style="yellow"))
    if comparison.report:
        console.print(Text(f"\nreport: {comparison.report}"), soft_wrap=True)
