"""Sentences that comparisons and sweeps share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evorrn.base.text import counted, figure, listed
from evorrn.data.metrics import NORMALISED
from evorrn.lab.study.comparison import Baseline, badness
from evorrn.lab.study.pairs import Difference
from evorrn.lab.study.statistics import LEVEL, seeds_needed, smallest_p

FILE_TASKS = ("csv", "npz", "text", "midi")
"""Tasks named after the format of their file; titles name the file instead."""
MEDIANS = "Intervals of medians are exact 95 % percentile bootstrap intervals."
COSTS = "Work counts multiply-adds and is the same on every machine; seconds are without compiling."


def subject(task: Mapping[str, Any]) -> str:
    """Return the name of a task in titles: for a data file, that of the file and those of its named outputs."""
    if task["name"] == "gym":
        return f"gym:{task['id']}"
    if task["name"] not in FILE_TASKS or not task.get("path"):
        return str(task["name"])
    # characters and notes are no columns
    outputs = () if task["name"] in ("text", "midi") else task.get("outputs", ())
    names = [name for name in outputs if not re.fullmatch(r"output\d+", name)]
    targets = f", {'target' if len(names) == 1 else 'targets'} {listed(names)}" if names else ""
    return Path(task["path"]).name + targets


NAMED = 8
"""Most outputs whose names a sentence lists."""


def pooled(outputs: Sequence[str]) -> str:
    """Return that errors in original units mix several outputs; empty where there is one."""
    if len(outputs) < 2:
        return ""
    names = listed(list(outputs)) if len(outputs) <= NAMED else f"all {len(outputs)} outputs"
    return (
        f"rmse, mae and mse are taken over {names} together, in original units, so the output with the "
        "largest numbers decides them; normalised errors are averaged over the outputs."
    )


def ways(number: int) -> str:
    """Return a number of ways of training."""
    return counted(number, "way of training", "ways of training")


def direction(higher_is_better: bool) -> str:
    """Return which values of a metric are better."""
    return f"{'higher' if higher_is_better else 'lower'} is better"


def leads(best: str, pairs: Sequence[Difference], unit: str) -> list[str]:
    """Return which leads of the best hold, one clause each; what is paired is a `unit`, ``"seed"`` or ``"task"``."""
    mine = [pair for pair in pairs if best in (pair.a, pair.b)]
    rivals = {pair: pair.b if pair.a == best else pair.a for pair in mine}
    holding = [rivals[pair] for pair in mine if pair.holds and pair.a == best]
    unproven = [rivals[pair] for pair in mine if not pair.holds]
    behind = [rivals[pair] for pair in mine if pair.holds and pair.b == best]
    clauses = [f"its lead over {listed(holding)} holds under Holm's correction"] if holding else []
    clauses += [f"its lead over {listed(unproven)} does not hold"] if unproven else []
    return clauses + ([f"but {unit} by {unit} {listed(behind)} is ahead of it"] if behind else [])


def too_few(units: int, pairs: int, unit: str = "seed") -> str:
    """Return that no difference can hold with the seeds or tasks there are; empty where one can."""
    smallest = smallest_p(units, pairs)
    if not pairs or smallest <= LEVEL:
        return ""
    corrected = f" after Holm's correction for {pairs} pairs" if pairs > 1 else ""
    return (
        f"With {counted(units, unit)} no p-value can be below {figure(smallest)}{corrected}, so no difference can "
        f"hold, however large. At least {seeds_needed(pairs)} {unit}s are needed."
    )


def undefined(first: str, ranking: str, where: str = "") -> str:
    """Return that another metric ranks than the first one of the task; empty where the first one ranks."""
    if not first:
        return ""
    why = "because the targets of an output do not vary" if first in NORMALISED else "in all runs"
    return f"{where}{first} is undefined on test, {why}: {ranking} ranks instead."


def beaten(baselines: Sequence[Baseline], medians: Mapping[str, float], metric: str, where: str = "") -> str:
    """Return which ways of training are no better than the best trivial baseline; empty where all are better.

    The medians are those of the ways of training that did not fail; `where` begins the sentence, for instance
    ``"On narma "``.
    """
    best = min(baselines, key=lambda baseline: badness(baseline.value, metric), default=None)
    if best is None:
        return ""
    losers = [n for n, value in medians.items() if badness(value, metric) >= badness(best.value, metric)]
    if not losers:
        return ""
    names = listed([f"{name} ({figure(medians[name])})" for name in losers])
    article = "the" if where else "The"
    kind = "model" if best.model else "trivial baseline"
    return f"{where}{article} {kind} {best.name} ({figure(best.value)}) is at least as good as {names}."


def sighted(names: Sequence[str], where: str = "") -> str:
    """Return that the networks of some contenders see what they are to predict; empty where there are none."""
    if not names:
        return ""
    said = (
        "bidirectional networks see the later inputs, and these are what is predicted: the scores of "
        f"{listed(list(names))} are not those of a forecast."
    )
    return where + said if where else said[0].upper() + said[1:]


def damaged(runs: Mapping[str, str]) -> list[str]:
    """Return a warning about runs whose files are damaged, none where there are none."""
    if not runs:
        return []
    folder, reason = next(iter(runs.items()))
    return [
        f"The files of {counted(len(runs), 'run')} are damaged and left out where they would be shown: {folder} ({reason})"
        f"{' and others' if len(runs) > 1 else ''}. --force runs what is damaged again."
    ]
