"""How a population went along, and a genome: what is taken from a run, and what is drawn of it."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from comparisons import made_up, write_runs
from tiny import WAVE, raw

from evorrn import Network
from evorrn.base.errors import RunError
from evorrn.lab.report import comparison as report
from evorrn.lab.report import plots
from evorrn.lab.report.evolution import (
    LONGEST,
    PANELS,
    Evolution,
    draw_fitness,
    draw_step_sizes,
    panel_height,
)
from evorrn.lab.report.figures import inline_svg
from evorrn.lab.report.genome import HEIGHT, WIDTH, _places, _tiles, colour_scale, draw_genome, genome_height
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.spec import resolve
from evorrn.lab.runs.store import RunFolder
from evorrn.training.history import load_history, save_history


def history(generations=30, blocks=2, **columns):
    """Return the history of a search that comes nearer by a tenth in each generation."""
    loss = 0.9 ** np.arange(generations)
    made = {
        "fitness_best": -loss,
        "fitness_median": -2 * loss,
        "fitness_low": -3 * loss,
        "fitness_high": -1.5 * loss,
        "diversity": loss / 2,
        "restarts": np.zeros(generations, dtype=int),
        **{f"step_size.layer0.U_{block}": loss / (block + 1) for block in range(blocks)},
    }
    return {**made, **columns}


def drawn(draw, evolution):
    """Return a panel as an SVG element."""
    return inline_svg(lambda axes: draw(axes, evolution, 0), 3.8, 2.8, "panel")


def words(text):
    return re.findall(r"<text[^>]*>([^<]*)</text>", text)


# ----------------------------------------------------------------------------- a population's evolution


def test_a_history_without_a_population_has_no_evolution():
    assert Evolution.of({}) is None
    assert Evolution.of({"work": np.arange(3), "train_loss": np.arange(3.0)}) is None
    assert Evolution.of(history(diversity=np.full(30, np.nan))) is None


def test_restarts_and_bursts_are_after_the_generation_that_counted_them():
    counts = np.repeat([0, 1, 3], 10)
    bursts = np.zeros(30)
    bursts[4:] = 1
    evolution = Evolution.of(history(restarts=counts, bursts=bursts))
    assert evolution.restarts.tolist() == [5, 11, 21]


def test_a_stage_without_a_population_is_left_out():
    made = history(6)
    evolution = Evolution.of({name: np.append(np.full(4, np.nan), column) for name, column in made.items()})
    assert evolution.generation.tolist() == [5, 6, 7, 8, 9, 10]
    np.testing.assert_array_equal(evolution.best, made["fitness_best"])
    assert evolution.restarts.size == 0


def test_a_long_run_is_thinned_evenly():
    counts = (np.arange(5000) >= 2501).astype(int)
    evolution = Evolution.of(history(5000, restarts=counts))
    assert 0.5 * LONGEST <= len(evolution.generation) <= LONGEST
    assert set(np.diff(evolution.generation)) == {13} and evolution.restarts.tolist() == [2502]
    assert all(len(values) == len(evolution.generation) for values in evolution.steps.values())


def test_mutation_sizes_that_evolve_are_the_step_sizes():
    own = {f"mutation_size.{block}": np.full(30, block + 7.0) for block in range(2)}
    evolution = Evolution.of(history(**own))
    assert {name: values[0] for name, values in evolution.steps.items()} == {
        "layer0.U_0": 7.0, "layer0.U_1": 8.0
    }  # fmt: skip
    evolution = Evolution.of(history(mutation_size=np.full(30, 5.0)))
    assert list(evolution.steps) == ["all blocks"] and evolution.steps["all blocks"][0] == 5.0


def test_fitness_below_zero_and_far_apart_is_on_a_logarithmic_axis():
    assert {"−1", "−0.1"} <= set(words(drawn(draw_fitness, Evolution.of(history(60)))))
    near = history(30, **{f"fitness_{name}": -1 - np.arange(30) / 100 for name in ("best", "median", "low")})
    near["fitness_high"] = near["fitness_median"]
    assert {"−1.0", "−1.1"} <= set(words(drawn(draw_fitness, Evolution.of(near))))


def test_a_generation_that_went_badly_does_not_flatten_the_others():
    low = history(40)["fitness_low"]
    low[3] = -1e9
    limits = []
    inline_svg(
        lambda axes: (draw_fitness(axes, Evolution.of(history(40, fitness_low=low))), limits.append(axes.get_ylim())),
        3.8, 2.8, "panel",
    )  # fmt: skip
    assert 2 < max(limits[0]) < 100


@pytest.mark.parametrize(
    "made",
    [
        history(1),
        history(2, blocks=20),
        history(5, **{f"fitness_{name}": np.full(5, np.nan) for name in ("best", "median", "low", "high")}),
        history(5, diversity=np.zeros(5)),
        history(5, blocks=0),
        {name: np.abs(column) for name, column in history(5).items()},
    ],
    ids=["one generation", "twenty blocks", "all diverged", "one point", "no blocks", "returns"],
)
def test_evolutions_of_every_kind_can_be_drawn(made, tmp_path):
    evolution = Evolution.of(made)
    plots.evolution_plot(evolution, tmp_path / "evolution.svg")
    text = (tmp_path / "evolution.svg").read_text()
    named = list(evolution.steps) if len(evolution.steps) < 7 else ["15 other blocks"]
    assert all(f">{name}</text>" in text for name in ("fitness", "diversity", "step size", *named))


def test_of_many_blocks_those_that_change_most_are_named_and_the_others_counted():
    made = {f"step_size.layer0.block_{number}": 1.0 + number * np.arange(30.0) for number in range(13)}
    found = words(drawn(draw_step_sizes, Evolution.of(history(blocks=0, **made))))
    legend = [word for word in found if "block" in word]
    assert legend == [*(f"layer0.block_{number}" for number in range(8, 13)), "8 other blocks"]


def test_a_step_size_that_is_zero_but_for_rounding_takes_no_room():
    steps = {"step_size.a": 0.7 ** np.arange(30.0), "step_size.b": np.full(30, 1e-17)}
    found = words(drawn(draw_step_sizes, Evolution.of(history(blocks=0, **steps))))
    assert {"a", "b", "0.01"} <= set(found) and not [word for word in found if "e-" in word]


def test_a_panel_has_room_for_its_legend():
    few, many = (Evolution.of(history(blocks=blocks)) for blocks in (3, 20))
    assert panel_height(many, "step sizes") > panel_height(few, "step sizes")
    assert panel_height(many, "diversity") == panel_height(few, "diversity")


# -------------------------------------------------------------------------------------------- genomes


def shares(norm, genes):
    """Return genes as shares of the full colour, from -1 to 1."""
    return 2 * np.asarray(norm(np.asarray(genes, dtype=float))) - 1


def test_the_scale_of_colours_ends_at_the_largest_gene_or_where_few_are_beyond():
    even, clipped = colour_scale(np.linspace(-2, 1, 100))
    np.testing.assert_allclose(shares(even, [-2.0, 0, 1, 2]), [-1, 0, 0.5, 1])
    assert not clipped
    odd, clipped = colour_scale(np.append(np.linspace(-1, 1, 999), 9.0))
    assert clipped and odd.vmax == pytest.approx(1, abs=0.02)
    assert colour_scale(np.zeros(5))[0].vmax == 1.0


def test_genes_that_are_very_far_apart_are_told_apart():
    norm, clipped = colour_scale(np.array([-0.01, 0.01, 0.02, 0.0, 5000.0]))
    found = shares(norm, [-0.01, 0.01, 0.02, 50.0, 5000.0])
    assert found[0] == pytest.approx(-found[1]) and found[1] > 0.05 and found[4] == pytest.approx(1)
    assert (np.diff(found[1:]) > 0.02).all() and not clipped


def test_tiles_of_a_large_block_keep_its_sizes_and_signs():
    block = np.repeat(np.array([1.0, -2.0, 3.0, -4.0]), 256)[:, None] * np.ones((1, 300))
    tiles = _tiles(block)
    assert tiles.shape == (256, 256)
    np.testing.assert_allclose(tiles[[0, 64, 128, 192], 5], [1, -2, 3, -4])
    small = np.arange(6.0).reshape(2, 3)
    assert _tiles(small) is small


@pytest.mark.parametrize(
    ("settings", "blocks"),
    [
        ({"cell": "elman", "hidden": 1}, 5),
        ({"cell": "lstm", "hidden": 156, "inputs": 3}, 14),
        ({"cell": "gru", "hidden": (12, 6)}, 22),
        ({"cell": "elman", "hidden": 5, "inputs": 60, "outputs": 10}, 5),
    ],
    ids=["5 genes", "100,000 genes", "two layers", "many inputs"],
)
def test_blocks_lie_within_the_picture_and_apart_from_each_other(settings, blocks):
    network = Network(**{"inputs": 1, "outputs": 1, **settings})
    named = network.unpack(network.init(seed=0))
    places = _places(named)
    assert len(places) == blocks
    height = genome_height(named)
    for x, y, wide, high in places:
        assert x >= 0 and x + wide <= WIDTH and y > 0 and y + high < height
    for number, (x, y, wide, high) in enumerate(places):
        for left, top, width, depth in places[:number]:
            assert x >= left + width or left >= x + wide or y >= top + depth or top >= y + high
    if blocks == 5:
        assert height <= HEIGHT + 1


def test_a_block_is_drawn_as_its_matrix_with_rows_downward():
    from PIL import Image

    genome = {"W": np.array([[1.0, -1.0, 0.0], [0.5, 0.0, -0.5]]), "b": np.array([0.25, -1.0])}
    text = inline_svg(lambda axes: draw_genome(axes, genome), WIDTH, genome_height(genome), "genome")
    found = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        for data in re.findall(r'href="data:image/png;base64,\s*([^"]+)"', text)
    ]
    matrix, vector = sorted(found[:2], key=lambda image: -image.shape[1])
    assert matrix.shape == (2, 3, 4) and vector.shape == (2, 1, 4)
    strength = matrix[:, :, 3] / 255
    np.testing.assert_allclose(strength, [[1, 1, 0], [0.5, 0, 0.5]], atol=0.01)
    assert matrix[0, 0, 0] > matrix[0, 0, 2] and matrix[0, 1, 2] > matrix[0, 1, 0]  # orange, and blue
    np.testing.assert_allclose(vector[:, 0, 3] / 255, [0.25, 1], atol=0.01)
    assert {"W", "b", "2 × 3", "2", "−1", "1"} <= set(words(text))
    assert "#d55e00" not in text  # no colour but in the picture itself that the page could not change


# --------------------------------------------------------------------------------- runs and the report


def spec(strategy, budget="4gen"):
    network = {"cell": "elman", "hidden": 3, "dtype": "float64"}
    return resolve({"budget": budget, "task": {"name": WAVE}, "strategy": strategy, "network": network})


def test_a_run_without_pictures_has_them_drawn_afterwards(tmp_path):
    outcome = execute(spec({"name": "snes"}), tmp_path)
    assert not (outcome.path / "plots").exists()
    drawn = plots.draw_run(RunFolder(outcome.path))
    assert [path.name for path in drawn] == [
        "learning.png", "evolution.png", "genome.png", "predictions.png", "residuals.png"
    ]  # fmt: skip
    assert sorted(drawn) == sorted((outcome.path / "plots").iterdir())


def test_a_run_without_a_population_has_the_other_pictures(tmp_path):
    outcome = execute(resolve(raw("3gen")), tmp_path)
    drawn = plots.draw_run(RunFolder(outcome.path))
    assert [path.stem for path in drawn] == ["learning", "genome", "predictions", "residuals"]


def test_a_run_that_is_not_complete_has_what_there_is(tmp_path):
    run = RunFolder(tmp_path / "run")
    with pytest.raises(RunError, match="none yet"):
        plots.draw_run(run)
    made = {name: np.ones(30) for name in ("work", "train_loss", "valid_loss")}
    save_history(run.path, {**made, **history()}, np.arange(30.0))
    assert [path.stem for path in plots.draw_run(run)] == ["learning", "evolution"]


@pytest.mark.parametrize("adaptation", ["none", "block"])
def test_a_genetic_algorithm_records_what_its_population_does(adaptation, tmp_path):
    ga = {"name": "ga", "population": 8, "adaptation": adaptation}
    outcome = execute(spec(ga), tmp_path)
    evolution = Evolution.of(load_history(outcome.path)[0])
    assert (evolution.low <= evolution.median).all() and (evolution.median <= evolution.high).all()
    assert (evolution.high <= evolution.best).all() and (evolution.diversity > 0).all()
    assert list(evolution.steps) == list(outcome.spec.network.blocks)


def test_the_report_shows_populations_and_genomes(tmp_path):
    comparison = made_up(3, failed=0, centres={"ga": 0.4, "esn": 0.3})
    write_runs(comparison, tmp_path)
    assert "populations evolved" not in report.page(comparison, tmp_path)
    folder = execute(spec({"name": "snes"}), tmp_path).path
    for row in comparison.rows:
        if row.strategy in ("ga", "esn"):
            place = int(np.argmin(np.abs(np.asarray(row.values) - row.median)))
            for name in ("genome.npz", "result.json", *(["history.jsonl"] if row.strategy == "ga" else [])):
                (tmp_path / row.runs[place] / name).write_bytes((folder / name).read_bytes())
    text = report.page(comparison, tmp_path)
    evolved = text[text.index("How the populations evolved") :]
    assert len(re.findall(r"<h3><span[^>]*></span>ga, seed \d</h3>", evolved)) == 1
    assert "</span>esn, seed" not in evolved
    for panel in PANELS:
        assert text.count(f'aria-label="{panel} ga. ') == 1
    assert re.search(
        r'aria-label="fitness ga. fitness against generation; median: from [^"]* to [^"]*"', text
    )
    assert text.count('aria-label="genome ') == 2
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)
