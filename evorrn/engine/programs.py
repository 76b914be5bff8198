"""The listings and programs of a network: the forward pass in two layouts, of which the sizes choose one, and the gradient.

The vector axis of `Lanes` and `Gradient` holds the sequences of a batch, that of `Rows` the units of a layer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from evorrn.engine.influence.along import along
from evorrn.engine.influence.groups import Carried
from evorrn.engine.influence.jacobians import Learned, Scored, StepJacobians
from evorrn.engine.influence.programmed import Programmed
from evorrn.engine.influence.stepper import Stepper
from evorrn.engine.influence.steps import Steps
from evorrn.engine.lanes.gradient import Gradient
from evorrn.engine.lanes.run import Lanes
from evorrn.engine.levels.run import Linked
from evorrn.engine.model import Form, Model, Modules, Settings
from evorrn.engine.rows.run import Rows
from evorrn.kernels import threads

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.engine.inputs import Conditions, Sequences


class Programs:
    """Runs a network forward and backward; used only by `Network`.

    Parameters
    ----------
    form : Form
    modules : Modules
        Stores the compiled programs and the time that compiling took.
    """

    def __init__(self, form: Form, modules: Modules) -> None:
        self._model, self._modules = Model(form), modules
        self._along: dict[tuple[int | None, bool], Programmed | None] = {}
        self.lanes = Lanes(self._model, modules)
        self.rows = Rows(self._model, modules)
        self.gradients = Gradient(self._model, modules)
        self.steps = Steps(self._model, modules)
        self.steps_with_inputs = Steps(self._model, modules, inputs=True)
        self.linked = Linked(self._model, modules) if form.step.arity else None

    def weights(self, genome: np.ndarray, settings: Settings) -> dict[str, np.ndarray]:
        """Return all weights of a genome (n,) by their names in the time step, see `Model.weights`."""
        return self._model.weights(genome, settings)

    def run(
        self, genome: np.ndarray, settings: Settings, shown: Sequences, want: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run one genome over sequences.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        settings : Settings
        shown : Sequences
        want : str
            ``"outputs"``, or ``"hidden"`` for the units that the readout sees.

        Returns
        -------
        values : ndarray, shape (B, T, K)
            The outputs or the units that the readout sees; zero beyond the length of a sequence.
        last_state : ndarray, shape (B, S)
            The state after the last step of each sequence; of linked steps, which have no last state, none.
        """
        individual = self._model.individuals(genome[None], settings)
        if self.linked:
            return self.linked.run(individual, shown, want), shown.conditions.state
        layout = self.rows if self.rows.suit(genome, len(shown.x)) else self.lanes
        values, ends = layout.run(individual, shown, want)
        values[np.arange(shown.x.shape[1])[None, :] >= shown.lengths[:, None]] = 0
        return values, ends

    def series(self, genomes: np.ndarray, settings: Settings, shown: Sequences, want: str) -> np.ndarray:
        """Return the same values, shape (P, B, T, K), for each genome (P, n).

        If the pass of one genome uses only one thread, several genomes run at the same time.
        """
        states = np.empty((len(genomes), *shown.x.shape[:2], self._model.width(want)), self._model.dtype)

        def one(index: int) -> None:
            states[index], _ = self.run(genomes[index], settings, shown, want)

        one(0)  # the first call compiles
        if self.linked:
            for index in range(1, len(genomes)):
                one(index)
            return states
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
        settings: Settings,
        batch: Batch,
        conditions: Conditions,
        sparse: bool,
    ) -> np.ndarray:
        """Return the sum of the loss of each genome over each sequence, shape (P, B), float64.

        With `sparse`, the recurrent matrices of a single genome may run as sparse matrices. Their sums are added in
        another order, so results may differ in the last bits from those of a population.
        """
        individuals = self._model.individuals(genomes, settings)
        if self.linked:
            return self.linked.losses(individuals, batch)
        blocks = self.rows.sparse_blocks(genomes[0], batch.size) if sparse else frozenset()
        if not blocks and not self.rows.fit(batch.size):
            return self.lanes.losses(individuals, batch, conditions)
        return self.rows.losses(individuals, batch, conditions, blocks)

    def gradient(
        self,
        genome: np.ndarray,
        settings: Settings,
        batch: Batch,
        conditions: Conditions,
        scale: float,
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the sum of the loss of a genome (n,) over a batch, and the gradient (n,) of ``scale`` times this sum.

        The third result is the state (B, S) after the last step of each sequence.
        """
        individual = self._model.individuals(genome, settings)
        if self.linked:
            loss, gradient = self.linked.of_loss(individual, batch, scale)
            return loss, self._model.of_genes(genome, settings, gradient), conditions.state
        loss, gradient, last = self.gradients.of_loss(individual, batch, conditions, scale)
        return loss, self._model.of_genes(genome, settings, gradient), last

    def vjp(
        self, genome: np.ndarray, settings: Settings, shown: Sequences, output_gradient: np.ndarray
    ) -> np.ndarray:
        """Return the gradient (n,) of a function of the outputs, from its gradient (B, T, O) with respect to these."""
        individual = self._model.individuals(genome, settings)
        gradients = self.linked or self.gradients
        gradient = gradients.of_outputs(individual, shown, output_gradient)
        return self._model.of_genes(genome, settings, gradient)

    def step_jacobians(
        self,
        genome: np.ndarray,
        settings: Settings,
        shown: Sequences,
        loss: Scored | None = None,
        inputs: bool = False,
    ) -> StepJacobians:
        """Return the time steps of a genome (n,) along sequences with their derivatives and those of the loss.

        With `inputs` these are also the derivatives with respect to the inputs.
        """
        steps = self.steps_with_inputs if inputs else self.steps
        return steps.along(self._model.individuals(genome, settings), shown, loss)

    def along(self, order: int | None, own: bool) -> Programmed | None:
        """Return the program that learns forward in time with an influence, see `Influence`, or None where there is none."""
        if (order, own) not in self._along:
            self._along[order, own] = along(self._model, self._modules, self.steps, order, own)
        return self._along[order, own]

    def learn(
        self,
        program: Programmed,
        genome: np.ndarray,
        settings: Settings,
        shown: Sequences,
        scored: Scored,
        carried: Carried,
    ) -> Learned:
        """Run a program of `along` on a genome (n,)."""
        return program.learn(self._model.individuals(genome, settings), shown, scored, carried)

    def stepper(
        self, genome: np.ndarray, settings: Settings, state: np.ndarray, teacher: bool
    ) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
        """Return a function that takes a genome (n,) and what `Stepper.step` takes further, and gives outputs and Jacobian.

        The Jacobian (B, O, n) is that with respect to the genome.
        """
        stepper = Stepper(self.steps, self._model.individuals(genome, settings), state, teacher)
        if self._model.weights_size == len(genome):
            return stepper.step

        def step(
            genome: np.ndarray, x: np.ndarray, teacher: np.ndarray | None = None
        ) -> tuple[np.ndarray, np.ndarray]:
            weights = self._model.individuals(genome, settings).genomes
            outputs, jacobian = stepper.step(weights, x, teacher)
            return outputs, self.of_genes(genome, settings, jacobian)

        return step

    def of_genes(self, genome: np.ndarray, settings: Settings, rows: np.ndarray) -> np.ndarray:
        """Return derivatives (..., n) with respect to a genome (n,), from those (..., N) with respect to all weights."""
        found = [self._model.of_genes(genome, settings, row) for row in rows.reshape(-1, rows.shape[-1])]
        return np.array(found).reshape(*rows.shape[:-1], -1)

    def saved_work(self, genome: np.ndarray) -> int:
        """Return the multiply-adds that the zeros of sparse matrices save in one time step of one sequence."""
        return 0 if self.linked else self.rows.saved_work(genome)

    def source(self) -> str:
        """Return the listings and the emitted source, one after the other."""
        if self.linked:
            return self.linked.source()
        return "\n\n".join((self.lanes.source(), self.gradients.source(), self.rows.source()))
