"""The physics of poles on a cart, as compiled functions of one individual."""

from __future__ import annotations

import math

from evorrn.kernels.activations import tanh
from evorrn.kernels.deferred import compiled
from evorrn.kernels.trigonometry import cos, sin

GRAVITY = 9.8
FORCE, SMALLEST_FORCE = 10.0, 10.0 / 256.0
TRACK = 2.4
CART_MASS, CART_FRICTION, HINGE_FRICTION = 1.0, 5e-4, 2e-6
LONG_MASS, LONG_HALF = 0.1, 0.5
SHORT_MASS, SHORT_HALF = 0.01, 0.05
TIME_STEP = 0.01
DEGREE = math.pi / 180.0
FALLEN_ONE, FALLEN_TWO = 12.0 * DEGREE, 36.0 * DEGREE

POSITION, VELOCITY, ANGLE, SPEED, SHORT_ANGLE, SHORT_SPEED = range(6)
"""Indices in the state, in m, m/s, rad and rad/s; the long pole comes first."""


@compiled
def pole_force(sine, cosine, speed, mass, half, friction):
    """Return the effective force of a pole on the cart, and the effective mass it adds to the cart's."""
    drag = friction * speed / (mass * half)
    force = mass * half * speed * speed * sine + 0.75 * mass * cosine * (drag - GRAVITY * sine)
    return force, mass * (1.0 - 0.75 * cosine * cosine)


@compiled
def pole_acceleration(sine, cosine, speed, cart, mass, half, friction):
    """Return the angular acceleration of a pole on a cart with the acceleration `cart`."""
    return -0.75 / half * (cart * cosine - GRAVITY * sine + friction * speed / (mass * half))


@compiled
def accelerations_one(velocity, angle, speed, force, cart_friction, hinge_friction):
    """Return the accelerations of the cart and of its pole; see `accelerations_two`."""
    sine, cosine = sin(angle), cos(angle)
    pole, mass = pole_force(sine, cosine, speed, LONG_MASS, LONG_HALF, hinge_friction)
    direction = 1.0 if velocity > 0.0 else (-1.0 if velocity < 0.0 else 0.0)
    cart = (force - cart_friction * direction + pole) / (CART_MASS + mass)
    return cart, pole_acceleration(sine, cosine, speed, cart, LONG_MASS, LONG_HALF, hinge_friction)


@compiled
def accelerations_two(velocity, angle, speed, angle2, speed2, force, cart_friction, hinge_friction):
    """Return the accelerations of the cart, the long pole and the short pole.

    The friction of the cart has constant size and opposes its motion; the friction of a hinge is proportional
    to the angular velocity; poles are uniform rods.

    Source: Wieland 1991, "Evolving neural network controllers for unstable systems", with the constants of
    Gomez, Schmidhuber and Miikkulainen 2008, "Accelerated neural evolution through cooperatively coevolved
    synapses", appendix.
    """
    sine, cosine = sin(angle), cos(angle)
    sine2, cosine2 = sin(angle2), cos(angle2)
    pole, mass = pole_force(sine, cosine, speed, LONG_MASS, LONG_HALF, hinge_friction)
    pole2, mass2 = pole_force(sine2, cosine2, speed2, SHORT_MASS, SHORT_HALF, hinge_friction)
    direction = 1.0 if velocity > 0.0 else (-1.0 if velocity < 0.0 else 0.0)
    cart = (force - cart_friction * direction + pole + pole2) / (CART_MASS + mass + mass2)
    return (
        cart,
        pole_acceleration(sine, cosine, speed, cart, LONG_MASS, LONG_HALF, hinge_friction),
        pole_acceleration(sine2, cosine2, speed2, cart, SHORT_MASS, SHORT_HALF, hinge_friction),
    )


@compiled
def advance_one(state, force, cart_friction, hinge_friction):
    """Advance a state with one pole by one Runge-Kutta step of order 4, in place."""
    x, v, a, w = state[POSITION], state[VELOCITY], state[ANGLE], state[SPEED]
    half, sixth = 0.5 * TIME_STEP, TIME_STEP / 6.0
    f1, g1 = accelerations_one(v, a, w, force, cart_friction, hinge_friction)
    v2, w2 = v + half * f1, w + half * g1
    f2, g2 = accelerations_one(v2, a + half * w, w2, force, cart_friction, hinge_friction)
    v3, w3 = v + half * f2, w + half * g2
    f3, g3 = accelerations_one(v3, a + half * w2, w3, force, cart_friction, hinge_friction)
    v4, w4 = v + TIME_STEP * f3, w + TIME_STEP * g3
    f4, g4 = accelerations_one(v4, a + TIME_STEP * w3, w4, force, cart_friction, hinge_friction)
    state[POSITION] = x + sixth * (v + 2.0 * (v2 + v3) + v4)
    state[VELOCITY] = v + sixth * (f1 + 2.0 * (f2 + f3) + f4)
    state[ANGLE] = a + sixth * (w + 2.0 * (w2 + w3) + w4)
    state[SPEED] = w + sixth * (g1 + 2.0 * (g2 + g3) + g4)


@compiled
def advance_two(state, force, cart_friction, hinge_friction):
    """Advance a state with two poles by one Runge-Kutta step of order 4, in place."""
    x, v, a, w = state[POSITION], state[VELOCITY], state[ANGLE], state[SPEED]
    b, u = state[SHORT_ANGLE], state[SHORT_SPEED]
    half, sixth = 0.5 * TIME_STEP, TIME_STEP / 6.0
    f1, g1, h1 = accelerations_two(v, a, w, b, u, force, cart_friction, hinge_friction)
    v2, w2, u2 = v + half * f1, w + half * g1, u + half * h1
    f2, g2, h2 = accelerations_two(
        v2, a + half * w, w2, b + half * u, u2, force, cart_friction, hinge_friction
    )
    v3, w3, u3 = v + half * f2, w + half * g2, u + half * h2
    f3, g3, h3 = accelerations_two(
        v3, a + half * w2, w3, b + half * u2, u3, force, cart_friction, hinge_friction
    )
    v4, w4, u4 = v + TIME_STEP * f3, w + TIME_STEP * g3, u + TIME_STEP * h3
    f4, g4, h4 = accelerations_two(
        v4, a + TIME_STEP * w3, w4, b + TIME_STEP * u3, u4, force, cart_friction, hinge_friction
    )
    state[POSITION] = x + sixth * (v + 2.0 * (v2 + v3) + v4)
    state[VELOCITY] = v + sixth * (f1 + 2.0 * (f2 + f3) + f4)
    state[ANGLE] = a + sixth * (w + 2.0 * (w2 + w3) + w4)
    state[SPEED] = w + sixth * (g1 + 2.0 * (g2 + g3) + g4)
    state[SHORT_ANGLE] = b + sixth * (u + 2.0 * (u2 + u3) + u4)
    state[SHORT_SPEED] = u + sixth * (h1 + 2.0 * (h2 + h3) + h4)


@compiled
def force_of(output):
    """Return the force of an output in newtons: between -10 and 10, and at least 10/256 in size."""
    force = FORCE * tanh(output)
    smallest = SMALLEST_FORCE if force >= 0.0 else -SMALLEST_FORCE
    return smallest if abs(force) < SMALLEST_FORCE else force


@compiled
def move_one(state, action):
    """Advance a state with one pole by 0.02 s under the force of an action, in place."""
    force = force_of(action[0])
    advance_one(state, force, CART_FRICTION, HINGE_FRICTION)
    advance_one(state, force, CART_FRICTION, HINGE_FRICTION)


@compiled
def move_two(state, action):
    """Advance a state with two poles by 0.02 s under the force of an action, in place."""
    force = force_of(action[0])
    advance_two(state, force, CART_FRICTION, HINGE_FRICTION)
    advance_two(state, force, CART_FRICTION, HINGE_FRICTION)


@compiled
def within_limits_one(state):
    """Return whether pole and cart are within their limits; False for NaN."""
    return (abs(state[POSITION]) <= TRACK) & (abs(state[ANGLE]) <= FALLEN_ONE)


@compiled
def within_limits_two(state):
    """Return whether poles and cart are within their limits; False for NaN."""
    upright = (abs(state[ANGLE]) <= FALLEN_TWO) & (abs(state[SHORT_ANGLE]) <= FALLEN_TWO)
    return upright & (abs(state[POSITION]) <= TRACK)
