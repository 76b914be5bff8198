"""The class EncoderDecoder: one network reads a sequence, another writes one, beginning in the state of the first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Self, Unpack

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import check_seed
from evorrn.compile.cell import Cell
from evorrn.compile.work import work
from evorrn.data.batch import Batch
from evorrn.engine import encoder_decoder as engine
from evorrn.engine.layers import Layers
from evorrn.network import arguments, parts
from evorrn.network.arguments import Given
from evorrn.network.decoding import beam_search, choose
from evorrn.network.encoder_settings import (
    DECODER,
    ENCODER,
    checked_table,
    handed_over,
    problems_of_symbols,
)
from evorrn.network.network import Network
from evorrn.network.pairs import Ends, checked_pairs, read_inputs, shown
from evorrn.network.symbols import SymbolEntropy, answers


class Reader(Network):
    """The encoder: layers without a readout."""

    @property
    def wired(self) -> bool:
        """Whether the network is more than one time step with a readout, which it is: it has none."""
        return True

    def _divided(self, noisy: bool = False) -> list[list[parts.Part]]:
        form: dict[str, Any] = {"biases": self.biases, "learn_start": self.learn_start}
        ways = parts.WAYS if self.bidirectional else ("",)
        return parts.silent(self._layers, self.embedding or self.inputs, ways=ways, **form)


class EncoderDecoder(Network):
    """A network that reads a sequence and then writes another one, symbol by symbol; `Network.encoder_decoder` makes it.

    Attributes
    ----------
    encoder, decoder : Network
        The two parts. The encoder has no readout; the decoder is a network with one, whose inputs are its last symbols.
    start, stop : int
        The symbol that the decoder sees first, and the one that ends an answer.
    """

    def __new__(cls, *given: Any, **named: Any) -> Self:
        """Return a new object; the checks of the arguments of `Network` do not apply."""
        return object.__new__(cls)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        encoder: Mapping[str, Any] | None = None,
        decoder: Mapping[str, Any] | None = None,
        embedding: int = 0,
        start: int | None = None,
        stop: int | None = None,
        dtype: Any = "float32",
    ) -> None:
        problems = problems_of_symbols(outputs, start, stop)
        made: dict[str, Network] = {}
        for name, kind, known, given, sizes in (
            ("encoder", Reader, ENCODER, encoder, (inputs, 1, "mse")),
            ("decoder", Network, DECODER, decoder, (outputs, outputs, "cross-entropy")),
        ):
            try:
                table = checked_table(name, given, known, embedding)
                if not problems:
                    made[name] = kind(sizes[0], sizes[1], loss=sizes[2], dtype=dtype, **table)
                    problems += _problems_of_cells(name, made[name])
            except ConfigError as error:
                problems += [_of_table(name, each) for each in error.problems]
        if not problems:
            try:
                self._rows = handed_over(made["encoder"].parts, made["decoder"].parts[0][0])
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(list(dict.fromkeys(problems)))
        assert start is not None and stop is not None
        self.encoder, self.decoder = made["encoder"], made["decoder"]
        self.inputs, self.outputs, self.embedding = int(inputs), int(outputs), int(embedding)
        self.start, self.stop = int(start), int(stop)
        self.dtype = self.decoder.dtype
        reads = self.inputs, self.outputs, self.start, self.stop, self.encoder.embedding
        self._ends = Ends(*reads, self.dtype)
        self.hidden = (*self.encoder.hidden, *self.decoder.hidden)
        self.loss_name, self.loss_function = "cross-entropy", SymbolEntropy(self.start, self.stop)
        self.fed_back = "output"
        self.parts = [*self.encoder.parts, *self.decoder.parts]
        self._layers = [*self.encoder._layers, *self.decoder._layers]
        self._settings: Any = tuple(
            part._settings if part.wired else [part._settings] for part in (self.encoder, self.decoder)
        )
        shift = len(self.encoder.hidden)
        blocks = [(name, network, block) for name, network in made.items() for block in network.layout]
        self.layout = tuple(
            replace(
                block,
                layer=None if block.layer is None else block.layer + (shift if name == "decoder" else 0),
                place=f"{name}.{block.name.removesuffix(f'.{block.parameter}')}",
            )
            for name, _, block in blocks
        )
        self.blocks = {
            each.name: network.blocks[block.name] for each, (_, network, block) in zip(self.layout, blocks)
        }
        self._initial = {
            each.name: network._initial[block.name] for each, (_, network, block) in zip(self.layout, blocks)
        }
        for network in made.values():
            network.__dict__["_modules"] = self._modules

    decodes = True

    # --- What it is ---------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Return the arguments of `Network.encoder_decoder` that make the network again, and its kind, as plain data."""
        tables = {}
        for name, known, network in (
            ("encoder", ENCODER, self.encoder),
            ("decoder", DECODER, self.decoder),
        ):
            given = {"embedding": 0, **network.settings()}
            tables[name] = {key: value for key, value in given.items() if key in known and value != {}}
        return {
            "kind": "encoder-decoder",
            "inputs": self.inputs,
            "outputs": self.outputs,
            "loss": self.loss_name,
            **tables,
            "embedding": self.embedding,
            "start": self.start,
            "stop": self.stop,
            "dtype": self.dtype.name,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the network whose `settings` were given."""
        return cls(**{name: value for name, value in settings.items() if name not in ("kind", "loss")})

    def means(self, settings: Mapping[str, Any]) -> bool:
        """Return True: settings of an encoder-decoder have always meant the same."""
        return True

    @property
    def wired(self) -> bool:
        """Whether the network is more than one time step with a readout, which it is."""
        return True

    @property
    def causal(self) -> bool:
        """Whether an output depends on inputs up to its own time step alone, which it does not."""
        return False

    @property
    def wiring(self) -> str:
        """What makes the network more than one time step."""
        return "an encoder and a decoder"

    @cached_property
    def state_size(self) -> int:
        """The number of values in the state in which the decoder begins, of one sequence."""
        return len(self._rows)

    @cached_property
    def step_work(self) -> tuple[int, int]:
        """Return the multiply-adds of one step of encoder and decoder, forward and backward."""
        forward, backward = np.sum(self._works, axis=0)
        return int(forward), int(backward)

    @cached_property
    def _works(self) -> list[tuple[int, int]]:
        """The multiply-adds of a step of the encoder and of the decoder, forward and backward."""
        found = []
        for network in (self.encoder, self.decoder):
            each = [
                work(part.step, part.sizes, inputs=number > 0 or network.embedding > 0)
                for number, layer in enumerate(network.parts)
                for part in layer
            ]
            found.append((sum(forward for forward, _ in each), sum(backward for _, backward in each)))
        return found

    def __repr__(self) -> str:
        def part(network: Network) -> str:
            hidden = network.hidden[0] if len(network.hidden) == 1 else network.hidden
            return "bidirectional " * network.bidirectional + f"{network.cell_name} {hidden}"

        middle = f"{part(self.encoder)} => {part(self.decoder)}"
        return f"{type(self).__name__}({self.inputs} -> {middle} -> {self.outputs}, {self.size} genes)"

    def init_many(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` random genomes, shape (count, n): those of the encoder, then those of the decoder."""
        return np.concatenate(
            [self.encoder.init_many(rng, count), self.decoder.init_many(rng, count)], axis=1
        )

    def with_options(self, options: Mapping[str, float]) -> Self:
        """Raise ConfigError: encoder and decoder may have different cells, whose options are given when they are made."""
        raise ConfigError(
            "network.cell_options: those of an encoder and a decoder are given when they are made"
        )

    # --- Cost ---------------------------------------------------------------------------------------

    def moved_steps(self, batch: Batch) -> int:
        """Return the time steps of one pass over a batch: those of the encoder and those of the decoder."""
        return batch.moved_steps + int(self.sequence_entries(batch).sum())

    def forward_work(self, batch: Batch, genome: np.ndarray | None = None) -> int:
        """Return the multiply-adds of a forward pass of one genome over a batch."""
        return self._work(batch, 0)

    def backward_work(self, batch: Batch) -> int:
        """Return the multiply-adds of the backward pass of one genome over a batch, without the forward pass."""
        return self._work(batch, 1)

    def _work(self, batch: Batch, way: int) -> int:
        first, second = (works[way] for works in self._works)
        return first * batch.moved_steps + second * int(self.sequence_entries(batch).sum())

    def sequence_entries(self, batch: Batch) -> np.ndarray:
        """Return the number of symbols that the decoder is to choose for each sequence (B,), the stop among them."""
        assert batch.target_lengths is not None
        return batch.target_lengths + 1

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
            self.encoder.first_state,
            self._rows,
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
            if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
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

    # --- What it does not have ----------------------------------------------------------------------

    @property
    def _torch_cell(self) -> Cell:
        """Raise ConfigError: PyTorch has no module of both."""
        raise ConfigError(
            "to PyTorch go networks of one cell in one direction; use unpack and pack for others"
        )

    def _refuse(self, **given: Any) -> None:
        """Raise ConfigError for arguments that are not None."""
        for name, value in given.items():
            if value is not None:
                raise ConfigError(
                    f"{name}: an encoder-decoder has none: it reads whole sequences and writes others; see predict and decode"
                )

    def readout_states(self, genome: np.ndarray, x: np.ndarray, **given: Any) -> np.ndarray:
        """Raise ConfigError: the decoder sees no input of its time steps."""
        raise ConfigError(_NO_STATES)

    def population_states(self, genomes: np.ndarray, x: np.ndarray, **given: Any) -> np.ndarray:
        """Raise ConfigError: the decoder sees no input of its time steps."""
        raise ConfigError(_NO_STATES)

    def vjp(self, genome: np.ndarray, x: np.ndarray, output_gradient: np.ndarray, **given: Any) -> np.ndarray:
        """Raise ConfigError: see `loss_and_gradient`."""
        raise ConfigError("vjp: an encoder-decoder has none; see loss_and_gradient")


def _of_table(name: str, problem: str) -> str:
    """Return a sentence on a setting of the encoder or the decoder with the name of its table."""
    path = f"network.{name}."
    return problem if problem.startswith(path[:-1]) else problem.replace("network.", path, 1)


_NO_STATES = (
    "states: an encoder-decoder has no output for each time step of its inputs, so that there are no states beside these; "
    "see decode and predict"
)


def _problems_of_cells(name: str, network: Network) -> list[str]:
    """Return a sentence for each cell that cannot stand in an encoder or a decoder."""
    found = []
    for cell in dict.fromkeys(network.cells):
        for wrong, what in (
            (cell.sees_output, "sees the previous output"),
            (bool(cell.predecessors), "sees linked steps"),
            (bool(cell.noise), "declares noise"),
        ):
            if wrong:
                found.append(
                    f"network.{name}.cell: {cell.name} {what}, which an encoder-decoder does not have; choose gru, lstm or another "
                    "cell of a chain"
                )
    return found
