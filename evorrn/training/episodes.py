"""The problem and the assessment of an environment, where fitness is the mean return of episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError, ShapeError
from evorrn.data.environment import Environment, Starts
from evorrn.data.episode_metrics import evaluate_episodes
from evorrn.network import arguments
from evorrn.training import playing
from evorrn.training.assessment import Assessment, Record
from evorrn.training.exploring import Episodes, explore
from evorrn.training.meter import Meter, MeteredProblem

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.result import Result

RANDOM_STREAM = 2
"""Role of the random actions of a baseline among the streams of a seed."""
RECORDED_STEPS = 10_000
"""The largest number of time steps of a trajectory that a run stores."""


class EnvironmentProblem(MeteredProblem):
    """A network in an environment. The fitness of a genome is its mean return over the training starts.

    There are no targets, so the problem provides no gradient of a loss, but episodes with random actions and
    the gradient of a function of the actions. The work is that of the network in all time steps of
    the episodes; the meter counts these as ``steps_forward``.

    Parameters
    ----------
    network : Network
    environment : Environment
    train : ndarray, shape (E, states)
        Starts of the episodes of `fitness`.
    valid : ndarray, shape (V, states), optional
        Starts of the episodes of `validate`; the training starts by default.
    meter : Meter, optional
        Counts the cost of every call; a new one by default.

    Raises
    ------
    ShapeError
        When network or starts do not fit the environment.
    """

    provides = Environment.provides

    def __init__(
        self,
        network: Network,
        environment: Environment,
        train: np.ndarray,
        valid: np.ndarray | None = None,
        *,
        meter: Meter | None = None,
    ) -> None:
        check_fit(network, environment)
        super().__init__(network, meter)
        self.environment = environment
        self.train = _checked_starts("train", train, environment)
        self.valid = None if valid is None else _checked_starts("valid", valid, environment)

    @property
    def sequences(self) -> int:
        """The number of training starts, E."""
        return len(self.train)

    def fitness(self, genomes: np.ndarray, sequences: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Return the fitness of each genome: its mean return, ``-inf`` where this is not finite.

        Parameters
        ----------
        genomes : ndarray, shape (P, n)
        sequences : sequence of int, optional
            Indices of the training starts to use; all by default.

        Returns
        -------
        ndarray, shape (P,), float64
        """
        starts = self.train if sequences is None else self.train[np.asarray(sequences)]
        returns, _ = self._episodes(genomes, starts, len(genomes))
        with np.errstate(invalid="ignore", over="ignore"):
            mean = returns.mean(axis=1)
        return np.where(np.isfinite(mean), mean, -np.inf)

    def sequence_losses(self, genomes: np.ndarray) -> np.ndarray:
        """Return the negative return of each genome from each training start, shape (P, E), float64."""
        return -self._episodes(genomes, self.train, len(genomes))[0]

    def explore(
        self, genome: np.ndarray, sequences: np.ndarray, deviation: float, rng: np.random.Generator
    ) -> Episodes:
        """Return episodes with random actions from training starts, see `evorrn.training.exploring.explore`.

        `sequences` (E,) are the indices of the starts. The episodes count as one evaluation.
        """
        with self.compiling():
            genome = self.network.check_genome(genome)
            starts = self.train[sequences]
            found = explore(self.environment, self.network, genome, starts, deviation, rng)
        steps = int(found.lengths.sum())
        self.charge_pass(steps, self.network.simulation_work(found.lengths), evaluations=1)
        return found

    def action_gradient(
        self, genome: np.ndarray, episodes: Episodes, output_gradient: np.ndarray
    ) -> np.ndarray:
        """Return the gradient (n,) of a function of the network's outputs in episodes, from that (E, T, O) by these."""
        with self.compiling():
            gradient = self.network.vjp(
                genome, episodes.observations, output_gradient, lengths=episodes.lengths
            )
        steps = int(episodes.lengths.sum())
        self.charge_pass(steps, steps * sum(self.network.step_work))
        self.meter.steps_backward += steps
        return gradient

    def learned(self, genome: np.ndarray, tolerance: float) -> float:
        """Return the share (0 to 1) of the environment that a genome has learned, see `Environment.learned`.

        A second call for the same genome, as after a generation without a better one, returns the same share and
        costs nothing.

        Raises
        ------
        ConfigError
            When the environment does not define success.
        """
        last = self._validated.get("learned")
        if last and last["options"] == self._options and np.array_equal(last["genome"], genome):
            return last["share"]
        share = self.environment.learned(lambda starts, limit: self._play(genome, starts, limit), self.train)
        if share is None:
            raise ConfigError(f"budget.learned: {self.environment.name} does not define success")
        self._validated["learned"] = {
            "genome": np.array(genome),
            "options": dict(self._options),
            "share": share,
        }
        return share

    def _validation_loss(self, genome: np.ndarray) -> float:
        starts = self.train if self.valid is None else self.valid
        with np.errstate(invalid="ignore", over="ignore"):
            return -float(self._episodes(genome[None], starts, 0)[0].mean())

    def _play(self, genome: np.ndarray, starts: np.ndarray, time_limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the returns and lengths (E,) of the episodes of one genome; an episode has at most `time_limit` steps."""
        returns, lengths = self._episodes(genome[None], starts, 0, time_limit)
        return returns[0], lengths[0]

    def _episodes(
        self, genomes: np.ndarray, starts: np.ndarray, evaluations: int, time_limit: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the returns and lengths (P, E) of episodes, and add their cost to the meter."""
        with self.compiling():
            returns, lengths = playing.episodes(self.environment, self.network, genomes, starts, time_limit)
        self.meter.work += self.network.simulation_work(lengths)
        self.meter.steps_forward += int(lengths.sum())
        self.meter.evaluations += evaluations
        return returns, lengths


class EpisodeAssessment(Assessment):
    """The assessment of an environment: the returns of episodes from the starts of each split.

    Parameters
    ----------
    environment : Environment
    starts : Starts
    seed : int
        Seed of the baseline with random actions.
    """

    def __init__(self, environment: Environment, starts: Starts, seed: int) -> None:
        self.environment = environment
        self.starts = starts
        self.seed = seed
        self.input_names = environment.input_names
        self.output_names = environment.output_names

    def problem(self, network: Network) -> EnvironmentProblem:
        """Return the problem of the training and validation starts."""
        return EnvironmentProblem(network, self.environment, self.starts.train, self.starts.valid)

    def scores(self, network: Network, genome: np.ndarray) -> dict[str, dict[str, float]]:
        """Return the metrics of the environment over the starts of each split."""
        found = {}
        for split in ("train", "valid", "test"):
            returns, lengths = playing.episodes(
                self.environment, network, genome[None], getattr(self.starts, split)
            )
            found[split] = self._measured(self.environment.metrics, returns[0], lengths[0])
        return found

    def record(self, result: Result) -> Record:
        """Return the returns and lengths (E,) of the test episodes, and the trajectory of the one with the median return.

        The arrays of the trajectory are observations (T, I), actions (T, O), rewards (T,), states (T, S), the names
        of actions and states, and `start`, the index of the test start. It has at most `RECORDED_STEPS` time steps.
        """
        network, genome = result.network, result.genome
        returns, lengths = playing.episodes(self.environment, network, genome[None], self.starts.test)
        start = int(np.argsort(returns[0], kind="stable")[(len(returns[0]) - 1) // 2])
        limit = min(self.environment.time_limit, RECORDED_STEPS)
        observations, actions, rewards, states = playing.trajectory(
            self.environment, network, genome, self.starts.test[start], limit
        )
        arrays = {"observations": observations, "actions": actions, "rewards": rewards, "states": states}
        arrays |= {"start": np.array(start), "returns": returns[0], "lengths": lengths[0]}
        names = {"state_names": self.environment.state_names, "action_names": self.output_names}
        arrays |= {name: np.array(texts, dtype=np.str_) for name, texts in names.items()}
        return Record("trajectory", arrays, not bool(np.isfinite(returns).all()))

    def baselines(self, metric: str) -> dict[str, float]:
        """Return the scores of no action, and of actions drawn from a normal distribution, on the test starts."""
        episodes = baseline_episodes(self.environment, self.starts.test, self.seed)
        return {name: self._measured([metric], *outcome)[metric] for name, outcome in episodes.items()}

    def _measured(self, names: Sequence[str], returns: np.ndarray, lengths: np.ndarray) -> dict[str, float]:
        succeeded = self.environment.succeeded(returns, lengths)
        return evaluate_episodes(names, returns, lengths, succeeded)


def baseline_episodes(
    environment: Environment, starts: np.ndarray, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return ``{name: (returns, lengths)}``, arrays (E,), of the episodes with no action and with random actions."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(RANDOM_STREAM,)))
    policies: dict[str, Callable[[int], np.ndarray]] = {
        "no action": lambda count: np.zeros((count, environment.actions)),
        "random action": lambda count: rng.standard_normal((count, environment.actions)),
    }
    return {name: playing.play(environment, policy, starts) for name, policy in policies.items()}


def check_fit(network: Network, environment: Environment) -> None:
    """Raise ShapeError when a network has not one input per observation and one output per action.

    Raises ConfigError when its steps are linked to other steps than the last.
    """
    for name, has, wants in (
        ("inputs", network.inputs, environment.observations),
        ("outputs", network.outputs, environment.actions),
    ):
        if has != wants:
            what = "observations" if name == "inputs" else "actions"
            raise ShapeError(
                f"network: expected {wants} {name} for the {what} of {environment.name}, got {has}"
            )
    arguments.check_chain(network, environment.name)


def _checked_starts(name: str, starts: np.ndarray, environment: Environment) -> np.ndarray:
    """Return starts (E, states) as float64; raise ShapeError when there are none, or they are wrong."""
    array = np.array(starts, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != environment.states or not len(array):
        raise ShapeError(
            f"{name}: expected at least one start, shape (E, {environment.states}), got {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ShapeError(f"{name}: expected finite starts, got NaN or infinity")
    return array
