"""Records of runs that reports read from run folders: curves, outputs, populations, genomes, costs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from evorrn.base.errors import RunError
from evorrn.base.files import read_arrays, read_json, readable_json
from evorrn.lab.report.evolution import Evolution
from evorrn.lab.runs.outputs import KINDS, Outputs, Predictions, read_outputs
from evorrn.lab.runs.run import COSTS
from evorrn.lab.study.backtest import every_row
from evorrn.lab.study.comparison import Comparison, Row
from evorrn.lab.study.curves import Curve
from evorrn.training.history import load_history

Found = TypeVar("Found")


def load_comparison(folder: Path) -> Comparison:
    """Read the ``comparison.json`` of a folder.

    Raises
    ------
    RunError
        When there is none, or it cannot be read.
    """
    path = folder / "comparison.json"
    try:
        return Comparison.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise RunError(f"{path}: expected JSON written by evorrn, but it cannot be read ({error})") from None
    except RunError as error:
        raise RunError(f"{path}: {error}") from None


def learning_curves(folder: Path) -> dict[str, Curve]:
    """Return the validation losses of a run against each of its costs that has been recorded."""
    history, seconds = load_history(folder)
    if "valid_loss" not in history:
        return {}
    loss = np.asarray(history["valid_loss"], dtype=np.float64)
    known = {**history, "seconds": seconds}
    found = {name: np.asarray(known[name], dtype=np.float64) for name in COSTS if name in known}
    return {name: Curve(spent, loss) for name, spent in found.items() if len(spent) == len(loss)}


def readable_curves(folder: Path) -> dict[str, Curve]:
    """Return `learning_curves`, empty where the files are damaged."""
    try:
        return learning_curves(folder)
    except RunError:
        return {}


def damage(folder: Path) -> str:
    """Return what is wrong with the files of a run that has them, empty where all can be read."""
    try:
        read_json(folder / "status.json")
        read_json(folder / "result.json")
        load_history(folder)
        if (folder / "genome.npz").exists():
            read_arrays(folder / "genome.npz")
        if any((folder / f"{kind.kind}.npz").exists() for kind in KINDS):
            read_outputs(folder)
    except RunError as error:
        return str(error)
    except Exception as error:  # a damaged file can fail in any way
        return f"genome.npz cannot be read ({error})"
    return ""


def damaged_runs(comparison: Comparison, root: Path) -> dict[str, str]:
    """Return the runs of a comparison whose files are damaged, with what is wrong."""
    found = {run: damage(root / run) for _, row in every_row(comparison) for run in row.runs}
    return {run: reason for run, reason in found.items() if reason}


def typical(
    comparison: Comparison, root: Path, read: Callable[[Path], Found | None]
) -> Iterator[tuple[Row, int, Found]]:
    """Yield each row, the seed whose value is closest to its median, and what is read from its run folder.

    Seeds whose folder cannot be read, or gives None, are left out; so are rows without another seed.
    """
    for row in comparison.rows:
        for place in _closest(row):
            try:
                found = read(root / row.runs[place])
            except RunError:
                continue
            if found is not None:
                yield row, comparison.seeds[place], found
                break


def typical_outputs(comparison: Comparison, root: Path) -> Iterator[tuple[Row, int, Outputs]]:
    """Yield each row, its typical seed, and the outputs on test, with the name of the first output."""

    def read(folder: Path) -> Outputs:
        shown = read_outputs(folder)
        names = readable_json(folder / "result.json").get("output_names") or ["output1"]
        if not isinstance(shown, Predictions) or names[0] == "output1":  # the default name
            return shown
        return dataclasses.replace(shown, name=names[-min(shown.outputs, len(names))])

    return typical(comparison, root, read)


def read_evolution(folder: Path) -> Evolution | None:
    """Return the evolution of a run's population, None where it has none."""
    return Evolution.of(load_history(folder)[0])


def read_genome(folder: Path) -> Mapping[str, np.ndarray]:
    """Return the named blocks of a run's genome.

    Raises
    ------
    RunError
        When a file cannot be read, or the genome does not fit its network.
    """
    from evorrn.network.genomes import Genomes  # without the programs, which take long to import
    from evorrn.network.stored import stored_network

    try:
        genome = read_arrays(folder / "genome.npz")["genome"]
        network = stored_network(Genomes, folder, read_json(folder / "result.json")["network"])
        return network.unpack(genome)
    except Exception as error:  # a damaged file can fail in any way
        raise RunError(f"{folder}: the genome cannot be read ({error})") from None


def _closest(row: Row) -> Iterator[int]:
    """Yield the places of the seeds with a value, the closest to the median first."""
    centre = row.median if math.isfinite(row.median) else math.nan
    distance = np.abs(np.asarray(row.values, dtype=np.float64) - centre)
    order = np.argsort(distance, kind="stable")
    return (place for place in order.tolist() if math.isfinite(row.values[place]))
