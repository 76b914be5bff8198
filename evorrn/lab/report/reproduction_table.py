"""A reproduced experiment on the terminal: the published figure, ours with its interval, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from evorrn.lab.study.comparison_words import amount, counted, figure
from evorrn.lab.study.reproduction import BETTER, NOT_REPRODUCED, REPRODUCED, Finding, Reproduction
from evorrn.lab.sweep.experiment import EVALUATIONS, Experiment

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ("", "published", "mean", "95 % interval", "median", "spread", "solved", "verdict")
STYLES = {BETTER: "green", REPRODUCED: "green", NOT_REPRODUCED: "yellow"}


def show(made: Reproduction, console: Console) -> None:
    """Print a reproduction; where the console is no terminal, as plain lines of any length."""
    if console.is_terminal:
        _show_rich(made, console)
    else:
        for line in lines(made):
            console.file.write(line + "\n")


def lines(made: Reproduction) -> list[str]:
    """Return a reproduction as lines of plain text."""
    found = [title(made), ""]
    rows = [cells(finding, made.measure) for finding in made.findings]
    widths = [max(len(row[place]) for row in [COLUMNS, *rows]) for place in range(len(COLUMNS))]
    for name, findings in by_problem(made):
        found += [name, _line(COLUMNS, widths)]
        found += [_line(cells(finding, made.measure), widths) for finding in findings]
        found += [f"  conditions: {findings[0].conditions}", ""]
    found += [f"note: {note}" for note in made.notes]
    return [*found, outcome(made), f"report: {made.report}"]


def title(made: Reproduction) -> str:
    """Return what was reproduced, in a line."""
    seeds = sorted({finding.seeds for finding in made.findings})
    runs = f"{seeds[0]} seeds a row" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds a row"
    return f"{made.title}; {measure(made.measure)}; {runs}; after {made.source}"


def outcome(made: Reproduction) -> str:
    """Return how many rows came out how, in a sentence."""
    verdicts = [finding.verdict for finding in made.findings]
    parts = [f"{verdicts.count(kind)} {kind}" for kind in dict.fromkeys(verdicts)]
    return f"{counted(len(verdicts), 'row')}: {', '.join(parts)}"


def measure(name: str) -> str:
    """Return what the figures of a reproduction are."""
    return "evaluations until solved, fewer is better" if name == EVALUATIONS else f"{name} on test"


def cells(finding: Finding, measure: str) -> tuple[str, ...]:
    """Return the cells of a row of the table, in order of `COLUMNS`."""
    write = count if measure == EVALUATIONS else figure
    interval = "–" if math.isnan(finding.low) else f"[{write(finding.low)}, {write(finding.high)}]"
    solved = "" if finding.solved is None else f"{finding.solved} of {finding.seeds}"
    name = str(finding.strategy["name"])
    method = name if finding.method in ("", name) else f"{finding.method} ({name})"
    return (
        method,
        "–" if finding.published is None else write(finding.published),
        write(finding.mean),
        interval,
        write(finding.median),
        write(finding.spread),
        solved,
        finding.verdict,
    )


def count(value: float) -> str:
    """Return a number of evaluations: whole below 100,000, ``never`` where it is infinite."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if value < 100_000 else amount(value)


def by_problem(made: Reproduction) -> Iterator[tuple[str, list[Finding]]]:
    """Return the findings of each problem, in order of the experiment."""
    names = list(dict.fromkeys(finding.problem for finding in made.findings))
    for name in names:
        yield name, [finding for finding in made.findings if finding.problem == name]


def listing(found: list[Experiment]) -> list[str]:
    """Return the experiments that there are, one a line."""
    width = max((len(one.name) for one in found), default=0)
    return [f"{one.name.ljust(width)}  {one.title} ({one.source})" for one in found]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    aligned = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:]))]
    return ("  " + "  ".join([*aligned, row[-1]])).rstrip()


def _show_rich(made: Reproduction, console: Console) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console.print(Text(title(made), style="bold"))
    for name, findings in by_problem(made):
        table = Table(box=SIMPLE_HEAD, pad_edge=False, title=name, title_justify="left")
        for column in COLUMNS:
            table.add_column(column, justify="left" if column in ("", "verdict") else "right", no_wrap=True)
        for finding in findings:
            *row, verdict = cells(finding, made.measure)
            table.add_row(*row, Text(verdict, style=STYLES.get(verdict, "dim")))
        console.print(table)
        if findings[0].conditions:
            console.print(Text(f"conditions: {findings[0].conditions}", style="dim"))
            console.print()
    for note in made.notes:
        console.print(Text(f"! {note}", style="yellow"))
    console.print(Text(outcome(made), style="bold"))
    console.print(Text(f"report: {made.report}"), soft_wrap=True)
