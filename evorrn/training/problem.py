"""The class Problem, through which strategies use data and networks.

A strategy has no access to tasks and kernels. It calls the methods of a problem, which add their cost to the
`Meter`. A problem does not contain test data, so no strategy can use them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import ANSWERS, ANSWERS_OF_WHOLE
from evorrn.losses.sequence import SequenceLoss
from evorrn.network.arguments import check_chain
from evorrn.network.noise import width
from evorrn.training.calibration import Calibration
from evorrn.training.decoded import answer_steps, score_answers, score_decoded
from evorrn.training.meter import Meter, MeteredProblem

if TYPE_CHECKING:
    from evorrn.engine.influence.groups import Carried
    from evorrn.engine.influence.jacobians import Learned, Scored, StepJacobians
    from evorrn.engine.influence.programmed import Programmed
    from evorrn.network.encoder_decoder import EncoderDecoder
    from evorrn.network.network import Network

Chosen = Sequence[int] | np.ndarray | Batch | None
"""Training sequences: their indices, a batch of them, or None for all."""

RANDOM_NUMBER = 10
"""Multiply-adds that a number of the noise counts for."""


class Problem(MeteredProblem):
    """A network and the sequences that it is trained and validated on.

    Parameters
    ----------
    network : Network
    train : Batch
    valid : Batch, optional
        The data of `validate`; the training data by default.
    meter : Meter, optional
        Counts the cost of every call; a new one by default.
    free_run : bool
        Whether the network runs on its own outputs from the first scored step on in `validate`.
    calibrated : bool
        Whether a training loop keeps what `evorrn.training.calibration.Calibration` needs.

    Raises
    ------
    ShapeError
        When a batch does not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
    >>> problem = evorrn.Problem(network, evorrn.Batch(np.ones((4, 5, 1)), np.ones((4, 5, 1))))
    >>> genomes = problem.init(np.random.default_rng(0), 3)
    >>> problem.fitness(genomes).shape
    (3,)
    >>> problem.meter.evaluations, problem.meter.steps_forward
    (3, 60)
    """

    provides = ANSWERS
    why_not = "; only environments, such as the task cart-pole, provide exploration"

    def __init__(
        self,
        network: Network,
        train: Batch,
        valid: Batch | None = None,
        *,
        meter: Meter | None = None,
        free_run: bool = False,
        calibrated: bool = False,
    ) -> None:
        train = network.fitting(train)
        valid = None if valid is None else network.fitting(valid)
        if free_run:
            check_chain(network, "free run")
        super().__init__(network, meter)
        self.train = train
        self.valid = valid
        self.free_run = free_run
        if network.decodes:
            self.provides = ANSWERS_OF_WHOLE - {"states"}
            self.why_not = (
                "; an encoder-decoder has no target for each time step of its inputs, to which a readout could be fitted: train "
                "it with ga, cma-es or bptt"
            )
        if calibrated and valid is not None:
            self.calibration = Calibration(valid)

    @property
    def sequences(self) -> int:
        """The number of training sequences, B."""
        return self.train.size

    @property
    def scored_sequences(self) -> np.ndarray:
        """The indices of the training sequences that have a scored step, shape (K,)."""
        return np.flatnonzero(self.train.scored.any(axis=1))

    def fitness(
        self,
        genomes: np.ndarray,
        sequences: Sequence[int] | np.ndarray | None = None,
        *,
        free_run: bool = False,
    ) -> np.ndarray:
        """Return the fitness of each genome: its negative training loss, ``-inf`` where the loss is not finite.

        Parameters
        ----------
        genomes : ndarray, shape (P, n)
        sequences : sequence of int, optional
            Indices of the training sequences to use; all by default.
        free_run : bool
            Whether the networks run on their own outputs from the first scored step on.

        Returns
        -------
        ndarray, shape (P,), float64
        """
        batch = self.chosen(sequences)
        self._charge_noise(batch)
        with self._charged(batch, len(genomes)):
            free_from = first_scored(batch) if free_run else None
            return self.network.fitness(genomes, batch, free_from, **self._seeded)

    def sequence_losses(self, genomes: np.ndarray) -> np.ndarray:
        """Return the loss of each genome on each training sequence, shape (P, B), float64."""
        with self._charged(self.train, len(genomes)):
            return self.network.sequence_losses(genomes, self.train, **self._seeded)

    def loss_and_gradient(self, genome: np.ndarray, sequences: Chosen = None) -> tuple[float, np.ndarray]:
        """Return the training loss of a genome (n,) and its exact gradient (n,).

        `sequences` are the indices of the training sequences to use, or a batch made of them; all by default.
        """
        batch = self.chosen(sequences)
        self._charge_noise(batch)
        with self._charged(batch, 1):
            result = self.network.loss_and_gradient(genome, batch, **self._seeded)
        self._charge_backward(batch)
        return result

    def sampled_gradient(
        self, genome: np.ndarray, sequences: Chosen, own: float, rng: np.random.Generator
    ) -> tuple[float, np.ndarray]:
        """Return loss and gradient of an encoder-decoder that sees its own draws at a share `own` of its steps.

        `evorrn.network.encoder_decoder.EncoderDecoder.mixed` draws them, which costs a forward pass.
        """
        batch, network = self.chosen(sequences), self.network
        network = cast("EncoderDecoder", network)
        with self._charged(batch, 0):
            seen = network.mixed(genome, batch, own, rng)
        with self._charged(batch, 1):
            loss, gradient = network.loss_and_gradient(genome, batch, teacher=seen)
        self._charge_backward(batch)
        return loss, gradient

    def gradient_from(
        self, genome: np.ndarray, batch: Batch, state: np.ndarray, teacher: np.ndarray | None = None
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return loss, gradient (n,) and last state (B, S) of a genome on parts of training sequences.

        `state` (B, S) and `teacher` (B, T, O) are those of `evorrn.Network.loss_and_gradient`.
        """
        given = {"teacher": teacher, **self._seeded}
        self._charge_noise(batch)
        with self._charged(batch, 1):
            result = self.network.loss_and_gradient(genome, batch, state, True, **given)
        self._charge_backward(batch)
        return result

    def step_jacobians(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        scored: Scored,
        lengths: np.ndarray,
        state: np.ndarray,
        teacher: np.ndarray | None = None,
    ) -> StepJacobians:
        """Return the time steps of parts of training sequences with their derivatives, see `evorrn.Network.step_jacobians`.

        Sequences of length 0 are shown as one step long; they cost nothing.
        """
        shown = np.maximum(lengths, 1)
        with self.compiling():
            found = self.network.step_jacobians(
                genome, x, scored, lengths=shown, state=state, teacher=teacher
            )
        self.meter.work += self.network.step_structure.work * int(lengths.sum())
        self.meter.steps_forward += int(lengths.sum())
        return found

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
        """Learn along parts of training sequences by a program, see `evorrn.Network.learn_along`."""
        with self.compiling():
            found = self.network.learn_along(program, genome, x, scored, lengths, state, carried)
        self.meter.work += self.network.step_structure.work * int(lengths.sum())
        self.meter.steps_forward += int(lengths.sum())
        return found

    def last_state(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        lengths: np.ndarray,
        state: np.ndarray,
        teacher: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the state (B, S) after parts of training sequences; the arguments are those of `predict`."""
        given = {"lengths": lengths, "teacher": teacher, **self._seeded}
        with self.compiling():
            _, last = self.network.predict(genome, x, state, return_state=True, **given)
        self.meter.work += self.network.simulation_work(lengths)
        self.meter.steps_forward += int(lengths.sum())
        return last

    def states(self, genome: np.ndarray, split: str = "train", teacher: bool = False) -> np.ndarray:
        """Return the output of the last layer at every time step, shape (B, T, H), in the network's dtype.

        A readout with ``reads="all"`` sees more, see `readout_states`.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        split : str
            ``"train"`` or ``"valid"``.
        teacher : bool
            Whether a network with feedback sees the previous targets in place of its previous outputs at all steps.
        """
        return self.readout_states(genome, split, teacher)[:, :, -self.network.last_width :]

    def readout_states(self, genome: np.ndarray, split: str = "train", teacher: bool = False) -> np.ndarray:
        """Return the units that the readout sees, shape (B, T, R), see `evorrn.Network.readout_states`.

        The parameters are those of `states`.
        """
        batch = self.batch(split)
        with self._charged(batch, 1, genome):
            states = self.network.readout_states(
                genome,
                batch.inputs,
                lengths=batch.lengths,
                teacher=self._previous(batch, teacher),
                links=batch.links,
            )
        return every_step(self.network, states, batch)

    def population_states(
        self,
        genomes: np.ndarray,
        sequences: Sequence[int] | np.ndarray | None = None,
        teacher: bool = False,
    ) -> np.ndarray:
        """Return the units that the readout sees for each genome on training data, shape (P, B, T, R).

        The meter counts work and time steps but no evaluations, since no loss is computed.

        Parameters
        ----------
        genomes : ndarray, shape (P, n)
        sequences : sequence of int, optional
            Indices of the training sequences to use; all by default.
        teacher : bool
            As for `states`.
        """
        batch = self.chosen(sequences)
        with self._charged(batch, 0, passes=len(genomes)):
            states = self.network.population_states(
                genomes,
                batch.inputs,
                lengths=batch.lengths,
                teacher=self._previous(batch, teacher),
                links=batch.links,
            )
        return every_step(self.network, states, batch)

    def targets(self, split: str = "train") -> np.ndarray:
        """Return the targets of a split: floats (B, T, O) or labels (B, T)."""
        return self.batch(split).targets

    def batch(self, split: str = "train") -> Batch:
        """Return the batch of a split, ``"train"`` or ``"valid"``; without validation data that of training."""
        return self.train if split == "train" or self.valid is None else self.valid

    def learned(self, genome: np.ndarray, tolerance: float) -> float:
        """Return the share (0 to 1) of training sequences that are right at every scored step, or of which all labels are.

        The loss defines when a step is right, see `evorrn.losses.base.Loss.learned`: for ``"mse"`` when every absolute
        error is at most `tolerance`.
        """
        batch = self.train
        with self._charged(batch, 0, genome):
            teacher = self.network.warm_up(batch)
            about: dict[str, Any] = {"lengths": batch.lengths, "teacher": teacher, "links": batch.links}
            about |= {"steps": answer_steps(batch)} if self.network.decodes else {}
            outputs = self.network.predict(genome, batch.inputs, **about)
        if self.network.decodes:
            return score_answers(self.network, genome, outputs, batch, ["exact_match"])["exact_match"]
        if isinstance(self.network.loss_function, SequenceLoss):
            return score_decoded(self.network.loss_function, outputs, batch, ["exact_match"])["exact_match"]
        outputs = every_step(self.network, outputs, batch)
        right = self.network.loss_function.learned(outputs, batch.targets, tolerance)
        has_scored = batch.scored.any(axis=1)
        return float(np.mean((right | ~batch.scored).all(axis=1)[has_scored]))

    def _validation_loss(self, genome: np.ndarray) -> float:
        batch = self.batch("valid")
        with self._charged(batch, 0, genome):
            free_from = first_scored(batch) if self.free_run else None
            return self.network.loss(genome, batch, free_from=free_from)

    def previous_targets(self) -> np.ndarray:
        """Return what a network with feedback is taught on training data, (B, T, O): the targets one time step later."""
        taught = self._previous(self.train, True)
        assert taught is not None
        return taught

    def _previous(self, batch: Batch, teacher: bool) -> np.ndarray | None:
        """Return the targets (B, T, O) one time step later, zero at the first step; None when `teacher` is False."""
        if not teacher:
            return None
        targets = self.network.loss_function.one_hot(batch.targets, self.network.outputs)
        shifted = np.zeros(targets.shape)
        known = (
            batch.scored[:, :, None] if batch.labelled else np.isfinite(targets)
        )  # unscored ones may be NaN
        shifted[:, 1:] = np.where(known, targets, 0)[:, :-1]
        return shifted

    def chosen(self, sequences: Chosen) -> Batch:
        """Return training sequences by their indices, a batch of them as it is, or all."""
        if isinstance(sequences, Batch):
            return sequences
        return self.train if sequences is None else self.train.take(sequences)

    @property
    def _seeded(self) -> dict[str, Any]:
        """The seed of the noise as an argument of the network's methods."""
        return {} if self._noise is None else {"noise": self._noise}

    def _charge_noise(self, batch: Batch) -> None:
        """Add the cost of the noise of a batch to the meter."""
        if self._noise is not None:
            self.meter.work += RANDOM_NUMBER * width(self.network) * batch.moved_steps

    def _charge_backward(self, batch: Batch) -> None:
        """Add the cost of a backward pass over a batch to the meter."""
        self.meter.work += self.network.backward_work(batch)
        self.meter.steps_backward += self.network.moved_steps(batch)

    @contextmanager
    def _charged(
        self, batch: Batch, evaluations: int, genome: np.ndarray | None = None, passes: int | None = None
    ) -> Iterator[None]:
        """Add the cost of the block to the meter: forward passes over a batch, and evaluations.

        `passes` is the number of forward passes, by default one for each evaluation and at least one.
        """
        with self.compiling():
            yield
        passes = max(evaluations, 1) if passes is None else passes
        self.meter.work += passes * self.network.forward_work(batch, genome)
        self.meter.steps_forward += passes * self.network.moved_steps(batch)
        self.meter.evaluations += evaluations


def every_step(network: Network, values: np.ndarray, batch: Batch) -> np.ndarray:
    """Return what a network gives as (..., B, T, K); that of a pooled readout, (..., B, K), at each time step."""
    return np.repeat(values[..., None, :], batch.steps, axis=-2) if network.pool else values


def first_scored(batch: Batch) -> np.ndarray:
    """Return the first scored step of each sequence, shape (B,), at which a free run starts; T if there is none."""
    return np.where(batch.scored.any(axis=1), batch.scored.argmax(axis=1), batch.steps)
