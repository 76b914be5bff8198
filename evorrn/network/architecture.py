"""Architecture: layers of cells and a linear readout, whose weights are named blocks of one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from evorrn.base.errors import ConfigError, EvorrnError, ShapeError, unknown
from evorrn.base.settings import check_seed
from evorrn.cells.find import cell_reference, find_cell
from evorrn.compile.grammar import Cell
from evorrn.compile.initial import INITIALISERS
from evorrn.compile.step import Step, compose
from evorrn.exchange import torch as torch_weights
from evorrn.losses.find import find_loss, losses
from evorrn.network.initial import choose

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task

DTYPES = ("float32", "float64")


@dataclass(eq=False, repr=False)
class NetworkSettings:
    """The arguments that make a network, see `evorrn.Network`; they are checked by `Architecture`."""

    inputs: int
    outputs: int
    cell: InitVar[str | Cell] = "elman"
    hidden: InitVar[int | Sequence[int]] = 16
    cell_options: InitVar[Mapping[str, Any] | None] = None
    loss: InitVar[str] = "mse"
    direct: bool = False
    feedback: bool = False
    dtype: InitVar[str | np.dtype | type] = "float32"
    initial: InitVar[Mapping[str, str] | None] = None
    biases: bool = True

    def __post_init__(self, *loosely_typed: Any) -> None:
        raise NotImplementedError


class Architecture(NetworkSettings):
    """What a `Network` is, apart from running it: its settings, its step, and its genomes.

    See there for the parameters, which are checked here.

    Attributes
    ----------
    inputs, outputs : int
    cell : Cell
    hidden : tuple of int
        Units of each layer.
    loss_name : str
    loss_function : Loss
    direct, feedback, biases : bool
    dtype : dtype
        Of genomes and of all that is computed.
    step : Step
        One time step of all layers and the readout, as a graph.
    layout : tuple of Block
        The matrices and vectors that lie one after the other in a genome.
    blocks : dict of str to tuple of int
        Their shapes by name.

    Raises
    ------
    ConfigError
        With everything that is wrong, at once.
    """

    cell: Cell
    hidden: tuple[int, ...]
    dtype: np.dtype

    def __post_init__(
        self,
        cell: str | Cell,
        hidden: int | Sequence[int],
        cell_options: Mapping[str, Any] | None,
        loss: str,
        dtype: str | np.dtype | type,
        initial: Mapping[str, str] | None,
    ) -> None:
        inputs, outputs = self.inputs, self.outputs
        flags = {"direct": self.direct, "feedback": self.feedback, "biases": self.biases}
        sizes: tuple[Any, ...] = tuple(hidden) if isinstance(hidden, list | tuple | np.ndarray) else (hidden,)
        kind = str(getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype))
        problems = [
            *_size_problems({"inputs": (inputs,), "outputs": (outputs,), "hidden": sizes}),
            *_choice_problems(loss, kind),
            *_flag_problems(flags),
        ]
        options: tuple[dict[str, float], dict[str, str]] = ({}, {})
        try:
            self.cell = find_cell(cell)
            options = self.cell.check_options(_mapping("cell_options", cell_options))
        except EvorrnError as error:
            problems.append(f"network.cell: {error}")
        if problems:
            raise ConfigError(problems)
        self.inputs, self.outputs = int(inputs), int(outputs)
        self.hidden = tuple(int(size) for size in sizes)
        self.loss_name = loss
        self.loss_function = find_loss(loss)
        self.direct, self.feedback, self.biases = (bool(flag) for flag in flags.values())
        self.dtype = np.dtype(kind)
        self._reference = cell if isinstance(cell, str) and ".py:" not in cell else cell_reference(self.cell)
        self._numbers, self._activations = options
        self.step: Step = compose(
            [self.cell] * len(self.hidden),
            [self._activations] * len(self.hidden),
            direct=self.direct,
            feedback=self.feedback,
            biases=self.biases,
        )
        self.layout = self.step.blocks
        self.blocks: dict[str, tuple[int, ...]] = {
            block.name: tuple(self.sizes[dimension] for dimension in block.shape) for block in self.layout
        }
        self._initial = choose(self.layout, _mapping("initial", initial))

    @classmethod
    def for_task(cls, task: Task | Environment, **settings: Any) -> Self:
        """Make a network with sizes and loss from a task or an environment; see `Network` for the settings."""
        return cls(task.inputs, task.outputs, loss=task.loss, **settings)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Make a network from what `settings` returned."""
        return cls(**settings)

    def settings(self) -> dict[str, Any]:
        """Return the keyword arguments that make this network again, as plain data.

        `biases` is named only where there are none, so that networks with them have the settings, and runs
        the names, that they had before it could be chosen.
        """
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "cell": self._reference,
            "hidden": list(self.hidden),
            "cell_options": self.cell_options,
            "loss": self.loss_name,
            "direct": self.direct,
            "feedback": self.feedback,
            "dtype": self.dtype.name,
            "initial": {
                block.name: self._initial[block.name]
                for block in self.layout
                if self._initial[block.name] != block.initial
            },
            **({} if self.biases else {"biases": False}),
        }

    @property
    def cell_options(self) -> dict[str, Any]:
        """The options of the cell, activations by name."""
        return {**self._activations, **self._numbers}

    @cached_property
    def size(self) -> int:
        """Genes of the genome, n."""
        return sum(int(np.prod(shape)) for shape in self.blocks.values())

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of all symbolic dimensions."""
        given = {"I": self.inputs, "O": self.outputs}
        given.update({f"H{layer}": size for layer, size in enumerate(self.hidden)})
        given["I+O"] = self.inputs + self.outputs
        return given

    @cached_property
    def state_size(self) -> int:
        """Numbers carried from one time step to the next."""
        return sum(self.sizes[dimension] for dimension in self.step.states.values())

    def __repr__(self) -> str:
        hidden = self.hidden[0] if len(self.hidden) == 1 else self.hidden
        return f"{type(self).__name__}({self.inputs} -> {self.cell.name} {hidden} -> {self.outputs}, {self.size} genes)"

    # --- Genomes -----------------------------------------------------------------------------------

    def init(self, seed: int | None = None, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return a random genome (n,), from a seed or a generator."""
        if (seed is None) == (rng is None) or not (rng is None or isinstance(rng, np.random.Generator)):
            raise EvorrnError("init: expected either a seed or rng=Generator")
        return self.init_many(np.random.default_rng(check_seed(seed)) if rng is None else rng, 1)[0]

    def init_many(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` random genomes (count, n); drawn block by block, so not as one by one."""
        parts = []
        for block in self.layout:
            units = self.hidden[-1 if block.layer is None else block.layer]
            draw = INITIALISERS[self._initial[block.name]]
            drawn = draw(rng, count, self.blocks[block.name], units)
            parts.append(drawn.reshape(count, -1))
        return np.concatenate(parts, axis=1).astype(self.dtype)

    def unpack(self, genome: np.ndarray) -> dict[str, np.ndarray]:
        """Return named views of a genome (n,), or of anything that lies like one, such as a gradient."""
        array = np.asarray(genome)
        if array.shape != (self.size,):
            raise ShapeError(f"genome: expected shape ({self.size},), got {array.shape}")
        views, start = {}, 0
        for name, shape in self.blocks.items():
            stop = start + int(np.prod(shape))
            views[name] = array[start:stop].reshape(shape)
            start = stop
        return views

    def pack(self, blocks: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the genome (n,) of named blocks; the inverse of `unpack`."""
        problems = [unknown("block", name, self.blocks) for name in blocks if name not in self.blocks]
        for name, shape in self.blocks.items():
            if name not in blocks:
                problems.append(f"block {name!r} of shape {shape} is missing")
            elif np.shape(blocks[name]) != shape:
                problems.append(f"block {name!r}: expected shape {shape}, got {np.shape(blocks[name])}")
        if problems:
            raise ShapeError("\n".join(problems))
        parts = [np.asarray(blocks[name]).ravel() for name in self.blocks]
        kind = np.result_type(*parts)
        return np.concatenate(parts).astype(kind if kind.kind == "f" else self.dtype)

    def from_torch(self, state_dict: Mapping[str, Any]) -> np.ndarray:
        """Return the genome (n,) of a PyTorch state dict with ``rnn.*`` and ``readout.*``."""
        return self.pack(torch_weights.from_torch(self.cell, self.layout, self.blocks, state_dict)).astype(
            self.dtype
        )

    def to_torch(self, genome: np.ndarray) -> dict[str, np.ndarray]:
        """Return a genome, or a gradient, as arrays under PyTorch's names."""
        return torch_weights.to_torch(self.cell, self.layout, self.unpack(genome))


def _size_problems(given: Mapping[str, tuple[Any, ...]]) -> list[str]:
    """Return what is wrong with whole numbers that have to be at least 1, by name."""
    problems = [
        f"network.{name}: expected a whole number of at least 1, got {value!r}"
        for name, values in given.items()
        for value in values
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1
    ]
    return problems + ([] if given["hidden"] else ["network.hidden: expected at least one layer, got none"])


def _choice_problems(loss: str, dtype: str) -> list[str]:
    problems = []
    if loss not in losses():
        problems.append(f"network.loss: {unknown('loss', loss, losses())}")
    if dtype not in DTYPES:
        problems.append(f"network.dtype: {unknown('dtype', dtype, DTYPES)}")
    return problems


def _flag_problems(flags: Mapping[str, Any]) -> list[str]:
    return [
        f"network.{name}: expected true or false, got {flag!r}"
        for name, flag in flags.items()
        if not isinstance(flag, bool | np.bool_)
    ]


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"network.{name}: expected names with their values, got {value!r}")
    return value or {}
