"""What the programs of a network are made of and called with, and their modules once they are ready."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np

from evorrn.compile.blocks import RECURRENT
from evorrn.compile.step import Step
from evorrn.engine.arguments import RESULTS
from evorrn.engine.inputs import Conditions
from evorrn.losses.base import Loss


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

    def arguments(self) -> dict[str, np.ndarray]:
        """Return the results under the names of a program's arguments."""
        return dict(zip(RESULTS, self))


@dataclass(frozen=True, eq=False)
class Form:
    """What the engine needs to know of a network.

    Attributes
    ----------
    step : Step
        One time step as a graph.
    sizes : dict of str to int
        Sizes of the symbolic dimensions.
    units : tuple of int
        Units of each layer.
    dtype : dtype
    loss : Loss
    cell : str
        Name of the cell, for names of files.
    title : str
        What the network is, for readers of its emitted programs.
    """

    step: Step
    sizes: dict[str, int]
    units: tuple[int, ...]
    dtype: np.dtype
    loss: Loss
    cell: str
    title: str


class Model:
    """A network as its programs take it.

    Attributes
    ----------
    form : Form
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
    """

    def __init__(self, form: Form) -> None:
        step, sizes = form.step, form.sizes
        self.form = form
        self.dtype = form.dtype
        self.outputs = sizes["O"]
        self.hidden = form.units[-1]
        self.state_size = sum(sizes[dimension] for dimension in step.states.values())
        self.units = form.units
        self.sizes = sizes
        self.label = form.cell.replace("-", "_")
        self.recurrent = tuple(
            block.name for block in step.blocks if block.role == RECURRENT and len(block.shape) == 2
        )
        counts = [math.prod(sizes[dimension] for dimension in block.shape) for block in step.blocks]
        ends = np.cumsum([0, *counts])
        self.slices = {
            block.name: slice(int(start), int(stop))
            for block, start, stop in zip(step.blocks, ends[:-1], ends[1:])
        }
        self._options = list(step.options.values())
        self._dimensions = np.array([sizes[name] for name in step.dimensions], np.int64)
        self._offsets = ends.astype(np.int64)

    def individuals(self, genomes: np.ndarray, numbers: Mapping[str, float]) -> Individuals:
        """Return genomes (P, n) or (n,), with the numeric options of their cell, as programs take them."""
        values = [numbers[name] for name in self._options]
        return Individuals(genomes, np.array(values or [0.0], self.dtype), self._dimensions, self._offsets)

    def zero_individual(self) -> Individuals:
        """Return one individual (1, n) of zeros, with which programs are made ready."""
        genome = np.zeros((1, int(self._offsets[-1])), self.dtype)
        return self.individuals(genome, dict.fromkeys(self._options, 1.0))

    def one_step(self) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (1, 1, I) of zero and their length (1,), with which programs are made ready."""
        return np.zeros((1, 1, int(self._dimensions[0]))), np.ones(1, np.int64)

    def zero_conditions(self) -> Conditions:
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
