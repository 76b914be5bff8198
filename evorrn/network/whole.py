"""Losses on whole sequences: computed from the outputs of a network, and their gradient carried back through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.errors import ShapeError
from evorrn.data.batch import Batch
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.engine.model import Settings
from evorrn.engine.programs import Programs
from evorrn.losses.sequence import SequenceLoss

CHUNK = 32 * 2**20
"""Bytes of outputs that are held at once; more genomes are taken in several chunks."""


@dataclass(frozen=True)
class Run:
    """Runs a network under a loss on whole sequences.

    Parameters
    ----------
    programs : Programs
    settings : Settings
    loss : SequenceLoss
    outputs : int
        Outputs at a time step, O.
    """

    programs: Programs
    settings: Settings
    loss: SequenceLoss
    outputs: int

    def losses(self, genomes: np.ndarray, batch: Batch, conditions: Conditions) -> np.ndarray:
        """Return the loss of each genome on each sequence, shape (P, B), float64."""
        shown = _shown(batch, conditions)
        found = np.empty((len(genomes), batch.size))
        count = max(1, CHUNK // (batch.size * batch.steps * self.outputs * genomes.itemsize))
        for first in range(0, len(genomes), count):
            part = genomes[first : first + count]
            outputs = self.programs.series(part, self.settings, shown, "outputs")
            alike = outputs.reshape(len(part) * batch.size, *outputs.shape[2:])
            losses = self.loss.losses(alike, batch.rows * len(part), np.tile(shown.lengths, len(part)))
            self._check("losses", losses, alike.shape[:1])
            found[first : first + count] = losses.reshape(len(part), batch.size)
        return found

    def gradient(
        self, genome: np.ndarray, batch: Batch, conditions: Conditions
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the mean loss of a genome (n,) over sequences, its gradient (n,) and the last states (B, S)."""
        shown = _shown(batch, conditions)
        outputs, last = self.programs.run(genome, self.settings, shown, "outputs")
        losses, gradient = self.loss(outputs, batch.rows, shown.lengths)
        self._check("losses", losses, outputs.shape[:1])
        self._check("a gradient", gradient, outputs.shape)
        back = np.asarray(gradient / batch.size, outputs.dtype)
        return float(np.mean(losses)), self.programs.vjp(genome, self.settings, shown, back), last

    def _check(self, what: str, array: np.ndarray, wanted: tuple[int, ...]) -> None:
        """Raise ShapeError where a loss returns an array of a wrong shape."""
        if np.shape(array) != wanted:
            raise ShapeError(
                f"loss {self.loss.name}: expected {what} of shape {wanted}, got {np.shape(array)}"
            )


def _shown(batch: Batch, conditions: Conditions) -> Sequences:
    """Return the sequences of a batch as a network sees them."""
    assert batch.lengths is not None
    return Sequences(batch.inputs, batch.lengths, conditions, batch.links)
