"""A comparison in words: the answer, warnings, and notes on the numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from evorrn.base.errors import EvorrnError
from evorrn.base.text import counted, figure, interval, listed
from evorrn.data.episode_metrics import EPISODE_METRICS
from evorrn.data.label_metrics import SEQUENCE_METRICS
from evorrn.data.metrics import METRICS
from evorrn.lab.study.comparison import Baseline, Comparison, Row, badness
from evorrn.lab.study.sentences import backtest, common, intervals
from evorrn.lab.study.statistics import LEVEL, smallest_p
from evorrn.training.budget import Budget

UNEQUAL = 1.05
"""Share of the budget above which a row is not at equal cost with the others."""
SLOWER = 2.0
"""Ratio of seconds for the same work from which the difference in time is told."""


def answer(comparison: Comparison) -> str:
    """Return the outcome in a few sentences: the best, the best baseline, and which leads hold."""
    best, seeds = comparison.best, len(comparison.seeds)
    if not math.isfinite(best.median):
        return "No way of training gave a usable network: most runs of every strategy failed."
    span = f" {interval(best.low, best.high)}" if seeds > 1 else ""
    runs = f"the median of {seeds} seeds" if seeds > 1 else "with a single seed"
    runs += f"; a seed's value is its mean{backtest.spread(comparison)}" if comparison.parts else ""
    equals = [row.strategy for row in comparison.rows[1:] if row.median == best.median]
    alike = f" (equal to {listed(equals)})" if equals else ""
    parts = [f"Best: {best.strategy}{alike}, {comparison.metric} {figure(best.median)}{span} on test, {runs}"]
    baseline = comparison.best_baseline
    if baseline is not None:
        parts.append(_against_baseline(comparison, best, baseline))
    text = "; ".join(parts) + "."
    if len(equals) == len(comparison.rows) - 1 > 0:
        return text
    if common.too_few(seeds, len(comparison.differences)):
        return f"{text} So few seeds cannot show that its lead is more than chance."
    clauses = common.leads(best.strategy, comparison.differences, "seed")
    return f"{text} {clauses[0][0].upper()}{', '.join(clauses)[1:]}." if clauses else text


def cautions(comparison: Comparison) -> list[str]:
    """Return warnings about the ranking, one each."""
    seeds, pairs = len(comparison.seeds), len(comparison.differences)
    found = [common.undefined(comparison.undefined, comparison.metric), common.too_few(seeds, pairs)]
    for row in comparison.rows:
        if row.failed:
            found.append(
                f"{row.strategy}: {row.failed} of {counted(seeds * max(len(comparison.parts), 1), 'run')} failed ({_reason(row)}); "
                "they rank worst."
            )
    found.append(_at_the_end(comparison))
    medians = {row.strategy: row.median for row in comparison.rows if math.isfinite(row.median)}
    found.append(common.beaten(comparison.baselines, medians, comparison.metric))
    found.append(_models(comparison))
    over = [f"{row.strategy} ({100 * share:.0f} %)" for row, share in _shares(comparison) if share > UNEQUAL]
    if over:
        found.append(
            f"More than the budget was used by {listed(over)}, because a step always runs to its end. The ranking is "
            "not at equal cost; a larger budget makes it more equal."
        )
    found.append(_time(comparison))
    found.append(common.sighted([row.strategy for row in comparison.rows if row.sees_targets]))
    unproven = [
        pair
        for pair in comparison.differences
        if "random" in (pair.a, pair.b) and not pair.holds and smallest_p(seeds, pairs) <= LEVEL
    ]
    if unproven:
        names = listed([pair.b if pair.a == "random" else pair.a for pair in unproven])
        found.append(f"Not shown to be better than the best of as many random networks: {names}.")
    found += intervals.short(comparison)
    return [text for text in found if text]


def notes(comparison: Comparison) -> list[str]:
    """Return notes on how the data were read, and on how to read the numbers."""
    seeds = len(comparison.seeds)
    read = [f"{text}." for text in comparison.task.get("notes", ())]
    if comparison.task.get("seed_changes") == "training":
        found = [
            "The series is a fixed record, and seeds change only the training. Intervals and p-values describe how "
            "training varies on this record; they do not say how the ranking would be on another one."
        ]
    else:
        drawn = "starts" if comparison.of_episodes else "data"
        found = [f"Every seed draws new {drawn}; within a seed all strategies and baselines get the same."]
    where = "from the test starts" if comparison.of_episodes else "on the test split, in original units"
    found += backtest.reading(comparison)
    found.append(f"{comparison.metric}: {_meaning(comparison.metric)}, {where}.")
    found += filter(None, [common.pooled(comparison.task.get("outputs", ()))])
    if seeds > 1:
        found.append(common.MEDIANS)
    if 1 < seeds < 6:
        share = 100 * (1 - 2 / 2**seeds)
        found.append(
            f"With {seeds} seeds such an interval covers less than 95 %: even the whole range of the values covers the "
            f"true median in only {figure(share)} % of cases."
        )
    found.append(
        "Differences are tested seed by seed with Wilcoxon's signed-rank test, exact and two-sided. A difference "
        "holds when its p-value is at most 0.05 after Holm's correction over all pairs."
    )
    found.append(f"Work, time steps and seconds are those of one run, the median over seeds. {common.COSTS}")
    for row, share in _shares(comparison):
        if share < 0.9:
            found.append(
                f"{row.strategy} used {100 * share:.0f} % of the budget: it had nothing left to try."
            )
    return [*read, *found, *intervals.reading(comparison)]


def differences(comparison: Comparison) -> str:
    """Return how many differences hold, in a sentence or two."""
    seeds, pairs = len(comparison.seeds), comparison.differences
    few = common.too_few(seeds, len(pairs))
    if few:
        return few
    hold = sum(pair.holds for pair in pairs)
    return (
        f"{hold} of {counted(len(pairs), 'difference')} {'holds' if hold == 1 else 'hold'} at the 5 % level, with "
        f"{counted(seeds, 'seed')}. One that does not hold may still be real; these seeds do not show it."
    )


def against(row: Row, baseline: Baseline, comparison: Comparison) -> str:
    """Return the gap between a row and a baseline, relative to the baseline's error where that is positive."""
    if not (math.isfinite(row.median) and math.isfinite(baseline.value)):
        return "–"
    gain = badness(baseline.value, comparison.metric) - badness(row.median, comparison.metric)
    if comparison.higher_is_better or baseline.value <= 0:
        return f"{gain:+.3g}"
    if row.median > 10 * baseline.value:
        return f"× {row.median / baseline.value:.2g}"
    return f"{100 * (row.median / baseline.value - 1):+.0f} %"


def hidden(network: Mapping[str, Any]) -> str:
    """Return cell, sizes and wiring of a network, for instance ``lstm 32``, ``gru 16+16`` or ``gru 16, readout last``."""
    sizes = network.get("hidden")
    text = "+".join(map(str, sizes)) if isinstance(sizes, list | tuple) else str(sizes)
    cell = network.get("cell")
    names = cell if isinstance(cell, list | tuple) else [cell]
    cells = "+".join(str(name).rpartition(":")[2] for name in names)
    return f"{'bidirectional ' * bool(network.get('bidirectional'))}{cells} {text}{wiring(network)}"


def wiring(network: Mapping[str, Any]) -> str:
    """Return what the settings of a network say of embedding, context and readout, each after a comma."""
    if network.get("kind"):
        return f", {network['kind']}"
    given = {"embedding": network.get("embedding"), "context": network.get("context")}
    given |= {"readout": network.get("readout", "every"), "reads": network.get("reads", "last")}
    usual = {"readout": "every", "reads": "last"}
    return "".join(f", {name} {value}" for name, value in given.items() if value and value != usual.get(name))


def _against_baseline(comparison: Comparison, best: Row, baseline: Baseline) -> str:
    metric = comparison.metric
    ahead = sum(badness(v, metric) < badness(b, metric) for v, b in zip(best.values, baseline.values))
    seeds = len(comparison.seeds)
    where = f" in {ahead} of {counted(seeds, 'seed')}" if seeds > 1 else ""
    where += backtest.in_folds(comparison, best.strategy, baseline.name)
    if badness(best.median, metric) >= badness(baseline.value, metric):
        kind = "model" if baseline.model else "trivial baseline"
        return f"it does not beat the {kind} {baseline.name} ({figure(baseline.value)})"
    gain = abs(baseline.value - best.median)
    by = (
        figure(gain)
        if comparison.higher_is_better or baseline.value <= 0
        else f"{100 * gain / baseline.value:.0f} %"
    )
    kind = "of the baselines and models" if any(b.model for b in comparison.baselines) else "trivial baseline"
    best_of = f"the best {kind}"
    return f"it beats {baseline.name} ({figure(baseline.value)}), {best_of}, by {by}{where}"


def _models(comparison: Comparison) -> str:
    """Return which models in use are at least as good as the best way of training; empty where none is."""
    best = comparison.best
    winners = [
        f"{each.name} ({figure(each.value)})"
        for each in comparison.baselines
        if each.model and badness(each.value, comparison.metric) <= badness(best.median, comparison.metric)
    ]
    if not winners:
        return ""
    verb = "is" if len(winners) == 1 else "are"
    return f"{listed(winners)} {verb} at least as good as the best way of training, {best.strategy} ({figure(best.median)})."


def _at_the_end(comparison: Comparison) -> str:
    """Return which ways of training had every free run right to its end; empty where none had."""
    most = comparison.largest
    if most is None:
        return ""
    names = [
        row.strategy for row in comparison.rows if max(row.values, default=-math.inf) >= most * (1 - 1e-9)
    ]
    return (
        f"{comparison.metric} cannot be more than {figure(most)} here, where the free runs end; {listed(names)} reached it, and "
        "longer free runs could tell more."
        if names
        else ""
    )


def _reason(row: Row) -> str:
    """Return why runs of a row failed."""
    diverged = row.failed - row.errors
    reasons = [f"{row.errors} with an error"] * (row.errors > 0)
    return listed(reasons + [f"{diverged} without a finite value"] * (diverged > 0))


def _time(comparison: Comparison) -> str:
    """Return that equal work took unequal time, where it did; empty where it did not."""
    pace = sorted(
        (row.seconds / (row.work / 1e9), row.strategy)
        for row in comparison.rows
        if row.work > 0 and row.seconds > 0
    )
    if not _shares(comparison) or not pace or pace[-1][0] < SLOWER * pace[0][0]:
        return ""
    (fast, quickest), (slow, slowest) = pace[0], pace[-1]
    return (
        f"Equal work is not equal time: 1G takes {figure(fast)} s in {quickest} and {figure(slow)} s in {slowest}. "
        "The ranking is at equal work."
    )


def _meaning(metric: str) -> str:
    known = {**SEQUENCE_METRICS, **METRICS, **EPISODE_METRICS}
    text = (known[metric].__doc__ or metric).split(".")[0] if metric in known else metric
    return re.sub(r" \([^)]*\)", "", text.removeprefix("Return "))  # without array shapes


def _shares(comparison: Comparison) -> list[tuple[Row, float]]:
    """Return the share of the budget that each row used; empty where the budget is not of work."""
    try:
        limit = Budget.parse(comparison.budget).work
    except EvorrnError:
        return []
    return [(row, row.work / limit) for row in comparison.rows if limit and math.isfinite(row.work)]
