"""How close online estimates of the gradient come to the exact one along a run's training, which is repeated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.files import jsonable, write_atomic
from evorrn.diagnostics.estimates import gradient_cosines
from evorrn.lab.runs.assessments import assessment_of
from evorrn.lab.runs.spec import resolve_stored
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.study.diagnosis import excerpt
from evorrn.strategies.online.crbp import CRBP
from evorrn.strategies.online.e_prop import EProp
from evorrn.strategies.online.kf_rtrl import KFRTRL
from evorrn.strategies.online.learning import OnlineStrategy
from evorrn.strategies.online.rflo import RFLO
from evorrn.strategies.online.rtrl import RTRL
from evorrn.strategies.online.snap import SnAp
from evorrn.strategies.online.uoro import UORO
from evorrn.training.problem import Problem
from evorrn.training.trainer import Trainer

METHODS: dict[str, OnlineStrategy] = {
    "rtrl": RTRL(),
    "snap": SnAp(),
    "snap, order 2": SnAp(order=2),
    "e-prop": EProp(),
    "e-prop, random feedback": EProp(feedback="random"),
    "rflo": RFLO(),
    "crbp, window 2": CRBP(window=2),
    "kf-rtrl": KFRTRL(),
    "uoro": UORO(),
}
"""The methods that are compared, each where it can train the network."""

STEPS = (1, 2, 5)
"""Where genomes are taken: before the first step of training, and after these numbers of steps times powers of ten."""


@dataclass(frozen=True)
class Estimates:
    """The cosines between estimates and the exact gradient along training.

    Attributes
    ----------
    name : str
        Of the run.
    step_name : str
        What a step of training is called.
    steps : tuple of int
        The number of steps of training before each row.
    cosines : dict of str to ndarray
        One a method, shape (len(steps),); NaN where a gradient is zero.
    refused : dict of str to str
        Why a method cannot train the network.
    """

    name: str
    step_name: str
    steps: tuple[int, ...]
    cosines: dict[str, np.ndarray]
    refused: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as strict JSON."""
        cosines = {name: values.tolist() for name, values in self.cosines.items()}
        made = {"run": self.name, "steps": self.steps, "cosines": cosines, "refused": self.refused}
        return jsonable(made)  # type: ignore[no-any-return]


def estimates_along(run: RunFolder, most: int, seed: int = 0) -> Estimates:
    """Repeat the training of a run, and compare the estimates of the gradient along it.

    Parameters
    ----------
    run : RunFolder
    most : int
        The last step of training that is repeated.
    seed : int
        Of random methods.

    Raises
    ------
    ConfigError
        When the strategy of the run does not improve one network step by step.
    """
    spec = resolve_stored(run.path)
    problem = assessment_of(spec).problem(spec.network)
    if not isinstance(problem, Problem):
        raise ConfigError(
            "estimates: expected a run that is trained on data, as a gradient belongs to a loss on them"
        )
    trainer = Trainer(spec.strategy, problem, seed=spec.seed, budget=spec.budget)
    taken = sorted({0, *(n * 10**power for power in range(7) for n in STEPS if n * 10**power <= most)})
    genomes, reached = [], []
    for step in range(taken[-1] + 1):
        if step in taken:
            genome = trainer.state()["strategy"].get("genome")
            if genome is None:
                raise ConfigError(
                    f"estimates: expected a strategy that improves one network by gradients, such as bptt or rtrl; got "
                    f"{spec.strategy.name}"
                )
            genomes.append(np.array(genome))
            reached.append(step)
        if trainer.check():
            break
        trainer.step()
    batch = excerpt(problem.train)
    checked = Problem(spec.network, batch)
    refused = {name: method.refusals(checked) for name, method in METHODS.items()}
    usable = {name: method for name, method in METHODS.items() if not refused[name]}
    found = gradient_cosines(spec.network, np.array(genomes), batch, list(usable.values()), seed=seed)
    return Estimates(
        run.path.name,
        spec.strategy.step_name,
        tuple(reached),
        {name: found[:, column] for column, name in enumerate(usable)},
        {name: sentences[0] for name, sentences in refused.items() if sentences},
    )


def write_estimates(made: Estimates, folder: Path) -> Path:
    """Write ``estimates.json`` to a folder, and return its path."""
    path = folder / "estimates.json"
    write_atomic(path, json.dumps(made.as_dict(), indent=1) + "\n")
    return path
