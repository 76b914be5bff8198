"""Progress of a sweep on stderr: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evorrn.base.text import figure
from evorrn.cli.output import note, silent
from evorrn.cli.progress import LIVE_SECONDS, PLAIN_SECONDS, clock, last_line, throttled

if TYPE_CHECKING:
    from evorrn.lab.runs.hooks import Hooks
    from evorrn.lab.runs.run import Run
    from evorrn.lab.sweep.tally import Tally

MOST_TASKS = 3
"""Tasks whose best run fits into one line."""


@contextmanager
def checking(quiet: bool) -> Iterator[Callable[[int], None]]:
    """Give a callback that prints how many cells were checked, every few seconds."""
    show = throttled(PLAIN_SECONDS, note)
    started = time.monotonic()

    def checked(done: int) -> None:
        if not quiet and time.monotonic() - started > PLAIN_SECONDS:
            show(lambda: f"{done:,} cells checked")

    yield checked


@contextmanager
def watching_sweep(root: Path, quiet: bool, debug: bool) -> Iterator[Hooks]:
    """Give the callbacks that show a sweep, whose runs are below `root`, while the block runs."""
    from evorrn.lab.runs.hooks import Hooks

    latest: list[Tally] = []
    with checking(quiet) as checked, _screen(quiet) as (put, draw):

        def watch(tally: Tally) -> None:
            latest[:] = [tally]
            draw(tally)

        try:
            remark = silent if quiet else put
            yield Hooks(
                watch=watch,
                warn=lambda text: put(f"evorrn: {text}"),
                note=remark,
                checked=checked,
                failure=_failures(put, root, debug),
            )
        except KeyboardInterrupt:
            for tally in latest:
                remark(f"interrupted after {tally.ended:,} of {tally.total:,} runs; the same command goes on")
            raise


def _failures(put: Callable[[str], None], root: Path, debug: bool) -> Callable[[str, Run], None]:
    """Return a function that prints a failure; a repeated error has its traceback only with --debug."""
    known: set[str] = set()

    def failure(where: str, run: Run) -> None:
        put(f"evorrn: failed: {where}: {run.error}")
        if run.traceback and (debug or run.error not in known):
            known.add(run.error)
            put("  " + run.traceback.rstrip().replace("\n", "\n  "))
        if run.folder:
            put(f"  saved in {root / run.folder / 'status.json'}")

    return failure


def describe(tally: Tally) -> str:
    """Return where a sweep stands as one line."""
    parts = [f"{tally.ended:,} of {tally.total:,}", *_counts(tally), *_pace(tally)]
    return ", ".join([*parts, *_best(tally)])


def _counts(tally: Tally) -> list[str]:
    failed = tally.failed + tally.failed_before
    counts = {
        "running": tally.under_way,
        "elsewhere": tally.elsewhere,
        "pruned": tally.pruned,
        "failed": failed,
        "damaged": tally.damaged,
    }
    return [f"{count:,} {name}" for name, count in counts.items() if count]


def _pace(tally: Tally) -> list[str]:
    if not tally.rate or tally.seconds_left is None:
        return []
    rate = f"{tally.rate:.3g} a second" if tally.rate >= 1 else f"{60 * tally.rate:.3g} a minute"
    return [rate, f"{clock(tally.seconds_left)} left"]


def _best(tally: Tally) -> list[str]:
    """Return the best run so far; of several tasks only their figures."""
    found = list(tally.best.values())
    if len(found) == 1:
        best = found[0]
        return [f"best validation {best.metric} {figure(best.value)} ({best.where})"]
    return [f"best on {best.task} {figure(best.value)}" for best in found[:MOST_TASKS]]


@contextmanager
def _screen(quiet: bool) -> Iterator[tuple[Callable[[str], None], Callable[[Tally], None]]]:
    """Give a function that prints a line, and one that shows how far a sweep is."""
    if quiet:
        yield note, silent
    elif not sys.stderr.isatty():
        show = throttled(PLAIN_SECONDS, note)
        yield note, lambda tally: show(lambda: describe(tally))
    else:
        with _live() as screen:
            yield screen


@contextmanager
def _live() -> Iterator[tuple[Callable[[str], None], Callable[[Tally], None]]]:
    """Give a function that prints above a bar, and one that updates the bar."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True)

    def picture(tally: Tally) -> Any:
        row = Table.grid(padding=(0, 1))
        share = f"{tally.ended:,}/{tally.total:,}"
        failed = tally.failed + tally.failed_before
        counts = Text(", ".join([*_counts(tally), *_pace(tally)]), style="red" if failed else "")
        row.add_row(ProgressBar(tally.total, tally.ended, width=30), Text(share, style="bold"), counts)
        best = last_line(", ".join(_best(tally)), console.width, style="dim")
        return Group(row, best)

    with Live(Text("checking the cells"), console=console, auto_refresh=False, transient=True) as live:
        refresh = throttled(LIVE_SECONDS, lambda drawn: live.update(drawn, refresh=True))
        live.refresh()
        yield (
            lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True),
            lambda tally: refresh(lambda: picture(tally)),
        )
