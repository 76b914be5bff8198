"""``evorrn compare``: which way of training works best at equal cost; ``evorrn report``: its report, written again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from evorrn.cli import FAILED
from evorrn.cli.options import (
    Calendar,
    Cell,
    Decimal,
    Fill,
    Folds,
    Force,
    Header,
    Hidden,
    Horizons,
    Inputs,
    Jobs,
    Json,
    Level,
    Multistep,
    Quiet,
    Runs,
    Separator,
    Set,
    Target,
    Time,
    Trust,
    table_rules,
    whole_numbers,
)


def compare(
    context: typer.Context,
    task: Annotated[
        str, typer.Argument(help="A task, a .csv, .tsv, .txt or .npz file, or a spec.toml without strategy.")
    ],
    strategies: Annotated[
        str | None,
        typer.Option(
            "--strategies", help="Ways of training, with commas; ga, esn, bptt and random by default."
        ),
    ] = None,
    cell: Cell = None,
    hidden: Hidden = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="Runs of each strategy; 10 by default.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Work of each run, in multiply-adds; 5G by default.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A look in a few seconds: 3 seeds, small budget.")
    ] = False,
    target: Target = None,
    inputs: Inputs = None,
    horizon: Horizons = None,
    folds: Folds = None,
    header: Header = None,
    decimal: Decimal = None,
    separator: Separator = None,
    fill: Fill = None,
    time: Time = None,
    calendar: Calendar = None,
    multistep: Multistep = None,
    level: Level = None,
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            help="Further models for a table, with commas: boosting, mlp (scikit-learn), ets, arima (statsforecast).",
        ),
    ] = None,
    set_: Set = None,
    jobs: Jobs = None,
    force: Force = False,
    runs: Runs = None,
    trust: Trust = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run every way of training at the same budget, and report which works best on test.

    Runs are kept: the same command goes on with one that was interrupted.
    Settings of one strategy are given as --set ga.population=512.
    """
    from evorrn.base.errors import EvorrnError
    from evorrn.base.trust import trusting
    from evorrn.cli.output import note, print_json, stdout
    from evorrn.cli.progress import watching_runs
    from evorrn.kernels.threads import available
    from evorrn.lab import compare as lab
    from evorrn.lab.report.comparison import summary
    from evorrn.lab.report.terminal import show
    from evorrn.lab.runs.store import runs_root
    from evorrn.lab.runs.typed import names, typed

    if strategies is not None and not names(strategies):
        raise EvorrnError("strategies: expected at least one name, for instance ga,esn, got none")
    ahead = whole_numbers("--horizon", horizon)
    raw, base = typed(
        task,
        cell=cell,
        hidden=hidden,
        budget=budget,
        task_settings={
            "target": target,
            "inputs": inputs,
            "horizon": ahead[0] if len(ahead) == 1 else None,
            "calendar": calendar,
            "multistep": multistep,
            **table_rules(header, decimal, separator, fill, time),
        },
        assignments=set_ or (),
    )
    with watching_runs(quiet) as hooks, trusting(trust, note):
        comparison = lab.compare(
            raw,
            base,
            root=runs_root(runs),
            choice=lab.Choice(
                None if strategies is None else names(strategies),
                seeds,
                quick,
                level,
                ahead if len(ahead) > 1 else None,
                folds,
                None if baselines is None else names(baselines),
            ),
            jobs=jobs or available(),
            force=force,
            command=shlex.join(["evorrn", *context.obj.arguments]),
            hooks=hooks,
        )
    if json:
        print_json(comparison.as_dict())
    elif not quiet:
        show(summary(comparison), stdout())
    if any(row.errors for row in comparison.rows):
        raise typer.Exit(FAILED)


def report(
    target: Annotated[
        str,
        typer.Argument(
            help="A comparison: its folder, its id or the beginning of it; or a sweep: its file or folder."
        ),
    ],
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw a comparison to an .svg or .png file as well.")
    ] = None,
    runs: Runs = None,
    json: Json = False,
) -> None:
    """Print the findings of a comparison or a sweep again, and write its report again from the run folders.

    The report of a sweep can be written at any time, also while it is running.
    """
    from evorrn.base.errors import EvorrnError
    from evorrn.cli.output import print_json, stdout, uncollected, warn
    from evorrn.lab.report.comparison import rebuild, summary, write_picture
    from evorrn.lab.report.records import damaged_runs
    from evorrn.lab.report.terminal import show
    from evorrn.lab.runs.store import find_comparison, runs_root
    from evorrn.lab.study.sentences.common import damaged
    from evorrn.lab.sweep.results import find_sweep

    root = runs_root(runs)
    sweep = find_sweep(target, root)
    if sweep is not None:
        if picture is not None:
            raise EvorrnError("--picture: expected a comparison; a sweep has its pictures in its report")
        from evorrn.lab.report import sweep as sweep_report

        written = sweep_report.rebuild(sweep)
        if json:
            print_json(written.as_dict())
        else:
            show(written.summary(), stdout())
        return
    with uncollected():
        found = rebuild(find_comparison(target, root), root)
    for sentence in damaged(damaged_runs(found, root)):
        warn(sentence)
    if picture is not None:
        write_picture(found, root, picture)
    if json:
        print_json(found.as_dict())
    else:
        show(summary(found), stdout())
