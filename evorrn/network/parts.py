"""The parts of a network that are compiled each as a time step of its own: one for a plain stack, else one a pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evorrn.base.errors import CellError, ConfigError
from evorrn.compile.blocks import Block
from evorrn.compile.op import count_of, size_of
from evorrn.compile.step import Step, compose
from evorrn.engine.model import Settings
from evorrn.network.layers import Layer

WAYS = ("forward", "backward")
"""The passes of a bidirectional layer."""


@dataclass(frozen=True, eq=False)
class Part:
    """Layers, a readout, or both, as one time step.

    Attributes
    ----------
    step : Step
    layers : tuple of int
        Their numbers in the network.
    sizes : mapping of str to int
        The size of each symbolic dimension of the step.
    way : str
        ``"forward"`` or ``"backward"`` for a pass of a bidirectional layer, else empty.
    first, room : int
        Its output is the rows from `first` on of the `room` rows of its layer.
    """

    step: Step
    layers: tuple[int, ...]
    sizes: Mapping[str, int]
    way: str = ""
    first: int = 0
    room: int = 0

    @property
    def width(self) -> int:
        """The length of what it puts out without its readout."""
        return size_of(self.step.width, self.sizes)

    @property
    def last_width(self) -> int:
        """The length of the output of its last layer."""
        return size_of(self.step.signals[-1], self.sizes)

    @property
    def state_counts(self) -> dict[str, int]:
        """The number of values in each of its states of one sequence, by its name in the step."""
        return {name: count_of(shape, self.sizes) for name, shape in self.step.states.items()}

    @property
    def state_size(self) -> int:
        """The number of values in its state of one sequence."""
        return sum(self.state_counts.values())

    @property
    def first_state(self) -> np.ndarray:
        """Its state before the first time step, shape (S,), float64."""
        parts = [
            np.full(count_of(shape, self.sizes), self.step.start.get(name, 0.0))
            for name, shape in self.step.states.items()
        ]
        return np.concatenate([np.zeros(0), *parts])

    def blocks(self) -> Iterator[tuple[Block, tuple[int, ...]]]:
        """Yield its blocks as they are named in the network, with their shapes."""
        for block in self.step.blocks:
            layer = None if block.layer is None else self.layers[block.layer]
            place = f"layer{layer}.{self.way}" if self.way and layer is not None else ""
            shape = tuple(size_of(dimension, self.sizes) for dimension in block.shape)
            yield replace(block, layer=layer, place=place), shape

    def settings(self, layers: Sequence[Layer], feedback: bool = False) -> Settings:
        """Return the options and the fixed arrays of its layers, by their names in the step.

        With `feedback`, its first layer sees also the outputs.

        Raises
        ------
        ConfigError
            When an option does not fit the sizes of a cell.
        """
        numbers: dict[str, float] = {}
        arrays: dict[str, np.ndarray] = {}
        for own, number in enumerate(self.layers):
            layer = layers[number]
            before = self.step.signals[own - 1] if own else "I+O" if feedback else "I"
            letters = {"I": size_of(before, self.sizes), "H": layer.units, "O": self.sizes["O"]}
            try:
                made = layer.cell.fixed_arrays({**letters, **layer.options.sizes}, layer.options)
            except CellError as error:
                raise ConfigError(f"network.cell_options: {error}") from error
            shapes = layer.cell.noise.items()
            letters |= layer.options.sizes
            silent = {name: np.zeros([size_of(d, letters) for d in shape]) for name, shape in shapes}
            arrays.update({f"layer{own}.{name}": array for name, array in {**made, **silent}.items()})
            numbers.update({f"layer{own}.{name}": value for name, value in layer.options.numbers.items()})
        try:
            self.step.graph.check_slices(self.sizes)
            if self.step.prologue:
                self.step.prologue.graph.check_slices(self.sizes)
        except CellError as error:
            names = " and ".join(dict.fromkeys(layers[number].cell.name for number in self.layers))
            raise ConfigError(f"network.cell_options: cell {names}: {error}") from error
        return Settings(numbers, arrays)


def whole(layers: Sequence[Layer], inputs: int, outputs: int, **form: Any) -> Part:
    """Return all layers with their readout as one part; `form` is what `compose` takes."""
    cells, functions = [layer.cell for layer in layers], [layer.options.functions for layer in layers]
    return _part(compose(cells, functions, **form), layers, range(len(layers)), inputs, outputs)


def silent(layers: Sequence[Layer], inputs: int, *, ways: Sequence[str], **form: Any) -> list[list[Part]]:
    """Return layers without a readout: all in one part, or the passes of each layer where there are two `ways`.

    `form` has `biases` and `learn_start`, see `compose`.
    """
    if len(ways) > 1:
        return wired(layers, inputs, 1, ways=ways, times=1, reads="last", **form)[:-1]
    stack = whole(layers, inputs, 0, direct=False, feedback=False, reads="none", **form)
    return [[replace(stack, room=stack.width)]]


def wired(
    layers: Sequence[Layer],
    inputs: int,
    outputs: int,
    *,
    ways: Sequence[str],
    times: int,
    reads: str,
    biases: bool,
    learn_start: bool,
) -> list[list[Part]]:
    """Return the passes of each layer, one for each of the ways, and the readout of some `times` as the last entry."""
    found: list[list[Part]] = []
    width, seen = inputs, 0
    for number, layer in enumerate(layers):
        step = compose(
            [layer.cell],
            [layer.options.functions],
            direct=False,
            feedback=False,
            biases=biases,
            learn_start=learn_start,
            reads="none",
        )
        alike = _part(step, [layer], [number], width, 0)
        width = len(ways) * alike.width
        found.append(
            [replace(alike, way=way, first=k * alike.width, room=width) for k, way in enumerate(ways)]
        )
        seen = seen + width if reads == "all" else width
    readout = compose([], [], direct=False, feedback=False, biases=biases)
    return [*found, [_part(readout, [], [], times * seen, outputs)]]


def _part(step: Step, layers: Sequence[Layer], numbers: Sequence[int], inputs: int, outputs: int) -> Part:
    """Return a part; without outputs its output is that of its layers."""
    sizes = {"I": inputs, "O": outputs}
    for number, layer in enumerate(layers):
        sizes |= {f"H{number}": layer.units}
        sizes |= {f"{name}{number}": count for name, count in layer.options.sizes.items()}
    if not outputs:
        sizes["O"] = size_of(step.width, sizes)
    for dimension in {d for node in step.graph.nodes for d in node.shape}:
        sizes.setdefault(dimension, size_of(dimension, sizes))
    return Part(step, tuple(numbers), sizes)
