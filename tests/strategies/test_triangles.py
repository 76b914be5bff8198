"""R of QR decompositions from blocks of rows, from other triangles and from penalties, against NumPy's."""

import numpy as np
import pytest

from evorrn.strategies.reservoir import triangles
from evorrn.strategies.reservoir.division import by_sequence, by_time
from evorrn.strategies.reservoir.solvers import Rows


def same_decomposition(upper, rows):
    """Check an upper triangular matrix against NumPy's R, up to the signs of its rows."""
    count = min(rows.shape)
    assert not np.tril(upper, -1).any()
    wanted = np.linalg.qr(rows, mode="r")
    np.testing.assert_allclose(np.abs(upper[:count]), np.abs(wanted), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(upper.T @ upper, rows.T @ rows, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("seed", range(12))
def test_r_is_that_of_all_rows(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    columns, count = int(rng.choice([1, 2, 5, 33, 70])), int(rng.choice([1, 3, 31, 64, 200, 501]))
    monkeypatch.setattr(triangles, "NUMBERS", int(rng.choice([1, 100, 5000])))
    rows = rng.standard_normal((count, columns))
    upper, seen = np.zeros((columns, columns), order="F"), 0
    for block in triangles.blocks(slice(0, count), columns):
        triangles.update(upper, rows[block].copy(order="F"))
        seen += block.stop - block.start
    assert seen == count
    same_decomposition(upper, rows)
    other = rng.standard_normal((int(rng.integers(1, 90)), columns))
    lower = np.zeros((columns, columns), order="F")
    triangles.update(lower, other.copy(order="F"))
    before = upper.tobytes(), lower.tobytes()
    same_decomposition(triangles.join(upper, lower), np.vstack([rows, other]))
    width, root = int(rng.integers(1, columns + 1)), 0.3
    same_decomposition(
        triangles.penalise(upper, width, root), np.vstack([rows, root * np.eye(width, columns)])
    )
    assert (upper.tobytes(), lower.tobytes()) == before


@pytest.mark.parametrize("seed", range(6))
def test_pieces_in_any_order_give_the_solutions_of_their_rows(seed):
    rng = np.random.default_rng(seed)
    count, width, outputs = int(rng.integers(60, 300)), int(rng.integers(1, 40)), int(rng.integers(1, 4))
    x, y = rng.standard_normal((count, width)) + 3, rng.standard_normal((count, outputs))
    sequences = np.sort(rng.integers(0, 9, count))
    division = by_time(count, 0.6, 4) if seed % 2 else by_sequence(sequences, np.zeros(9, np.int64), 0.5, 3)
    solver, grid = Rows(x, y, division), np.array([1e-9, 0.01, 3.0])
    for pieces in [*(fitted for fitted, _ in division.trials), division.pieces, division.pieces[1:]]:
        if not pieces:
            continue
        rows = np.concatenate([np.arange(count)[division.rows(piece)] for piece in pieces])
        weights, bias, _ = solver.solve(pieces, grid)
        used_x, used_y = solver.x[rows], solver.y[rows]
        for k, alpha in enumerate(grid):
            centred, right = used_x - used_x.mean(axis=0), used_y - used_y.mean(axis=0)
            top = np.vstack([centred, np.sqrt(alpha * len(rows)) * np.eye(width)])
            wanted = np.linalg.lstsq(top, np.vstack([right, np.zeros((width, outputs))]), rcond=None)[0]
            np.testing.assert_allclose(weights[:, k], wanted, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(
                bias[k], used_y.mean(axis=0) - used_x.mean(axis=0) @ wanted, rtol=1e-6, atol=1e-9
            )
    one, bias = solver.last(0.01)
    every, biases, _ = solver.solve(division.pieces, np.array([0.01]))
    np.testing.assert_allclose(one, every[:, 0], rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(bias, biases[0], rtol=1e-7, atol=1e-10)


def test_a_join_of_the_first_pieces_is_charged_once():
    rng = np.random.default_rng(0)
    division = by_time(200, 0.5, 2)
    solver, grid = Rows(rng.standard_normal((200, 9)), rng.standard_normal((200, 1)), division), np.ones(1)
    work = [solver.work]
    for pieces in ((0,), (0, 1), (0, 1), division.pieces, division.pieces):
        solver.charge(pieces, grid)
        work.append(solver.work)
    alone, joined, again, three, again_three = np.diff(work).tolist()
    assert alone == again == again_three
    assert joined == three == alone + triangles.join_work(11)
