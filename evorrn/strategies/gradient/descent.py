"""Gradient descent in minibatches with early stopping and restarts, for every way of computing a gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.checks import is_number
from evorrn.base.errors import ConfigError
from evorrn.base.huge import mean, scale_of
from evorrn.base.settings import Settings, setting
from evorrn.compile.blocks import RECURRENT
from evorrn.data.batch import Batch
from evorrn.strategies.base import DRAW, State
from evorrn.strategies.blocks import factors_of_genes
from evorrn.strategies.gradient.corruption import corrupted
from evorrn.strategies.gradient.layer_dropout import LayerDropout
from evorrn.strategies.gradient.optimisers import (
    CLIP,
    OPTIMISERS,
    USUAL_DECAY,
    Coefficients,
    clip_by_norm,
    decay_weights,
    noise_of_gradient,
)
from evorrn.strategies.gradient.restarting import Restarting, random_genome
from evorrn.strategies.gradient.schedules import SCHEDULES

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

PER_UPDATE = 15
"""Operations on each weight by a step of an optimiser with clipping, in the strategy's own work."""

Gradient = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""Returns the loss of a genome (n,) and its gradient (n,)."""


@dataclass(frozen=True)
class Descent(Settings):
    """How a gradient is followed: optimiser, minibatches, and the schedule of the rate."""

    optimiser: str = setting("adam", "optimiser", choices=tuple(OPTIMISERS))
    rate: float = setting(0.02, "learning rate; that of the source of adadelta is 1", above=0)
    momentum: float = setting(
        0.9, "share of the velocity that is kept (sgd), or beta 1 (adam)", minimum=0, below=1
    )
    decay: float | None = setting(
        None,
        "share of the mean squared gradient that is kept; by default 0.99 for rmsprop, 0.95 for adadelta, 0.999 (beta 2) for adam",
        minimum=0,
        below=1,
    )
    epsilon: float = setting(1e-8, "added to the root of the mean squared gradient", above=0)
    batch_size: int = setting(4, "sequences in a minibatch; 0 for all sequences", minimum=0)
    clip: float = setting(1.0, CLIP, minimum=0)
    schedule: str = setting("plateau", "schedule of the learning rate", choices=tuple(SCHEDULES))
    period: int = setting(40, "epochs in a period of the schedule", minimum=1)
    factor: float = setting(0.5, "factor of the schedule on the rate", above=0, maximum=1)


@dataclass(frozen=True)
class GradientDescent(Restarting, Descent):
    """Base of the strategies that follow a gradient: optimiser, schedule, early stopping and restarts.

    A subclass defines `_gradients`, the gradients of the updates of an epoch.
    """

    usual_speed: ClassVar[float] = 3e9
    usual_overhead: ClassVar[float] = 4e-6

    patience: int = setting(
        150, "epochs without improvement on validation after which training stops; 0 for never", minimum=0
    )
    weight_decay: float = setting(
        0.0, "share of each weight that an update at rate 1 removes", minimum=0, absent=0.0
    )
    l2: float = setting(
        0.0, "weight of half the sum of squared genes in the loss that updates follow", minimum=0, absent=0.0
    )
    warmup: int = setting(
        0, "first updates, of every start, during which the rate grows linearly", minimum=0, absent=0
    )
    gradient_noise: float = setting(
        0.0,
        "variance of the noise on the first gradient; it falls with the number of updates to the power 0.55",
        minimum=0,
        absent=0.0,
    )
    input_noise: float = setting(
        0.0, "standard deviation of the noise on the inputs, drawn for every minibatch", minimum=0, absent=0.0
    )
    input_dropout: float = setting(
        0.0,
        "share of the inputs that are set to zero, drawn for every minibatch",
        minimum=0,
        below=1,
        absent=0.0,
    )

    layer_dropout: float = setting(
        0.0,
        "share of the units that the next layer and the readout do not see, drawn for every update",
        minimum=0,
        below=1,
        absent=0.0,
    )

    recurrent_bound: float = setting(
        0.0,
        "largest magnitude of a recurrent weight, larger ones are set to it after each update; 0 for no limit",
        minimum=0,
        absent=0.0,
    )

    rates: dict[str, float] | None = setting(
        None,
        "factor on the rate of each named block, or of all blocks whose names begin with the key and a dot; 0 keeps them as they start",
        absent=None,
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or combination of settings, that is not allowed."""
        found = super().problems()
        for name, factor in (self.rates or {}).items() if not found else ():
            if not is_number(factor) or not 0 <= factor < np.inf:
                found.append(f"rates.{name}: expected a number of at least 0, got {factor!r}")
        return found

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first step."""
        self._factors(problem)  # refuses names that are no blocks
        if self.recurrent_bound and not recurrent_genes(problem.network).any():
            raise ConfigError(
                f"strategy: recurrent_bound needs recurrent weights, and {problem.network} has none; weight_decay serves it"
            )
        if self.layer_dropout:
            LayerDropout(problem.network, self.layer_dropout)  # refuses networks that have no such units
        return super().start(problem, rng)

    def fresh(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return a random genome with empty moments."""
        genome = _within(random_genome(problem, rng), self._limits(problem))
        return {
            "genome": genome,
            "safe": genome,
            "moments": {},
            "damping": 1.0,
            "epoch": 0,
            "since_drop": 0,
            "drops": 0,
            **({"updates": 0} if self._counts_updates else {}),
        }

    @property
    def _counts_updates(self) -> bool:
        """Whether the state has the number of updates since the start."""
        return bool(self.warmup or self.gradient_noise)

    def _factors(self, problem: Problem) -> np.ndarray | None:
        """Return the factor on the rate of each gene (n,), None where all are 1."""
        return factors_of_genes("rates", self.rates, problem.network.blocks) if self.rates else None

    def advance(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return what an epoch changes in the state, with the mean loss and the record."""
        update = OPTIMISERS[self.optimiser]
        coefficients = Coefficients(
            self.momentum, USUAL_DECAY[self.optimiser] if self.decay is None else self.decay, self.epsilon
        )
        scheduled = self.rate * SCHEDULES[self.schedule](
            state["epoch"], state["drops"], self.period, self.factor
        )
        genome, safe, moments, damping = (state[key] for key in ("genome", "safe", "moments", "damping"))
        rate, updates = scheduled * damping, state.get("updates", 0)
        losses, weights, norms, skipped = [], [], [], 0
        paid = problem.meter.work
        dropout = LayerDropout(problem.network, self.layer_dropout) if self.layer_dropout else None
        shares, limits = self._factors(problem), self._limits(problem)
        for gradient_of, scored in self._gradients(problem, rng):
            problem.draw_noise(rng)
            factors = 1.0 if dropout is None else dropout.draw(rng)
            loss, gradient = gradient_of(genome if dropout is None else genome * factors)
            gradient = gradient if dropout is None else gradient * factors
            if not (np.isfinite(loss) and np.isfinite(gradient).all()):
                skipped += 1
                damping /= 2
                rate = scheduled * damping
                genome, moments = safe, {}
                continue
            safe = genome
            followed = np.asarray(gradient, dtype=np.float64)
            followed = followed + self.l2 * genome if self.l2 else followed
            step, norm = clip_by_norm(followed if shares is None else followed * (shares > 0), self.clip)
            if self.gradient_noise:
                step = step + noise_of_gradient(rng, genome.size, self.gradient_noise, updates)
            updates += 1
            rate = scheduled * damping * (min(1.0, updates / self.warmup) if self.warmup else 1.0)
            decayed = decay_weights(genome, rate, self.weight_decay)
            before = genome
            genome, moments = update(decayed, step, rate, moments, coefficients)
            genome = genome if shares is None else before + shares * (genome - before)
            genome = _within(genome, limits)
            losses.append(loss)
            weights.append(scored)
            norms.append(norm)
        scale = scale_of(np.array(losses))
        per_weight = PER_UPDATE + (DRAW if self.gradient_noise else 0)
        own = per_weight * genome.size * len(losses)
        kinds = bool(self.input_noise) + bool(self.input_dropout)
        own += DRAW * kinds * problem.batch("train").inputs.size if kinds else 0
        problem.charge_own(own, problem.meter.work - paid)
        return {
            **({"updates": updates} if self._counts_updates else {}),
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
            },
        }

    def _limits(self, problem: Problem) -> np.ndarray | None:
        """Return the largest magnitude of each gene (n,), infinite for those without a bound; None where none has one."""
        if not self.recurrent_bound:
            return None
        return np.where(recurrent_genes(problem.network), self.recurrent_bound, np.inf)

    def _gradients(self, problem: Problem, rng: np.random.Generator) -> Iterator[tuple[Gradient, int]]:
        """Yield the gradient of each update of an epoch, and the number of scored steps, or sequences, that it is of."""
        raise NotImplementedError

    def _shown(
        self, problem: Problem, sequences: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray | Batch | None:
        """Return the sequences of a minibatch as they are, or a batch of them with noise or dropout on the inputs."""
        if not (self.input_noise or self.input_dropout):
            return sequences
        return corrupted(problem.chosen(sequences), rng, self.input_noise, self.input_dropout)

    def _minibatches(self, problem: Problem, rng: np.random.Generator) -> list[np.ndarray | None]:
        """Return the sequences of each minibatch; None means all sequences."""
        count = problem.sequences
        if self.batch_size == 0 or self.batch_size >= count:
            return [None]
        order = rng.permutation(count)
        parts = [order[start : start + self.batch_size] for start in range(0, count, self.batch_size)]
        return [part for part in parts if entries(problem, part)]  # without a scored step there is no loss

    def progress(self, valid_loss: float, state: State) -> State:
        """Return the epochs since validation improved, the drops of the rate, and whether to stop."""
        found = super().progress(valid_loss, state)
        if not found["waited"]:
            return {**found, "since_drop": 0}
        since_drop, drops = state["since_drop"] + 1, state["drops"]
        return {**found, "since_drop": since_drop % self.period, "drops": drops + (since_drop == self.period)}


def _within(genome: np.ndarray, limits: np.ndarray | None) -> np.ndarray:
    """Return a genome (n,) whose genes keep to their limits."""
    return genome if limits is None else genome.clip(-limits, limits)


def recurrent_genes(network: Network) -> np.ndarray:
    """Return for each gene whether it is a recurrent weight, shape (n,), bool."""
    roles = {block.name: block.role for block in network.layout}
    return np.concatenate(
        [np.full(math.prod(shape), roles[name] == RECURRENT) for name, shape in network.blocks.items()]
    )


def entries(problem: Problem, sequences: np.ndarray | None) -> int:
    """Return what the loss of training sequences is a mean over: scored steps, or sequences; of all for None."""
    batch = problem.batch("train")
    if batch.whole:
        entries = np.asarray(problem.network.sequence_entries(batch), np.int64)
    else:
        entries = batch.scored.sum(axis=1)
    return int(entries.sum() if sequences is None else entries[sequences].sum())
