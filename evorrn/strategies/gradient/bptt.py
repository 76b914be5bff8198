"""BPTT: backpropagation through time, minibatch gradient descent on the exact gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.huge import mean, scale_of
from evorrn.base.settings import setting
from evorrn.strategies.base import State, Strategy, generator, generator_state
from evorrn.strategies.gradient.optimisers import OPTIMISERS, USUAL_DECAY, Coefficients, clip_by_norm
from evorrn.strategies.gradient.schedules import SCHEDULES

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

PER_UPDATE = 15
"""Operations on each weight by a step of an optimiser with clipping, in the strategy's own work."""


@dataclass(frozen=True)
class BPTT(Strategy):
    """Backpropagation through time: minibatch gradient descent on the loss, exact through all time steps.

    One step is one epoch: every training sequence once, in minibatches of a new random order. When the
    validation loss has not improved for `patience` epochs, training restarts from a new random network, so
    that the whole budget is used. The result is the best network on validation.

    Notes
    -----
    The genome and the optimiser's moments are float64; loss and gradient have the network's precision. When
    the loss or the gradient is not finite, the update is skipped: training goes back to the last genome with
    a finite loss and gradient, with half the rate and empty moments, and the record counts it. A loss belongs to
    the restart that the history's column ``start`` and the progress line name, counted from 0.

    Source: Werbos 1990; clipping: Pascanu, Mikolov & Bengio 2013.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> result = evorrn.BPTT(rate=0.05).fit(network, task, budget="20gen")
    >>> losses = result.history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "bptt"
    version: ClassVar[int] = 2
    step_name: ClassVar[str] = "epoch"
    requires: ClassVar[frozenset[str]] = frozenset({"gradient"})

    optimiser: str = setting("adam", "optimiser", choices=tuple(OPTIMISERS))
    rate: float = setting(0.02, "learning rate", above=0)
    momentum: float = setting(
        0.9, "share of the velocity that is kept (sgd), or beta 1 (adam)", minimum=0, below=1
    )
    decay: float | None = setting(
        None,
        "share of the mean squared gradient that is kept; by default 0.99 for rmsprop, 0.999 (beta 2) for adam",
        minimum=0,
        below=1,
    )
    epsilon: float = setting(1e-8, "added to the root of the mean squared gradient", above=0)
    batch_size: int = setting(4, "sequences in a minibatch; 0 for all sequences", minimum=0)
    clip: float = setting(
        1.0, "largest norm of a gradient, longer ones are scaled down; 0 for no limit", minimum=0
    )
    schedule: str = setting("plateau", "schedule of the learning rate", choices=tuple(SCHEDULES))
    period: int = setting(40, "epochs in a period of the schedule", minimum=1)
    factor: float = setting(0.5, "factor of the schedule on the rate", above=0, maximum=1)
    patience: int = setting(
        150, "epochs without improvement on validation after which training stops; 0 for never", minimum=0
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

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first epoch."""
        return {
            "candidate": None,
            "train_loss": np.inf,
            "finished": "",
            "record": {},
            "starts": 0,
            **self._fresh(problem, rng),
            "rng": generator_state(rng),
        }

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after one epoch."""
        rng = generator(state)
        if state["stopped"]:
            state = {**state, "starts": state["starts"] + 1, **self._fresh(problem, rng)}
        epoch = self._epoch(problem, state, rng)
        progress = self._progress(problem.validate(epoch["genome"]), state)
        ended = progress["stopped"] and state["starts"] == self.restarts
        return {
            **state,
            **epoch,
            **progress,
            "rng": generator_state(rng),
            "candidate": epoch["genome"],
            "finished": "early stopping" if ended else "",
        }

    def _fresh(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the part of the state that a restart replaces."""
        genome = np.asarray(problem.init(rng, 1)[0], dtype=np.float64)
        return {
            "genome": genome,
            "safe": genome,
            "moments": {},
            "damping": 1.0,
            "epoch": 0,
            "best": np.inf,
            "waited": 0,
            "since_drop": 0,
            "drops": 0,
            "stopped": False,
        }

    def _epoch(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return what an epoch changes in the state, with the mean loss and the record."""
        update = OPTIMISERS[self.optimiser]
        coefficients = Coefficients(
            self.momentum, USUAL_DECAY[self.optimiser] if self.decay is None else self.decay, self.epsilon
        )
        scheduled = self.rate * SCHEDULES[self.schedule](
            state["epoch"], state["drops"], self.period, self.factor
        )
        genome, safe, moments, damping = (state[key] for key in ("genome", "safe", "moments", "damping"))
        rate = scheduled * damping
        losses, weights, norms, skipped = [], [], [], 0
        paid = problem.meter.work
        for sequences in self._minibatches(problem, rng):
            loss, gradient = problem.loss_and_gradient(genome, sequences)
            if not (np.isfinite(loss) and np.isfinite(gradient).all()):
                skipped += 1
                damping /= 2
                rate = scheduled * damping
                genome, moments = safe, {}
                continue
            safe = genome
            step, norm = clip_by_norm(np.asarray(gradient, dtype=np.float64), self.clip)
            genome, moments = update(genome, step, rate, moments, coefficients)
            losses.append(loss)
            weights.append(_scored(problem, sequences))
            norms.append(norm)
        scale = scale_of(np.array(losses))
        problem.charge_own(PER_UPDATE * genome.size * len(losses), problem.meter.work - paid)
        return {
            "genome": genome,
            "safe": safe,
            "moments": moments,
            "damping": damping,
            "epoch": state["epoch"] + 1,
            "train_loss": scale * float(np.average(np.array(losses) / scale, weights=weights))
            if losses
            else np.inf,
            "record": {
                "gradient_norm": mean(np.array(norms)) if norms else np.inf,
                "rate": rate,
                "skipped": skipped,
                "start": state["starts"],
            },
        }

    def _minibatches(self, problem: Problem, rng: np.random.Generator) -> list[np.ndarray | None]:
        """Return the sequences of each minibatch; None means all sequences."""
        count = problem.sequences
        if self.batch_size == 0 or self.batch_size >= count:
            return [None]
        order = rng.permutation(count)
        parts = [order[start : start + self.batch_size] for start in range(0, count, self.batch_size)]
        return [part for part in parts if _scored(problem, part)]  # without a scored step there is no loss

    def _progress(self, valid_loss: float, state: State) -> State:
        """Return the epochs since validation improved, the drops of the rate, and whether to stop."""
        if valid_loss < state["best"] * (1 - self.improvement):
            return {"best": valid_loss, "waited": 0, "since_drop": 0, "stopped": False}
        waited, since_drop, drops = state["waited"] + 1, state["since_drop"] + 1, state["drops"]
        if since_drop == self.period:
            since_drop, drops = 0, drops + 1
        return {
            "waited": waited,
            "since_drop": since_drop,
            "drops": drops,
            "stopped": 0 < self.patience <= waited,
        }


def _scored(problem: Problem, sequences: np.ndarray | None) -> int:
    """Return the number of scored steps of training sequences, of all for None."""
    scored = problem.batch("train").scored
    return int(scored.sum() if sequences is None else scored[sequences].sum())
