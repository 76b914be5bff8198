"""The report of a comparison: one page that needs nothing but itself, made from the run folders.

Everything on it is read back from disk, so it can be made again at any time, and what it shows is what
was kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evorrn.base.files import write_atomic
from evorrn.lab.report import plots
from evorrn.lab.report.drawing import (
    SERIES,
    colour_places,
    draw_kept,
    draw_learning,
    draw_ranking,
    kept_height,
    ranking_height,
)
from evorrn.lab.report.evolution_drawing import PANELS, panel_height
from evorrn.lab.report.genome_drawing import WIDTH, draw_genome, genome_height
from evorrn.lab.report.records import (
    learning_curves,
    load_comparison,
    run_records,
    typical_course,
    typical_genome,
    typical_run,
)
from evorrn.lab.study import comparison_words as words
from evorrn.lab.study.comparison import Comparison, Row
from evorrn.lab.study.ranking import ranked

SHOWN_ENVIRONMENT = (
    "evorrn",
    "git",
    "python",
    "platform",
    "cpu",
    "cores",
    "libraries",
    "blas",
    "threads",
    "host",
)

CAPTIONS = {
    "fitness": "Fitness in training: the best of each generation, the median, and the middle half.",
    "diversity": "Diversity: root mean variance of the genes in the population.",
    "step sizes": "Step size of each named block, of the method's draws or else of the population.",
}


def write_report(comparison: Comparison, root: Path, path: Path) -> None:
    """Write the report of a comparison.

    Parameters
    ----------
    comparison : Comparison
    root : Path
        The folder of runs, which the paths in the comparison start from.
    path : Path
        The HTML file to write.
    """
    write_atomic(path, render(comparison, root))


def rebuild(folder: Path, root: Path) -> Comparison:
    """Write the report of a comparison folder anew, and return the comparison.

    Parameters
    ----------
    folder : Path
        Has a ``comparison.json``.
    root : Path
        The folder of runs.

    Raises
    ------
    RunError
        When the folder holds no comparison that can be read.
    """
    comparison = load_comparison(folder)
    write_report(comparison, root, folder / "report.html")
    return comparison


def write_picture(comparison: Comparison, root: Path, path: Path) -> None:
    """Draw a comparison on one sheet, to an ``.svg`` or ``.png`` file."""
    shown = {
        row.strategy: found[1] for row in comparison.rows if (found := typical_run(comparison, row, root))
    }
    curves = {row.strategy: learning_curves(row, root)[0] for row in comparison.rows}
    plots.picture(comparison, curves, shown, path)


def render(comparison: Comparison, root: Path) -> str:
    """Return the report as HTML."""
    import jinja2

    templates = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    pages = jinja2.Environment(
        loader=templates, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    pages.filters.update(
        figure=words.figure,
        amount=words.amount,
        interval=words.interval,
        hidden=words.hidden,
        settings=settings_text,
    )
    places, baseline = colour_places(comparison), comparison.best_baseline
    entries = [
        {
            "row": entry,
            "colour": places[entry.strategy] % len(SERIES) + 1,
            "against": "" if baseline is None else words.against(entry, baseline, comparison),
        }
        if isinstance(entry, Row)
        else {"row": None, "baseline": entry}
        for entry in ranked(comparison)
    ]
    return pages.get_template("report.html").render(
        comparison=comparison,
        subject=words.subject(comparison.task),
        strategies=words.ways(len(comparison.rows)),
        seeds=words.counted(len(comparison.seeds), "seed"),
        counts_work=comparison.budget[-1:] in "kMGT0123456789",
        better="higher" if comparison.higher_is_better else "lower",
        answer=words.answer(comparison),
        cautions=words.cautions(comparison),
        notes=words.notes(comparison),
        ranking=_plot(
            lambda axes: draw_ranking(axes, comparison), 6.4, ranking_height(comparison), "ranking"
        ),
        table=entries,
        best_index=next(place for place, entry in enumerate(entries) if entry["row"]),
        best_baseline=baseline,
        differences_text=words.differences(comparison),
        learning=_learning(comparison, root),
        predictions=_predictions(comparison, root),
        evolution=_evolution(comparison, root),
        genomes=_genomes(comparison, root),
        runs=run_records(comparison, root),
        environment=[
            (name, settings_text(value))
            for name in SHOWN_ENVIRONMENT
            if (value := comparison.environment.get(name))
        ],
    )


def _learning(comparison: Comparison, root: Path) -> list[dict[str, Any]]:
    places = colour_places(comparison)
    found = {row.strategy: learning_curves(row, root) for row in comparison.rows}
    along = (
        ("work (multiply-adds)", "At equal cost."),
        ("seconds, without compiling", "On this machine's clock."),
    )
    return [
        {
            "svg": _plot(
                lambda axes, kind=kind, label=label: draw_learning(
                    axes,
                    {name: runs[kind] for name, runs in found.items()},
                    places,
                    label,
                    comparison.of_episodes,
                ),
                5.6,
                3.6,
                f"learning {kind}",
            ),
            "caption": caption,
        }
        for kind, (label, caption) in enumerate(along)
    ]


def _predictions(comparison: Comparison, root: Path) -> list[dict[str, Any]]:
    places, found = colour_places(comparison), []
    for row in comparison.rows:
        typical = typical_run(comparison, row, root)
        if typical is None:
            continue
        seed, shown = typical
        value = row.values[comparison.seeds.index(seed)]
        found.append(
            {
                "svg": _plot(
                    lambda axes, shown=shown, row=row: draw_kept(
                        axes, shown, row.strategy, places[row.strategy]
                    ),
                    5.6,
                    kept_height(shown),
                    f"{shown.kind} {row.strategy}",
                ),
                "caption": f"{row.strategy}, seed {seed}: {comparison.metric} {words.figure(value)}",
            }
        )
    return found


def _evolution(comparison: Comparison, root: Path) -> list[dict[str, Any]]:
    """Return a row of small plots for each strategy that evolves a population."""
    places, found = colour_places(comparison), []
    for row in comparison.rows:
        typical = typical_course(comparison, row, root)
        if typical is None:
            continue
        seed, course = typical
        place = places[row.strategy]
        found.append(
            {
                "name": row.strategy,
                "seed": seed,
                "colour": place % len(SERIES) + 1,
                "plots": [
                    {
                        "svg": _plot(
                            lambda axes, draw=draw, course=course, place=place: draw(axes, course, place),
                            3.8,
                            panel_height(course, panel),
                            f"{panel} {row.strategy}",
                        ),
                        "caption": CAPTIONS[panel],
                    }
                    for panel, draw in PANELS.items()
                ],
            }
        )
    return found


def _genomes(comparison: Comparison, root: Path) -> list[dict[str, Any]]:
    found = []
    for row in comparison.rows:
        typical = typical_genome(comparison, row, root)
        if typical is None:
            continue
        seed, blocks = typical
        found.append(
            {
                "svg": _plot(
                    lambda axes, blocks=blocks: draw_genome(axes, blocks),
                    WIDTH + 0.2,
                    genome_height(blocks) + 0.2,
                    f"genome {row.strategy}",
                ),
                "caption": f"{row.strategy}, seed {seed}: {sum(block.size for block in blocks.values()):,} genes",
            }
        )
    return found


def _plot(draw: Any, width: float, height: float, name: str) -> Any:
    from markupsafe import Markup

    return Markup(plots.inline_svg(draw, width, height, name))


def settings_text(value: Any) -> str:
    """Return settings as a line of text; tables within them in brackets, empty ones left out."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_inner(item)}" for name, item in value.items() if item not in ({}, []))
    return _inner(value)


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{settings_text(value)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_inner(item) for item in value)}]"
    return "none" if value is None else str(value)
