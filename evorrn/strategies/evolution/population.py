"""PopulationStrategy: what every search over real vectors here shares, so that a method is its update alone.

A method works in coordinates of its own, in which all named blocks have the same step size. Around it
stand the coordinates, the bounds, the weight decay, the best that was ever seen, restarts, sequences drawn
for a generation, and what is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.strategies.base import Around, State, generator, generator_state
from evorrn.strategies.evolution.units import check_layout
from evorrn.strategies.evolution.vectors import VectorStrategy, Verdict, moments, spread_record

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

MOMENT_DRAWS = 64
"""Start genomes from which mean and deviation of a block are taken, for the starts after a restart."""


@dataclass(frozen=True)
class Start:
    """Where a method begins, in its own coordinates.

    Attributes
    ----------
    point : ndarray, shape (n,)
        The start point or mean.
    deviation : float
        Root mean square of the standard deviations of the start genes: the step size where a method is
        given none, which the factor of a block then multiplies.
    draw : callable
        ``draw(count)`` gives start points (count, n).
    restarts : int
        Restarts before this start.
    layout : dict of str to tuple of int
        ``{block name: shape}`` of a genome, in order.
    scale : ndarray, shape (n,)
        What a coordinate is multiplied by to give the gene: the factor on the step size of its block.
    previous : dict, optional
        The method's state when the start before this one ended; None at the first.
    """

    point: np.ndarray
    deviation: float
    draw: Callable[[int], np.ndarray]
    restarts: int
    layout: dict[str, tuple[int, ...]]
    scale: np.ndarray
    previous: State | None = None

    def within(self, width: float, rng: np.random.Generator) -> Start:
        """Return a start whose genes are uniform between minus and plus a width."""

        def draw(count: int) -> np.ndarray:
            return rng.uniform(-width, width, (count, self.point.size)) / self.scale

        return replace(self, point=draw(1)[0], deviation=width / math.sqrt(3), draw=draw)

    def population(self, count: int) -> np.ndarray:
        """Return a start population (count, n), for methods whose step sizes are its spread.

        The first is the start point. The others are drawn, and their distance from it is multiplied by
        the factors on the step sizes of their blocks.
        """
        if count == 1:
            return self.point[None]
        apart = self.draw(count - 1) - self.point
        return np.concatenate([self.point[None], self.point + apart * self.scale])


@dataclass(frozen=True)
class PopulationStrategy(VectorStrategy):
    """A search over real vectors that asks for a population and is told its fitness.

    A subclass gives `begin`, `sample` and `update`, where it can `centre` and `spread`, and a default for
    `population`. Its own state is one plain dict, which it never changes in place.

    Notes
    -----
    Fitness that is not finite is ``-inf`` in `update`. `shape` is called before it, so that the best ever
    seen and all records are of raw fitness. Bounds fold the line back like a mirror at both ends: a method may
    step out of them, the genome that is evaluated never does.
    """

    # --- What a method gives -----------------------------------------------------------------------

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the method's state before its first generation."""
        raise NotImplementedError

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the method's state and the points (P, n) of the next generation."""
        raise NotImplementedError

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the method's state after a generation.

        Parameters
        ----------
        method : dict
            As `sample` returned it.
        points : ndarray, shape (P, n)
            What was evaluated: the points of `sample`, folded into the bounds.
        fitness : ndarray, shape (P,)
            Shaped, higher is better, ``-inf`` where it was not finite; at least one is finite.
        rng : Generator
        """
        raise NotImplementedError

    def centre(self, method: State) -> np.ndarray | None:
        """Return the mean (n,) of the method's distribution, which is evaluated beside a generation of networks."""
        return None

    def spread(self, method: State) -> np.ndarray | None:
        """Return the standard deviation of each coordinate (n,) of the method's distribution."""
        return None

    def crowned(self, method: State, champion: np.ndarray) -> State:
        """Return the method's state after the best of a generation, a point (n,), was found on all sequences."""
        return method

    def stagnates(self, method: State, waiting: int) -> bool:
        """Return whether to start anew, after so many generations without a better individual."""
        return self.restart_after is not None and waiting >= self.restart_after

    def extra_record(self, method: State) -> dict[str, float]:
        """Return further numbers for the history, with the same names in every generation."""
        return {}

    # --- The contract of an evolution strategy -----------------------------------------------------

    def initial(
        self,
        size: int,
        rng: np.random.Generator,
        draw: Callable[[np.random.Generator, int], np.ndarray],
        layout: dict[str, tuple[int, ...]] | None = None,
    ) -> State:
        """Return the state before the first `ask`; see `EvolutionStrategy.initial`."""
        blocks: dict[str, tuple[int, ...]] = {"genome": (size,)} if layout is None else dict(layout)
        check_layout(blocks, size)
        scale = self.factors(blocks)
        if isinstance(draw, Around):
            mean, deviation = draw.centre, np.full(size, draw.spread)
        else:
            mean, deviation = moments(draw(rng, MOMENT_DRAWS), blocks)
        point = draw.centre if isinstance(draw, Around) else np.array(draw(rng, 1)[0], dtype=np.float64)
        start = Start(
            point / scale,
            float(np.sqrt(np.mean(np.square(deviation)))) or 1.0,
            lambda count: np.asarray(draw(rng, count), dtype=np.float64) / scale,
            0,
            blocks,
            scale,
        )
        method = self.begin(start, rng)
        return {
            "generation": 0,
            "method": method,
            "layout": {name: list(shape) for name, shape in blocks.items()},
            "scale": scale,
            "start_mean": mean,
            "start_deviation": deviation,
            "restarts": 0,
            "waiting": 0,
            "best_since_start": -math.inf,
            "best_genome": None,
            "best_fitness": -math.inf,
            "record": {},
            "rng": generator_state(rng),
        }

    def ask(self, state: State) -> tuple[State, np.ndarray]:
        """Return the state with a pending population, and the genomes (P, n) to be evaluated."""
        rng = generator(state)
        with one_thread():
            method, points = self.sample(state["method"], rng)
        genomes = np.ascontiguousarray(
            self.folded(points * state["scale"])
        )  # sums follow the order in memory
        return {**state, "method": method, "rng": generator_state(rng)}, genomes

    def tell(self, state: State, genomes: np.ndarray, fitness: np.ndarray) -> State:
        """Return the state after the genomes asked for were given their fitness, higher is better."""
        values = np.where(np.isfinite(fitness), fitness, -np.inf)
        first = int(values.argmax())
        champion = genomes[first]
        return self._told(state, genomes, Verdict(values, champion, champion, float(values[first])))

    def step(self, problem: Problem, state: State) -> State:
        """Evaluate one generation; with `sequences` on as many, and then its `finalists` on all of them."""
        state, genomes = self.ask(state)
        centre = self.centre(state["method"])
        judged = genomes
        if centre is not None:
            judged = np.concatenate([genomes, self.folded(centre * state["scale"])[None]])
        state, verdict = self.judge(problem, state, judged)
        state = self._told(state, genomes, verdict)
        # The best of this generation, not the best ever: what fits one sample of data best need not be what
        # validation, or a test of what was learned, would choose, and each generation is another chance.
        if math.isfinite(verdict.worth):
            return {**state, "candidate": verdict.network, "train_loss": -verdict.worth}
        return {**state, "candidate": state["best_genome"], "train_loss": -state["best_fitness"]}

    # --- Plumbing ----------------------------------------------------------------------------------

    def _told(self, state: State, genomes: np.ndarray, verdict: Verdict) -> State:
        rng = generator(state)
        method, values, worth = state["method"], verdict.values[: len(genomes)], verdict.worth
        if np.isfinite(values).any():
            with one_thread():
                method = self.update(method, genomes / state["scale"], self.shape(genomes, values), rng)
        if verdict.crowned and math.isfinite(worth):
            method = self.crowned(method, verdict.champion / state["scale"])
        better = worth > state["best_fitness"]
        lately = worth > state["best_since_start"]
        told = {
            **state,
            "generation": state["generation"] + 1,
            "method": method,
            "waiting": 0 if lately else state["waiting"] + 1,
            "best_since_start": worth if lately else state["best_since_start"],
            "best_genome": np.array(verdict.network) if better else state["best_genome"],
            "best_fitness": worth if better else state["best_fitness"],
            "record": self._record(state, method, genomes, values),
        }
        if self.stagnates(method, told["waiting"]):
            told = self._restarted(told, rng)
        return {**told, "rng": generator_state(rng)}

    def _restarted(self, state: State, rng: np.random.Generator) -> State:
        """Return the state at the beginning of another start, with the best ever kept."""
        scale, mean, deviation = state["scale"], state["start_mean"], state["start_deviation"]

        def draw(count: int) -> np.ndarray:
            return (mean + deviation * rng.standard_normal((count, mean.size))) / scale

        start = Start(
            draw(1)[0],
            float(np.sqrt(np.mean(np.square(deviation)))) or 1.0,
            draw,
            state["restarts"] + 1,
            {name: tuple(shape) for name, shape in state["layout"].items()},
            scale,
            state["method"],
        )
        method = self.begin(start, rng)
        return {
            **state,
            "method": method,
            "restarts": state["restarts"] + 1,
            "waiting": 0,
            "best_since_start": -math.inf,
        }

    def _record(
        self, state: State, method: State, genomes: np.ndarray, values: np.ndarray
    ) -> dict[str, float]:
        finite = values[np.isfinite(values)]
        low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75]) if finite.size else [math.nan] * 3
        deviation = self.spread(method)
        steps = None if deviation is None else deviation * state["scale"]
        record = {
            "fitness_best": float(finite.max()) if finite.size else math.nan,
            "fitness_median": float(middle),
            "fitness_low": float(low),
            "fitness_high": float(high),
            "diverged": len(values) - len(finite),
            "restarts": state["restarts"],
            **spread_record(genomes, state["layout"], steps),
        }
        return {**record, **self.extra_record(method)}


def centred_ranks(fitness: np.ndarray) -> np.ndarray:
    """Return ranks from -0.5 (worst) to 0.5 (best), shape (P,); equal fitness shares the mean of its ranks."""
    return (_mean_ranks(fitness) - (len(fitness) - 1) / 2) / max(len(fitness) - 1, 1)


def standardised(fitness: np.ndarray) -> np.ndarray:
    """Return fitness less its mean in units of its deviation, shape (P,); ``-inf`` counts as the worst finite one."""
    values = np.where(np.isfinite(fitness), fitness, fitness[np.isfinite(fitness)].min())
    largest = np.abs(values).max()
    if largest > 1e150:  # its square, or the sum, may be more than a float holds
        values = values / largest
    deviation = values.std()
    return (values - values.mean()) / (deviation if deviation > 0 else 1.0)


def shared_weights(fitness: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return weights given from the best to the worst, (P,), at the places of the individuals.

    Individuals of equal fitness share the mean of their weights, so that their order of arrival has no say.
    """
    order = np.argsort(-fitness, kind="stable")
    _, group, counts = np.unique(-fitness, return_inverse=True, return_counts=True)
    shared = np.bincount(group[order], weights=weights) / counts
    return shared[group]


def _mean_ranks(fitness: np.ndarray) -> np.ndarray:
    _, group, counts = np.unique(fitness, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    return (last - (counts - 1) / 2)[group]
