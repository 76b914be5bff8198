"""The base class of `Network`: its settings, its time step, and its genomes, which are named blocks in one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.memory import excess
from evorrn.compile.blocks import OTHER, Block
from evorrn.compile.cell import Cell
from evorrn.compile.step import Step
from evorrn.engine.pooling import Pool, samples
from evorrn.losses.find import find_loss, reference_of
from evorrn.network import parts
from evorrn.network.initial import choose
from evorrn.network.layers import Layer, chosen, listed, once_or_listed, plain
from evorrn.network.settings import (
    NetworkSettings,
    checked_mapping,
    problems_of_fed_back,
    problems_of_settings,
)
from evorrn.network.wired import problems_of_links, problems_of_wiring


class Architecture(NetworkSettings):
    """The part of a `Network` that computes nothing: its settings, its time step, and its genomes.

    `Network` describes the parameters.

    Attributes
    ----------
    inputs, outputs : int
    cell : Cell
        The cell of the first layer.
    cells : tuple of Cell
        The cell of each layer.
    hidden : tuple of int
        Units of each layer.
    loss_name : str
    loss_function : Loss
    direct, feedback, biases, learn_start, bidirectional : bool
    reads : str
    fed_back : str
        ``"output"``, ``"probability"`` or ``"bit"``.
    dtype : dtype
        Type of genomes, states and outputs.
    parts : list of list of Part
        What is compiled as a time step of its own: all in one, or the passes of each layer, then the readout.
    layout : tuple of Block
        The blocks of a genome, in order.
    blocks : dict of str to tuple of int
        The shape of each block by name, in the order of the genome.

    Raises
    ------
    ConfigError
        When arguments are wrong; the error lists all of them.
    """

    hidden: tuple[int, ...]
    dtype: np.dtype

    def __post_init__(
        self,
        cell: str | Cell | Sequence[str | Cell],
        hidden: int | Sequence[int],
        cell_options: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
        loss: str,
        dtype: str | np.dtype | type,
        initial: Mapping[str, str | float] | None,
        fed_back: str | None,
    ) -> None:
        inputs, outputs = self.inputs, self.outputs
        names = ("direct", "feedback", "biases", "learn_start", "bidirectional")
        flags = {name: getattr(self, name) for name in names}
        given_sizes = listed(hidden)
        sizes: tuple[Any, ...] = (hidden,) if given_sizes is None else given_sizes
        kind = str(getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype))
        named_sizes = {"inputs": (inputs,), "outputs": (outputs,), "hidden": sizes}
        problems = problems_of_settings(named_sizes, loss, kind, self.reads, flags)
        problems += problems_of_fed_back(loss, fed_back)
        layers, of_cells = chosen(cell, cell_options, sizes if not problems else (1,) * len(sizes))
        problems += of_cells
        if not problems:
            problems = problems_of_wiring(self, layers, loss) + problems_of_links(flags, layers)
        if problems:
            raise ConfigError(problems)
        self.inputs, self.outputs = int(inputs), int(outputs)
        self.hidden = tuple(layer.units for layer in layers)
        self._layers = layers
        self.loss_function = find_loss(loss)
        self.loss_name = reference_of(self.loss_function)
        self.fed_back: str = fed_back or self.loss_function.fed_back[0]
        for name, flag in flags.items():
            setattr(self, name, bool(flag))
        self.dtype = np.dtype(kind)
        self.parts: list[list[parts.Part]] = self._divided()
        table = Block(None, "W", ("I", "E"), OTHER, "uniform", "embedding")
        named: list[tuple[Block, tuple[int, ...]]] = []
        named += [(table, (self.inputs, self.embedding))] if self.embedding else []
        named += [pair for layer in self.parts for part in layer for pair in part.blocks()]
        self.layout = tuple(block for block, _ in named)
        self.blocks: dict[str, tuple[int, ...]] = {block.name: shape for block, shape in named}
        for what, count in (
            ("genome of {:.3g} genes", self.size),
            ("state of {:.3g} numbers", self.state_size),
        ):
            too_large = excess(count, self.dtype.itemsize)
            if too_large:
                raise ConfigError(f"network.hidden: a {what.format(count)} takes {too_large}")
        self._set_layers(layers)
        self._initial = choose(self.layout, checked_mapping("initial", initial))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the network whose `settings` were given."""
        made = cls(**settings)
        return made if made.means(settings) else cls(**settings, fed_back="output")

    def means(self, settings: Mapping[str, Any]) -> bool:
        """Return whether stored settings mean this network; without `fed_back`, outputs go back as they are."""
        return "fed_back" in settings or self.fed_back == "output" or not self.feeds_back

    def settings(self) -> dict[str, Any]:
        """Return the keyword arguments that make this network again, as plain data.

        `biases` is left out when it is True, `reads` when it is ``"last"``, and `fed_back` when it is ``"output"``
        or when the network does not see its output and it is the default. Names of run folders are hashes of the
        settings, and runs made before these arguments existed keep their names.
        """
        earlier = "output" if self.feeds_back else self.loss_function.fed_back[0]
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "cell": once_or_listed([layer.reference for layer in self._layers]),
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
            **({"bidirectional": True} if self.bidirectional else {}),
            **({"embedding": self.embedding} if self.embedding else {}),
            **({} if self.readout == "every" else {"readout": self.readout}),
            **({"context": self.context} if self.context else {}),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make the network again in another process, for `pickle` and `copy`."""
        return type(self).from_settings, (self.settings(),)

    @property
    def cell(self) -> Cell:
        """The cell of the first layer."""
        return self._layers[0].cell

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cell of each layer."""
        return tuple(layer.cell for layer in self._layers)

    @property
    def cell_name(self) -> str:
        """The name of the cell; names joined by ``+`` where the layers have different ones."""
        return "+".join([self.cell.name] if len(set(self.cells)) == 1 else [cell.name for cell in self.cells])

    @property
    def cell_options(self) -> Any:
        """The options of the cell, numbers and names of activations; a list of one entry a layer where they differ."""
        if len(set(self.cells)) > 1:
            return [plain(layer.options) for layer in self._layers]
        return once_or_listed([plain(layer.options) for layer in self._layers])

    @property
    def uniform(self) -> bool:
        """Whether all layers have one cell with the same options and run in one direction."""
        return not self.wired and isinstance(self.cell_options, dict)

    @property
    def wiring(self) -> str:
        """The arguments that make the network more than one time step."""
        given = (
            "bidirectional=True" * self.bidirectional,
            f"embedding={self.embedding}" * bool(self.embedding),
            f'readout="{self.readout}"' * (self.readout != "every"),
        )
        return " and ".join(filter(None, given))

    def options_of(self, layer: int) -> dict[str, Any]:
        """Return the options of the cell of a layer."""
        return plain(self._layers[layer].options)

    @property
    def numbers(self) -> Mapping[str, float]:
        """The numeric options of the cells by their names in `step`, such as ``"layer0.leak"``."""
        return self._only_part.settings(self._layers, self.feedback).numbers

    @property
    def fixed_arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of the equations that are not trained, by their names, such as ``"layer0.mask"``."""
        found = {}
        every = self._settings if self.wired else [self._settings]
        for part, settings in zip(self._every_part, every):
            for name, array in settings.arrays.items():
                layer, _, own = name.partition(".")
                number = part.layers[int(layer.removeprefix("layer"))]
                found[f"layer{number}.{part.way}{'.' * bool(part.way)}{own}"] = array
        return found

    def _set_layers(self, layers: Sequence[Layer]) -> None:
        """Set the layers, and what follows from the options of their cells."""
        self._layers = list(layers)
        found = [part.settings(layers, self.feedback) for part in self._every_part]
        self._settings: Any = found if self.wired else found[0]

    # --- Parts -------------------------------------------------------------------------------------

    def _divided(self, noisy: bool = False) -> list[list[parts.Part]]:
        """Return the parts; `noisy` says whether the noise of the cells is further input, or zero."""
        names = ("biases", "learn_start", "reads")
        form: dict[str, Any] = {name: getattr(self, name) for name in names}
        sizes = self.embedding or self.inputs, self.outputs
        if self.bidirectional or self.readout != "every":
            ways = parts.WAYS if self.bidirectional else ("",)
            return parts.wired(self._layers, *sizes, ways=ways, times=samples(self.readout), **form)
        form |= {"direct": self.direct, "feedback": self.feedback, "noisy": noisy}
        return [[parts.whole(self._layers, *sizes, **form)]]

    @property
    def _every_part(self) -> list[parts.Part]:
        return [part for layer in self.parts for part in layer]

    @property
    def causal(self) -> bool:
        """Whether an output depends on inputs up to its own time step alone, so that a run can be cut in two."""
        return not self.bidirectional and self.readout == "every"

    @property
    def wired(self) -> bool:
        """Whether the network is more than one time step with a readout: of several passes, or with an embedding."""
        return len(self.parts) > 1 or self.embedding > 0

    @cached_property
    def pool(self) -> Pool | None:
        """What the readout sees of a whole sequence; None for a readout at every time step."""
        if self.readout == "every":
            return None
        read = self.parts[:-1] if self.reads == "all" else self.parts[-2:-1]
        ways = [part.way == parts.WAYS[1] for layer in read for part in layer for _ in range(part.width)]
        return Pool(self.readout, tuple(ways))

    @property
    def arity(self) -> int:
        """How many predecessors a step sees; 0 where each step follows the last one."""
        return self.parts[0][0].step.arity

    @property
    def feeds_back(self) -> bool:
        """Whether the network sees its previous output."""
        return any(part.step.feeds_back for part in self._every_part)

    @property
    def step(self) -> Step:
        """One time step of all layers and the readout, as a graph.

        Raises
        ------
        ConfigError
            When the network has no such time step.
        """
        return self._only_part.step

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each symbolic dimension of `step` by name."""
        return dict(self._only_part.sizes)

    @property
    def _only_part(self) -> parts.Part:
        if self.wired:
            raise ConfigError(
                f"this needs a network with one time step and a readout there, got one with {self.wiring}; "
                f"make it without {self.wiring}"
            )
        return self.parts[0][0]

    @cached_property
    def size(self) -> int:
        """The number of genes of a genome, n."""
        return sum(math.prod(shape) for shape in self.blocks.values())

    @property
    def readout_width(self) -> int:
        """The number of units that the readout sees: those of the last layer, or of all layers."""
        return self.parts[-1][0].width

    @property
    def last_width(self) -> int:
        """The length of the output of the last layer."""
        return self.parts[-2][0].room if len(self.parts) > 1 else self.parts[0][0].last_width

    @cached_property
    def state_size(self) -> int:
        """The number of values in the state of one sequence, S."""
        return sum(part.state_size for part in self._every_part)

    @cached_property
    def first_state(self) -> np.ndarray:
        """The state of a sequence before its first time step, shape (S,)."""
        return np.concatenate([part.first_state for part in self._every_part]).astype(self.dtype)

    def __repr__(self) -> str:
        hidden = self.hidden[0] if len(self.hidden) == 1 else self.hidden
        cell = "bidirectional " * self.bidirectional + self.cell_name
        read = "" if self.readout == "every" else f" {self.readout}"
        cell = f"context {self.context} -> {cell}" if self.context else cell
        cell = f"embedding {self.embedding} -> {cell}" if self.embedding else cell
        return f"{type(self).__name__}({self.inputs} -> {cell} {hidden}{read} -> {self.outputs}, {self.size} genes)"
