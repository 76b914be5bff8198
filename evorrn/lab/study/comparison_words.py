"""A comparison in words: the answer, what to be wary of, and how its numbers are written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evorrn.base.errors import EvorrnError
from evorrn.data.metrics import EPISODE_METRICS, METRICS
from evorrn.lab.study.comparison import Baseline, Comparison, Row, badness
from evorrn.lab.study.statistics import LEVEL, seeds_needed, smallest_p
from evorrn.training.budget import Budget

FILE_TASKS = ("csv", "npz")
"""Tasks that are called like the kind of their file, which does not tell one from another."""
UNEQUAL = 1.2
"""Share of the budget above which a row does not stand at equal cost with the others."""


def answer(comparison: Comparison) -> str:
    """Return the outcome in a sentence or two: the best, what it beats, and whether its lead holds."""
    best, seeds = comparison.best, len(comparison.seeds)
    if not math.isfinite(best.median):
        return "No way of training gave a usable network: most runs of every strategy failed."
    span = f" {interval(best)}" if seeds > 1 else ""
    runs = f"the median of {seeds} seeds" if seeds > 1 else "with a single seed"
    parts = [f"Best: {best.strategy}, {comparison.metric} {figure(best.median)}{span} on test, {runs}"]
    baseline = comparison.best_baseline
    if baseline is not None:
        parts.append(_against_baseline(comparison, best, baseline))
    text = "; ".join(parts) + "."
    if smallest_p(seeds, len(comparison.differences)) > LEVEL:
        return text + (
            " So few seeds cannot show that a lead is more than luck." if comparison.differences else ""
        )
    pairs = [pair for pair in comparison.differences if best.strategy in (pair.a, pair.b)]
    hold = [pair.b for pair in pairs if pair.holds and pair.a == best.strategy]
    lose = [pair.a for pair in pairs if pair.holds and pair.b == best.strategy]
    open_ = [pair.b if pair.a == best.strategy else pair.a for pair in pairs if not pair.holds]
    if hold:
        text += f" Its lead over {listed(hold)} holds under Holm's correction."
    if open_:
        text += f" Its lead over {listed(open_)} does not hold up: take them as equal."
    if lose:
        text += f" Seed by seed, though, {listed(lose)} is ahead of it."
    return text


def cautions(comparison: Comparison) -> list[str]:
    """Return what a reader must know before believing the ranking, one sentence each."""
    found = []
    seeds, pairs = len(comparison.seeds), len(comparison.differences)
    if pairs and smallest_p(seeds, pairs) > LEVEL:
        found.append(
            f"With {counted(seeds, 'seed')} the smallest p-value there can be is 2/2^{seeds} = "
            f"{figure(2 / 2**seeds)}, and {figure(smallest_p(seeds, pairs))} after Holm's correction for "
            f"{counted(pairs, 'pair')}: no difference can hold, however large; at least {seeds_needed(pairs)} "
            "seeds are needed."
        )
    for row in comparison.rows:
        if row.failed:
            found.append(
                f"{row.strategy}: {row.failed} of {counted(seeds, 'run')} failed ({_reason(row)}); "
                "they rank worst."
            )
    for baseline in comparison.baselines:
        losers = [
            row
            for row in comparison.rows
            if math.isfinite(row.median)
            and badness(row.median, comparison.metric) >= badness(baseline.value, comparison.metric)
        ]
        if losers:
            names = listed([f"{row.strategy} ({figure(row.median)})" for row in losers])
            found.append(
                f"The trivial baseline {baseline.name} ({figure(baseline.value)}) is at least as good as {names}."
            )
    over = [f"{row.strategy} ({100 * share:.0f} %)" for row, share in _shares(comparison) if share > UNEQUAL]
    if over:
        found.append(
            f"More than the budget was used by {listed(over)}, since a step is never cut short: places in the "
            "ranking are not at equal cost. A larger budget evens that out."
        )
    unproven = [
        pair
        for pair in comparison.differences
        if "random" in (pair.a, pair.b) and not pair.holds and smallest_p(seeds, pairs) <= LEVEL
    ]
    if unproven:
        names = listed([pair.b if pair.a == "random" else pair.a for pair in unproven])
        found.append(f"Not shown to be better than as many random networks: {names}.")
    return found


def notes(comparison: Comparison) -> list[str]:
    """Return how the numbers are to be read, one sentence or two each."""
    seeds = len(comparison.seeds)
    if comparison.task.get("seed_changes") == "training":
        found = [
            "The series is a fixed record: seeds change only the training. Intervals and p-values say how "
            "training varies on this record, not how the ranking would carry over to another one."
        ]
    else:
        drawn = "starts" if comparison.of_episodes else "data"
        found = [f"Every seed draws new {drawn}; within a seed all strategies and baselines see the same."]
    where = "from the test starts" if comparison.of_episodes else "on the test split, in original units"
    found.append(f"{comparison.metric}: {_meaning(comparison.metric)}, {where}.")
    if seeds > 1:
        found.append(
            "Intervals are 95 % percentile bootstrap intervals of the median, computed exactly, as from endlessly "
            "many resamples."
        )
    if 1 < seeds < 6:
        share = 100 * (1 - 2 / 2**seeds)
        found.append(
            f"From {seeds} seeds such an interval is narrower than its name: even the whole range of the values "
            f"holds the true median only {figure(share)} % of the time."
        )
    found.append(
        "Differences are tested seed by seed with Wilcoxon's signed-rank test, exact and two-sided; p is given "
        "after Holm's correction over all pairs, and a difference holds when it is at most 0.05."
    )
    found.append(
        "Work, time steps and seconds are those of one run, the median over seeds; compiling is not in them."
    )
    for row, share in _shares(comparison):
        if 1.02 < share <= UNEQUAL:
            found.append(f"{row.strategy} used {100 * share:.0f} % of the budget: a step is never cut short.")
        elif share < 0.9:
            found.append(f"{row.strategy} used {100 * share:.0f} % of the budget: it had nothing left to do.")
    return found


def differences(comparison: Comparison) -> str:
    """Return what can be told apart, in a sentence or two."""
    seeds, pairs = len(comparison.seeds), comparison.differences
    reach = f"With {counted(seeds, 'seed')} and {counted(len(pairs), 'pair')}, a corrected p-value can be as small as"
    text = f"{reach} {figure(smallest_p(seeds, len(pairs)))}"
    if smallest_p(seeds, len(pairs)) > LEVEL:
        return f"{text}: too few seeds to tell anything apart; {seeds_needed(len(pairs))} would be enough to begin."
    hold = sum(pair.holds for pair in pairs)
    return (
        f"{text}. {hold} of {len(pairs)} differences hold: they would be rare by luck alone. One that does not hold "
        "may still be real; these seeds do not show it."
    )


def subject(task: Mapping[str, Any]) -> str:
    """Return what a task is called in titles: of a data file its name, and what is forecast where that has names.

    Parameters
    ----------
    task : mapping
        ``name``, for a data file ``path``, and ``outputs``, the names of its outputs.
    """
    if task["name"] == "gym":
        return f"gym:{task['id']}"
    if task["name"] not in FILE_TASKS or not task.get("path"):
        return str(task["name"])
    names = [name for name in task.get("outputs", ()) if not re.fullmatch(r"output\d+", name)]
    targets = f", {'target' if len(names) == 1 else 'targets'} {listed(names)}" if names else ""
    return Path(task["path"]).name + targets


def against(row: Row, baseline: Baseline, comparison: Comparison) -> str:
    """Return how far a row is ahead of a baseline or behind it, as a share of the baseline's error."""
    if not (math.isfinite(row.median) and math.isfinite(baseline.value)):
        return "–"
    gain = badness(baseline.value, comparison.metric) - badness(row.median, comparison.metric)
    if comparison.higher_is_better or baseline.value <= 0:
        return f"{gain:+.3g}"
    if row.median > 10 * baseline.value:
        return f"× {row.median / baseline.value:.2g}"
    return f"{100 * (row.median / baseline.value - 1):+.0f} %"


def figure(value: float) -> str:
    """Return a number with the digits that a reader needs; ``failed`` where it is not finite."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "failed"
    return f"{value:#.3g}".removesuffix(".") if abs(value) < 1000 else f"{value:.2e}"


def interval(row: Row) -> str:
    """Return the interval of a row's median, a dash when there is none."""
    return "–" if math.isnan(row.low) else f"[{figure(row.low)}, {figure(row.high)}]"


def amount(value: float) -> str:
    """Return multiply-adds as budgets are typed, for instance ``5.02G``."""
    if not math.isfinite(value):
        return "–"
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, noun: str) -> str:
    """Return a number and its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def ways(number: int) -> str:
    """Return how many ways of training there are, in words."""
    return "1 way of training" if number == 1 else f"{number} ways of training"


def hidden(network: dict[str, object]) -> str:
    """Return cell and sizes of a network, for instance ``lstm 32`` or ``gru 16+16``; of a file's cell its name."""
    sizes = network.get("hidden")
    text = "+".join(map(str, sizes)) if isinstance(sizes, list | tuple) else str(sizes)
    return f"{str(network.get('cell')).rpartition(':')[2]} {text}"


def _against_baseline(comparison: Comparison, best: Row, baseline: Baseline) -> str:
    metric = comparison.metric
    ahead = sum(badness(v, metric) < badness(b, metric) for v, b in zip(best.values, baseline.values))
    seeds = len(comparison.seeds)
    where = f" in {ahead} of {counted(seeds, 'seed')}" if seeds > 1 else ""
    if badness(best.median, metric) >= badness(baseline.value, metric):
        return f"it does not beat the trivial baseline {baseline.name} ({figure(baseline.value)})"
    gain = abs(baseline.value - best.median)
    by = (
        figure(gain)
        if comparison.higher_is_better or baseline.value <= 0
        else f"{100 * gain / baseline.value:.0f} %"
    )
    return f"it beats {baseline.name} ({figure(baseline.value)}), the best trivial baseline, by {by}{where}"


def _reason(row: Row) -> str:
    """Return why runs of a row failed."""
    diverged = row.failed - row.errors
    reasons = [f"{row.errors} with an error"] * (row.errors > 0)
    return listed(
        reasons + [f"{diverged} without a finite {'value' if diverged == 1 else 'values'}"] * (diverged > 0)
    )


def _meaning(metric: str) -> str:
    known = {**METRICS, **EPISODE_METRICS}
    text = (known[metric].__doc__ or metric).split(".")[0] if metric in known else metric
    return re.sub(r" \([^)]*\)", "", text.removeprefix("Return "))  # shapes are for programmers


def _shares(comparison: Comparison) -> list[tuple[Row, float]]:
    """Return what share of a budget of work each row used; empty for other budgets."""
    try:
        limit = Budget.parse(comparison.budget).work
    except EvorrnError:
        return []
    return [(row, row.work / limit) for row in comparison.rows if limit and math.isfinite(row.work)]
