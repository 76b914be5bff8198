"""Cart-pole: its physics against SciPy and independent equations, its fitness and starts by hand."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.training.playing import starts_of
from evorrn_tasks.cart_pole import CartPole
from evorrn_tasks.common.poles import advance_one, advance_two, force_of

MASSES, HALVES = (0.1, 0.01), (0.5, 0.05)


def wieland(state, force, cart_friction=5e-4, hinge_friction=2e-6, gravity=-9.8):
    """Return the derivative of (x, x', a1, a1', a2, a2'), as Wieland writes it, with his sign of gravity."""
    poles = [(state[2 + 2 * i], state[3 + 2 * i], MASSES[i], HALVES[i]) for i in range((len(state) - 2) // 2)]
    effective_force = effective_mass = 0.0
    for angle, speed, m, l in poles:
        hinge = hinge_friction * speed / (m * l)
        effective_force += m * l * speed**2 * np.sin(angle)
        effective_force += 0.75 * m * np.cos(angle) * (hinge + gravity * np.sin(angle))
        effective_mass += m * (1 - 0.75 * np.cos(angle) ** 2)
    push = (force - cart_friction * np.sign(state[1]) + effective_force) / (1.0 + effective_mass)
    slopes = [state[1], push]
    for angle, speed, m, l in poles:
        hinge = hinge_friction * speed / (m * l)
        slopes += [speed, -0.75 / l * (push * np.cos(angle) + gravity * np.sin(angle) + hinge)]
    return np.array(slopes)


def runge_kutta(state, force):
    """Return the state 0.02 s later, by two classical Runge-Kutta steps."""
    for _ in range(2):
        k1 = wieland(state, force)
        k2 = wieland(state + 0.005 * k1, force)
        k3 = wieland(state + 0.005 * k2, force)
        k4 = wieland(state + 0.01 * k3, force)
        state = state + 0.01 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def random_states(poles, count, seed=0):
    rng = np.random.default_rng(seed)
    scale = np.array([1.5, 2.0, 0.4, 2.0, 0.4, 4.0])[: 2 + 2 * poles]
    return rng.uniform(-1, 1, (count, len(scale))) * scale


def advanced(state, force, friction=(5e-4, 2e-6), times=2):
    """Return a state after one step of the compiled physics."""
    moved = np.zeros(6)
    moved[: len(state)] = state
    for _ in range(times):
        (advance_two if len(state) == 6 else advance_one)(moved, force, *friction)
    return moved[: len(state)]


@pytest.mark.parametrize("poles", [1, 2])
def test_a_step_is_wielands_equations_by_runge_kutta(poles):
    for state, force in zip(random_states(poles, 50), np.linspace(-10, 10, 50)):
        np.testing.assert_allclose(advanced(state, force), runge_kutta(state, force), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("poles", [1, 2])
def test_a_step_is_near_the_exact_motion(poles):
    for state, force in zip(random_states(poles, 10), np.linspace(-10, 10, 10)):
        state[1] = np.copysign(
            abs(state[1]) + 0.5, state[1]
        )  # friction is discontinuous where the velocity changes sign
        exact = solve_ivp(
            lambda t, y, force=force: wieland(y, force),
            (0, 0.02),
            state,
            method="DOP853",
            rtol=1e-12,
            atol=1e-13,
        )
        np.testing.assert_allclose(advanced(state, force), exact.y[:, -1], rtol=1e-5, atol=1e-5)


def energy(state):
    """Return kinetic and potential energy of the cart and of rods that turn about their lower ends."""
    _, v, *rest = state
    total = 0.5 * v**2
    for (a, w), m, l in zip(np.reshape(rest, (-1, 2)), MASSES, HALVES):
        centre = (v + l * w * np.cos(a)) ** 2 + (l * w * np.sin(a)) ** 2
        total += 0.5 * m * centre + 0.5 * (m * l**2 / 3) * w**2 + m * 9.8 * l * np.cos(a)
    return total


@pytest.mark.parametrize("poles", [1, 2])
def test_energy_is_kept_without_friction_and_force(poles):
    for state in random_states(poles, 5, seed=1):
        after = advanced(state, 0.0, friction=(0.0, 0.0), times=100)
        assert energy(after) == pytest.approx(energy(state), rel=3e-4)
        assert np.abs(after - state).max() > 0.5  # it moved


def test_friction_takes_energy():
    state = np.array([0.0, 1.0, 0.1, 0.5, -0.1, 3.0])
    assert energy(advanced(state, 0.0, friction=(5e-2, 2e-4), times=50)) < energy(state) - 1e-3


@pytest.mark.parametrize(
    ("output", "force"),
    [
        (0.0, 10 / 256),
        (-1e-9, -10 / 256),
        (0.003, 10 / 256),
        (0.5, 10 * np.tanh(0.5)),
        (-50.0, -10.0),
        (1e308, 10.0),
    ],
)
def test_the_force_is_bounded_both_ways(output, force):
    assert force_of(output) == pytest.approx(force, rel=1e-12)


def fall(environment, action=0.0):
    """Return the rewards and states of an episode with one action."""
    state, rewards, states, done = environment.first_start(), [], [], False
    while not done and len(rewards) < environment.time_limit:
        reward, done = environment.step(state, np.array([action]))
        rewards.append(reward)
        states.append(state[:6].copy())
    return np.array(rewards), np.array(states), done


@pytest.mark.parametrize(("poles", "limit"), [(1, 12), (2, 36)])
def test_without_action_the_poles_fall_when_the_equations_say(poles, limit):
    rewards, states, done = fall(CartPole(poles=poles))
    state, steps = np.zeros(2 + 2 * poles), 0
    state[2] = np.radians(4)
    while np.abs(state[2::2]).max() <= np.radians(limit):
        state, steps = runge_kutta(state, 10 / 256), steps + 1
    assert done and len(rewards) == steps and rewards.sum() == steps - 1
    assert 20 < steps < 35  # between 0.4 and 0.7 s for poles that begin to fall at 4 degrees
    np.testing.assert_allclose(states[-1][: 2 + 2 * poles], state, rtol=1e-9, atol=1e-12)


def test_left_and_right_are_alike():
    environment = CartPole(poles=2)
    state, mirrored = environment.first_start(), -environment.first_start()
    for output in np.random.default_rng(0).normal(size=20):
        environment.step(state, np.array([output]))
        environment.step(mirrored, np.array([-output]))
        np.testing.assert_allclose(state, -mirrored, rtol=1e-9, atol=1e-12)


def test_the_episode_ends_off_the_track_and_where_a_number_is_none():
    environment = CartPole(poles=2)
    rewards, _, done = fall(environment, action=0.8)
    assert done and rewards[-1] == 0.0 and set(rewards[:-1]) == {1.0}
    on_track = np.zeros(6)
    on_track[0], on_track[1] = 2.39, 1.0
    assert environment.step(on_track, np.zeros(1)) == (0.0, True)
    assert environment.step(environment.first_start(), np.array([np.nan])) == (0.0, True)


def hold(state, poles):
    """Return an output that balances one pole for a while."""
    return 3.0 * state[2] + 0.6 * state[3] + 0.05 * state[0] + 0.15 * state[1]


@pytest.mark.parametrize("steps", [60, 250])
def test_damping_rewards_add_up_to_the_damping_fitness(steps):
    environment = CartPole(poles=1, fitness="damping")
    state, total, swings = environment.first_start(), 0.0, []
    for _ in range(steps):
        reward, done = environment.step(state, np.array([hold(state, 1)]))
        assert not done
        total += reward
        swings.append(np.abs(state[:4]).sum())
    second = 0.75 / sum(swings[-100:]) if steps >= 100 else 0.0
    assert total == pytest.approx(0.1 * steps / 1000 + 0.9 * second, rel=1e-10)
    before = total
    while not done:  # the pole falls; the last step has no reward
        reward, done = environment.step(state, np.array([5.0]))
        swings.append(np.abs(state[:4]).sum())
        total += reward
    balanced = len(swings) - 1
    second = 0.75 / sum(swings[-101:-1]) if balanced >= 100 else 0.0
    assert total == pytest.approx(0.1 * balanced / 1000 + 0.9 * second, rel=1e-10)
    assert total != before


@pytest.mark.parametrize(
    ("poles", "velocities", "wanted"),
    [
        (1, True, [0.5, 0.1, 0.25, 0.4]),
        (1, False, [0.5, 0.25]),
        (2, True, [0.5, 0.1, 0.25 / 3, 0.4, -0.5, 0.75]),
        (2, False, [0.5, 0.25 / 3, -0.5]),
    ],
)
def test_observations_are_scaled(poles, velocities, wanted):
    environment = CartPole(poles=poles, velocities=velocities)
    state = np.array([1.2, 1.0, np.radians(3), 2.0, np.radians(-18), 12.0])
    seen = np.full(environment.observations, np.nan)
    environment.observe(state, seen)
    np.testing.assert_allclose(seen, wanted, rtol=1e-14)
    assert len(environment.input_names) == len(wanted) and len(environment.state_names) == 2 + 2 * poles


def test_starts_are_drawn_but_for_the_first():
    environment = CartPole(poles=2, train=3, valid=4, test=500, start_angle=-2.0)
    starts = starts_of(environment, 1)
    np.testing.assert_array_equal(starts.train[0], [0, 0, np.radians(-2.0), 0, 0, 0])
    assert [split.shape for split in (starts.train, starts.valid, starts.test)] == [(3, 6), (4, 6), (500, 6)]
    drawn = np.concatenate([starts.train[1:], starts.valid, starts.test])
    assert len(np.unique(drawn[:, 0])) == len(drawn)
    bounds = np.array([2.16, 1.35, np.radians(3.6), np.radians(8.6)])
    assert (np.abs(drawn[:, :4]) <= bounds).all() and (drawn[:, 4:] == 0).all()
    assert (np.abs(drawn[:, :4]).max(axis=0) > 0.95 * bounds).all()
    np.testing.assert_array_equal(starts_of(environment, 1).test, starts.test)
    assert not np.array_equal(starts_of(environment, 2).test, starts.test)


def test_the_grid_of_starts_has_five_values_of_four_variables():
    grid = CartPole(poles=2, fitness="damping").grid_of_starts()
    assert grid.shape == (625, 109) and len(np.unique(grid, axis=0)) == 625
    np.testing.assert_allclose(np.unique(grid[:, 0]), [-1.944, -1.08, 0, 1.08, 1.944], atol=1e-15)
    np.testing.assert_allclose(np.unique(grid[:, 2]), np.radians([-3.24, -1.8, 0, 1.8, 3.24]), atol=1e-15)
    assert (grid[:, 4:] == 0).all()


def test_success_is_no_failure():
    standard, damping = CartPole(time_limit=50), CartPole(fitness="damping", time_limit=50)
    returns, lengths = np.array([49.0, 50.0, 12.0]), np.array([50, 50, 13])
    assert standard.succeeded(returns, lengths).tolist() == [False, True, False]
    assert damping.succeeded(returns / 1000, lengths).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("long", "others", "wanted"),
    [
        (100_000, 250, {"long": 1.0, "generalisation": 1.0}),
        (100_000, 199, {"long": 1.0, "generalisation": 0.0}),  # of the 625 other starts
        (99_999, 625, {"long": 0.0, "generalisation": 0.0}),
        (900, 625, {"long": 0.0, "generalisation": 0.0}),
    ],
)
@pytest.mark.parametrize("criterion", ["long", "generalisation"])
def test_the_damping_fitness_is_learned_by_100000_steps_or_also_by_200_of_625_other_starts(
    criterion, long, others, wanted
):
    environment = CartPole(poles=2, velocities=False, fitness="damping", criterion=criterion)
    asked = []

    def play(starts, limit):
        asked.append((len(starts), limit))
        lengths = np.full(len(starts), min(long, limit))
        if len(starts) == 625:
            lengths = np.where(np.arange(625) < others, 1000, 3)
        return np.zeros(len(starts)), lengths

    assert environment.learned(play, np.zeros((1, 109))) == wanted[criterion]
    tested = [(1, 1000), (1, 100_000), (625, 1000)]
    assert asked == tested[: 1 if long < 1000 else 2 if long < 100_000 or criterion == "long" else 3]


def test_the_criterion_of_earlier_runs_is_not_stored():
    assert "criterion" not in CartPole().stored_values()
    assert CartPole(criterion="long").stored_values()["criterion"] == "long"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"poles": 3}, "task.poles: unknown value '3'"),
        ({"fitness": "dampin"}, "did you mean 'damping'"),
        ({"train": 0}, "task.train: expected a value >= 1"),
        ({"start_angle": 50.0}, "task.start_angle: expected a value <= 36"),
        ({"velocity": False}, "did you mean 'velocities'"),
    ],
)
def test_junk_settings_are_told(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        evorrn.task("cart-pole", **settings)
