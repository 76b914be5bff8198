"""Diagnostics of a cell with states of several dimensions, a stack, a clock, and every operation on whole arrays."""

import numpy as np
import pytest

import evorrn
from evorrn import (
    concatenate,
    dot,
    einsum,
    every,
    flatten,
    maximum,
    outer,
    push,
    roll,
    shift,
    sigmoid,
    softmax,
    tanh,
    total,
)
from evorrn.diagnostics import (
    activity,
    echo_state_index,
    effective_spectral_radius,
    fixed_points,
    gradient_by_lag,
    lyapunov_spectrum,
)
from evorrn.diagnostics.dynamics import Dynamics


@evorrn.cell(
    sizes={"N": 4},
    state={"h": "H", "stack": "N H", "fast": "H H", "count": "1", "clock": "1", "chain": "N"},
    parameters={"W": "H I", "U": "H H", "b": "H", "V": "N H", "v": "1 H", "K": "H N H"},
    start={"stack": 0.1},
    output="h stack",
)
def everything(p, x, h, stack, fast, count, clock, chain):
    s = softmax(p.V @ h)
    read = einsum("nh,n->h", stack, s)
    gate = sigmoid(p.v @ h + count)
    deep = einsum("hnk,nk->h", p.K, stack)
    new = tanh(p.W @ x + p.U @ h + fast @ h + gate * read + 0.3 * deep + p.b)
    low = maximum(new, 0.1 * h)
    joined = concatenate(chain[1:4], gate)
    up = shift(s, 1) + roll(chain, -1) + total(chain) * s + dot(joined, joined)
    top = stack[0] + 0.2 * stack[1:3][1]
    m = every(2.0, clock)
    return (
        m * new + (1 - m) * h,
        0.5 * push(stack, top * low) + 0.1 * stack,
        0.9 * fast + 0.1 * outer(new, h),
        tanh(0.5 * count + dot(new, h) * flatten(stack)[2]),
        clock + 1,
        tanh(0.3 * up),
    )


@evorrn.cell(state={"h": "H", "t": "1"}, parameters={"W": "H I", "w": "H"})
def alternating(p, x, h, t):
    return every(2.0, t) * (p.w * h) + (1 - every(2.0, t)) * (0.5 * h) + p.W @ x, t + 1


def made(hidden):
    network, rng = (
        evorrn.Network(2, 2, cell=everything, hidden=hidden, dtype="float64"),
        np.random.default_rng(0),
    )
    genome = network.init(rng=rng) + 0.2 * rng.normal(size=network.size)
    state = network.first_state + 0.3 * rng.normal(size=(3, network.state_size))
    dynamics = Dynamics(network, genome)
    state[:, dynamics.counts] = np.arange(3.0)[:, None]
    return network, genome, dynamics, state, rng.normal(size=(3, 4, 2))


@pytest.mark.parametrize("hidden", [3, (3, 2)])
def test_the_step_equals_the_compiled_network_and_its_jacobian_differences(hidden):
    network, genome, dynamics, state, x = made(hidden)
    outputs, after = network.predict(genome, x, state=state, return_state=True)
    at, seen = state, []
    for time in range(4):
        at = dynamics.step(at, x[:, time])
        seen.append(dynamics.output(at, x[:, time]))
    np.testing.assert_allclose(np.stack(seen, axis=1), outputs, atol=1e-12)
    np.testing.assert_allclose(at, after, atol=1e-12)
    _, jacobian = dynamics.jacobian(state, x[:, 0])
    for column in np.flatnonzero(~dynamics.counts):  # the derivative by the clock is that of a jump, 0
        change = 1e-6 * np.eye(dynamics.size)[column]
        high, low = (
            network.predict(genome, x[:, :1], state=state + sign * change, return_state=True)[1]
            for sign in (1, -1)
        )
        np.testing.assert_allclose(jacobian[:, :, column], (high - low) / 2e-6, atol=1e-7)
    pulled = np.random.default_rng(1).normal(size=state.shape)
    np.testing.assert_allclose(
        dynamics.pull(state, x[:, 0], pulled), np.einsum("bi,bij->bj", pulled, jacobian), atol=1e-12
    )


def test_activity_has_arrays_of_the_shapes_of_the_equations_from_the_first_state_on():
    network, genome, _, _, x = made(3)
    found = activity(network, genome, x)
    assert found["layer0.stack"].shape == (3, 4, 4, 3) and found["layer0.fast"].shape == (3, 4, 3, 3)
    assert found["layer0.gate"].shape == (3, 4, 1) and found["layer0.m"][0, :, 0].tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(found["y"], network.predict(genome, x), atol=1e-12)


def test_gradients_by_lag_are_those_of_the_compiled_loss():
    network, genome, _, _, x = made(3)
    batch = evorrn.Batch(x, np.zeros((3, 4, 2)), mask=np.arange(4)[None].repeat(3, axis=0) == 3)
    found = gradient_by_lag(network, genome, batch)
    _, state = network.predict(genome, x[:, :2], return_state=True)
    rest = evorrn.Batch(x[:, 2:], np.zeros((3, 2, 2)), mask=np.array([[False, True]] * 3))
    slopes = np.zeros_like(state)
    for column in np.flatnonzero(~Dynamics(network, genome).counts):
        change = np.zeros_like(state)
        change[:, column] = 1e-6
        high, low = (
            np.square(network.predict(genome, rest.inputs, state=state + sign * change)[:, -1]).mean(axis=1)
            for sign in (1, -1)
        )
        slopes[:, column] = (high - low) / 2e-6
    np.testing.assert_allclose(found.norms[0, :, 2], np.linalg.norm(slopes, axis=1), rtol=1e-6)


def test_a_clock_is_no_direction_of_the_dynamics():
    """A unit that is multiplied by w in even steps and by one half in odd ones has the exponent of their mean."""
    network = evorrn.Network(1, 1, cell=alternating, hidden=1, dtype="float64")
    blocks = network.unpack(np.ones(network.size))
    blocks["layer0.w"][:] = 0.8
    genome, x = network.pack(blocks), np.zeros((1, 60, 1))
    assert lyapunov_spectrum(network, genome, x, washout=0) == pytest.approx([np.log(0.8 * 0.5) / 2])
    np.testing.assert_allclose(effective_spectral_radius(network, genome, x)[0, :4], [0.8, 0.5, 0.8, 0.5])
    assert echo_state_index(network, genome, x).tolist() == [1]
    assert len(fixed_points(network, genome, x).points) == 0
