"""Cart-pole with two poles as JAX's users write it: a rollout of scalars, `vmap` over individuals, `jit` over all.

The physics is that of `evorrn_tasks.cart_pole`, in JAX's usual float32; results are compared in float64. Of the forms that were tried
(`lax.scan` that holds what has ended still, the same with four steps unrolled, `lax.while_loop`; the state
as one array or as numbers of its own) those here are the fastest, and both are offered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from evorrn.bench.session import Contender

jax.config.update("jax_platforms", "cpu")

Numbers = tuple[jax.Array, ...]
Outcome = tuple[jax.Array, jax.Array]
"""Balanced steps, and the return."""

GRAVITY, TIME_STEP, TRACK, FALLEN = 9.8, 0.01, 2.4, 36 * math.pi / 180
CART_MASS, CART_FRICTION, HINGE_FRICTION = 1.0, 5e-4, 2e-6
POLES = ((0.1, 0.5), (0.01, 0.05))
"""Mass and half-length of each pole."""

WINDOW = 100
"""Steps that the damping fitness looks back."""


def episodes(
    form: str,
    fitness: str,
    weights: Mapping[str, np.ndarray],
    start: np.ndarray,
    time_limit: int,
    checked_steps: int,
) -> Contender:
    """Return the contender that lets each individual balance two poles whose speeds it does not see.

    Compared are the fewest balanced steps of the timed episodes, and returns (P,) and states (P, steps, 6) of
    the first `checked_steps` steps.

    Parameters
    ----------
    form : str
        ``"scan"`` or ``"while_loop"``.
    fitness : str
        ``"standard"`` or ``"damping"``, see `evorrn_tasks.cart_pole.CartPole`.
    weights : mapping
        ``layer0.W_x`` (P, H, 3), ``layer0.W_h`` (P, H, H) and ``readout.W`` (P, 1, H) of Elman networks.
    start : ndarray, shape (6,)
    time_limit, checked_steps : int
    """
    rollout, begin, damping = FORMS[form], start.tolist(), fitness == "damping"

    def played(weights: Mapping[str, jax.Array], steps: int) -> tuple[jax.Array, jax.Array]:
        return rollout(weights, _numbers(begin), steps, damping)

    run = jax.jit(jax.vmap(lambda weights: played(weights, time_limit)))
    followed = jax.jit(
        jax.vmap(lambda w: (played(w, checked_steps)[1], _states(w, _numbers(begin), checked_steps)))
    )
    given = {name: jnp.asarray(values, jnp.float32) for name, values in weights.items()}

    def check() -> list[np.ndarray]:
        fewest = np.asarray(run(given)[0]).min()
        jax.config.update("jax_enable_x64", True)
        try:
            precise = {name: jnp.asarray(values, jnp.float64) for name, values in weights.items()}
            return [fewest, *map(np.asarray, followed(precise))]
        finally:
            jax.config.update("jax_enable_x64", False)

    return Contender(f"JAX jit(vmap({form}))", lambda: jax.block_until_ready(run(given)), check)


def _scan(w: Mapping[str, jax.Array], start: Numbers, limit: int, damping: bool) -> Outcome:
    def move(carry: Any, _: None) -> Any:
        state, hidden, steps, upright = carry
        moved, hidden = _act(w, state, hidden)
        state = tuple(jnp.where(upright, new, old) for new, old in zip(moved, state))
        upright &= _upright(state)
        return (state, hidden, steps + upright, upright), _swing(state) if damping else None

    carry = (start, _rest(w), jnp.zeros((), jnp.int32), jnp.array(True))
    (_, _, steps, _), swings = jax.lax.scan(move, carry, None, length=limit, unroll=4)
    if not damping:
        return steps, 1.0 * steps
    place = jnp.arange(limit)
    return steps, _damped(steps, jnp.sum(jnp.where((place < steps) & (place >= steps - WINDOW), swings, 0.0)))


def _while_loop(w: Mapping[str, jax.Array], start: Numbers, limit: int, damping: bool) -> Outcome:
    def move(carry: Any) -> Any:
        state, hidden, steps, _, ring = carry
        state, hidden = _act(w, state, hidden)
        upright = _upright(state)
        if damping:
            ring = jnp.where(upright, ring.at[steps % WINDOW].set(_swing(state)), ring)
        return state, hidden, steps + upright, upright, ring

    carry = (start, _rest(w), jnp.zeros((), jnp.int32), jnp.array(True), jnp.zeros(WINDOW * damping))
    _, _, steps, _, ring = jax.lax.while_loop(lambda carry: carry[3] & (carry[2] < limit), move, carry)
    return steps, _damped(steps, jnp.sum(ring)) if damping else 1.0 * steps


FORMS = {"scan": _scan, "while_loop": _while_loop}


def _states(w: Mapping[str, jax.Array], start: Numbers, steps: int) -> jax.Array:
    def move(carry: Any, _: None) -> Any:
        return _act(w, *carry), jnp.stack(carry[0])

    return jax.lax.scan(move, (start, _rest(w)), None, length=steps)[1]


def _damped(steps: jax.Array, swings: jax.Array) -> jax.Array:
    """Return the damping fitness, from what the last 100 of all balanced steps swung."""
    return 0.1 * steps / 1000.0 + 0.9 * jnp.where(steps >= WINDOW, 0.75 / swings, 0.0)


def _swing(state: Numbers) -> jax.Array:
    return sum((jnp.abs(value) for value in state[1:4]), jnp.abs(state[0]))


def _numbers(values: list[float]) -> Numbers:
    return tuple(jnp.asarray(value, float) for value in values)


def _rest(w: Mapping[str, jax.Array]) -> jax.Array:
    return jnp.zeros(w["layer0.W_h"].shape[0])


def _act(w: Mapping[str, jax.Array], state: Numbers, hidden: jax.Array) -> tuple[Numbers, jax.Array]:
    seen = jnp.stack([state[0] / TRACK, state[2] / FALLEN, state[4] / FALLEN])
    hidden = jnp.tanh(w["layer0.W_x"] @ seen + w["layer0.W_h"] @ hidden)
    force = 10.0 * jnp.tanh(w["readout.W"] @ hidden)[0]
    smallest = jnp.where(force >= 0, 10.0 / 256, -10.0 / 256)
    force = jnp.where(jnp.abs(force) < 10.0 / 256, smallest, force)
    return _advance(_advance(state, force), force), hidden


def _upright(state: Numbers) -> jax.Array:
    return (jnp.abs(state[0]) <= TRACK) & (jnp.abs(state[2]) <= FALLEN) & (jnp.abs(state[4]) <= FALLEN)


def _advance(state: Numbers, force: jax.Array) -> Numbers:
    """Take one Runge-Kutta step of the fourth order."""
    first = _rates(state, force)
    second = _rates(_along(state, 0.5 * TIME_STEP, first), force)
    third = _rates(_along(state, 0.5 * TIME_STEP, second), force)
    fourth = _rates(_along(state, TIME_STEP, third), force)
    mean = tuple((a + 2.0 * (b + c) + d) / 6.0 for a, b, c, d in zip(first, second, third, fourth))
    return _along(state, TIME_STEP, mean)


def _along(state: Numbers, time: float, rates: Numbers) -> Numbers:
    return tuple(value + time * rate for value, rate in zip(state, rates))


def _rates(state: Numbers, force: jax.Array) -> Numbers:
    """Return the time derivatives of cart position and velocity, and of each pole's angle and speed."""
    pulling, moved = force - CART_FRICTION * jnp.sign(state[1]), jnp.full_like(force, CART_MASS)
    poles = []
    for (mass, half), angle, speed in zip(POLES, state[2::2], state[3::2]):
        sine, cosine = jnp.sin(angle), jnp.cos(angle)
        drag = HINGE_FRICTION * speed / (mass * half)
        fall = drag - GRAVITY * sine
        pulling += mass * half * speed * speed * sine + 0.75 * mass * cosine * fall
        moved += mass * (1.0 - 0.75 * cosine * cosine)
        poles.append((cosine, fall, half, speed))
    push = pulling / moved
    turns = [-0.75 / half * (push * cosine + fall) for cosine, fall, half, _ in poles]
    (_, _, _, long), (_, _, _, short) = poles
    return state[1], push, long, turns[0], short, turns[1]
