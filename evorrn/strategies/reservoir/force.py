"""FORCE: a readout that learns while the network runs on its own output, and full-FORCE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.base.settings import names, setting
from evorrn.data.ahead import detect_horizon
from evorrn.data.task import Recommended
from evorrn.strategies.base import State
from evorrn.strategies.reservoir.closed_loop import learn_in_loop
from evorrn.strategies.reservoir.readout import write_readout
from evorrn.strategies.reservoir.rls import RLS
from evorrn.strategies.reservoir.units import (
    Units,
    check_units,
    recurrent_name,
    run,
    sparse_rows,
    start_of,
    units_of,
)

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

Series = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""A training sequence as `learn_in_loop` takes it."""
SPARSE = 0.25
"""Share of recurrent weights that are not zero up to which the others are left out of the sums."""


@dataclass(frozen=True)
class FORCE(RLS):
    """FORCE learning: recursive least squares while the network runs on its own output, from a chaotic start.

    The network sees its own output: it has ``feedback=True``, or the targets of its data are its next inputs. At every
    step its output goes back as it is, and the readout is updated so fast that the output is near the target from the
    beginning on. Cells are elman, leaky and ctrnn, in one layer.

    With `full` the recurrent weights learn too, each by the same rule (full-FORCE): a network with the weights that were
    drawn is given the targets, and the recurrent sum of every unit is to be what this network's units receive from each
    other and from the target together. The network then needs no feedback, and fewer units for the same task.

    Notes
    -----
    The rule is that of `RLS`, with ``P = I / alpha`` at the start; the output that goes back is that before the update. What
    is learned are scored steps; before them the network is given the true outputs, or inputs. Training loss and validation
    are of a network that learns no more.

    Source: Sussillo and Abbott 2009, "Generating coherent patterns of activity from chaotic neural networks"; full-FORCE:
    DePasquale, Cueva, Rajan, Escola and Abbott 2018. Deviations: a readout bias, of networks with biases, is learned like a
    weight, and stays zero under `full`, where the readout of the inputs stays zero too; recurrent weights start, under
    `full`, at those that were drawn.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> time = np.arange(1500)
    >>> wave = (np.sin(0.1 * time) + np.sin(0.2 * time)).reshape(1, -1, 1)
    >>> data = evorrn.Batch(np.zeros((1, 1500, 0)), wave, mask=time[None] >= 100)
    >>> network = evorrn.Network(0, 1, cell="leaky", hidden=100, feedback=True, dtype="float64")
    >>> result = evorrn.FORCE(reservoirs=1, leak=0.2).fit(network, data)
    >>> bool(result.metrics["train"]["nrmse_std"] < 0.3)
    True
    """

    name: ClassVar[str] = "force"
    version: ClassVar[int] = 3
    one_step: ClassVar[bool] = True
    network_defaults: ClassVar[dict[str, Any]] = {"cell": "leaky", "hidden": 200, "dtype": "float64"}

    spectral_radius: float | tuple[float, float] = setting(
        1.5, "largest absolute eigenvalue of the recurrent weights; above 1 the network is chaotic", minimum=0
    )
    bias_scaling: float | tuple[float, float] = setting(
        0.1,
        "biases are uniform between minus and plus this; without any a network without input stays at 0",
        minimum=0,
    )
    feedback_scaling: float | tuple[float, float] = setting(
        1.0, "weights from fed-back outputs are uniform between minus and plus this", minimum=0
    )
    alpha: float = setting(
        1e-2,
        "penalty of the squared weights, before the first step: 1 learns slowly from a few thousand steps; with full the best "
        "one lies between 1e-2 and 1, and smaller ones may diverge",
        above=0,
    )
    full: bool = setting(False, "whether recurrent weights learn too (full-FORCE)")
    target_scaling: float = setting(
        1.0,
        "weights from the targets to the network that `full` learns from, uniform between minus and plus this",
        above=0,
    )

    @classmethod
    def advice(cls, task: Task | Environment) -> Recommended:
        """Return what a task recommends for echo state networks, with its own settings for this strategy."""
        found, own = super().advice(task), task.recommended(cls.name).strategy
        known = {name: value for name, value in own.items() if name in names(cls)}
        return Recommended(found.network, {**found.strategy, **known})

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first reservoir.

        Raises
        ------
        ConfigError
            For another network or loss than FORCE can train, and in the cases of `RLS.start`.
        """
        network = problem.network
        check_units(f"strategy {self.name}", network)
        if network.pool:
            raise ConfigError(f"strategy {self.name}: expected a network without {network.wiring}")
        if len(network.hidden) > 1 or network.loss_name != "mse":
            raise ConfigError(f"strategy {self.name}: needs one layer and the loss mse, got {network}")
        if not self.full and not network.feedback and not _continues(problem):
            raise ConfigError(
                f"strategy {self.name}: needs a network that sees its own output, with feedback=True or targets that are "
                "the next inputs; or set full=True"
            )
        return super().start(problem, rng)

    def solve(
        self, problem: Problem, genome: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, dict[str, float]]:
        """Train a genome (n,) in place; return the training loss and what the history keeps."""
        network = problem.network
        units = units_of(network, genome)
        size = len(units.bias) + (0 if self.full else network.inputs * network.direct + network.biases)
        weights, p = np.zeros((network.outputs, size)), np.eye(size) / self.alpha
        places, columns = sparse_rows(units.recurrent)
        if self.full or places.shape[1] > SPARSE * len(units.bias):
            places, columns = places[:0], np.ascontiguousarray(units.recurrent.T)
        back = np.zeros((network.outputs, len(units.bias)))
        if network.feedback or _continues(problem):
            back[:] = units.inputs[:, _returning(network)].T
        rule = (
            self.forgetting,
            self.update_every,
            bool(network.biases and not self.full),
            bool(network.direct and not self.full and not network.feedback),
        )
        sequences, squares, updates = self._sequences(problem, units, rng), 0.0, 1
        for _ in range(self.epochs):
            squares, updates = 0.0, 0
            for series in sequences:
                start = start_of(units)
                wrong, count = learn_in_loop(
                    series, (columns, places, back), units.step, start, weights, p, rule
                )
                squares, updates = squares + wrong, updates + count
        passes, steps = self.epochs + self.full, problem.batch("train").moved_steps
        problem.charge_pass(
            passes * steps, self.epochs * self._work(problem, columns.shape[1], size, updates)
        )
        record = {"online_error": squares / max(updates * network.outputs, 1)}
        if not all(np.isfinite(array).all() for array in (squares, weights, columns)):
            return np.inf, {"online_error": np.nan}
        inputs = network.inputs * network.direct * (not self.full)
        own = np.zeros((network.outputs, network.inputs * network.direct + len(units.bias)))
        own[:, own.shape[1] - len(units.bias) - inputs :] = weights[:, : inputs + len(units.bias)]
        bias = (np.zeros(network.outputs) if self.full else weights[:, -1]) if network.biases else None
        write_readout(network, genome, own, bias)
        if self.full:
            network.unpack(genome)[recurrent_name(network)][...] = columns.T
        return -float(problem.fitness(genome[None], free_run=problem.free_run)[0]), record

    def _sequences(self, problem: Problem, units: Units, rng: np.random.Generator) -> list[Series]:
        """Return each training sequence as `learn_in_loop` takes it."""
        network, batch = problem.network, problem.batch("train")
        closed = not network.feedback and _continues(problem)
        outside = np.arange(network.inputs) >= (network.outputs if closed else 0)
        taught = network.warm_up(batch)
        target_weights = rng.uniform(
            -self.target_scaling, self.target_scaling, (len(units.bias), network.outputs)
        )
        found: list[Series] = []
        assert batch.lengths is not None
        for row, length in enumerate(batch.lengths):
            inputs = np.asarray(batch.inputs[row, :length], np.float64)
            targets = np.array(batch.targets[row, :length], np.float64)
            learned = np.array(batch.scored[row, :length])
            fed = (
                np.full(targets.shape, np.nan)
                if taught is None
                else np.array(taught[row, :length], np.float64)
            )
            if closed:
                known = learned.argmax() if learned.any() else length
                fed[:known] = inputs[:known, : network.outputs]
            with one_thread():
                drive = inputs[:, outside] @ units.inputs[:, : network.inputs][:, outside].T
                hints = self._hints(network, units, inputs, targets, target_weights)
            direct = inputs if network.direct and not self.full else inputs[:, :0]
            found.append((drive, np.ascontiguousarray(direct), fed, targets, learned, hints))
        return found

    def _hints(
        self,
        network: Network,
        units: Units,
        inputs: np.ndarray,
        targets: np.ndarray,
        target_weights: np.ndarray,
    ) -> np.ndarray:
        """Return the recurrent sums (T, H) of a network that is given the targets; of no rows without `full`."""
        if not self.full:
            return np.zeros((0, len(units.bias)))
        true = np.where(np.isfinite(targets), targets, 0.0)
        before = np.vstack([np.zeros((1, network.outputs)), true[:-1]])
        drive = inputs @ units.inputs[:, : network.inputs].T + before @ target_weights.T
        if network.feedback:
            drive += before @ units.inputs[:, _returning(network)].T
        outputs = np.empty((len(inputs), len(units.bias)))
        run(
            drive,
            sparse_rows(units.recurrent),
            *start_of(units),
            units.step,
            outputs,
        )
        return outputs @ units.recurrent.T + true @ target_weights.T

    def _work(self, problem: Problem, links: int, size: int, updates: int) -> int:
        """Return the multiply-adds of one pass over the training data."""
        network, units = problem.network, problem.network.hidden[0]
        steps = problem.batch("train").moved_steps
        moved = steps * (units * (links + network.inputs + 2 * network.outputs) + network.outputs * size)
        learned = updates * (3 * size * size + 2 * size * network.outputs + 2 * self.full * units * units)
        return moved + learned + self.full * steps * units * (2 * links + network.inputs + network.outputs)


def _continues(problem: Problem) -> bool:
    """Return whether the targets of the training data are the next inputs."""
    return detect_horizon(problem.batch("train")) == 1


def _returning(network: Network) -> slice:
    """Return the columns of the input weights that what goes back is multiplied with."""
    first = network.inputs if network.feedback else 0
    return slice(first, first + network.outputs)
