"""The language of cells: graphs of right equations, and errors for wrong ones."""

import inspect
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from chains import CHAINS

from evorrn.base.errors import CellError, ConfigError, EvorrnError, UnknownName
from evorrn.cells.find import cells
from evorrn.compile.adjoint import adjoint
from evorrn.compile.cell import cell
from evorrn.compile.op import size_of
from evorrn.compile.tangent import tangent
from evorrn.kernels.activations import relu, sigmoid, tanh
from evorrn.lab.runs.spec import resolve
from evorrn.network.network import Network

SIZES = {"I": 3, "H": 5, "O": 2}


def inputs(made, rng):
    sizes = {**SIZES, **made.sizes}
    shapes = {name: [size_of(d, sizes) for d in shape] for name, shape in made.states.items()}
    values = {
        name: rng.standard_normal([size_of(d, sizes) for d in s]) for name, s in made.parameters.items()
    }
    values |= {name: rng.uniform(0.1, 1.0, shape) for name, shape in shapes.items()}
    values |= made.fixed_arrays(sizes, made.check_options({}))
    return {**values, "x": rng.standard_normal(3), "y": rng.standard_normal(2), **made.options}


@pytest.mark.parametrize("name", CHAINS)
def test_graph_equals_the_function_on_numpy(name):
    made, rng = cells()[name], np.random.default_rng(0)
    values = inputs(made, rng)
    p = SimpleNamespace(**{n: values[n] for n in (*made.parameters, *made.fixed)})
    values |= {f"{n}_1": values[n] for n in made.delays if n != "x"}
    arguments = [values[name] for name in inspect.signature(made.function).parameters if name in values]
    arguments = arguments[: len(arguments) - len(made.options)]
    results = made(p, *arguments)
    results = results if isinstance(results, tuple) else (results,)
    for expected, got in zip(results, made.graph().evaluate(values).values()):
        np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", CHAINS)
def test_adjoint_and_tangent_of_a_cell_agree_with_finite_differences(name):
    made, rng = cells()[name], np.random.default_rng(1)
    graph, values = made.graph(), inputs(made, rng)
    varying = [n for n in values if n in made.parameters or n in ("x", "y", *made.states)]
    push = {n: rng.standard_normal(values[n].shape) for n in varying}
    pull = {f"d.{n}": rng.standard_normal(values[n].shape) for n in made.states}

    def weighed(scale):
        moved = {**values, **{n: values[n] + scale * push[n] for n in varying}}
        return sum((pull[f"d.{n}"] * y).sum() for n, y in graph.evaluate(moved).items())

    spikes = any(node.op == "spike" for node in graph.nodes)  # steps, whose slope acts on imaginary parts
    numeric = weighed(1e-30j).imag / 1e-30 if spikes else (weighed(1e-6) - weighed(-1e-6)) / 2e-6
    forward = tangent(graph, varying).evaluate({**values, **{f"dot.{n}": v for n, v in push.items()}})
    assert sum((pull[f"d.{n}"] * forward[f"dot.{n}"]).sum() for n in made.states) == pytest.approx(
        numeric, rel=1e-6
    )
    derived = adjoint(graph, {f"d.{n}": n for n in made.states}, varying)
    results = derived.graph.run({**values, **pull})
    total = sum((results[index] * push[n]).sum() for n, index in derived.graph.outputs.items())
    total += sum((results[index] * push[n]).sum() for n, index in derived.parameter_terms)
    assert total == pytest.approx(numeric, rel=1e-6)


def test_a_cell_in_a_users_file_trains_like_a_built_in_one(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from evorrn import cell, tanh, sigmoid\n\n\n"
        "@cell(state={'h': 'H', 'm': 'H'}, parameters={'W V': 'H I', 'U': 'H H', 'b a': 'H'})\n"
        "def mine(p, x, h, m, *, rate=0.5, squash=tanh):\n"
        "    'Two states, a tied transposed matrix, a parameter on its own.'\n"
        "    gate = sigmoid(p.a * m - p.b / 2)\n"
        "    m = m + rate * (p.U.T @ h + p.V @ x)\n"
        "    return gate * squash(p.W @ x + p.U @ h + p.b) + (1 - gate) * h, m * 0.9 + -p.a\n"
    )
    network = Network(2, 1, cell=f"{path}:mine", hidden=5, dtype="float64", cell_options={"rate": 0.25})
    assert Network.from_settings(network.settings()).size == network.size
    rng = np.random.default_rng(0)
    genome = network.init(rng=rng) + 0.3 * rng.standard_normal(network.size)
    x = rng.standard_normal((2, 6, 2))
    blocks = network.unpack(genome)
    p = SimpleNamespace(**{k.split(".")[1]: v for k, v in blocks.items() if k.startswith("layer0")})
    outputs = np.zeros((2, 6, 1))
    for b in range(2):
        h, m = np.zeros(5), np.zeros(5)
        for t in range(6):
            h, m = network.cell(p, x[b, t], h, m, rate=0.25)
            outputs[b, t] = blocks["readout.W"] @ h + blocks["readout.b"]
    np.testing.assert_allclose(network.predict(genome, x), outputs, atol=1e-12)
    pull, push = rng.standard_normal((2, 6, 1)), rng.standard_normal(network.size)
    change = (network.predict(genome + 1e-6 * push, x) - network.predict(genome - 1e-6 * push, x)) / 2e-6
    assert network.vjp(genome, x, pull) @ push == pytest.approx((pull * change).sum(), rel=1e-6)


def declare(function, **kwargs):
    settings = {"state": {"h": "H"}, "parameters": {"W": "H I", "U": "H H", "b": "H"}, **kwargs}
    return cell(**settings)(function)


def loops(p, x, h):
    for _ in range(2):
        h = tanh(h)
    return h


def branches(p, x, h):
    return h if 1 else x


def calls(p, x, h):
    return np.cumsum(h)


def power(p, x, h):
    return h**2


def product_of_vectors(p, x, h):
    return p.b @ h


def misfit(p, x, h):
    return tanh(p.W @ h)


def wrong_size(p, x, h):
    return tanh(x)


def no_return(p, x, h):
    h = tanh(h)


def matrix_alone(p, x, h):
    return tanh(p.U)


@pytest.mark.parametrize(
    "function",
    [loops, branches, calls, power, product_of_vectors, misfit, wrong_size, no_return, matrix_alone],
)
def test_equations_outside_the_language_or_with_wrong_shapes_raise_an_error_with_their_line(function):
    with pytest.raises(CellError) as caught:
        declare(function)
    message = str(caught.value)
    assert function.__name__.replace("_", "-") in message
    lines = [line.strip() for line in inspect.getsource(function).splitlines()]
    assert function is no_return or message.splitlines()[1].strip() in lines
    outside = function in (loops, branches, calls, power)
    assert ("allowed are" in message) == outside  # the language is listed only where it was left


def test_the_error_for_an_unknown_name_has_the_nearest_name():
    def unknown_parameter(p, x, h):
        return tanh(p.Wx @ x)

    def unknown_variable(p, x, h):
        return tanh(hh)  # noqa: F821

    with pytest.raises(UnknownName, match="did you mean 'W'"):
        declare(unknown_parameter)
    with pytest.raises(UnknownName, match="did you mean 'h'"):
        declare(unknown_variable)


def test_the_error_for_a_function_that_is_not_imported_says_so():
    def forgot(p, x, h):
        return softplus(p.W @ x)  # noqa: F821

    with pytest.raises(CellError, match="softplus is not defined, write `from evorrn import softplus`"):
        declare(forgot)


def test_wrong_declarations_raise_errors():
    def good(p, x, h):
        return relu(p.W @ x + p.U @ h + p.b)

    def positional_option(p, x, h, leak=0.1):
        return h

    def text_option(p, x, h, *, way="up"):
        return sigmoid(h)

    with pytest.raises(CellError, match="dimensions among I, H, O"):
        declare(good, parameters={"W": "H J", "U": "H H", "b": "H"})
    with pytest.raises(CellError, match="first of dimension H"):
        declare(good, state={"h": "O"})
    with pytest.raises(UnknownName, match="initialisation"):
        declare(good, initial={"b": "one"})
    with pytest.raises(UnknownName, match="parameter of cell"):
        declare(good, recurrent="V")
    for function in (positional_option, text_option):
        with pytest.raises(CellError):
            declare(function)


@pytest.mark.parametrize("leak", [-1, 1.5, 1 + 1e-12, -1e-300])
def test_an_option_out_of_the_range_that_its_cell_declares_is_refused(leak):
    """At a network, in a spec, and for a variant whose options a strategy has drawn."""
    sentence = f"cell option leak: expected a number from 0 to 1, got {leak}"
    with pytest.raises(EvorrnError, match=re.escape(sentence)):
        Network(1, 1, cell="leaky", cell_options={"leak": leak})
    with pytest.raises(EvorrnError, match=re.escape(sentence)):
        Network(1, 1, cell="leaky").with_options({"leak": leak})
    table = {"cell": "leaky", "cell_options": {"leak": leak}}
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        resolve({"task": {"name": "sines"}, "network": table})
    with pytest.raises(EvorrnError, match="cell option decay: expected a number from 0 to 1"):
        Network(1, 1, cell="jordan", cell_options={"decay": leak})
    assert Network(1, 1, cell="leaky", cell_options={"leak": 1}).cell_options["leak"] == 1.0


def slow(p, x, h, *, rate=0.5, gain=2.0):
    """A cell with two options."""
    return (1 - rate) * h + rate * tanh(gain * (p.W @ x))


@pytest.mark.parametrize(
    ("ranges", "sentence"),
    [
        ({"speed": (0, 1)}, "unknown numeric option of cell slow 'speed'"),
        ({"rate": (0.6, 1)}, "option rate: its default 0.5 is not a number from 0.6 to 1"),
        ({"rate": (math.inf, 1)}, "its default 0.5 is not"),
        ({"rate": 1}, "range of rate: expected two numbers, got 1"),
        ({"rate": ("a", "b")}, "range of rate: expected two numbers"),
    ],
)
def test_a_range_that_excludes_its_own_default_is_refused_where_the_cell_is_made(ranges, sentence):
    with pytest.raises(EvorrnError, match=re.escape(sentence)):
        cell(state={"h": "H"}, parameters={"W": "H I"}, ranges=ranges)(slow)


def test_a_range_may_be_open_at_one_end():
    made = cell(
        state={"h": "H"}, parameters={"W": "H I"}, ranges={"gain": (0, math.inf), "rate": (-math.inf, 1)}
    )(slow)
    for name, value, words in (("gain", -1, "at least 0"), ("rate", 2, "at most 1")):
        with pytest.raises(CellError, match=f"{name}: expected a number of {words}, got {value}"):
            made.check_options({name: value})
    assert made.check_options({"gain": 1e9, "rate": -1e9})[0] == {"gain": 1e9, "rate": -1e9}


@pytest.mark.parametrize("name", ["x", "y"])
def test_a_state_with_the_name_of_another_argument_is_refused_where_the_cell_is_defined(name):
    def step(p, x, y):
        return p.W @ x + y

    with pytest.raises(CellError, match=f"state {name}: p, x and y name other arguments"):
        cell(state={name: "H"}, parameters={"W": "H I"})(step)
