"""The Task contract: where data come from, how they are split, and what they are judged by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from evorrn.base.settings import Settings
from evorrn.data.batch import Batch

ANSWERS = frozenset({"fitness", "sequence_losses", "gradient", "states", "targets"})
"""What a problem made of sequences with targets can answer."""


@dataclass(frozen=True)
class Scaling:
    """The affine map between a task's original units and what the network sees.

    ``scaled = (original - mean) / deviation``, learned on the training part alone.

    Parameters
    ----------
    input_mean, input_deviation : ndarray, shape (I,)
    target_mean, target_deviation : ndarray, shape (O,)
    """

    input_mean: np.ndarray
    input_deviation: np.ndarray
    target_mean: np.ndarray
    target_deviation: np.ndarray

    def scale_inputs(self, inputs: np.ndarray) -> np.ndarray:
        """Return inputs (..., I) as the network sees them."""
        return (np.asarray(inputs, dtype=np.float64) - self.input_mean) / self.input_deviation

    def scale_targets(self, targets: np.ndarray) -> np.ndarray:
        """Return targets (..., O) as the network sees them."""
        return (np.asarray(targets, dtype=np.float64) - self.target_mean) / self.target_deviation

    def restore_targets(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs (..., O) of the network in original units."""
        return np.asarray(outputs, dtype=np.float64) * self.target_deviation + self.target_mean

    def restore_inputs(self, inputs: np.ndarray) -> np.ndarray:
        """Return inputs (..., I) in original units."""
        return np.asarray(inputs, dtype=np.float64) * self.input_deviation + self.input_mean


@dataclass(frozen=True)
class Splits:
    """Training, validation and test data of a task; unpacks as the three batches.

    Parameters
    ----------
    train, valid, test : Batch
        A task always gives all three; data given by hand may lack the later ones.
        In scaled units. Validation and test of a chronological split begin with their preceding
        context as unscored steps.
    scaling : Scaling, optional
        How to come back to original units; None when units are already the original ones.
    """

    train: Batch
    valid: Batch | None = None
    test: Batch | None = None
    scaling: Scaling | None = None

    def __iter__(self) -> Iterator[Batch | None]:
        return iter((self.train, self.valid, self.test))


@dataclass(frozen=True)
class Reference:
    """A published figure to compare with: its value, metric, conditions and source."""

    value: float
    metric: str
    conditions: str
    source: str


@dataclass(frozen=True)
class Recommended:
    """The network a task advises for one strategy, and settings of the strategy that go with it.

    Parameters
    ----------
    network : mapping
        Keyword arguments of `evorrn.Network` beyond sizes and loss, for instance
        ``{"cell": "lstm", "hidden": 32}``.
    strategy : mapping
        Settings of the strategy that differ from its defaults.
    """

    network: Mapping[str, Any] = field(default_factory=dict)
    strategy: Mapping[str, Any] = field(default_factory=dict)


class Task(Settings):
    """A source of data with a name, a metric, baselines, references and recommended networks.

    A task is a ``@dataclass(frozen=True)`` whose fields are its settings (made by
    `evorrn.base.settings.setting`). It must give `name`, `inputs`, `outputs`, `data` and `baselines`.

    Attributes
    ----------
    name : str
        As typed on the command line.
    version : int
        Raised when the data of a given seed change.
    loss : str
        ``"mse"``, ``"cross-entropy"`` or ``"binary-cross-entropy"``.
    metrics : tuple of str
        Keys of `evorrn.data.metrics.METRICS`; the first is the one that ranks.
    seed_changes : str
        ``"data"`` when the seed draws new data, ``"training"`` when the record is fixed.
    horizon : int or None
        Steps ahead that the target lies; with 1 the first O inputs of the next step are the target,
        so the network can run free. None when the target is no future input.
    provides : frozenset of str
        What the problem of its runs can answer, see `evorrn.training.problem.Problem.provides`.
    free_run : bool
        Validation and test are judged in closed loop: over the unscored steps at the start the network
        sees the true inputs, from the first scored step on its own last outputs in place of the first O inputs.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    loss: ClassVar[str] = "mse"
    metrics: ClassVar[tuple[str, ...]] = ("nrmse_std", "rmse")
    seed_changes: ClassVar[str] = "data"
    provides: ClassVar[frozenset[str]] = ANSWERS
    free_run: ClassVar[bool] = False
    references: ClassVar[tuple[Reference, ...]] = ()

    horizon: Any = None  # tasks with a horizon make it a setting

    @property
    def inputs(self) -> int:
        """Inputs at a time step, I."""
        raise NotImplementedError

    @property
    def outputs(self) -> int:
        """Outputs at a time step, O; the number of classes for labels."""
        raise NotImplementedError

    @property
    def input_names(self) -> tuple[str, ...]:
        """What the inputs are called, I names: columns of a file where data come from one."""
        return tuple(f"input{place}" for place in range(1, self.inputs + 1))

    @property
    def output_names(self) -> tuple[str, ...]:
        """What the outputs are called, O names."""
        return tuple(f"output{place}" for place in range(1, self.outputs + 1))

    def data(self, seed: int) -> Splits:
        """Return training, validation and test data; the same seed gives the same bytes."""
        raise NotImplementedError

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return trivial predictions of the test split, in scaled units (logits for classes).

        Returns
        -------
        dict of str to ndarray, shape (B, T, O)
            Named as the report shows them, for instance ``"persistence"``; fitted on the training
            split alone.
        """
        raise NotImplementedError

    def recommended(self, strategy: str) -> Recommended:
        """Return the network and settings advised for a strategy's command-line name."""
        return Recommended({"cell": "elman", "hidden": 16})
