"""The memory of the buffers of programs whose lanes are sequences, and the packing of their conditions."""

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
    """Return a function that calls a program with memory for its buffers; each thread reuses its memory.

    Parameters
    ----------
    program : callable
        Its third and fourth arguments are the memory and the offset of each buffer.
    model : Model
    buffers : sequence of Buffer
    lanes : int
        Number of lanes of a tile.
    counts : mapping of str to int
        The number of tiles for each expression in `Buffer.steps`.
    """
    sizes = [counts.get(b.steps, 1) * model.sizes[b.dimension] * lanes for b in buffers]
    places = np.cumsum([0, *sizes], dtype=np.int64)

    def run(first: int, last: int, *arguments: Any) -> None:
        program(first, last, threads.scratch(int(places[-1]), model.dtype), places, *arguments)

    return run


def condition_arguments(model: Model, tiling: Tiling, conditions: Conditions) -> dict[str, np.ndarray]:
    """Return the arguments of a program for teachers (Q, T, O, L), T = 0 without any, and first states (Q, S, L)."""
    if conditions.teacher is None:
        teacher = np.zeros((tiling.tiles, 0, model.outputs, tiling.lanes), model.dtype)
    else:
        teacher = tiling.pack(conditions.teacher, model.dtype)
    state = tiling.pack(conditions.state[:, None], model.dtype)[:, 0]
    return {"teacher_all": teacher, "state_all": state}
