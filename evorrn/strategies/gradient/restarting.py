"""The base of strategies that improve one network, and start again when validation no longer improves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import COPIES, FLOAT, State, Strategy, generator, generator_state

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.meter import MeteredProblem

KEPT, KEPT_BYTES = 8, 2**28
"""Values that a backward pass keeps of each number of the state at each time step, and the bytes that it keeps at most."""


@dataclass(frozen=True)
class Restarting(Strategy):
    """Base of strategies that improve one network step by step, and start again from a random one.

    When the validation loss has not improved for `patience` steps, training restarts from a new random network, so that
    the whole budget is used. A subclass defines `fresh` and `advance`.
    """

    step_name: ClassVar[str] = "epoch"
    requires: ClassVar[frozenset[str]] = frozenset({"gradient"})

    patience: int = setting(
        50, "steps without improvement on validation after which training stops; 0 for never", minimum=0
    )
    improvement: float = setting(
        1e-3,
        "smallest decrease of the validation loss that counts as an improvement, as a share of it",
        minimum=0,
        below=1,
    )
    restarts: int | None = setting(
        None, "restarts after early stopping; by default as many as the budget allows", minimum=0
    )

    @property
    def ends_by_itself(self) -> bool:
        """Whether `patience` and `restarts` are set."""
        return self.patience > 0 and self.restarts is not None

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the genome, its moments and what a backward pass keeps of its steps take."""
        kept = network.dtype.itemsize * sequences * steps * KEPT * network.state_size
        return FLOAT * 2 * COPIES * network.size + min(kept, KEPT_BYTES)

    def fresh(self, problem: Any, rng: np.random.Generator) -> State:
        """Return the part of the state that a restart replaces; ``genome`` (n,), float64, is in it."""
        raise NotImplementedError

    def advance(self, problem: Any, state: State, rng: np.random.Generator) -> State:
        """Return what a step changes in the state: ``genome``, ``train_loss``, ``record`` and the strategy's own.

        ``stuck`` in it says that no further step can improve the network.
        """
        raise NotImplementedError

    def progress(self, valid_loss: float, state: State) -> State:
        """Return the best validation loss, the steps since it improved, and whether to stop."""
        improved = valid_loss < state["best"] * (1 - self.improvement)
        waited = 0 if improved else state["waited"] + 1
        return {
            "best": valid_loss if improved else state["best"],
            "waited": waited,
            "stopped": 0 < self.patience <= waited,
        }

    def start(self, problem: Any, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        self.check(problem)
        return {
            "candidate": None,
            "train_loss": np.inf,
            "finished": "",
            "record": {},
            "starts": 0,
            **self._begin(problem, rng),
            "rng": generator_state(rng),
        }

    def step(self, problem: Any, state: State) -> State:
        """Return the state after one step."""
        rng = generator(state)
        if state["stopped"]:
            state = {**state, "starts": state["starts"] + 1, **self._begin(problem, rng)}
        changed = self.advance(problem, state, rng)
        progress = self.progress(problem.validate(changed["genome"]), state)
        stopped = changed.pop("stuck", False) or progress["stopped"]
        ended = stopped and state["starts"] == self.restarts
        return {
            **state,
            **changed,
            **progress,
            "record": {**changed["record"], "start": state["starts"]},
            "stopped": stopped,
            "rng": generator_state(rng),
            "candidate": changed["genome"],
            "finished": "early stopping" if ended else "",
        }

    def _begin(self, problem: Any, rng: np.random.Generator) -> State:
        return {"best": np.inf, "waited": 0, "stopped": False, **self.fresh(problem, rng)}


def random_genome(problem: MeteredProblem, rng: np.random.Generator) -> np.ndarray:
    """Return one random genome (n,) of a problem's network, float64."""
    return np.asarray(problem.init(rng, 1)[0], dtype=np.float64)


def targets_of(problem: MeteredProblem) -> np.ndarray:
    """Return the training targets (B, T, O) as floats, labels as vectors with 1 at the label."""
    batch = problem.train  # type: ignore[attr-defined]
    network = problem.network
    return np.asarray(network.loss_function.one_hot(batch.targets, network.outputs), dtype=np.float64)
