"""Derivatives of a network forward in time: of its time steps, of its state and of its outputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evorrn.base.errors import ConfigError, ShapeError
from evorrn.base.memory import excess
from evorrn.data.arrays import numeric
from evorrn.engine.influence.groups import Carried
from evorrn.engine.influence.jacobians import Learned, Scored, StepJacobians
from evorrn.engine.influence.programmed import Programmed
from evorrn.engine.influence.steps import Steps
from evorrn.network import arguments
from evorrn.network.exchanged import ExchangedNetwork
from evorrn.network.linearised import Linearised

MOST_NUMBERS = 2**24
"""Numbers of the derivatives of the time steps that are computed in one go."""


class DifferentiatedNetwork(ExchangedNetwork):
    """A network with the derivatives that learning without unrolling needs."""

    def influence(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        influence: np.ndarray | None = None,
        state: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return outputs, last state, and its derivative with respect to the genome, carried forward in time.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        x : ndarray, shape (B, T, I)
        influence : ndarray, shape (B, S, n), optional
            The derivative of the state before the first time step; zero by default.
        state : ndarray, shape (B, S), optional
            The state before the first time step, see `evorrn.Network.predict`.

        Returns
        -------
        outputs : ndarray, shape (B, T, O)
        state : ndarray, shape (B, S)
        influence : ndarray, shape (B, S, n)
            All in the network's dtype.

        Raises
        ------
        ShapeError
            When an array has a wrong shape.
        ConfigError
            When the influence does not fit into the machine's memory, or time steps do not follow one another.

        Notes
        -----
        Source: Williams & Zipser 1989, equation 7, in the form ``M' = F_s M + F_w`` with the derivatives of a time step
        with respect to state and weights.

        Examples
        --------
        >>> import numpy as np
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> outputs, state, influence = network.influence(network.init(seed=0), np.ones((3, 5, 1)))
        >>> influence.shape
        (3, 2, 11)
        """
        arguments.check_chain(self, "influence")
        shown = arguments.sequences(self, x, state=state)
        sequences, steps = shown.x.shape[:2]
        wanted = (sequences, self.state_size, self.size)
        too_large = excess(sequences * self.state_size * self.size, self.dtype.itemsize)
        if too_large:
            raise ConfigError(
                f"influence: an array of {' x '.join(map(str, wanted))} numbers takes {too_large}"
            )
        carried = np.zeros(wanted, self.dtype)
        if influence is not None:
            given = numeric("influence", influence)
            if given.shape != wanted:
                raise ShapeError(f"influence: expected shape {wanted}, got {given.shape}")
            carried[...] = given
        vector, outputs = self.check_genome(genome), np.empty((sequences, steps, self.outputs), self.dtype)
        at, structure = shown.conditions.state, self.step_structure
        longest = max(1, MOST_NUMBERS // (sequences * structure.numbers))
        for first in range(0, steps, longest):
            part = slice(first, min(first + longest, steps))
            inputs = shown._replace(x=shown.x[:, part], lengths=np.full(sequences, part.stop - first))
            inputs = inputs._replace(conditions=shown.conditions._replace(state=at))
            found = self._programs.step_jacobians(vector, self._settings, inputs)
            outputs[:, part], at = found.outputs, found.last
            for time in range(part.stop - first):
                weights = structure.of_weights(found, time)
                genes = self._programs.of_genes(vector, self._settings, weights)
                carried = found.state[:, time] @ carried + genes
        return outputs, at, carried

    def linearised(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        state: np.ndarray | None = None,
        *,
        lengths: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> Linearised:
        """Return the time steps of sequences with their derivatives; the arguments are those of `predict`.

        Examples
        --------
        >>> import numpy as np
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> steps = network.linearised(network.init(seed=0), np.ones((3, 5, 1)))
        >>> steps.by_state.shape, steps.by_genome(0).shape
        ((3, 5, 3, 2), (3, 3, 11))
        """
        arguments.check_chain(self, "linearised")
        shown = arguments.sequences(self, x, lengths, state=state, teacher=teacher)
        vector, steps = self.check_genome(genome), self.step_structure
        found = self._programs.step_jacobians(vector, self._settings, shown)
        readout = np.zeros((self.outputs, self.state_size), self.dtype)
        readout[:, steps.seen] = self.unpack(vector)["readout.W"]

        def by_genome(time: int) -> np.ndarray:
            of_state = steps.of_weights(found, time)
            of_outputs = readout @ of_state + steps.of_outputs(found, time, readout)
            both = np.concatenate([of_state, of_outputs], axis=1)
            return self._programs.of_genes(vector, self._settings, both)

        by_state = np.concatenate([found.state, readout @ found.state], axis=2)
        return Linearised(found.outputs, found.last, by_state, by_genome)

    @property
    def step_structure(self) -> Steps:
        """What a time step's derivatives are made of, for strategies that learn without unrolling.

        Raises
        ------
        ConfigError
            When the network is more than one time step with a readout.
        """
        self.step  # noqa: B018  (raises for such a network)
        return self._programs.steps

    @property
    def step_structure_with_inputs(self) -> Steps:
        """The same with the derivatives by the inputs, see `linked_jacobians`."""
        return self._programs.steps_with_inputs

    def linked_jacobians(
        self, genome: np.ndarray, x: np.ndarray, lengths: np.ndarray, state: np.ndarray
    ) -> StepJacobians:
        """Return time steps with their derivatives by state, weights and input, without a loss."""
        shown = arguments.sequences(self, x, lengths, state=state)
        return self._programs.step_jacobians(self.check_genome(genome), self._settings, shown, None, True)

    def step_jacobians(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        scored: Scored,
        *,
        lengths: np.ndarray | None = None,
        state: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> StepJacobians:
        """Return time steps with the derivatives of each one and of its loss.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        x : ndarray, shape (B, T, I)
        scored : Scored
            Targets, mask and scale of the loss.
        lengths, state, teacher
            Those of `evorrn.Network.predict`.
        """
        shown = arguments.sequences(self, x, lengths, state=state, teacher=teacher)
        return self._programs.step_jacobians(self.check_genome(genome), self._settings, shown, scored)

    def learning_program(self, order: int | None, own: bool) -> Programmed | None:
        """Return the program that learns forward in time with an influence of an order, or None where there is none.

        See `evorrn.engine.influence.groups.Influence` and `evorrn.engine.influence.along.Along`.
        """
        return self._programs.along(order, own)

    def learn_along(
        self,
        program: Programmed,
        genome: np.ndarray,
        x: np.ndarray,
        scored: Scored,
        lengths: np.ndarray,
        state: np.ndarray,
        carried: Carried,
    ) -> Learned:
        """Return loss, gradient and last state of time steps, and move what a program carries on.

        Sequences may have the length 0.
        """
        shown = arguments.sequences(self, x, state=state)._replace(lengths=lengths)
        return self._programs.learn(
            program, self.check_genome(genome), self._settings, shown, scored, carried
        )

    def stepper(
        self, genome: np.ndarray, state: np.ndarray, teacher: bool = False
    ) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
        """Return a function that takes single time steps, for weights that change after every one.

        Parameters
        ----------
        genome : ndarray, shape (n,)
            Any genome.
        state : ndarray, shape (B, S)
            The state before the first step.
        teacher : bool
            Whether values are given in place of the last outputs.

        Returns
        -------
        callable
            It takes a genome (n,), inputs (B, I) and, with `teacher`, values (B, O) with NaN for the network's own outputs, and
            returns outputs (B, O) and their derivatives with respect to the genome (B, O, n), carried forward in time, which the
            next step may overwrite.

        Raises
        ------
        ShapeError
            When the state has a wrong shape.
        """
        arguments.check_chain(self, "stepper")
        self.step  # noqa: B018  (raises for a network that is more than one time step with a readout)
        begin = arguments.first_state(self, state, max(1, len(np.atleast_1d(state))))
        return self._programs.stepper(self.check_genome(genome), self._settings, begin, teacher)

    def gradient_of_genes(self, genome: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the gradient (n,) of a genome (n,), from that with respect to all weights of a time step (N,)."""
        return self._programs.of_genes(self.check_genome(genome), self._settings, weights)

    def jacobian(self, genome: np.ndarray, x: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
        """Return the derivative of the last outputs of each sequence, or of its only ones, with respect to the genome.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        x : ndarray, shape (B, T, I)
        state : ndarray, shape (B, S), optional
            The state before the first time step, a constant; see `evorrn.Network.predict`.

        Returns
        -------
        ndarray, shape (B, O, n)
            In the network's dtype; for classes of the logits.

        Raises
        ------
        ShapeError
            When an array has a wrong shape.

        Examples
        --------
        >>> import numpy as np
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=2, hidden=2)
        >>> network.jacobian(network.init(seed=0), np.ones((3, 5, 1))).shape
        (3, 2, 14)
        """
        vector, shown = self.check_genome(genome), arguments.sequences(self, x, state=state)
        result = np.empty((len(shown.x), self.outputs, self.size), self.dtype)
        steps = () if self.pool else (shown.x.shape[1],)
        gradient = np.zeros((1, *steps, self.outputs), self.dtype)
        last = (0,) if self.pool else (0, -1)
        for sequence in range(len(shown.x)):
            one = slice(sequence, sequence + 1)
            begin = shown.conditions._replace(state=shown.conditions.state[one])
            alone = shown._replace(x=shown.x[one], lengths=shown.lengths[one], conditions=begin)
            for output in range(self.outputs):
                gradient[last] = np.arange(self.outputs) == output
                result[sequence, output] = self._programs.vjp(vector, self._settings, alone, gradient)
        return result
