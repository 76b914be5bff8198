"""Truncated backpropagation through time: windows of sequences, at whose start the gradient is cut.

Every `every` time steps, the gradient of the losses of the last `every` steps goes back over the last `window`
steps. Each loss counts once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.data.batch import Batch
from evorrn.losses.sequence import SequenceLoss

if TYPE_CHECKING:
    from evorrn.training.problem import Problem

LARGEST_GROUP = 2**18
"""Time steps of the windows that are computed side by side."""


class Window(NamedTuple):
    """The windows of one number, one of each sequence.

    Attributes
    ----------
    starts, stops : ndarray of int, shape (B,)
        The first time step of each sequence's window, and the one after its last.
    first : int
        The first time step whose loss belongs to the windows.
    rows : ndarray of int, shape (K,)
        The sequences that have a scored step among those from `first` on.
    scored : int
        The number of these scored steps.
    """

    starts: np.ndarray
    stops: np.ndarray
    first: int
    rows: np.ndarray
    scored: int


class Weighted(NamedTuple):
    """A loss and its gradient (n,), means over a number of scored steps."""

    loss: float
    gradient: np.ndarray
    scored: int


class Windows:
    """The windows of training sequences, and the state of the network before one of them.

    Parameters
    ----------
    problem : Problem
        Computes the gradients, and counts their cost.
    sequences : ndarray of int, Batch or None
        Indices of the training sequences, or these themselves; None for all.
    window, every : int
        Time steps of a window, and from the end of one to the end of the next; ``every <= window``.

    Raises
    ------
    ConfigError
        When the loss is one on whole sequences.

    Attributes
    ----------
    windows : list of Window
        Those with a scored step, in the order of time.

    Notes
    -----
    The first windows begin at the first time step of their sequence and are shorter; the last one ends with its
    sequence.

    Source: Williams & Peng 1990, BPTT(h; h') with h = `window` and h' = `every`. Deviation: where the weights change
    between windows and these overlap, the steps of a window are computed again with the present weights, from the
    state at its start; the original uses the activations computed with the earlier weights. In a network that learns
    its first states, a carried state moves with them.
    """

    def __init__(
        self, problem: Problem, sequences: np.ndarray | Batch | None, window: int, every: int
    ) -> None:
        if isinstance(problem.network.loss_function, SequenceLoss):
            raise ConfigError(
                f"strategy.window: expected a loss that is a sum over time steps, as windows divide sequences; "
                f"{problem.network.loss_name} is a loss on whole sequences, leave out window and carry"
            )
        if not problem.network.causal:
            raise ConfigError(
                "strategy.window: expected none, since windows go on from the state before them, and this network sees a whole "
                f"sequence before its first output; leave out window and carry, or {problem.network.wiring}"
            )
        train = problem.batch("train")
        if train.links is not None:
            raise ConfigError("window: expected none, since linked steps cannot be cut into windows")
        if train.whole:
            raise ConfigError(
                "window: expected none, since the labels of whole sequences cannot be cut into windows"
            )
        self._problem, self._network = problem, problem.network
        self._batch = problem.chosen(sequences)
        self._teacher = self._network.warm_up(self._batch)
        if self._teacher is None and self._network.feeds_back:
            # Without a teacher, a window would be taught up to its own first scored step.
            self._teacher = np.full((*self._batch.scored.shape, self._network.outputs), np.nan)
        lengths = np.array(self._batch.lengths)
        numbers = range(-(-int(lengths.max()) // every))
        found = [self._window(lengths, window, number * every, every) for number in numbers]
        self.windows = [each for each in found if len(each.rows)]
        self._begin()

    def gradient(self, genome: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss of a genome (n,) on the sequences, and its truncated gradient (n,), float64."""
        self._begin()
        found: list[Weighted] = []
        group: list[tuple[Window, np.ndarray]] = []
        steps = 0
        for window in self.windows:
            self._advance(genome, window.starts)
            group.append((window, self._state[window.rows]))
            steps += int((window.stops - window.starts)[window.rows].sum())
            if steps > LARGEST_GROUP or window is self.windows[-1]:
                found.append(self._gradient(genome, group)[0])
                group, steps = [], 0
        return _mean(found)[:2]

    def carried_gradient(self, number: int, genome: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss of a genome (n,) on one of `windows`, and its gradient (n,), from the carried state.

        The windows are asked for in their order. The state is then carried to the start of the next one with the same
        genome; where it, the loss or the gradient is not finite, the next one starts from the network's first state.
        """
        window = self.windows[number]
        if number == 0:
            self._begin()
            self._advance(genome, window.starts)
        rows = window.rows
        (loss, gradient, _), last = self._gradient(genome, [(window, self._state[rows])])
        if window is not self.windows[-1]:
            following = self.windows[number + 1].starts
            passed = following[rows] >= window.stops[rows]
            self._state[rows[passed]] = last[passed]
            self._at[rows[passed]] = window.stops[rows[passed]]
            self._advance(genome, following)
            diverged = not (np.isfinite(loss) and np.isfinite(gradient).all())
            lost = diverged | ~np.isfinite(self._state).all(axis=1)
            self._state[lost] = self._network.first_state
        return loss, gradient

    def _window(self, lengths: np.ndarray, window: int, first: int, every: int) -> Window:
        """Return the windows whose losses are those of steps `first` to ``first + every - 1``."""
        stops = np.minimum(first + every, lengths)
        scored = self._batch.scored[:, first : first + every].sum(axis=1)
        starts = np.maximum(stops - window, 0)
        return Window(starts, stops, first, np.flatnonzero(scored), int(scored.sum()))

    def _begin(self) -> None:
        """Put every sequence at its first time step."""
        self._state = np.repeat(self._network.first_state[None], self._batch.size, axis=0)
        self._at = np.zeros(self._batch.size, np.int64)

    def _advance(self, genome: np.ndarray, steps: np.ndarray) -> None:
        """Carry the state of each sequence forward to a time step (B,)."""
        rows = np.flatnonzero(steps > self._at)
        if not len(rows):
            return
        starts, lengths = self._at[rows], (steps - self._at)[rows]
        cut = rows, starts, int(lengths.max())
        teacher = None if self._teacher is None else _cut(self._teacher, *cut)
        inputs = _cut(self._batch.inputs, *cut)
        self._state[rows] = self._problem.last_state(genome, inputs, lengths, self._state[rows], teacher)
        self._at[rows] = steps[rows]

    def _gradient(
        self, genome: np.ndarray, group: list[tuple[Window, np.ndarray]]
    ) -> tuple[Weighted, np.ndarray]:
        """Return loss and gradient of windows side by side, and their last states (K, S), from their first states."""
        cuts = np.concatenate(
            [
                np.stack([rows, starts[rows], stops[rows], np.full(len(rows), first)], axis=1)
                for (starts, stops, first, rows, _), _ in group
            ]
        )
        states = np.concatenate([state for _, state in group])
        # Only the losses of windows at the start of a sequence change with learned first values of states.
        later = (cuts[:, 1] > 0) & self._network.learn_start
        last, found = np.empty_like(states), []
        for picked in (~later, later):
            if picked.any():
                batch, teacher = self._shown(cuts[picked])
                given = batch, states[picked], teacher
                loss, gradient, last[picked] = self._problem.gradient_from(genome, *given)
                if picked is later:
                    for name, block in self._network.unpack(gradient).items():
                        block *= ".start." not in name
                found.append(Weighted(loss, np.asarray(gradient, np.float64), int(batch.scored.sum())))
        return _mean(found), last

    def _shown(self, cuts: np.ndarray) -> tuple[Batch, np.ndarray | None]:
        """Return a batch of windows, and its teacher; `cuts` (K, 4) has sequence, start, stop and first loss of each."""
        rows, starts, stops, first = cuts.T
        cut = rows, starts, int((stops - starts).max())
        own = starts[:, None] + np.arange(cut[2]) >= first[:, None]
        batch = Batch(
            _cut(self._batch.inputs, *cut),
            _cut(self._batch.targets, *cut),
            mask=_cut(self._batch.scored, *cut) & own,
            lengths=stops - starts,
        )
        return batch, None if self._teacher is None else _cut(self._teacher, *cut)


def _mean(parts: list[Weighted]) -> Weighted:
    """Return the mean loss and gradient over all scored steps of some batches."""
    if len(parts) == 1:
        return parts[0]
    losses, gradients, scored = zip(*parts)
    gradient = np.average(gradients, axis=0, weights=scored)
    return Weighted(float(np.average(losses, weights=scored)), gradient, sum(scored))


def _cut(array: np.ndarray, rows: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """Return `width` steps of some sequences of an array (B, T, ...), from steps `starts` on; the last one repeated."""
    steps = np.minimum(starts[:, None] + np.arange(width), array.shape[1] - 1)
    return array[rows[:, None], steps]
