"""The progress of a run on stderr: one living line on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evorrn.lab.spec import Spec
    from evorrn.training import Progress

LIVE_SECONDS, PLAIN_SECONDS = 0.1, 5.0


@contextmanager
def watching(spec: Spec, quiet: bool = False) -> Iterator[Callable[[Progress], None] | None]:
    """Give a callback that shows the progress of a run while the block runs; None when quiet."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _live(spec) as watch:
            yield watch
    else:
        yield _Throttled(PLAIN_SECONDS, lambda progress: print(describe(spec, progress), file=sys.stderr))


def describe(spec: Spec, progress: Progress) -> str:
    """Return a progress record as one line."""
    used = spec.budget.used(progress)
    parts = [
        f"{spec.strategy.step_name} {progress.step}",
        f"loss {progress.train_loss:.4g}",
        f"best validation loss {progress.best_loss:.4g}",
        f"work {amount(progress.work)}",
    ]
    if used is not None:
        parts.append(f"{used:.0%} of {spec.content['budget']}")
        if used > 0:
            parts.append(f"{_clock(progress.seconds * (1 - used) / used)} left")
    return ", ".join(parts)


def amount(number: float) -> str:
    """Return a count in the units that budgets are typed in, for instance ``1.25G``."""
    for suffix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{suffix}"
    return f"{number:g}"


class _Throttled:
    """A callback that lets through the first record, and then no more than one in an interval."""

    def __init__(self, seconds: float, show: Callable[[Progress], None]) -> None:
        self.seconds = seconds
        self.show = show
        self.shown = float("-inf")

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.shown >= self.seconds:
            self.shown = now
            self.show(progress)


@contextmanager
def _live(spec: Spec) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True)
    start = Text(
        f"{spec.task.name}, {spec.strategy.name}: compiling, {spec.strategy.step_name} 1 ...", style="dim"
    )
    # Refreshed by the run itself: a thread of its own would wait for kernels, which hold the interpreter.
    with Live(start, console=console, auto_refresh=False, transient=True) as live:
        live.refresh()

        def show(progress: Progress) -> None:
            line = Text(describe(spec, progress), no_wrap=True, overflow="ellipsis")
            live.update(line, refresh=True)

        yield _Throttled(LIVE_SECONDS, show)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
