"""The description of a network for the engine, common arguments and results of programs, and compiled modules."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple, TypeVar

import numpy as np

from evorrn.base.patience import collecting_nothing, patiently
from evorrn.compile.blocks import RECURRENT
from evorrn.compile.op import Shape, count_of, size_of
from evorrn.compile.step import Step
from evorrn.engine.arguments import RESULTS
from evorrn.engine.inputs import Conditions
from evorrn.losses.base import Loss

T = TypeVar("T")


class Settings(NamedTuple):
    """What a network's cells are given besides genomes.

    Attributes
    ----------
    numbers : mapping of str to float
        The numeric options by their names in the step, such as ``"layer0.leak"``.
    arrays : mapping of str to ndarray
        The arrays that are not trained, by their names in the step.
    """

    numbers: Mapping[str, float]
    arrays: Mapping[str, np.ndarray]


class Individuals(NamedTuple):
    """Genomes with their options and sizes: arguments that every program has.

    Attributes
    ----------
    genomes : ndarray, shape (P, N), or (N,) for gradients
        The genes, and the weights that follow from these.
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
    backward : bool
        Whether the steps run from the last one of each sequence to the first.
    """

    step: Step
    sizes: dict[str, int]
    units: tuple[int, ...]
    dtype: np.dtype
    loss: Loss
    cell: str
    title: str
    feed: str = ""
    backward: bool = False


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
        self.hidden = size_of(step.width, sizes)
        self.state_size = sum(count_of(shape, sizes) for shape in step.states.values())
        self.units = form.units
        self.sizes = sizes
        self.label = form.cell.replace("-", "_")
        self.recurrent = tuple(
            block.name for block in step.blocks if block.role == RECURRENT and len(block.shape) == 2
        )
        counts = [count_of(shape, sizes) for shape in step.weights.values()]
        ends = np.cumsum([0, *counts])
        self.slices = {
            name: slice(int(start), int(stop)) for name, start, stop in zip(step.weights, ends[:-1], ends[1:])
        }
        self._genes = sum(count_of(block.shape, sizes) for block in step.blocks)
        self._options = list(step.options)
        self._dimensions = np.array([sizes[name] for name in step.dimensions], np.int64)
        self._offsets = ends.astype(np.int64)

    @property
    def weights_size(self) -> int:
        """The number of all weights, N: the genes, and what follows from these."""
        return int(self._offsets[-1])

    def individuals(self, genomes: np.ndarray, settings: Settings) -> Individuals:
        """Return genomes (P, n) or (n,) with the weights that follow from them, and the numeric options of the cell."""
        values = [settings.numbers[name] for name in self._options]
        options = np.array(values or [0.0], self.dtype)
        weights = genomes
        if self._genes < int(self._offsets[-1]):
            weights = self._with_derived(np.atleast_2d(genomes), settings)
            weights = weights if genomes.ndim == 2 else weights[0]
        return Individuals(weights, options, self._dimensions, self._offsets)

    def weights(self, genome: np.ndarray, settings: Settings) -> dict[str, np.ndarray]:
        """Return all weights of a genome (n,) by name: its blocks, derived weights, arrays that are not trained."""
        whole = self.individuals(genome, settings).genomes
        return {
            name: whole[self.slices[name]].reshape(self._shape(shape))
            for name, shape in self.form.step.weights.items()
        }

    def of_genes(self, genome: np.ndarray, settings: Settings, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient with respect to a genome (n,), from that with respect to all weights (N,)."""
        prologue = self.form.step.prologue
        if prologue is None:
            return gradient[: self._genes]
        blocks = {name: block[0] for name, block in self._blocks(genome[None]).items()}
        given = {
            name: gradient[self.slices[name]].reshape(self._shape(shape))
            for name, shape in prologue.shapes.items()
        }
        found = prologue.backward(blocks, self._others(settings), given)
        whole = np.array(gradient[: self._genes])
        for name, value in found.items():
            whole[self.slices[name]] += np.asarray(value, self.dtype).ravel()
        return whole

    def _with_derived(self, genomes: np.ndarray, settings: Settings) -> np.ndarray:
        """Return genomes (P, n) followed by derived weights and arrays that are not trained, (P, N)."""
        weights = np.empty((len(genomes), int(self._offsets[-1])), self.dtype)
        weights[:, : self._genes] = genomes
        prologue, others = self.form.step.prologue, self._others(settings)
        derived = prologue.forward(self._blocks(genomes), others) if prologue else {}
        for name, place in self.slices.items():
            if name not in self.form.step.parameters:
                value = derived[name].reshape(len(genomes), -1) if name in derived else np.ravel(others[name])
                weights[:, place] = value
        return weights

    def _blocks(self, genomes: np.ndarray) -> dict[str, np.ndarray]:
        return {
            block.name: genomes[:, self.slices[block.name]].reshape(len(genomes), *self._shape(block.shape))
            for block in self.form.step.blocks
        }

    def _others(self, settings: Settings) -> dict[str, np.ndarray | float]:
        """Return the arrays that are not trained, and the options by their names in the step, in the dtype."""
        options = {name: self.dtype.type(settings.numbers[name]) for name in self.form.step.options}
        return {**options, **{name: array.astype(self.dtype) for name, array in settings.arrays.items()}}

    def _shape(self, shape: Shape) -> tuple[int, ...]:
        return tuple(size_of(dimension, self.sizes) for dimension in shape)

    def zero_individual(self) -> Individuals:
        """Return one genome (1, n) of zeros; a first call with it compiles a program."""
        genome = np.zeros((1, int(self._offsets[-1])), self.dtype)
        options = np.ones(max(1, len(self._options)), self.dtype)
        return Individuals(genome, options, self._dimensions, self._offsets)

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
        """Return what a function returns, and add the time that it takes to `compile_seconds`; see `patiently`.

        Meanwhile no garbage is collected: the collector would look through the many objects of a compiler again and again.
        """
        from evorrn.kernels.compile_time import compiling

        started = time.perf_counter()
        with collecting_nothing(), compiling():
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
