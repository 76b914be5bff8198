"""The base class Task, and the plain classes that a task returns: Splits, Scaling, Reference, Recommended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from evorrn.base.memory import excess
from evorrn.base.settings import Settings
from evorrn.data.batch import Batch

ANSWERS = frozenset({"fitness", "sequence_losses", "gradient", "states", "targets"})
"""What a problem made of sequences with targets can compute."""
ANSWERS_OF_WHOLE = ANSWERS - {"targets"}
"""What it can where a sequence has labels in place of a target for each time step."""


Baselines = Mapping[str, "np.ndarray | Sequence[np.ndarray] | Mapping[str, float]"]
"""Baselines by name: predictions of the test split, or values of metrics where nothing is predicted step by step."""


@dataclass(frozen=True)
class Scaling:
    """The affine map between the original units of a task and the scaled units of the network.

    ``scaled = (original - mean) / deviation``; mean and deviation are those of the training data.

    Parameters
    ----------
    input_mean, input_deviation : ndarray, shape (I,)
    target_mean, target_deviation : ndarray, shape (O,)

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> ten, two = np.array([10.0]), np.array([2.0])
    >>> scaling = evorrn.Scaling(ten, two, ten, two)
    >>> scaling.scale_inputs([12.0, 8.0]).tolist()
    [1.0, -1.0]
    >>> scaling.restore_targets([1.0, -1.0]).tolist()
    [12.0, 8.0]
    """

    input_mean: np.ndarray
    input_deviation: np.ndarray
    target_mean: np.ndarray
    target_deviation: np.ndarray

    def scale_inputs(self, inputs: np.ndarray) -> np.ndarray:
        """Return inputs (..., I) in scaled units, float64."""
        return (np.asarray(inputs, dtype=np.float64) - self.input_mean) / self.input_deviation

    def scale_targets(self, targets: np.ndarray) -> np.ndarray:
        """Return targets (..., O) in scaled units, float64."""
        return (np.asarray(targets, dtype=np.float64) - self.target_mean) / self.target_deviation

    def restore_targets(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs (..., O) of the network in original units, float64."""
        with np.errstate(over="ignore", invalid="ignore"):  # a free run may have diverged
            return np.asarray(outputs, dtype=np.float64) * self.target_deviation + self.target_mean

    def restore_inputs(self, inputs: np.ndarray) -> np.ndarray:
        """Return scaled inputs (..., I) in original units, float64."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(inputs, dtype=np.float64) * self.input_deviation + self.input_mean


@dataclass(frozen=True)
class Splits:
    """Training, validation and test data of a task, in scaled units; it unpacks into the three batches.

    Parameters
    ----------
    train : Batch
    valid, test : Batch, optional
        The splits of a task always have both. If data are split by time, they begin with the preceding time
        steps, unscored, as context.
    scaling : Scaling, optional
        Converts between scaled and original units; None when the data are in original units.
    dates : ndarray, shape (B, T), optional
        When the targets of the test split are: datetime64, or numbers such as years.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> batch = evorrn.Batch(np.zeros((4, 10, 1)), np.zeros((4, 10, 1)))
    >>> train, valid, test = evorrn.Splits(train=batch.take([0, 1]), valid=batch.take([2]), test=batch.take([3]))
    >>> train.size, valid.size, test.size
    (2, 1, 1)
    """

    train: Batch
    valid: Batch | None = None
    test: Batch | None = None
    scaling: Scaling | None = None
    dates: np.ndarray | None = None

    def __iter__(self) -> Iterator[Batch | None]:
        return iter((self.train, self.valid, self.test))


@dataclass(frozen=True)
class Reference:
    """A published result to compare with.

    Parameters
    ----------
    value : float
    metric : str
        Name of the metric, as in `Task.metrics` where it is one of these.
    conditions : str
        How the value was obtained, for instance the network and the number of training steps.
    source : str
        Author and year.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.Reference(0.25, "nrmse_std", "echo state network, 100 units", "Author 2020").value
    0.25
    """

    value: float
    metric: str
    conditions: str
    source: str


@dataclass(frozen=True)
class Recommended:
    """The network and the settings that a task recommends for a strategy.

    Parameters
    ----------
    network : mapping
        Keyword arguments of `evorrn.Network` except sizes and loss, for instance
        ``{"cell": "lstm", "hidden": 32}``.
    strategy : mapping
        Settings of the strategy that differ from its defaults.

    Examples
    --------
    >>> import evorrn
    >>> recommended = evorrn.Recommended({"cell": "lstm", "hidden": 32}, {"population": 64})
    >>> recommended.network["hidden"]
    32
    """

    network: Mapping[str, Any] = field(default_factory=dict)
    strategy: Mapping[str, Any] = field(default_factory=dict)


class Task(Settings):
    """Base class of tasks: data with a name, metrics, baselines, published results and recommended networks.

    A task is a ``@dataclass(frozen=True)`` whose fields are its settings (made by `evorrn.setting`). A subclass
    must define `name`, `inputs`, `outputs`, `data` and `baselines`.

    Attributes
    ----------
    name : str
        As typed on the command line.
    version : int
        Raised when the data of a given seed change.
    loss : str
        ``"mse"``, ``"cross-entropy"`` or ``"binary-cross-entropy"``; or of whole sequences ``"ctc"``, ``"description-length"`` or a
        class of one's own, see `evorrn.losses.sequence.SequenceLoss`.
    metrics : tuple of str
        Keys of `evorrn.data.metrics.METRICS`; runs are ranked by the first.
    seed_changes : str
        ``"data"`` when another seed gives other data, ``"training"`` when the data are the same for every seed.
    arity : int
        How many predecessors each step sees, see the links of `evorrn.Batch`; 0 for ordinary sequences.
    network_form : mapping
        The wiring of the networks that the task is for: settings of `evorrn.Network` such as ``{"embedding": 16}`` or
        ``{"readout": "last"}``, also ``bidirectional``, ``reads`` and ``learn_start``; or ``{"kind": "encoder-decoder", "start": 0,
        "stop": 1}``, where the targets of the data are rows of symbols with `target_lengths`, the loss is
        ``"cross-entropy"`` and metrics are those of decoded symbols. `Network.for_task` and runs use it; what `recommended` says
        of a strategy goes before it, and what a user sets before both.
    predicts_inputs : bool
        Whether targets tell of later inputs of their sequence, for instance the next character of a text. A network that also
        reads backward sees them, which results and comparisons then say. True by default for a task with a horizon.
    horizon : int or None
        How many time steps after the input its target lies. With 1, the targets are the first O inputs of the
        next step, so the network can run on its own outputs. None when the target is not a later input.
    multistep : str
        How a horizon of several steps is reached: ``"direct"``, ``"recursive"`` or ``"multi-output"``, see
        `evorrn.training.multistep`.
    step_time : float
        Lyapunov times between two steps, the unit of the metric ``valid_time``: the largest Lyapunov exponent of the system
        per step. 1 where it is not known.
    provides : frozenset of str
        What a problem of this task can compute, see `evorrn.Problem`.
    judges : tuple of str
        Those of the metrics that the method `judged` computes.
    free_run : bool
        Whether validation and test run in closed loop: the network sees the true inputs during the unscored
        steps at the start, and from the first scored step on its own last outputs in place of the first O inputs.

    Examples
    --------
    A task whose target is the input of the step before:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import evorrn
    >>> @dataclass(frozen=True)
    ... class Delay(evorrn.Task):
    ...     name = "delay"
    ...     inputs = outputs = 1
    ...     steps: int = evorrn.setting(20, help="time steps of a sequence", minimum=2)
    ...
    ...     def data(self, seed):
    ...         x = np.random.default_rng(seed).normal(size=(12, self.steps, 1))
    ...         batch = evorrn.Batch(x, np.roll(x, 1, axis=1), mask=np.tile(np.arange(self.steps) > 0, (12, 1)))
    ...         return evorrn.Splits(batch.take(range(4)), batch.take(range(4, 8)), batch.take(range(8, 12)))
    ...
    ...     def baselines(self, splits):
    ...         return {"zero": np.zeros(splits.test.targets.shape)}
    >>> train, valid, test = Delay(steps=10).data(seed=0)
    >>> train.inputs.shape
    (4, 10, 1)
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    loss: ClassVar[Any] = "mse"
    metrics: ClassVar[tuple[str, ...]] = ("nrmse_std", "rmse")
    seed_changes: ClassVar[str] = "data"
    provides: ClassVar[frozenset[str]] = ANSWERS
    free_run: ClassVar[bool] = False
    arity: ClassVar[int] = 0
    references: ClassVar[tuple[Reference, ...]] = ()

    judges: ClassVar[tuple[str, ...]] = ()

    horizon: Any = None  # tasks with a horizon make it a setting
    multistep: Any = "direct"  # and those with several ways to reach it make that one too

    @property
    def network_form(self) -> Mapping[str, Any]:
        """The wiring of the networks that the task is for; empty for one without."""
        return {}

    @property
    def predicts_inputs(self) -> bool:
        """Whether targets tell of later inputs of their sequence, so that a network that also reads backward sees them."""
        return self.horizon is not None

    @property
    def step_time(self) -> float:
        """The Lyapunov times between two steps."""
        return 1.0

    @property
    def inputs(self) -> int:
        """The number of inputs at a time step, I."""
        raise NotImplementedError

    @property
    def outputs(self) -> int:
        """The number of outputs at a time step, O; for labels the number of classes."""
        raise NotImplementedError

    @property
    def column_names(self) -> tuple[str, ...]:
        """For data from a table the names of all its columns, in their order."""
        return ()

    @property
    def data_notes(self) -> tuple[str, ...]:
        """What a user should know about the data, in sentences; for data from a file how it was read."""
        return ()

    @property
    def numbers_in_data(self) -> int:
        """The numbers in its data, as far as the settings tell before they are made; else 0."""
        return 0

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, and one for data that cannot fit into memory."""
        found = super().problems()
        too_large = "" if found else excess(self.numbers_in_data)
        return [f"{self.name}: its data take {too_large}"] if too_large else found

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the I inputs; for data from a file the names of its columns."""
        return tuple(f"input{place}" for place in range(1, self.inputs + 1))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the O outputs."""
        return tuple(f"output{place}" for place in range(1, self.outputs + 1))

    @property
    def scored_names(self) -> tuple[str, ...]:
        """The names of the outputs that are scored; all of them but where a network has outputs for several rows ahead."""
        return self.output_names

    def data(self, seed: int) -> Splits:
        """Return training, validation and test data; the same seed gives equal bytes."""
        raise NotImplementedError

    def baselines(self, splits: Splits) -> Baselines:
        """Return trivial predictions of the test split, in scaled units (logits for classes).

        Returns
        -------
        dict of str to ndarray, shape (B, T, O), or to a dict of metrics
            The keys are names for the report, for instance ``"persistence"``. Baselines with parameters are
            fitted on the training split only. What predicts no single steps, such as a program that compresses files, gives
            the values of the metrics that it has, for instance ``{"bits_per_symbol": 2.1}``. Where networks are encoder-decoders,
            a prediction is a list of B arrays of symbols.
        """
        raise NotImplementedError

    def judged(self, splits: Splits, outputs: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
        """Return the metrics named in `judges`, by split, where they need more than the outputs of that split.

        Parameters
        ----------
        splits : Splits
        outputs : mapping of str to ndarray, shape (B, T, O)
            The outputs for ``"train"``, ``"valid"`` and ``"test"``, in scaled units.
        """
        return {}

    def comparator_problems(self, names: Sequence[str]) -> list[str]:
        """Return one sentence for each name of a comparator that the task does not have, or cannot make here."""
        return [f"{self.name} has no baselines of this name: {name}" for name in names]

    def comparators(self, splits: Splits, names: Sequence[str]) -> Baselines:
        """Return forecasts of the test split by models in use, as `baselines` does; the usual ones without names."""
        return {}

    def recommended(self, strategy: str) -> Recommended:
        """Return the recommended network and settings for the command-line name of a strategy."""
        return Recommended({"cell": "elman", "hidden": 16})
