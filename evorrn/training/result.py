"""Result: what a run leaves, how it predicts and forecasts, and how it is kept in a folder."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.base.errors import EvorrnError, RunError, ShapeError
from evorrn.base.files import npz_bytes, write_atomic
from evorrn.data.task import Scaling
from evorrn.training.meter import Meter

if TYPE_CHECKING:
    from evorrn.network.network import Network

TIMES = ("seconds", "compile_seconds")
"""The entries of a meter that differ from one execution to the next; a saved result keeps them apart."""


@dataclass
class Result:
    """The outcome of a run.

    Attributes
    ----------
    genome : ndarray, shape (n,)
        The genome that validation chose.
    network : Network
    stopped_by : str
        The limit that was reached first, ``"callback"``, or why the strategy had nothing left to do.
    history : dict of str to ndarray
        One entry per step of the strategy: ``work``, ``steps``, ``evaluations``, ``train_loss``,
        ``valid_loss`` and what the strategy records beside them.
    metrics : dict
        ``{"train": {name: value}, "valid": ..., "test": ...}``; only the splits there were.
    meter : Meter
    seconds : ndarray
        Wall time at each step of the history.
    scaling : Scaling or None
        Between the task's units and the network's; None when they are the same.
    horizon : int or None
        1 when the target is the next step's first inputs.
    input_names, output_names : tuple of str
        What the task calls its inputs and outputs; empty when there was no task.
    """

    genome: np.ndarray
    network: Network
    stopped_by: str
    history: dict[str, np.ndarray]
    metrics: dict[str, dict[str, float]]
    meter: Meter
    seconds: np.ndarray = field(default_factory=lambda: np.zeros(0))
    scaling: Scaling | None = None
    horizon: int | None = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the outputs for inputs in the task's original units.

        Parameters
        ----------
        x : array_like, shape (B, T, I), or (T, I) for one sequence

        Returns
        -------
        ndarray, shape (B, T, O) or (T, O), float64
            In original units; logits for classes.
        """
        inputs, single = _sequences("x", x, self.network.inputs)
        outputs = self._restore(self.network.predict(self.genome, self._scale(inputs)))
        return outputs[0] if single else outputs

    def forecast(self, warmup: np.ndarray, steps: int, inputs: np.ndarray | None = None) -> np.ndarray:
        """Run the network on its own outputs, after it has seen the true inputs.

        Parameters
        ----------
        warmup : array_like, shape (T, I) or (B, T, I)
            Known inputs up to now, in original units.
        steps : int
            Values to forecast.
        inputs : array_like, shape (steps, I - O) or (B, steps, I - O), optional
            Future values of the inputs that are not the target's own; the first of them belongs to
            the step after the warm-up. For a network whose inputs are all exogenous, shape
            (steps, I).

        Returns
        -------
        ndarray, shape (steps, O) or (B, steps, O), float64
            In original units. A free run that diverges gives NaN or inf, see `diverged`.

        Raises
        ------
        EvorrnError
            When the network's output is not its next input and no exogenous inputs are given.
        """
        if steps < 1:
            raise EvorrnError(f"steps: expected at least 1, got {steps}")
        known, single = _sequences("warmup", warmup, self.network.inputs)
        sequences, length, width = known.shape
        own = self.network.outputs if self.horizon == 1 and not self.network.loss_function.labels else 0
        exogenous = width - own
        if inputs is None and exogenous > 0:
            missing = (
                f"future values of its {exogenous} exogenous inputs, as inputs of shape (steps, {exogenous})"
                if own or self.network.feedback
                else "a task whose target is the next input (horizon 1), a network with feedback=True, "
                f"or future inputs, as inputs of shape (steps, {exogenous})"
            )
            raise EvorrnError(f"forecast: this network needs {missing}")
        future = np.zeros((sequences, steps, width))
        if inputs is not None:
            given, _ = _sequences("inputs", inputs, exogenous)
            if given.shape[:2] != (sequences, steps):
                raise ShapeError(
                    f"inputs: expected {sequences} x {steps} steps of {exogenous}, got {given.shape}"
                )
            future[:, :, own:] = given
        x = self._scale(np.concatenate([known, future], axis=1))
        first = length if own else length + steps
        outputs = self.network.predict(self.genome, x, free_from=np.full(sequences, first))
        # With own inputs fed back, the output at the last known step is already the first forecast.
        start = length - 1 if own else length
        values = self._restore(outputs[:, start : start + steps])
        return values[0] if single else values

    def diverged(self, values: np.ndarray) -> bool:
        """Return whether a forecast left the finite numbers or the range of float32 sensibly used."""
        return not bool(np.isfinite(values).all()) or bool((np.abs(values) > 1e12).any())

    def _scale(self, inputs: np.ndarray) -> np.ndarray:
        return inputs if self.scaling is None else self.scaling.scale_inputs(inputs)

    def _restore(self, outputs: np.ndarray) -> np.ndarray:
        if self.scaling is None or self.network.loss_function.labels:
            return np.asarray(outputs, dtype=np.float64)
        return self.scaling.restore_targets(outputs)

    def save(self, folder: str | Path) -> None:
        """Write the result to a folder: ``result.json``, ``genome.npz``, ``history.jsonl``, ``timing.jsonl``."""
        folder = Path(folder)
        write_atomic(folder / "genome.npz", npz_bytes({"genome": self.genome}))
        save_history(folder, self.history, self.seconds)
        scaling = None
        if self.scaling is not None:
            scaling = {name: np.asarray(value).tolist() for name, value in vars(self.scaling).items()}
        meter = self.meter.as_dict()
        content = {
            "network": self.network.settings(),
            "stopped_by": self.stopped_by,
            "metrics": self.metrics,
            "horizon": self.horizon,
            "input_names": list(self.input_names),
            "output_names": list(self.output_names),
            "scaling": scaling,
            "meter": {name: value for name, value in meter.items() if name not in TIMES},
            "times": {name: meter[name] for name in TIMES},
        }
        write_atomic(folder / "result.json", json.dumps(content, indent=1) + "\n")


def save_history(folder: Path, history: dict[str, np.ndarray], seconds: np.ndarray) -> None:
    """Write ``history.jsonl``, which holds no times, and ``timing.jsonl``: one line per step of the strategy."""
    write_atomic(folder / "history.jsonl", _lines(history))
    write_atomic(folder / "timing.jsonl", _lines({"seconds": seconds}))


def load_history(folder: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Read what `save_history` wrote: the history, and the wall time at each entry; empty where files lack."""
    return _columns(folder / "history.jsonl"), _columns(folder / "timing.jsonl").get("seconds", np.zeros(0))


def load(folder: str | Path) -> Result:
    """Read a result from a folder that `Result.save` or a run wrote.

    Raises
    ------
    RunError
        When a file is missing, truncated or not of this kind.
    """
    from evorrn.network.network import Network

    folder = Path(folder)
    path = folder / "result.json"
    try:
        content = json.loads(path.read_text())
        with np.load(folder / "genome.npz", allow_pickle=False) as archive:
            genome = archive["genome"]
        network = Network.from_settings(content["network"])
        network.check_genome(genome)
        scaling = content["scaling"]
        known = {f.name for f in dataclasses.fields(Meter)}
        meter = {**content["meter"], **content["times"]}
        history, seconds = load_history(folder)
        return Result(
            genome=genome,
            network=network,
            stopped_by=content["stopped_by"],
            history=history,
            metrics={
                split: {name: value + 0 for name, value in values.items()}
                for split, values in content["metrics"].items()
            },
            meter=Meter(**{name: value for name, value in meter.items() if name in known}),
            seconds=seconds,
            scaling=None if scaling is None else Scaling(**{n: np.array(v) for n, v in scaling.items()}),
            horizon=content["horizon"],
            input_names=tuple(content["input_names"]),
            output_names=tuple(content["output_names"]),
        )
    except FileNotFoundError as error:
        raise RunError(
            f"{folder}: expected a run folder with {Path(str(error.filename)).name} in it"
        ) from None
    except (
        EvorrnError,  # a cell, a shape or a setting that is not the run's own
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
    ) as error:
        raise RunError(f"{folder}: expected a complete run folder, but it cannot be read ({error})") from None


def _lines(columns: dict[str, np.ndarray]) -> str:
    """Return rows of numbers as one JSON object a line; encoding a whole column at once takes half the time."""
    entries = []
    for name, column in columns.items():
        key, numbers = json.dumps(name), json.dumps(column.tolist())[1:-1]
        entries.append([f"{key}: {number}" for number in numbers.split(", ") if number])
    return "".join("{" + ", ".join(row) + "}\n" for row in zip(*entries))


def _columns(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        return {}
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:  # a torn last line of a run that was killed while writing
            break
    names = rows[0] if rows else ()
    return {name: np.array([row[name] for row in rows]) for name in names}


def _sequences(name: str, value: Any, width: int) -> tuple[np.ndarray, bool]:
    """Return an array as (B, T, width) of finite float64, and whether it was one sequence."""
    array = np.asarray(value, dtype=np.float64)
    single = array.ndim == 2
    if single:
        array = array[None]
    if array.ndim != 3 or array.shape[2] != width or 0 in array.shape[:2]:
        raise ShapeError(f"{name}: expected shape (B, T, {width}) or (T, {width}), got {np.shape(value)}")
    if not np.isfinite(array).all():
        raise ShapeError(f"{name}: expected finite numbers, got NaN or infinity")
    return array, single
