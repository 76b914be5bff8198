"""Every operation, by going through the table: adjoint, tangent and cost on the graph, in NumPy."""

import dataclasses
import inspect

import numpy as np
import pytest

from evorrn.compile.adjoint import adjoint
from evorrn.compile.circuits import STEEPNESS
from evorrn.compile.graph import Builder
from evorrn.compile.op import size_of
from evorrn.compile.ops import OPS
from evorrn.compile.tangent import tangent

SIZES = {"M": 4, "K": 3, "N": 2}
ARRAYS = {
    "matvec": [("M", "K"), ("K",)],
    "matvec_transposed": [("K", "M"), ("K",)],
    "outer": [("M",), ("K",)],
    "concatenate": [("M",), ("K",)],
    "head": [("M+K",), ("M",)],
    "tail": [("M+K",), ("K",)],
    "contract": [("M", "K"), ("K", "M")],
    "reduce": [("M", "K", "N")],
    "spread": [("K",), ("M", "K")],
    "softmax": [("M", "K")],
    "softmax_slope": [("M", "K"), ("M", "K")],
    "slice": [("M", "4", "K")],
    "pad": [("M", "2", "K"), ("M", "4", "K")],
    "flatten": [("M", "K")],
    "unflatten": [("M*K",), ("M", "K")],
    "shift": [("M", "K")],
    "roll": [("M", "K")],
    "push": [("M", "K"), ("K",)],
    "product": [("M", "K")],
    "others": [("M", "K")],
    "allocation": [("K", "M")],
    "allocation_adjoint": [("K", "M"), ("K", "M")],
    "allocation_tangent": [("K", "M"), ("K", "M")],
    "symmetric": [("pairs(M)",), ("M",)],
    "folded": [("K", "M", "M")],
    "unfolded": [("K", "pairs(M)"), ("K", "M", "M")],
    "solve": [("M", "M"), ("M",)],
    "solve_transposed": [("M", "M"), ("M",)],
}
FORMS = {
    "contract": ["mk,kn->nm", "mk,kn->mkn", "mk,km->k", "mk,km->"],
    "reduce": ["mkn->nm", "mkn->", "mkn->nkm"],
    "spread": ["k->mk"],
    "slice": ["1:1:3:0", "1:2:3:1"],
    "pad": ["1:1:3:0"],
    "shift": ["1:0", "-2:1", "9:0"],
    "roll": ["1:0", "-2:1", "9:0"],
}
CASES = [(name, form) for name in OPS for form in FORMS.get(name, [""])]
SMOOTH = [(name, form) for name, form in CASES if OPS[name].adjoint is not None]
POSITIVE = ("log", "sqrt", "power")
SMOOTHED = {"spike": lambda v: v / (1 + STEEPNESS * np.abs(v))}
"""The functions whose slope the gradient of an operation takes, where that is not its own."""


def arity(op):
    return op.numpy.nin if isinstance(op.numpy, np.ufunc) else len(inspect.signature(op.numpy).parameters)


def build(name, form):
    shapes = ARRAYS.get(name) or [("M",)] * arity(OPS[name])
    builder = Builder()
    products = ("matvec", "matvec_transposed", "contract")
    kinds = ["parameter" if name in products and k == 0 else "input" for k in range(len(shapes))]
    leaves = [builder.leaf(kind, f"a{k}", shape) for k, (kind, shape) in enumerate(zip(kinds, shapes))]
    return builder.graph({"y": builder.apply(name, *leaves, form=form)}), shapes


def values(shapes, rng, positive=False):
    signs = [1] if positive else [-1, 1]
    sizes = [[size_of(d, SIZES) for d in shape] for shape in shapes]
    numbers = [rng.uniform(0.3, 2.0, size) * rng.choice(signs) for size in sizes]
    return {f"a{k}": number for k, number in enumerate(numbers)}


@pytest.mark.parametrize(("name", "form"), CASES)
def test_the_numpy_function_returns_the_declared_shape(name, form):
    graph, shapes = build(name, form)
    result = graph.evaluate(values(shapes, np.random.default_rng(0), name in POSITIVE))["y"]
    assert result.shape == tuple(size_of(d, SIZES) for d in graph.nodes[graph.outputs["y"]].shape)
    assert graph.cost(SIZES) >= 0


@pytest.mark.parametrize(("name", "form"), SMOOTH)
def test_adjoint_and_tangent_equal_finite_differences(name, form, monkeypatch):
    if name in SMOOTHED:
        monkeypatch.setitem(OPS, name, dataclasses.replace(OPS[name], numpy=SMOOTHED[name]))
    rng = np.random.default_rng(1)
    graph, shapes = build(name, form)
    names = [f"a{k}" for k in range(len(shapes))]
    for _ in range(3):
        at = values(shapes, rng, name in POSITIVE)
        push = {n: rng.standard_normal(at[n].shape) for n in names}
        pull = rng.standard_normal(graph.evaluate(at)["y"].shape)
        high, low = (graph.evaluate({n: at[n] + s * 1e-6 * push[n] for n in names})["y"] for s in (1, -1))
        numeric = (high - low) / 2e-6
        moved = tangent(graph, names).evaluate({**at, **{f"dot.{n}": push[n] for n in names}})
        forward = moved.get("dot.y", np.zeros_like(numeric))  # of an operation without a gradient
        np.testing.assert_allclose(forward, numeric, rtol=1e-7, atol=1e-8)
        derived = adjoint(graph, {"seed": "y"}, names)
        results = derived.graph.run({**at, "seed": pull})
        gradients = {n: results[index] for n, index in derived.graph.outputs.items()}
        for n, index in derived.parameter_terms:
            gradients[n] = gradients.get(n, 0) + results[index]
        backward = sum((gradients[n] * push[n]).sum() for n in gradients)
        assert backward == pytest.approx((pull * numeric).sum(), rel=1e-6, abs=1e-8)
        assert backward == pytest.approx((pull * forward).sum(), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "selu"])
def test_derivative_at_a_kink_is_that_from_below(name):
    builder = Builder()
    x = builder.leaf("input", "x", ("M",))
    graph = builder.graph({"y": builder.apply(name, x)})
    derived = adjoint(graph, {"seed": "y"}, ["x"]).graph
    zero, below = (derived.evaluate({"x": np.full(4, v), "seed": np.ones(4)})["x"] for v in (0.0, -1e-9))
    np.testing.assert_allclose(zero, below, atol=1e-8)


def test_scalars_have_no_gradient_and_shapes_must_fit():
    builder = Builder()
    x, leak = builder.leaf("input", "x", ("M",)), builder.leaf("option", "leak", ())
    graph = builder.graph(
        {"y": builder.apply("multiply", leak, builder.apply("subtract", builder.constant(1), x))}
    )
    derived = adjoint(graph, {"seed": "y"}, ["x"]).graph
    result = derived.evaluate({"x": np.ones(3), "leak": 0.25, "seed": np.ones(3)})
    np.testing.assert_array_equal(result["x"], -0.25)
    with pytest.raises(ValueError, match="do not fit"):
        builder.apply("add", x, builder.leaf("input", "z", ("K",)))
    with pytest.raises(ValueError, match="matrix and a vector"):
        builder.apply("matvec", builder.leaf("parameter", "W", ("M", "K")), x)


def test_equal_nodes_are_made_once():
    builder = Builder()
    x = builder.leaf("input", "x", ("M",))
    assert builder.apply("tanh", x) == builder.apply("tanh", x)
