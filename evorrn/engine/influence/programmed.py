"""The base of what learns forward in time along sequences by an emitted program, compiled where it is first needed."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from evorrn.engine.cache import load
from evorrn.engine.influence.groups import Carried
from evorrn.engine.influence.jacobians import Learned, Scored
from evorrn.engine.influence.steps import Steps
from evorrn.engine.inputs import Sequences
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import PackedRows, pack_rows


class Programmed:
    """A program that follows sequences and moves along what it carries from step to step.

    Parameters
    ----------
    model : Model
    modules : Modules
    steps : Steps
    label : str
        What the program is called.
    key : tuple
        Names it among the programs of the network.
    """

    def __init__(
        self, model: Model, modules: Modules, steps: Steps, label: str, key: tuple[object, ...] = ()
    ) -> None:
        self._model, self._modules, self._steps = model, modules, steps
        self._label, self._key = label, (label, *key)

    def zero(self, sequences: int) -> Carried:
        """Return what is carried before the first time step."""
        raise NotImplementedError

    def source(self) -> str:
        """Return the emitted source."""
        raise NotImplementedError

    def learn(self, individual: Individuals, shown: Sequences, scored: Scored, carried: Carried) -> Learned:
        """Run time steps of sequences, and move along what is carried.

        Parameters
        ----------
        individual : Individuals
            All weights (N,), and the options.
        shown : Sequences
            Its lengths may be 0.
        scored : Scored
        carried : list of ndarray
            Changed in place.
        """
        packed = pack_rows(shown.x, shown.lengths, self._model.dtype, scored.targets, scored.mask)
        module = self._modules.get(self._key, self._load, self._warm_up)
        return self._call(module, individual, packed, scored, np.array(shown.conditions.state), carried)

    def _call(
        self,
        module: ModuleType,
        individual: Individuals,
        packed: PackedRows,
        scored: Scored,
        state: np.ndarray,
        carried: Carried,
    ) -> Learned:
        """Run the program; the state (B, S) is changed in place."""
        raise NotImplementedError

    def _load(self) -> ModuleType:
        return load(self.source(), f"{self._model.label}_{self._label}")

    def _warm_up(self, module: ModuleType) -> None:
        """Call the program on a sequence without steps, which compiles it."""
        model = self._model
        individual, state = model.zero_individual(), np.zeros((1, model.state_size), model.dtype)
        packed = pack_rows(model.one_step()[0], np.zeros(1, np.int64), model.dtype)
        nothing = Scored(packed.targets, packed.weights > 0, 1.0)
        one = individual._replace(genomes=individual.genomes[0])
        self._call(module, one, packed, nothing, state, self.zero(1))
