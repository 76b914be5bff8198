"""BPTT: backpropagation through time, minibatch gradient descent on the exact gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.huge import mean, scale_of
from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.strategies.base import DRAW, State, Strategy, generator, generator_state
from evorrn.strategies.gradient.corruption import corrupted
from evorrn.strategies.gradient.optimisers import (
    OPTIMISERS,
    USUAL_DECAY,
    Coefficients,
    clip_by_norm,
    decay_weights,
    noise_of_gradient,
)
from evorrn.strategies.gradient.schedules import SCHEDULES
from evorrn.strategies.gradient.windows import Windows

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

PER_UPDATE = 15
"""Operations on each weight by a step of an optimiser with clipping, in the strategy's own work."""

CARRIED_WINDOW = 50
"""The default window where the state is carried."""

Gradient = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""Returns the loss of a genome (n,) and its gradient (n,)."""


@dataclass(frozen=True)
class BPTT(Strategy):
    """Backpropagation through time: minibatch gradient descent on the loss, by default exact through all time steps.

    One step is one epoch: every training sequence once, in minibatches of a new random order. When the
    validation loss has not improved for `patience` epochs, training restarts from a new random network, so
    that the whole budget is used. The result is the best network on validation.

    With `window`, backpropagation is truncated: after every `every` time steps, the gradient of their losses goes back
    over the last `window` steps. There is one update for each minibatch, with the sum of these gradients. With `carry`
    there is one after every `every` steps instead, and the state is carried to the next window, so one long series
    gives many updates an epoch; each epoch begins with the network's first state.

    Notes
    -----
    The genome and the optimiser's moments are float64; loss and gradient have the network's precision. When
    the loss or the gradient is not finite, the update is skipped: training goes back to the last genome with
    a finite loss and gradient, with half the rate and empty moments, and the record counts it. A loss belongs to
    the restart that the history's column ``start`` and the progress line name, counted from 0.

    Source: Werbos 1990; truncated: Williams & Peng 1990, see `evorrn.strategies.gradient.windows.Windows`; clipping:
    Pascanu, Mikolov & Bengio 2013; weight decay: Loshchilov & Hutter 2019; warm-up: Goyal et al. 2017, section 2.2;
    noise of the gradient: Neelakantan et al. 2015, added after clipping; of the inputs: Bishop 1995; dropout of inputs: Srivastava et al.
    2014.

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
    window: int | None = setting(
        None,
        f"time steps that a gradient goes back; by default all of a sequence, {CARRIED_WINDOW} with carry",
        minimum=1,
        absent=None,
    )
    every: int | None = setting(
        None,
        "time steps from one truncated gradient to the next, at most window, its default",
        minimum=1,
        absent=None,
    )
    carry: bool = setting(
        False,
        "whether each truncated gradient is an update, and the state is carried to the next",
        absent=False,
    )
    weight_decay: float = setting(
        0.0, "share of each weight that an update at rate 1 removes", minimum=0, absent=0.0
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

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or combination of settings, that is not allowed."""
        found = super().problems()
        if found:
            return found
        if self.every is not None and self._back is None:
            found.append(
                f"every: expected window, the time steps that a gradient goes back, or carry beside it; got every={self.every} alone"
            )
        elif self._back is not None and self._apart > self._back:
            found.append(
                f"every: expected at most the window of {self._back} steps, as a loss before the window would have no "
                f"gradient; got {self._apart}"
            )
        return found

    @property
    def _back(self) -> int | None:
        """The time steps of a window, None for all steps of a sequence."""
        return CARRIED_WINDOW if self.carry and self.window is None else self.window

    @property
    def _apart(self) -> int:
        """The time steps from the end of one window to the end of the next."""
        return self.every or self._back or 0

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
            **({"updates": 0} if self._counts_updates else {}),
        }

    @property
    def _counts_updates(self) -> bool:
        """Whether the state has the number of updates since the start."""
        return bool(self.warmup or self.gradient_noise)

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
        rate, updates = scheduled * damping, state.get("updates", 0)
        losses, weights, norms, skipped = [], [], [], 0
        paid = problem.meter.work
        for gradient_of, scored in self._gradients(problem, rng):
            problem.draw_noise(rng)
            loss, gradient = gradient_of(genome)
            if not (np.isfinite(loss) and np.isfinite(gradient).all()):
                skipped += 1
                damping /= 2
                rate = scheduled * damping
                genome, moments = safe, {}
                continue
            safe = genome
            step, norm = clip_by_norm(np.asarray(gradient, dtype=np.float64), self.clip)
            if self.gradient_noise:
                step = step + noise_of_gradient(rng, genome.size, self.gradient_noise, updates)
            updates += 1
            rate = scheduled * damping * (min(1.0, updates / self.warmup) if self.warmup else 1.0)
            decayed = decay_weights(genome, rate, self.weight_decay)
            genome, moments = update(decayed, step, rate, moments, coefficients)
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
                "start": state["starts"],
            },
        }

    def _gradients(self, problem: Problem, rng: np.random.Generator) -> Iterator[tuple[Gradient, int]]:
        """Yield the gradient of each update of an epoch, and the number of scored steps, or sequences, that it is of."""
        for sequences in self._minibatches(problem, rng):
            shown, entries = self._shown(problem, sequences, rng), _entries(problem, sequences)
            if self._back is None:
                yield partial(problem.loss_and_gradient, sequences=shown), entries
                continue
            windows = Windows(problem, shown, self._back, self._apart)
            if not self.carry:
                yield windows.gradient, entries
                continue
            for number, window in enumerate(windows.windows):
                yield partial(windows.carried_gradient, number), window.scored

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
        return [part for part in parts if _entries(problem, part)]  # without a scored step there is no loss

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


def _entries(problem: Problem, sequences: np.ndarray | None) -> int:
    """Return what the loss of training sequences is a mean over: scored steps, or sequences; of all for None."""
    batch = problem.batch("train")
    entries = np.ones(batch.size, np.int64) if batch.whole else batch.scored.sum(axis=1)
    return int(entries.sum() if sequences is None else entries[sequences].sum())
