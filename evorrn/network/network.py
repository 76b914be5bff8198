"""The class Network: predicts, computes losses, fitness and gradients, and acts in environments."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

import numpy as np

from evorrn.base.errors import ShapeError
from evorrn.data.arrays import numeric
from evorrn.data.batch import Batch
from evorrn.losses.sequence import SequenceLoss
from evorrn.network import arguments
from evorrn.network.arguments import Given
from evorrn.network.kinds import KindOfNetwork
from evorrn.network.noise import noisy_batch, with_noise


class Network(KindOfNetwork):
    """A recurrent network whose weights are stored in one vector, the genome.

    A network object holds no weights: every method takes a genome (n,), or the genomes (P, n) of a population.

    Parameters
    ----------
    inputs, outputs : int
        Number of inputs and outputs at a time step; the outputs for classes are logits. Without inputs, with
        feedback, a network generates a series by itself.
    cell : str or Cell, or a sequence of these
        A name, a function made with ``@evorrn.cell``, or ``"file.py:function"``; a sequence has one for each layer.
    hidden : int or sequence of int
        Units of each layer.
    cell_options : mapping, or a sequence of mappings, optional
        Settings of the cell that are not genes, for all layers or for each, for instance ``{"leak": 0.3}``.
    loss : str
        ``"mse"``, ``"cross-entropy"``, ``"binary-cross-entropy"``; ``"ctc"`` for labels of whole sequences whose time
        steps are not known; ``"reward"`` when the fitness comes from episodes in an environment and there are no targets; or a
        loss on whole sequences of one's own, a subclass of `evorrn.losses.sequence.SequenceLoss` or ``"file.py:name"``.
    direct : bool
        Whether the readout also sees the input.
    feedback : bool
        Whether the previous output is an additional input of the first layer.
    dtype : str
        ``"float32"`` or ``"float64"``.
    initial : mapping, optional
        ``{block or parameter name: initialisation}``, in place of the initialisations declared by the cell. An initialisation is a
        name or a number, as in ``{"b_f": 5.0, "b_i": -3.0}``.
    biases : bool
        Whether readout and cells have biases. A bias of a cell is a vector that its equations only add. Without
        biases, these vectors are not part of the genome and not computed.
    reads : str
        The layers that the readout sees: the ``"last"`` one, or ``"all"``, from the first to the last.
    learn_start : bool
        Whether the first values of the states are genes, blocks ``"layer0.start.h"``, which begin at 0 and are added to
        the first values that the cell declares. The states that `predict` takes and returns are then what the states
        have more than their first values.
    fed_back : str, optional
        What goes back into the network at the next time step, through `feedback`, to a cell that sees the output
        and in closed loop. For the losses of classes ``"probability"``, the default, ``"bit"`` (1 for a class whose
        probability is above one half, or for the most probable of several classes, and 0 elsewhere), or
        ``"output"``, the logit itself. For the other losses always ``"output"``. The gradient through a bit is zero.
    bidirectional : bool
        Whether each layer has also a pass from the last step of each sequence to the first (Schuster & Paliwal 1997), with
        weights of its own, blocks ``"layer0.backward.W_x"``; the next layer and the readout see both, the forward one first.
    embedding : int
        Inputs are then symbols, integers (B, T) below `inputs`, and the layers see a vector of so many genes for each,
        block ``"embedding.W"``. Without it, symbols are vectors with a one.
    readout : str
        When there are outputs: at ``"every"`` time step, or once a sequence, (B, O), from the ``"last"`` step of each pass, the
        ``"mean"`` or ``"max"`` of all steps, or ``"sampled:3"``: three equally spaced steps one after the other.
    context : str
        Inputs are then one vector a sequence, floats (B, I), shown at ``"every"`` time step or at the ``"first"`` one alone, with
        zeros after it. Targets say how many time steps there are, or for `predict` its `steps` or `lengths`. Inputs
        (B, T, I) are seen as they are.

    Raises
    ------
    ConfigError
        When arguments are wrong; the error lists all of them.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> network = evorrn.Network(inputs=1, outputs=1, cell="elman", hidden=2)
    >>> network
    Network(1 -> elman 2 -> 1, 11 genes)
    >>> genome = network.init(seed=0)
    >>> network.predict(genome, np.zeros((3, 5, 1))).shape
    (3, 5, 1)
    """

    decodes: ClassVar[bool] = False
    """Whether the outputs are a row of symbols of a length of its own, see the method `decode` of an encoder-decoder."""

    def predict(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        state: np.ndarray | None = None,
        return_state: bool = False,
        *,
        noise: int | None = None,
        **given: Unpack[Given],
    ) -> Any:
        """Return the outputs of a network with the given genome.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        x : ndarray, shape (B, T, I)
        state : ndarray, shape (B, S), optional
            The state before the first time step, as an earlier call returned it; zero by default. It includes what
            the network last fed back, see `fed_back`.
        return_state : bool
            Whether to return also the state after the last step of each sequence.
        lengths : ndarray of int, shape (B,), optional
            Number of time steps of each sequence, T by default.
        free_from : ndarray of int, shape (B,), optional
            From this time step on, the first O inputs are the network's own previous output, as `fed_back` says.
        teacher : ndarray, shape (B, T, O), optional
            Values that a network with feedback sees at each time step in place of its previous output, NaN where it
            sees its own. Together with `free_from`, the first O inputs are still the network's own output.
        noise : int, optional
            The seed of the noise of the cell, see `fitness`.
        links : ndarray of int, shape (B, T, A), optional
            The predecessors of each step, for a cell that takes A of them, see `evorrn.Batch`.
        steps : int, optional
            The time steps, T, where the inputs are a context (B, I); the largest of the `lengths` by default.

        Returns
        -------
        ndarray, shape (B, T, O)
            In the network's dtype. Zero beyond the length of a sequence; logits for classes.
        state : ndarray, shape (B, S)
            Only with `return_state`.

        Raises
        ------
        ShapeError
            When an array has a wrong shape.
        ConfigError
            When `teacher`, `free_from` or `noise` is given but the network cannot use it.

        Examples
        --------
        The outputs of a sequence given in two parts equal those of the whole:

        >>> import numpy as np
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> genome, x = network.init(seed=0), np.ones((3, 8, 1))
        >>> first, state = network.predict(genome, x[:, :4], return_state=True)
        >>> second = network.predict(genome, x[:, 4:], state=state)
        >>> whole = network.predict(genome, x)
        >>> bool(np.allclose(np.concatenate([first, second], axis=1), whole))
        True
        """
        vector = self.check_genome(genome)
        sequences = arguments.sequences(self, x, state=state, **given)
        arguments.check_chain(self, "return_state", return_state)
        sequences = with_noise(self, sequences, noise)
        run = self._running(noise).run(vector, self._settings, sequences, "outputs")
        return run if return_state else run[0]

    def fitness(
        self,
        genomes: np.ndarray,
        batch: Batch,
        free_from: np.ndarray | None = None,
        *,
        noise: int | None = None,
    ) -> np.ndarray:
        """Return the fitness of each genome: its negative loss, ``-inf`` where the loss is not finite.

        A network that sees its own output sees the targets in its place up to the first scored step, see `warm_up`.

        Parameters
        ----------
        genomes : ndarray, shape (P, n)
        batch : Batch
        free_from : ndarray of int, shape (B,), optional
            The time steps from which the sequences run in closed loop, see `predict`.
        noise : int, optional
            The seed of the noise of the cell, which is zero without it. The numbers follow from the seed, the place of a
            sequence in the batch and the time step, and so are the same for all genomes.

        Returns
        -------
        ndarray, shape (P,), float64
            Higher is better. The loss is the mean over all scored entries of the batch, or over its sequences for a loss
            on whole sequences.

        Raises
        ------
        ShapeError
            When genomes or batch do not fit the network.
        ConfigError
            When `noise` is given but the cell has none.

        Examples
        --------
        >>> import numpy as np
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> batch = evorrn.Batch(np.ones((4, 5, 1)), np.ones((4, 5, 1)))
        >>> network.fitness(np.zeros((3, network.size)), batch).tolist()
        [-1.0, -1.0, -1.0]
        """
        sums = self._loss_sums(genomes, batch, free_from, noise)
        with np.errstate(invalid="ignore", over="ignore"):
            losses = sums.sum(axis=1) / self.sequence_entries(batch).sum()
        return np.where(np.isfinite(losses), -losses, -np.inf)

    def sequence_losses(self, genomes: np.ndarray, batch: Batch, *, noise: int | None = None) -> np.ndarray:
        """Return the mean loss of each genome on each sequence, shape (P, B), float64.

        The loss of a sequence without a scored step is NaN. `noise` is that of `fitness`.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._loss_sums(genomes, batch, None, noise) / self.sequence_entries(batch)

    def loss(
        self,
        genome: np.ndarray,
        batch: Batch,
        free_from: np.ndarray | None = None,
        *,
        noise: int | None = None,
    ) -> float:
        """Return the loss of one genome (n,) on a batch; `free_from` and `noise` are those of `fitness`."""
        sums = self._loss_sums(np.asanyarray(genome)[None], batch, free_from, noise, sparse=True)
        with np.errstate(invalid="ignore", over="ignore"):
            return float(sums.sum() / self.sequence_entries(batch).sum())

    def loss_and_gradient(
        self,
        genome: np.ndarray,
        batch: Batch,
        state: np.ndarray | None = None,
        return_state: bool = False,
        *,
        teacher: np.ndarray | None = None,
        noise: int | None = None,
    ) -> Any:
        """Return the loss of a genome and its exact gradient.

        The loss is that of `loss`: a network that sees its own output is taught up to the first scored step.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        batch : Batch
        state : ndarray, shape (B, S), optional
            The state before the first time step, as an earlier call returned it; zero by default. It is a constant:
            the gradient does not go back beyond it.
        return_state : bool
            Whether to return also the state after the last step of each sequence.
        teacher : ndarray, shape (B, T, O), optional
            Values that a network with feedback sees in place of its previous output; those of `warm_up` by default.
        noise : int, optional
            The seed of the noise of the cell, see `fitness`; the noise is a constant input.

        Returns
        -------
        loss : float
        gradient : ndarray, shape (n,)
            In the network's dtype.
        state : ndarray, shape (B, S)
            Only with `return_state`.

        Raises
        ------
        ShapeError
            When genome, batch, state or teacher do not fit the network.
        ConfigError
            When `noise` is given but the cell has none.

        Examples
        --------
        >>> import numpy as np
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2)
        >>> batch = evorrn.Batch(np.ones((4, 5, 1)), np.ones((4, 5, 1)))
        >>> loss, gradient = network.loss_and_gradient(np.zeros(network.size), batch)
        >>> loss
        1.0
        >>> network.unpack(gradient)["readout.b"].tolist()
        [-2.0]
        """
        batch = self.fitting(batch)
        arguments.check_chain(self, "return_state", return_state)
        entries = float(self.sequence_entries(batch).sum())
        vector = self.check_genome(genome)
        given = self.warm_up(batch) if teacher is None else teacher
        conditions = arguments.conditions(self, batch.inputs, batch.lengths, state=state, teacher=given)
        shown = batch if noise is None else noisy_batch(self, batch, noise)
        if isinstance(self.loss_function, SequenceLoss):
            loss, gradient, last = self._whole(self.loss_function, noise).gradient(vector, shown, conditions)
        else:
            about = vector, self._settings, shown, conditions, 1.0 / entries
            total, gradient, last = self._running(noise).gradient(*about)
            loss = total / entries
        return (loss, gradient, last) if return_state else (loss, gradient)

    def vjp(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        output_gradient: np.ndarray,
        *,
        lengths: np.ndarray | None = None,
        state: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
        noise: int | None = None,
        links: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the gradient (n,) of a scalar function of the outputs with respect to the genome.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        x : ndarray, shape (B, T, I)
        output_gradient : ndarray, shape (B, T, O)
            The gradient of the function with respect to the outputs.
        lengths, state, teacher, noise, links
            Those of `predict`.

        Raises
        ------
        ShapeError
            When an array has a wrong shape.
        ConfigError
            When `teacher` or `noise` is given but the network cannot use it.
        """
        given = numeric("output_gradient", output_gradient)
        sequences = arguments.sequences(self, x, lengths, state=state, teacher=teacher, links=links)
        wanted = (*sequences.x.shape[: 1 if self.pool else 2], self.outputs)
        if given.shape != wanted:
            raise ShapeError(f"output_gradient: expected shape {wanted}, got {given.shape}")
        sequences = with_noise(self, sequences, noise)
        return self._running(noise).vjp(self.check_genome(genome), self._settings, sequences, given)

    def _loss_sums(
        self,
        genomes: np.ndarray,
        batch: Batch,
        free_from: np.ndarray | None,
        noise: int | None,
        sparse: bool = False,
    ) -> np.ndarray:
        """Return the sum of the loss of each genome over the scored entries of each sequence, shape (P, B)."""
        batch = self.fitting(batch)
        conditions = arguments.conditions(
            self, batch.inputs, batch.lengths, free_from=free_from, teacher=self.warm_up(batch)
        )
        checked = arguments.genomes(self, genomes)
        shown = batch if noise is None else noisy_batch(self, batch, noise)
        if isinstance(self.loss_function, SequenceLoss):
            return self._whole(self.loss_function, noise).losses(checked, shown, conditions)
        return self._running(noise).loss_sums(checked, self._settings, shown, conditions, sparse)
