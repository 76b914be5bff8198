"""Long lag: the last symbol of a sequence is its first one, and the symbols between are always the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Reference, Splits, Task
from evorrn_tasks.common.advice import by_strategy
from evorrn_tasks.common.draws import check_seed
from evorrn_tasks.common.examples import label_frequencies


@dataclass(frozen=True)
class LongLag(Task):
    """Two sequences of `lag` + 2 symbols: x, a1 to a`lag`, x, and y, a1 to a`lag`, y. The next symbol must be predicted.

    The symbols between are the same in both, so all but the last one can be predicted from the present symbol, and the last one from
    the first alone, `lag` + 1 steps earlier. Inputs are one-hot over x, y and the others; targets are labels. All steps are
    scored, with ``scored="all"``, or the last one. Both sequences are training, validation and test data at once, as published:
    there is nothing to generalise to, and ``exact_match`` is the share of sequences with every scored symbol right.

    With `symbols` fewer than the lag, these follow one another again and again until the last step. Only counting tells which step
    is the last, so ``scored="last"`` asks for memory alone.

    Source: Hochreiter and Schmidhuber 1997, "Long short-term memory", experiment 2a, with p = lag + 1 (100 there); with a lag of 20
    the 22 symbols of Schmidhuber 1992, "Learning complex, extended sequences using the principle of history compression".
    """

    name = "long-lag"
    loss = "cross-entropy"
    metrics = ("exact_match", "token_accuracy", "cross_entropy")
    predicts_inputs = True
    seed_changes = "training"
    references = (
        Reference(
            1.0,
            "exact_match",
            "lag 99: LSTM in 18 of 18 runs, after 5,040 sequences",
            "Hochreiter and Schmidhuber 1997",
        ),
        Reference(
            1.0, "exact_match", "lag 20: chunker in 13 of 17 runs, within 5,000 sequences", "Schmidhuber 1992"
        ),
    )

    lag: int = setting(99, "symbols between the first one and the last one", minimum=1)
    scored: str = setting("all", "steps that are scored", choices=("all", "last"))
    symbols: int | None = setting(
        None,
        "different symbols between the first one and the last one, by default as many as the lag",
        minimum=1,
        absent=None,
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, more symbols than the lag included."""
        found = super().problems()
        if not found and self._different > self.lag:
            found.append(f"symbols: expected at most the lag, {self.lag}, got {self.symbols}")
        return found

    @property
    def _different(self) -> int:
        """Number of different symbols between."""
        return self.lag if self.symbols is None else self.symbols

    @property
    def inputs(self) -> int:
        """Number of inputs: x, y and the symbols between."""
        return self._different + 2

    @property
    def outputs(self) -> int:
        """Number of classes: the symbols."""
        return self.inputs

    @property
    def input_names(self) -> tuple[str, ...]:
        """The symbols."""
        return ("x", "y", *(f"a{number}" for number in range(1, self._different + 1)))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The symbols."""
        return self.input_names

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of both sequences."""
        return 2 * (self.lag + 1) * (self.inputs + 1)

    def data(self, seed: int) -> Splits:
        """Return both sequences, whatever the seed."""
        check_seed(seed)
        symbols = 2 + np.arange(self.lag) % self._different
        whole = np.array([[first, *symbols, first] for first in (0, 1)])
        mask = np.ones((2, self.lag + 1), bool)
        if self.scored == "last":
            mask[:, :-1] = False
        batch = Batch(np.eye(self.inputs)[whole[:, :-1]], whole[:, 1:], mask=mask)
        return Splits(train=batch, valid=batch, test=batch)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the frequencies after the present symbol in training."""
        return {"frequencies after a symbol": label_frequencies(splits, self.outputs)}

    def recommended(self, strategy: str) -> Recommended:
        """Return the usual sizes with an LSTM."""
        return by_strategy(strategy, cell="lstm")
