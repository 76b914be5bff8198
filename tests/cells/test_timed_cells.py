"""What the literature says of cells with filters, clocks and time constants, and independent solvers of the same."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.signal import lfilter

from evorrn import Batch, EvorrnError, Network


def made(cell, rng, inputs=3, outputs=2, hidden=6, **settings):
    """Return a network of float64, a genome, and its blocks by the names of the parameters: views of the genome."""
    network = Network(inputs, outputs, cell=cell, hidden=hidden, dtype="float64", **settings)
    genome = network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)
    return network, genome, {name.removeprefix("layer0."): v for name, v in network.unpack(genome).items()}


def copied(blocks, other):
    for name, block in blocks.items():
        if name in other:
            block[...] = other[name].reshape(block.shape)


def test_a_projection_by_the_identity_makes_an_lstm_and_a_narrow_one_has_fewer_weights():
    rng = np.random.default_rng(20)
    network, genome, w = made("lstm-projection", rng, cell_options={"P": 6})
    plain, like, v = made("lstm", rng)
    copied(v, w)
    w["W_p"][...] = np.eye(6)
    x = rng.standard_normal((3, 20, 3))
    np.testing.assert_allclose(network.predict(genome, x), plain.predict(like, x), rtol=0, atol=1e-13)
    narrow = Network(3, 2, cell="lstm-projection", hidden=32, cell_options={"P": 4})
    assert narrow.size == 4 * 32 * (3 + 4 + 1) + 4 * 32 + 2 * (4 + 1)
    assert (narrow.unpack(narrow.init(seed=0))["layer0.b_f"] == 1).all()


# --- Filters -----------------------------------------------------------------------------------------------


def test_the_response_to_an_impulse_is_zero_after_as_many_steps_as_the_layers_have_taps():
    rng = np.random.default_rng(0)
    for layers, taps in ((1, 1), (1, 4), (3, 4)):
        options = {"taps": taps, "activation": "identity"}
        network, genome, _ = made("fir", rng, hidden=(5,) * layers, cell_options=options, biases=False)
        x = np.zeros((1, 30, 3))
        x[:, 2] = rng.standard_normal(3)
        answer = np.abs(network.predict(genome, x)).max(axis=(0, 2))
        last = 2 + layers * (taps - 1)
        assert (
            (answer[2 : last + 1] > 0).all() and (answer[:2] == 0).all() and (answer[last + 1 :] == 0).all()
        )


@pytest.mark.parametrize(("taps", "poles"), [(1, 1), (3, 2), (2, 5)])
def test_a_linear_connection_of_infinite_response_is_the_filter_of_scipy(taps, poles):
    rng = np.random.default_rng([taps, poles])
    options = {"taps": taps, "poles": poles, "activation": "identity"}
    network, genome, w = made("iir", rng, hidden=4, outputs=3, cell_options=options)
    w["V"][...] = rng.uniform(-0.9, 0.9, w["V"].shape) / poles
    x = rng.standard_normal((2, 60, 3))
    hidden = np.zeros((2, 60, 4)) + w["b"]
    for unit in range(4):
        for source in range(3):
            feedback = np.concatenate([[1.0], -w["V"][unit, :, source]])
            hidden[:, :, unit] += lfilter(w["W"][unit, :, source], feedback, x[:, :, source], axis=1)
    np.testing.assert_allclose(network.states(genome, x), hidden, rtol=0, atol=1e-12)


def test_a_finite_response_is_the_filter_of_scipy_and_an_infinite_one_without_feedback_is_the_same():
    rng = np.random.default_rng(1)
    network, genome, w = made(
        "fir", rng, inputs=1, hidden=1, cell_options={"taps": 5, "activation": "identity"}
    )
    x = rng.standard_normal((3, 40, 1))
    wanted = lfilter(w["W"][0, :, 0], [1.0], x[:, :, 0], axis=1) + w["b"]
    np.testing.assert_allclose(network.states(genome, x)[:, :, 0], wanted, rtol=0, atol=1e-13)
    one, genome, w = made("fir", rng, cell_options={"taps": 5})
    other, like, v = made("iir", rng, cell_options={"taps": 5})
    copied(v, w)
    v["V"][...] = 0.0
    x = rng.standard_normal((3, 40, 3))
    np.testing.assert_allclose(other.predict(like, x), one.predict(genome, x), rtol=0, atol=1e-13)
    assert not other.unpack(other.init(seed=0))["layer0.V"].any()


def test_a_network_of_past_inputs_and_outputs_is_a_jordan_network_or_one_of_finite_response():
    rng = np.random.default_rng(2)
    network, genome, w = made("narx", rng, cell_options={"input_taps": 1, "output_taps": 1})
    jordan, like, v = made("jordan", rng)
    copied(v, w)
    x = rng.standard_normal((3, 20, 3))
    np.testing.assert_allclose(network.predict(genome, x), jordan.predict(like, x), rtol=0, atol=1e-13)
    network, genome, w = made("narx", rng, cell_options={"input_taps": 4, "output_taps": 3})
    assert network.size == 6 * (4 * 3 + 3 * 2 + 1) + 2 * (6 + 1)
    fir, like, v = made("fir", rng, cell_options={"taps": 4})
    w["W_y"][...] = 0.0
    v["W"][...] = w["W_x"]
    copied(v, w)
    np.testing.assert_allclose(network.predict(genome, x), fir.predict(like, x), rtol=0, atol=1e-13)


def test_outputs_of_k_steps_ago_carry_a_gradient_over_k_steps_in_one_jump():
    """Lin et al.: the gradient over a lag passes one Jacobian for every `output_taps` steps, so it fades more slowly."""
    rng = np.random.default_rng(3)
    norms = {}
    for taps in (1, 5):
        network, genome, w = made(
            "narx", rng, inputs=1, outputs=1, hidden=1, cell_options={"output_taps": taps}
        )
        genome[...] = 0.0
        w["W_x"][:, 0], w["W_y"][:, -1], w["readout.W"][...] = 1e-4, 0.5, 1.0
        x = rng.standard_normal((1, 21, 1))
        ahead = x.copy()
        ahead[:, 0] += 1.0
        norms[taps] = (network.predict(genome, ahead) - network.predict(genome, x))[0, 20, 0] / 1e-4
    assert norms[1] == pytest.approx(0.5**20, rel=1e-2)
    assert norms[5] == pytest.approx(0.5**4, rel=1e-2)


def test_the_true_outputs_of_unscored_steps_stand_in_for_those_of_the_network():
    rng = np.random.default_rng(4)
    network, genome, w = made("narx", rng, inputs=1, outputs=1, cell_options={"output_taps": 2})
    x, truth = rng.standard_normal((1, 12, 1)), rng.standard_normal((1, 12, 1))
    mask = np.arange(12)[None] >= 8
    (fitness,) = network.fitness(genome[None], Batch(x, truth, mask=mask))
    given, past, errors = np.zeros(2), np.zeros(3), []
    y = 0.0
    for t in range(12):
        last = truth[0, t - 1, 0] if 0 < t <= 8 else y
        given, past = np.array([last, given[0]]), np.array([x[0, t, 0], *past[:2]])
        h = np.tanh(w["W_x"][:, :, 0] @ past + w["W_y"][:, :, 0] @ given + w["b"])
        y = float(w["readout.W"][0] @ h + w["readout.b"][0])
        errors += [(y - truth[0, t, 0]) ** 2] if t >= 8 else []
    assert -fitness == pytest.approx(np.mean(errors), rel=1e-12)


# --- Clocks ------------------------------------------------------------------------------------------------


def test_a_clockwork_of_one_module_is_an_elman_network():
    rng = np.random.default_rng(5)
    network, genome, w = made("clockwork", rng, cell_options={"modules": 1})
    elman, like, v = made("elman", rng)
    copied(v, w)
    x = rng.standard_normal((3, 20, 3))
    np.testing.assert_allclose(network.predict(genome, x), elman.predict(like, x), rtol=0, atol=1e-13)


def test_modules_of_a_clockwork_keep_every_bit_between_their_ticks_and_slow_ones_do_not_see_fast_ones():
    rng = np.random.default_rng(6)
    network, genome, w = made("clockwork", rng, hidden=9, cell_options={"modules": 3, "base": 3})
    x = rng.standard_normal((4, 30, 3))
    states = network.states(genome, x)
    for module, period in enumerate((1, 3, 9)):
        units = states[:, :, 3 * module : 3 * module + 3]
        moved = (units[:, 1:] != units[:, :-1]).any(axis=(0, 2))
        np.testing.assert_array_equal(moved, np.arange(1, 30) % period == 0)
    for row, column in ((3, 0), (6, 0), (6, 3)):  # from a faster module to a slower one
        w["W_h"][row : row + 3, column : column + 3] += 1.0
    np.testing.assert_array_equal(network.states(genome, x), states)
    w["W_h"][0:3, 6:9] += 1.0
    assert (network.states(genome, x) != states).any()


def test_modules_are_of_equal_size_as_nearly_as_the_units_allow():
    for hidden, modules, periods in ((7, 3, [1, 1, 1, 2, 2, 4, 4]), (2, 4, [1, 2]), (4, 4, [1, 2, 4, 8])):
        network, genome, _ = made(
            "clockwork", np.random.default_rng(7), hidden=hidden, cell_options={"modules": modules}
        )
        states = network.states(genome, np.random.default_rng(8).standard_normal((1, 33, 3)))
        moved = (states[0, 1:] != states[0, :-1]).sum(axis=0)
        np.testing.assert_array_equal(moved, [32 // period for period in periods])
    with pytest.raises(EvorrnError, match="whole numbers"):
        Network(1, 1, cell="clockwork", cell_options={"base": 1.5})


def test_a_hierarchy_whose_levels_all_change_at_every_step_is_a_stack_of_elman_networks():
    rng = np.random.default_rng(9)
    network, genome, w = made("hierarchical", rng, hidden=4, cell_options={"period": 1})
    stack, like, _ = made("elman", rng, hidden=(4, 4, 4), reads="all")
    for name in ("V_low", "V_middle"):
        w[name][...] = 0.0
    v = stack.unpack(like)
    for layer, level in enumerate(("low", "middle", "high")):
        v[f"layer{layer}.W_x"][...] = w["W_x" if level == "low" else f"U_{level}"]
        v[f"layer{layer}.W_h"][...] = w[f"W_{level}"]
        v[f"layer{layer}.b"][...] = w[f"b_{level}"]
    v["readout.W"][...], v["readout.b"][...] = w["readout.W"], w["readout.b"]
    x = rng.standard_normal((3, 20, 3))
    np.testing.assert_allclose(network.predict(genome, x), stack.predict(like, x), rtol=0, atol=1e-13)


def test_levels_keep_every_bit_between_their_ticks_and_lower_ones_see_higher_ones():
    rng = np.random.default_rng(10)
    network, genome, w = made("hierarchical", rng, hidden=3, cell_options={"period": 3})
    x = rng.standard_normal((4, 30, 3))
    states = network.states(genome, x)
    for level, period in enumerate((1, 3, 9)):
        units = states[:, :, 3 * level : 3 * level + 3]
        moved = (units[:, 1:] != units[:, :-1]).any(axis=(0, 2))
        np.testing.assert_array_equal(moved, np.arange(1, 30) % period == 0)
    w["b_high"] += 1.0
    other = network.states(genome, x)
    np.testing.assert_array_equal(other[:, 0, :6], states[:, 0, :6])  # feedback comes one step later
    assert (other[:, 3, 3:6] != states[:, 3, 3:6]).any()


def test_periods_of_parts_of_a_step_are_refused_in_words():
    for name, options in (("hierarchical", {"period": 2.5}), ("clockwork", {"base": 1.5})):
        with pytest.raises(EvorrnError, match=r"expected (a whole number|whole numbers), got"):
            Network(1, 1, cell=name, hidden=4, cell_options=options)


# --- Time constants ----------------------------------------------------------------------------------------


def test_a_network_of_several_time_constants_answers_a_constant_drive_as_each_constant_says():
    network, genome, w = made("mtrnn", np.random.default_rng(11), hidden=3, cell_options={"io": 2, "slow": 2})
    genome[...] = 0.0
    drives = {"b_u": np.array([0.3, -1.0]), "b_f": np.array([0.5, 0.1, -0.7]), "b_s": np.array([0.9, -0.2])}
    for name, drive in drives.items():
        w[name][...] = drive
    _, last = network.predict(genome, np.zeros((1, 13, 3)), return_state=True)
    wanted = [
        drives["b_u"] * (1 - 0.5**13),
        drives["b_f"] * (1 - 0.8**13),
        drives["b_s"] * (1 - (1 - 1 / 70) ** 13),
    ]
    np.testing.assert_allclose(last[0, 2:], np.concatenate(wanted), rtol=1e-13)
    np.testing.assert_allclose(last[0, :2], np.tanh(wanted[0]), rtol=1e-13)


def test_time_constants_of_one_make_groups_of_an_elman_network_without_links_between_output_and_slow_units():
    rng = np.random.default_rng(12)
    options = {"io": 2, "slow": 4, "io_tau": 1, "fast_tau": 1, "slow_tau": 1}
    network, genome, w = made("mtrnn", rng, hidden=3, cell_options=options)
    elman, like, v = made("elman", rng, hidden=9)
    like[...] = 0.0
    io, fast, slow = slice(0, 2), slice(2, 5), slice(5, 9)
    v["W_x"][io], v["W_x"][fast] = w["W_ux"], w["W_fx"]
    v["W_h"][io, fast], v["W_h"][fast, fast], v["W_h"][fast, slow] = w["W_uf"], w["W_ff"], w["W_fs"]
    v["W_h"][slow, fast], v["W_h"][slow, slow] = w["W_sf"], w["W_ss"]
    v["b"][...] = np.concatenate([w["b_u"], w["b_f"], w["b_s"]])
    v["readout.W"][:, io], v["readout.b"][...] = w["readout.W"], w["readout.b"]
    x = rng.standard_normal((3, 20, 3))
    np.testing.assert_allclose(network.predict(genome, x), elman.predict(like, x), rtol=0, atol=1e-13)


def integrated(w, x, dt, tau, steps, activation):
    """Return the states (steps, H) of the equation of `ctrnn` by a solver of scipy; each input (T, I) lasts dt."""
    v, found = np.zeros(len(tau)), []
    for u in x[:steps]:

        def slope(_, v, u=u):
            return (-v + w["W"] @ activation(v + w["theta"]) + w["W_x"] @ u) / tau

        v = solve_ivp(slope, (0, dt), v, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
        found.append(v)
    return np.array(found)


def logistic(a):
    return 1 / (1 + np.exp(-a))


def continuous(method, dt, tau=1.0, rng=None, **options):
    """Return a network in continuous time with strong weights, a genome, its blocks, and its time constants."""
    rng = rng or np.random.default_rng(13)
    given = {"method": method, "dt": dt, "tau": tau, **options}
    network, genome, w = made("ctrnn", rng, hidden=5, cell_options=given)
    w["W"][...] *= 4.0
    return network, genome, w, np.broadcast_to(tau, 5) * np.exp(w["log_tau"])


def test_a_network_in_continuous_time_follows_an_independent_solver():
    rng = np.random.default_rng(14)
    network, genome, w, tau = continuous("rk4", 0.02, tau=[0.5, 1.0, 2.0, 3.0, 0.8])
    x = rng.standard_normal((1, 60, 3))
    wanted = integrated(w, x[0], 0.02, tau, 60, logistic)
    np.testing.assert_allclose(network.states(genome, x)[0], logistic(wanted + w["theta"]), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("method", "order"),
    [("euler", 1), pytest.param("exponential", 1, marks=pytest.mark.thorough), ("rk4", 4)],
)
def test_errors_shrink_with_the_time_step_by_the_order_of_the_method(method, order):
    """The same inputs, held for one, two and four steps of a half and a quarter of the length."""
    x, errors = np.random.default_rng(15).standard_normal((10, 3)), []
    for parts in (1, 2, 4):
        network, genome, w, tau = continuous(method, 0.4 / parts)
        got = network.states(genome, np.repeat(x, parts, axis=0)[None])[0, -1]
        wanted = logistic(integrated(w, x, 0.4, tau, 10, logistic)[-1] + w["theta"])
        errors.append(np.abs(got - wanted).max())
    observed = np.log2(np.array(errors[:-1]) / errors[1:])
    assert observed[-1] == pytest.approx(order, abs=0.25), observed


def test_the_exponential_method_is_exact_for_a_constant_drive_and_stays_stable_where_euler_does_not():
    rng = np.random.default_rng(16)
    x = np.repeat(rng.standard_normal((1, 1, 3)), 12, axis=1)
    for dt in (0.3, 5.0):
        network, genome, w, tau = continuous("exponential", dt)
        w["W"][...] = 0.0
        _, last = network.predict(genome, x, return_state=True)
        wanted = (1 - np.exp(-12 * dt / tau)) * (w["W_x"] @ x[0, 0])
        np.testing.assert_allclose(last[0, 5:], wanted, rtol=1e-12)
    options = {"method": "euler", "dt": 5.0, "tau": 5.0}
    euler = Network(3, 2, cell="ctrnn", hidden=5, dtype="float64", cell_options=options)
    w["log_tau"][...] -= np.log(5.0)  # as training may
    _, last = euler.predict(genome, x, return_state=True)
    assert np.abs(last[0, 5:]).max() > 1e4


@pytest.mark.parametrize(("tau", "dt"), [(0.5, 1.0), ([2.0, 0.25, 3.0], 0.3), (1.0, 1.1)])
def test_time_constants_below_the_step_of_euler_are_refused(tau, dt):
    least = np.min(tau)
    with pytest.raises(EvorrnError, match=f"tau of at least dt = {dt:g}, got {least:g}"):
        Network(1, 1, cell="ctrnn", hidden=3, cell_options={"method": "euler", "tau": tau, "dt": dt})
    for method in ("exponential", "rk4"):
        Network(1, 1, cell="ctrnn", hidden=3, cell_options={"method": method, "tau": tau, "dt": dt})
    Network(1, 1, cell="ctrnn", hidden=3, cell_options={"method": "euler", "tau": tau, "dt": float(least)})


def test_a_step_of_euler_as_long_as_the_time_constants_makes_an_elman_network():
    rng = np.random.default_rng(17)
    network, genome, w, _ = continuous("euler", 1.0, rng=rng, learned=0)
    elman, like, v = made("elman", rng, hidden=5, cell_options={"activation": "sigmoid"})
    v["W_x"][...], v["W_h"][...], v["b"][...] = w["W_x"], w["W"], w["theta"]
    v["readout.W"][...], v["readout.b"][...] = w["readout.W"], w["readout.b"]
    x = rng.standard_normal((3, 20, 3))
    first = np.repeat(logistic(w["theta"])[None], 3, axis=0)  # the rates before the first step
    np.testing.assert_allclose(
        network.predict(genome, x), elman.predict(like, x, state=first), rtol=0, atol=1e-13
    )


def test_time_constants_are_settings_alone_where_they_are_not_learned():
    rng = np.random.default_rng(18)
    x = rng.standard_normal((2, 10, 3))
    network, genome, w, _ = continuous("rk4", 0.2, learned=0)
    before = network.predict(genome, x)
    w["log_tau"][...] += 1.0
    np.testing.assert_array_equal(network.predict(genome, x), before)
    batch = Batch(x, np.zeros((2, 10, 2)))
    slope = network.unpack(network.loss_and_gradient(genome, batch)[1])["layer0.log_tau"]
    assert not slope.any()
    trained, _, _, _ = continuous("rk4", 0.2)
    slope = trained.unpack(trained.loss_and_gradient(genome, batch)[1])["layer0.log_tau"]
    assert slope.all()
    slow = [[2, 1.0], [3, 4.0]]
    by_pairs, listed = (
        Network(3, 2, cell="ctrnn", hidden=5, dtype="float64", cell_options={"tau": tau})
        for tau in (slow, [1.0, 1.0, 4.0, 4.0, 4.0])
    )
    np.testing.assert_array_equal(by_pairs.predict(genome, x), listed.predict(genome, x))


@pytest.mark.parametrize("gain", [0.5, 3.0])
def test_a_network_in_continuous_time_with_strong_random_weights_may_be_chaotic(gain):
    """Sompolinsky, Crisanti and Sommers 1988: without input, the distance between nearby states grows, or shrinks."""
    rng, options = np.random.default_rng(1), {"activation": "tanh", "dt": 0.5, "method": "rk4"}
    network = Network(1, 1, cell="ctrnn", hidden=60, dtype="float64", cell_options=options)
    genome = np.zeros(network.size)
    network.unpack(genome)["layer0.W"][...] = gain / np.sqrt(60) * rng.standard_normal((60, 60))
    first = np.repeat(rng.standard_normal((1, 120)), 2, axis=0)
    _, first = network.predict(genome, np.zeros((2, 300, 1)), state=first, return_state=True)
    first[1] += 1e-9
    _, last = network.predict(genome, np.zeros((2, 600, 1)), state=first, return_state=True)
    grown = np.linalg.norm(last[1, 60:] - last[0, 60:]) / np.linalg.norm(first[1, 60:] - first[0, 60:])
    assert grown > 1e3 if gain > 1 else grown < 1e-3


@pytest.mark.parametrize("cell,options", [("hierarchical", {"period": 1.5}), ("memristive", {"graph": 0.5})])
def test_a_fraction_where_a_whole_number_is_meant_is_refused_in_words(cell, options):
    name, value = next(iter(options.items()))
    with pytest.raises(EvorrnError, match=f"failed: {name}: expected a whole number, got {value}$"):
        Network(1, 1, cell=cell, hidden=6, cell_options=options)
