"""evorrn: recurrent networks, trained in more than one way and compared fairly.

Everything public can be imported from here; what is imported is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Network": "evorrn.network",
    "Batch": "evorrn.batch",
    "Task": "evorrn.task",
    "Environment": "evorrn.environment",
    "Splits": "evorrn.task",
    "Scaling": "evorrn.task",
    "Problem": "evorrn.problem",
    "Meter": "evorrn.metered",
    "Budget": "evorrn.budget",
    "Result": "evorrn.result",
    "load": "evorrn.result",
    "results": "evorrn.lab.results",
    "load_search": "evorrn.strategies.search",
    "Strategy": "evorrn.strategies.base",
    "EvolutionStrategy": "evorrn.strategies.base",
    "GeneticAlgorithm": "evorrn.strategies.evolution.genetic_algorithm",
    "PopulationStrategy": "evorrn.strategies.evolution.population",
    "CMAES": "evorrn.strategies.evolution.cma_es",
    "SepCMAES": "evorrn.strategies.evolution.sep_cma_es",
    "LMMAES": "evorrn.strategies.evolution.lm_ma_es",
    "SNES": "evorrn.strategies.evolution.snes",
    "XNES": "evorrn.strategies.evolution.xnes",
    "TruncationGA": "evorrn.strategies.evolution.truncation_ga",
    "OpenAIES": "evorrn.strategies.evolution.openai_es",
    "PGPE": "evorrn.strategies.evolution.pgpe",
    "OnePlusOneES": "evorrn.strategies.evolution.one_plus_one_es",
    "DifferentialEvolution": "evorrn.strategies.evolution.differential_evolution",
    "SHADE": "evorrn.strategies.evolution.shade",
    "ParticleSwarm": "evorrn.strategies.evolution.particle_swarm",
    "RandomSearch": "evorrn.strategies.evolution.random_search",
    "ESP": "evorrn.strategies.evolution.esp",
    "CoSyNE": "evorrn.strategies.evolution.cosyne",
    "Evolino": "evorrn.strategies.evolution.evolino",
    "EvolvedReservoir": "evorrn.strategies.hybrid.evolved_reservoir",
    "Then": "evorrn.strategies.hybrid.then",
    "EchoState": "evorrn.strategies.reservoir.echo_state",
    "BPTT": "evorrn.strategies.gradient.bptt",
    "cell": "evorrn.compile.grammar",
    "EvorrnError": "evorrn.errors",
    "StopTraining": "evorrn.errors",
    "set_threads": "evorrn.kernels.threads",
}
_ACTIVATIONS = (
    "tanh",
    "sigmoid",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "swish",
    "softplus",
    "identity",
    "exp",
)
_HOMES.update(dict.fromkeys(_ACTIVATIONS, "evorrn.compile.ops"))

__all__ = ["__version__", "task", "tasks", *sorted(_HOMES)]


if "EVORRN_VECTOR" in os.environ:  # before anybody's numba function is made
    from evorrn.kernels.machine import limit_compiler

    limit_compiler()


def tasks() -> list[str]:
    """Return the names of all tasks."""
    from evorrn import registry

    return list(registry.tasks())


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name == "task":  # the module is also the function
        return importlib.import_module("evorrn.task")
    raise AttributeError(f"module 'evorrn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from evorrn.batch import Batch as Batch
    from evorrn.budget import Budget as Budget
    from evorrn.compile.grammar import cell as cell
    from evorrn.environment import Environment as Environment
    from evorrn.errors import EvorrnError as EvorrnError
    from evorrn.errors import StopTraining as StopTraining
    from evorrn.kernels.threads import set_threads as set_threads
    from evorrn.lab.results import results as results
    from evorrn.metered import Meter as Meter
    from evorrn.network import Network as Network
    from evorrn.problem import Problem as Problem
    from evorrn.result import Result as Result
    from evorrn.result import load as load
    from evorrn.strategies.base import EvolutionStrategy as EvolutionStrategy
    from evorrn.strategies.base import Strategy as Strategy
    from evorrn.strategies.evolution.cma_es import CMAES as CMAES
    from evorrn.strategies.evolution.cosyne import CoSyNE as CoSyNE
    from evorrn.strategies.evolution.differential_evolution import (
        DifferentialEvolution as DifferentialEvolution,
    )
    from evorrn.strategies.evolution.esp import ESP as ESP
    from evorrn.strategies.evolution.evolino import Evolino as Evolino
    from evorrn.strategies.evolution.genetic_algorithm import GeneticAlgorithm as GeneticAlgorithm
    from evorrn.strategies.evolution.lm_ma_es import LMMAES as LMMAES
    from evorrn.strategies.evolution.one_plus_one_es import OnePlusOneES as OnePlusOneES
    from evorrn.strategies.evolution.openai_es import OpenAIES as OpenAIES
    from evorrn.strategies.evolution.particle_swarm import ParticleSwarm as ParticleSwarm
    from evorrn.strategies.evolution.pgpe import PGPE as PGPE
    from evorrn.strategies.evolution.population import PopulationStrategy as PopulationStrategy
    from evorrn.strategies.evolution.random_search import RandomSearch as RandomSearch
    from evorrn.strategies.evolution.sep_cma_es import SepCMAES as SepCMAES
    from evorrn.strategies.evolution.shade import SHADE as SHADE
    from evorrn.strategies.evolution.snes import SNES as SNES
    from evorrn.strategies.evolution.truncation_ga import TruncationGA as TruncationGA
    from evorrn.strategies.evolution.xnes import XNES as XNES
    from evorrn.strategies.gradient.bptt import BPTT as BPTT
    from evorrn.strategies.hybrid.evolved_reservoir import EvolvedReservoir as EvolvedReservoir
    from evorrn.strategies.hybrid.then import Then as Then
    from evorrn.strategies.reservoir.echo_state import EchoState as EchoState
    from evorrn.strategies.search import load_search as load_search
    from evorrn.task import Scaling as Scaling
    from evorrn.task import Splits as Splits
    from evorrn.task import Task as Task

    def task(name: str, **settings: Any) -> Task:
        """Make a task by its name."""
