"""Plots: what they show as arrays, files that are the same bytes again, and parts of a page."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from comparisons import CENTRES, made_up, made_up_curves, made_up_predictions
from matplotlib.figure import Figure

from evorrn.lab.report import plots
from evorrn.lab.report.figures import inline_svg
from evorrn.lab.report.learning import draw_learning, draw_losses
from evorrn.lab.report.memories import draw_energies
from evorrn.lab.report.outputs import draw_predictions
from evorrn.lab.report.rankings import draw_ranking
from evorrn.lab.report.style import legend_above, places
from evorrn.lab.runs.outputs import Predictions
from evorrn.lab.study.curves import Curve, quantile_curves
from evorrn.lab.study.ranking import make_baselines, ranked

PNG = b"\x89PNG\r\n\x1a\n"


def labels(shape=(6, 20), classes=4, seed=0):
    rng = np.random.default_rng(seed)
    scored = np.zeros(shape, dtype=bool)
    scored[:, -5:] = True
    return Predictions(rng.integers(0, classes, shape), rng.normal(size=(*shape, classes)), scored)


def sums(sequences=30, seed=0):
    """Return predictions of sequences that are scored at their last step alone."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 2, (sequences, 10, 1))
    scored = np.zeros((sequences, 10), dtype=bool)
    scored[:, -1] = True
    return Predictions(truth, truth + rng.normal(0, 0.1, truth.shape), scored)


def test_best_so_far_by_hand():
    curve = Curve(np.arange(6.0), np.array([np.nan, 3.0, 5.0, np.inf, 2.0, 4.0])).best_so_far()
    assert curve.spent.tolist() == [1, 2, 3, 4, 5]
    assert curve.loss.tolist() == [3, 3, 3, 2, 2]


def test_best_so_far_of_a_run_that_only_diverged_is_empty():
    assert len(Curve(np.arange(3.0), np.full(3, np.nan)).best_so_far().loss) == 0
    assert len(Curve(np.zeros(0), np.zeros(0)).best_so_far().loss) == 0


def test_median_curve_begins_where_all_runs_have_a_loss_and_keeps_last_losses():
    runs = [
        Curve(np.array([1.0, 10.0]), np.array([9.0, 3.0])),
        Curve(np.array([2.0, 4.0]), np.array([6.0, 5.0])),
        Curve(np.array([1.0, 100.0]), np.array([7.0, 1.0])),
    ]
    (middle,) = quantile_curves(runs, [0.5])
    assert middle.spent[0] == 2.0
    assert middle.spent[-1] == 100.0
    assert middle.loss[0] == 7.0  # of 9, 6 and 7
    assert middle.loss[-1] == 3.0  # of 3, 5 and 1
    at_five = middle.loss[np.searchsorted(middle.spent, 5.0)]
    assert at_five == 7.0  # of 9, 5 and 7


def test_median_curve_of_single_points():
    runs = [Curve(np.array([5.0]), np.array([loss])) for loss in (1.0, 3.0)]
    (middle,) = quantile_curves(runs, [0.5])
    assert middle.spent[0] == middle.spent[-1] == 5.0
    assert set(middle.loss) == {2.0}


def test_excerpt_holds_scored_steps_alone_with_gaps_between_sequences():
    truth = np.arange(12.0).reshape(2, 6, 1)
    scored = np.array([[0, 0, 1, 1, 0, 1], [0, 1, 1, 1, 1, 1]], dtype=bool)
    shown, predicted = Predictions(truth, truth + 100, scored).excerpt(longest=5)
    np.testing.assert_array_equal(shown, [2, 3, 5, np.nan, 7, 8])
    np.testing.assert_array_equal(predicted, [102, 103, 105, np.nan, 107, 108])


def test_excerpt_of_logits_is_the_label_they_choose():
    shown = labels()
    truth, predicted = shown.excerpt(longest=5)
    np.testing.assert_array_equal(truth, shown.truth[0, -5:])
    np.testing.assert_array_equal(predicted, shown.predicted[0, -5:].argmax(axis=1))


def test_excerpt_leaves_out_what_is_not_finite():
    truth = np.zeros((1, 3, 1))
    predicted = np.array([1.0, np.inf, np.nan]).reshape(1, 3, 1)
    _, shown = Predictions(truth, predicted, np.ones((1, 3), dtype=bool)).excerpt()
    np.testing.assert_array_equal(shown, [1, np.nan, np.nan])


def draw_everything(folder, suffix):
    comparison, curves = made_up(), made_up_curves()
    shown = made_up_predictions()
    history = {
        "work": curves["ga"][0].spent,
        "train_loss": curves["ga"][0].loss,
        "valid_loss": curves["esn"][0].loss,
    }
    plots.learning_curve(history, folder / f"learning{suffix}", np.arange(60.0))
    plots.run_outputs_plot(shown, folder / f"predictions{suffix}")
    plots.forecast_plot(shown.truth[0], shown.predicted[0, -20:], folder / f"forecast{suffix}")
    plots.comparison_plot(comparison, curves, None, folder / f"ranking{suffix}")
    plots.comparison_plot(comparison, curves, shown, folder / f"picture{suffix}")
    return sorted(folder.glob(f"*{suffix}"))


def test_the_same_data_give_the_same_svg(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = draw_everything(tmp_path / "a", ".svg"), draw_everything(tmp_path / "b", ".svg")
    assert len(first) == len(second) == 5
    for one, other in zip(first, second):
        assert one.read_bytes() == other.read_bytes()
        text = one.read_text()
        ElementTree.fromstring(text)
        assert "dc:date" not in text


def test_png_files_are_png(tmp_path):
    for path in draw_everything(tmp_path, ".png"):
        assert path.read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    "shown",
    [
        made_up_predictions(),
        labels(),
        sums(),
        Predictions(np.ones((1, 30, 2)), np.full((1, 30, 2), np.nan), np.ones((1, 30), dtype=bool)),
    ],
    ids=["series", "labels", "one step a sequence", "diverged"],
)
def test_predictions_of_every_kind_can_be_drawn(shown, tmp_path):
    plots.run_outputs_plot(shown, tmp_path / "p.svg")
    assert (tmp_path / "p.svg").stat().st_size > 1000


def test_histories_that_diverged_can_be_drawn(tmp_path):
    history = {
        "work": np.arange(1, 4),
        "train_loss": np.full(3, np.nan),
        "valid_loss": np.array([np.inf, 1.0, np.nan]),
    }
    plots.learning_curve(history, tmp_path / "l.svg")
    plots.forecast_plot(np.arange(5.0), np.array([1.0, np.nan, np.inf]), tmp_path / "f.svg")


def test_a_single_step_has_marks_and_no_exponent_stands_over_the_names():
    """A line of one point is not seen: readouts that are solved once had empty pictures of learning."""
    history = {"work": np.array([1e6]), "train_loss": np.array([8e-6]), "valid_loss": np.array([8e-6])}
    axes = Figure().add_subplot()
    draw_losses(axes, history["work"], history, "work")
    assert [line.get_marker() for line in axes.lines] == ["o", "o"]
    assert axes.get_ylim() == (0.0, 1.6e-5) and not axes.yaxis.get_major_formatter().get_offset()
    longer = {name: np.array([3.0, 2.0, 1.0]) for name in history}
    axes = Figure().add_subplot()
    draw_losses(axes, longer["work"], longer, "work")
    assert [line.get_marker() for line in axes.lines] == ["", ""]


def test_a_recall_that_changes_nothing_has_a_mark_for_its_energy():
    axes = Figure().add_subplot()
    draw_energies(axes, [np.array([-4.0]), np.array([-3.0])])
    assert all(line.get_marker() for line in axes.lines) and axes.get_xlim()[1] > 1
    axes = Figure().add_subplot()
    draw_energies(axes, [np.array([-1.0, -2.0, -3.0, -4.0]), np.array([-3.0])])
    assert [bool(line.get_marker()) for line in axes.lines] == [False, True] and axes.get_xlim()[1] > 3


def colours(comparison):
    return places([row.strategy for row in comparison.rows])


def ranking(comparison):
    """Return the ranking of a comparison as an SVG element."""
    entries = ranked(comparison.rows, comparison.baselines, comparison.metric)
    given = (entries, comparison.metric, colours(comparison))
    return inline_svg(lambda axes: draw_ranking(axes, *given), 6, 4, "ranking")


@pytest.mark.parametrize("value", [1e-320, 1e-9, 0.3, 0.9, 1e5])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_ranking_that_a_baseline_leads_or_closes_is_drawn_without_a_warning(value, seeds):
    comparison = made_up(seeds, failed=0)
    baselines = make_baselines({"first": [value] * seeds, "second": [0.5] * seeds}, comparison.metric)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ranking(replace(comparison, baselines=tuple(baselines)))
        ranking(replace(comparison, rows=(), baselines=tuple(baselines)))


def inline_all(comparison, curves):
    found = colours(comparison)
    return [
        ranking(comparison),
        inline_svg(lambda axes: draw_learning(axes, curves, found, "work"), 6, 3, "learning curves"),
        inline_svg(lambda axes: draw_learning(axes, curves, found, "work", band=True), 6, 3, "bands"),
        inline_svg(lambda axes: draw_predictions(axes, made_up_predictions(), "esn"), 6, 3, "predictions"),
    ]


def test_parts_of_a_page_share_no_ids_and_refer_to_what_is_there():
    seen: set[str] = set()
    for text in inline_all(made_up(), made_up_curves()):
        assert text.startswith("<svg viewBox=")
        own = set(re.findall(r'\bid="([^"]+)"', text))
        assert own.isdisjoint(seen)
        seen |= own
        used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text))
        assert {a or b for a, b in used} <= own


def test_parts_of_a_page_take_colours_and_font_from_it():
    for text in inline_all(made_up(), made_up_curves()):
        assert not re.findall(r"#[0-9a-f]{6}\b", text)
        assert "var(--ink)" in text
        assert "DejaVu" not in text


def test_every_seed_is_a_mark_in_the_ranking():
    comparison = made_up(7, failed=2)
    text, found = ranking(comparison), colours(comparison)
    marks = {
        name: len(re.findall(rf"<use [^>]*fill: var\(--series-{place + 1}\)", text))
        for name, place in found.items()
    }
    assert marks == {"ga": 5, "esn": 7, "bptt": 7, "random": 7}
    assert "2 failed" in text
    for name in (*CENTRES, "persistence", "mean", "linear autoregression"):
        assert f">{name}</text>" in text


def test_a_ranking_in_which_all_failed_can_be_drawn():
    assert "3 failed" in ranking(made_up(3, failed=3, centres={"ga": 0.5}))


def test_learning_curves_without_any_run_can_be_drawn():
    assert "<svg" in inline_svg(lambda axes: draw_learning(axes, {"ga": []}, {"ga": 0}, "work"), 6, 3, "l")


def test_matplotlib_is_not_imported_before_something_is_drawn():
    code = "import sys, evorrn.lab.compare, evorrn.lab.report; print('matplotlib' in sys.modules, 'jinja2' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("names", "columns"), [(["ga", "esn", "bptt", "random"], 4), (["mutation_size 0.161"] * 8, 2)]
)
def test_a_legend_takes_as_many_columns_as_there_is_room_for(names, columns):
    """Else the layout collapses, and the picture with it."""
    found = []

    def draw(axes):
        for place, name in enumerate(names):
            axes.plot([0, 1], [place, 1], label=name)
        legend_above(axes)
        found.append(axes)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inline_svg(draw, 5.6, 3.5, "many names")
    (axes,) = found
    assert axes.get_legend()._ncols == columns
    assert axes.get_position().width > 0.6 and axes.get_legend().get_window_extent().x1 < axes.figure.bbox.x1
