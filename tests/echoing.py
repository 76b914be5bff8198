"""A task whose answers have a length of their own, named in specs as ``echoing.py:Backwards``."""

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task

BACKWARDS = f"{__file__}:Backwards"
NETWORK = {
    "kind": "encoder-decoder",
    "encoder": {"cell": "gru", "hidden": 12},
    "decoder": {"cell": "gru", "hidden": 12},
    "embedding": 4,
    "start": 0,
    "stop": 1,
}


@dataclass(frozen=True)
class Backwards(Task):
    """Rows of symbols, to be written backwards."""

    name = "backwards"
    loss = "cross-entropy"
    metrics = ("exact_match", "token_accuracy", "edit_distance", "cross_entropy")
    provides = frozenset({"fitness", "sequence_losses", "gradient"})

    symbols: int = setting(3, "symbols that a row is made of", minimum=1)
    longest: int = setting(3, "symbols of the longest row", minimum=1)

    @property
    def inputs(self):
        return self.symbols

    @property
    def outputs(self):
        return self.symbols + 2

    @property
    def network_form(self):
        return {"kind": "encoder-decoder", "start": 0, "stop": 1}

    def data(self, seed):
        rng = np.random.default_rng(seed)
        x = rng.integers(0, self.symbols, (60, self.longest))
        lengths = rng.integers(1, self.longest + 1, 60)
        targets = np.zeros_like(x)
        for row, length in enumerate(lengths):
            targets[row, :length] = x[row, :length][::-1] + 2
        whole = Batch(x, targets, lengths=lengths, target_lengths=lengths)
        return Splits(whole.take(range(40)), whole.take(range(40, 50)), whole.take(range(50, 60)))

    def baselines(self, splits):
        return {"nothing": [np.zeros(0, np.int64)] * splits.test.size, "known": {"exact_match": 0.25}}

    def recommended(self, strategy):
        return Recommended(NETWORK, {"rate": 0.01} if strategy == "bptt" else {})


RAMPS = f"{__file__}:Ramps"


@dataclass(frozen=True)
class Ramps(Task):
    """A slope and a first value, of which the ramp is to be drawn."""

    name = "ramps"
    inputs = 2
    outputs = 1

    steps: int = setting(6, "steps of a ramp", minimum=2)

    @property
    def network_form(self):
        return {"context": "every"}

    def data(self, seed):
        x = np.random.default_rng(seed).normal(size=(30, 2))
        targets = x[:, None, :1] + x[:, None, 1:] * np.arange(self.steps)[:, None] / self.steps
        whole = Batch(x, targets)
        return Splits(whole.take(range(20)), whole.take(range(20, 25)), whole.take(range(25, 30)))

    def baselines(self, splits):
        return {"zero": np.zeros(splits.test.targets.shape)}

    def recommended(self, strategy):
        return Recommended({"cell": "elman", "hidden": 8})
