"""The description of a network for the engine, common arguments and results of programs, and compiled modules."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple, TypeVar

import numpy as np

from evorrn.base.patience import patiently
from evorrn.compile.blocks import RECURRENT
from evorrn.compile.step import Step
from evorrn.engine.arguments import RESULTS
from evorrn.engine.inputs import Conditions
from evorrn.losses.base import Loss

T = TypeVar("T")


class Individuals(NamedTuple):
    """Genomes with their options and sizes: arguments that every program has.

    Attributes
    ----------
    genomes : ndarray, shape (P, n), or (n,) for gradients
    options : ndarray, shape (K,)
        Numeric options of the cell in the order of the program; one unused entry if there are none.
    sizes : ndarray of int64, shape (D,)
        Sizes of the symbolic dimensions.
    offsets : ndarray of int64, shape (blocks + 1,)
        Index of the first gene of each block, and n.
    """

    genomes: np.ndarray
    options: np.ndarray
    sizes: np.ndarray
    offsets: np.ndarray


class Results(NamedTuple):
    """Arrays that a forward program fills, in the axis order of its layout.

    Attributes
    ----------
    outputs, hidden : ndarray
        The time axis has length T, or 0 if the values are not needed.
    last_state : ndarray
        The state axis has length S, or 0 if the values are not needed.
    """

    outputs: np.ndarray
    hidden: np.ndarray
    last_state: np.ndarray

    def arguments(self) -> dict[str, np.ndarray]:
        """Return ``{name of the argument of a program: array}``."""
        return dict(zip(RESULTS, self))


@dataclass(frozen=True, eq=False)
class Form:
    """The description of a network from which the engine emits its programs.

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
        Name of the cell, for the names of files.
    title : str
        A description of the network, for the docstrings of emitted programs.
    feed : str
        The function of the loss's module that turns an output into the value that goes back into the network; empty
        when the output itself goes back.
    """

    step: Step
    sizes: dict[str, int]
    units: tuple[int, ...]
    dtype: np.dtype
    loss: Loss
    cell: str
    title: str
    feed: str = ""


class Model:
    """A network with everything that is needed to call its programs.

    Attributes
    ----------
    form : Form
    dtype : dtype
    outputs, hidden, state_size : int
        Number of outputs, of units that the readout sees, and of values in the state of a sequence.
    units : tuple of int
        Units of each layer.
    recurrent : tuple of str
        Names of the blocks that are recurrent matrices.
    sizes : dict of str to int
        Sizes of the symbolic dimensions.
    slices : dict of str to slice
        The genes of each block.
    label : str
        Name of the cell, for the names of files.
    """

    def __init__(self, form: Form) -> None:
        step, sizes = form.step, form.sizes
        self.form = form
        self.dtype = form.dtype
        self.outputs = sizes["O"]
        self.hidden = sizes[step.width]
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
        """Return genomes (P, n) or (n,) and the numeric options of the cell as arguments of programs."""
        values = [numbers[name] for name in self._options]
        return Individuals(genomes, np.array(values or [0.0], self.dtype), self._dimensions, self._offsets)

    def zero_individual(self) -> Individuals:
        """Return one genome (1, n) of zeros; a first call with it compiles a program."""
        genome = np.zeros((1, int(self._offsets[-1])), self.dtype)
        return self.individuals(genome, dict.fromkeys(self._options, 1.0))

    def one_step(self) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (1, 1, I) of zero and their length (1,); a first call with them compiles a program."""
        return np.zeros((1, 1, int(self._dimensions[0]))), np.ones(1, np.int64)

    def zero_conditions(self) -> Conditions:
        """Return the conditions of one sequence with a first state of zero; a first call with them compiles a program."""
        return Conditions(np.zeros((1, self.state_size), self.dtype))

    def width(self, series: str) -> int:
        """Return the number of values at a time step of ``"outputs"`` or ``"hidden"``."""
        return {"outputs": self.outputs, "hidden": self.hidden}[series]


class Modules:
    """Modules of programs, each compiled when it is first needed.

    Attributes
    ----------
    compile_seconds : float
        Seconds spent so far on compiling programs or loading them from the cache.
    """

    def __init__(self) -> None:
        self.compile_seconds = 0.0
        self._ready: dict[Hashable, ModuleType] = {}

    def timed(self, work: Callable[[], T]) -> T:
        """Return what a function returns, and add the time that it takes to `compile_seconds`; see `patiently`."""
        started = time.perf_counter()
        done = patiently(work)
        self.compile_seconds += time.perf_counter() - started
        return done

    def get(
        self, key: Hashable, make: Callable[[], ModuleType], call: Callable[[ModuleType], object]
    ) -> ModuleType:
        """Return the module with a key.

        Parameters
        ----------
        key : hashable
        make : callable
            Returns the module; called once.
        call : callable
            Runs the program of the module on minimal arguments; called once, after `make`. This compiles the program,
            so that later calls do not.
        """
        if key not in self._ready:
            self._ready[key] = self.timed(lambda: _called(make(), call))
        return self._ready[key]


def _called(module: ModuleType, call: Callable[[ModuleType], object]) -> ModuleType:
    call(module)
    return module
