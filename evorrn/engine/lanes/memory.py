"""What programs along lanes share: the memory of their buffers, and conditions packed into tiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.engine.lanes.emit import Buffer
from evorrn.kernels import threads

if TYPE_CHECKING:
    from evorrn.engine.inputs import Conditions
    from evorrn.engine.model import Model
    from evorrn.engine.packing import Tiling


def with_scratch(
    program: Callable[..., None],
    model: Model,
    buffers: Sequence[Buffer],
    lanes: int,
    counts: Mapping[str, int],
) -> Callable[..., None]:
    """Return a program with the memory of its buffers, which each thread keeps from call to call.

    Parameters
    ----------
    program : callable
        Takes that memory and the place of each buffer in it behind its first two arguments.
    model : Model
    buffers : sequence of Buffer
    lanes : int
        Lanes of a tile.
    counts : mapping of str to int
        How many tiles a buffer has, by the words in which the source says it.
    """
    sizes = [counts.get(b.steps, 1) * model.sizes[b.dimension] * lanes for b in buffers]
    places = np.cumsum([0, *sizes], dtype=np.int64)

    def run(first: int, last: int, *arguments: Any) -> None:
        program(first, last, threads.scratch(int(places[-1]), model.dtype), places, *arguments)

    return run


def condition_arguments(model: Model, tiling: Tiling, conditions: Conditions) -> dict[str, np.ndarray]:
    """Return teachers (Q, T, O, L), of no time step where there are none, and states (Q, S, L)."""
    if conditions.teacher is None:
        teacher = np.zeros((tiling.tiles, 0, model.outputs, tiling.lanes), model.dtype)
    else:
        teacher = tiling.pack(conditions.teacher, model.dtype)
    state = tiling.pack(conditions.state[:, None], model.dtype)[:, 0]
    return {"teacher_all": teacher, "state_all": state}
