"""EvolvedReservoir: CMA-ES on the settings of echo state networks with solved readouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.strategies.base import Around, State, generator, generator_state
from evorrn.strategies.evolution.cma_es import CMAES
from evorrn.strategies.reservoir.draw import draw_reservoir
from evorrn.strategies.reservoir.drawn import at_share
from evorrn.strategies.reservoir.echo_state import EchoState
from evorrn.training.budget import Budget

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class EvolvedReservoir(EchoState):
    """Evolve spectral radius, leak and scalings of reservoirs by CMA-ES; solve their readouts by ridge regression.

    Settings are those of `EchoState`: a number is fixed, and every range is one coordinate of the search,
    from 0 at its lower end to 1 at its upper end, on the scale of the range. A step is one reservoir: its
    settings are an individual, and its fitness is the negative validation loss of the solved network. After
    each generation CMA-ES updates its distribution, which starts in the middle of all ranges; points outside
    the ranges are reflected into them.

    All reservoirs of a generation use the same random numbers, so that they differ only by their settings;
    each generation draws new ones, so that settings are not selected for one lucky draw. The result is the best
    network on validation, as with `EchoState`.

    Notes
    -----
    Sources: `EchoState` and `CMAES`. Evolving such settings of reservoirs goes back to K. Ishii, T. van der
    Zant, V. Becanovic and P. Ploeger, Identification of Motion with Echo State Network, OCEANS (2004).

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("narma", train=300, valid=100, test=100)
    >>> network = evorrn.Network.for_task(task, cell="leaky", hidden=20, direct=True, dtype="float64")
    >>> strategy = evorrn.EvolvedReservoir(population=4, reservoirs=12)
    >>> result = strategy.fit(network, task)
    >>> [int(generation) for generation in result.history["generation"][3::4]]
    [1, 2, 3]
    """

    name: ClassVar[str] = "evolved-esn"
    version: ClassVar[int] = 5

    population: int | None = setting(
        None, "reservoirs of a generation; by default 4 + 3 ln n for n ranges", minimum=4
    )
    sigma: float = setting(0.25, "initial step size, as a share of the ranges", above=0)

    @property
    def default_budget(self) -> Budget:
        """Without limits: a run needs a budget or `reservoirs`."""
        return Budget()

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first reservoir.

        Raises
        ------
        ConfigError
            When every setting is fixed, and in the cases of `EchoState.start`.
        """
        state = super().start(problem, rng)
        count = len(self._evolved(problem.network))
        if count == 0:
            raise ConfigError(
                "strategy evolved-esn: expected a range [low, high] for at least one setting, got only numbers"
            )
        middle = Around(np.full(count, 0.5), self.sigma)
        search = self._search().initial(count, rng, middle)
        empty = np.zeros((0, count))
        return {**state, "search": search, "asked": empty, "fitness": np.zeros(0), "seed": 0}

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after the reservoir of one individual was drawn, solved and validated."""
        search, asked, fitness, seed = (state[key] for key in ("search", "asked", "fitness", "seed"))
        rng = generator(state)
        if len(fitness) == len(asked):
            search, asked = self._search().ask(search)
            fitness, seed = np.zeros(0), int(rng.integers(2**63))
        values = self._settings(problem.network, asked[len(fitness)])
        options = {"leak": values["leak"]} if "leak" in values else {}
        variant = problem.with_options(options)
        draws = np.random.default_rng(seed)
        genome, work = draw_reservoir(variant.network, self.scales(values, variant.network), draws)
        problem.charge(work)
        self.adapt(variant, genome)
        train_loss, solved = self.solve(variant, genome, draws)
        usable = bool(np.isfinite(train_loss))
        valid = variant.validate(genome) if usable else np.inf
        fitness = np.append(fitness, -valid if np.isfinite(valid) else -np.inf)
        if len(fitness) == len(asked):
            search = self._search().tell(search, asked, fitness)
        drawn = state["drawn"] + 1
        return {
            "rng": generator_state(rng),
            "search": search,
            "asked": asked,
            "fitness": fitness,
            "seed": seed,
            "drawn": drawn,
            "candidate": genome if usable else None,
            "cell_options": options,
            "train_loss": train_loss,
            "finished": "all reservoirs drawn" if drawn == self.reservoirs else "",
            "record": {**values, **solved, "generation": search["generation"]},
        }

    def _search(self) -> CMAES:
        """Return the search over the ranges, each mapped to [0, 1]."""
        return CMAES(population=self.population, sigma=self.sigma, lower=0.0, upper=1.0)

    def _evolved(self, network: Network) -> list[str]:
        """Return the settings that are ranges."""
        return [
            name
            for name, value in self.ranges(network).items()
            if isinstance(value, tuple) and value[0] < value[1]
        ]

    def _settings(self, network: Network, point: np.ndarray) -> dict[str, float]:
        """Return the settings of a point (n,) with coordinates between 0 and 1."""
        shares = dict(zip(self._evolved(network), point.tolist()))
        values = {
            name: at_share(value, shares.get(name, 0.0)) for name, value in self.ranges(network).items()
        }
        if "links" in values:
            values["links"] = round(values["links"])
        return values
