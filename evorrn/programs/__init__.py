"""The compiled programs of a network: forward along lanes or rows, chosen by sizes, and the gradient.

`Lanes` makes the sequences of a batch the vector axis, `Rows` the units of a layer, `Gradient` is the
adjoint along lanes. What all are made of and called with is a `Model` of the network.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from evorrn.compile.lanes_gradient import GradientEmitter
from evorrn.kernels import threads
from evorrn.programs.gradient import Gradient
from evorrn.programs.lanes import Lanes
from evorrn.programs.model import Model, Modules
from evorrn.programs.rows import Rows

if TYPE_CHECKING:
    from evorrn.arguments import Conditions, Sequences
    from evorrn.batch import Batch
    from evorrn.network import Network


class Programs:
    """What runs a network; private to `Network`.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._model = Model(network)
        self._modules = Modules()
        emitter = GradientEmitter(*self._model.emitted)
        self.lanes = Lanes(self._model, self._modules, emitter)
        self.rows = Rows(self._model, self._modules)
        self.gradients = Gradient(self._model, self._modules, emitter)

    def run(
        self, genome: np.ndarray, numbers: Mapping[str, float], shown: Sequences, want: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what is wanted of one genome (B, T, K), zero beyond the lengths, and the last state (B, S).

        Parameters
        ----------
        genome : ndarray, shape (n,)
        numbers : mapping
            Numeric options of the cell.
        shown : Sequences
        want : str
            ``"outputs"``, or ``"hidden"`` for the output of the last layer.
        """
        individual = self._model.individuals(genome[None], numbers)
        layout = self.rows if self.rows.suit(genome, len(shown.x)) else self.lanes
        values, ends = layout.run(individual, shown, want)
        values[np.arange(shown.x.shape[1])[None, :] >= shown.lengths[:, None]] = 0
        return values, ends

    def hidden_states(
        self, genomes: np.ndarray, numbers: Mapping[str, float], shown: Sequences
    ) -> np.ndarray:
        """Return the hidden states (P, B, T, H) of every genome.

        Genomes share the threads where a single one would leave all but one of them idle.
        """
        states = np.empty((len(genomes), *shown.x.shape[:2], self._model.hidden), self._model.dtype)

        def one(index: int) -> None:
            states[index], _ = self.run(genomes[index], numbers, shown, "hidden")

        one(0)  # compiles, where that has not been done yet
        rest = [functools.partial(one, index) for index in range(1, len(genomes))]
        layout = self.rows if self.rows.suit(genomes[0], len(shown.x)) else self.lanes
        if layout.jobs(genomes[0], len(shown.x)) == 1:
            threads.together(rest)
        else:
            for task in rest:
                task()
        return states

    def loss_sums(
        self,
        genomes: np.ndarray,
        numbers: Mapping[str, float],
        batch: Batch,
        conditions: Conditions,
        sparse: bool,
    ) -> np.ndarray:
        """Return the summed loss of every genome on every sequence, shape (P, B), float64.

        With `sparse` one genome alone may be run through its entries that are not zero, which adds in
        another order than a population does.
        """
        individuals = self._model.individuals(genomes, numbers)
        blocks = self.rows.sparse_blocks(genomes[0], batch.size) if sparse else frozenset()
        if not blocks and not self.rows.fit(batch.size):
            return self.lanes.losses(individuals, batch, conditions)
        return self.rows.losses(individuals, batch, conditions, blocks)

    def gradient(
        self,
        genome: np.ndarray,
        numbers: Mapping[str, float],
        batch: Batch,
        conditions: Conditions,
        scale: float,
    ) -> tuple[float, np.ndarray]:
        """Return the summed loss and the gradient of ``scale`` times it."""
        return self.gradients.of_loss(self._model.individuals(genome, numbers), batch, conditions, scale)

    def vjp(
        self, genome: np.ndarray, numbers: Mapping[str, float], shown: Sequences, output_gradient: np.ndarray
    ) -> np.ndarray:
        """Return the gradient of a function of the outputs from its gradient there."""
        return self.gradients.of_outputs(self._model.individuals(genome, numbers), shown, output_gradient)

    def saved_work(self, genome: np.ndarray) -> int:
        """Return the multiply-adds of a time step that the zeros of sparse blocks save."""
        return self.rows.saved_work(genome)

    def source(self) -> str:
        """Return the emitted source of all programs, one after the other."""
        return "\n\n".join((self.lanes.source(), self.gradients.source(), self.rows.source()))

    @property
    def compile_seconds(self) -> float:
        """Time spent so far on making programs ready."""
        return self._modules.compile_seconds
