"""Cart-pole with two poles as JAX's users write it: a rollout of scalars, `vmap` over individuals, `jit` over all.

The physics is that of `evorrn_tasks.cart_pole`, in JAX's usual float32. Of the forms that were tried
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

GRAVITY, TIME_STEP, TRACK, FALLEN = 9.8, 0.01, 2.4, 36 * math.pi / 180
CART_MASS, CART_FRICTION, HINGE_FRICTION = 1.0, 5e-4, 2e-6
POLES = ((0.1, 0.5), (0.01, 0.05))
"""Mass and half-length of each pole."""


def episodes(weights: Mapping[str, np.ndarray], start: np.ndarray, time_limit: int) -> list[Contender]:
    """Return the contenders that count how long each individual balances two poles whose speeds it does not see.

    Parameters
    ----------
    weights : mapping
        ``layer0.W_x`` (P, H, 3), ``layer0.W_h`` (P, H, H) and ``readout.W`` (P, 1, H) of Elman networks.
    start : ndarray, shape (6,)
    time_limit : int
    """
    given = {name: jnp.asarray(values, jnp.float32) for name, values in weights.items()}
    begin = tuple(jnp.asarray(value, jnp.float32) for value in start[:6])
    return [_contender(form, given, begin, time_limit) for form in (_scan, _while_loop)]


def _contender(form: Any, given: Mapping[str, jax.Array], begin: Numbers, time_limit: int) -> Contender:
    run = jax.jit(jax.vmap(lambda weights: form(weights, begin, time_limit)))

    def call() -> Any:
        return jax.block_until_ready(run(given))

    return Contender(f"JAX jit(vmap({form.__name__.strip('_')}))", call, lambda: [np.asarray(call())])


def _scan(w: Mapping[str, jax.Array], start: Numbers, limit: int) -> jax.Array:
    def move(carry: Any, _: None) -> Any:
        state, hidden, steps, upright = carry
        moved, hidden = _act(w, state, hidden)
        state = tuple(jnp.where(upright, new, old) for new, old in zip(moved, state))
        return (state, hidden, steps + upright, upright & _upright(state)), None

    carry = (start, jnp.zeros(w["layer0.W_h"].shape[0]), jnp.zeros((), jnp.int32), jnp.array(True))
    return jax.lax.scan(move, carry, None, length=limit, unroll=4)[0][2]


def _while_loop(w: Mapping[str, jax.Array], start: Numbers, limit: int) -> jax.Array:
    def move(carry: Any) -> Any:
        state, hidden, steps, _ = carry
        state, hidden = _act(w, state, hidden)
        return state, hidden, steps + 1, _upright(state)

    carry = (start, jnp.zeros(w["layer0.W_h"].shape[0]), jnp.zeros((), jnp.int32), jnp.array(True))
    return jax.lax.while_loop(lambda carry: carry[3] & (carry[2] < limit), move, carry)[2]


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
    pulling, moved = force - CART_FRICTION * jnp.sign(state[1]), jnp.float32(CART_MASS)
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
