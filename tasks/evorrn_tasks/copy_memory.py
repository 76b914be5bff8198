"""Copy: repeat the first symbols of a sequence after a long delay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Reference, Splits, Task
from evorrn_tasks.common.draws import generator

IMPOSSIBLE = -100.0
"""Logit of a class that the baseline without memory excludes."""


@dataclass(frozen=True)
class CopyMemory(Task):
    """Sequences that begin with symbols, which the network must repeat in order after `delay` steps.

    With the defaults: ten symbols drawn uniformly from eight, `delay` - 1 blanks, one cue, ten blanks, so
    `delay` + 20 steps. The target is the blank for the first `delay` + 10 steps, then the ten symbols. Inputs are
    one-hot over symbols, blank and cue (10); targets are labels over symbols and blank (9). All steps are scored,
    as in the literature. Training, validation and test have separate random streams.

    Without memory the best prediction is the blank and, after the cue, every symbol with equal probability:
    10 ln 8 / (delay + 20) nats per step.

    Source: Arjovsky, Shah and Bengio 2016, "Unitary evolution recurrent neural networks", after Hochreiter
    and Schmidhuber 1997.
    """

    name = "copy"
    loss = "cross-entropy"
    metrics = ("cross_entropy", "accuracy")
    references = tuple(
        Reference(
            10 * float(np.log(8)) / (delay + 20),
            "cross_entropy",
            f"delay {delay}: without memory",
            "Arjovsky, Shah and Bengio 2016",
        )
        for delay in (100, 200, 500)
    )

    delay: int = setting(20, "steps between the last symbol and its first repetition", minimum=1)
    copied: int = setting(10, "symbols to repeat", minimum=1)
    symbols: int = setting(8, "different symbols", minimum=2)
    train: int = setting(300, "training sequences", minimum=1)
    valid: int = setting(200, "validation sequences", minimum=1)
    test: int = setting(500, "test sequences", minimum=1)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return (self.inputs + 1) * (self.delay + 2 * self.copied) * (self.train + self.valid + self.test)

    @property
    def inputs(self) -> int:
        """Number of inputs: one for each symbol, one for the blank, one for the cue."""
        return self.symbols + 2

    @property
    def outputs(self) -> int:
        """Number of classes: the symbols and the blank."""
        return self.symbols + 1

    def data(self, seed: int) -> Splits:
        """Return sequences drawn from the seed."""
        return Splits(
            train=self._draw(generator(seed, 0), self.train),
            valid=self._draw(generator(seed, 1), self.valid),
            test=self._draw(generator(seed, 2), self.test),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the best prediction without memory: the blank, and after the cue all symbols equally."""
        assert splits.test is not None
        logits = np.full((splits.test.size, splits.test.steps, self.outputs), IMPOSSIBLE)
        logits[:, : -self.copied, -1] = 0.0
        logits[:, -self.copied :, :-1] = 0.0
        return {"without memory": logits}

    def recommended(self, strategy: str) -> Recommended:
        """Return networks that can store the symbols, or have few weights to evolve."""
        if strategy in ("esn", "evolved-esn"):
            network = {"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"}
            return Recommended(network, {"leak": (0.3, 1.0), "spectral_radius": (0.9, 1.1)})
        return Recommended({"cell": "gru", "hidden": 16 if strategy == "bptt" else 4})

    def _draw(self, rng: np.random.Generator, count: int) -> Batch:
        """Return `count` random sequences."""
        blank, cue = self.symbols, self.symbols + 1
        steps = self.delay + 2 * self.copied
        drawn = rng.integers(0, self.symbols, (count, self.copied))
        shown = np.full((count, steps), blank)
        shown[:, : self.copied] = drawn
        shown[:, self.copied + self.delay - 1] = cue
        wanted = np.full((count, steps), blank)
        wanted[:, -self.copied :] = drawn
        return Batch(np.eye(self.inputs)[shown], wanted)
