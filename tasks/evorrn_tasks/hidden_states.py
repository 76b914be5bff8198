"""Hidden states: the state behind each symbol of a hidden Markov source, whose exact error rates are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from string import ascii_lowercase

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.emissions import Categorical
from evorrn_tasks.common.hmm import HMM

LOWEST = -50.0
"""The logarithm of the smallest probability that a baseline gives."""


@dataclass(frozen=True)
class HiddenStates(Task):
    """Symbols of a hidden Markov source; the state that each one came from is the class of its step.

    The setting `source` draws the source: its transition probabilities from a Dirichlet distribution with the concentration `mixing`,
    the symbols of each state from one with the concentration `blur`; small concentrations give few likely states and symbols. The first state
    is uniform. Inputs are the symbols, all steps are scored, and training, validation and test have separate random streams.

    A network that sees the past alone can do no better than exact filtering, the probability of each state given the symbols up to its
    step; one that sees both directions no better than exact smoothing, the probability given all symbols. Both are baselines, by the
    forward and backward recursions of the source itself in log space, so that their accuracy is one minus the Bayes error rate on these
    data. Networks are bidirectional unless ``network.bidirectional`` is set to false.

    Source: Rabiner 1989, "A tutorial on hidden Markov models", equations 19 to 27; Schuster and Paliwal 1997 for networks that see
    both directions. The source is ours.
    """

    name = "hidden-states"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")

    source: int = setting(3, "number of the source", minimum=0)
    states: int = setting(5, "hidden states", minimum=2, maximum=64)
    symbols: int = setting(5, "different symbols", minimum=2, maximum=256)
    mixing: float = setting(0.3, "concentration of the transition probabilities", above=0)
    blur: float = setting(0.3, "concentration of the symbols of a state", above=0)
    steps: int = setting(30, "time steps of a sequence", minimum=2)
    train: int = setting(1000, "training sequences", minimum=1)
    valid: int = setting(200, "validation sequences", minimum=1)
    test: int = setting(400, "test sequences", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of inputs: the symbols."""
        return self.symbols

    @property
    def outputs(self) -> int:
        """Number of classes: the states."""
        return self.states

    @property
    def input_names(self) -> tuple[str, ...]:
        """Letters for the symbols, or numbers where there are more than letters."""
        if self.symbols <= len(ascii_lowercase):
            return tuple(ascii_lowercase[: self.symbols])
        return tuple(f"symbol{place}" for place in range(1, self.symbols + 1))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The states by their numbers."""
        return tuple(f"state{place}" for place in range(1, self.states + 1))

    @property
    def network_form(self) -> dict[str, bool]:
        """Networks that see the sequence in both directions."""
        return {"bidirectional": True}

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and outputs of all sequences."""
        return (self.train + self.valid + self.test) * self.steps * (self.symbols + self.states)

    @cached_property
    def model(self) -> HMM:
        """The source."""
        rng = generator(self.source)
        transition = rng.dirichlet(np.full(self.states, self.mixing), self.states)
        shares = rng.dirichlet(np.full(self.symbols, self.blur), self.states)
        return HMM(np.full(self.states, 1 / self.states), transition, Categorical(shares))

    def data(self, seed: int) -> Splits:
        """Return sequences drawn from the seed."""
        train, valid, test = (
            self._batch(generator(seed, 1 + place), count)
            for place, count in enumerate((self.train, self.valid, self.test))
        )
        return Splits(train, valid, test)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return state frequencies, those after each symbol, and the exact probabilities by filtering and smoothing."""
        assert splits.test is not None
        sequences = list(splits.test.inputs)
        counts = np.full((self.symbols, self.states), 0.5)
        np.add.at(counts, (splits.train.inputs.ravel(), splits.train.targets.ravel()), 1.0)
        return {
            "state frequencies": baselines.class_frequencies(splits, self.states),
            "present symbol": np.log(counts / counts.sum(axis=1, keepdims=True))[splits.test.inputs],
            "exact filtering": np.maximum(np.stack(self.model.filtered(sequences)), LOWEST),
            "exact smoothing": np.maximum(np.stack(self.model.smoothed(sequences)), LOWEST),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return gated units for gradients, a reservoir of 100 units, else few units."""
        if strategy == "bptt":
            return Recommended({"cell": "gru", "hidden": 24}, {"batch_size": 50, "rate": 0.01})
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "dtype": "float64"})
        return Recommended({"cell": "gru", "hidden": 4})

    def _batch(self, rng: np.random.Generator, count: int) -> Batch:
        hidden, seen = (np.zeros((count, self.steps), np.int64) for _ in range(2))
        following = np.cumsum(self.model.transition, axis=1)
        emission = self.model.emission
        assert isinstance(emission, Categorical)
        emitted = np.cumsum(emission.shares, axis=1)
        state = rng.integers(0, self.states, count)
        for step in range(self.steps):
            if step:
                state = _drawn(rng, following[state])
            hidden[:, step], seen[:, step] = state, _drawn(rng, emitted[state])
        return Batch(seen, hidden)


def _drawn(rng: np.random.Generator, bounds: np.ndarray) -> np.ndarray:
    """Return the place (B,) that a uniform number finds in each row of cumulative probabilities (B, K)."""
    found = (rng.random((len(bounds), 1)) * bounds[:, -1:] >= bounds).sum(axis=1)
    return np.asarray(np.minimum(found, bounds.shape[1] - 1))
