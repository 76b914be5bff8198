"""The emitted source determines which product of a sum becomes a multiply-add, so that no compiler chooses."""

import ast
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from evorrn.cells.find import cells
from evorrn.compile.cell import cell
from evorrn.data.batch import Batch
from evorrn.kernels.activations import tanh
from evorrn.network.network import Network


@cell(state={"h": "H", "m": "H"}, parameters={"W": "H I", "a b": "H"})
def sums_of_products(p, x, h, m, *, rate=0.3):
    """Every way in which a sum or difference can have two products."""
    z = p.W @ x
    both = (h * m + z * p.a) + (h * p.b - z * m)
    turned = (-(h * z) + m * p.a) - (-(m * z) - h * p.a)
    shared = rate * z - (1 - rate) * h
    parts = (h / 2 + z / 4) + (-(m * p.b) + -(z * p.b))
    return tanh(both + turned), tanh(shared + parts)


def left_to_the_compiler(source):
    """Return the sums in a program whose two operands are products that nothing else uses."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not (
            isinstance(function, ast.FunctionDef)
            and function.name.startswith(("loop_", "record_", "adjoint_"))
        ):
            continue
        values = {
            node.targets[0].id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        reads = (n for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
        uses = Counter(node.id for node in reads)

        def product(tree, values=values, uses=uses):
            if isinstance(tree, ast.Name) and tree.id in values and uses[tree.id] == 1:
                return product(values[tree.id])
            if isinstance(tree, ast.UnaryOp):
                return product(tree.operand)
            return isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult | ast.Div)

        for value in values.values():
            for tree in ast.walk(value):
                if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub):
                    found += [ast.unparse(tree)] if product(tree.left) and product(tree.right) else []
    return found


def test_the_search_finds_sums_of_two_products():
    loop = "def loop_0(a, b, out):\n    for k in range(3):\n        v1 = a[k] * b[k]\n        v2 = b[k] / F(2.0)\n"
    assert left_to_the_compiler(loop + "        v3 = v1 - v2\n        out[k] = v3\n") == ["v1 - v2"]
    assert not left_to_the_compiler(loop + "        v3 = v1 - a[k]\n        out[k] = v3 + v2\n")


@pytest.mark.parametrize("name", [*sorted(cells()), "sums_of_products"])
def test_no_emitted_sum_has_two_products(name):
    network = Network(3, 2, cell=cells().get(name, sums_of_products), hidden=(3, 3))
    source = network.kernel_source()
    if not network.step.plain:  # it has no emitted program
        assert "@njit" not in source
        return
    assert "def loop_" in source
    assert left_to_the_compiler(source) == []


def test_sums_of_products_are_right():
    rng = np.random.default_rng(0)
    network = Network(3, 2, cell=sums_of_products, hidden=5, dtype="float64")
    genome = rng.standard_normal(network.size)
    blocks = network.unpack(genome)
    p = SimpleNamespace(**{name: blocks[f"layer0.{name}"] for name in ("W", "a", "b")})
    x = rng.standard_normal((4, 6, 3))
    wanted = np.zeros((4, 6, 2))
    for sequence in range(4):
        h, m = np.zeros(5), np.zeros(5)
        for t in range(6):
            h, m = sums_of_products(p, x[sequence, t], h, m)
            wanted[sequence, t] = blocks["readout.W"] @ h + blocks["readout.b"]
    np.testing.assert_allclose(network.predict(genome, x), wanted, rtol=1e-12, atol=1e-12)
    batch = Batch(x, rng.standard_normal((4, 6, 2)))
    _, gradient = network.loss_and_gradient(genome, batch)
    direction = rng.standard_normal(network.size)
    ahead, behind = (network.loss(genome + step * direction, batch) for step in (1e-6, -1e-6))
    assert gradient @ direction == pytest.approx((ahead - behind) / 2e-6, rel=1e-6)
