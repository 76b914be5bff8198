"""The class EncoderDecoder: one network reads a sequence, another writes one, beginning in the state of the first."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Unpack

import numpy as np

from evorrn.base.checks import is_whole
from evorrn.base.errors import ConfigError
from evorrn.base.settings import check_seed
from evorrn.data.batch import Batch
from evorrn.engine import encoder_decoder as engine
from evorrn.engine.layers import Layers
from evorrn.network import arguments
from evorrn.network.arguments import Given
from evorrn.network.decoding import beam_search, choose
from evorrn.network.pairs import checked_pairs, read_inputs, shown
from evorrn.network.symbols import answers
from evorrn.network.two_parts import TwoParts


class EncoderDecoder(TwoParts):
    """A network that reads a sequence and then writes another one, symbol by symbol; `Network.encoder_decoder` makes it.

    Attributes
    ----------
    encoder, decoder : Network
        The two parts. The encoder has no readout; the decoder is a network with one, whose inputs are its last symbols.
    start, stop : int
        The symbol that the decoder sees first, and the one that ends an answer.
    """

    # --- Loss and gradient --------------------------------------------------------------------------

    def check_batch(self, batch: Batch) -> None:
        """Raise ShapeError or DataError when a batch does not fit this network."""
        checked_pairs(self._ends, batch)

    def fitting(self, batch: Batch) -> Batch:
        """Return a batch that fits this network, checked."""
        self.check_batch(batch)
        return batch

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

        The loss is the mean cross-entropy over all symbols of the batch, the stop of each sequence among them, where the
        decoder sees the true symbols before, or those of `teacher`.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        batch : Batch
        teacher : ndarray of int, shape (B, U), optional
            Symbols that the decoder sees after its start, in place of the targets, see `mixed`.

        Returns
        -------
        loss : float
        gradient : ndarray, shape (n,)
            In the network's dtype.

        Raises
        ------
        ShapeError
            When genome, batch or teacher do not fit the network.
        ConfigError
            When a state or noise is given: the network has neither.
        """
        self._refuse(state=state, return_state=return_state or None, noise=noise)
        pairs = checked_pairs(self._ends, batch, teacher)
        entries = float(pairs.counts.sum())
        vector = self.check_genome(genome)
        total, gradient = self._programs.gradient(vector, self._settings, pairs, 1.0 / entries)
        return total / entries, gradient

    def _loss_sums(
        self,
        genomes: np.ndarray,
        batch: Batch,
        free_from: np.ndarray | None,
        noise: int | None,
        sparse: bool = False,
    ) -> np.ndarray:
        """Return the sum of the loss of each genome over the symbols of each sequence, shape (P, B)."""
        self._refuse(free_from=free_from, noise=noise)
        pairs = checked_pairs(self._ends, batch)
        return self._programs.loss_sums(arguments.genomes(self, genomes), self._settings, pairs)

    @cached_property
    def _programs(self) -> Any:
        (encoder, embedding), (decoder, own) = self.encoder._pieces(), self.decoder._pieces()
        return engine.EncoderDecoder(
            Layers(encoder, embedding),
            Layers((), own),
            decoder[-1][0],
            self.encoder.size,
            engine.Handover(self.encoder.first_state, self.decoder.first_state, *self._handed),
            0 if own else self.outputs,
        )

    # --- Outputs ------------------------------------------------------------------------------------

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
        """Return the logits of the decoder, at each of its steps.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        x : ndarray of int, shape (B, T), or of floats, shape (B, T, I) or (B, I)
        lengths : ndarray of int, shape (B,), optional
            Number of time steps of each sequence, T by default.
        teacher : ndarray of int, shape (B, U), optional
            Symbols that the decoder sees after its start. Without it, it sees its own most probable symbols until it chooses the
            stop, as in `decode`.
        steps : int, optional
            Without a teacher, the most symbols of an answer, 50 by default.

        Returns
        -------
        ndarray, shape (B, V, O)
            With a teacher V is U + 1. Without one it is the number of symbols of the longest answer, its stop included, and values
            beyond the stop of a sequence are zero.

        Raises
        ------
        ShapeError
            When an array has a wrong shape.
        ConfigError
            When something is given that this network does not have.
        """
        known = {name: given.pop(name, None) for name in ("lengths", "teacher", "steps")}  # type: ignore[misc]
        self._refuse(state=state, return_state=return_state or None, noise=noise, **given)
        vector = self.check_genome(genome)
        inputs, lengths = read_inputs(self._ends, x, known["lengths"])
        if known["teacher"] is None:
            steps = 50 if known["steps"] is None else known["steps"]
            return self._chosen(vector, inputs, lengths, steps, None)[1]
        self._refuse(steps=known["steps"])
        seen = shown(self._ends, known["teacher"], len(inputs))
        counts = np.full(len(seen), seen.shape[1])
        pairs = engine.Pairs(inputs, lengths, seen, np.zeros_like(seen), counts)
        return self._programs.outputs(vector, self._settings, pairs)

    def decode(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        lengths: np.ndarray | None = None,
        steps: int = 50,
        beam: int = 1,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[np.ndarray]:
        """Return the answer to each sequence, symbols without start and stop.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        x : ndarray of int, shape (B, T), or of floats, shape (B, T, I) or (B, I)
        lengths : ndarray of int, shape (B,), optional
            Number of time steps of each sequence, T by default.
        steps : int
            The most symbols of an answer.
        beam : int
            With 1 the most probable symbol is chosen at each step. With more, so many of the most probable answers so far are
            continued, and the most probable whole answer is returned: that with the largest product of the probabilities of its
            symbols, the stop included, without regard to its length.
        temperature : float
            Above 0, symbols are drawn with probabilities that are those of the logits divided by it.
        seed : int
            Seed of the draws.

        Returns
        -------
        list of ndarray of int64
            One array for each sequence. The start is never chosen.

        Raises
        ------
        ShapeError
            When an array has a wrong shape.
        ConfigError
            When a number is out of its range, or there are both a beam and a temperature.

        Examples
        --------
        >>> import numpy as np
        >>> import evorrn
        >>> network = evorrn.Network.encoder_decoder(5, 4, {"hidden": 3}, {"hidden": 3}, start=0, stop=1)
        >>> answers = network.decode(network.init(seed=0), np.array([[0, 1, 2], [4, 3, 0]]), steps=5)
        >>> len(answers)
        2
        """
        for name, number in (("steps", steps), ("beam", beam)):
            if not is_whole(number) or number < 1:
                raise ConfigError(f"{name}: expected a whole number of at least 1, got {number!r}")
        if not (isinstance(temperature, int | float | np.number) and 0 <= temperature < math.inf):
            raise ConfigError(f"temperature: expected a number of at least 0, got {temperature!r}")
        if beam > 1 and temperature > 0:
            raise ConfigError(
                "decode: expected a beam or a temperature, since draws are not searched; got both"
            )
        vector = self.check_genome(genome)
        inputs, ends = read_inputs(self._ends, x, lengths)
        if beam > 1:
            begin = self._programs.encode(vector, self._settings, inputs, ends)

            def step(symbols: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                return self._programs.step(vector, self._settings, symbols, state)  # type: ignore[no-any-return]

            return beam_search(step, begin, (self.start, self.stop), int(steps), int(beam))
        rng = np.random.default_rng(check_seed(seed)) if temperature > 0 else None
        return self._chosen(vector, inputs, ends, steps, rng, float(temperature))[0]

    def mixed(self, genome: np.ndarray, batch: Batch, own: float, rng: np.random.Generator) -> np.ndarray:
        """Return targets (B, U) in which some symbols are replaced by what the decoder draws at their place.

        The decoder steps through the targets; after each step, with the probability `own`, it sees next the symbol that it draws
        from its own probabilities, and else the true one. The stop and the start are not drawn, so that a row keeps its length.

        Source: Bengio, Vinyals, Jaitly and Shazeer 2015, "Scheduled sampling for sequence prediction with recurrent neural
        networks", section 2.4; the draws are constants for the gradient, as there.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        batch : Batch
        own : float
            Probability that a symbol is the decoder's own.
        rng : Generator
        """
        pairs, vector = checked_pairs(self._ends, batch), self.check_genome(genome)
        state = self._programs.encode(vector, self._settings, pairs.inputs, pairs.lengths)
        seen, steps = pairs.seen.copy(), pairs.seen.shape[1] - 1
        barred = [self.start, self.stop]
        for place in range(steps):
            logits, state = self._programs.step(vector, self._settings, seen[:, place], state)
            drawn = choose(logits, barred, rng, 1.0)
            taken = rng.random(len(seen)) < own
            inside = place + 1 < pairs.counts
            seen[:, place + 1] = np.where(taken & inside, drawn, seen[:, place + 1])
        return seen[:, 1:]

    def _chosen(
        self,
        vector: np.ndarray,
        inputs: np.ndarray,
        lengths: np.ndarray,
        steps: int,
        rng: np.random.Generator | None,
        temperature: float = 1.0,
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the answers that the decoder chooses step by step, and its logits (B, V, O)."""
        state = self._programs.encode(vector, self._settings, inputs, lengths)
        count = len(inputs)
        symbols, running = np.full(count, self.start), np.ones(count, bool)
        series, chosen = [], []
        for _ in range(steps):
            logits, state = self._programs.step(vector, self._settings, symbols, state)
            series.append(np.where(running[:, None], logits, 0))
            symbols = choose(logits, [self.start], rng, temperature)
            chosen.append(np.where(running, symbols, self.stop))
            running = running & (symbols != self.stop)
            if not running.any():
                break
        return answers(np.stack(chosen, axis=1), self.stop), np.stack(series, axis=1)
