"""How fast gradients vanish: the slope of the logarithm of their norm on the lag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.diagnostics.gradients import gradient_by_lag
from evorrn.diagnostics.quantity import Quantity
from evorrn.network.network import Network

CELLS = ("elman", "lstm", "lstm-1997", "narx")
NETWORKS = 5
"""Random networks for each seed, whose median is taken."""


@dataclass(frozen=True)
class GradientDecay(Quantity):
    """The change of the logarithm of the norm of a gradient with each further time step of lag.

    It is the slope of a straight line through the medians over random networks, see
    `evorrn.diagnostics.gradient_by_lag`, on random inputs. The first `skipped` lags are left out. Weights are those that training
    begins with, but for three that decide: the recurrent matrix of ``"elman"`` is orthogonal times `gain`; biases of
    forget gates of ``"lstm"`` are `forget_bias`, and those of the input gates of ``"lstm"`` and ``"lstm-1997"`` -3; of
    the past outputs of ``"narx"`` only the oldest, by `delays`, is seen, and the output follows it by the factor `gain` as long as it
    is small.

    Source: Hochreiter 1991; Bengio, Simard and Frasconi 1994; NARX: Lin, Horne, Tiňo and Giles 1996, section IV.
    """

    title = "change of the logarithm of the gradient per step of lag"

    cell: str = setting("elman", "The cell.", choices=CELLS)
    units: int = setting(16, "Units.", minimum=1)
    gain: float = setting(1.0, "Gain of the recurrent weights of elman and narx.", above=0)
    forget_bias: float = setting(1.0, "Bias of the forget gates of lstm.")
    delays: int = setting(1, "Time steps after which narx sees its output.", minimum=1)
    steps: int = setting(60, "Time steps of the sequences.", minimum=3)
    skipped: int = setting(12, "First lags that are left out.", minimum=0)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = super().problems()
        if not found and self.skipped > self.steps - 2:
            found.append(
                f"skipped: expected at most {self.steps - 2}, two less than the time steps, got {self.skipped}"
            )
        return found

    def compute(self, seed: int) -> float:
        """Return the slope of networks and inputs that a seed draws."""
        rng = np.random.default_rng(seed)
        network = self._network()
        genomes = np.stack([self._genome(network, rng) for _ in range(NETWORKS)])
        batch = Batch(rng.standard_normal((4, self.steps, 1)), np.ones((4, self.steps, 1)))
        state = {"lstm": "layer0.c", "lstm-1997": "layer0.c"}.get(self.cell)
        norms = np.asarray(gradient_by_lag(network, genomes, batch, state))
        lags = np.arange(self.skipped, self.steps)
        return float(np.polyfit(lags, np.log(norms[lags]), 1)[0])

    def _network(self) -> Network:
        options = {"input_taps": 1, "output_taps": self.delays} if self.cell == "narx" else {}
        return Network(1, 1, cell=self.cell, hidden=self.units, cell_options=options, dtype="float64")

    def _genome(self, network: Network, rng: np.random.Generator) -> np.ndarray:
        """Return the weights that training begins with, with those that decide replaced."""
        genome = network.init(rng=rng)
        blocks = {name: np.array(block) for name, block in network.unpack(genome).items()}
        if self.cell == "elman":
            square = rng.standard_normal((self.units, self.units))
            blocks["layer0.W_h"] = self.gain * np.linalg.qr(square)[0]
        elif self.cell == "narx":
            past = np.zeros_like(blocks["layer0.W_y"])
            past[:, -1] = rng.standard_normal(past[:, -1].shape)
            blocks["layer0.W_y"] = past
            blocks["readout.W"] = self.gain * np.linalg.pinv(past[:, -1])
        else:
            blocks["layer0.b_i"][:] = -3.0
            if self.cell == "lstm":
                blocks["layer0.b_f"][:] = self.forget_bias
        return network.pack(blocks)
