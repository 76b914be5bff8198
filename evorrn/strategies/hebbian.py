"""Hebbian: a network that stores the targets of its training sequences as patterns, by a local rule."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.associative.rules import RULES, stored, too_many
from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.strategies.base import State, Strategy, generator_state

if TYPE_CHECKING:
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class Hebbian(Strategy):
    """Hebbian learning: the signs of all training targets are stored as patterns of a Hopfield network, in one step.

    The network is an Elman network with as many units as inputs and outputs: its recurrent weights are symmetric and stored
    by a rule, every input goes to one unit, and every unit to one output. From a cue at the first step it moves to a
    pattern. It has the form of `evorrn.associative.ContinuousHopfield`, all units at once, so that any other way of
    training, such as a genetic algorithm, searches the same weights.

    Notes
    -----
    ``h = tanh(gain (W h + x))``. Biases, of a network that has them, are 0.

    Source: Hopfield 1982 and 1984; the rules are those of `evorrn.associative.Hopfield.store`.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("pattern-recall")
    >>> strategy = evorrn.Hebbian()
    >>> network = evorrn.Network.for_task(task, **strategy.needs_network(task.inputs))
    >>> bool(strategy.fit(network, task).metrics["test"]["overlap"] > 0.9)
    True
    """

    name: ClassVar[str] = "hebbian"
    step_name: ClassVar[str] = "storage"
    one_step: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"fitness", "targets"})
    ends_by_itself: ClassVar[bool] = True

    rule: str = setting("hebb", "rule that makes weights of patterns", choices=tuple(RULES))
    gain: float = setting(4.0, "slope of the units at 0", above=0)

    def needs_network(self, inputs: int) -> dict[str, Any]:
        """Return an Elman network with as many units as inputs."""
        return {"cell": "elman", "hidden": inputs}

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the patterns are stored.

        Raises
        ------
        ConfigError
            For a network without the form of an associative memory.
        """
        network = problem.network
        sizes = {network.inputs, network.outputs, *network.hidden}
        function = str({**network.cell.activations, **network.cell_options}.get("activation"))
        plain = network.cell.name == "elman" and function == "tanh" and len(network.hidden) == 1
        if not plain or len(sizes) > 1 or network.direct or network.feedback or network.loss_name != "mse":
            raise ConfigError(
                f"strategy {self.name}: needs an Elman network with one layer of tanh units, as many inputs and outputs as units, "
                f"the loss mse, and neither direct nor feedback, got {network}"
            )
        return {
            "rng": generator_state(rng),
            "candidate": None,
            "train_loss": np.inf,
            "finished": "",
            "record": {},
        }

    def step(self, problem: Problem, state: State) -> State:
        """Return the state with the network that has stored the patterns."""
        network, batch = problem.network, problem.batch("train")
        patterns = np.unique(np.where(batch.targets[batch.scored] < 0, -1.0, 1.0), axis=0)
        excess = too_many(self.rule, len(patterns), network.inputs)
        if excess:
            warnings.warn(f"strategy {self.name}: {excess}", stacklevel=2)
        weights = stored(patterns, self.rule)
        problem.charge(len(patterns) * weights.size)
        genome = np.zeros(network.size)
        blocks = network.unpack(genome)
        blocks["layer0.W_h"][...] = self.gain * (weights + weights.T) / 2
        blocks["layer0.W_x"][...] = self.gain * np.eye(network.inputs)
        blocks["readout.W"][...] = np.eye(network.outputs)
        return {
            **state,
            "candidate": genome.astype(network.dtype),
            "train_loss": -float(problem.fitness(genome[None])[0]),
            "finished": "patterns stored",
            "record": {"patterns": len(patterns)},
        }
