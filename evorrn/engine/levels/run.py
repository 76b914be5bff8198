"""Runs networks whose steps are linked to earlier ones, level by level."""

from __future__ import annotations

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.inputs import Sequences
from evorrn.engine.lanes.listings import Call, Listings
from evorrn.engine.levels.backward import GradientLevels, WantedLevelsGradient
from evorrn.engine.levels.forward import TAPE, ForwardLevels, WantedLevels
from evorrn.engine.levels.packing import KINDS, Levels, PackedLevels, pack, packed_batch
from evorrn.engine.listing.walk import Base, base
from evorrn.engine.model import Individuals, Model, Modules

LOSSES = 2**23
"""Losses of nodes that are held at once; more genomes are taken in several chunks."""


class Linked:
    """Runs genomes forward and backward over linked steps.

    Parameters
    ----------
    model : Model
    modules : Modules
    """

    def __init__(self, model: Model, modules: Modules) -> None:
        self._model = model
        self._forward = Listings(model, modules, ForwardLevels)
        self._backward = Listings(model, modules, GradientLevels)

    def run(self, individual: Individuals, shown: Sequences, want: str) -> np.ndarray:
        """Return ``"outputs"`` or ``"hidden"`` of one genome, shape (B, T, K), zero beyond the sequences' lengths."""
        dtype, packed = self._model.dtype, self._packed(shown)
        levels, width = packed.levels, self._model.width(want)
        series = np.zeros((levels.groups, levels.tiles, width, levels.lanes), dtype)
        wanted = WantedLevels(levels.lanes, levels.used, 0, want)
        self._walk(self._forward, wanted, individual, packed, {want: base(series, "q")})
        return levels.unpack(series, (*shown.x.shape[:2], width))

    def losses(self, individuals: Individuals, batch: Batch) -> np.ndarray:
        """Return the sum of the loss of each genome over each sequence, shape (P, B), float64."""
        packed = packed_batch(batch, self._model.dtype)
        levels, genomes = packed.levels, individuals.genomes
        wanted = WantedLevels(levels.lanes, levels.used, packed.targets.shape[2])
        nodes = levels.groups * levels.tiles * levels.lanes
        scored = batch.scored[levels.sequence, levels.step]
        places = ((levels.group * levels.tiles + levels.tile) * levels.lanes + levels.lane)[scored]
        first = np.flatnonzero(np.diff(levels.sequence[scored], prepend=-1))  # scored node of each sequence
        sums = np.zeros((len(genomes), batch.size))
        count = max(1, LOSSES // nodes)
        for start in range(0, len(genomes), count):
            part = individuals._replace(genomes=np.ascontiguousarray(genomes[start : start + count]))
            losses = np.zeros((len(part.genomes), levels.groups, levels.tiles, levels.lanes))
            self._walk(self._forward, wanted, part, packed, {"losses": base(losses, "pq")})
            found = losses.reshape(len(losses), nodes)[:, places]
            sums[start : start + count, levels.sequence[scored][first]] = np.add.reduceat(
                found, first, axis=1
            )
        return sums

    def of_loss(self, individual: Individuals, batch: Batch, scale: float) -> tuple[float, np.ndarray]:
        """Return the sum of the loss of one genome over a batch, and the gradient (n,) of `scale` times this sum."""
        packed = packed_batch(batch, self._model.dtype)
        levels = packed.levels
        losses = np.zeros((levels.groups, levels.tiles, levels.lanes))
        scales = np.array([scale], self._model.dtype)
        bases = {"losses": base(losses, "q"), "scale": base(scales)}
        gradient = self._gradient(individual, packed, packed.targets.shape[2], bases)
        return float(losses.sum()), gradient

    def of_outputs(
        self, individual: Individuals, shown: Sequences, output_gradient: np.ndarray
    ) -> np.ndarray:
        """Return the gradient (n,) of a function of the outputs, from its gradient (B, T, O) with respect to these."""
        packed = self._packed(shown)
        given = packed.levels.pack(output_gradient, self._model.dtype)
        return self._gradient(individual, packed, 0, {"given": base(given, "q")})

    def source(self) -> str:
        """Return the listings of fitness and gradient for readers."""
        target_rows = 1 if self._model.form.loss.labels else self._model.outputs
        forward = ForwardLevels(self._model, WantedLevels(1, KINDS, target_rows))
        backward = GradientLevels(self._model, WantedLevelsGradient(1, KINDS, target_rows))
        return f"{forward.listing.text()}\n\n{backward.listing.text()}"

    def _gradient(
        self, individual: Individuals, packed: PackedLevels, target_rows: int, bases: dict[str, Base]
    ) -> np.ndarray:
        """Return the gradient (n,), the sum of those of all groups added in float64."""
        levels = packed.levels
        gradients = np.zeros((levels.groups, individual.genomes.size), self._model.dtype)
        wanted = WantedLevelsGradient(levels.lanes, levels.used, target_rows)
        self._walk(self._backward, wanted, individual, packed, {**bases, "gradient": base(gradients, "q")})
        return gradients.sum(axis=0, dtype=np.float64).astype(self._model.dtype)

    def _walk(
        self,
        listings: Listings,
        wanted: WantedLevels | WantedLevelsGradient,
        individuals: Individuals,
        packed: PackedLevels,
        bases: dict[str, Base],
    ) -> None:
        """Run a listing, which fills the arrays of `bases`."""
        levels = packed.levels
        given, memory = {**packed.bases, **bases}, {TAPE: levels.tiles}
        listings.walk(Call(wanted, individuals, levels.kinds, given, memory, levels.groups * levels.tiles))

    def _packed(self, shown: Sequences) -> PackedLevels:
        """Return sequences without targets, packed."""
        assert shown.links is not None
        levels = Levels.of(shown.x, shown.lengths, shown.links, self._model.dtype)
        return pack(levels, shown.x, self._model.dtype)
