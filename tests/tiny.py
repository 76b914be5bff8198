"""A task and a strategy that a test can read at a glance, named in specs as ``tiny.py:Wave`` and ``tiny.py:Walk``."""

import os
import time
from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn.strategies.base import Strategy, generator, generator_state

HERE = __file__
WAVE, WALK = f"{HERE}:Wave", f"{HERE}:Walk"


@dataclass(frozen=True)
class Wave(Task):
    """A sine wave with noise, whose next value is wanted."""

    name = "wave"

    noise: float = setting(0.1, "deviation of the noise", minimum=0)
    horizon: int = setting(1, "steps ahead", minimum=1)

    inputs = 1
    outputs = 1

    def data(self, seed):
        rng = np.random.default_rng(seed)
        values = np.sin(np.arange(121) / 3) + self.noise * rng.standard_normal(121)
        batches = []
        for start in (0, 40, 80):
            part = values[start : start + 41]
            batches.append(Batch(part[None, :-1, None], part[None, 1:, None]))
        return Splits(*batches)

    def baselines(self, splits):
        return {"persistence": np.asarray(splits.test.inputs)}

    def recommended(self, strategy):
        return Recommended({"cell": "elman", "hidden": 3}, {"size": 0.25} if strategy == "walk" else {})


@dataclass(frozen=True)
class Walk(Strategy):
    """A random walk from a random genome that never goes back to a worse one."""

    name = "walk"
    step_name = "stride"
    requires = frozenset({"fitness"})
    network_defaults = {"hidden": 5, "dtype": "float64"}  # noqa: RUF012

    size: float = setting(0.5, "deviation of a stride", above=0)
    limit: int | None = setting(None, "strides after which nothing is left to do")
    pause: float = setting(0.0, "seconds that a stride takes longer", minimum=0)
    breaks_at: int = setting(-1, "stride that fails")
    explodes: bool = setting(False, "whether genomes are so large that every output is infinite")
    refuses: bool = setting(False, "whether the strategy cannot start")

    def start(self, problem, rng):
        if self.refuses:
            from evorrn.base.errors import ConfigError

            raise ConfigError("strategy.refuses: expected false, got true")
        genome = problem.init(rng, 1)[0].astype(np.float64)
        if self.explodes:
            genome[:] = 1e308
        state = {"candidate": genome, "train_loss": np.inf, "finished": "", "record": {"stride": 0}}
        return {**state, "rng": generator_state(rng)}

    def step(self, problem, state):
        number = state["record"]["stride"] + 1
        time.sleep(max(self.pause, float(os.environ.get("STRIDE_SECONDS", "0"))))
        if number == self.breaks_at:
            raise RuntimeError("the stride broke")
        rng = generator(state)
        here = state["candidate"]
        there = here + (0 if self.explodes else self.size * rng.standard_normal(here.size))
        losses = -problem.fitness(np.stack([here, there]))
        best = int(losses[1] < losses[0])
        return {
            "candidate": (here, there)[best],
            "train_loss": float(losses[best]),
            "finished": "walked enough" if number == self.limit else "",
            "record": {"stride": number},
            "rng": generator_state(rng),
        }


def raw(budget="40gen", **strategy):
    """Return a spec as typed of a walk along a wave."""
    return {"budget": budget, "task": {"name": WAVE}, "strategy": {"name": WALK, **strategy}}
