"""Every operation, by going through the table: adjoint, tangent and cost on the graph, in NumPy."""

import numpy as np
import pytest

from evorrn.compile.adjoint import adjoint
from evorrn.compile.graph import Builder
from evorrn.compile.ops import OPS
from evorrn.compile.tangent import tangent

SIZES = {"M": 4, "K": 3}
VECTORS = {
    "matvec": [("M", "K"), ("K",)],
    "matvec_transposed": [("K", "M"), ("K",)],
    "outer": [("M",), ("K",)],
    "concatenate": [("M",), ("K",)],
    "head": [("M+K",), ("M",)],
    "tail": [("M+K",), ("K",)],
}
SMOOTH = [name for name, op in OPS.items() if op.adjoint is not None]


def arity(op):
    return op.numpy.nin if isinstance(op.numpy, np.ufunc) else op.numpy.__code__.co_argcount


def build(name):
    shapes = VECTORS.get(name) or [("M",)] * arity(OPS[name])
    builder = Builder()
    kinds = ["parameter" if len(shape) == 2 else "input" for shape in shapes]
    leaves = [builder.leaf(kind, f"a{k}", shape) for k, (kind, shape) in enumerate(zip(kinds, shapes))]
    return builder.graph({"y": builder.apply(name, *leaves)}), shapes


def values(shapes, rng):
    sizes = {**SIZES, "M+K": 7}
    numbers = [rng.uniform(0.3, 2.0, [sizes[d] for d in shape]) * rng.choice([-1, 1]) for shape in shapes]
    return {f"a{k}": number for k, number in enumerate(numbers)}


@pytest.mark.parametrize("name", OPS)
def test_the_numpy_function_returns_the_declared_shape(name):
    graph, shapes = build(name)
    result = graph.evaluate(values(shapes, np.random.default_rng(0)))["y"]
    sizes = {**SIZES, "M+K": 7}
    assert result.shape == tuple(sizes[d] for d in graph.nodes[graph.outputs["y"]].shape)
    assert graph.cost(sizes) >= 0


@pytest.mark.parametrize("name", SMOOTH)
def test_adjoint_and_tangent_equal_finite_differences(name):
    rng = np.random.default_rng(1)
    graph, shapes = build(name)
    names = [f"a{k}" for k in range(len(shapes))]
    for _ in range(3):
        at = values(shapes, rng)
        push = {n: rng.standard_normal(at[n].shape) for n in names}
        pull = rng.standard_normal(graph.evaluate(at)["y"].shape)
        high, low = (graph.evaluate({n: at[n] + s * 1e-6 * push[n] for n in names})["y"] for s in (1, -1))
        numeric = (high - low) / 2e-6
        forward = tangent(graph, names).evaluate({**at, **{f"dot.{n}": push[n] for n in names}})["dot.y"]
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
