"""EKF: the extended Kalman filter, which takes the weights for a hidden state and each target for an observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.memory import excess
from evorrn.base.settings import setting
from evorrn.kernels.kalman import kalman_update
from evorrn.strategies.base import FLOAT, State
from evorrn.strategies.evolution.units import units
from evorrn.strategies.gradient.jacobian import check_memory, stepper_work
from evorrn.strategies.gradient.observation import check_steps, predicted, predicted_derivative
from evorrn.strategies.gradient.restarting import Restarting, random_genome, targets_of

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

GROUPS = {"global": "", "neuron": "neuron", "block": "block", "weight": "gene"}
"""How weights are grouped, and the unit of `evorrn.strategies.evolution.units.units` for it."""


@dataclass(frozen=True)
class EKF(Restarting):
    """Extended Kalman filter: every time step with a target updates the weights by an estimate of their covariance.

    One step is one epoch: every training sequence once, in a new random order, `streams` at a time. The derivatives of the
    outputs with respect to the weights are carried forward in time (real-time recurrent learning), so nothing is unrolled.
    With `groups` ``"neuron"`` the weights into different neurons are taken as independent (DEKF), which costs the
    sum of the squares of the groups' sizes in place of the square of all.

    Notes
    -----
    An observation is a target, or for classes 1 for a true class and 0 for another, and its prediction the output or the
    probability. Between updates the influence of the weights on the state is that of the weights used at each step.
    When an update is impossible or not finite, the filter goes back to the last epoch's genome with its first
    covariance, and the record counts it. Needs a loss that is a sum over time steps.

    Source: Singhal & Wu 1989; decoupled and with several streams: Puskorius & Feldkamp 1994, sections III and IV;
    derivatives: Williams & Zipser 1989. Deviation: the observations of a time step are taken in one after the other, so
    that with several groups what these have in common is dropped after each.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> losses = evorrn.EKF().fit(network, task, budget="3gen").history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "ekf"
    version: ClassVar[int] = 3
    one_step: ClassVar[bool] = True

    groups: str = setting("global", "weights whose covariance is estimated together", choices=tuple(GROUPS))
    streams: int = setting(4, "sequences that run side by side and share their updates", minimum=1)
    variance: float = setting(1.0, "variance of each weight at the start", above=0)
    noise: float = setting(10.0, "variance of the noise of an observation at the start", above=0)
    last_noise: float = setting(
        1.0, "variance of the noise of an observation after `annealing` updates", above=0
    )
    drift: float = setting(1e-3, "variance that each weight gains at an update at the start", minimum=0)
    last_drift: float = setting(
        1e-6, "variance that each weight gains at an update after `annealing` updates", minimum=0
    )
    annealing: int = setting(2000, "updates during which noise and drift go to their last values", minimum=1)

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the covariance and the influence of the weights on the states take."""
        covariance = _numbers(self.groups, network)
        influence = min(self.streams, sequences) * (network.state_size + network.outputs) * network.size
        return super().bytes_held(network) + FLOAT * (2 * covariance + influence)

    def check(self, problem: Problem) -> None:
        """Raise ConfigError for losses on whole sequences, and for a covariance that does not fit into memory."""
        check_steps(self.name, problem.network)
        needed = _numbers(self.groups, problem.network)
        what = f"strategy {self.name}: the covariance of groups={self.groups}"
        check_memory(what, (needed,), _what_fits(problem.network) if excess(needed) else "")

    def fresh(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return a random genome with the first covariance of its weights."""
        return {"genome": random_genome(problem, rng), "updates": 0, "covariance": _first(self, problem)}

    def advance(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return the state after one pass through all training sequences."""
        order = rng.permutation(problem.scored_sequences)
        run = _Filter(self, problem, state)
        with problem.compiling(), one_thread():
            for start in range(0, len(order), self.streams):
                if not run.follow(np.sort(order[start : start + self.streams])):
                    break
        problem.charge_pass(run.steps, run.steps * stepper_work(problem.network), evaluations=1)
        problem.charge(run.observations * (2 * run.covariance.size + 6 * problem.size))
        if run.failed:
            changed = {"genome": state["genome"], "covariance": _first(self, problem)}
        else:
            changed = {"genome": run.genome, "covariance": run.covariance}
        noise, drift = annealed(self, run.updates)
        return {
            **changed,
            "updates": run.updates,
            "train_loss": np.inf if run.failed else run.loss(),
            "record": {"noise": noise, "drift": drift, "failed": int(run.failed)},
        }


def annealed(settings: EKF, updates: int) -> tuple[float, float]:
    """Return the noise of an observation and the drift of a weight after a number of updates.

    Both go from their first to their last value along a line whose axis is logarithmic, the drift along a straight one
    when an end is 0.
    """
    share = min(updates / settings.annealing, 1.0)
    noise = settings.noise * (settings.last_noise / settings.noise) ** share
    if min(settings.drift, settings.last_drift) > 0:
        return noise, settings.drift * (settings.last_drift / settings.drift) ** share
    return noise, settings.drift + share * (settings.last_drift - settings.drift)


def _sizes(groups: str, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return the order (n,) of the genes by their groups, and the number of genes of each group."""
    owner = np.zeros(network.size, np.int64)
    if GROUPS[groups]:
        owner = units(network.blocks, GROUPS[groups])
    return np.argsort(owner, kind="stable"), np.bincount(owner)


def _numbers(groups: str, network: Network) -> int:
    """Return the numbers of the covariance's triangles."""
    sizes = _sizes(groups, network)[1]
    return int((sizes * (sizes + 1) // 2).sum())


def _what_fits(network: Network) -> str:
    """Return words for the groups with the largest covariance that fits into memory, empty where none does."""
    needed = {groups: _numbers(groups, network) for groups in GROUPS}
    fit = [groups for groups in GROUPS if not excess(needed[groups])]
    return f"; groups={max(fit, key=needed.__getitem__)} fits" if fit else ""


def _first(settings: EKF, problem: Problem) -> np.ndarray:
    """Return the triangles of the first covariance, one after the other."""
    triangles = []
    for size in _sizes(settings.groups, problem.network)[1]:
        triangle = np.zeros(size * (size + 1) // 2)
        triangle[np.cumsum(np.arange(1, size + 1)) - 1] = settings.variance
        triangles.append(triangle)
    return np.concatenate(triangles)


class _Filter:
    """The filter during one epoch: its genome, covariance and what it has seen."""

    def __init__(self, settings: EKF, problem: Problem, state: State) -> None:
        self._settings, self._network, self._batch = settings, problem.network, problem.train
        self._targets = targets_of(problem)
        self._order, self._sizes = _sizes(settings.groups, problem.network)
        self.genome, self.covariance = np.array(state["genome"]), np.array(state["covariance"])
        self.updates: int = state["updates"]
        self.steps, self.observations, self.failed = 0, 0, False
        self._seen: list[tuple[np.ndarray, np.ndarray]] = []

    def loss(self) -> float:
        """Return the mean loss of the outputs before the updates that followed from them."""
        outputs, targets = (np.concatenate(part) for part in zip(*self._seen))
        return float(self._network.loss_function.mean(outputs, targets))

    def follow(self, sequences: np.ndarray) -> bool:
        """Run some sequences side by side, with an update at each time step with a target; return False on failure."""
        from evorrn.network.arguments import sequences as as_sequences

        batch, network, loss = self._batch.take(sequences), self._network, self._network.loss_function
        targets, teacher = self._targets[sequences], network.warm_up(batch)
        first = np.tile(network.first_state, (batch.size, 1))
        step = network.stepper(self.genome, first, teacher is not None)
        lengths = np.asarray(batch.lengths)
        x = as_sequences(network, batch.inputs, lengths).x
        shown_targets = np.ascontiguousarray(batch.scored.T)
        last = int(np.flatnonzero(shown_targets.any(axis=1))[-1])
        possible = True
        for t in range(last + 1):
            given = () if teacher is None else (teacher[:, t],)
            outputs, jacobian = step(self.genome, x[:, t], *given)
            scored = shown_targets[t].nonzero()[0]
            if len(scored):
                shown = outputs[scored].astype(np.float64)
                rows = predicted_derivative(loss, shown, jacobian[scored])
                self._seen.append((shown, batch.targets[scored, t]))
                errors = targets[scored, t] - predicted(loss, shown)
                possible = self._update(errors.ravel(), rows.reshape(errors.size, -1))
            if not possible:
                break
        self.steps += int(np.minimum(lengths, t + 1).sum())
        return possible

    def _update(self, errors: np.ndarray, jacobian: np.ndarray) -> bool:
        """Update the genome and its covariance from errors (m,) and their Jacobian (m, n)."""
        noise, drift = annealed(self._settings, self.updates)
        change = np.empty(len(self.genome))
        rows = np.ascontiguousarray(jacobian[:, self._order], np.float64)
        possible = kalman_update(self.covariance, self._sizes, rows, errors, noise, drift, change)
        self.failed = not (possible and np.isfinite(change).all())
        if not self.failed:
            self.genome[self._order] += change
            self.updates += 1
            self.observations += len(errors)
        return not self.failed
