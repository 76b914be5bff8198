"""What a tile of sequences needs beside arithmetic: lanes that have ended, and lanes that run free."""

from __future__ import annotations

from numba.extending import register_jitable


@register_jitable
def hold(new, old, lengths, t):  # type: ignore[no-untyped-def]
    """Keep the old state of every lane whose sequence has ended at time step t."""
    for r in range(new.shape[0]):
        for k in range(new.shape[1]):
            if t >= lengths[k]:
                new[r, k] = old[r, k]


@register_jitable
def set_aside(gradient, kept, lengths, t):  # type: ignore[no-untyped-def]
    """Keep a copy of a state's gradient, and clear it in lanes that do not move at time step t."""
    for r in range(gradient.shape[0]):
        for k in range(gradient.shape[1]):
            kept[r, k] = gradient[r, k]
            if t >= lengths[k]:
                gradient[r, k] = 0


@register_jitable
def pass_by(gradient, kept, lengths, t):  # type: ignore[no-untyped-def]
    """Hand the gradient of lanes that did not move on to the time step before."""
    hold(gradient, kept, lengths, t)


@register_jitable
def close_loop(closed, inputs, y, free_from, t):  # type: ignore[no-untyped-def]
    """Return inputs (I, lanes) with the last output as the first O inputs where a lane runs free."""
    for r in range(inputs.shape[0]):
        for k in range(inputs.shape[1]):
            own = r < y.shape[0] and t >= free_from[k]
            closed[r, k] = y[r, k] if own else inputs[r, k]
    return closed


@register_jitable
def copy(target, source):  # type: ignore[no-untyped-def]
    """Copy a tile."""
    for r in range(target.shape[0]):
        for k in range(target.shape[1]):
            target[r, k] = source[r, k]


@register_jitable
def join(target, first, second):  # type: ignore[no-untyped-def]
    """Put two tiles one below the other."""
    copy(target[: first.shape[0]], first)
    copy(target[first.shape[0] :], second)


@register_jitable
def take(target, source, start):  # type: ignore[no-untyped-def]
    """Copy the rows of a tile from `start` on."""
    copy(target, source[start : start + target.shape[0]])
