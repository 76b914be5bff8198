"""What ``evorrn run`` prints at its end, and its exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from evorrn.base.text import amount
from evorrn.cli import FAILED, INTERRUPTED
from evorrn.cli.output import note, print_json, say, warn
from evorrn.lab.study.sentences.common import pooled
from evorrn.lab.study.sentences.common import subject as subject_of
from evorrn.lab.study.sentences.comparison import wiring

if TYPE_CHECKING:
    from evorrn.lab.runs.run import Run

WIRING = ("kind", "bidirectional", "embedding", "readout", "context", "reads", "encoder", "decoder")
"""The settings of a network that say how it is wired, where they are not the usual ones."""


def report(run: Run, *, json: bool, quiet: bool, debug: bool) -> int:
    """Print how a run ended, and return the exit code."""
    code = {"complete": 0, "interrupted": INTERRUPTED, "failed": FAILED}[run.status]
    if json:
        print_json(as_dict(run))
    elif run.result is not None and not quiet:
        say("\n".join(_lines(run)))
    if run.status == "failed":
        warn(f"the run failed: {run.error}")
        where = f"is in {run.path / 'status.json'}" if run.recorded else "is shown with --debug"
        note(run.traceback if debug else f"  the traceback {where}")
    elif run.status == "interrupted":
        warn(f"interrupted; the same command goes on from {run.path}")
    return code


def as_dict(run: Run) -> dict[str, Any]:
    """Return an executed run as plain data."""
    spec, result = run.spec, run.result
    assert spec is not None
    content = {
        "id": run.id,
        "folder": str(run.path),
        "status": run.status,
        "reused": run.reused,
        "task": spec.task.name,
        "strategy": spec.strategy.name,
        "network": {
            "cell": spec.network.cell_name,
            "hidden": list(spec.network.hidden),
            "genes": spec.network.size,
            **{name: value for name, value in spec.network.settings().items() if value and name in WIRING},
        },
        "seed": spec.seed,
        "budget": spec.content["budget"],
    }
    if result is not None:
        content |= {"stopped_by": result.stopped_by, "diverged": run.diverged}
        content |= {"metrics": result.metrics, "meter": result.meter.as_dict()}
    notes = [*getattr(spec.task, "data_notes", ()), *(result.notes if result is not None else ())]
    return content | ({"notes": notes} if notes else {}) | ({"error": run.error} if run.error else {})


def draw(run: Run, warn: Callable[[str], None]) -> None:
    """Draw the losses of a complete run and its outputs on test, unless pictures are there; warn on an error."""
    folder = run.path / "plots"
    if run.status != "complete" or run.result is None or (run.reused and folder.is_dir()):
        return
    from evorrn.lab.report import plots
    from evorrn.lab.runs.execute import one_line
    from evorrn.lab.runs.outputs import Trajectory, read_outputs

    try:
        outputs, result = read_outputs(run.path), run.result
        returns = isinstance(outputs, Trajectory)
        plots.learning_curve(result.history, folder / "learning.png", result.seconds, returns)
        plots.run_outputs_plot(outputs, folder / f"{outputs.kind}.png")
    except Exception as error:
        warn(f"{run.path}: some plots are missing: {one_line(error)}")


def _lines(run: Run) -> list[str]:
    from evorrn.data.metrics import undefined

    result, spec = run.result, run.spec
    assert result is not None and spec is not None
    meter, units = result.meter, " + ".join(map(str, spec.network.hidden))
    subject = subject_of({**spec.content["task"], "name": spec.task.name, "outputs": spec.task.output_names})
    title = f"{spec.strategy.name} on {subject}: stopped by {result.stopped_by}"
    lines = [title + (", complete already (--force runs it again)" if run.reused else "")]
    for split, values in reversed(result.metrics.items()):
        over_all = {name: value for name, value in values.items() if not name.endswith("]")}
        lines.append(f"  {split:<7} {_pairs(over_all)}")
        lines += [f"    {text}" for text in _by_target(values, spec.task.output_names)]
    together = pooled(spec.task.output_names) if spec.task.loss == "mse" else ""
    lines += [f"  {together}"] if together else []
    for split, values in reversed(result.metrics.items()):
        for name in undefined(values):
            short = ", or no sequence has four scored steps" if name == "spectral_distance" else ""
            lines.append(
                f"  {name} is undefined on {split}: the targets of an output do not vary there{short}"
            )
    if run.diverged:
        lines.append(
            "  returns on test are not finite: outputs of the network, or rewards of the environment, were not"
            if spec.task.loss == "reward"
            else "  the network diverged on test or in training: outputs or losses are not finite"
        )
    lines += [f"  note: {text}" for text in result.notes]
    lines += [
        f"  network {'bidirectional ' * spec.network.bidirectional}{spec.network.cell_name}, {units} units"
        f"{wiring(spec.content['network'])}, {spec.network.size:,} genes",
        f"  cost    {amount(meter.work)} multiply-adds, {amount(meter.steps)} network steps, "
        f"{amount(meter.evaluations)} evaluations, {meter.seconds:.1f} s, {meter.compile_seconds:.1f} s compiling",
        f"  folder  {run.path}",
    ]
    return lines


def _by_target(values: dict[str, Any], targets: Sequence[str]) -> list[str]:
    """Return the metrics of each target in a line; none where there is one target."""
    found = []
    for target in targets:
        end = f"[{target}]"
        mine = {name.removesuffix(end): value for name, value in values.items() if name.endswith(end)}
        found += [f"{target}: {_pairs(mine)}"] if mine else []
    return found


def _pairs(values: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())
