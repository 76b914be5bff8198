"""What ``evorrn sweep`` prints at its end, and its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evorrn.base.text import counted, figure
from evorrn.cli import FAILED
from evorrn.cli.output import note, print_json, say, warn

if TYPE_CHECKING:
    from evorrn.lab.sweep.check import Check
    from evorrn.lab.sweep.tally import Tally


def report(tally: Tally, file: Path, runs: Path | None, *, json: bool, quiet: bool) -> int:
    """Print how a sweep ended, with the commands that follow, and return the exit code."""
    same = f"{file} --runs {runs}" if runs is not None else f"{file}"
    failed = tally.failed + tally.failed_before
    if json:
        print_json(tally.as_dict())
    elif not quiet:
        complete = tally.before + tally.done
        say(f"{complete:,} of {counted(tally.total, 'run')} complete ({tally.done:,} now)")
        if tally.pruned:
            say(f"  {tally.pruned:,} pruned")
        for best in tally.best.values():
            say(f"  best on {best.task}: validation {best.metric} {figure(best.value)} ({best.where})")
        if complete:
            say(f"  evorrn results {same}")
    if tally.elsewhere:
        note(f"{counted(tally.elsewhere, 'run')} held by other processes")
    if tally.damaged:
        warn(f"{counted(tally.damaged, 'damaged folder')} left alone: mend or remove them, and run again")
    if failed:
        before = f", {tally.failed_before} of them before" if tally.failed_before else ""
        warn(f"{counted(failed, 'run')} failed{before}; again with: evorrn sweep retry {same}")
    return FAILED if failed or tally.damaged else 0


def show_check(found: Check) -> None:
    """Print the size of a sweep, and its progress."""
    sweep = found.sweep
    say(
        f"{sweep.name}: {found.cells:,} cells x {counted(sweep.seeds, 'seed')} = {counted(found.runs, 'run')}"
    )
    for axis in sweep.axes:
        say(f"  {axis.label}: {axis.describe()}")
    if sweep.search.sampler != "grid":
        say(f"  chosen by {sweep.search.sampler}")
    if sweep.exclusions:
        say(f"  {counted(len(sweep.exclusions), 'exclusion')}")
    if found.repeated:
        say(f"  {counted(found.repeated, 'cell')} left out, being the same as others")
    if sweep.adaptive:
        say("  which cells follows from what earlier ones reach")
    states = ", ".join(
        f"{count:,} {state}" for state, count in found.states.most_common() if state != "missing"
    )
    say(f"  done so far: {states or 'nothing'}")
    if found.seconds_left is not None and found.seconds_left:
        unlike = f", {found.unlike:,} of them guessed from unlike ones" if found.unlike else ""
        say(f"  left: about {_span(found.seconds_left)} of training by one process{unlike}")
    for folder in found.damaged:
        warn(f"damaged: {folder}")


def _span(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"
