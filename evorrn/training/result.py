"""The class Result: the model that a run has trained, with its history and scores, and its folder of files."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import RunError
from evorrn.base.files import npz_bytes, read_arrays, write_atomic
from evorrn.base.summary import Summary
from evorrn.base.text import amount, counted, figure
from evorrn.base.trust import trusting
from evorrn.data.task import Scaling
from evorrn.training.history import history_files, load_history
from evorrn.training.meter import Meter
from evorrn.training.model import Model

TIMES = ("seconds", "compile_seconds")
"""The attributes of a meter that differ when a run is repeated; a saved result stores them separately."""

SEES_TARGETS = "a bidirectional network sees the later inputs, and these are what it predicts: its scores are not those of a forecast"
NOTHING_LEARNED = "no step had a network with a finite training loss, so that nothing was learned"


@dataclass(repr=False, kw_only=True)
class Result(Model):
    """The result of a run: a model with the genome of the lowest validation loss, its history and its scores.

    The further attributes, `predict` and `forecast` are those of `evorrn.Model`.

    Attributes
    ----------
    stopped_by : str
        The limit of the budget that stopped the run, ``"callback"``, or the reason why the strategy was finished.
    history : dict of str to ndarray, shape (N,)
        One entry per step of the strategy: ``work``, ``steps``, ``evaluations``, ``train_loss``,
        ``valid_loss`` and further values that the strategy records.
    metrics : dict
        ``{"train": {name: value}, "valid": ..., "test": ...}``, for the splits that exist.
    meter : Meter
    seconds : ndarray, shape (N,)
        Wall time at each step of the history.
    predictions : dict of str to ndarray, or None
        On test data, where there are any, in original units: ``truth`` and ``predicted``, (B, T, O), the ``scored`` steps
        (B, T), and their ``dates`` (B, T) where the data have them. Of forecasts there are the ``residuals`` (n, O) at the
        scored steps of validation: truth minus prediction.
    sees_targets : bool
        Whether the network is bidirectional and is to predict later inputs, which it so sees.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> batch = evorrn.Batch(np.ones((4, 5, 1)), np.ones((4, 5, 1)))
    >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
    >>> result = evorrn.GeneticAlgorithm(population=4).fit(network, batch, seed=0, budget="3gen")
    >>> result.stopped_by
    'generations'
    >>> result.history["train_loss"].shape
    (3,)
    >>> result.predict(np.ones((5, 1))).shape
    (5, 1)
    """

    stopped_by: str
    history: dict[str, np.ndarray]
    metrics: dict[str, dict[str, float]]
    meter: Meter
    seconds: np.ndarray = field(default_factory=lambda: np.zeros(0))
    predictions: dict[str, np.ndarray] | None = None
    sees_targets: bool = False

    def __post_init__(self) -> None:
        if self.residuals is None and self.predictions is not None:
            found = self.predictions.get("own_residuals")
            self.residuals = self.predictions.get("residuals") if found is None else found

    def __repr__(self) -> str:
        """Return network, cost and scores in a few lines."""
        steps = counted(len(self.seconds), "step")
        scores = [
            f"  {split}: {', '.join(f'{name} {figure(value)}' for name, value in values.items())}"
            for split, values in self.metrics.items()
        ]
        lines = [
            f"Result of {self.network}",
            f"  {steps}, {amount(self.meter.work)} multiply-adds; stopped by {self.stopped_by}",
        ]
        return "\n".join([*lines, *scores, *(f"  note: {text}" for text in self.notes)])

    def summary(self) -> Summary:
        """Return cost and scores of the run; `print` shows them, and a notebook too."""
        facts = [
            *super().summary().facts,
            ("steps", str(len(self.seconds))),
            ("stopped by", self.stopped_by),
            ("work", f"{amount(self.meter.work)} multiply-adds"),
            ("seconds", figure(self.meter.seconds)),
        ]
        names = list(dict.fromkeys(name for scores in self.metrics.values() for name in scores))
        rows = [
            (split, *(figure(scores[name]) if name in scores else "" for name in names))
            for split, scores in self.metrics.items()
        ]
        notes = [f"note: {text}" for text in self.notes]
        align = "l" + "r" * len(names)
        return Summary(f"Result of {self.network}", facts, ("split", *names), align, rows, notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a reader of the result should know, for instance that a penalty lies at the edge of its grid."""
        losses = self.history.get("train_loss", np.zeros(0))
        diverged = len(losses) > 0 and not np.isfinite(losses).any()
        return (
            *([NOTHING_LEARNED] if diverged else []),
            *self._of_penalties(),
            *self._of_learned(),
            *([SEES_TARGETS] if self.sees_targets else []),
        )

    def _of_learned(self) -> tuple[str, ...]:
        losses = self.history.get("valid_loss", np.zeros(0))
        if self.stopped_by != "learned" or not np.isfinite(losses).any() or losses[-1] == np.nanmin(losses):
            return ()
        return (
            f"the network of the last step has learned what budget.learned asks for; the result is that of step "
            f"{int(np.nanargmin(losses)) + 1} of {len(losses)}, whose validation loss is lower ({figure(np.nanmin(losses))}, "
            f"against {figure(losses[-1])})",
        )

    def _of_penalties(self) -> tuple[str, ...]:
        edges, losses = self.history.get("alpha_at_edge", np.zeros(0)), self.history.get("valid_loss")
        if losses is None or not len(edges) or not np.isfinite(losses).any():
            return ()
        best = int(np.nanargmin(losses))
        if not edges[best]:
            return ()
        end, further = ("smallest", "smaller") if edges[best] < 0 else ("largest", "larger")
        return (
            f"the {end} of the readout's penalties, {self.history['alpha'][best]:g}, predicted best: a {further} one "
            "may be better (strategy.alphas)",
        )

    def plot(self, output: int | str = 0, axes: Any = None) -> Any:
        """Draw the predictions on test data over the truth, forecasts with their 90 % interval, and return the matplotlib axes.

        Parameters
        ----------
        output : int or str
            The place or the name of the output that is drawn.
        axes : matplotlib.axes.Axes, optional
            For the predictions alone; by default a new figure has them and the losses.

        Returns
        -------
        matplotlib.axes.Axes
            Those of the predictions, or of the losses where there are no predictions.

        Raises
        ------
        EvorrnError
            When there is nothing to draw, or no such output.
        """
        drawing = importlib.import_module("evorrn.lab.report.result")  # the only folder that draws lies below
        return drawing.draw_result(self, output, axes)

    def save(self, folder: str | Path) -> None:
        """Write the result to the files ``result.json``, ``genome.npz``, ``history.jsonl``, ``timing.jsonl`` of a folder.

        With predictions on test data there is ``predictions.npz`` as well. `evorrn.load` reads them. `save_model` writes
        one file of what predictions need.
        """
        for name, content in self.files().items():
            write_atomic(Path(folder) / name, content)

    def files(self) -> dict[str, bytes | str]:
        """Return the content of the files that `save` writes, by name; ``result.json`` comes last."""
        scaling = None
        if self.scaling is not None:
            scaling = {name: np.asarray(value).tolist() for name, value in vars(self.scaling).items()}
        meter = self.meter.as_dict()
        content = {
            "network": self.network.settings(),
            "stopped_by": self.stopped_by,
            "metrics": self.metrics,
            "horizon": self.horizon,
            **({"sees_targets": True} if self.sees_targets else {}),
            "input_names": list(self.input_names),
            "output_names": list(self.output_names),
            "scaling": scaling,
            "meter": {name: value for name, value in meter.items() if name not in TIMES},
            "times": {name: meter[name] for name in TIMES},
        }
        shown = {} if self.predictions is None else {"predictions.npz": npz_bytes(self.predictions)}
        return {
            "genome.npz": npz_bytes({"genome": self.genome}),
            **shown,
            **history_files(self.history, self.seconds),
            "result.json": json.dumps(content, indent=1) + "\n",
        }


def saw_targets(content: Mapping[str, Any]) -> bool:
    """Return whether the network of a stored result sees the later inputs that it is to predict, by its ``result.json``.

    Results of before this was written say it by their horizon.
    """
    forecast = bool(content["horizon"]) and bool(content["network"].get("bidirectional"))
    return bool(content.get("sees_targets", forecast))


def load(folder: str | Path, *, trust: bool | None = None) -> Result:
    """Return the result in a folder that `Result.save` or a run of the command line wrote.

    Parameters
    ----------
    folder : path
    trust : bool, optional
        Whether the file or module of a cell that is not one of evorrn's may be imported. Without it, such a cell is
        found only when it was imported before, or when the folder's ``spec.toml`` recorded the content of its file.

    Raises
    ------
    RunError
        When a file is missing, truncated or not a result of evorrn, or when its cell may not be imported.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import evorrn
    >>> batch = evorrn.Batch(np.ones((4, 5, 1)), np.ones((4, 5, 1)))
    >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
    >>> result = evorrn.GeneticAlgorithm(population=4).fit(network, batch, budget="2gen")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result.save(folder)
    ...     loaded = evorrn.load(folder)
    >>> bool((loaded.genome == result.genome).all())
    True
    """
    from evorrn.network.network import Network
    from evorrn.network.stored import stored_network

    folder = Path(folder)
    path = folder / "result.json"
    try:
        content = json.loads(path.read_text())
        genome = read_arrays(folder / "genome.npz")["genome"]
        with nullcontext() if trust is None else trusting(trust):
            network = stored_network(Network, folder, content["network"])
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
            predictions=read_arrays(stored) if (stored := folder / "predictions.npz").exists() else None,
            sees_targets=saw_targets(content),
        )
    except FileNotFoundError as error:
        raise RunError(
            f"{folder}: expected a run folder with {Path(str(error.filename)).name} in it"
        ) from None
    except Exception as error:  # a damaged file can fail in any way
        raise RunError(f"{folder}: expected a complete run folder, but it cannot be read ({error})") from None
