"""BPTT: backpropagation through time, minibatch gradient descent on the exact gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.gradient.descent import Gradient, GradientDescent, entries
from evorrn.strategies.gradient.sampling import GROWTHS, check_sampling
from evorrn.strategies.gradient.windows import Windows

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.training.problem import Problem

CARRIED_WINDOW = 50
"""The default window where the state is carried."""


@dataclass(frozen=True)
class BPTT(GradientDescent):
    """Backpropagation through time: minibatch gradient descent on the loss, by default exact through all time steps.

    One step is one epoch: every training sequence once, in minibatches of a new random order. When the
    validation loss has not improved for `patience` epochs, training restarts from a new random network, so
    that the whole budget is used. The result is the best network on validation.

    With `window`, backpropagation is truncated: after every `every` time steps, the gradient of their losses goes back
    over the last `window` steps. There is one update for each minibatch, with the sum of these gradients. With `carry`
    there is one after every `every` steps instead, and the state is carried to the next window, so one long series
    gives many updates an epoch; each epoch begins with the network's first state.

    With `sampling`, the decoder of an encoder-decoder sees at a share of its steps the symbol that it draws itself in place of
    the true one, see `evorrn.strategies.gradient.sampling`; the gradient takes these symbols as given.

    Notes
    -----
    The genome and the optimiser's moments are float64; loss and gradient have the network's precision. When
    the loss or the gradient is not finite, the update is skipped: training goes back to the last genome with
    a finite loss and gradient, with half the rate and empty moments, and the record counts it. A loss belongs to
    the restart that the history's column ``start`` and the progress line name, counted from 0.

    Source: Werbos 1990; truncated: Williams & Peng 1990, see `evorrn.strategies.gradient.windows.Windows`; clipping:
    Pascanu, Mikolov & Bengio 2013; weight decay: Loshchilov & Hutter 2019, while the gradient of `l2` is added before clipping;
    warm-up: Goyal et al. 2017, section 2.2; noise of the gradient: Neelakantan et al. 2015, added after clipping; of the inputs:
    Bishop 1995; dropout of inputs: Srivastava et al. 2014; of units between layers: Zaremba, Sutskever & Vinyals 2014, see
    `evorrn.strategies.gradient.layer_dropout.LayerDropout`.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> result = evorrn.BPTT(rate=0.05).fit(network, task, budget="20gen")
    >>> losses = result.history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "bptt"
    version: ClassVar[int] = 2

    window: int | None = setting(
        None,
        f"time steps that a gradient goes back; by default all of a sequence, {CARRIED_WINDOW} with carry",
        minimum=1,
        absent=None,
    )
    every: int | None = setting(
        None,
        "time steps from one truncated gradient to the next, at most window, its default",
        minimum=1,
        absent=None,
    )
    carry: bool = setting(
        False,
        "whether each truncated gradient is an update, and the state is carried to the next",
        absent=False,
    )

    sampling: float = setting(
        0.0,
        "largest share of the symbols that a decoder sees that are its own draws, for encoder-decoders",
        minimum=0,
        maximum=1,
        absent=0.0,
    )
    sampling_schedule: str = setting(
        "linear", "how this share grows from 0", choices=tuple(GROWTHS), absent="linear"
    )
    sampling_epochs: int = setting(20, "epochs in which it grows", minimum=1, absent=20)

    def problems(self) -> list[str]:
        """Return one sentence for each setting, or combination of settings, that is not allowed."""
        found = super().problems()
        if found:
            return found
        if self.every is not None and self._back is None:
            found.append(
                f"every: expected window, the time steps that a gradient goes back, or carry beside it; got every={self.every} alone"
            )
        elif self._back is not None and self._apart > self._back:
            found.append(
                f"every: expected at most the window of {self._back} steps, as a loss before the window would have no "
                f"gradient; got {self._apart}"
            )
        return found

    def check(self, problem: Problem) -> None:
        """Raise ConfigError when there is to be sampling but the network writes no symbols."""
        if self.sampling:
            check_sampling(problem.network)

    def advance(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return what an epoch changes in the state, with the mean loss and the record."""
        if not self.sampling:
            return super().advance(problem, state, rng)
        share = self.sampling * GROWTHS[self.sampling_schedule](state["epoch"], self.sampling_epochs)
        changed = GradientDescent.advance(replace(self, sampling=share), problem, state, rng)
        return {**changed, "record": {**changed["record"], "own_symbols": share}}

    @property
    def _back(self) -> int | None:
        """The time steps of a window, None for all steps of a sequence."""
        return CARRIED_WINDOW if self.carry and self.window is None else self.window

    @property
    def _apart(self) -> int:
        """The time steps from the end of one window to the end of the next."""
        return self.every or self._back or 0

    def _gradients(self, problem: Problem, rng: np.random.Generator) -> Iterator[tuple[Gradient, int]]:
        """Yield the gradient of each update of an epoch, and the number of scored steps, or sequences, that it is of."""
        for sequences in self._minibatches(problem, rng):
            shown, count = self._shown(problem, sequences, rng), entries(problem, sequences)
            if self._back is None and self.sampling:
                yield partial(self._sampled, problem, shown, rng), count
                continue
            if self._back is None:
                yield partial(problem.loss_and_gradient, sequences=shown), count
                continue
            windows = Windows(problem, shown, self._back, self._apart)
            if not self.carry:
                yield windows.gradient, count
                continue
            for number, window in enumerate(windows.windows):
                yield partial(windows.carried_gradient, number), window.scored

    def _sampled(
        self,
        problem: Problem,
        shown: np.ndarray | Batch | None,
        rng: np.random.Generator,
        genome: np.ndarray,
    ) -> tuple[float, np.ndarray]:
        """Return loss and gradient where the decoder sees some symbols that it drew."""
        return problem.sampled_gradient(genome, shown, self.sampling, rng)
