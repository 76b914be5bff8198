"""What ``evorrn run`` says at its end, and the exit code that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evorrn.base.text import amount
from evorrn.cli import FAILED, INTERRUPTED
from evorrn.cli.output import note, print_json, say, warn
from evorrn.lab.study.sentences.common import subject as subject_of

if TYPE_CHECKING:
    from evorrn.lab.runs.execute import Outcome


def report(outcome: Outcome, *, json: bool, quiet: bool, debug: bool) -> int:
    """Print how a run ended, and return the exit code."""
    code = {"complete": 0, "interrupted": INTERRUPTED, "failed": FAILED}[outcome.status]
    if json:
        print_json(outcome.as_dict())
    elif outcome.result is not None and not quiet:
        say("\n".join(_lines(outcome)))
    if outcome.status == "failed":
        warn(f"the run failed: {outcome.error}")
        where = f"is in {outcome.folder / 'status.json'}" if outcome.recorded else "is shown with --debug"
        note(outcome.traceback if debug else f"  the traceback {where}")
    elif outcome.status == "interrupted":
        warn(f"interrupted; the same command goes on from {outcome.folder}")
    return code


def _lines(outcome: Outcome) -> list[str]:
    result, spec = outcome.result, outcome.spec
    assert result is not None
    meter = result.meter
    subject = subject_of({**spec.content["task"], "name": spec.task.name, "outputs": spec.task.output_names})
    title = f"{spec.strategy.name} on {subject}: stopped by {result.stopped_by}"
    lines = [title + (", complete already (--force runs it again)" if outcome.reused else "")]
    lines += [f"  {split:<7} {_pairs(values)}" for split, values in reversed(result.metrics.items())]
    if outcome.diverged:
        lines.append(
            "  returns on test are not finite: outputs of the network, or rewards of the environment, were not"
            if spec.task.loss == "reward"
            else "  the network diverged on test: its outputs there are not finite"
        )
    lines += [
        f"  network {spec.network.cell.name}, {_units(spec.network.hidden)} units, {spec.network.size:,} genes",
        f"  cost    {amount(meter.work)} multiply-adds, {amount(meter.steps)} network steps, "
        f"{amount(meter.evaluations)} evaluations, {meter.seconds:.1f} s, {meter.compile_seconds:.1f} s compiling",
        f"  folder  {outcome.folder}",
    ]
    return lines


def _pairs(values: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())


def _units(hidden: tuple[int, ...]) -> str:
    return " + ".join(str(units) for units in hidden)
