"""The compiled programs of a network, and the multiply-adds that they take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np

from evorrn.compile.work import work
from evorrn.data.batch import Batch
from evorrn.data.environment import Environment
from evorrn.engine.embedding import Embedding
from evorrn.engine.individuals.run import Simulator
from evorrn.engine.layers import Layers, Piece
from evorrn.engine.levels.forward import step_of
from evorrn.engine.levels.packing import KINDS, nodes_of_kinds
from evorrn.engine.model import Form, Modules
from evorrn.engine.passes import Pass
from evorrn.engine.programs import Programs
from evorrn.engine.wiring import Wiring
from evorrn.losses.sequence import SequenceLoss
from evorrn.network import whole
from evorrn.network.genomes import Genomes
from evorrn.network.layers import with_options
from evorrn.network.parts import WAYS, Part


class CompiledNetwork(Genomes):
    """An architecture with its compiled programs, which are compiled when first used."""

    @property
    def compile_seconds(self) -> float:
        """Seconds spent so far on compiling the programs of this network or loading them from the cache."""
        return self._modules.compile_seconds

    def kernel_source(self, environment: Environment | None = None) -> str:
        """Return the listings and the numba source that run the network, or what runs it in an environment."""
        return self._programs.source() if environment is None else self._simulator.source(environment)

    def with_options(self, options: Mapping[str, float]) -> Self:
        """Return this network with other numeric options of its cell; compiled programs are shared.

        Raises
        ------
        UnknownName
            For an option that the cell does not have.
        ConfigError
            When an activation would change.
        """
        given = with_options(self._layers, options)
        self._programs  # noqa: B018  (created before the copy, so that both share them)
        if not self.wired:
            self._simulator  # noqa: B018
        if any(cell.noise for cell in self.cells):
            self._noisy_programs  # noqa: B018
        other = object.__new__(
            type(self)
        )  # `copy` makes a network anew, which would compile its own programs
        vars(other).update(vars(self))
        other._set_layers(given)
        return other

    def _form_of(self, part: Part) -> Form:
        kind = "direct " * self.direct + "feedback " * self.feedback
        names = "+".join(dict.fromkeys(self.cells[layer].name for layer in part.layers)) or "readout"
        title = f"{kind}{names} x {len(part.layers)}, {self.loss_name}, {self.dtype.name}"
        feed = "" if self.fed_back == "output" else f"feed_{self.fed_back}"
        units = tuple(self.hidden[layer] for layer in part.layers)
        about = part.step, dict(part.sizes), units, self.dtype, self.loss_function, names
        return Form(*about, title, feed, backward=part.way == WAYS[1])

    @property
    def _form(self) -> Form:
        return self._form_of(self._only_part)

    @cached_property
    def _modules(self) -> Modules:
        return Modules()

    @cached_property
    def _programs(self) -> Any:
        return self._wiring() if self.wired else Programs(self._form, self._modules)

    def _wiring(self) -> Wiring:
        """Return the passes of the network, put together."""
        layers, embedding = self._pieces()
        return Wiring(Layers(layers[:-1], embedding), layers[-1][0], self.reads == "all", self.pool)

    def _pieces(self) -> tuple[list[list[Piece]], Embedding | None]:
        """Return the passes of each layer, the readout among them as the last one, and the embedding."""
        embedding = Embedding(self.inputs, self.embedding) if self.embedding else None
        genes, states, count = embedding.genes.stop if embedding else 0, 0, 0
        layers: list[list[Piece]] = []
        for number, layer in enumerate(self.parts):
            pieces = []
            for part in layer:
                form, wanted = self._form_of(part), number > 0 or embedding is not None
                made = Pass(form, self._modules, first=part.first, room=part.room, inputs=wanted)
                ends = genes + sum(math.prod(shape) for _, shape in part.blocks()), states + part.state_size
                pieces.append(Piece(made, slice(genes, ends[0]), slice(states, ends[1]), count))
                (genes, states), count = ends, count + 1
            layers.append(pieces)
        return layers, embedding

    @cached_property
    def _noisy_programs(self) -> Programs:
        """What runs the network with noise, which stands behind its inputs."""
        (part,) = self._divided(noisy=True)[0]
        return Programs(self._form_of(part), self._modules)

    @cached_property
    def _simulator(self) -> Simulator:
        return Simulator(self._form, self._modules)

    def _whole(self, loss: SequenceLoss, noise: int | None) -> whole.Run:
        """Return what computes a loss on whole sequences."""
        return whole.Run(self._running(noise), self._settings, loss, self.outputs)

    def _running(self, noise: int | None) -> Programs:
        return self._programs if noise is None else self._noisy_programs

    def sequence_entries(self, batch: Batch) -> np.ndarray:
        """Return the number of scored entries of each sequence (B,), see `evorrn.losses.base.Loss.entries`."""
        return self.loss_function.entries(batch.scored.sum(axis=1), self.outputs)

    # --- Cost --------------------------------------------------------------------------------------

    def forward_work(self, batch: Batch, genome: np.ndarray | None = None) -> int:
        """Return the multiply-adds of a forward pass of one genome over a batch.

        With a genome (n,) given, the zeros of recurrent matrices that have few other entries are not counted.
        """
        saved = 0 if genome is None else self._programs.saved_work(np.asarray(genome))
        if batch.links is not None:
            return self._linked_work(batch)[0]
        return (self.step_work[0] - saved) * batch.moved_steps

    def backward_work(self, batch: Batch) -> int:
        """Return the multiply-adds of the backward pass of one genome over a batch, without the forward pass.

        Under a loss on whole sequences it runs forward once more, which is counted here.
        """
        forward, backward = (cost * batch.moved_steps for cost in self.step_work)
        if batch.links is not None:
            forward, backward = self._linked_work(batch)
        return backward + (forward if isinstance(self.loss_function, SequenceLoss) else 0)

    def moved_steps(self, batch: Batch) -> int:
        """Return the time steps of one pass over a batch."""
        return batch.moved_steps

    def simulation_work(self, lengths: np.ndarray) -> int:
        """Return the multiply-adds of the network in episodes of the given lengths.

        The computations of the environment are not counted, since their cost is not known.
        """
        return self.step_work[0] * int(np.sum(lengths))

    @cached_property
    def step_work(self) -> tuple[int, int]:
        """Return the multiply-adds of one time step forward and of one backward."""
        found = [
            work(part.step, part.sizes, inputs=number > 0 or self.embedding > 0)
            for number, layer in enumerate(self.parts)
            for part in layer
        ]
        return sum(forward for forward, _ in found), sum(backward for _, backward in found)

    def _linked_work(self, batch: Batch) -> tuple[int, int]:
        """Return the multiply-adds forward and backward of a batch of linked steps, where a leaf costs less than a node."""
        total = np.zeros(2, np.int64)
        for kind, count in nodes_of_kinds(batch).items():
            total += count * np.array(self._work_of_kind[kind])
        return int(total[0]), int(total[1])

    @cached_property
    def _work_of_kind(self) -> dict[int, tuple[int, int]]:
        """The multiply-adds of each kind of nodes of linked steps."""
        return {kind: work(step_of(self.step, kind), self.sizes) for kind in KINDS}
