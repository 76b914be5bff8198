"""CRBP: causal recursive backpropagation, for networks whose units feed back to themselves alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.online.influence import beyond_memory
from evorrn.strategies.online.layers import Layer
from evorrn.strategies.online.learning import OnlineStrategy

if TYPE_CHECKING:
    from evorrn.engine.influence.jacobians import StepJacobians
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

AHEAD = 10**9
"""Time steps that no sequence has."""


class _Window:
    """The time steps of a layer whose losses are not complete yet: arrays whose second axis is time."""

    def __init__(self, layer: Layer, found: StepJacobians, loss: np.ndarray) -> None:
        self.found = found
        self.arrays = {
            "old": found.old,
            "factors": found.factors,
            "by_state": found.entries("old", layer.old.rows, layer.old.columns),
            "by_input": found.entries("inputs", layer.inputs.rows, layer.inputs.columns),
            "loss": loss,
        }

    def join(self, later: _Window) -> _Window:
        """Append later time steps."""
        self.found = later.found
        self.arrays = {
            name: np.concatenate([array, later.arrays[name]], axis=1) for name, array in self.arrays.items()
        }
        return self

    def drop(self, count: int) -> None:
        """Remove the first time steps."""
        self.arrays = {name: np.ascontiguousarray(array[:, count:]) for name, array in self.arrays.items()}


class CausalBackpropagation:
    """Carries an exact influence within each layer, and takes losses back through later layers for some time steps.

    Parameters
    ----------
    network : Network
    window : int or None
        Time steps that a loss goes back within each layer on its way to the layer below; None for all.
    every : int
        Time steps from one update to the next.
    """

    def __init__(self, network: Network, window: int | None, every: int) -> None:
        self._layers = [Layer(network, number) for number in range(len(network.hidden))]
        self._network, self._window = network, AHEAD if window is None else window
        self._delay = self._window * (len(self._layers) - 1)
        self._back = min(self._window, every) + 1

    @property
    def numbers(self) -> int:
        """The numbers of a time step that wait until its losses are complete, and of the influence, of a sequence."""
        return sum(
            layer.influence.size + len(layer.old) + len(layer.inputs) + layer.structure.numbers
            for layer in self._layers
        )

    @property
    def work(self) -> float:
        """The multiply-adds of one time step of one sequence; the steps back are limited by those between updates."""
        carried = sum(layer.influence.work + layer.structure.work for layer in self._layers)
        return carried + self._back * sum(len(layer.old) + len(layer.inputs) for layer in self._layers[1:])

    def begin(self, sequences: int, steps: int) -> None:
        """Start with an influence of zero."""
        self._carried = [layer.influence.zero(sequences) for layer in self._layers]
        self._states = [np.tile(layer.network.first_state, (sequences, 1)) for layer in self._layers]
        self._windows: list[_Window] = []
        self._lengths = np.zeros(sequences, np.int64)
        self._remaining = steps

    def advance(self, found: StepJacobians, lengths: np.ndarray) -> np.ndarray:
        """Move on; return the gradient (N,) of the losses of those time steps for which these are complete."""
        self._take(found, lengths)
        self._remaining -= found.x.shape[1]
        steps = self._windows[0].arrays["loss"].shape[1]
        complete = steps if self._remaining <= 0 else max(0, steps - self._delay)
        gradient = np.zeros(self._network.step_structure.weights)
        if not complete:
            return gradient
        for layer, carried, window, loss in zip(self._layers, self._carried, self._windows, self._losses()):
            part = window.found.during(window.arrays["old"], window.arrays["factors"], loss)
            layer.add(gradient, layer.influence.advance(carried, part, np.minimum(self._lengths, complete)))
            window.drop(complete)
        self._lengths = np.maximum(self._lengths - complete, 0)
        return gradient

    def _take(self, found: StepJacobians, lengths: np.ndarray) -> None:
        """Run time steps layer by layer, and append them to those that wait."""
        x, genome = found.x, found.genome[: self._network.size]
        inside = (np.arange(x.shape[1]) < lengths[:, None])[:, :, None]
        windows = []
        for number, layer in enumerate(self._layers):
            steps = layer.run(genome, x, lengths, self._states[number])
            self._states[number] = np.where(lengths[:, None] > 0, steps.last, self._states[number])
            loss = np.where(inside, found.loss_state[..., layer.states], 0)
            windows.append(_Window(layer, steps, loss))
            x = np.where(inside, steps.outputs, 0)
        self._windows = [a.join(b) for a, b in zip(self._windows, windows)] if self._windows else windows
        self._lengths = self._lengths + lengths

    def _losses(self) -> list[np.ndarray]:
        """Return the derivative (B, T, S) of all losses that wait by the state of each layer, its own past constant."""
        losses = [window.arrays["loss"].copy() for window in self._windows]
        for number in reversed(range(1, len(self._layers))):
            layer, arrays = self._layers[number], self._windows[number].arrays
            below, back = self._layers[number - 1].seen, losses[number]
            for _ in range(min(self._window + 1, back.shape[1])):
                steps = back.shape[1]
                losses[number - 1][:, :steps, below] += layer.inputs.product(
                    back, arrays["by_input"][:, :steps]
                )
                back = layer.old.product(back, arrays["by_state"][:, :steps])[:, 1:]
                if not back.any():
                    break
        return losses


@dataclass(frozen=True)
class CRBP(OnlineStrategy):
    """Causal recursive backpropagation: exact traces within a unit, and losses that go back through later layers for a while.

    For networks of filters (``fir``, ``iir``) and others in which the past of a unit reaches no other unit of its layer
    (``indrnn``). A loss goes back `window` time steps within a layer before it reaches the layer below; the
    gradient of a time step is complete, and used, that much later for each layer above the first. What is left out falls like
    the impulse responses of the later layers, and is nothing in a network of one layer, or of ``fir`` with a window of its
    taps. With a window of the whole sequence the gradient is that of backpropagation through time.

    Notes
    -----
    Source: Campolucci, Uncini, Piazza & Rao 1999, "On-line learning algorithms for locally recurrent neural
    networks", sections III and IV. Deviations: derivatives come from the compiled time step, not from the equations of one
    architecture; the weights of all layers wait for the longest delay.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="iir", hidden=(3, 2))
    >>> result = evorrn.CRBP(window=5).fit(network, task, budget="5gen")
    >>> losses = result.history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "crbp"
    serves: ClassVar[tuple[str, ...]] = ("iir", "fir", "indrnn")
    network_defaults: ClassVar[dict[str, Any]] = {"cell": "iir"}

    window: int | None = setting(
        10,
        "time steps that a loss goes back within a layer on its way to the one below; none for all of a sequence",
        minimum=0,
    )

    def refusals(self, problem: Problem) -> list[str]:
        """Return one sentence for each reason why the method cannot train this network on these data."""
        found, network = super().refusals(problem), problem.network
        if found:
            return found
        if network.feedback or network.step_structure.output_places.start < network.state_size:
            return [
                f"strategy: {self.name} needs layers that do not see the output, unlike {network}; rtrl trains it"
            ]
        estimator = CausalBackpropagation(network, self.window, self.update_every)
        if not all(Layer(network, number).local for number in range(len(network.hidden))):
            return [
                f"strategy: {self.name} needs units whose past reaches no other unit of their layer, as in fir, iir and "
                f"indrnn, unlike those of {network}; rtrl and snap train it"
            ]
        batch = problem.batch("train")
        longest = int(np.asarray(batch.lengths).max())
        waiting = longest if self.window is None else self.window * (len(network.hidden) - 1)
        kept = min(longest, waiting + self.update_every)
        side_by_side = min(self.batch_size or problem.sequences, problem.sequences)
        return beyond_memory(
            self.name, estimator.numbers * kept, side_by_side, network.dtype.itemsize, "a smaller window"
        )

    def gradient(
        self, problem: Problem, genome: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, np.ndarray]:
        """Return the loss of a genome (n,) on all training data, and the method's gradient of it (n,), without updates."""
        whole = replace(self, update_every=int(np.asarray(problem.batch("train").lengths).max()))
        return super(CRBP, whole).gradient(problem, genome, rng)

    def estimator(self, problem: Problem, rng: np.random.Generator) -> CausalBackpropagation:
        """Return the traces and the time steps that wait."""
        return CausalBackpropagation(problem.network, self.window, self.update_every)
