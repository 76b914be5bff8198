"""The compiled programs of a network, and the multiply-adds that they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Self

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.compile.work import work
from evorrn.data.batch import Batch
from evorrn.data.environment import Environment
from evorrn.engine.individuals.run import Simulator
from evorrn.engine.levels.forward import step_of
from evorrn.engine.levels.packing import KINDS, nodes_of_kinds
from evorrn.engine.model import Form, Modules
from evorrn.engine.programs import Programs
from evorrn.losses.sequence import SequenceLoss
from evorrn.network import whole
from evorrn.network.architecture import Architecture


class CompiledNetwork(Architecture):
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
        given = self.cell.check_options({**self.cell_options, **options})
        if (given.functions, given.sizes) != (self._options.functions, self._options.sizes):
            raise ConfigError(
                "network.cell_options: an activation or a size cannot be changed after a network is made"
            )
        self._programs, self._simulator  # noqa: B018  (created before the copy, so that both share them)
        if self.cell.noise:
            self._noisy_programs  # noqa: B018
        other = object.__new__(
            type(self)
        )  # `copy` makes a network anew, which would compile its own programs
        vars(other).update(vars(self))
        other._set_options(given)
        return other

    @cached_property
    def _form(self) -> Form:
        kind = "direct " * self.direct + "feedback " * self.feedback
        title = f"{kind}{self.cell.name} x {len(self.hidden)}, {self.loss_name}, {self.dtype.name}"
        feed = "" if self.fed_back == "output" else f"feed_{self.fed_back}"
        return Form(
            self.step, self.sizes, self.hidden, self.dtype, self.loss_function, self.cell.name, title, feed
        )

    @cached_property
    def _modules(self) -> Modules:
        return Modules()

    @cached_property
    def _programs(self) -> Programs:
        return Programs(self._form, self._modules)

    @cached_property
    def _noisy_programs(self) -> Programs:
        """What runs the network with noise, which stands behind its inputs."""
        step = self._composed(self._options, noisy=True)
        return Programs(replace(self._form, step=step, sizes=self._sizes_of(step)), self._modules)

    @cached_property
    def _simulator(self) -> Simulator:
        return Simulator(self._form, self._modules)

    def _whole(self, loss: SequenceLoss, noise: int | None) -> whole.Run:
        """Return what computes a loss on whole sequences."""
        return whole.Run(self._running(noise), self._settings, loss, self.outputs)

    def _running(self, noise: int | None) -> Programs:
        return self._programs if noise is None else self._noisy_programs

    def _scored_entries(self, batch: Batch) -> np.ndarray:
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

    def simulation_work(self, lengths: np.ndarray) -> int:
        """Return the multiply-adds of the network in episodes of the given lengths.

        The computations of the environment are not counted, since their cost is not known.
        """
        return self.step_work[0] * int(np.sum(lengths))

    @cached_property
    def step_work(self) -> tuple[int, int]:
        """Return the multiply-adds of one time step forward and of one backward."""
        return work(self.step, self.sizes)

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
