"""Catalogue: tasks, strategies and cells, and a page about each, for printing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evorrn.base.errors import EvorrnError, UnknownName
from evorrn.base.plugins import Plugins
from evorrn.base.settings import Settings, describe, plain
from evorrn.cells.find import CELLS
from evorrn.data.find import TASKS, expand_task
from evorrn.lab.report.tables import Table, text_table
from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.run import COMPLETE, DAMAGED, flatten
from evorrn.lab.runs.store import RunFolder, all_runs, find_run
from evorrn.lab.runs.typed import read
from evorrn.strategies.find import STRATEGIES, strategies

if TYPE_CHECKING:
    from evorrn.compile.cell import Cell
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task
    from evorrn.strategies.base import Strategy

SETTINGS_COLUMNS = ("setting", "values", "default", "meaning")
RUNS_AS = (
    "This cell has arrays or numbers beside vectors. It runs with sequences side by side, also where there are few; in "
    "environments NumPy takes its steps."
)
"""What the page of a cell says that not every layout serves."""
LINKED_AS = (
    "A step of this cell sees {} predecessors in place of the last step: it takes batches with links, and nodes of one "
    "height run side by side."
)
"""What the page of a cell with predecessors says."""
KERNEL_SIZES = {"inputs": 1, "outputs": 1, "hidden": 32}
"""Sizes of the network whose kernel is shown; the source is the same for all but the numbers."""


KINDS: dict[str, Plugins] = {"tasks": TASKS, "strategies": STRATEGIES, "cells": CELLS}


@dataclass(frozen=True)
class Page:
    """A page: a title, prose, source code and tables."""

    title: str
    text: str = ""
    source: str = ""
    tables: list[Table] = field(default_factory=list)


def listing(kind: str | None = None) -> Page:
    """Return the names of one kind, or of all tasks, strategies and cells, each with its first sentence."""
    if kind is not None and kind not in KINDS:
        raise UnknownName("kind", kind, [*KINDS, "runs"])
    chosen = KINDS if kind is None else {kind: KINDS[kind]}
    tables = [
        text_table(name, ("name", "what it is"), list(plugins.summaries().items()))
        for name, plugins in chosen.items()
    ]
    return Page("", tables=tables)


def runs_listing(root: Path) -> Page:
    """Return every run below a folder with its state and, where it is complete, its score on test."""
    rows, reader = [], Reader(root)
    for folder in all_runs(root):
        run = reader.run(str(folder.path.relative_to(root)))
        task, way = folder.path.parts[-3:-1]
        state = run.status if run.status == DAMAGED else folder.state()
        rows.append((folder.id, task, way, state, ", ".join(_numbers(run.test))))
    columns = ("id", "task", "strategy-cell", "state", "on test")
    return Page("", tables=[text_table(f"runs in {root}", columns, rows)])


def page(name: str, root: Path, kernel: bool = False) -> Page:
    """Return the page of a cell, a task, a strategy or a run.

    Parameters
    ----------
    name : str
        A name, ``file.py:name``, a run folder, or the id of a run or its beginning.
    root : Path
        The folder of all runs.
    kernel : bool
        Show the emitted source of a cell's kernels in place of its equations.

    Raises
    ------
    UnknownName
        When there is nothing of that name.
    """
    named, implied = expand_task(name)
    found = _find(named)
    if kernel and not hasattr(found, "function"):
        raise EvorrnError(f"--kernel: expected a cell, got {name!r} (known: {', '.join(CELLS.names())})")
    if found is None:
        if os.path.isdir(name) or any(run.id.startswith(name) for run in all_runs(root)):
            return run_page(find_run(name, root))
        raise UnknownName("name", name, [name for plugins in KINDS.values() for name in plugins.names()])
    if hasattr(found, "function"):
        return kernel_page(found, name) if kernel else cell_page(found)
    if hasattr(found, "observe"):
        return environment_page(found, implied)
    return task_page(found) if hasattr(found, "baselines") else strategy_page(found)


def cell_page(cell: Cell) -> Page:
    """Return a cell's equations, and what they declare."""
    from evorrn.compile.step import compose  # pages about anything else need no numba

    parameters = [(name, " x ".join(shape), cell.initial[name]) for name, shape in cell.parameters.items()]
    options = [
        (name, str(value), "{:g} to {:g}".format(*cell.ranges[name]) if name in cell.ranges else "")
        for name, value in cell.defaults.items()
    ]
    states = [
        (name, " x ".join(shape), f"{cell.start.get(name, 0):g}") for name, shape in cell.states.items()
    ]
    tables = [text_table("states", ("name", "shape", "first value"), states)] if _extended(cell) else []
    tables.append(text_table("parameters", ("name", "shape", "initialisation"), parameters))
    if cell.fixed:
        fixed = [
            (
                name,
                " x ".join(array.shape.split()),
                "a setting" if array.rule is None else "made from sizes and options",
            )
            for name, array in cell.fixed.items()
        ]
        tables.append(text_table("arrays that are not trained", ("name", "shape", "where from"), fixed))
    if cell.noise:
        drawn = [(name, " x ".join(shape)) for name, shape in cell.noise.items()]
        tables.append(text_table("noise, zero unless a seed is given", ("name", "shape"), drawn))
    if options:
        tables.append(text_table("options", ("name", "default", "range"), options))
    text = "" if compose([cell], [{}], direct=False, feedback=False).plain else RUNS_AS
    text = LINKED_AS.format(len(cell.predecessors)) if cell.predecessors else text
    return Page(f"{cell.name} (cell)", text, source=cell.source.rstrip(), tables=tables)


def _extended(cell: Cell) -> bool:
    """Return whether the states of a cell are not just vectors that begin with 0 and the first of which is the output."""
    vectors = all(len(shape) == 1 for shape in cell.states.values())
    return bool(not vectors or cell.registers or any(cell.start.values()) or len(cell.output) > 1)


def kernel_page(cell: Cell, reference: str) -> Page:
    """Return the source that a cell's equations are compiled to."""
    from evorrn.network.network import Network

    return Page("", source=Network(**KERNEL_SIZES, cell=reference).kernel_source())  # type: ignore[arg-type]


def task_page(kind: type[Task]) -> Page:
    """Return how a task is made, its settings, references and recommended networks."""
    facts = [
        ("loss", _declared(kind, "loss")),
        ("metrics", _declared(kind, "metrics")),
        (
            "the seed changes",
            "the data and the training" if kind.seed_changes == "data" else "the training alone",
        ),
    ]
    return Page(f"{kind.name} (task)", kind.doc, tables=[text_table("", ("", ""), facts), *_advice(kind)])


def environment_page(kind: type[Environment], settings: Mapping[str, Any]) -> Page:
    """Return what a network sees and does in an environment, its settings, references and recommended networks."""
    facts = [("metrics", _declared(kind, "metrics")), ("the seed changes", "the starts and the training")]
    try:
        made = kind(**settings)
        facts += [("observations", ", ".join(made.input_names)), ("actions", ", ".join(made.output_names))]
    except EvorrnError:  # it has settings without a usable default
        pass
    return Page(
        f"{kind.name} (environment)", kind.doc, tables=[text_table("", ("", ""), facts), *_advice(kind)]
    )


def _advice(kind: type[Task] | type[Environment]) -> list[Table]:
    """Return the tables of settings, published values and recommended networks."""
    tables = [_settings_table(kind)]
    references = [(f"{r.value:g}", r.metric, r.conditions, r.source) for r in kind.references]
    if references:
        tables.append(text_table("published values", ("value", "metric", "conditions", "source"), references))
    try:
        task = kind()
    except EvorrnError:  # it has settings without a usable default, such as the path of a file
        return tables
    found = {name: way.advice(task) for name, way in strategies().items()}
    pairs = {name: (_pairs(advice.network), _pairs(advice.strategy)) for name, advice in found.items()}
    usual, count = Counter(pairs.values()).most_common(1)[0]
    advice = [(name, *pair) for name, pair in pairs.items() if pair != usual or count == 1]
    if count > 1:
        advice.append(("all others" if advice else "all", *usual))
    form = getattr(task, "network_form", {})
    tables += (
        [text_table("form of the network", ("setting", "value"), [(n, str(v)) for n, v in form.items()])]
        if form
        else []
    )
    return [*tables, text_table("recommended", ("strategy", "network", "settings"), advice)]


def strategy_page(kind: type[Strategy]) -> Page:
    """Return what a strategy does, and its settings with their defaults."""
    facts = [("one step is", kind.step_name), ("needs", ", ".join(sorted(kind.requires)))]
    if kind.network_defaults:
        facts.append(("usual network", _pairs(kind.network_defaults)))
    return Page(
        f"{kind.name} (strategy)",
        kind.doc,
        tables=[text_table("", ("", ""), facts), _settings_table(kind)],
    )


def run_page(run: RunFolder) -> Page:
    """Return a run's state, spec, scores and costs."""
    status = run.status()
    facts = [("folder", str(run.path)), ("state", run.state())]
    if changed := run.changed_spec():
        facts.append(("damaged", changed))
    facts += [(name, str(status[name])) for name in ("step", "error") if name in status]
    outcome = []
    if run.state() == COMPLETE:
        from evorrn.training.result import load

        result = load(run.path)
        facts.append(("stopped by", result.stopped_by))
        scores = [(split, ", ".join(_numbers(values))) for split, values in result.metrics.items()]
        costs = [tuple(text.split(" ")) for text in _numbers(result.meter.as_dict())]
        outcome = [text_table("scores", ("split", "metrics"), scores), text_table("cost", ("", ""), costs)]
    spec = [(name, _value(value)) for name, value in flatten(read(run.path / "spec.toml")).items()]
    files = [(path.name,) for path in sorted(run.path.iterdir()) if not path.name.startswith(".")]
    tables = [text_table("", ("", ""), facts), *outcome, text_table("spec", ("setting", "value"), spec)]
    return Page(f"{run.id} (run)", tables=[*tables, text_table("files", ("",), files)])


def _find(name: str) -> Any:
    """Return the cell, task or strategy of a name, None when there is none."""
    refused = None
    for plugins in KINDS.values():
        if name not in plugins.names() and ":" not in name:
            continue
        try:
            return plugins.find_with_settings(name) if plugins is not CELLS else plugins.find(name)
        except UnknownName:
            continue
        except EvorrnError as error:  # what a file holds under the name is of another kind, or of none
            refused = error
    if refused is not None:
        raise refused
    return None


def _settings_table(kind: type[Settings]) -> Table:
    rows = [(name, hint, _value(default), help) for name, hint, default, help in describe(kind)]
    return text_table("settings", SETTINGS_COLUMNS, rows)


def _numbers(values: Mapping[str, float]) -> list[str]:
    return [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value:,}"
        for name, value in values.items()
    ]


def _declared(kind: type[Any], name: str) -> str:
    """Return what a class of tasks declares, what its usual settings decide, or that each data file decides."""
    value = getattr(kind, name)
    if isinstance(value, property):
        try:
            value = getattr(kind(), name)
        except EvorrnError:  # its usual settings have no file
            return "as the file decides"
    if isinstance(value, type):
        return str(getattr(value, "name", value.__name__))
    return value if isinstance(value, str) else ", ".join(value)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    """Return a value as text; of a long list the first two and the last."""
    shown = plain(value)
    if isinstance(shown, list) and len(shown) > 5:
        return f"[{shown[0]}, {shown[1]}, ..., {shown[-1]}]"
    return "none" if shown is None else str(shown)
