"""Progress on stderr: one line that is updated on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evorrn.base.text import amount
from evorrn.cli.output import note, silent, warn

if TYPE_CHECKING:
    from evorrn.lab.runs.hooks import Hooks
    from evorrn.lab.runs.spec import Spec
    from evorrn.lab.sweep.many import RunsProgress
    from evorrn.training.progress import Progress

LIVE_SECONDS, PLAIN_SECONDS = 0.1, 5.0


@contextmanager
def watching_run(spec: Spec, quiet: bool) -> Iterator[Hooks]:
    """Give hooks that show the progress of a run, warnings and remarks on stderr while the block runs."""
    from evorrn.lab.runs.hooks import Hooks

    start = f"{spec.strategy.name} on {spec.task.name}: compiling"
    with _line(start, quiet) as show:
        yield Hooks(lambda progress: show(lambda: describe(spec, progress)), warn, silent if quiet else note)


@contextmanager
def watching_runs(quiet: bool) -> Iterator[Hooks]:
    """Give hooks that show the progress of a list of runs, warnings and remarks on stderr while the block runs."""
    from evorrn.lab.runs.hooks import Hooks

    with _line("", quiet) as show:
        yield Hooks(lambda runs: show(lambda: describe_runs(runs)), warn, silent if quiet else note)


def describe(spec: Spec, progress: Progress) -> str:
    """Return a progress record as one line."""
    used = spec.budget.used(progress)
    what, sign = ("return", -1) if spec.task.loss == "reward" else ("loss", 1)
    restart = f" (restart {progress.restart})" if progress.restart else ""
    parts = [
        f"{spec.strategy.step_name} {progress.step}{restart}",
        f"{what} {sign * progress.train_loss:.4g}",
        f"best validation {what} {sign * progress.best_loss:.4g}",
        f"work {amount(progress.work)}",
    ]
    if used is not None:
        parts.append(f"{used:.0%} of {_limits(spec)}")
        if used > 0:
            parts.append(f"{clock(progress.seconds * (1 - used) / used)} left")
    return ", ".join(parts)


def _limits(spec: Spec) -> str:
    """Return the budget of a run as text, or limit by limit where there is no text for it."""
    values = spec.budget.values().items()
    return spec.budget.text() or ", ".join(f"{name} {value:g}" for name, value in values)


def describe_runs(runs: RunsProgress) -> str:
    """Return how far a list of runs is as one line, with every run that is being executed."""
    whole = f"{runs.done} of {runs.total} runs done"
    if runs.seconds_left is not None:
        whole += f", {clock(runs.seconds_left)} left"
    if len(runs.running) > 1:
        return f"{whole}; {'; '.join(_brief(spec, progress) for spec, progress in runs.running)}"
    start = f"{whole}; {_brief(runs.spec, None)}"
    return start if runs.progress is None else f"{start}, {describe(runs.spec, runs.progress)}"


def _brief(spec: Spec, progress: Progress | None) -> str:
    """Return a run and the share of its budget that it has used."""
    used = None if progress is None else spec.budget.used(progress)
    return f"{spec.strategy.name}, seed {spec.seed}" + ("" if used is None else f": {used:.0%}")


@contextmanager
def _line(start: str, quiet: bool) -> Iterator[Callable[[Callable[[], str]], None]]:
    """Give a function that shows a text from time to time; the text is made only when it is shown."""
    if quiet:
        yield lambda text: None
    elif not sys.stderr.isatty():
        yield throttled(PLAIN_SECONDS, lambda text: print(text, file=sys.stderr))
    else:
        from rich.console import Console
        from rich.live import Live

        # Refreshed by the run itself: a thread of its own would wait for kernels, which hold the interpreter.
        console = Console(stderr=True)
        with Live(console=console, auto_refresh=False, transient=True) as live:

            def show(text: str) -> None:
                live.update(last_line(text, console.width), refresh=True)

            if start:
                show(start)
            yield throttled(LIVE_SECONDS, show)


def last_line(text: str, width: int, style: str = "") -> Any:
    """Return a text for the last line of a live display, with room for what terminals add to it.

    Terminals print ^C there; on a full line that would begin another line and move the display.
    """
    from rich.text import Text

    line = Text(text, style, no_wrap=True)
    line.truncate(max(1, width - len("^C^C")), overflow="ellipsis")
    return line


def throttled(seconds: float, show: Callable[[Any], None]) -> Callable[[Callable[[], Any]], None]:
    """Return a function that calls a maker of texts and shows the text, at most once in an interval."""
    shown = float("-inf")

    def now_and_then(text: Callable[[], Any]) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= seconds:
            shown = now
            show(text())

    return now_and_then


def clock(seconds: float) -> str:
    """Return a time as a clock shows it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
