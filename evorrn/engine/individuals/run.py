"""Episodes of a population in an environment: checked, compiled when first needed, and run.

The work of an episode is that of its network, `Network.simulation_work`: multiply-adds a time step, times
steps. What an environment itself computes is counted in steps alone, since only its author knows its cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.engine.individuals import worlds
from evorrn.engine.individuals.emit import SIMULATE, IndividualsEmitter
from evorrn.engine.individuals.moving import World
from evorrn.engine.model import Form, Individuals, Model, Modules
from evorrn.kernels import machine, threads

if TYPE_CHECKING:
    from evorrn.data.environment import Environment

VECTORS = 2
"""Vectors of lanes of a tile, where there are pairs enough to fill them."""


class Trajectory(NamedTuple):
    """One episode, time step by time step.

    Attributes
    ----------
    observations : ndarray, shape (T, I)
    actions : ndarray, shape (T, O)
    rewards : ndarray, shape (T,)
        The reward of the step that the action made.
    states : ndarray, shape (T, S)
        The state that was observed, float64.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    states: np.ndarray


class Simulator:
    """What lets one network act in environments; private to `Network`."""

    def __init__(self, form: Form, modules: Modules) -> None:
        self._form = form
        self._inputs, self._outputs = form.sizes["I"], form.sizes["O"]
        self._model = Model(form)
        self._modules = modules

    def simulate(
        self,
        genomes: np.ndarray,
        numbers: Mapping[str, float],
        environment: Environment,
        starts: np.ndarray,
        time_limit: int | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return returns (P, E) and lengths (P, E); see `Network.simulate`."""
        individuals = self._model.individuals(genomes, numbers)
        returns, lengths, _ = self._run(individuals, environment, starts, time_limit, record=False)
        return returns, lengths

    def trajectory(
        self,
        genome: np.ndarray,
        numbers: Mapping[str, float],
        environment: Environment,
        start: np.ndarray,
        time_limit: int | None,
    ) -> Trajectory:
        """Return one episode; see `Network.trajectory`."""
        individual = self._model.individuals(genome[None], numbers)
        _, lengths, record = self._run(
            individual, environment, np.asarray(start)[None], time_limit, record=True
        )
        return Trajectory(*(series[: int(lengths[0, 0])] for series in record))

    def source(self, environment: Environment) -> str:
        """Return the emitted source of the program for an environment."""
        return self._emitter(self._world(environment)).simulate()

    def _run(
        self,
        individuals: Individuals,
        environment: Environment,
        starts: np.ndarray,
        time_limit: int | None,
        record: bool,
    ) -> tuple[np.ndarray, np.ndarray, Trajectory]:
        world = self._world(environment)
        begins = worlds.checked_starts(environment, starts)
        limit = worlds.checked_limit(environment, time_limit)
        program = self._module(environment, world, begins[:1]).simulate
        return self._call(program, world, individuals, begins, limit, limit if record else 0)

    def _call(
        self,
        program: Any,
        world: World,
        individuals: Individuals,
        starts: np.ndarray,
        limit: int,
        recorded: int,
    ) -> tuple[np.ndarray, np.ndarray, Trajectory]:
        count, dtype = len(individuals.genomes), self._model.dtype
        pairs = count * len(starts)
        vector = machine.lanes(dtype)
        # Plain Python cannot count up the queue without another thread in between.
        workers = min(threads.get_threads(), -(-pairs // vector)) if machine.compiling() else 1
        lanes = vector * min(VECTORS, -(-pairs // (workers * vector)))
        record = Trajectory(
            np.zeros((recorded, world.observations), dtype),
            np.zeros((recorded, world.actions), dtype),
            np.zeros(recorded),
            np.zeros((recorded, world.states)),
        )
        returns = np.full((count, len(starts)), np.nan)
        lengths = np.zeros(returns.shape, np.int64)
        threads.share(
            workers,
            program,
            *SIMULATE.ordered(
                n_lanes=lanes,
                **individuals._asdict(),
                starts=starts,
                limit=limit,
                queue=np.zeros(1, np.int64),
                returns=returns,
                lengths=lengths,
                **record._asdict(),
            ),
        )
        return returns, lengths, record

    def _world(self, environment: Environment) -> World:
        worlds.check(environment)
        found = [
            f"environment {environment.name}: {theirs} {what}, but the network has {ours} {side}"
            for what, theirs, side, ours in (
                ("observations", environment.observations, "inputs", self._inputs),
                ("actions", environment.actions, "outputs", self._outputs),
            )
            if theirs != ours
        ]
        if found:
            raise ConfigError(found)
        return worlds.world(environment)

    def _emitter(self, world: World) -> IndividualsEmitter:
        return IndividualsEmitter(self._form, world)

    def _module(self, environment: Environment, world: World, start: np.ndarray) -> ModuleType:
        """Return the module of an environment's program."""

        def make() -> ModuleType:
            label = f"{self._model.label}_{environment.name.replace('-', '_')}"
            return worlds.module(environment, self._emitter(world).simulate(), label)

        def call(module: ModuleType) -> None:
            with worlds.explained(environment):
                self._call(module.simulate, world, self._model.zero_individual(), start, 1, 0)

        return self._modules.get(world, make, call)
