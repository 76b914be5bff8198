"""The settings of the genetic algorithm, with their ranges and the combinations that are not allowed."""

from __future__ import annotations

from dataclasses import dataclass

from evorrn.base.settings import setting
from evorrn.strategies.evolution.units import UNITS
from evorrn.strategies.evolution.vectors import VectorStrategy


@dataclass(frozen=True)
class GeneticSettings(VectorStrategy):
    """What `evorrn.GeneticAlgorithm` can be told."""

    population: int = setting(32, "individuals of a generation", minimum=2)
    elite: int = setting(
        1, "best distinct individuals so far that survive unchanged; fewer than the population", minimum=0
    )
    selection: str = setting(
        "tournament",
        "how a parent is selected: the best of some drawn at random (tournament), drawn from the best "
        "(truncation), or drawn with a probability proportional to its rank, 1 for the worst (roulette)",
        choices=("tournament", "truncation", "roulette"),
    )
    tournament_size: int = setting(8, "individuals drawn for a tournament", minimum=1)
    truncation: float = setting(
        0.25, "share of the population that truncation selection draws from", above=0, maximum=1
    )
    crossover: str = setting(
        "uniform",
        "crossover operator",
        choices=("simulated-binary", "blend", "uniform", "one-point"),
    )
    crossover_probability: float = setting(0.5, "probability that a pair crosses over", minimum=0, maximum=1)
    crossover_unit: str = setting(
        "neuron",
        "genes that cross over together: each gene alone, a named block, or all weights into a neuron",
        choices=UNITS,
    )
    crossover_eta: float = setting(
        15.0,
        "distribution index of simulated binary crossover; children are nearer to the parents when it is larger",
        minimum=0,
    )
    crossover_alpha: float = setting(
        0.5,
        "largest distance of a child beyond its parents in blend crossover, as a share of their distance",
        minimum=0,
    )
    crossover_share: float = setting(
        0.5, "probability that uniform crossover swaps a unit", above=0, maximum=1
    )
    mutation_probability: float = setting(1.0, "probability that an individual mutates", minimum=0, maximum=1)
    mutation_unit: str = setting(
        "gene",
        "genes that mutate together: each gene alone, a named block, or all weights into a neuron",
        choices=UNITS,
    )
    mutation_rate: float = setting(
        0.03,
        "probability that a unit of a mutating individual changes; at least one unit changes",
        above=0,
        maximum=1,
    )
    mutation_size: float = setting(
        0.15,
        "standard deviation of the change of a gene, as a multiple of the standard deviation of the genes in "
        "the start population",
        above=0,
    )
    mutation_decay: float = setting(1.0, "factor on mutation_size after every generation", above=0, maximum=1)
    adaptation: str = setting(
        "none",
        "whether mutation sizes are constant, or evolve with the individuals: one for each individual, or one "
        "for each named block of an individual; mutation_size is their start value",
        choices=("none", "individual", "block"),
    )
    toolbox: object | None = setting(
        None, "a deap.base.Toolbox with operators of your own; available in Python only"
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or combination of settings, that is not allowed."""
        found = super().problems()
        if not found and self.elite >= self.population:
            found.append(f"elite: expected fewer than the population of {self.population}, got {self.elite}")
        if not found and self.crossover_probability == self.mutation_probability == 0:
            found.append("mutation_probability: expected more than 0 when crossover_probability is 0")
        if not found and self.adaptation != "none" and self.mutation_decay != 1:
            found.append("mutation_decay: expected 1 when mutation sizes evolve (adaptation is not none)")
        if self.toolbox is not None:
            from evorrn.strategies.evolution.deap_operators import toolbox_problems

            found += (wrong := toolbox_problems(self.toolbox))
            if not wrong and self.adaptation != "none" and hasattr(self.toolbox, "mutate"):
                found.append("adaptation: expected none with a toolbox that has its own mutate")
        return found

    def values(self) -> dict[str, object]:
        """Return the settings as plain data, a toolbox as the text ``"made in Python"``."""
        found = {name: value for name, value in super().values().items() if name != "toolbox"}
        return found if self.toolbox is None else {**found, "toolbox": "made in Python"}
