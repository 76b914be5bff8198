"""EvolvedReservoir: the settings of echo state networks evolve around the solve of their readouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.strategies.base import Around, State, generator, generator_state
from evorrn.strategies.evolution.cma_es import CMAES
from evorrn.strategies.reservoir.draw import draw_reservoir
from evorrn.strategies.reservoir.echo_state import EchoState, picked
from evorrn.training.budget import Budget

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class EvolvedReservoir(EchoState):
    """Evolve spectral radius, leak and scalings by CMA-ES; solve the readout of each reservoir by ridge.

    Settings are those of `EchoState`: a number is fixed, and every range is one coordinate of the search,
    from 0 at its lower end to 1 at its upper end, on the range's own scale. A step is one reservoir: its
    settings are an individual, its fitness the negative validation loss of the solved network. When a
    generation is complete, CMA-ES moves its distribution, which starts in the middle of all ranges; bounds
    fold it back.

    All reservoirs of a generation come from the same random numbers, so that they differ by their settings
    alone; each generation has new ones, so that no settings win by the luck of a draw. The result is the
    network best on validation, as with `EchoState`.

    Notes
    -----
    Sources: `EchoState` and `CMAES`. Evolving such settings of reservoirs goes back to K. Ishii, T. van der
    Zant, V. Becanovic and P. Ploeger, Identification of Motion with Echo State Network, OCEANS (2004).
    """

    name: ClassVar[str] = "evolved-esn"

    population: int | None = setting(
        None, "reservoirs of a generation; 4 + 3 ln n for n ranges by default", minimum=4
    )
    sigma: float = setting(0.25, "step size at the start, as a share of the ranges", above=0)

    @property
    def default_budget(self) -> Budget:
        """None: how long to evolve is for the user to say."""
        return Budget()

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first reservoir.

        Raises
        ------
        ConfigError
            When every setting is fixed, and as `EchoState.start` does.
        """
        state = super().start(problem, rng)
        count = len(self._evolved(problem.network))
        if count == 0:
            raise ConfigError(
                "strategy evolved-esn: expected a range [low, high] for one setting at least, got numbers alone"
            )
        middle = Around(np.full(count, 0.5), self.sigma)
        search = self._search().initial(count, rng, middle)
        empty = np.zeros((0, count))
        return {**state, "search": search, "asked": empty, "fitness": np.zeros(0), "seed": 0}

    def step(self, problem: Problem, state: State) -> State:
        """Draw the reservoir of one individual, solve its readout and validate it."""
        search, asked, fitness, seed = (state[key] for key in ("search", "asked", "fitness", "seed"))
        rng = generator(state)
        if len(fitness) == len(asked):
            search, asked = self._search().ask(search)
            fitness, seed = np.zeros(0), int(rng.integers(2**63))
        values = self._settings(problem.network, asked[len(fitness)])
        options = {"leak": values["leak"]} if "leak" in values else {}
        variant = problem.with_options(options)
        genome, work = draw_reservoir(
            variant.network, self.scales(values, variant.network), np.random.default_rng(seed)
        )
        problem.charge(work)
        train_loss, alpha = self.solve(variant, genome)
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
            "record": {**values, "alpha": alpha, "generation": search["generation"]},
        }

    def _search(self) -> CMAES:
        return CMAES(population=self.population, sigma=self.sigma, lower=0.0, upper=1.0)

    def _evolved(self, network: Network) -> list[str]:
        """Return the settings that are ranges."""
        return [
            name
            for name, value in self.ranges(network).items()
            if isinstance(value, tuple) and value[0] < value[1]
        ]

    def _settings(self, network: Network, point: np.ndarray) -> dict[str, float]:
        """Return the settings that a point (n,) between 0 and 1 stands for."""
        shares = dict(zip(self._evolved(network), point.tolist()))
        values = {name: picked(value, shares.get(name, 0.0)) for name, value in self.ranges(network).items()}
        if "links" in values:
            values["links"] = round(values["links"])
        return values
