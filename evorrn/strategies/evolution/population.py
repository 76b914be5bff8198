"""PopulationStrategy: what every search over real vectors here shares, so that a method is its update alone.

A method works in coordinates of its own, in which all named blocks have the same step size. Around it
stand the coordinates, the bounds, the weight decay, the best that was ever seen, restarts, sequences drawn
for a generation, and what is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.blas import one_thread
from evorrn.errors import ConfigError, unknown
from evorrn.settings import setting
from evorrn.strategies.base import Around, EvolutionStrategy, State, generator, generator_state
from evorrn.strategies.evolution.units import check_layout

if TYPE_CHECKING:
    from evorrn.problem import Problem

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
        Root mean square of the standard deviations of the start points' coordinates: the step size
        where a method is given none.
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

    def population(self, count: int) -> np.ndarray:
        """Return a start population (count, n), for methods whose step sizes are its spread.

        The first is the start point. The others are drawn, and their distance from it is multiplied by
        the factors on the step sizes of their blocks.
        """
        apart = self.draw(count - 1) - self.point
        return np.concatenate([self.point[None], self.point + apart * self.scale])


@dataclass(frozen=True)
class PopulationStrategy(EvolutionStrategy):
    """A search over real vectors that asks for a population and is told its fitness.

    A subclass gives `begin`, `sample` and `update`, where it can `centre` and `spread`, and a default for
    `population`. Its own state is one plain dict, which it never changes in place.

    Notes
    -----
    Fitness that is not finite is ``-inf`` in `update`. `shape` is called before it, so that the best ever
    seen and all records are of raw fitness. Bounds fold the line back like a mirror at both ends: a method may
    step out of them, the genome that is evaluated never does.
    """

    population: int | None = setting(None, "individuals of a generation", minimum=2)
    lower: float | None = setting(None, "lower bound of every gene")
    upper: float | None = setting(None, "upper bound of every gene")
    step_sizes: dict[str, float] | None = setting(
        None, "factor on the step size of a named block, or of all blocks whose names begin so"
    )
    weight_decay: float = setting(
        0.0, "half of this times the sum of squared genes is taken from the fitness that selects", minimum=0
    )
    sequences: int | None = setting(
        None,
        "training sequences drawn for each generation, all by default; the best of a generation is then "
        "judged on all of them",
        minimum=1,
    )
    finalists: int = setting(
        1, "individuals of a generation judged on all sequences to find its best, with `sequences`", minimum=1
    )
    restart_after: int | None = setting(
        None, "generations without a better individual after which the search starts anew", minimum=1
    )

    least_population: ClassVar[int] = 2
    """Individuals that the method cannot do without."""

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or pair of settings, that is not allowed."""
        found = super().problems()
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            found.append(f"upper: expected more than the lower bound {self.lower:g}, got {self.upper:g}")
        if not found and self.population is not None and self.population < self.least_population:
            found.append(
                f"population: {self.name} needs at least {self.least_population}, got {self.population}"
            )
        for name, factor in (self.step_sizes or {}).items() if not found else ():
            if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < math.inf:
                found.append(f"step_sizes.{name}: expected a number > 0, got {factor!r}")
        return found

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
        scale = self._scale(blocks)
        if isinstance(draw, Around):
            mean, deviation = draw.centre, np.full(size, draw.spread)
        else:
            mean, deviation = _moments(draw(rng, MOMENT_DRAWS), blocks)
        point = draw.centre if isinstance(draw, Around) else np.array(draw(rng, 1)[0], dtype=np.float64)
        start = Start(
            point / scale,
            float(np.sqrt(np.mean(np.square(deviation / scale)))) or 1.0,
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
        genomes = self._fold(points * state["scale"])
        return {**state, "method": method, "rng": generator_state(rng)}, genomes

    def tell(self, state: State, genomes: np.ndarray, fitness: np.ndarray) -> State:
        """Return the state after the genomes asked for were given their fitness, higher is better."""
        values = np.where(np.isfinite(fitness), fitness, -np.inf)
        first = int(values.argmax())
        return self._told(state, genomes, values, genomes[first], float(values[first]))

    def step(self, problem: Problem, state: State) -> State:
        """Evaluate one generation; with `sequences` on as many, and then its `finalists` on all of them."""
        state, genomes = self.ask(state)
        centre = self.centre(state["method"])
        judged = genomes
        if centre is not None:
            judged = np.concatenate([genomes, self._fold(centre * state["scale"])[None]])
        chosen = None
        if self.sequences is not None and self.sequences < problem.sequences:
            rng = generator(state)
            chosen = np.sort(rng.choice(problem.sequences, self.sequences, replace=False))
            state = {**state, "rng": generator_state(rng)}
        values = problem.fitness(judged, chosen)
        values = np.where(np.isfinite(values), values, -np.inf)
        if chosen is None:
            best, worth = judged, values
        else:
            best = judged[np.argsort(-values, kind="stable")[: self.finalists]]
            worth = problem.fitness(best)
            worth = np.where(np.isfinite(worth), worth, -np.inf)
        first = int(worth.argmax())
        state = self._told(
            state, genomes, values[: len(genomes)], best[first], float(worth[first]), chosen is not None
        )
        return {**state, "candidate": state["best_genome"], "train_loss": -state["best_fitness"]}

    # --- Plumbing ----------------------------------------------------------------------------------

    def _told(
        self,
        state: State,
        genomes: np.ndarray,
        values: np.ndarray,
        champion: np.ndarray,
        worth: float,
        crowned: bool = False,
    ) -> State:
        rng = generator(state)
        method = state["method"]
        if np.isfinite(values).any():
            with one_thread():
                method = self.update(method, genomes / state["scale"], self.shape(genomes, values), rng)
        if crowned and math.isfinite(worth):
            method = self.crowned(method, champion / state["scale"])
        better = worth > state["best_fitness"]
        lately = worth > state["best_since_start"]
        told = {
            **state,
            "generation": state["generation"] + 1,
            "method": method,
            "waiting": 0 if lately else state["waiting"] + 1,
            "best_since_start": worth if lately else state["best_since_start"],
            "best_genome": np.array(champion) if better else state["best_genome"],
            "best_fitness": worth if better else state["best_fitness"],
            "record": self._record(state, method, genomes, values),
        }
        if self.stagnates(method, told["waiting"]):
            told = self._restarted(told, rng)
        return {**told, "rng": generator_state(rng)}

    def shape(self, genomes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the fitness (P,) that selects: raw fitness less the weight decay."""
        if self.weight_decay == 0:
            return values
        return values - 0.5 * self.weight_decay * np.einsum("pn,pn->p", genomes, genomes)

    def _restarted(self, state: State, rng: np.random.Generator) -> State:
        """Return the state at the beginning of another start, with the best ever kept."""
        scale, mean, deviation = state["scale"], state["start_mean"], state["start_deviation"]

        def draw(count: int) -> np.ndarray:
            return (mean + deviation * rng.standard_normal((count, mean.size))) / scale

        start = Start(
            draw(1)[0],
            float(np.sqrt(np.mean(np.square(deviation / scale)))) or 1.0,
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

    def _scale(self, blocks: dict[str, tuple[int, ...]]) -> np.ndarray:
        """Return the factor on each gene's step size, shape (n,)."""
        factors, used, parts = self.step_sizes or {}, set(), []
        for name, shape in blocks.items():
            keys = [key for key in factors if name == key or name.startswith(key + ".")]
            used.update(keys)
            parts.append(np.full(math.prod(shape), factors[max(keys, key=len)] if keys else 1.0))
        unused = [key for key in factors if key not in used]
        if unused:
            raise ConfigError([f"step_sizes.{key}: {unknown('block', key, list(blocks))}" for key in unused])
        return np.concatenate(parts)

    def _fold(self, genomes: np.ndarray) -> np.ndarray:
        """Return genomes mirrored at the bounds until they are inside."""
        low, high = self.lower, self.upper
        if low is None:
            return genomes if high is None else np.where(genomes > high, 2 * high - genomes, genomes)
        if high is None:
            return np.where(genomes < low, 2 * low - genomes, genomes)
        outside = (genomes < low) | (genomes > high)
        if not outside.any():
            return genomes
        width = high - low
        beyond = np.mod(genomes - low, 2 * width)
        folded = np.clip(low + np.minimum(beyond, 2 * width - beyond), low, high)
        return np.where(outside, folded, genomes)  # those inside stay bit for bit: elites do not wander

    def _record(
        self, state: State, method: State, genomes: np.ndarray, values: np.ndarray
    ) -> dict[str, float]:
        finite = values[np.isfinite(values)]
        low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75]) if finite.size else [math.nan] * 3
        each = np.var(genomes, axis=0)
        deviation = self.spread(method)
        steps = np.sqrt(each) if deviation is None else deviation * state["scale"]
        record = {
            "fitness_best": float(finite.max()) if finite.size else math.nan,
            "fitness_median": float(middle),
            "fitness_low": float(low),
            "fitness_high": float(high),
            "diverged": len(values) - len(finite),
            "diversity": float(np.sqrt(each.mean())),
            "restarts": state["restarts"],
        }
        place = 0
        for name, shape in state["layout"].items():
            count = math.prod(shape)
            record[f"step_size.{name}"] = float(np.sqrt(np.mean(np.square(steps[place : place + count]))))
            place += count
        return {**record, **self.extra_record(method)}


def _moments(draws: np.ndarray, blocks: dict[str, tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (n,) of start genomes (count, n), one of each to a block."""
    mean, deviation = [], []
    place = 0
    for shape in blocks.values():
        count = math.prod(shape)
        block = np.asarray(draws[:, place : place + count], dtype=np.float64)
        mean.append(np.full(count, block.mean()))
        deviation.append(np.full(count, block.std()))
        place += count
    return np.concatenate(mean), np.concatenate(deviation)


def centred_ranks(fitness: np.ndarray) -> np.ndarray:
    """Return ranks from -0.5 (worst) to 0.5 (best), shape (P,); equal fitness shares the mean of its ranks."""
    return (_mean_ranks(fitness) - (len(fitness) - 1) / 2) / max(len(fitness) - 1, 1)


def standardised(fitness: np.ndarray) -> np.ndarray:
    """Return fitness less its mean in units of its deviation, shape (P,); ``-inf`` counts as the worst finite one."""
    values = np.where(np.isfinite(fitness), fitness, fitness[np.isfinite(fitness)].min())
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
