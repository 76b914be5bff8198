"""``evorrn run``: one run, from a task and options or from a spec file."""

from __future__ import annotations

from typing import Annotated

import typer

from evorrn.cli.options import (
    Calendar,
    Cell,
    Decimal,
    Fill,
    Header,
    Hidden,
    Horizon,
    Inputs,
    Json,
    Multistep,
    Quiet,
    Runs,
    Separator,
    Set,
    Target,
    Time,
    Trust,
    table_rules,
)


def run(
    context: typer.Context,
    task: Annotated[
        str | None,
        typer.Argument(help="A task, a .csv, .tsv, .txt or .npz file, a spec.toml or a run folder."),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="Way of training; ga by default.")
    ] = None,
    cell: Cell = None,
    hidden: Hidden = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of data and training; 0 by default.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget", help="When to stop: 20G (multiply-adds), 500gen, 2000eval, 60s; 5G by default."
        ),
    ] = None,
    target: Target = None,
    inputs: Inputs = None,
    horizon: Horizon = None,
    header: Header = None,
    decimal: Decimal = None,
    separator: Separator = None,
    fill: Fill = None,
    time: Time = None,
    calendar: Calendar = None,
    multistep: Multistep = None,
    set_: Set = None,
    continue_: Annotated[
        str | None,
        typer.Option("--continue", metavar="RUN", help="Go on from a run's checkpoint in a new run."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run complete runs again.")] = False,
    runs: Runs = None,
    trust: Trust = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on a task, in a run folder of its own.

    Ctrl-C stops after the step under way and keeps a checkpoint: the same
    command goes on from there. If the run is complete, its result is printed again.
    """
    from evorrn.base.errors import EvorrnError
    from evorrn.base.trust import trusting
    from evorrn.cli.outcome import draw, report
    from evorrn.cli.output import note, silent, warn
    from evorrn.cli.progress import watching_run
    from evorrn.lab.runs.estimate import estimated
    from evorrn.lab.runs.execute import continued, execute
    from evorrn.lab.runs.run import COMPLETE
    from evorrn.lab.runs.spec import resolve
    from evorrn.lab.runs.store import RunFolder, runs_root
    from evorrn.lab.runs.typed import typed

    root = runs_root(runs)
    columns = {
        "target": target,
        "inputs": inputs,
        "horizon": horizon,
        "calendar": calendar,
        "multistep": multistep,
    }
    columns |= table_rules(header, decimal, separator, fill, time)
    if (task is None) == (continue_ is None):
        raise EvorrnError("run: expected a task, a data file or a spec file, or --continue RUN")
    if continue_ is not None:
        if budget is None:
            raise EvorrnError("run: --continue needs a larger --budget")
        given = {"strategy": strategy, "cell": cell, "hidden": hidden, "seed": seed, "set": set_}
        given |= columns
        refused = [f"--{name}" for name, value in given.items() if value not in (None, [])]
        if refused:
            raise EvorrnError(
                f"run: --continue takes everything but the budget from its run, got {', '.join(refused)}"
            )
        with trusting(trust, note):
            spec = continued(continue_, budget, root)
    else:
        assert task is not None
        given_spec = typed(
            task,
            strategy=strategy,
            cell=cell,
            hidden=hidden,
            seed=seed,
            budget=budget,
            task_settings=columns,
            assignments=set_ or (),
        )
        with trusting(trust, note):
            spec = resolve(*given_spec)
    for text in getattr(spec.task, "data_notes", ()):
        (silent if quiet else note)(text)
    if force or RunFolder(root / spec.folder).state() != COMPLETE:
        (silent if quiet else note)(estimated([(spec, 1)], root).sentence(1))
    with watching_run(spec, quiet) as hooks:
        ended = execute(spec, root, force=force, hooks=hooks)
    draw(ended, warn)
    raise typer.Exit(report(ended, json=json, quiet=quiet, debug=context.obj.debug))
