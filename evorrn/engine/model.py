"""What the programs of a network are made of and called with, and their modules once they are ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evorrn.losses.kernels import LOSSES
from evorrn.network.arguments import Conditions

if TYPE_CHECKING:
    from evorrn.network.network import Network


class Individuals(NamedTuple):
    """Who is run: the arguments that every program begins with.

    Attributes
    ----------
    genomes : ndarray, shape (P, n), or (n,) for gradients
    options : ndarray, shape (K,)
        Numeric options of the cell in the order of the program, at least one entry.
    sizes : ndarray of int64, shape (D,)
        Sizes of the symbolic dimensions.
    offsets : ndarray of int64, shape (blocks + 1,)
        Where each block of a genome begins, and the end.
    """

    genomes: np.ndarray
    options: np.ndarray
    sizes: np.ndarray
    offsets: np.ndarray


class Results(NamedTuple):
    """What a forward program fills, in the axes of its layout.

    Attributes
    ----------
    outputs, hidden : ndarray
        One entry a time step, or no time step at all where they are not wanted.
    last_state : ndarray
        S numbers a sequence, or none.
    """

    outputs: np.ndarray
    hidden: np.ndarray
    last_state: np.ndarray


class Model:
    """What programs need to know of a network.

    Attributes
    ----------
    dtype : dtype
    outputs, hidden, state_size : int
        Numbers at a time step: outputs, units of the last layer, and the state.
    units : tuple of int
        Units of each layer.
    recurrent : tuple of str
        Blocks that are recurrent matrices.
    sizes : dict of str to int
        Sizes of the symbolic dimensions.
    slices : dict of str to slice
        Where each block lies in a genome.
    label : str
        The cell's name, for names of files.
    emitted : tuple
        What emitters of programs over batches are made from: step, title, dtype, loss.
    """

    def __init__(self, network: Network) -> None:
        self.dtype = network.dtype
        self.outputs = network.outputs
        self.hidden = network.hidden[-1]
        self.state_size = network.state_size
        self.units = network.hidden
        self.sizes = network.sizes
        self.label = network.cell.name.replace("-", "_")
        names = [f"layer{k}.{name}" for k in range(len(network.hidden)) for name in network.cell.recurrent]
        self.recurrent = tuple(name for name in names if len(network.blocks[name]) == 2)
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in network.blocks.values())])
        self.slices = {
            name: slice(int(start), int(stop))
            for name, start, stop in zip(network.blocks, ends[:-1], ends[1:])
        }
        kind = "direct " * network.direct + "feedback " * network.feedback
        title = (
            f"{kind}{network.cell.name} x {len(network.hidden)}, {network.loss_name}, {network.dtype.name}"
        )
        loss = LOSSES.get(network.loss_name, "mse")  # programs without targets use none
        self.emitted = (network.step, title, network.dtype.name, loss)
        self._options = [name.split(".", 1)[1] for name in network.step.options]
        self._dimensions = np.array([network.sizes[name] for name in network.step.dimensions], np.int64)
        self._offsets = ends.astype(np.int64)

    def individuals(self, genomes: np.ndarray, numbers: Mapping[str, float]) -> Individuals:
        """Return genomes (P, n) or (n,), with the numeric options of their cell, as programs take them."""
        values = [numbers[name] for name in self._options]
        return Individuals(genomes, np.array(values or [0.0], self.dtype), self._dimensions, self._offsets)

    def nobody(self) -> Individuals:
        """Return one individual (1, n) of zeros, with which programs are made ready."""
        genome = np.zeros((1, int(self._offsets[-1])), self.dtype)
        return self.individuals(genome, dict.fromkeys(self._options, 1.0))

    def one_step(self) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (1, 1, I) of zero and their length (1,), with which programs are made ready."""
        return np.zeros((1, 1, int(self._dimensions[0]))), np.ones(1, np.int64)

    def at_rest(self) -> Conditions:
        """Return the conditions of one sequence that begins at zero, with which programs are made ready."""
        return Conditions(np.zeros((1, self.state_size), self.dtype))

    def width(self, series: str) -> int:
        """Return the numbers at a time step of a series, ``"outputs"`` or ``"hidden"``."""
        return {"outputs": self.outputs, "hidden": self.hidden}[series]


class Modules:
    """Modules of programs, each made ready when first asked for; that time counts as compiling.

    Attributes
    ----------
    compile_seconds : float
        Time spent so far.
    """

    def __init__(self) -> None:
        self.compile_seconds = 0.0
        self._ready: dict[Hashable, ModuleType] = {}

    def get(
        self, key: Hashable, make: Callable[[], ModuleType], call: Callable[[ModuleType], object]
    ) -> ModuleType:
        """Return the module of a key.

        Parameters
        ----------
        key : hashable
        make : callable
            Makes the module, when there is none yet.
        call : callable
            Calls its program on next to nothing, so that compiling is not timed as running.
        """
        if key not in self._ready:
            started = time.perf_counter()
            module = make()
            call(module)
            self._ready[key] = module
            self.compile_seconds += time.perf_counter() - started
        return self._ready[key]
