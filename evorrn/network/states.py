"""What sequences show of a network: its states, and what it is taught before it runs on its own output."""

from __future__ import annotations

import numpy as np

from evorrn.data.batch import Batch
from evorrn.network import arguments
from evorrn.network.compiled import CompiledNetwork


class ShownNetwork(CompiledNetwork):
    """A compiled network with its states, its teacher and the checks of genomes and batches."""

    def weights(self, genome: np.ndarray) -> dict[str, np.ndarray]:
        """Return everything that a time step multiplies and adds, by name, from a genome (n,).

        These are the blocks of the genome, what follows from them once a genome, and arrays that are not trained.
        """
        return self._programs.weights(self.check_genome(genome), self._settings)

    def warm_up(self, batch: Batch) -> np.ndarray | None:
        """Return the `teacher` (B, T, O) of the unscored steps at the start of each sequence.

        A network that sees its own output is given the targets of these steps in its place: its state at the first
        scored step is that of a network that has been right so far, and from then on it runs on its own output. The
        entries are NaN after the first scored step and where a target is not known. Losses, fitness and gradients use
        this teacher.

        Returns
        -------
        ndarray or None
            None for a network that does not see its output, for labels, where logits go back, and when every first
            step is scored.

        Examples
        --------
        >>> import numpy as np
        >>> import evorrn
        >>> network = evorrn.Network(inputs=1, outputs=1, hidden=2, feedback=True)
        >>> batch = evorrn.Batch(np.ones((1, 4, 1)), np.ones((1, 4, 1)), mask=[[False, False, True, True]])
        >>> network.warm_up(batch)[0, :, 0].tolist()
        [nan, 1.0, 1.0, nan]
        """
        return arguments.warm_up(self, batch)

    def states(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        *,
        lengths: np.ndarray | None = None,
        state: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
        links: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the output of the last layer at every time step, shape (B, T, H).

        The parameters are those of `predict`. Values beyond the length of a sequence are zero. A readout with
        ``reads="all"`` sees more, see `readout_states`.
        """
        arguments.check_every(self, "states")
        seen = self.readout_states(genome, x, lengths=lengths, state=state, teacher=teacher, links=links)
        return seen[:, :, -self.last_width :]

    def readout_states(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        *,
        lengths: np.ndarray | None = None,
        state: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
        links: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the units that the readout sees at every time step, shape (B, T, R).

        These are the outputs of the last layer, or with ``reads="all"`` those of all layers, the first layer first. The
        parameters are those of `predict`. Values beyond the length of a sequence are zero.
        """
        vector = self.check_genome(genome)
        sequences = arguments.sequences(self, x, lengths, state=state, teacher=teacher, links=links)
        return self._programs.run(vector, self._settings, sequences, "hidden")[0]

    def population_states(
        self,
        genomes: np.ndarray,
        x: np.ndarray,
        *,
        lengths: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
        links: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the units that the readout sees for each genome (P, n), shape (P, B, T, R); see `readout_states`."""
        sequences = arguments.sequences(self, x, lengths, teacher=teacher, links=links)
        return self._programs.series(arguments.genomes(self, genomes), self._settings, sequences, "hidden")

    def check_genome(self, genome: np.ndarray) -> np.ndarray:
        """Return a genome (n,) in the network's dtype; raise ShapeError when its shape is wrong."""
        return arguments.genomes(self, np.asanyarray(genome)[None])[0]

    def fitting(self, batch: Batch) -> Batch:
        """Return a batch as the programs of this network take it, checked: symbols without an embedding as vectors."""
        self.check_batch(batch)
        return arguments.of_symbols(self, batch)

    def check_batch(self, batch: Batch) -> None:
        """Raise ShapeError when a batch does not fit this network, ConfigError when its loss takes no batch."""
        arguments.check_batch(self, batch)
