"""Echo state networks: a random reservoir, and a readout solved by ridge regression."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.strategies.base import State, Strategy, generator, generator_state
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.strategies.reservoir.readout import (
    check_bias,
    logit_scale,
    mean_loss,
    write_readout,
)
from evorrn.strategies.reservoir.ridge import ridge
from evorrn.training.budget import Budget

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

LARGEST_STATE = 1e12


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
    states are computed. For labels the regression targets are 1 for the class and 0 elsewhere, and one factor
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
        (0.5, 1.3), "largest absolute eigenvalue of the recurrent weights", above=0
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
    links: int | tuple[int, int] = setting(10, "recurrent links into each unit", minimum=1)
    density: float | tuple[float, float] | None = setting(
        None, "share of recurrent links that are not zero; replaces `links`", above=0, maximum=1
    )
    washout: int | None = setting(
        None,
        "first steps of each sequence left out of the fit; by default a tenth of it, at most 100",
        minimum=0,
    )
    alphas: tuple[float, ...] = setting(
        tuple(float(f"1e{exponent}") for exponent in range(-14, 2)),
        "ridge penalties to choose from, per row and squared weight",
        above=0,
    )
    select: str = setting(
        "blocks",
        "how the penalty is chosen: on blocks of training steps held out in time order (blocks), or by "
        "generalised cross-validation, which assumes that errors are independent in time (gcv)",
        choices=("blocks", "gcv"),
    )
    held_out: float = setting(
        0.5, "share of the training steps, the last ones, that is divided into blocks", above=0, below=1
    )
    blocks: int = setting(2, "number of blocks; each is predicted from all steps before it", minimum=1)

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
            For a network without biases, and for a network that sees its own output and has a loss on classes,
            because the fed-back targets are not logits.
        """
        network = problem.network
        check_bias(self.name, network)
        if sees_output(network) and network.loss_function.logits:
            raise ConfigError(
                f"strategy esn: a network that sees its own output needs the loss mse, got {network.loss_name}; "
                "the targets that are fed back while states are computed are not logits"
            )
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
        train_loss, alpha = self.solve(variant, genome)
        return {
            "rng": generator_state(rng),
            "drawn": drawn,
            "candidate": genome if np.isfinite(train_loss) else None,
            "cell_options": options,
            "train_loss": train_loss,
            "finished": "all reservoirs drawn" if drawn == self.reservoirs else "",
            "record": {**values, "alpha": alpha},
        }

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
        ranges.update({"links": self.links} if self.density is None else {"density": self.density})
        if sees_output(network):
            ranges["feedback_scaling"] = self.feedback_scaling
        if self.leak is not None and "leak" in network.cell.options:
            ranges["leak"] = self.leak
        return ranges

    def scales(self, values: dict[str, float], network: Network) -> Scales:
        """Return the scales that a reservoir with these settings is drawn with."""
        links = values["density"] * max(network.hidden) if "density" in values else values["links"]
        return Scales(
            spectral_radius=values["spectral_radius"],
            links=max(round(links), 1),
            inputs=values["input_scaling"],
            biases=values["bias_scaling"],
            feedback=values.get("feedback_scaling", 0.0),
        )

    def solve(self, problem: Problem, genome: np.ndarray) -> tuple[float, float]:
        """Solve the readout and write it into a genome (n,); return the training loss and the chosen penalty."""
        network, batch = problem.network, problem.batch("train")
        rows = fitted_steps(batch, self.washout)
        inputs = network.inputs if network.direct else 0
        features = np.empty((int(rows.sum()), inputs + network.readout_width))
        features[:, :inputs] = batch.inputs[rows][:, :inputs]
        states = features[:, inputs:]
        states[...] = problem.readout_states(genome, teacher=sees_output(network))[rows]
        if not -LARGEST_STATE < states.min() <= states.max() < LARGEST_STATE:  # NaN included
            return np.inf, np.nan
        truth = batch.targets[rows]
        fitted = network.loss_function.regression_targets(truth, network.outputs)
        fit = ridge(
            features, fitted, self.alphas, select=self.select, held_out=self.held_out, blocks=self.blocks
        )
        problem.charge(fit.work)
        with one_thread():
            outputs = features @ fit.weights.T + fit.bias
        judged = outputs if fit.unseen is None else fit.unseen
        scale = logit_scale(network.loss_function, judged, truth[len(truth) - len(judged) :])
        write_readout(network, genome, scale * fit.weights, scale * fit.bias)
        if sees_output(network):  # the fit saw true outputs; the network sees its own
            return -float(problem.fitness(genome[None])[0]), fit.alpha
        return mean_loss(network.loss_function, scale * outputs, truth), fit.alpha


def sees_output(network: Network) -> bool:
    """Return whether a network's last output is fed back, as an input or to its cell."""
    return bool(network.feedback or network.cell.sees_output)


def fitted_steps(batch: Batch, washout: int | None) -> np.ndarray:
    """Return which steps (B, T) a readout is fitted on: scored ones after the washout.

    Parameters
    ----------
    batch : Batch
    washout : int or None
        First steps of each sequence that are left out, even if scored; None for a tenth of the sequence,
        at most 100 steps. When all scored steps of a sequence are in the washout, its last one is kept.
    """
    assert batch.lengths is not None
    first = np.minimum(batch.lengths // 10, 100) if washout is None else np.full(batch.size, washout)
    kept = batch.scored & (np.arange(batch.steps) >= first[:, None])
    last = batch.steps - 1 - batch.scored[:, ::-1].argmax(axis=1)
    emptied = np.flatnonzero(batch.scored.any(axis=1) & ~kept.any(axis=1))
    kept[emptied, last[emptied]] = True
    return kept


def at_share(value: Any, share: float) -> float:
    """Return a fixed value, or the point at a share of a range, on a logarithmic scale unless it begins at 0."""
    if not isinstance(value, tuple):
        return value
    low, high = value
    return float(low + share * (high - low) if low == 0 else low * (high / low) ** share)
