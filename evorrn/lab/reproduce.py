"""Reproduce: run a published experiment again, and report which of its figures are reproduced."""

from __future__ import annotations

import json
from pathlib import Path

from evorrn.base.errors import ConfigError, unknown
from evorrn.base.files import write_atomic
from evorrn.lab.automaton import automaton_of
from evorrn.lab.report.reproduction import page
from evorrn.lab.runs import environment
from evorrn.lab.runs.hooks import SILENT, Hooks
from evorrn.lab.runs.spec import Spec
from evorrn.lab.runs.store import RunFolder, writing_findings
from evorrn.lab.study.reproduction import Reproduction, judge, judge_quantity
from evorrn.lab.sweep.experiment import EVALUATIONS, Experiment
from evorrn.lab.sweep.many import run_all


def reproduce(
    experiment: Experiment,
    *,
    root: Path,
    seeds: int | None = None,
    quick: bool = False,
    jobs: int = 1,
    force: bool = False,
    hooks: Hooks = SILENT,
) -> Reproduction:
    """Run every row of an experiment in every seed, judge it, and write ``reproduction.json`` and ``report.html``.

    Runs are ordinary run folders: the same call goes on with one that was interrupted.

    Parameters
    ----------
    root : Path
        The folder of all runs.
    seeds : int, optional
        Runs of each row: seeds 0, 1, 2, ...; the experiment's own number by default.
    quick : bool
        Only the rows that are quick, in few seeds.
    jobs, force, hooks
        See `evorrn.lab.sweep.many.run_all`.

    Raises
    ------
    ConfigError
        With every mistake in the experiment's specs, before anything runs.
    Unfinished
        When runs have ended and the findings cannot be written.
    """
    table = experiment.table
    count = seeds if seeds is not None else table.quick_seeds if quick else table.seeds
    cases = [case for case in experiment.cases if case.row.quick or not quick]
    plan: list[list[Spec]] = []
    found = [] if cases else [f"{experiment.name}: no row is quick, so there is nothing to run with --quick"]
    for case in cases:
        if case.quantity is not None:
            plan.append([])
            continue
        try:
            plan.append(case.specs(count))
            problems = _unmeasured(plan[-1][0], table.measure)
            if table.automata and getattr(plan[-1][0].task, "automaton", None) is None:
                problems.append("task: expected one with an automaton of its own, such as tomita")
        except ConfigError as error:
            problems = error.problems
        found += [f"{case}: {problem}" for problem in problems]
    if found:
        raise ConfigError(found)
    everything = [spec for specs in plan for spec in specs]
    ended = iter(run_all(everything, root, jobs=jobs, force=force, hooks=hooks))
    findings = []
    for case, specs in zip(cases, plan):
        if case.quantity is not None:
            values = [case.quantity.compute(seed) for seed in range(count)]
            findings.append(judge_quantity(case, values, experiment))
            continue
        runs = [next(ended) for _ in specs]
        for spec, run in zip(specs, runs):
            if run.error:
                hooks.warn(f"{case}, seed {spec.seed} failed: {run.error}")
        content = specs[0].content
        network = {**specs[0].shape, "genes": specs[0].network.size}
        automata = None
        if table.automata:
            complete = [root / spec.folder for spec, run in zip(specs, runs) if not run.error]
            automata = sum(bool(automaton_of(RunFolder(path)).equivalent) for path in complete)
        findings.append(
            judge(case, runs, experiment, strategy=content["strategy"], network=network, automata=automata)
        )
    folder = root / "reproductions" / (experiment.name + ("-quick" if quick else ""))
    made = Reproduction(
        experiment=experiment.name,
        title=table.title,
        source=table.source,
        measure=table.measure,
        notes=table.notes,
        quick=quick,
        findings=tuple(findings),
        environment=environment.summary(),
        report=str(folder / "report.html"),
    )
    with writing_findings(folder):
        write_atomic(folder / "reproduction.json", json.dumps(made.as_dict(), indent=1) + "\n")
        write_atomic(folder / "report.html", page(made))
    return made


def _unmeasured(spec: Spec, measure: str) -> list[str]:
    """Return why the measure of an experiment does not apply to a row's runs."""
    if measure == EVALUATIONS:
        if spec.budget.learned is None:
            return ["budget.learned: expected a share, since evaluations are counted until it is learned"]
    elif measure not in spec.task.metrics:
        return [f"measure: {unknown('metric', measure, spec.task.metrics)}"]
    return []
