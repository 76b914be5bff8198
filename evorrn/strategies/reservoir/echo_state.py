"""Echo state networks: a random reservoir, and a readout solved by ridge regression."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.settings import setting
from evorrn.strategies.base import State, Strategy, generator, generator_state
from evorrn.strategies.reservoir.conditions import (
    LARGEST_STATE,
    check_density,
    check_fed_back,
    check_solvable,
    check_washout,
    fitted_steps,
    sees_output,
)
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.strategies.reservoir.given import GivenReservoir, either
from evorrn.strategies.reservoir.plasticity import Plasticity, check_plasticity
from evorrn.strategies.reservoir.readout import (
    check_bias,
    logit_scale,
    mean_loss,
    write_readout,
)
from evorrn.strategies.reservoir.ridge import ridge
from evorrn.strategies.reservoir.topology import DISTRIBUTIONS, DRAWN, TOPOLOGIES, Graph
from evorrn.training.budget import Budget
from evorrn.training.loop import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evorrn.data.batch import Batch
    from evorrn.data.task import Splits, Task
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem
    from evorrn.training.result import Result


@dataclass(frozen=True)
class EchoState(Strategy):
    """Echo state network: random reservoirs with solved readouts, of which the best on validation is kept.

    A setting that is one number is fixed; ``[low, high]`` is a range. The first reservoir has the middle of
    every range and the network's own leak; the settings of each further one are drawn at random. Middle
    and draw are on a logarithmic scale, or on a linear scale if `low` is 0.

    Notes
    -----
    ``x_t = (1 - a) x_{t-1} + a tanh(W_in [1; u_t] + W x_{t-1} + W_fb y_{t-1})`` for the cell ``leaky``, and
    ``y_t = W_out [1; u_t; x_t]`` (``[1; x_t]`` for a network without ``direct``); any other cell works
    too. The solved readout is written into the genome. With ``feedback`` the true targets are fed back while
    states are computed; then the network is judged as it will run, on its own output from the first scored step on.

    Of stacked layers the readout sees only the last, unless the network has ``reads="all"``. Each layer squashes and
    mixes what it is given, so the last one alone has lost much of the input that a linear readout could use: a stack with
    ``reads="all"`` never knows less than its first layer. A stack without it works, with larger errors.

    The readout is solved from the states themselves up to 600 features (units that are read, and inputs with
    ``direct``), and from their Gram matrix beyond, see `solver`. ``alpha_at_edge`` in the history is -1 or 1 where the
    smallest or the largest of `alphas` predicted best: perhaps a further one would do better.

    The links of ``cycle``, ``jump-cycle`` and ``delay-line`` have equal weights (Rodan & Tiňo 2011, 2012), so that of
    a cycle they are the spectral radius. A delay line has no eigenvalue but 0; its weights are `spectral_radius`.

    With intrinsic plasticity the weights into a unit are multiplied by its gain, so that `spectral_radius` is that of the
    start; see `evorrn.strategies.reservoir.plasticity.Plasticity`.

    For labels the regression targets are 1 for the class and 0 elsewhere, and one factor
    turns the outputs into logits. A reservoir whose states diverge is recorded, and is not a candidate.

    Source: Jaeger 2001 (GMD report 148); leaky units: Jaeger, Lukoševičius, Popovici & Siewert 2007;
    practice: Lukoševičius 2012. No state noise is added.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("narma", train=300, valid=100, test=100)
    >>> network = evorrn.Network.for_task(task, cell="leaky", hidden=50, direct=True, dtype="float64")
    >>> result = evorrn.EchoState(reservoirs=3).fit(network, task, seed=1)
    >>> result.stopped_by
    'all reservoirs drawn'
    >>> bool(result.metrics["test"]["nrmse_std"] < 0.9)
    True
    """

    name: ClassVar[str] = "esn"
    version: ClassVar[int] = 2
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
    washout: int | None = setting(
        None,
        "first steps of each sequence left out of the fit; by default a tenth of it, at most 100",
        minimum=0,
    )
    alphas: tuple[float, ...] = setting(
        tuple(float(f"1e{exponent}") for exponent in range(-20, 2)),
        "ridge penalties to choose from, per row and squared weight",
        above=0,
    )
    select: str = setting(
        "blocks",
        "how the penalty is chosen: on held-out blocks (blocks), of whole sequences if there are several, with about "
        "equal shares of every class, else of steps in time order; or by generalised cross-validation, which assumes "
        "that errors are independent in time (gcv)",
        choices=("blocks", "gcv"),
    )
    held_out: float = setting(
        0.5, "share of the sequences, or of the last steps, that is divided into blocks", above=0, below=1
    )
    blocks: int = setting(
        2,
        "number of blocks; each is predicted from all other sequences, or from all steps before it",
        minimum=1,
    )
    solver: str = setting(
        "auto",
        "svd solves the readout from the states themselves, cholesky from their Gram matrix, faster and with half the "
        "digits; auto is svd up to 600 features",
        choices=("auto", "svd", "cholesky"),
        absent="cholesky",
    )
    topology: str = setting(
        "random",
        "which units are linked: random, small-world (a ring of neighbours, some links of which are moved), cycle, "
        "jump-cycle (a cycle with shortcuts in both directions) or delay-line",
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
    plasticity: str = setting(
        "none",
        "whether gains and biases of the units adapt to the training inputs before the readout is solved (intrinsic)",
        choices=("none", "intrinsic"),
        absent="none",
    )
    plasticity_rate: float = setting(1e-3, "learning rate of intrinsic plasticity", above=0, absent=1e-3)
    plasticity_epochs: int = setting(
        3, "passes of intrinsic plasticity over the training data", minimum=1, absent=3
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
        if not self.alphas:
            found.append("alphas: expected at least one penalty, got none")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "alphas" and isinstance(value, tuple) and value[0] > value[1]:
                found.append(f"{field.name}: expected [low, high], got [{value[0]:g}, {value[1]:g}]")
        if self.density is not None and self.topology not in DRAWN:
            found.append(
                f"density: the topology {self.topology} has its own links; expected {' or '.join(DRAWN)}, or no density"
            )
        return found

    @property
    def ends_by_itself(self) -> bool:
        """Whether `reservoirs` is set."""
        return self.reservoirs is not None

    @property
    def default_budget(self) -> Budget:
        """One reservoir, unless `reservoirs` is set."""
        return Budget() if self.ends_by_itself else Budget(generations=1)

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first reservoir.

        Raises
        ------
        ConfigError
            For a network without biases, for a loss on whole sequences, for a network that sees its own logits, for a density of less than one link
            into a unit, and for a washout that leaves fewer rows than the readout has weights.
        """
        network = problem.network
        check_bias(self.name, network)
        check_solvable(self.name, network)
        check_fed_back(self.name, network)
        check_washout(self.name, problem, self.washout)
        check_density(self.name, network, self.density)
        if self.plasticity == "intrinsic":
            check_plasticity(self.name, network, self.activity_mean)
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
        train_loss, solved = self.solve(variant, genome)
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
        """Apply intrinsic plasticity, if it is set, to a drawn reservoir (n,) in place."""
        if self.plasticity == "intrinsic":
            rule = (self.plasticity_rate, self.plasticity_epochs, self.activity_mean, self.activity_deviation)
            Plasticity(*rule).adapt(problem, genome)

    @either
    def fit_readout(
        self,
        network: Network,
        data: Task | Batch | Splits | Sequence[Batch],
        genome: np.ndarray,
        alphas: Sequence[float] | None = None,
    ) -> Result:
        """Return the result with the solved readout of a given genome; nothing is drawn.

        Parameters
        ----------
        network : Network
        data : Task, Batch, Splits, or sequence of one to three Batch
            As for `fit`; a task gives its data of seed 0.
        genome : ndarray, shape (n,)
            Its readout has no effect.
        alphas : sequence of float, optional
            Penalties to choose from, in place of those of the strategy. Called on the class, `fit_readout` has the
            default settings.

        Raises
        ------
        ConfigError
            In the cases of `start`, and when the states of the genome are not finite.

        Examples
        --------
        >>> import evorrn
        >>> task = evorrn.task("narma", train=300, valid=100, test=100)
        >>> network = evorrn.Network.for_task(task, cell="gru", hidden=20, dtype="float64")
        >>> result = evorrn.EchoState.fit_readout(network, task, network.init(seed=0), alphas=[1e-6, 1e-4])
        >>> result.stopped_by
        'readout solved'
        """
        strategy = self if alphas is None else dataclasses.replace(self, alphas=tuple(alphas))
        return fit(GivenReservoir(strategy, network.check_genome(genome)), network, data)

    def _draw(self, network: Network, rng: np.random.Generator, *, first: bool) -> dict[str, float]:
        """Return the settings of one reservoir."""
        values = {
            name: at_share(value, 0.5 if first or not isinstance(value, tuple) else rng.random())
            for name, value in self.ranges(network).items()
        }
        if first and "leak" in values and isinstance(self.leak, tuple):
            values["leak"] = {**network.cell.options, **network.cell_options}["leak"]
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
        if self.leak is not None and "leak" in network.cell.options:
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
        )

    def solve(self, problem: Problem, genome: np.ndarray) -> tuple[float, dict[str, float]]:
        """Solve the readout and write it into a genome (n,); return the training loss and what the history keeps."""
        network, batch = problem.network, problem.batch("train")
        rows = fitted_steps(batch, self.washout)
        inputs = network.inputs if network.direct else 0
        features = np.empty((int(rows.sum()), inputs + network.readout_width))
        features[:, :inputs] = batch.inputs[rows][:, :inputs]
        states = features[:, inputs:]
        states[...] = problem.readout_states(genome, teacher=sees_output(network))[rows]
        if not -LARGEST_STATE < states.min() <= states.max() < LARGEST_STATE:  # NaN included
            return np.inf, {"alpha": np.nan, "alpha_at_edge": 0}
        truth = batch.targets[rows]
        fitted = network.loss_function.regression_targets(truth, network.outputs)
        solution = ridge(
            features,
            fitted,
            self.alphas,
            select=self.select,
            held_out=self.held_out,
            blocks=self.blocks,
            sequences=np.nonzero(rows)[0],
            solver=self.solver,
        )
        problem.charge(solution.work)
        with one_thread():
            outputs = features @ solution.weights.T + solution.bias
        judged, seen = (
            (outputs, truth) if solution.unseen is None else (solution.unseen, truth[solution.held_out])
        )
        scale = logit_scale(network.loss_function, judged, seen)
        write_readout(network, genome, scale * solution.weights, scale * solution.bias)
        solved = {"alpha": solution.alpha, "alpha_at_edge": solution.at_edge}
        if sees_output(network):  # the fit saw true outputs; the network sees its own
            return -float(problem.fitness(genome[None])[0]), solved
        return mean_loss(network.loss_function, scale * outputs, truth), solved


def at_share(value: Any, share: float) -> float:
    """Return a fixed value, or the point at a share of a range, on a logarithmic scale unless it begins at 0."""
    if not isinstance(value, tuple):
        return value
    low, high = value
    return float(low + share * (high - low) if low == 0 else low * (high / low) ** share)
