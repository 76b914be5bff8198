"""Control without a teacher: the problem of an environment, its starts, and how its episodes are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from evorrn.base.errors import ConfigError, ShapeError
from evorrn.data import metrics
from evorrn.data.environment import Environment, Starts
from evorrn.network.network import Network
from evorrn.training import playing
from evorrn.training.assessment import Assessment, Record
from evorrn.training.meter import Meter, MeteredProblem

RANDOM_STREAM = 2
"""Role of the baseline that acts at random."""
KEPT_STEPS = 10_000
"""Time steps of a trajectory that a run keeps at most, from its beginning."""


class EnvironmentProblem(MeteredProblem):
    """A network in an environment: a genome is as fit as its mean return over the training starts.

    It knows no targets, so there is nothing to be differentiated or solved for. Work is that of the network
    at every time step that was really taken; those steps are ``steps_forward`` of the meter.

    Parameters
    ----------
    network : Network
    environment : Environment
    train : ndarray, shape (E, states)
        Starts that `fitness` plays from.
    valid : ndarray, shape (V, states), optional
        Starts that `validate` plays from; the training starts when there are none.
    meter : Meter, optional
        Charged for every answer; a new one by default.

    Raises
    ------
    ShapeError
        When the network does not fit the environment, or starts do not.
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
        """Number of training starts, E."""
        return len(self.train)

    def fitness(self, genomes: np.ndarray, sequences: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Return the fitness of each genome: its mean return, ``-inf`` where it is not finite.

        Parameters
        ----------
        genomes : ndarray, shape (P, n)
        sequences : sequence of int, optional
            Numbers of the training starts to use; all by default.

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

    def learned(self, genome: np.ndarray, tolerance: float) -> float:
        """Return the share of training starts from which a genome reaches the environment's mark of success.

        Asked again for the same genome, as after a generation without a better one, it plays and charges nothing.

        Raises
        ------
        ConfigError
            When the environment has no such mark.
        """
        last = self._validated.get("learned")
        if last and last["options"] == self._options and np.array_equal(last["genome"], genome):
            return last["share"]
        share = self.environment.learned(lambda starts, limit: self._play(genome, starts, limit), self.train)
        if share is None:
            raise ConfigError(f"budget.learned: {self.environment.name} has no mark of success to be reached")
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
        """Return returns and lengths (E,) of one genome's episodes of at most `time_limit` steps."""
        returns, lengths = self._episodes(genome[None], starts, 0, time_limit)
        return returns[0], lengths[0]

    def _episodes(
        self, genomes: np.ndarray, starts: np.ndarray, evaluations: int, time_limit: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return returns and lengths (P, E), charged to the meter."""
        with self._compiling():
            returns, lengths = playing.episodes(self.environment, self.network, genomes, starts, time_limit)
        self.meter.work += self.network.simulation_work(lengths)
        self.meter.steps_forward += int(lengths.sum())
        self.meter.evaluations += evaluations
        return returns, lengths


class EpisodeAssessment(Assessment):
    """The assessment of episodes: returns from starts that training has not seen.

    Parameters
    ----------
    environment : Environment
    starts : Starts
    seed : int
        Seed of the baseline that acts at random.
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
        """Return the environment's metrics over the starts of each split."""
        found = {}
        for split in ("train", "valid", "test"):
            returns, lengths = playing.episodes(
                self.environment, network, genome[None], getattr(self.starts, split)
            )
            found[split] = self._measured(self.environment.metrics, returns[0], lengths[0])
        return found

    def record(self, network: Network, genome: np.ndarray) -> Record:
        """Return all returns and lengths (E,) on test, and the trajectory whose return is the median.

        Of a trajectory there are observations (T, I), actions (T, O), rewards (T,) and states (T, S) with the
        names of actions and states, `start` its number among the test starts, and at most `KEPT_STEPS` steps.
        """
        returns, lengths = playing.episodes(self.environment, network, genome[None], self.starts.test)
        start = int(np.argsort(returns[0], kind="stable")[(len(returns[0]) - 1) // 2])
        limit = min(self.environment.time_limit, KEPT_STEPS)
        observations, actions, rewards, states = playing.trajectory(
            self.environment, network, genome, self.starts.test[start], limit
        )
        arrays = {"observations": observations, "actions": actions, "rewards": rewards, "states": states}
        arrays |= {"start": np.array(start), "returns": returns[0], "lengths": lengths[0]}
        names = {"state_names": self.environment.state_names, "action_names": self.output_names}
        arrays |= {name: np.array(texts, dtype=np.str_) for name, texts in names.items()}
        return Record("trajectory", arrays, not bool(np.isfinite(returns).all()))

    def baselines(self, metric: str) -> dict[str, float]:
        """Return what is reached on test by no action, and by one drawn from a normal distribution at each step."""
        played = baseline_episodes(self.environment, self.starts.test, self.seed)
        return {name: self._measured([metric], *outcome)[metric] for name, outcome in played.items()}

    def _measured(self, names: Sequence[str], returns: np.ndarray, lengths: np.ndarray) -> dict[str, float]:
        succeeded = self.environment.succeeded(returns, lengths)
        return metrics.evaluate_episodes(names, returns, lengths, succeeded)


def baseline_episodes(
    environment: Environment, starts: np.ndarray, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return returns and lengths (E,) of no action, and of random actions."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(RANDOM_STREAM,)))
    policies: dict[str, Callable[[int], np.ndarray]] = {
        "no action": lambda count: np.zeros((count, environment.actions)),
        "random action": lambda count: rng.standard_normal((count, environment.actions)),
    }
    return {name: playing.play(environment, policy, starts) for name, policy in policies.items()}


def check_fit(network: Network, environment: Environment) -> None:
    """Raise ShapeError when the observations or the actions of an environment do not fit a network."""
    for name, has, wants in (
        ("inputs", network.inputs, environment.observations),
        ("outputs", network.outputs, environment.actions),
    ):
        if has != wants:
            what = "observations" if name == "inputs" else "actions"
            raise ShapeError(
                f"network: expected {wants} {name} for the {what} of {environment.name}, got {has}"
            )


def _checked_starts(name: str, starts: np.ndarray, environment: Environment) -> np.ndarray:
    array = np.array(starts, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != environment.states or not len(array):
        raise ShapeError(
            f"{name}: expected at least one start, shape (E, {environment.states}), got {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ShapeError(f"{name}: expected finite starts, got NaN or infinity")
    return array
