"""``evorrn diagnose``: what the network of a run does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evorrn.cli.options import CompleteRun, Json, Runs, Trust

if TYPE_CHECKING:
    from evorrn.lab.runs.store import RunFolder


def diagnose(
    run: CompleteRun,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of random inputs and first states.")] = 0,
    steps: Annotated[
        int, typer.Option("--steps", min=100, help="Time steps of random inputs for memory capacities.")
    ] = 20_000,
    estimates: Annotated[
        int,
        typer.Option(
            "--estimates",
            min=0,
            help="Repeat this many steps of the run's training, and compare online estimates of the gradient with the exact one.",
        ),
    ] = 0,
    runs: Runs = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Measure what a trained network does: its gradients by lag, Lyapunov exponents, memory, fixed points and activity.

    Figures and pictures are written to the folder diagnostics of the run.
    """
    from evorrn.base.trust import trusting
    from evorrn.cli.output import note, print_json, print_table, warn
    from evorrn.lab.report.diagnosis import diagnosis_table, draw_diagnosis
    from evorrn.lab.runs.source import trained
    from evorrn.lab.runs.store import find_run, runs_root
    from evorrn.lab.study.diagnosis import diagnose as again
    from evorrn.lab.study.diagnosis import write_diagnosis

    folder = find_run(run, runs_root(runs))
    if estimates:
        with trusting(trust, note):
            _estimates(folder, estimates, seed, json)
        return
    with trusting(trust, note):
        made = again(folder, trained(folder), seed, steps)
    if json:
        print_json(made.as_dict())
    else:
        print_table(diagnosis_table(made))
    for text in made.notes:
        note(text)
    place = folder.path / "diagnostics"
    try:
        note(f"figures: {write_diagnosis(made, place)}")
        for path in draw_diagnosis(made, place):
            note(f"picture: {path}")
    except OSError as error:
        warn(f"cannot write to {place}: {error.strerror or error}")


def _estimates(folder: RunFolder, steps: int, seed: int, json: bool) -> None:
    """Tell how close online estimates of the gradient come along training."""
    from evorrn.cli.output import note, print_json, print_table, warn
    from evorrn.lab.report.estimates import draw_estimates, estimates_table
    from evorrn.lab.study.estimates import estimates_along, write_estimates

    made = estimates_along(folder, steps, seed)
    if json:
        print_json(made.as_dict())
    else:
        print_table(estimates_table(made))
    for name, why in made.refused.items():
        note(f"without {name}: {why}")
    place = folder.path / "diagnostics"
    try:
        note(f"figures: {write_estimates(made, place)}")
        note(f"picture: {draw_estimates(made, place)}")
    except OSError as error:
        warn(f"cannot write to {place}: {error.strerror or error}")
