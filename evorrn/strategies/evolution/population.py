"""PopulationStrategy: base of the searches over real vectors, to which a method adds its samples and update.

A method works in coordinates in which all named blocks have the same step size. This class adds the
scaling of coordinates, the bounds, the weight decay, the best individual so far, restarts, the draw of
training sequences for a generation, and the history.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.huge import quantiles, root_mean_square, scale_of
from evorrn.strategies.base import Around, State, generator, generator_state
from evorrn.strategies.evolution.start import Start
from evorrn.strategies.evolution.units import check_layout
from evorrn.strategies.evolution.vectors import GenerationFitness, VectorStrategy, moments, spread_record

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

MOMENT_DRAWS = 64
"""Start genomes from which the mean and deviation of each block are estimated, for starts after a restart."""
LENGTHS = ("sigma", "width", "rate", "max_speed")
"""Settings of methods that are lengths in the coordinates they work in."""


@dataclass(frozen=True)
class PopulationStrategy(VectorStrategy):
    """Base of evolution strategies that search over real vectors.

    A subclass defines `begin`, `sample` and `update`, and `centre` and `spread` if its search distribution
    has them; it may set a default for `population`. The method's own state is one dict of plain data, which
    it never changes in place.

    Notes
    -----
    Fitness that is not finite is ``-inf`` in `update`. `update` gets the fitness that `shape` returns; the best
    individual and the history use raw fitness. Genes outside the bounds are reflected at them: a method may
    leave the bounds, an evaluated genome never does.

    Examples
    --------
    A method that moves to the best point found and draws from a normal distribution around it:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import evorrn
    >>> @dataclass(frozen=True)
    ... class Nearby(evorrn.PopulationStrategy):
    ...     "Draw around the best point of the last generation."
    ...     name = "nearby"
    ...     population: int = evorrn.setting(10, "individuals of a generation", minimum=2)
    ...
    ...     def begin(self, start, rng):
    ...         return {"mean": start.point, "sigma": start.deviation}
    ...
    ...     def sample(self, method, rng):
    ...         noise = rng.standard_normal((self.population, method["mean"].size))
    ...         return method, method["mean"] + method["sigma"] * noise
    ...
    ...     def update(self, method, points, fitness, rng):
    ...         return {"mean": points[fitness.argmax()], "sigma": 0.9 * method["sigma"]}
    >>> search = Nearby().search(np.ones(3))
    >>> while not search.done("50gen"):
    ...     genomes = search.ask()
    ...     search.tell(genomes, -np.sum(genomes**2, axis=1))
    >>> bool(search.best.fitness > -0.1)
    True
    """

    # --- What a method defines ---------------------------------------------------------------------

    def begin(self, start: Start, rng: np.random.Generator) -> State:
        """Return the method's state before its first generation."""
        raise NotImplementedError

    def sample(self, method: State, rng: np.random.Generator) -> tuple[State, np.ndarray]:
        """Return the method's state, and the points (P, n) of the next generation."""
        raise NotImplementedError

    def update(
        self, method: State, points: np.ndarray, fitness: np.ndarray, rng: np.random.Generator
    ) -> State:
        """Return the method's state after a generation was evaluated.

        Parameters
        ----------
        method : dict
            As `sample` returned it.
        points : ndarray, shape (P, n)
            The points of `sample`, reflected into the bounds.
        fitness : ndarray, shape (P,)
            As `shape` returns it: higher is better, ``-inf`` where it was not finite; at least one is finite.
        rng : Generator
        """
        raise NotImplementedError

    def centre(self, method: State) -> np.ndarray | None:
        """Return the mean (n,) of the search distribution, which `step` evaluates with the generation."""
        return None

    def spread(self, method: State) -> np.ndarray | None:
        """Return the standard deviation of each coordinate (n,) of the search distribution."""
        return None

    def with_best(self, method: State, best: np.ndarray) -> State:
        """Return the method's state with the best point (n,) of a generation, as found on all sequences.

        Called after `update` when a generation is evaluated on a sample of the sequences.
        """
        return method

    def stagnates(self, method: State, waiting: int) -> bool:
        """Return whether to restart after `waiting` generations without improvement."""
        return self.restart_after is not None and waiting >= self.restart_after

    def extra_record(self, method: State) -> dict[str, float]:
        """Return further numbers for the history, under the same names in every generation."""
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
        unit = self._unit(deviation)
        scale = scale * unit
        point = draw.centre if isinstance(draw, Around) else np.array(draw(rng, 1)[0], dtype=np.float64)
        start = Start(
            point / scale,
            root_mean_square(deviation) / unit or 1.0,
            lambda count: np.asarray(draw(rng, count), dtype=np.float64) / scale,
            0,
            blocks,
            scale,
            unit=unit,
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
        """Return the state with a pending population, and the genomes (P, n) to evaluate."""
        rng = generator(state)
        with one_thread():
            method, points = self.sample(state["method"], rng)
        # Contiguous, because the order of summation follows the order in memory.
        genomes = np.ascontiguousarray(self.folded(points * state["scale"]))
        return {**state, "method": method, "rng": generator_state(rng)}, genomes

    def tell(self, state: State, genomes: np.ndarray, fitness: np.ndarray) -> State:
        """Return the state given the fitness (P,) of the genomes asked for; higher is better."""
        values = np.where(np.isfinite(fitness), fitness, -np.inf)
        first = int(values.argmax())
        best = genomes[first]
        return self._after(state, genomes, GenerationFitness(values, best, best, float(values[first])))

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after one generation.

        The candidate is the best individual of this generation, not the best so far: the best on the training
        data is not always the best on validation, and so validation can choose among all generations.
        """
        state, genomes = self.ask(state)
        centre = self.centre(state["method"])
        evaluated = genomes
        if centre is not None:
            evaluated = np.concatenate([genomes, self.folded(centre * state["scale"])[None]])
        paid = problem.meter.work
        state, fitness = self.evaluate_generation(problem, state, evaluated)
        paid = problem.meter.work - paid
        state = self._after(state, genomes, fitness)
        problem.charge_own(self.own_work(state, genomes), paid)
        if math.isfinite(fitness.best_fitness):
            return {**state, "candidate": fitness.best_network, "train_loss": -fitness.best_fitness}
        return {**state, "candidate": state["best_genome"], "train_loss": -state["best_fitness"]}

    def _after(self, state: State, genomes: np.ndarray, fitness: GenerationFitness) -> State:
        """Return the state after a generation with the genomes (P, n), restarted where it stagnates."""
        rng = generator(state)
        method, values, best = state["method"], fitness.values[: len(genomes)], fitness.best_fitness
        if np.isfinite(values).any():
            with one_thread():
                method = self.update(method, genomes / state["scale"], self.shape(genomes, values), rng)
        if fitness.reevaluated and math.isfinite(best):
            method = self.with_best(method, fitness.best / state["scale"])
        better = best > state["best_fitness"]
        better_since_start = best > state["best_since_start"]
        after = {
            **state,
            "generation": state["generation"] + 1,
            "method": method,
            "waiting": 0 if better_since_start else state["waiting"] + 1,
            "best_since_start": best if better_since_start else state["best_since_start"],
            "best_genome": np.array(fitness.best_network) if better else state["best_genome"],
            "best_fitness": best if better else state["best_fitness"],
            "record": self._record(state, method, genomes, values),
        }
        if self.stagnates(method, after["waiting"]):
            after = self._restarted(after, rng)
        return {**after, "rng": generator_state(rng)}

    def _restarted(self, state: State, rng: np.random.Generator) -> State:
        """Return the state at the beginning of another start; the best individual so far is kept."""
        scale, mean, deviation = state["scale"], state["start_mean"], state["start_deviation"]

        def draw(count: int) -> np.ndarray:
            return (mean + deviation * rng.standard_normal((count, mean.size))) / scale

        unit = self._unit(deviation)
        start = Start(
            draw(1)[0],
            root_mean_square(deviation) / unit or 1.0,
            draw,
            state["restarts"] + 1,
            {name: tuple(shape) for name, shape in state["layout"].items()},
            scale,
            state["method"],
            unit,
        )
        method = self.begin(start, rng)
        return {
            **state,
            "method": method,
            "restarts": state["restarts"] + 1,
            "waiting": 0,
            "best_since_start": -math.inf,
        }

    def _unit(self, deviation: np.ndarray) -> float:
        """Return the genes of one unit of the coordinates: 1, or about the deviation if its square may overflow.

        It is 1 when a setting is a length itself, such as `sigma`.
        """
        given = any(getattr(self, name, None) is not None for name in LENGTHS)
        return 1.0 if given else scale_of(deviation)

    def _record(
        self, state: State, method: State, genomes: np.ndarray, values: np.ndarray
    ) -> dict[str, float]:
        """Return the history's numbers for a generation."""
        finite = values[np.isfinite(values)]
        low, middle, high = quantiles(finite, [0.25, 0.5, 0.75]) if finite.size else [math.nan] * 3
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
