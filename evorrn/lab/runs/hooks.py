"""Hooks: functions of the caller that are called while runs are executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def ignore(*_: Any) -> None:
    """Do nothing."""


def never(_: Any) -> str:
    """Return no reason to stop."""
    return ""


@dataclass(frozen=True)
class Hooks:
    """Functions called while runs are executed.

    Attributes
    ----------
    watch : callable
        Called repeatedly with the progress: a `Progress` of one run, a `RunsProgress` of a list of runs, a
        `Tally` of a sweep.
    warn, note : callable
        Called with a sentence: what deserves attention but stops nothing, and what is good to know.
    stop : callable
        Called with the `Progress` of a run after every step; a text ends the run as an interruption does, with a
        checkpoint, and ``status.json`` says why.
    checked : callable
        Called with the number of cells of a sweep checked so far.
    failure : callable
        Called with what a failed run of a sweep varies, and the `Run`.
    """

    watch: Callable[[Any], None] = ignore
    warn: Callable[[str], None] = ignore
    note: Callable[[str], None] = ignore
    stop: Callable[[Any], str] = never
    checked: Callable[[int], None] = ignore
    failure: Callable[[str, Any], None] = ignore


SILENT = Hooks()
