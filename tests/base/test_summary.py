"""Summaries of networks, models, results, searches and comparisons: lines of text, and small HTML without scripts."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from comparisons import made_up

import evorrn
from evorrn.base.summary import MOST_ROWS, Summary
from evorrn.cells.find import cells

EVIL = "<script>alert('a & b')</script>"


class Tree(HTMLParser):
    """Checks that tags are closed in order, and keeps the texts and the names of tags."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.attributes = [], set(), [], set()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def shown(thing):
    tree = Tree(thing._repr_html_())
    assert tree.tags <= {"div", "strong", "table", "thead", "tbody", "tr", "th", "td", "p"}
    assert tree.attributes <= {"style"}
    assert len(thing._repr_html_()) < 9000
    return tree.texts


def test_texts_are_escaped_and_columns_are_aligned():
    summary = Summary(EVIL, [(EVIL, EVIL)], (EVIL, "n"), "lr", [(EVIL, "7"), ("x", "12345")], [EVIL])
    assert shown(summary).count(EVIL) == 6
    lines = str(summary).splitlines()
    assert lines[-2].endswith("  12345") and lines[-3].endswith("      7")


def test_long_tables_are_cut_and_say_so():
    summary = Summary("t", (), ("a",), "l", [(f"row {k}",) for k in range(MOST_ROWS + 5)])
    assert "and 5 more" in str(summary) and "and 5 more" in shown(summary)
    assert f"row {MOST_ROWS}" not in str(summary)


@pytest.mark.parametrize("cell", sorted(cells()))
def test_a_network_names_its_blocks_with_their_genes(cell):
    network = evorrn.Network(2, 3, cell=cell, hidden=4)
    texts, lines = shown(network), str(network.summary()).splitlines()
    assert lines[0] == repr(network) == texts[0]
    genes = [int(line.split()[-3]) for line in lines if line.startswith(("  layer", "  readout"))]
    assert sum(genes) == network.size or len(network.blocks) > MOST_ROWS
    assert all(name in texts for name in list(network.blocks)[:MOST_ROWS])


def test_a_result_shows_cost_scores_and_names():
    batch = evorrn.Batch(np.ones((4, 5, 1)), np.zeros((4, 5, 1)))
    network = evorrn.Network(1, 1, hidden=2)
    result = evorrn.GeneticAlgorithm(population=4).fit(network, (batch, batch, batch), budget="3gen")
    result = replace(result, input_names=(EVIL,))
    texts = shown(result)
    assert EVIL in texts and "generations" in texts and {"train", "valid", "test", "rmse"} <= set(texts)
    assert "rmse" in str(result.summary())
    model = evorrn.Model(result.genome, network, output_names=("load",))
    assert "load" in shown(model) and "load" in str(model.summary())


def test_a_search_shows_how_far_it_is():
    search = evorrn.SNES(population=8).search(np.ones(5))
    assert "-inf" in shown(search)
    genomes = search.ask()
    search.tell(genomes, -np.sum(genomes**2, axis=1))
    assert {"8", "1", "5", "population"} <= set(shown(search))
    assert f"{search.best.fitness:.6g}" in str(search.summary())


@pytest.mark.parametrize("metric", ["nrmse_std", "accuracy"])
def test_a_comparison_is_its_ranking_best_first(metric):
    comparison = made_up(metric=metric)
    lines = repr(comparison).splitlines()
    table = [line.split("  ")[1] for line in lines if line.startswith("  ")][2:]
    medians = {row.strategy: row.median for row in comparison.rows}
    medians |= {each.name: each.value for each in comparison.baselines}
    order = sorted(medians, key=medians.__getitem__, reverse=metric == "accuracy")
    assert table == order
    assert set(medians) <= set(shown(comparison)) and len(lines) < 15
