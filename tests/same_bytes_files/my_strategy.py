from dataclasses import dataclass

import numpy as np

from evorrn import Strategy


@dataclass(frozen=True)
class Climb(Strategy):
    """Keep a random step if it is uphill."""

    name, requires = "climb", frozenset({"fitness"})

    def start(self, problem, rng):
        start = {"rng": dict(rng.bit_generator.state), "finished": "", "record": {}}
        return {**start, "candidate": problem.init(rng, 1)[0], "train_loss": np.inf}

    def step(self, problem, state):
        bits = np.random.PCG64()
        bits.state = state["rng"]
        rng = np.random.Generator(bits)
        genomes = state["candidate"] + 0.1 * rng.standard_normal((6, problem.size))
        fitness = problem.fitness(genomes)
        best = fitness.argmax()
        state = {**state, "rng": dict(bits.state)}
        if -fitness[best] < state["train_loss"]:
            state |= {"candidate": genomes[best], "train_loss": float(-fitness[best])}
        return state
