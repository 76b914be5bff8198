"""What is wrong with a cell is said in words where the cell is made: the line, what was expected, and what came."""

import math
import re

import numpy as np
import pytest

from evorrn import Fixed, Network, cell, dot, einsum, outer, push, roll, shift, tanh, total
from evorrn.base.errors import CellError, ConfigError, EvorrnError
from evorrn.lab.runs.spec import resolve

HEAD = (
    "import functools\nimport numpy as np\nimport evorrn\nfrom evorrn import *\n\n\n"
    "def twice(v):\n    return v + v\n\n\n"
    "def endless(v):\n    return endless(v)\n\n\n"
    "def by_name(v, *, k):\n    return k * v\n\n\n"
    "def pair(v):\n    return v, v\n\n\n"
    "@functools.wraps(twice)\ndef wrapped(v):\n    return 3 * v\n\n\n"
)


def write(path, body, state="{'h': 'H', 'm': '3 H'}", arguments="p, x, h, m"):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    path.write_text(
        f"{HEAD}@evorrn.cell(sizes={{'N': 4}}, state={state},\n"
        "    parameters={'W': 'H I', 'U': 'H H', 'b': 'H', 'A': 'H H H', 'v': 'N', 'c': '1'})\n"
        f"def wrong({arguments}):\n{lines}\n"
    )
    return f"{path}:wrong"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("einsum('ij,j', p.U, h)", "expected the letters of the result after one ->, got 'ij,j'"),
        ("einsum('ij->i->j', p.U)", "expected the letters of the result after one ->"),
        ("einsum('ii->i', p.U)", "expected different letters, got 'ii'"),
        ("einsum('éj,j->é', p.U, h)", "expected different letters, got 'éj'"),
        ("einsum('ij,j->i', p.U, x)", "the letter j stands for H and for I"),
        ("einsum('ij,j->i', p.U)", "'ij,j->i' is for 2 arrays, got 1"),
        ("einsum('ij,j->k', p.U, h)", "the letter k of the result is in no array"),
        ("einsum('ijk,j->i', p.U, h)", "the letters 'ijk' need 3 dimensions, got H x H"),
        (
            "total(einsum('abc,ade,bdf,cef->abc', p.A, p.A, p.A, p.A))",
            "needs more than 3 dimensions; write smaller products",
        ),
        ("total(einsum('ab,c,d->abcd', p.U, h, h))", "a result of at most 3 dimensions, got 'abcd'"),
        ("roll(m, 1, 2)", "there is no axis 2 in 3 x H"),
        ("roll(m, 1, -3)", "there is no axis -3 in 3 x H"),
        ("shift(h, 1.0)", "expected a whole number as the number of places"),
        ("shift(h, 1, steps=2)", "expected an array, a number of places and an axis"),
        ("roll(h, 1, 0, 0)", "expected an array, a number of places and an axis"),
        ("np.roll(m, 1)", "np.roll of several dimensions needs an axis"),
        ("push(m, x)", "a new entry of 3 x H has the shape H, got I"),
        ("m[0:4]", "entries 0 to 3 of 3"),
        ("m[3]", "entries 3 to 3 of 3"),
        ("m[-1]", "expected whole numbers as places"),
        ("m[0:2:2]", "expected a slice first:end"),
        ("m[0, 0, 0]", "expected at most 2 places"),
        ("h * dot(h, h)[0]", "a number has no entries at `dot(h, h)[0]`"),
        ("h * (1 + 2 * h[0])[0]", "a number has no entries"),
        ("h * m[0, 1][0]", "a number has no entries"),
        ("h * total(p.U)[0]", "a number has no entries"),
        ("concatenate(h, 1.0)", "H and a number cannot be concatenated"),
        ("h + x", "operands of shape H and I do not fit"),
        ("p.U @ x", "got H x H @ I"),
        ("h * 1e400", "expected a finite number"),
        ("h * True", "expected a finite number"),
        ("endless(h)", "this function calls itself"),
        ("by_name(h, k=2)", "expected a function of plain arguments, without a decorator"),
        ("wrapped(h)", "outside the language of cells at `wrapped(h)`"),
        ("twice(h, v=h)", "twice takes the arguments v"),
        ("twice(h, h)", "twice takes the arguments v"),
        ("twice(*h)", "outside the language of cells at `*h`"),
        ("pair(h)", "expected one array at `pair(h)`"),
        ("(lambda v: v)(h)", "outside the language of cells"),
        ("[v for v in h]", "outside the language of cells"),
        ("h if 1 else h", "outside the language of cells"),
        ("h * (0 < h < 1)", "outside the language of cells"),
        ("h.T", "only a matrix can be transposed"),
        ("h.sum()", "outside the language of cells"),
        ("np.cumsum(h)", "outside the language of cells"),
        ("0.5", "new state h: expected a vector of H, got a number"),
        ("p.U", "new state h: expected a vector of H, got H x H"),
    ],
)
def test_an_expression_that_does_not_fit_is_quoted_with_its_line(line, words, tmp_path):
    with pytest.raises(EvorrnError) as caught:
        Network(2, 1, hidden=3, cell=write(tmp_path / "mine.py", f"new = h\nreturn {line}, m"))
    message = str(caught.value)
    assert words in message
    assert re.search(r"cell wrong, \S*mine.py:\d+:\n    return", message) or "wrong, " in message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("a, b = h, h, h\nreturn a, m", "expected 2 values"),
        ("a, b, c = pair(h)\nreturn a, m", "expected 3 values"),
        ("h += 1\nreturn h, m", "only assignments to a name and a final return"),
        ("if h:\n    h = x\nreturn h, m", "only assignments to a name and a final return"),
        ("a = b = h\nreturn a, m", "only assignments to a name and a final return"),
        ("return h", "expected to return 2 states (h, m)"),
        ("return m, h", "new state h: expected a vector of H, got 3 x H"),
        ("return h, later", "unknown name in cell wrong, line"),
        ("def f(v):\n    return f(v)\nreturn f(h), m", "this function calls itself"),
        ("def f(v, *, k=1):\n    return k * v\nreturn f(h), m", "a function of plain arguments"),
        ("@functools.cache\ndef f(v):\n    return v\nreturn f(h), m", "without a decorator"),
        ("def f(v):\n    u = v\nreturn f(h), m", "expected a final return"),
        ("pass", "only assignments to a name and a final return"),
        ("'only a docstring'", "expected a final return of h, m"),
    ],
)
def test_statements_outside_the_language_are_refused(body, words, tmp_path):
    with pytest.raises(EvorrnError, match=re.escape(words)):
        Network(2, 1, hidden=3, cell=write(tmp_path / "mine.py", body))


def test_what_a_function_is_given_by_default_is_read_where_it_is_defined(tmp_path):
    """Not where it is called: there the same name may mean something else."""
    body = "k = tanh(h)\ndef f(v, k=k):\n    return v * k\nk = 2 * h\nreturn f(h), m"
    network = Network(2, 1, hidden=3, cell=write(tmp_path / "mine.py", body), dtype="float64")
    genome = network.init(seed=0)
    state = np.linspace(-1, 1, network.state_size)
    h, m = state[:3], state[3:].reshape(3, 3)
    wanted, _ = network.cell(None, None, h, m)
    _, after = network.predict(genome, np.zeros((24, 1, 2)), state=np.tile(state, (24, 1)), return_state=True)
    np.testing.assert_allclose(after[0, :3], wanted, atol=1e-12)
    np.testing.assert_allclose(wanted, h * np.tanh(h))


def plain(p, x, h, *, k=0.5):
    return tanh(p.W @ x + k * h)


def of_two(p, x, h, y):
    return h, y


@pytest.mark.parametrize(
    ("declarations", "words"),
    [
        *[
            ({"sizes": {"N": n}}, "size N: expected a whole number of at least 1")
            for n in (0, 2.5, True, "3")
        ],
        *[
            ({"sizes": {n: 3}}, "expected a name that is not I, H or O")
            for n in ("I", "H", "O", "N1", "", "a b")
        ],
        ({"sizes": [3]}, "sizes: expected a mapping by name, {'name': ...}, got [3]"),
        ({"sizes": {3: 3}}, "sizes: expected a mapping by name"),
        ({"sizes": {"k": 3}}, "k is a size and an option"),
        ({"fixed": {"k": Fixed("H", default=1.0)}}, "k is a fixed array and an option"),
        ({"fixed": {"t": 3}}, "fixed t: expected Fixed(shape, ...), got 3"),
        ({"fixed": {"t": Fixed("H", default="slow")}}, "cell option t: expected a number, a list"),
        ({"fixed": {"t": Fixed("H", default=math.nan)}}, "cell option t: expected a number, a list"),
        ({"fixed": {"t": Fixed("H", default=[[2, 0.5]])}, "ranges": {"t": (1, math.inf)}}, "at least 1, got"),
        ({"state": "h"}, "state: expected a mapping by name"),
        ({"state": {"h": "007"}}, "expected one to three dimensions"),
        ({"state": {"h": "²"}}, "expected one to three dimensions"),
        ({"state": {"x": "H"}}, "state x: p, x and y name other arguments"),
        ({"parameters": {"W-1": "H"}}, "parameter 'W-1': expected a name as that of a variable"),
        ({"parameters": {"lambda": "H"}}, "parameter 'lambda': expected a name"),
        *[
            ({"start": {"h": v}}, "start of h: expected a finite number")
            for v in (math.nan, "0", None, 10**400)
        ],
        *[
            ({"delays": {"h": n}}, "delays of h: expected a whole number of at least 1")
            for n in (0, -1, 1.5, True)
        ],
        ({"delays": {"q": 1}}, "unknown delayed value of cell plain 'q'"),
        ({"delays": {"x": 2}}, "expected the arguments (p, x, h[, y], x_1, x_2), got (p, x, h)"),
        ({"delays": {"x": 10**4}}, "x_17, ..., x_9998, x_9999, x_10000"),
        ({"output": ["h"]}, "output: expected names in one text, got ['h']"),
        ({"recurrent": 3}, "recurrent: expected names in one text, got 3"),
        ({"choices": {"k": 3}}, "choices of k: expected functions, got 3"),
        ({"size": {"N": 3}}, "unknown declaration of a cell 'size'"),
        ({"name": 3}, "name: expected a name such as 'my-cell', got 3"),
        ({"name": "a/b"}, "name: expected a name such as 'my-cell', got 'a/b'"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(declarations, words):
    with pytest.raises(EvorrnError, match=re.escape(words)):
        cell(**{"state": {"h": "H"}, "parameters": {"W": "H I"}, **declarations})(plain)


def test_a_state_that_takes_the_name_of_the_output_is_refused():
    with pytest.raises(CellError, match="state y: p, x and y name other arguments"):
        cell(state={"h": "H", "y": "H"}, parameters={})(of_two)


def test_a_vector_of_one_entry_has_that_entry(tmp_path):
    path = tmp_path / "one.py"
    cell = write(
        path,
        "return h * p.c[0] + m[0:1, 0][0] + (c + p.c)[0], m, c",
        "{'h': 'H', 'm': '3 H', 'c': '1'}",
        "p, x, h, m, c",
    )
    network = Network(1, 1, cell=cell, hidden=2)
    assert np.isfinite(network.predict(network.init(seed=0), np.ones((1, 3, 1)))).all()


@pytest.mark.parametrize("option", [True, math.nan, math.inf, None, [1], np.ones(3)])
def test_an_option_whose_default_is_no_finite_number_is_refused(option):
    def odd(p, x, h, *, k=option):
        return h

    with pytest.raises(CellError, match="option k: expected"):
        cell(state={"h": "H"}, parameters={"W": "H I"})(odd)


def test_something_that_is_no_function_is_refused():
    for thing in (type("bad", (), {}), 3, len):
        with pytest.raises(CellError, match="expected a function written with def"):
            cell(state={"h": "H"}, parameters={})(thing)


@cell(sizes={"N": 6}, state={"h": "H", "v": "N"}, parameters={"W": "H I", "u": "N"})
def takes_five(p, x, h, v):
    """A cell that takes the first five entries of an array whose size a network gives."""
    return tanh(p.W @ x) + h[0:1] * dot(p.u[0:5], p.u[1:6]), push(v, 1.0 * total(x))


@pytest.mark.parametrize("given", [1, 5])
def test_entries_beyond_a_size_are_refused_when_the_network_is_made(given):
    words = rf"the equations take entries . to \d of N, which has {given}"
    with pytest.raises(ConfigError, match=words):
        Network(2, 1, hidden=3, cell=takes_five, cell_options={"N": given})
    assert Network(2, 1, hidden=3, cell=takes_five, cell_options={"N": 6}).size == 16


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "3", None, 10**30])
def test_a_size_that_a_network_cannot_have_is_refused(size):
    with pytest.raises(EvorrnError, match=r"at least 1, got|of memory"):
        Network(2, 1, hidden=3, cell="ntm", cell_options={"N": size})


@cell(state={"h": "H", "m": "3 H", "n": "2 H"}, parameters={"B": "3 2", "C": "H H H"})
def moves(p, x, h, m, n):
    """Axes counted from the end, a parameter called as a matrix is, and products that need an order of their own."""
    chain = einsum("ai,bj,ck,ab,bc->c", m, n, outer(h, h), p.B, outer(n[:, 0], h))
    chain = chain + einsum("cad,d,abc->c", p.C, h, p.C)
    return tanh(h + chain), roll(shift(m, 1, -1), 2, axis=-2), n + np.roll(n, shift=1, axis=1)


def test_axes_count_from_the_end_as_in_numpy():
    network = Network(2, 1, hidden=3, cell=moves, dtype="float64")
    genome = network.init(seed=0)
    state = np.random.default_rng(0).standard_normal(network.state_size)
    h, m, n = state[:3], state[3:12].reshape(3, 3), state[12:].reshape(2, 3)
    blocks = network.unpack(genome)
    p = type("p", (), {"B": blocks["layer0.B"], "C": blocks["layer0.C"]})
    new = moves(p, None, h, m, n)
    _, after = network.predict(genome, np.zeros((24, 1, 2)), state=np.tile(state, (24, 1)), return_state=True)
    np.testing.assert_allclose(after[0], np.concatenate([np.ravel(each) for each in new]), atol=1e-12)


def constant(p, x, h):
    return tanh(p.T @ p.c)


def test_a_cell_may_see_no_input_and_call_a_parameter_by_any_name():
    made = cell(state={"h": "H"}, parameters={"T": "H 2", "c": "2"})(constant)
    network = Network(2, 1, hidden=3, cell=made, dtype="float64")
    genome = network.init(seed=0) + 0.5
    blocks = network.unpack(genome)
    h = np.tanh(blocks["layer0.T"] @ blocks["layer0.c"])
    outputs = network.predict(genome, np.ones((24, 2, 2)))
    np.testing.assert_allclose(outputs[3, 1], blocks["readout.W"] @ h + blocks["readout.b"])
    assert np.isfinite(network.vjp(genome, np.ones((24, 2, 2)), np.ones((24, 2, 1)))).all()


def slow(p, x, h):
    return tanh(p.W @ x) / p.tau


@pytest.mark.parametrize(
    ("tau", "words"),
    [
        (0.5, "expected a number of at least 1, got 0.5"),
        ([2.0, 3.0], "expected 3 numbers, one for each unit, got 2"),
        ([[1, 2.0], [3, 5.0]], "expected 3 numbers, one for each unit, got 4"),
        ([[10**12, 2.0]], "expected 3 numbers, one for each unit, got 1000000000000"),
        *[(tau, "expected a number, a list of numbers, or pairs") for tau in ("a", {}, [], None, [[1.5, 2]])],
    ],
)
def test_settings_of_an_array_that_do_not_fit_are_refused_and_others_are_kept(tau, words):
    fixed, ranges = {"tau": Fixed("H", default=2.0)}, {"tau": (1, math.inf)}
    made = cell(state={"h": "H"}, parameters={"W": "H I"}, fixed=fixed, ranges=ranges)(slow)
    with pytest.raises(EvorrnError, match=re.escape(words)):
        Network(2, 1, hidden=3, cell=made, cell_options={"tau": tau})
    with pytest.raises(EvorrnError, match=re.escape(words)):
        Network(2, 1, hidden=3, cell=made).with_options({"tau": tau})
    network = Network(2, 1, hidden=3, cell=made, cell_options={"tau": [[1, 2.0], [2, 5.0]]})
    assert network.fixed_arrays["layer0.tau"].tolist() == [2, 5, 5]
    assert network.with_options({"tau": [3, 4, 5]}).fixed_arrays["layer0.tau"].tolist() == [3, 4, 5]


def test_an_activation_that_is_no_name_is_refused():
    for value in ([1], {}, None):
        with pytest.raises(EvorrnError, match="unknown activation"):
            Network(1, 1, cell="leaky", cell_options={"activation": value})


def test_a_spec_may_hold_the_settings_of_an_array():
    table = {"cell": "second-order", "cell_options": {"tau": [2.0, 3.0]}}
    with pytest.raises(EvorrnError, match="unknown option of cell second-order 'tau'"):
        resolve({"task": {"name": "sines"}, "network": table})
