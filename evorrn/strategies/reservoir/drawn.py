"""Random reservoirs drawn one after the other: what every strategy with a readout over fixed weights shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.strategies.base import COPIES, FLOAT, State, Strategy, generator, generator_state
from evorrn.strategies.reservoir.conditions import check_density, check_factors, sees_output
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.strategies.reservoir.hebbian import RULES, RecurrentPlasticity
from evorrn.strategies.reservoir.plasticity import Plasticity, check_plasticity
from evorrn.strategies.reservoir.topology import DISTRIBUTIONS, DRAWN, TOPOLOGIES, Graph
from evorrn.strategies.reservoir.units import check_units
from evorrn.training.budget import Budget

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

RANGES = (
    "spectral_radius",
    "leak",
    "input_scaling",
    "bias_scaling",
    "feedback_scaling",
    "links",
    "density",
)
"""Settings that are a number, or a range from which each reservoir has a number."""


@dataclass(frozen=True)
class DrawnReservoir(Strategy):
    """Base of strategies whose step draws a random reservoir and fits its readout.

    A subclass defines `solve`, and `start` if it has conditions of its own.
    """

    step_name: ClassVar[str] = "reservoir"
    requires: ClassVar[frozenset[str]] = frozenset({"states", "targets"})
    network_defaults: ClassVar[dict[str, Any]] = {
        "cell": "leaky",
        "hidden": 200,
        "direct": True,
        "dtype": "float64",
    }

    reservoirs: int | None = setting(
        None, "number of reservoirs; by default as many as the budget allows", minimum=1
    )
    spectral_radius: float | tuple[float, float] = setting(
        (0.5, 1.3), "largest absolute eigenvalue of the recurrent weights", minimum=0
    )
    leak: float | tuple[float, float] | None = setting(
        (0.1, 1.0), "leak of cells that have one; none for the network's own", above=0, maximum=1
    )
    input_scaling: float | tuple[float, float] = setting(
        (0.03, 1.0), "input weights are uniform between minus and plus this", minimum=0
    )
    bias_scaling: float | tuple[float, float] = setting(
        (0.05, 0.8), "biases are uniform between minus and plus this", minimum=0
    )
    feedback_scaling: float | tuple[float, float] = setting(
        (0.1, 1.0), "weights from fed-back outputs are uniform between minus and plus this", minimum=0
    )
    links: int | tuple[int, int] = setting(
        10, "recurrent links into each unit, of random and small-world", minimum=1
    )
    density: float | tuple[float, float] | None = setting(
        None, "share of recurrent links that are not zero; replaces `links`", above=0, maximum=1
    )
    topology: str = setting(
        "random",
        "which units are linked: random, small-world (a ring of neighbours, some links of which are moved), cycle, "
        "jump-cycle (a cycle with shortcuts in both directions), delay-line, or orthogonal (all links, a random orthogonal "
        "matrix times the radius)",
        choices=TOPOLOGIES,
        absent="random",
    )
    distribution: str = setting(
        "uniform",
        "weights from inputs and fed-back outputs, and random recurrent weights: uniform between minus and plus the "
        "scaling, normal with the scaling as standard deviation, or the scaling with a random sign",
        choices=DISTRIBUTIONS,
        absent="uniform",
    )
    jump: int = setting(5, "units that a shortcut of jump-cycle passes along the cycle", minimum=2, absent=5)
    moved: float = setting(
        0.1,
        "share of the links of small-world that are moved to random units",
        minimum=0,
        maximum=1,
        absent=0.1,
    )
    groups: int = setting(
        1,
        "groups of units, without links from one to another unless group_density says so; each has the spectral radius",
        minimum=1,
        absent=1,
    )
    group_density: float = setting(
        0.0,
        "share of the links between units of different groups that are not zero; all groups together then have the spectral "
        "radius",
        minimum=0,
        maximum=1,
        absent=0.0,
    )
    group_scaling: float = setting(
        1.0, "scale of their weights, relative to those within a group", minimum=0, absent=1.0
    )
    input_factors: tuple[float, ...] = setting(
        (), "factors of the weights from each input, in their order; none for 1", absent=()
    )
    input_density: float = setting(
        1.0, "share of the input weights that are not zero", above=0, maximum=1, absent=1.0
    )
    radius_factors: tuple[float, ...] = setting(
        (), "factors of the spectral radius in each layer; none for 1", minimum=0, absent=()
    )
    layer_factors: tuple[float, ...] = setting(
        (), "factors of the input weights of each layer; none for 1", absent=()
    )
    state_noise: float = setting(
        0.0,
        "standard deviation of noise in every unit's sum while the states for the fit are computed",
        minimum=0,
        absent=0.0,
    )
    plasticity: str = setting(
        "none",
        "how the reservoir adapts to the training inputs before the readout is fitted: gains and biases of the units "
        "(intrinsic), or recurrent weights by the anti-Hebbian rule or the rule BCM",
        choices=("none", "intrinsic", *RULES),
        absent="none",
    )
    plasticity_rate: float = setting(1e-3, "learning rate of the plasticity", above=0, absent=1e-3)
    plasticity_epochs: int = setting(
        3, "passes of the plasticity over the training data", minimum=1, absent=3
    )
    activity_mean: float = setting(
        0.0, "mean of the activations that intrinsic plasticity aims at; above 0 for sigmoid", absent=0.0
    )
    activity_deviation: float = setting(
        0.3, "their standard deviation, for tanh; sigmoid has the exponential density", above=0, absent=0.3
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, for instance a range with low above high."""
        found = super().problems()
        if found:
            return found
        for name in RANGES:
            value = getattr(self, name)
            if isinstance(value, tuple) and value[0] > value[1]:
                found.append(f"{name}: expected [low, high], got [{value[0]:g}, {value[1]:g}]")
        if self.density is not None and self.topology not in DRAWN:
            found.append(
                f"density: the topology {self.topology} has its own links; expected {' or '.join(DRAWN)}, or no density"
            )
        if self.group_density and self.groups == 1:
            found.append("group_density: expected at least two groups, whose units it links, got 1")
        return found

    @property
    def ends_by_itself(self) -> bool:
        """Whether `reservoirs` is set."""
        return self.reservoirs is not None

    @property
    def default_budget(self) -> Budget:
        """One reservoir, unless `reservoirs` is set."""
        return Budget() if self.ends_by_itself else Budget(generations=1)

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes what the readout sees at all steps takes, with the matrices of its fit."""
        width = network.readout_width + network.inputs * network.direct
        return super().bytes_held(network) + FLOAT * COPIES * (sequences * steps * width + width**2)

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first reservoir.

        Raises
        ------
        ConfigError
            For a density of less than one link into a unit, for another number of factors than there are inputs or layers,
            and for a network that cannot adapt as `plasticity` says or have noise.
        """
        check_factors(self.name, problem.network, self)
        check_density(self.name, problem.network, self.density, self.groups)
        if self.state_noise:
            check_units(f"strategy {self.name}: state_noise", problem.network)
        if self.plasticity == "intrinsic":
            check_plasticity(self.name, problem.network, self.activity_mean)
        elif self.plasticity != "none":
            check_units(f"strategy {self.name}: plasticity", problem.network)
            if sees_output(problem.network):
                raise ConfigError(f"strategy {self.name}: plasticity needs a network without feedback")
        return {
            "rng": generator_state(rng),
            "drawn": 0,
            "candidate": None,
            "cell_options": {},
            "train_loss": np.inf,
            "finished": "",
            "record": {},
        }

    def step(self, problem: Problem, state: State) -> State:
        """Return the state after one reservoir was drawn, run on the training data and its readout solved."""
        rng = generator(state)
        drawn = state["drawn"] + 1
        values = self._draw(problem.network, rng, first=drawn == 1)
        options = {"leak": values["leak"]} if "leak" in values else {}
        variant = problem.with_options(options)
        genome, work = draw_reservoir(variant.network, self.scales(values, variant.network), rng)
        problem.charge(work)
        self.adapt(variant, genome)
        train_loss, solved = self.solve(variant, genome, rng)
        return {
            "rng": generator_state(rng),
            "drawn": drawn,
            "candidate": genome if np.isfinite(train_loss) else None,
            "cell_options": options,
            "train_loss": train_loss,
            "finished": "all reservoirs drawn" if drawn == self.reservoirs else "",
            "record": {**values, **solved},
        }

    def adapt(self, problem: Problem, genome: np.ndarray) -> None:
        """Apply the plasticity, if one is set, to a drawn reservoir (n,) in place."""
        if self.plasticity == "intrinsic":
            rule = (self.plasticity_rate, self.plasticity_epochs, self.activity_mean, self.activity_deviation)
            Plasticity(*rule).adapt(problem, genome)
        elif self.plasticity != "none":
            learning = RecurrentPlasticity(self.plasticity, self.plasticity_rate, self.plasticity_epochs)
            learning.adapt(problem, genome)

    def _draw(self, network: Network, rng: np.random.Generator, *, first: bool) -> dict[str, float]:
        """Return the settings of one reservoir."""
        values = {
            name: at_share(value, 0.5 if first or not isinstance(value, tuple) else rng.random())
            for name, value in self.ranges(network).items()
        }
        if first and "leak" in values and isinstance(self.leak, tuple):
            values["leak"] = next(given["leak"] for given in _options(network) if "leak" in given)
        if "links" in values:
            values["links"] = round(values["links"])
        return values

    def ranges(self, network: Network) -> dict[str, Any]:
        """Return the reservoir settings that apply to a network: numbers, or ranges as tuples."""
        ranges: dict[str, Any] = {
            "spectral_radius": self.spectral_radius,
            "input_scaling": self.input_scaling,
            "bias_scaling": self.bias_scaling,
        }
        if self.topology in DRAWN:
            ranges.update({"links": self.links} if self.density is None else {"density": self.density})
        if sees_output(network):
            ranges["feedback_scaling"] = self.feedback_scaling
        if self.leak is not None and any("leak" in given for given in _options(network)):
            ranges["leak"] = self.leak
        return ranges

    def scales(self, values: dict[str, float], network: Network) -> Scales:
        """Return the scales that a reservoir with these settings is drawn with."""
        return Scales(
            spectral_radius=values["spectral_radius"],
            links=round(values.get("links", 0)),
            density=values.get("density"),
            inputs=values["input_scaling"],
            biases=values["bias_scaling"],
            feedback=values.get("feedback_scaling", 0.0),
            graph=Graph(self.topology, self.distribution, self.jump, self.moved),
            groups=self.groups,
            group_density=self.group_density,
            group_scaling=self.group_scaling,
            input_factors=self.input_factors,
            radius_factors=self.radius_factors,
            layer_factors=self.layer_factors,
            input_density=self.input_density,
        )

    def solve(
        self, problem: Problem, genome: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, dict[str, float]]:
        """Fit the readout and write it into a genome (n,); return the training loss and what the history keeps."""
        raise NotImplementedError


def _options(network: Network) -> list[dict[str, Any]]:
    """Return the options of the cell of each layer."""
    return [network.options_of(layer) for layer in range(len(network.hidden))]


def at_share(value: Any, share: float) -> float:
    """Return a fixed value, or the point at a share of a range, on a logarithmic scale unless it begins at 0."""
    if not isinstance(value, tuple):
        return value
    low, high = value
    return float(low + share * (high - low) if low == 0 else low * (high / low) ** share)
