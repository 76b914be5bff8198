"""Kernels of contractions against NumPy's `einsum`, as vector code and as plain loops."""

import numpy as np
import pytest
from rows import run_row

from evorrn.engine.listing.kernel import FIXED, Kernel
from evorrn.engine.listing.listing import Place
from evorrn.engine.listing.wholes import (
    ARRANGE,
    CONTRACT,
    CONTRACT_SAME,
    CONTRACT_WEIGHT,
    arrangement,
    contraction,
)
from evorrn.kernels import machine

PLAIN = {
    kernel: Kernel(
        f"plain_{kernel.name}",
        FIXED.format(name=kernel.name, imports="", more="", home="arrays")
        .replace(
            f"from evorrn.engine.listing.arrays import {kernel.name}",
            f"from evorrn.engine.lanes.contractions import plain_{kernel.name}_at",
        )
        .replace(f"{kernel.name}(row, at, now, F)", f"plain_{kernel.name}_at(F, row, at)"),
    )
    for kernel in (CONTRACT, CONTRACT_WEIGHT, CONTRACT_SAME, ARRANGE)
}
"""The same kernels as plain loops, which serve where vectors are switched off."""

PAIRS = [
    ("i", "ij", "j"),
    ("i", "ij", "ij"),
    ("ij", "i", "j"),
    ("j", "i", "ij"),
    ("ij", "ij", "i"),
    ("", "i", "i"),
    ("", "ijk", "ijk"),
    ("ik", "ijk", "j"),
    ("ik", "kji", "j"),
    ("ki", "ij", "jk"),
    ("ijk", "ik", "j"),
    ("j", "ijk", "ik"),
    ("i", "ijkl", "jkl"),
    ("ij", "ji", ""),
]
SINGLES = [
    ("i", "ij"),
    ("j", "ij"),
    ("", "ijk"),
    ("ji", "ij"),
    ("ij", ""),
    ("ijk", "j"),
    ("kij", "ijk"),
    ("ij", "jk"),
]


def drawn(names, lanes, dtype, draws, weight=False):
    """Return arrays for the letters of factors, one more axis for lanes, and of the result, filled with NaN."""
    size = {letter: int(draws.integers(1, 12)) for letter in "ijkl"}
    shapes = [tuple(size[letter] for letter in letters) for letters in names]
    arrays = [draws.standard_normal((*shape, lanes)).astype(dtype) for shape in shapes]
    if weight:
        arrays[2] = draws.standard_normal(shapes[2]).astype(dtype)
    arrays[0][...] = np.nan
    return shapes, arrays


def run_contraction(names, lanes, dtype, draws, weight, plain):
    """Return the result of a contraction, and NumPy's in float64."""
    shapes, (out, left, right) = drawn(names, lanes, dtype, draws, weight)
    swapped, table = contraction(names, shapes, weight)
    result, first, second = names
    form = f"{first}z,{second}{'' if weight else 'z'}->{result}z"
    wanted = np.einsum(form, left.astype(float), right.astype(float))
    factors = ["right", "left"] if swapped else ["left", "right"]
    arrays = {"out": out, "left": left, "right": right}
    count = {"left": left.size // lanes, "right": right.size // (1 if weight else lanes)}
    counts = out.size // lanes, *(count[name] for name in factors)
    kernel = CONTRACT_WEIGHT if weight else CONTRACT
    run_row(
        PLAIN[kernel] if plain else kernel,
        (Place("out"), *map(Place, factors), *counts, lanes, *table),
        arrays,
        dtype,
    )
    return out, wanted


@pytest.mark.parametrize("plain", [False, True], ids=["vectors", "plain"])
@pytest.mark.parametrize("weight", [False, True], ids=["tile", "weight"])
@pytest.mark.parametrize("dtype,error", [("float32", 2e-5), ("float64", 1e-13)])
def test_a_contraction_equals_einsum(dtype, error, weight, plain):
    draws = np.random.default_rng(0)
    for names in PAIRS:
        for vectors in (1, 2, 4, 7):
            lanes = vectors * machine.lanes(dtype)
            result, wanted = run_contraction(names, lanes, dtype, draws, weight, plain)
            np.testing.assert_allclose(
                result, wanted, rtol=error, atol=20 * error, err_msg=f"{names} {lanes}"
            )


@pytest.mark.parametrize("squared", [False, True], ids=["entries", "squares"])
@pytest.mark.parametrize("plain", [False, True], ids=["vectors", "plain"])
@pytest.mark.parametrize("dtype,error", [("float32", 2e-5), ("float64", 1e-13)])
def test_sums_and_copies_of_entries_or_their_squares_equal_einsum(dtype, error, plain, squared):
    draws = np.random.default_rng(1)
    for result, given in SINGLES:
        for vectors in (1, 3, 4):
            lanes = vectors * machine.lanes(dtype)
            (shapes, (out, source)) = drawn((result, given), lanes, dtype, draws)
            operands = ["out", "source"]
            table = arrangement((result, given), shapes)
            counts = out.size // lanes, source.size // lanes, lanes
            kernel = CONTRACT_SAME if squared else ARRANGE
            kernel = PLAIN[kernel] if plain else kernel
            run_row(
                kernel, (*map(Place, operands), *counts, *table), dict(zip(operands, (out, source))), dtype
            )
            lacking = [letter for letter in result if letter not in given]
            ones = np.ones([shapes[0][result.index(letter)] for letter in lacking])
            exact = source.astype(float) ** (1 + squared)
            wanted = np.einsum(f"{given}z,{''.join(lacking)}->{result}z", exact, ones)
            np.testing.assert_allclose(out, wanted, rtol=error, atol=20 * error, err_msg=f"{given} {result}")


@pytest.mark.parametrize("weight", [False, True], ids=["tile", "weight"])
def test_the_sums_of_a_lane_do_not_depend_on_the_lanes_beside_it(weight):
    vector = machine.lanes("float32")
    for names in PAIRS:
        wide, _ = run_contraction(names, 7 * vector, "float32", np.random.default_rng(2), weight, False)
        shapes, (_, left, right) = drawn(names, 7 * vector, "float32", np.random.default_rng(2), weight)
        swapped, table = contraction(names, shapes, weight)
        for start in range(7):
            part = slice(start * vector, (start + 1) * vector)
            left_part = np.ascontiguousarray(left[..., part])
            right_part = right if weight else np.ascontiguousarray(right[..., part])
            out = np.empty((*shapes[0], vector), np.float32)
            arrays = {"out": out, "left": left_part, "right": right_part}
            factors = ["right", "left"] if swapped else ["left", "right"]
            kernel = CONTRACT_WEIGHT if weight else CONTRACT
            run_row(kernel, (Place("out"), *map(Place, factors), 0, 0, 0, vector, *table), arrays, "float32")
            assert out.tobytes() == np.ascontiguousarray(wide[..., part]).tobytes()
