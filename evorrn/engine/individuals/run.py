"""Runs the episodes of a population in an environment; the program is compiled when it is first needed.

The work of an episode is that of its network: multiply-adds of a time step, times the number of steps. The
computations of an environment are not counted, since their cost is not known.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.data.faults import not_finite, state_text
from evorrn.engine.individuals import environments
from evorrn.engine.individuals.emit import SIMULATE, IndividualsEmitter
from evorrn.engine.individuals.environment_loops import EnvironmentLoops
from evorrn.engine.model import Form, Individuals, Model, Modules, Settings
from evorrn.kernels import machine, threads

if TYPE_CHECKING:
    from evorrn.data.environment import Environment

VECTORS = 2
"""The number of vectors of lanes in a tile, if there are enough pairs to fill them."""


class Trajectory(NamedTuple):
    """One episode, time step by time step.

    Attributes
    ----------
    observations : ndarray, shape (T, I)
    actions : ndarray, shape (T, O)
    rewards : ndarray, shape (T,)
        The reward after each action.
    states : ndarray, shape (T, S)
        The observed states, float64.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    states: np.ndarray


class Simulator:
    """Runs one network in environments; used only by `Network`.

    Parameters
    ----------
    form : Form
    modules : Modules
    """

    def __init__(self, form: Form, modules: Modules) -> None:
        self._form = form
        self._inputs, self._outputs = form.sizes["I"], form.sizes["O"]
        self._model = Model(form)
        self._modules = modules

    def simulate(
        self,
        genomes: np.ndarray,
        settings: Settings,
        environment: Environment,
        starts: np.ndarray,
        time_limit: int | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return returns (P, E) and lengths (P, E); see `Network.simulate`."""
        individuals = self._model.individuals(genomes, settings)
        returns, lengths, _ = self._run(individuals, environment, starts, time_limit, record=False)
        if np.isinf(returns).any():
            person, episode = np.argwhere(np.isinf(returns))[0]
            start, steps = np.asarray(starts)[episode], int(lengths[person, episode])
            raise _fault(
                environment, start, self.trajectory(genomes[person], settings, environment, start, steps)
            )
        return returns, lengths

    def trajectory(
        self,
        genome: np.ndarray,
        settings: Settings,
        environment: Environment,
        start: np.ndarray,
        time_limit: int | None,
    ) -> Trajectory:
        """Return one episode; see `Network.trajectory`."""
        individual = self._model.individuals(genome[None], settings)
        _, lengths, record = self._run(
            individual, environment, np.asarray(start)[None], time_limit, record=True
        )
        return Trajectory(*(series[: int(lengths[0, 0])] for series in record))

    def source(self, environment: Environment) -> str:
        """Return the emitted source of the program for an environment."""
        return self._emitter(self._loops(environment)).simulate()

    def _run(
        self,
        individuals: Individuals,
        environment: Environment,
        starts: np.ndarray,
        time_limit: int | None,
        record: bool,
    ) -> tuple[np.ndarray, np.ndarray, Trajectory]:
        loops = self._loops(environment)
        begins = environments.checked_starts(environment, starts)
        limit = environments.checked_limit(environment, time_limit)
        program = self._module(environment, loops, begins[:1]).simulate
        return self._call(program, loops, individuals, begins, limit, limit if record else 0)

    def _call(
        self,
        program: Any,
        loops: EnvironmentLoops,
        individuals: Individuals,
        starts: np.ndarray,
        limit: int,
        recorded: int,
    ) -> tuple[np.ndarray, np.ndarray, Trajectory]:
        count, dtype = len(individuals.genomes), self._model.dtype
        pairs = count * len(starts)
        vector = machine.lanes(dtype)
        # In plain Python, another thread could read the queue before this one has added 1 to it.
        workers = min(threads.get_threads(), -(-pairs // vector)) if machine.compiling() else 1
        lanes = vector * min(VECTORS, -(-pairs // (workers * vector)))
        record = Trajectory(
            np.zeros((recorded, loops.observations), dtype),
            np.zeros((recorded, loops.actions), dtype),
            np.zeros(recorded),
            np.zeros((recorded, loops.states)),
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

    def _loops(self, environment: Environment) -> EnvironmentLoops:
        """Return the emitter of an environment's loops; raise ConfigError when it does not fit the network."""
        environments.check_fits(environment, self._inputs, self._outputs)
        return environments.environment_loops(environment)

    def _emitter(self, loops: EnvironmentLoops) -> IndividualsEmitter:
        return IndividualsEmitter(self._form, loops)

    def _module(self, environment: Environment, loops: EnvironmentLoops, start: np.ndarray) -> ModuleType:
        """Return the module of the program for an environment."""

        def make() -> ModuleType:
            label = f"{self._model.label}_{environment.name.replace('-', '_')}"
            return environments.program_module(environment, self._emitter(loops).simulate(), label)

        def call(module: ModuleType) -> None:
            with environments.explained(environment):
                self._call(module.simulate, loops, self._model.zero_individual(), start, 1, 0)

        return self._modules.get(loops, make, call)


def _fault(environment: Environment, start: np.ndarray, episode: Trajectory) -> EvorrnError:
    """Return the error for an episode that ended with a number of the environment that is not finite."""
    name, where = environment.name, state_text(start)
    for step, observation in enumerate(episode.observations):
        if not np.isfinite(observation).all():
            return not_finite(name, "observation", observation, step, where)
    last = episode.rewards[-1:]
    if not np.isfinite(last).all():
        return not_finite(name, "reward", last, len(episode.rewards), where)
    total = np.array([np.inf])  # of finite rewards
    return not_finite(name, "sum of rewards", total, len(episode.rewards), where)
