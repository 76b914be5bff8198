from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from evorrn.settings import setting

from evorrn.strategies.base import State, Strategy, generator, generator_state

if TYPE_CHECKING:
    from evorrn.problem import Problem


@dataclass(frozen=True)
class Guess(Strategy):
    """Draws networks and keeps the best."""

    name: ClassVar[str] = "guess"
    step_name: ClassVar[str] = "draw"
    requires: ClassVar[frozenset[str]] = frozenset({"fitness"})
    count: int = setting(8, "networks drawn and evaluated together in one step", minimum=1)

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        loss = {"train_loss": math.inf, "candidate": None}
        return {"rng": generator_state(rng), "finished": "", "record": {}, **loss}

    def step(self, problem: Problem, state: State) -> State:
        rng = generator(state)
        genomes = problem.init(rng, self.count)
        fitness = problem.fitness(genomes)
        best = int(fitness.argmax())
        state = {**state, "rng": generator_state(rng), "record": {"fitness_mean": float(fitness.mean())}}
        if -fitness[best] < state["train_loss"]:
            state |= {"candidate": genomes[best], "train_loss": float(-fitness[best])}
        return state
