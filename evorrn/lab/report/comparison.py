"""The report of a comparison: its page, made from the run folders, and its summary for a terminal.

Everything on the page is read from disk, so it can be written again at any time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evorrn.base.files import readable_json, write_atomic
from evorrn.base.text import amount, counted, figure, interval
from evorrn.lab.report import plots
from evorrn.lab.report.backtest import folds_table, horizons_table, target_tables, targets_table
from evorrn.lab.report.evolution import PANEL_WIDTH, PANELS, panel_height
from evorrn.lab.report.genome import MARGIN, WIDTH, draw_genome, genome_height
from evorrn.lab.report.intervals import bands, intervals_table, row_runs
from evorrn.lab.report.learning import SECONDS, WORK, draw_learning
from evorrn.lab.report.outputs import draw_outputs, outputs_height, outputs_of
from evorrn.lab.report.page import Figure, colour_number, environment_rows, make_figure, render, settings_text
from evorrn.lab.report.rankings import draw_ranking
from evorrn.lab.report.records import (
    damaged_runs,
    load_comparison,
    read_evolution,
    read_genome,
    readable_curves,
    typical,
    typical_outputs,
)
from evorrn.lab.report.residuals import HEIGHT, has_residuals
from evorrn.lab.report.residuals import panels as residual_panels
from evorrn.lab.report.style import places, rows_height
from evorrn.lab.report.tables import Entry, Table
from evorrn.lab.report.terminal import GAP, Line, Parts, notes
from evorrn.lab.runs.outputs import Outputs, Predictions
from evorrn.lab.study.backtest import every_row, newest
from evorrn.lab.study.comparison import Baseline, Comparison, Row
from evorrn.lab.study.pairs import Difference
from evorrn.lab.study.ranking import ranked
from evorrn.lab.study.sentences import backtest, common
from evorrn.lab.study.sentences import comparison as sentences

CAPTIONS = {
    "fitness": "Fitness in training: the best of each generation, the median and the quartiles.",
    "diversity": "Diversity: root mean variance of the genes in the population.",
    "step sizes": "Step size of each named block: of the method's draws, or of the population.",
}
RANKING = (
    "strategy", "median", "95 % interval", "against best baseline", "network", "genes", "work", "time steps", "seconds",
    "failed",
)  # fmt: skip
IN_TERMINAL = ("strategy", "median", "95 % interval", "network", "genes", "work", "seconds")
SHORTEST = 0.001
"""Seconds of a baseline that are shown as a number."""
LESS_IMPORTANT = ("genes", "network", "work", "seconds", "95 % interval")


def write_report(comparison: Comparison, root: Path, path: Path) -> None:
    """Write the report of a comparison, whose run folders are below `root`, to an HTML file."""
    write_atomic(path, page(comparison, root))


def rebuild(folder: Path, root: Path) -> Comparison:
    """Write the report in a comparison's folder again, from the runs below `root`, and return the comparison.

    Raises
    ------
    RunError
        When the folder has no comparison that can be read.
    """
    comparison = load_comparison(folder)
    write_report(comparison, root, folder / "report.html")
    return comparison


def write_picture(comparison: Comparison, root: Path, path: Path) -> None:
    """Draw a comparison on one sheet, to an ``.svg`` or ``.png`` file."""
    shown = next((s for row, _, s in typical_outputs(comparison, root) if row is comparison.best), None)
    curves = {
        row.strategy: [found["work"] for run in row.runs if "work" in (found := readable_curves(root / run))]
        for row in comparison.rows
    }
    plots.comparison_plot(comparison, curves, shown, path)


def title(comparison: Comparison) -> str:
    """Return what is compared, in a line."""
    return (
        f"{common.subject(comparison.task)}: {common.ways(len(comparison.rows))}, {comparison.budget} each, "
        f"{counted(len(comparison.seeds), 'seed')}{backtest.spread(comparison)}; {comparison.metric} on test, "
        f"{common.direction(comparison.higher_is_better)}"
    )


def summary(comparison: Comparison) -> Parts:
    """Return the ranking, the answer, the differences and the warnings, for a terminal."""
    few = common.too_few(len(comparison.seeds), len(comparison.differences))
    found: Parts = [Line(title(comparison), "title"), GAP, ranking_table(comparison).only(IN_TERMINAL), GAP]
    for table in (horizons_table(comparison), folds_table(comparison), targets_table(comparison)):
        found += [table, GAP] if table.entries else []
    intervals = intervals_table(comparison)
    found += [intervals, GAP] if intervals.entries else []
    found += [Line(sentences.answer(comparison), "answer"), GAP]
    found += [] if few else [Line(text) for text in difference_lines(comparison)]
    found += notes(sentences.cautions(comparison))
    return [*found, GAP, Line(comparison.report, "report")] if comparison.report else found


def difference_lines(comparison: Comparison) -> list[str]:
    """Return the differences in at most two lines: those that hold, and those that do not."""
    found = []
    for holds, label in ((True, "holds"), (False, "does not hold")):
        pairs = [pair for pair in comparison.differences if pair.holds == holds]
        texts = [f"{pair.a} before {pair.b} (p {figure(pair.p)})" for pair in pairs]
        found += [f"{label}: {', '.join(texts)}"] if texts else []
    return found


def ranking_table(comparison: Comparison) -> Table:
    """Return the ranking of strategies and baselines."""
    colours = places([row.strategy for row in comparison.rows])
    entries = []
    for entry in ranked(comparison.rows, comparison.baselines, comparison.metric):
        if isinstance(entry, Baseline):
            took = brief(entry.seconds)
            cells = (
                entry.name,
                figure(entry.value),
                "baseline",
                *[""] * 5,
                took,
                "",
            )  # where no width leaves it out
            entries.append(Entry(cells, "baseline"))
        else:
            style = "best" if entry is comparison.best else ""
            cells = _row_cells(entry, comparison)
            entries.append(Entry(cells, style, colour_number(colours[entry.strategy])))
    table = Table(RANKING, "lrrrlrrrrr", entries, less_important=LESS_IMPORTANT)
    return table if comparison.baselines else table.only([name for name in RANKING if "baseline" not in name])


def brief(seconds: float) -> str:
    """Return the seconds of a baseline, many of which take next to none; empty where they are not known."""
    if not math.isfinite(seconds):
        return ""
    return figure(seconds) if seconds >= SHORTEST else f"<{SHORTEST:g}"


def _row_cells(row: Row, comparison: Comparison) -> tuple[str, ...]:
    best = comparison.best_baseline
    return (
        row.strategy,
        figure(row.median),
        interval(row.low, row.high),
        "" if best is None else sentences.against(row, best, comparison),
        sentences.hidden(row.network),
        str(row.network.get("genes", "–")),
        amount(row.work),
        amount(row.steps),
        figure(row.seconds),
        str(row.failed),
    )


def differences_table(pairs: Sequence[Difference], seeds: int) -> Table:
    """Return the tested pairs."""
    columns = ("ahead", "behind", "seeds ahead", "p", "p, corrected", "holds")
    return Table(columns, "llrrrl", [Entry(pair_cells(pair, f"{pair.ahead} of {seeds}")) for pair in pairs])


def pair_cells(pair: Difference, ahead: str) -> tuple[str, ...]:
    """Return the cells of a tested pair."""
    holds = "yes" if pair.holds else "no"
    return (pair.a, pair.b, ahead, figure(pair.uncorrected), figure(pair.p), holds)


def page(comparison: Comparison, root: Path) -> str:
    """Return the report as HTML."""
    colours = places([row.strategy for row in comparison.rows])
    damaged = damaged_runs(comparison, root)
    return render("comparison.html", {
        "comparison": comparison,
        "subject": common.subject(comparison.task),
        "strategies": common.ways(len(comparison.rows)),
        "seeds": counted(len(comparison.seeds), "seed") + backtest.spread(comparison),
        "counts_work": comparison.budget[-1:] in "kMGT0123456789",
        "direction": common.direction(comparison.higher_is_better),
        "answer": sentences.answer(comparison),
        "cautions": [*sentences.cautions(comparison), *common.damaged(damaged)],
        "notes": sentences.notes(comparison),
        "ranking": _ranking(comparison, colours),
        "ranking_table": ranking_table(comparison),
        "differences_text": sentences.differences(comparison),
        "differences_table": differences_table(comparison.differences, len(comparison.seeds)),
        "learning": _learning(comparison, root, colours),
        "horizons_table": horizons_table(comparison),
        "folds_table": folds_table(comparison),
        "targets_tables": target_tables(comparison),
        "intervals_table": intervals_table(comparison),
        "predictions": _predictions(comparison, root, colours),
        "residuals": _residuals(comparison, root, colours),
        "evolution": _evolution(comparison, root, colours),
        "genomes": _genomes(comparison, root),
        "settings_table": Table(
            ("strategy", "network", "settings of the strategy"),
            "lpp",
            [Entry((r.strategy, settings_text(r.network), settings_text(r.settings))) for r in comparison.rows],
        ),
        "task_settings": settings_text({k: v for k, v in comparison.task.items() if k != "notes"}),
        "references_table": _references(comparison),
        "runs_table": _runs(comparison, root, damaged),
        "baselines_table": Table(
            ("baseline", *(f"seed {seed}" for seed in comparison.seeds)),
            "l" + "r" * len(comparison.seeds),
            [Entry((each.name, *map(figure, each.values))) for each in comparison.baselines],
        ),
        "environment": environment_rows(comparison.environment),
    })  # fmt: skip


def _ranking(comparison: Comparison, colours: dict[str, int]) -> Figure:
    entries = ranked(comparison.rows, comparison.baselines, comparison.metric)
    size = (6.4, rows_height(len(entries)))
    return make_figure("ranking", size, draw_ranking, entries, comparison.metric, colours)


def _learning(comparison: Comparison, root: Path, colours: dict[str, int]) -> list[Figure]:
    read = {row.strategy: [readable_curves(root / folder) for folder in row.runs] for row in comparison.rows}
    found = []
    for cost, label, caption in (
        ("work", WORK, "At equal cost."),
        ("seconds", SECONDS, "On this machine's clock."),
    ):
        curves = {name: [run[cost] for run in runs if cost in run] for name, runs in read.items()}
        given = (curves, colours, label, comparison.of_episodes)
        found.append(make_figure(f"learning by {cost}", (5.6, 3.6), draw_learning, *given, caption=caption))
    return found


def _predictions(comparison: Comparison, root: Path, colours: dict[str, int]) -> list[Figure]:
    """Return a picture of each way of training, at each horizon and of each output."""
    found = []
    everything = [(part, *each) for part in newest(comparison) for each in typical_outputs(part, root)]
    several = len({str(part.task.get("horizon")) for part, *_ in everything}) > 1
    for part, row, seed, whole in everything:
        value = figure(row.values[comparison.seeds.index(seed)])
        caption = f"{row.strategy}, seed {seed}: {comparison.metric} {value}"
        ahead = f" {part.task['horizon']} ahead" if several else ""
        caption = f"{ahead.strip()}, {caption}" if ahead else caption
        names = comparison.task.get("outputs", ()) if isinstance(whole, Predictions) else ()
        runs = row_runs(row, root)
        for output, shown in enumerate(outputs_of(whole, names)):
            around, name = [], f"{whole.kind} {row.strategy}{ahead}"
            if isinstance(shown, Predictions):
                around = bands(shown, comparison.level, [run.by_output(names)[output] for run in runs])
                name += f" {shown.name}" if len(names) > 1 else ""
            size = (5.6, outputs_height(shown))
            given = (shown, row.strategy, colours[row.strategy], around)
            found.append(
                make_figure(name, size, draw_outputs, *given, caption=_caption(caption, shown, names))
            )
    return found


def _caption(caption: str, shown: Outputs, names: Sequence[str]) -> str:
    """Return a caption that says which output is drawn, where there are several."""
    if not isinstance(shown, Predictions) or shown.outputs == len(names) == 1:
        return caption
    if shown.outputs > 1:
        return f"{caption}; drawn is {shown.name}, the first of {shown.outputs} outputs"
    return f"{shown.name}: {caption} over all targets" if len(names) > 1 else caption


def _residuals(comparison: Comparison, root: Path, colours: dict[str, int]) -> list[dict[str, Any]]:
    """Return the plots of the residuals of each strategy."""
    found = []
    for row, seed, shown in typical_outputs(comparison, root):
        if not isinstance(shown, Predictions) or not has_residuals(shown):
            continue
        place, made = colours[row.strategy], []
        for panel, draw in residual_panels(shown).items():
            made.append(make_figure(f"{panel} {row.strategy}", (PANEL_WIDTH, HEIGHT), draw, shown, place))
        heading = {"name": row.strategy, "seed": seed, "colour": colour_number(place)}
        found.append({**heading, "figures": made})
    return found


def _evolution(comparison: Comparison, root: Path, colours: dict[str, int]) -> list[dict[str, Any]]:
    """Return the panels of each strategy that evolves a population."""
    found = []
    for row, seed, evolution in typical(comparison, root, read_evolution):
        place, panels = colours[row.strategy], []
        for panel, draw in PANELS.items():
            name, size = f"{panel} {row.strategy}", (PANEL_WIDTH, panel_height(evolution, panel))
            panels.append(make_figure(name, size, draw, evolution, place, caption=CAPTIONS[panel]))
        heading = {"name": row.strategy, "seed": seed, "colour": colour_number(place)}
        found.append({**heading, "figures": panels})
    return found


def _genomes(comparison: Comparison, root: Path) -> list[Figure]:
    found = []
    for row, seed, blocks in typical(comparison, root, read_genome):
        caption = f"{row.strategy}, seed {seed}: {sum(block.size for block in blocks.values()):,} genes"
        size = (WIDTH + 2 * MARGIN, genome_height(blocks) + 2 * MARGIN)
        found.append(make_figure(f"genome {row.strategy}", size, draw_genome, blocks, caption=caption))
    return found


def _references(comparison: Comparison) -> Table:
    columns = ("value", "metric", "conditions", "source")
    known = [tuple(str(reference[name]) for name in columns) for reference in comparison.references]
    return Table(columns, "rlpp", [Entry(cells) for cells in known])


def _runs(comparison: Comparison, root: Path, damaged: Mapping[str, str]) -> Table:
    where = ("horizon", "fold") if comparison.parts else ()
    columns = ("strategy", *where, "seed", comparison.metric, "work", "seconds", "ended by", "folder")
    entries = []
    for part, row in every_row(comparison):
        place = () if part is None else (str(part.horizon), str(part.fold))
        for seed, value, folder in zip(comparison.seeds, row.values, row.runs):
            content, status = (readable_json(root / folder / f"{name}.json") for name in ("result", "status"))
            work, seconds = (_cost(content, *place) for place in (("meter", "work"), ("times", "seconds")))
            ended = content.get("stopped_by") or status.get("error") or status.get("status") or "no files"
            ended = f"damaged: {damaged[folder]}" if folder in damaged else ended
            numbers = (str(seed), figure(value), amount(work), figure(seconds))
            entries.append(Entry((row.strategy, *place, *numbers, str(ended), folder)))
    return Table(columns, "l" + "r" * len(where) + "rrrrll", entries)


def _cost(result: Mapping[str, Any], table: str, name: str) -> float:
    """Return a cost of a run from its result, NaN where it has none."""
    try:
        return float(result[table][name])
    except (KeyError, TypeError, ValueError, OverflowError):
        return math.nan
