"""Actions of gymnasium's boxes: equal shares of whole numbers, and bounds that are none."""

import warnings

import numpy as np
import pytest
from gymnasium import spaces

from evorrn_tasks.common.gym_actions import Box

INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
FLOATS = [np.float16, np.float32, np.float64]


def outputs_of_equal_shares(count):
    """Return outputs (count, 1) whose tanh is spread evenly over -1 to 1."""
    return np.arctanh((np.arange(count) + 0.5) / count * 2 - 1)[:, None]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 3), (1, 5), (7, 7), (-2, 2), (-7, -4), (0, 100)])
def test_each_whole_number_of_a_box_has_an_equal_share_of_the_outputs(dtype, low, high):
    """Truncation gave 0 alone for the bounds 0 and 1, and never the highest of 0 to 3."""
    if low < 0 and not np.issubdtype(dtype, np.signedinteger):
        pytest.skip("no negative numbers of this type")
    space = spaces.Box(low, high, (1,), dtype)
    numbers = np.arange(low, high + 1)
    actions = Box.of(space, "tanh")(outputs_of_equal_shares(10 * len(numbers)))
    assert actions.dtype == dtype and actions.shape == (10 * len(numbers), 1)
    np.testing.assert_array_equal(actions[:, 0], np.repeat(numbers, 10))
    assert all(space.contains(action) for action in actions)
    extreme = Box.of(space, "tanh")(np.array([[-1e30], [1e30]]))
    assert extreme.ravel().tolist() == [low, high]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 3), (-3, -1), (-5, 6)])
def test_clipped_outputs_have_equal_shares_too_and_whole_numbers_are_themselves(low, high):
    box, numbers = Box.of(spaces.Box(low, high, (1,), np.int64), "clip"), np.arange(low, high + 1)
    evenly = low + (np.arange(20 * len(numbers)) + 0.5) / (20 * len(numbers)) * (high - low)
    np.testing.assert_array_equal(box(evenly[:, None])[:, 0], np.repeat(numbers, 20))
    np.testing.assert_array_equal(box(numbers[:, None])[:, 0], numbers)
    assert box(np.array([[low - 9.0], [high + 9.0]])).ravel().tolist() == [low, high]


def test_each_number_of_a_box_has_its_own_bounds():
    low, high = np.array([[-2, 0, 5]]), np.array([[2, 1, 5]])
    box = Box.of(spaces.Box(low, high, dtype=np.int32), "tanh")
    even = outputs_of_equal_shares(30)
    actions = box(np.concatenate([even, even[::-1], even], axis=1))
    assert actions.shape == (30, 1, 3) and box.outputs == 3
    np.testing.assert_array_equal(actions[:, 0, 0], np.repeat(np.arange(-2, 3), 6))
    np.testing.assert_array_equal(actions[:, 0, 1], np.repeat([1, 0], 15))
    np.testing.assert_array_equal(actions[:, 0, 2], 5)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_small_integers_in_full_are_bounds(dtype):
    limits = np.iinfo(dtype)
    space = spaces.Box(limits.min, limits.max, (1,), dtype)
    actions = Box.of(space, "tanh")(outputs_of_equal_shares(2 * 2**limits.bits))
    np.testing.assert_array_equal(actions[:, 0], np.repeat(np.arange(limits.min, limits.max + 1), 2))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("squash", ["tanh", "clip"])
def test_whole_numbers_without_bounds_are_the_rounded_output(dtype, squash):
    limits = np.iinfo(dtype)
    for space in (spaces.Box(limits.min, limits.max, (1,), dtype), spaces.Box(-np.inf, np.inf, (1,), dtype)):
        actions = Box.of(space, squash)(np.array([[-1.6], [-0.4], [0.4], [2.6], [1e30], [-1e30]]))
        assert actions.dtype == dtype
        assert actions.ravel().tolist() == [-2, 0, 0, 3, limits.max, limits.min]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("squash", ["tanh", "clip"])
def test_bounds_as_large_as_the_type_are_none(dtype, squash):
    """Their difference overflows, so that every action was the upper bound."""
    largest = np.finfo(dtype).max
    given = np.array([[-3.0, 0.25], [0.5, -40.0]])
    for bound in (largest, np.inf):
        space = spaces.Box(-bound, bound, (2,), dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            actions = Box.of(space, squash)(given)
            far = Box.of(space, squash)(np.array([[1e300, -1e300]]))
        assert actions.dtype == dtype
        np.testing.assert_array_equal(actions, given)
        assert np.isfinite(far).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("largest", [float(np.finfo(np.float32).max), 3.4e38])
@pytest.mark.filterwarnings("ignore:.*precision lowered")
def test_the_largest_float32_is_no_bound_of_float64_either_however_it_is_written(dtype, largest):
    box = Box.of(spaces.Box(-largest, largest, (1,), dtype), "tanh")
    assert box(np.array([[-7.5]])).item() == -7.5


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_whole_numbers_without_sign_have_0_as_their_bound(dtype):
    largest = np.iinfo(dtype).max
    actions = Box.of(spaces.Box(0, largest, (1,), dtype), "tanh")(np.array([[-3.0], [2.6], [1e30]]))
    assert actions.ravel().tolist() == [0, 3, largest]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("squash", ["tanh", "clip"])
def test_one_bound_clips_and_the_other_side_is_free(dtype, squash):
    largest, given = np.finfo(dtype).max, np.array([[-3.0], [0.5], [20.0]])
    for far in (largest, np.inf):
        above = Box.of(spaces.Box(-1.0, far, (1,), dtype), squash)(given)
        assert above.ravel().tolist() == [-1.0, 0.5, 20.0]
        below = Box.of(spaces.Box(-far, 2.0, (1,), dtype), squash)(given)
        assert below.ravel().tolist() == [-3.0, 0.5, 2.0]


def test_bounds_of_real_numbers_are_as_before():
    low, high = np.array([-2.0, 0.0], np.float32), np.array([4.0, 1.0], np.float32)
    given = np.random.default_rng(0).normal(size=(50, 2))
    actions = Box.of(spaces.Box(low, high), "tanh")(given)
    np.testing.assert_allclose(actions, low + (np.tanh(given) + 1) / 2 * (high - low), rtol=1e-6)
    np.testing.assert_allclose(
        Box.of(spaces.Box(low, high), "clip")(given), np.clip(given, low, high), rtol=1e-6, atol=1e-7
    )
