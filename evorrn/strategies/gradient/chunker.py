"""Chunker: a network learns to imitate another one, which sees only the steps that the first did not predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.gradient.observation import check_steps, output_gradient
from evorrn.strategies.gradient.optimisers import CLIP, Coefficients, adam, clip_by_norm
from evorrn.strategies.gradient.restarting import Restarting, random_genome, targets_of

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem


class Events(NamedTuple):
    """The time steps of B sequences that the automatizer did not predict, padded to K for each sequence.

    Attributes
    ----------
    times : ndarray of int, shape (B, K)
    counts : ndarray of int, shape (B,)
        The number of events of each sequence, at least 1: its first time step.
    last : ndarray of int, shape (B, T)
        The number of the last event at or before each time step.
    """

    times: np.ndarray
    counts: np.ndarray
    last: np.ndarray


@dataclass(frozen=True)
class Chunker(Restarting):
    """Chunker and automatizer: history compression, from which an ordinary network learns.

    The automatizer, which is the result, has further outputs while it learns: they predict its next input, and the state
    of the chunker. The chunker is a second network that takes a step only at events: the first time step, and those whose input
    the automatizer did not predict or whose target it missed. So the chunker sees a short sequence even
    where lags are long, and the automatizer, which must hold the chunker's state between events, learns what to
    remember step by step. As it gets better, its own events become fewer.

    Notes
    -----
    Both learn by exact gradients through time with Adam. The chunker reads the input of the event and the logarithm of
    the time since the last one, and predicts the target of the event and the input of the next. Needs targets at time
    steps, and a network that does not see its own output.

    Source: Schmidhuber 1992, "Learning complex, extended sequences using the principle of history compression",
    section 4. Deviations: an input counts as predicted when every entry is within `threshold`; sequences begin at
    the network's first state.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> result = evorrn.Chunker().fit(network, task, budget="2gen")
    >>> bool(0 < result.history["events"][0] <= 1)
    True
    """

    name: ClassVar[str] = "chunker"
    one_step: ClassVar[bool] = True

    rate: float = setting(0.01, "learning rate of Adam, for both networks", above=0)
    batch_size: int = setting(8, "sequences in a minibatch; 0 for all sequences", minimum=0)
    clip: float = setting(1.0, CLIP, minimum=0)
    threshold: float = setting(
        0.3, "largest error of an input, or of a target that is no class, that is predicted", above=0
    )
    prediction: float = setting(1.0, "weight of the automatizer's error about its next input", minimum=0)
    imitation: float = setting(1.0, "weight of its error about the chunker's state", minimum=0)
    chunker_units: int = setting(8, "units of the chunker", minimum=1)

    def check(self, problem: Problem) -> None:
        """Raise ConfigError for losses on whole sequences and for networks that see their own output."""
        check_steps(self.name, problem.network)
        if problem.network.step.feeds_back:
            raise ConfigError(
                f"strategy {self.name}: expected a network that does not see its own output, as it has further outputs "
                f"while it learns; bptt, ekf and evolution serve networks that do"
            )

    def fresh(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return two random genomes with empty moments."""
        genome, (wide, above) = random_genome(problem, rng), pair_of(problem.network, self.chunker_units)
        return {
            "genome": genome,
            "automatizer": widened(wide, wide.init(rng=rng), problem.network, genome),
            "chunker": np.asarray(above.init(rng=rng), np.float64),
            "moments": {},
            "chunker_moments": {},
        }

    def advance(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return the state after one epoch of both networks."""
        run = _Epoch(self, problem, state)
        found = []
        order = rng.permutation(problem.scored_sequences)
        size = self.batch_size or len(order)
        with problem.compiling():
            for start in range(0, len(order), size):
                found.append(run.learn(order[start : start + size]))
        shares = np.array([each[0] for each in found], float)
        task, events, imitation, chunker = np.average([each[1:] for each in found], axis=0, weights=shares)
        return {
            "genome": narrowed(run.wide, run.automatizer, problem.network),
            "automatizer": run.automatizer,
            "chunker": run.chunker,
            "moments": run.moments,
            "chunker_moments": run.chunker_moments,
            "train_loss": float(task) if np.isfinite(task) else np.inf,
            "stuck": not np.isfinite([task, imitation, chunker]).all(),
            "record": {
                "events": float(events),
                "imitation": float(imitation),
                "chunker_loss": float(chunker),
            },
        }


class Pair(NamedTuple):
    """The two networks that learn: the automatizer, and the chunker.

    Attributes
    ----------
    automatizer : Network
        The network with further outputs for its next input and the chunker's state.
    chunker : Network
        It takes a step at each event.
    """

    automatizer: Network
    chunker: Network


_PAIRS: WeakKeyDictionary[Network, dict[int, Pair]] = WeakKeyDictionary()


def pair_of(network: Network, units: int) -> Pair:
    """Return the two networks for a network, with so many units in the chunker; each pair is made once."""
    from evorrn.network.network import Network

    known = _PAIRS.setdefault(network, {})
    if units not in known:
        outputs, inputs = network.outputs, network.inputs
        wide = Network.from_settings(
            {**network.settings(), "outputs": outputs + inputs + units, "loss": "mse"}
        )
        above = Network(inputs + 1, outputs + inputs, cell="lstm", hidden=units, dtype=network.dtype.name)
        known[units] = Pair(wide, above)
    return known[units]


class _Epoch:
    """Both networks during one epoch."""

    def __init__(self, settings: Chunker, problem: Problem, state: State) -> None:
        self._settings, self._problem, self._network = settings, problem, problem.network
        self._targets = targets_of(problem)
        self.wide, self.above = pair_of(problem.network, settings.chunker_units)
        self.automatizer, self.chunker = state["automatizer"], state["chunker"]
        self.moments, self.chunker_moments = state["moments"], state["chunker_moments"]

    def learn(self, sequences: np.ndarray) -> tuple[int, float, float, float, float]:
        """Update both networks from some sequences.

        Returns the number of scored steps, the loss of the task, the share of steps that were events, the
        automatizer's error about the chunker, and the loss of the chunker.
        """
        batch, network, settings = self._problem.train.take(sequences), self._network, self._settings
        targets, (outputs, inputs) = self._targets[sequences], (network.outputs, network.inputs)
        said = self.wide.predict(self.automatizer, batch.inputs, lengths=batch.lengths).astype(np.float64)
        events = find_events(network, batch, said, settings.threshold)
        held, chunker_loss = self._learn_above(batch, targets, events)
        inside = np.arange(batch.steps) < np.asarray(batch.lengths)[:, None]
        entries = float(network.loss_function.entries(batch.scored.sum(), outputs))
        upon = np.zeros(said.shape)
        scored = batch.scored
        upon[scored, :outputs] = output_gradient(
            network.loss_function, said[scored, :outputs], targets[scored], entries
        )
        next_inputs = said[:, :-1, outputs : outputs + inputs] - batch.inputs[:, 1:]
        known = inside[:, 1:, None]
        weight = settings.prediction * 2 / max(1, known.sum())
        upon[:, :-1, outputs : outputs + inputs] = weight * np.where(known, next_inputs, 0)
        missed = np.where(inside[:, :, None], said[:, :, outputs + inputs :] - held, 0)
        upon[:, :, outputs + inputs :] = settings.imitation * 2 / (inside.sum() * held.shape[2]) * missed
        gradient = self.wide.vjp(self.automatizer, batch.inputs, upon, lengths=batch.lengths)
        self.automatizer, self.moments = self._updated(self.automatizer, gradient, self.moments)
        steps = batch.moved_steps
        forward, backward = self.wide.step_work
        self._problem.charge_pass(2 * steps, steps * (2 * forward + backward), evaluations=1)
        loss = network.loss_function.mean(said[scored, :outputs], batch.targets[scored])
        imitation = float(np.square(missed).sum() / (inside.sum() * held.shape[2]))
        return int(scored.sum()), loss, float(events.counts.sum() / steps), imitation, chunker_loss

    def _learn_above(self, batch: Batch, targets: np.ndarray, events: Events) -> tuple[np.ndarray, float]:
        """Update the chunker, and return its states before (B, T, C), each held until the next event, and its loss."""
        rows, outputs, loss = (
            np.arange(batch.size)[:, None],
            self._network.outputs,
            self._network.loss_function,
        )
        gaps = np.log1p(np.diff(events.times, axis=1, prepend=0).clip(0))
        seen = np.concatenate([batch.inputs[rows, events.times], gaps[:, :, None]], axis=2)
        said = self.above.predict(self.chunker, seen, lengths=events.counts).astype(np.float64)
        states = self.above.states(self.chunker, seen, lengths=events.counts).astype(np.float64)
        inside = np.arange(seen.shape[1]) < events.counts[:, None]
        upon, total = np.zeros(said.shape), 0.0
        wanted = batch.scored[rows, events.times] & inside
        if wanted.any():
            shown, truth = said[wanted, :outputs], targets[rows, events.times][wanted]
            entries = float(loss.entries(wanted.sum(), outputs))
            upon[wanted, :outputs] = output_gradient(loss, shown, truth, entries)
            total = loss.mean(shown, batch.targets[rows, events.times][wanted])
        following = inside[:, 1:, None]
        missed = np.where(following, said[:, :-1, outputs:] - batch.inputs[rows, events.times][:, 1:], 0)
        upon[:, :-1, outputs:] = 2 / max(1, following.sum()) * missed
        gradient = self.above.vjp(self.chunker, seen, upon, lengths=events.counts)
        self.chunker, self.chunker_moments = self._updated(self.chunker, gradient, self.chunker_moments)
        steps = int(events.counts.sum())
        forward, backward = self.above.step_work
        self._problem.charge_pass(3 * steps, steps * (3 * forward + backward))
        return states[rows, events.last], total

    def _updated(self, genome: np.ndarray, gradient: np.ndarray, moments: dict) -> tuple[np.ndarray, dict]:
        step, _ = clip_by_norm(np.asarray(gradient, np.float64), self._settings.clip)
        self._problem.charge(15 * genome.size)
        return adam(genome, step, self._settings.rate, moments, Coefficients())


def find_events(network: Network, batch: Batch, said: np.ndarray, threshold: float) -> Events:
    """Return the time steps of a batch that the automatizer, whose outputs are `said` (B, T, O + I + C), did not predict."""
    outputs, inputs = network.outputs, network.inputs
    surprise = np.ones(batch.scored.shape, bool)
    errors = np.abs(said[:, :-1, outputs : outputs + inputs] - batch.inputs[:, 1:])
    surprise[:, 1:] = ~(errors <= threshold).all(axis=2)
    right = network.loss_function.learned(said[:, :, :outputs], batch.targets, threshold)
    surprise |= batch.scored & ~right
    surprise[np.arange(batch.steps) >= np.asarray(batch.lengths)[:, None]] = False
    counts = surprise.sum(axis=1)
    times = np.argsort(~surprise, axis=1, kind="stable")[:, : counts.max()]
    return Events(times, counts, np.cumsum(surprise, axis=1) - 1)


def widened(wide: Network, drawn: np.ndarray, network: Network, genome: np.ndarray) -> np.ndarray:
    """Return the genome of the wide network whose first outputs are those of a genome of the network."""
    blocks = {name: np.array(block, np.float64) for name, block in wide.unpack(drawn).items()}
    for name, block in network.unpack(genome).items():
        blocks[name][: len(block)] = block
    return wide.pack(blocks)


def narrowed(wide: Network, genome: np.ndarray, network: Network) -> np.ndarray:
    """Return the genome of the network that has the first outputs of the wide one; undoes `widened`."""
    blocks = wide.unpack(genome)
    return network.pack({name: blocks[name][: shape[0]] for name, shape in network.blocks.items()})
