"""Every operation of the language in ONNX against its NumPy function, one sequence after the other."""

from itertools import product

import numpy as np
import pytest

from evorrn.compile.graph import Node
from evorrn.compile.op import size_of
from evorrn.compile.ops import OPS
from evorrn.exchange.onnx.expressions import EXPRESSIONS, Value, with_batch
from evorrn.exchange.onnx.writer import Writer

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

ONE, VECTOR, MATRIX, CUBE = ("1",), ("M",), ("M", "K"), ("M", "K", "N")
PAIRS = [(VECTOR, VECTOR), (MATRIX, MATRIX), (ONE, CUBE), (MATRIX, ()), (ONE, ONE), ((), ONE)]
CASES = {
    **{name: [("", pair) for pair in PAIRS] for name in (
        "add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "every",
    )},
    "matvec": [("", (MATRIX, ("K",))), ("", (CUBE, ("N",))), ("", (CUBE, ("K", "N"))), ("", (("1", "K"), ("K",)))],
    "matvec_transposed": [("", (MATRIX, ("M",))), ("", (CUBE, ("M",))), ("", (CUBE, ("M", "K"))), ("", (("1", "K"), ("1",)))],
    "outer": [("", (VECTOR, ("K",)))],
    "concatenate": [("", (VECTOR, ("K",))), ("", (MATRIX, ("N", "K"))), ("", (ONE, VECTOR))],
    "contract": [
        (form, (MATRIX, ("K", "M")))
        for form in ("mk,kn->nm", "mk,kn->mkn", "mk,km->k", "mk,km->", "az,zb->ba")
    ] + [(",k->k", (ONE, ("K",)))],
    "reduce": [(form, (CUBE,)) for form in ("mkn->nm", "mkn->", "mkn->nkm")],
    "spread": [("k->mk", (("K",), MATRIX)), ("->mk", (ONE, MATRIX))],
    "slice": [(form, (CUBE,)) for form in ("1:1:3:0", "1:2:3:1", "0:0:4:0", "2:0:1:1")]
    + [("0:2:3:1", (VECTOR,)), ("0:1:3:0", (VECTOR,))],
    "shift": [(form, (MATRIX,)) for form in ("1:0", "-2:1", "9:0", "-9:1", "0:0")] + [("1:0", (VECTOR,))],
    "roll": [(form, (MATRIX,)) for form in ("1:0", "-2:1", "9:0", "0:1", "4:0")] + [("-1:0", (VECTOR,))],
    "solve": [("", (("M", "M"), VECTOR)), ("", (("1", "1"), ONE))],
    "pairs": [("", (VECTOR, VECTOR)), ("", (ONE, ONE))],
    "push": [("", (MATRIX, ("K",))), ("", (VECTOR, ONE)), ("", (("1", "K"), ("K",)))],
}  # fmt: skip
SIZES = {"M": 4, "K": 3, "N": 2}
FORWARD = {
    name
    for name, op in OPS.items()
    if op.adjoint is not None and name not in ("unflatten", "solve_transposed", "folded")
}
"""The operations that a time step can have; the others are in derivatives alone, and `folded` takes weights alone."""


def cases():
    for name in sorted(EXPRESSIONS):
        for form, shapes in CASES.get(name, [("", (VECTOR,)), ("", (MATRIX,)), ("", (ONE,))]):
            for varying in product((True, False), repeat=len(shapes)):
                reads = varying[:1] if name == "spread" else varying  # of the other it takes the shape alone
                if any(reads) and all(shape for vary, shape in zip(varying, shapes) if vary):
                    yield name, form, shapes, varying


def sizes(shape):
    return [size_of(dimension, SIZES) for dimension in shape]


def run(w, inputs, y):
    def declared(name, array):
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        return onnx.helper.make_tensor_value_info(name, kind, [None] * array.ndim)

    kept = [onnx.numpy_helper.from_array(array, name) for name, array in w.constants.items()]
    kind = onnx.helper.np_dtype_to_tensor_dtype(w.dtype)
    found = [onnx.helper.make_tensor_value_info(y, kind, None)]
    graph = onnx.helper.make_graph(w.nodes, "one", [declared(*item) for item in inputs.items()], found, kept)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run([y], inputs)[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_an_operation_equals_its_numpy_function(name, batch, dtype):
    rng = np.random.default_rng([batch, *name.encode()])
    for case in (case for case in cases() if case[0] == name):
        _, form, shapes, varying = case
        positive = name in ("log", "sqrt", "power", "divide", "every")
        arrays = [
            rng.uniform(0.3, 2, [*([batch] * vary), *sizes(shape)]) * (1 if positive else rng.choice([-1, 1]))
            for vary, shape in zip(varying, shapes)
        ]
        arrays = [np.round(array) + 1 if name == "every" else array.astype(dtype) for array in arrays]
        arrays = [array.astype(dtype) for array in arrays]
        if name == "solve":  # far from singular, so that float32 has all its digits
            arrays[0] = (arrays[0] + 8 * np.roll(np.eye(arrays[0].shape[-1]), 1, 0)).astype(dtype)
        op = OPS[name]
        node = Node(name, tuple(range(len(shapes))), op.result(form, *shapes), form=form)
        w = Writer(np.dtype(dtype), SIZES, taken={"a0", "a1"})
        values, inputs = [], {}
        for k, (array, vary, shape) in enumerate(zip(arrays, varying, shapes)):
            values.append(Value(shape, f"a{k}") if vary else Value(shape, array=array))
            inputs.update({f"a{k}": array} if vary else {})
        w.batch = w.apply("Shape", next(iter(inputs)), start=0, end=1)
        y = run(w, inputs, w.apply("Identity", EXPRESSIONS[name](w, node, *values)))
        for b in range(batch):
            given = [array[b] if vary else array for array, vary in zip(arrays, varying)]
            wanted = np.asarray(op.compute(form, *given))
            assert y.shape == (batch, *sizes(node.shape)), case
            np.testing.assert_allclose(
                y[b], wanted, rtol=1e-5 if dtype == "float32" else 1e-12, err_msg=str(case)
            )


def test_every_operation_that_a_time_step_can_have_has_an_onnx_form():
    assert set(EXPRESSIONS) >= FORWARD


def test_a_result_that_is_the_same_for_all_sequences_is_repeated():
    w = Writer(np.dtype("float32"), SIZES, taken={"x"})
    w.batch = w.apply("Shape", "x", start=0, end=1)
    array = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    y = run(w, {"x": np.zeros((6, 2), np.float32)}, with_batch(w, Value(MATRIX, array=array)))
    np.testing.assert_array_equal(y, np.repeat(array[None], 6, axis=0))
