"""Emits the program that follows single sequences and writes down what an influence of any pattern needs of each time step."""

from __future__ import annotations

from evorrn.compile.step import OUTPUT, Step
from evorrn.engine.arguments import Arguments
from evorrn.engine.influence.following import FollowingEmitter
from evorrn.engine.influence.outline import ByState
from evorrn.engine.model import Form
from evorrn.engine.stages import size

ABOUT = (
    ", followed along the units",
    "traces import add_products, at_step, back_to_units\nfrom evorrn.engine.influence.records import at_record, set_record",
)

CHUNK = 32
"""Time steps whose states are kept by the program."""

FOLLOW = Arguments(
    ("first", "last"),
    *("chunk", "genome", "options", "sizes", "offsets"),
    *("x_all", "targets_all", "weights_all", "lengths_all", "scale", "back_all", "seen"),
    *("state_all", "start", "records_all", "places", "readout_all", "losses_all"),
)
"""The arguments of the program. A job is a sequence, whose time step ``start[0]`` has the first record."""


class RecordsEmitter(FollowingEmitter):
    """Emits the program of a network.

    Parameters
    ----------
    form : Form
    step : Step
        The network's step, lifted.
    found : ByState
    vector : int
        Number of values in one vector register.
    """

    def __init__(self, form: Form, step: Step, found: ByState, vector: int) -> None:
        super().__init__(form, step, found, ABOUT, vector)
        self._found = found

    def source(self) -> str:
        """Return the source of the program."""
        functions, body = self._stages()
        lines = [
            *self._allocate(),
            f"outputs = {OUTPUT}_new[:, :n_O].T",
            *self._jobs([*body, *self._records()], [], "start[0] + begin"),
        ]
        contract = "Follow sequences first to last; see `evorrn.engine.influence.dense.Dense`."
        return self.program(functions, f"follow({FOLLOW})", contract, lines)

    def _loss_of(self, number: int, state: str) -> str:
        """See `FollowingEmitter`."""
        return self._place(number, size(self._dimension(state)))

    def _place(self, number: int, count: str) -> str:
        return f"at_record(F, records_all, (b, begin + step, places[{number}], {count}))"

    def _records(self) -> list[str]:
        """Return the lines that write down the derivatives of a time step, in the order of `Dense.places`."""
        found, nodes = self._found, self._derivative.graph.nodes
        wanted = [(direction, node) for direction, _, node in found.slopes]
        wanted += [(direction, self._derivative.graph.outputs[old]) for direction, old in found.olds]
        read = [(self._along(direction)[node], node) for direction, node in wanted]
        read += [(self.names[node], node) for _, node in found.sources]
        return [
            f"set_record({self._place(number, size(nodes[node].shape[0]))}, {name})"
            for number, (name, node) in enumerate(read, len(found.seen))
        ]
