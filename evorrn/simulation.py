"""Episodes of a population in an environment: checked, compiled when first needed, and run.

The work of an episode is that of its network, `Network.simulation_work`: multiply-adds a time step, times
steps. What an environment itself computes is counted in steps alone, since only its author knows its cost.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evorrn import worlds
from evorrn.compile.individuals import IndividualsEmitter
from evorrn.compile.moving import World
from evorrn.errors import ConfigError
from evorrn.kernels import machine, threads

if TYPE_CHECKING:
    from evorrn.environment import Environment
    from evorrn.network import Network

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

    def __init__(self, network: Network) -> None:
        self.compile_seconds = 0.0
        self._dtype = network.dtype
        self._inputs, self._outputs = network.inputs, network.outputs
        self._step = network.step
        self._label = network.cell.name.replace("-", "_")
        self._title = f"{network.cell.name} x {len(network.hidden)}, {network.dtype.name}"
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in network.blocks.values())])
        self._sizes = np.array([network.sizes[name] for name in network.step.dimensions], np.int64)
        self._offsets = ends.astype(np.int64)
        self._modules: dict[World, ModuleType] = {}

    def simulate(
        self,
        genomes: np.ndarray,
        numbers: Mapping[str, float],
        environment: Environment,
        starts: np.ndarray,
        time_limit: int | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return returns (P, E) and lengths (P, E); see `Network.simulate`."""
        returns, lengths, _ = self._run(genomes, numbers, environment, starts, time_limit, record=False)
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
        _, lengths, record = self._run(
            genome[None], numbers, environment, np.asarray(start)[None], time_limit, record=True
        )
        return Trajectory(*(series[: int(lengths[0, 0])] for series in record))

    def source(self, environment: Environment) -> str:
        """Return the emitted source of the program for an environment."""
        return self._emitter(self._world(environment)).simulate()

    def _run(
        self,
        genomes: np.ndarray,
        numbers: Mapping[str, float],
        environment: Environment,
        starts: np.ndarray,
        time_limit: int | None,
        record: bool,
    ) -> tuple[np.ndarray, np.ndarray, Trajectory]:
        world = self._world(environment)
        begins = worlds.checked_starts(environment, starts)
        limit = worlds.checked_limit(environment, time_limit)
        program = self._module(environment, world, begins[:1]).simulate
        return self._call(program, world, genomes, numbers, begins, limit, limit if record else 0)

    def _call(
        self,
        program: Any,
        world: World,
        genomes: np.ndarray,
        numbers: Mapping[str, float],
        starts: np.ndarray,
        limit: int,
        recorded: int,
    ) -> tuple[np.ndarray, np.ndarray, Trajectory]:
        pairs = len(genomes) * len(starts)
        vector = machine.lanes(self._dtype)
        # Plain Python cannot count up the queue without another thread in between.
        workers = min(threads.get_threads(), -(-pairs // vector)) if machine.compiling() else 1
        lanes = vector * min(VECTORS, -(-pairs // (workers * vector)))
        record = Trajectory(
            np.zeros((recorded, world.observations), self._dtype),
            np.zeros((recorded, world.actions), self._dtype),
            np.zeros(recorded),
            np.zeros((recorded, world.states)),
        )
        returns = np.full((len(genomes), len(starts)), np.nan)
        lengths = np.zeros(returns.shape, np.int64)
        options = [numbers[name.split(".", 1)[1]] for name in self._step.options]
        threads.share(
            workers,
            program,
            lanes,
            genomes,
            np.array(options or [0.0], self._dtype),
            self._sizes,
            self._offsets,
            starts,
            limit,
            np.zeros(1, np.int64),
            returns,
            lengths,
            *record,
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
        return IndividualsEmitter(self._step, self._title, self._dtype.name, world)

    def _module(self, environment: Environment, world: World, start: np.ndarray) -> ModuleType:
        """Return the module of an environment's program, and count making it ready as compiling."""
        if world not in self._modules:
            started = time.perf_counter()
            source = self._emitter(world).simulate()
            module = worlds.module(environment, source, f"{self._label}_{environment.name.replace('-', '_')}")
            genome = np.zeros((1, int(self._offsets[-1])), self._dtype)
            numbers = dict.fromkeys((name.split(".", 1)[1] for name in self._step.options), 1.0)
            with worlds.explained(environment):
                self._call(module.simulate, world, genome, numbers, start, 1, 0)
            self._modules[world] = module
            self.compile_seconds += time.perf_counter() - started
        return self._modules[world]
