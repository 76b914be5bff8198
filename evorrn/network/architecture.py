"""The base class of `Network`: its settings, its time step, and its genomes, which are named blocks in one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from evorrn.base.errors import CellError, ConfigError, EvorrnError, ShapeError, unknown
from evorrn.base.memory import excess
from evorrn.base.settings import check_seed
from evorrn.cells.find import cell_reference, cells, find_cell
from evorrn.compile.cell import Cell, Options
from evorrn.compile.initial import INITIALISERS
from evorrn.compile.op import count_of, size_of
from evorrn.compile.step import Step, compose
from evorrn.engine.model import Settings
from evorrn.exchange import torch as torch_weights
from evorrn.losses.find import find_loss
from evorrn.network.initial import choose
from evorrn.network.settings import (
    NetworkSettings,
    checked_mapping,
    problems_of_fed_back,
    problems_of_settings,
)

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task


class Architecture(NetworkSettings):
    """The part of a `Network` that computes nothing: its settings, its time step, and its genomes.

    `Network` describes the parameters.

    Attributes
    ----------
    inputs, outputs : int
    cell : Cell
    hidden : tuple of int
        Units of each layer.
    loss_name : str
    loss_function : Loss
    direct, feedback, biases, learn_start : bool
    reads : str
    fed_back : str
        ``"output"``, ``"probability"`` or ``"bit"``.
    dtype : dtype
        Type of genomes, states and outputs.
    step : Step
        One time step of all layers and the readout, as a graph.
    layout : tuple of Block
        The blocks of a genome, in order.
    blocks : dict of str to tuple of int
        The shape of each block by name, in the order of the genome.

    Raises
    ------
    ConfigError
        When arguments are wrong; the error lists all of them.
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
        fed_back: str | None,
    ) -> None:
        inputs, outputs = self.inputs, self.outputs
        names = ("direct", "feedback", "biases", "learn_start")
        flags = {name: getattr(self, name) for name in names}
        sizes: tuple[Any, ...] = tuple(hidden) if isinstance(hidden, list | tuple | np.ndarray) else (hidden,)
        kind = str(getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype))
        named_sizes = {"inputs": (inputs,), "outputs": (outputs,), "hidden": sizes}
        problems = problems_of_settings(named_sizes, loss, kind, self.reads, flags)
        problems += problems_of_fed_back(loss, fed_back)
        options = None
        try:
            self.cell = find_cell(cell)
            options = self.cell.check_options(checked_mapping("cell_options", cell_options))
        except EvorrnError as error:
            problems.append(f"network.cell: {error}")
        if problems or options is None:
            raise ConfigError(problems)
        self.inputs, self.outputs = int(inputs), int(outputs)
        self.hidden = tuple(int(size) for size in sizes)
        self.loss_name = loss
        self.loss_function = find_loss(loss)
        self.fed_back: str = fed_back or self.loss_function.fed_back[0]
        self.direct, self.feedback, self.biases, self.learn_start = map(bool, flags.values())
        self.dtype = np.dtype(kind)
        self._reference = cell if isinstance(cell, str) and ".py:" not in cell else cell_reference(self.cell)
        self._options = options
        self.step: Step = self._composed(options)
        chained = [name for name in ("feedback", "learn_start") if self.step.arity and getattr(self, name)]
        if chained:
            raise ConfigError(
                [f"network.{name}: expected false, since linked steps have no last step" for name in chained]
            )
        self.layout = self.step.blocks
        self.blocks: dict[str, tuple[int, ...]] = {
            block.name: tuple(size_of(d, self.sizes) for d in block.shape) for block in self.layout
        }
        for what, count in (
            ("genome of {:.3g} genes", self.size),
            ("state of {:.3g} numbers", self.state_size),
        ):
            too_large = excess(count, self.dtype.itemsize)
            if too_large:
                raise ConfigError(f"network.hidden: a {what.format(count)} takes {too_large}")
        self._set_options(options)
        self._initial = choose(self.layout, checked_mapping("initial", initial))

    @classmethod
    def for_task(cls, task: Task | Environment, **settings: Any) -> Self:
        """Return a network with the sizes and the loss of a task or an environment.

        Parameters
        ----------
        task : Task or Environment
        **settings
            The other arguments of `Network`.

        Raises
        ------
        ConfigError
            When arguments are wrong, or the cell does not see as many predecessors as the steps of the task have.

        Examples
        --------
        >>> import evorrn
        >>> evorrn.Network.for_task(evorrn.task("mackey-glass"), cell="gru", hidden=16)
        Network(1 -> gru 16 -> 1, 897 genes)
        """
        made = cls(task.inputs, task.outputs, loss=task.loss, **settings)
        arity = getattr(task, "arity", 0)
        if made.step.arity != arity:
            fitting = [name for name, cell in cells().items() if len(cell.predecessors) == arity]
            shown = ", ".join(fitting[:6]) if arity else "elman, gru, lstm and other cells of a chain"
            raise ConfigError(
                f"network.cell: {task.name} links each step to {arity or 'no'} predecessors, of which cell {made.cell.name} "
                f"sees {made.step.arity or 'none'}; choose one of {shown}"
            )
        return made

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the network whose `settings` were given."""
        made = cls(**settings)
        return made if made.means(settings) else cls(**settings, fed_back="output")

    def means(self, settings: Mapping[str, Any]) -> bool:
        """Return whether stored settings mean this network; without `fed_back`, outputs go back as they are."""
        return "fed_back" in settings or self.fed_back == "output" or not self.step.feeds_back

    def settings(self) -> dict[str, Any]:
        """Return the keyword arguments that make this network again, as plain data.

        `biases` is left out when it is True, `reads` when it is ``"last"``, and `fed_back` when it is ``"output"``
        or when the network does not see its output and it is the default. Names of run folders are hashes of the
        settings, and runs made before these arguments existed keep their names.
        """
        earlier = "output" if self.step.feeds_back else self.loss_function.fed_back[0]
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
            **({} if self.reads == "last" else {"reads": self.reads}),
            **({"learn_start": True} if self.learn_start else {}),
            **({} if self.fed_back == earlier else {"fed_back": self.fed_back}),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make the network again in another process, for `pickle` and `copy`."""
        return type(self).from_settings, (self.settings(),)

    @property
    def cell_options(self) -> dict[str, Any]:
        """The options of the cell: numbers, and names of activations."""
        options = self._options
        return {**options.functions, **options.numbers, **options.sizes, **options.arrays}

    @property
    def fixed_arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of the equations that are not trained, by their names, such as ``"layer0.mask"``."""
        return self._settings.arrays

    def _composed(self, options: Options, noisy: bool = False) -> Step:
        """Return one time step; `noisy` says whether the noise of the cell is further input, or zero."""
        return compose(
            [self.cell] * len(self.hidden),
            [options.functions] * len(self.hidden),
            direct=self.direct,
            feedback=self.feedback,
            biases=self.biases,
            reads=self.reads,
            learn_start=self.learn_start,
            noisy=noisy,
        )

    def _set_options(self, options: Options) -> None:
        """Set the options of the cell, and the arrays that follow from these."""
        self._options = options
        arrays: dict[str, np.ndarray] = {}
        for layer, width in enumerate(self.hidden):
            before = self.step.signals[layer - 1] if layer else "I+O" if self.feedback else "I"
            letters = {"I": size_of(before, self.sizes), "H": width, "O": self.outputs, **options.sizes}
            try:
                made = self.cell.fixed_arrays(letters, options)
            except CellError as error:
                raise ConfigError(f"network.cell_options: {error}") from error
            silent = {
                name: np.zeros([size_of(d, letters) for d in shape])
                for name, shape in self.cell.noise.items()
            }
            arrays.update({f"layer{layer}.{name}": array for name, array in {**made, **silent}.items()})
        try:
            self.step.graph.check_slices(self.sizes)
            if self.step.prologue:
                self.step.prologue.graph.check_slices(self.sizes)
        except CellError as error:
            raise ConfigError(f"network.cell_options: cell {self.cell.name}: {error}") from error
        self._settings = Settings(options.numbers, arrays)

    @cached_property
    def size(self) -> int:
        """The number of genes of a genome, n."""
        return sum(math.prod(shape) for shape in self.blocks.values())

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each symbolic dimension by name."""
        return self._sizes_of(self.step)

    def _sizes_of(self, step: Step) -> dict[str, int]:
        given = {"I": self.inputs, "O": self.outputs}
        for layer, size in enumerate(self.hidden):
            given |= {f"H{layer}": size, **{f"{n}{layer}": count for n, count in self._options.sizes.items()}}
        for dimension in {d for node in step.graph.nodes for d in node.shape}:
            given.setdefault(dimension, size_of(dimension, given))
        return given

    @property
    def readout_width(self) -> int:
        """The number of units that the readout sees: those of the last layer, or of all layers."""
        return size_of(self.step.width, self.sizes)

    @property
    def last_width(self) -> int:
        """The length of the output of the last layer."""
        return size_of(self.step.signals[-1], self.sizes)

    @cached_property
    def state_size(self) -> int:
        """The number of values in the state of one sequence, S."""
        return sum(count_of(shape, self.sizes) for shape in self.step.states.values())

    @cached_property
    def first_state(self) -> np.ndarray:
        """The state of a sequence before its first time step, shape (S,)."""
        parts = [
            np.full(count_of(shape, self.sizes), self.step.start.get(name, 0.0))
            for name, shape in self.step.states.items()
        ]
        return np.concatenate(parts).astype(self.dtype)

    def __repr__(self) -> str:
        hidden = self.hidden[0] if len(self.hidden) == 1 else self.hidden
        return f"{type(self).__name__}({self.inputs} -> {self.cell.name} {hidden} -> {self.outputs}, {self.size} genes)"

    # --- Genomes -----------------------------------------------------------------------------------

    def init(self, seed: int | None = None, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return a random genome, shape (n,), from either a seed or a generator.

        Raises
        ------
        EvorrnError
            When both or neither are given.

        Examples
        --------
        >>> import evorrn
        >>> evorrn.Network(inputs=1, outputs=1, hidden=2).init(seed=0).shape
        (11,)
        """
        if (seed is None) == (rng is None) or not (rng is None or isinstance(rng, np.random.Generator)):
            raise EvorrnError("init: expected either a seed or rng=Generator")
        return self.init_many(np.random.default_rng(check_seed(seed)) if rng is None else rng, 1)[0]

    def init_many(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` random genomes, shape (count, n).

        Each block is drawn for all genomes at once. So the genomes differ from those of `count` calls of `init`.
        """
        parts = []
        for block in self.layout:
            units = self.readout_width if block.layer is None else self.hidden[block.layer]
            draw = INITIALISERS[self._initial[block.name]]
            drawn = draw(rng, count, self.blocks[block.name], units)
            parts.append(drawn.reshape(count, -1))
        return np.concatenate(parts, axis=1).astype(self.dtype)

    def unpack(self, genome: np.ndarray) -> dict[str, np.ndarray]:
        """Return the named blocks of a genome (n,), or of a gradient (n,), as views.

        Raises
        ------
        ShapeError
            When the array is not of shape (n,).

        Examples
        --------
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> blocks = network.unpack(network.init(seed=0))
        >>> {name: block.shape for name, block in blocks.items()}
        {'layer0.W_x': (2, 1), 'layer0.W_h': (2, 2), 'layer0.b': (2,), 'readout.W': (1, 2), 'readout.b': (1,)}
        """
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
        """Return the genome (n,) with the given blocks; the inverse of `unpack`.

        Raises
        ------
        ShapeError
            When blocks are missing, unknown or of a wrong shape; the error lists all of them.

        Examples
        --------
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> genome = network.init(seed=0)
        >>> bool((network.pack(network.unpack(genome)) == genome).all())
        True
        """
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
        """Return the genome (n,) with the weights of a PyTorch state dict of ``rnn.*`` and ``readout.*`` entries."""
        return self.pack(torch_weights.from_torch(self.cell, self.layout, self.blocks, state_dict)).astype(
            self.dtype
        )

    def to_torch(self, genome: np.ndarray) -> dict[str, np.ndarray]:
        """Return the weights of a genome (n,), or a gradient (n,), as arrays by PyTorch's names."""
        return torch_weights.to_torch(self.cell, self.layout, self.unpack(genome))
