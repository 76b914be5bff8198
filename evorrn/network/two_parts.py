"""The base of encoder-decoders: two networks as one, its settings, its genomes and its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.compile.cell import Cell
from evorrn.compile.work import work
from evorrn.data.batch import Batch
from evorrn.network import parts
from evorrn.network.encoder_settings import (
    DECODER,
    ENCODER,
    checked_table,
    problems_of_cells,
    problems_of_symbols,
)
from evorrn.network.handover import handed_over, with_context_size
from evorrn.network.network import Network
from evorrn.network.pairs import Ends
from evorrn.network.symbols import SymbolEntropy


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


class TwoParts(Network):
    """The part of an `EncoderDecoder` that computes nothing: its settings, its genomes and its cost.

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
        sized = not problems
        made: dict[str, Network] = {}
        for name, kind, known, given, sizes in (
            ("encoder", Reader, ENCODER, encoder, (inputs, 1, "mse")),
            ("decoder", Network, DECODER, decoder, (outputs, outputs, "cross-entropy")),
        ):
            try:
                table = checked_table(name, given, known, embedding)
                unfit = problems_of_cells(name, table.get("cell", ""))
                problems += unfit
                if not sized or unfit:
                    continue
                if name == "decoder" and "encoder" in made:
                    table = with_context_size(table, made["encoder"])
                made[name] = kind(sizes[0], sizes[1], loss=sizes[2], dtype=dtype, **table)
            except ConfigError as error:
                problems += [_of_table(name, known, each) for each in error.problems]
        if not problems:
            try:
                self._handed = handed_over(made["encoder"], made["decoder"])
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(list(dict.fromkeys(problems)))
        assert start is not None and stop is not None
        self.inputs, self.outputs, self.embedding = int(inputs), int(outputs), int(embedding)
        self.start, self.stop = int(start), int(stop)
        self._join(**made)

    def _join(self, encoder: Network, decoder: Network) -> None:
        """Set what follows from the two parts: those of the encoder come first everywhere."""
        self.encoder, self.decoder = encoder, decoder
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
        named = {"encoder": encoder, "decoder": decoder}.items()
        blocks = [(name, network, block) for name, network in named for block in network.layout]
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
        for network in (encoder, decoder):
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
        return self.decoder.state_size

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

    # --- What it does not have ----------------------------------------------------------------------

    @property
    def _torch_cell(self) -> Cell:
        """Raise ConfigError: PyTorch has no module of both."""
        raise ConfigError(
            "to PyTorch go networks of one cell, no encoder-decoders; use unpack and pack for others"
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


def _of_table(name: str, known: Sequence[str], problem: str) -> str:
    """Return a sentence on a setting of the encoder or the decoder with the name of its table."""
    setting = problem.partition(":")[0].removeprefix("network.").partition(".")[0]
    return problem.replace("network.", f"network.{name}.", 1) if setting in known else problem


_NO_STATES = (
    "states: an encoder-decoder has no output for each time step of its inputs, so that there are no states beside these; "
    "see decode and predict"
)
