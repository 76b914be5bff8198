"""Wrong settings, arrays and seeds of a network: each an error that says what was expected and what came."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError, ShapeError
from evorrn.data.batch import Batch
from evorrn.network.network import Network


@pytest.mark.parametrize(
    "settings,words",
    [
        ({"inputs": -1}, ["network.inputs"]),
        (
            {"hidden": 0, "loss": "msee", "dtype": "float16"},
            ["network.hidden", "did you mean 'mse'", "network.dtype"],
        ),
        ({"hidden": ()}, ["at least one layer"]),
        ({"cell": "lstmm"}, ["did you mean 'lstm'"]),
        ({"cell": "elman", "cell_options": {"activation": "than"}}, ["did you mean 'tanh'"]),
        ({"cell": "leaky", "cell_options": {"leek": 1}}, ["did you mean 'leak'"]),
        ({"cell": "leaky", "cell_options": {"leak": float("nan")}}, ["finite"]),
        ({"initial": {"b": "orthogonal", "q": "zeros"}}, ["needs a matrix", "unknown block"]),
        ({"direct": 3}, ["network.direct"]),
        ({"hiden": 3}, ["network.hiden: unknown setting 'hiden'; did you mean 'hidden'?"]),
        ({"celll": "gru", "los": "mse"}, ["did you mean 'cell'", "did you mean 'loss'"]),
    ],
)
def test_one_error_names_all_wrong_settings(settings, words):
    with pytest.raises(evorrn.EvorrnError) as caught:
        Network(**{"inputs": 1, "outputs": 1, **settings})
    for word in words:
        assert word in str(caught.value)


@evorrn.cell(
    sizes={"D": 4}, state={"h": "H", "s": "D"}, parameters={"W": "H I", "U": "H 2", "v": "H"}, output="h"
)
def two_of_a_stack(p, x, h, s):
    return evorrn.tanh(p.W @ x + p.U @ s[0:2] + p.v * h[1]), s + 1


@pytest.mark.parametrize(
    ("hidden", "depth", "words"),
    [(3, 1, "take entries 0 to 1 of D, which has 1"), ((3, 1), 2, "take entry 1 of H, which has 1")],
)
def test_equations_that_take_entries_beyond_the_end_of_a_state_are_refused(hidden, depth, words):
    """A size that is an option may be smaller than the equations need, and so may the units of a layer."""
    with pytest.raises(ConfigError, match=words):
        Network(2, 1, cell=two_of_a_stack, hidden=hidden, cell_options={"D": depth})
    assert Network(2, 1, cell=two_of_a_stack, hidden=2, cell_options={"D": 2}).size > 0


def test_missing_sizes_and_unknown_names_are_in_one_error():
    for given, missing in (((), ["inputs", "outputs"]), ((1,), ["outputs"])):
        with pytest.raises(ConfigError) as caught:
            Network(*given, hiden=3)
        assert [problem.split(":")[0] for problem in caught.value.problems] == [
            "network.hiden",
            *(f"network.{name}" for name in missing),
        ]


def test_wrong_arrays_raise_errors():
    network = Network(2, 1, hidden=3)
    genome, x = network.init(seed=0), np.zeros((2, 4, 2))
    batch = Batch(x, np.zeros((2, 4, 1)))
    for call in (
        lambda: network.predict(genome[:-1], x),
        lambda: network.predict(genome, x[0]),
        lambda: network.predict(genome, x, state=np.zeros((1, 3))),
        lambda: network.predict(genome, x, lengths=np.array([5, 1])),
        lambda: network.predict(genome, x, teacher=np.zeros((2, 4, 1))),
        lambda: network.fitness(genome, batch),
        lambda: network.fitness(genome[None].astype(str), batch),
        lambda: network.fitness(genome[None], Batch(x, np.zeros((2, 4), int))),
        lambda: network.fitness(genome[None], Batch(x, np.zeros((2, 4, 2)))),
        lambda: network.fitness(genome[None], Batch(np.zeros((2, 4, 3)), np.zeros((2, 4, 1)))),
        lambda: network.vjp(genome, x, np.zeros((2, 4))),
        lambda: network.pack({"layer0.W": genome}),
        lambda: network.unpack(genome[None]),
        lambda: network.init(),
    ):
        with pytest.raises(evorrn.EvorrnError):
            call()


@pytest.mark.parametrize(
    "settings",
    [{"hidden": None}, {"hidden": 2.5}, {"hidden": "32"}, {"cell_options": [1]}, {"initial": [1]}],
)
def test_the_error_names_settings_of_a_wrong_type(settings):
    with pytest.raises(ConfigError, match=f"network.*{next(iter(settings))}|network.cell"):
        Network(1, 1, **settings)


@pytest.mark.parametrize("seed", [-1, 1.5, "a", True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ConfigError, match="seed: expected a whole number of at least 0"):
        Network(1, 1, hidden=2).init(seed=seed)


def test_arrays_without_numbers_raise_errors():
    network = Network(1, 1, hidden=2)
    genome, x = network.init(seed=0), np.zeros((2, 3, 1))
    with pytest.raises(ShapeError, match="ragged"):
        network.predict(genome, [[[1.0]], [[1.0], [2.0]]])
    with pytest.raises(ShapeError, match="state: expected numbers"):
        network.predict(genome, x, state=np.full((2, 2), "a"))
    with pytest.raises(ShapeError, match="output_gradient: expected numbers"):
        network.vjp(genome, x, np.full((2, 3, 1), "a"))
    with pytest.raises(ShapeError, match=r"expected shape \(P, "):
        network.fitness(np.zeros((0, network.size)), Batch(x, x))


@pytest.mark.parametrize("values", [(-1, 1), (0, 2), (0, 1.001), (-0.5, 0.5)])
def test_binary_cross_entropy_refuses_targets_outside_0_and_1(values):
    """Such targets give a negative loss without bound."""
    network = Network(1, 1, hidden=2, loss="binary-cross-entropy")
    targets = np.resize(np.array(values, float), (2, 3, 1))
    with pytest.raises(DataError, match=r"binary-cross-entropy needs targets from 0 to 1, got"):
        network.check_batch(Batch(np.zeros((2, 3, 1)), targets))
    network.check_batch(Batch(np.zeros((2, 3, 1)), np.clip(targets, 0, 1)))
    unscored = np.where(np.arange(3)[None, :, None] == 0, targets - 9, 0.5)
    network.check_batch(Batch(np.zeros((2, 3, 1)), unscored, mask=[[False, True, True]] * 2))


def test_masked_inputs_states_and_genomes_are_refused():
    network = Network(1, 1, hidden=2, feedback=True)
    genome, x = network.init(seed=0), np.zeros((2, 3, 1))
    hidden = np.ma.masked_array
    for given in (
        {"x": hidden(x, x == 0)},
        {"genome": hidden(genome, genome == genome)},
        {"state": hidden(np.zeros((2, 3)), True)},
        {"teacher": hidden(x, True)},
        {"lengths": hidden([3, 2], [0, 1])},
        {"free_from": hidden([3, 2], [0, 1])},
    ):
        with pytest.raises(
            DataError, match=f"{next(iter(given))}s?: expected an array without masked entries"
        ):
            network.predict(**{"genome": genome, "x": x, **given})


@pytest.mark.parametrize("place", ["inputs", "targets"])
def test_numbers_beyond_float32_are_refused_by_a_network_of_float32_alone(place):
    arrays = {"inputs": np.ones((2, 4, 1)), "targets": np.ones((2, 4, 1))}
    arrays[place][1, 2] = -1e300
    for dtype in ("float32", "float64"):
        network = Network(1, 1, hidden=2, dtype=dtype)
        if dtype == "float32":
            with pytest.raises(DataError, match=r"expected numbers up to 3\.4e\+38.*got 1e\+300"):
                network.loss(network.init(seed=0), Batch(**arrays))
        else:
            network.loss(network.init(seed=0), Batch(**arrays))
    arrays[place][1, 2] = np.nan  # beyond the sequence it is never read
    short = Batch(**arrays, lengths=[4, 2])
    assert np.isfinite(network.loss(network.init(seed=0), short))
