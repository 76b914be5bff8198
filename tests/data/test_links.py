"""Links of batches, trees from brackets and orders of grids: right ones, and sentences for wrong ones."""

import numpy as np
import pytest

import evorrn
from evorrn import trees
from evorrn.base.errors import ConfigError, DataError, ShapeError
from evorrn_tasks.npz_file import NpzFile

INPUTS, TARGETS = np.zeros((2, 3, 1)), np.zeros((2, 3, 1))
LINKS = np.array([[[-1, -1], [-1, 0], [1, 0]], [[-1, -1], [0, -1], [-1, -1]]])


def test_a_batch_keeps_its_links_and_take_carries_them():
    batch = evorrn.Batch(INPUTS, TARGETS, links=LINKS)
    assert (batch.links == LINKS).all() and batch.links.dtype == np.int64 and not batch.links.flags.writeable
    assert (batch.take([1]).links == LINKS[[1]]).all() and evorrn.Batch(INPUTS, TARGETS).take(
        [0]
    ).links is None
    whole = evorrn.Batch(INPUTS, [[1], [2]], target_lengths=[1, 1], links=LINKS)
    assert (whole.take([1, 0]).links == LINKS[::-1]).all()


def test_links_beyond_the_length_of_a_sequence_have_no_effect():
    given = LINKS.copy()
    given[1, 2] = 77
    batch = evorrn.Batch(INPUTS, TARGETS, lengths=[3, 2], links=given)
    assert (batch.links[1, 2] == -1).all() and (batch.links[0] == LINKS[0]).all()


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ((0, 1, 0), 1, "from -1 to 0 at step 1 of sequence 0, got 1; a link goes to an earlier step"),
        ((1, 0, 1), 2, "from -1 to -1 at step 0 of sequence 1, got 2; a link goes to an earlier"),
        ((1, 2, 1), 9, "from -1 to 1 at step 2 of sequence 1, got 9"),
        ((0, 2, 0), -2, "got -2; -1 stands for no predecessor"),
    ],
)
def test_links_that_point_forward_or_out_of_range_are_refused(place, value, words):
    given = LINKS.copy()
    given[place] = value
    with pytest.raises(DataError, match=words):
        evorrn.Batch(INPUTS, TARGETS, links=given)


@pytest.mark.parametrize("wrong", [LINKS[0], LINKS[:, :2], LINKS[:, :, :0], LINKS.astype(float), LINKS[:1]])
def test_links_of_a_wrong_shape_or_type_are_refused(wrong):
    with pytest.raises(ShapeError, match="links: expected"):
        evorrn.Batch(INPUTS, TARGETS, links=wrong)


def test_links_in_an_archive_reach_every_split(tmp_path):
    rng = np.random.default_rng(0)
    links = np.where(rng.random((12, 4, 2)) < 0.5, -1, np.arange(4)[None, :, None] - 1)
    arrays = {"inputs": rng.standard_normal((12, 4, 2)), "targets": np.arange(12) % 2, "links": links}
    np.savez(tmp_path / "trees.npz", **arrays)
    task = NpzFile(path=str(tmp_path / "trees.npz"))
    found = np.concatenate([batch.links for batch in task.data(0)])
    assert task.arity == 2 and (found == links).all()
    np.savez(tmp_path / "trees.npz", **{**arrays, "links": links + 3})
    with pytest.raises(DataError, match=r"trees\.npz: links: expected numbers"):
        NpzFile(path=str(tmp_path / "trees.npz")).batch  # noqa: B018


@pytest.mark.parametrize(
    ("text", "words", "links", "labels"),
    [
        ("(1 (0 not) (3 good))", ["not", "good", ""], [[-1, -1], [-1, -1], [0, 1]], ["0", "3", "1"]),
        ("((a b) c)", ["a", "b", "", "c", ""], [[-1, -1], [-1, -1], [0, 1], [-1, -1], [2, 3]], [""] * 5),
        ("( (S (NP a) (VP b)) )", ["a", "b", ""], [[-1, -1], [-1, -1], [0, 1]], ["NP", "VP", "S"]),
        ("(2 (0 (1 x)) b)", ["x", "b", ""], [[-1, -1], [-1, -1], [0, 1]], ["0", "", "2"]),
        ("(NP a b c)", ["a", "b", "c", "", ""], [[-1, -1]] * 3 + [[0, 1], [3, 2]], ["", "", "", "NP", "NP"]),
        ("(a)", ["a"], [[-1, -1]], [""]),
    ],
)
def test_brackets_are_read_as_words_links_and_labels(text, words, links, labels):
    found = trees.from_brackets(text)
    assert (found[0], found[1].tolist(), found[2]) == (words, links, labels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got nothing"),
        ("((a b)", "an end without 1 closing brackets"),
        ("(a))", "second root at symbol 4"),
        ("(a) (b)", "second root at symbol 4"),
        ("(a b) c", "second root at symbol 5, 'c'"),
        ("()", "empty brackets"),
        ("(1 (2 a) ())", "empty brackets"),
        ("a", r"expected '\(' at symbol 1, got 'a'"),
        (")", r"expected '\(' at symbol 1"),
    ],
)
def test_brackets_with_two_roots_unbalanced_or_empty_ones_are_refused(text, message):
    with pytest.raises(DataError, match=message):
        trees.from_brackets(text)


def test_a_deep_tree_is_read_without_recursion():
    words, links, _ = trees.from_brackets("(" * 5000 + "a" + " b)" * 5000)
    assert len(words) == 10001 and (links[-1] >= 0).all()


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_a_scan_visits_every_cell_after_its_two_neighbours(corner):
    order, links = trees.scan(3, 5, corner)
    assert sorted(order) == list(range(15)) and (links < np.arange(15)[:, None]).all()
    for time, (above, beside) in enumerate(links):
        row, column = divmod(order[time], 5)
        if above >= 0:
            assert order[above] == (row + (1 if "bottom" in corner else -1)) * 5 + column
        if beside >= 0:
            assert order[beside] == row * 5 + column + (1 if "right" in corner else -1)
    assert (links < 0).sum() == 3 + 5


def test_wrong_corners_and_sizes_are_told():
    with pytest.raises(ConfigError, match=r"corner: .*top-left"):
        trees.scan(2, 2, "topleft")
    with pytest.raises(ConfigError, match="rows: expected a whole number of at least 1, got 0"):
        trees.scan(0, 2)
