"""The report: one page that needs nothing but itself and tells everything that was kept."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import Browser, find_browser
from comparisons import CENTRES, made_up, write_runs
from jinja2 import Environment, FileSystemLoader

from evorrn.base.errors import RunError
from evorrn.lab.report import comparison as report
from evorrn.lab.report.tables import Entry, Table
from evorrn.lab.study.sentences import comparison as sentences


class Page(HTMLParser):
    """Collects the text, the tags and every address that a page refers to."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.addresses, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [
            value for name, value in attributes if name in ("src", "href", "xlink:href", "data")
        ]
        if tag not in ("meta", "path", "use", "br", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [
            value for name, value in attributes if name in ("src", "href", "xlink:href", "data")
        ]

    def handle_endtag(self, tag):
        if tag in ("path", "use", "rect"):
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    comparison = made_up()
    write_runs(comparison, root)
    path = root / "comparisons" / "ab" / "report.html"
    report.write_report(comparison, root, path)
    return comparison, root, path


@pytest.fixture(scope="module")
def page(made):
    return Page(made[2].read_text(encoding="utf-8"))


def test_the_page_is_well_formed_and_needs_nothing_but_itself(page):
    assert page.open == []
    assert all(address.startswith("#") for address in page.addresses)
    assert not {"link", "img", "iframe"} & set(page.tags)


def test_no_address_of_the_network_is_in_it(made):
    text = made[2].read_text(encoding="utf-8").replace("http://www.w3.org/", "")
    assert "http" not in text
    assert "@import" not in text


def test_the_answer_and_the_cautions_stand_on_it(made, page):
    comparison = made[0]
    assert sentences.answer(comparison) in page.text
    for text in [*sentences.cautions(comparison), *sentences.notes(comparison)]:
        assert text in page.text


def test_the_ranking_is_narrow_enough_for_a_laptop(made):
    text = made[2].read_text(encoding="utf-8")
    assert text.count('<table class="sortable ranking">') == 1
    assert ".ranking th { white-space: normal;" in text  # its headings are the widest of its cells


def test_every_plot_is_on_it(page):
    assert page.tags.count("svg") == 1 + 2 + len(CENTRES) * (1 + 3)  # predictions, and three of residuals


def test_every_run_stands_on_it_with_its_folder(made, page):
    for row in made[0].rows:
        for folder in row.runs:
            assert folder in page.text
    assert "made to fail" in page.text


def test_how_to_repeat_it_and_where_it_ran_stand_on_it(made, page):
    assert made[0].command in page.text
    assert "3.11.7" in page.text
    assert "Someone 1990" in page.text


def test_the_same_runs_give_the_same_page(made):
    comparison, root, path = made
    assert report.page(comparison, root) == path.read_text(encoding="utf-8")


def test_a_page_can_be_made_again_from_its_folder(made, tmp_path):
    comparison, root, path = made
    (tmp_path / "comparison.json").write_text(json.dumps(comparison.as_dict()))
    again = report.rebuild(tmp_path, root)
    assert again.as_dict() == comparison.as_dict()
    assert (tmp_path / "report.html").read_text() == path.read_text()


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"metric": "rmse"}', "\x00\x01"])
def test_a_folder_without_a_comparison_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / "comparison.json").write_text(content)
    with pytest.raises(RunError, match=r"comparison\.json"):
        report.rebuild(tmp_path, tmp_path)


def test_names_are_text_and_never_markup(made, tmp_path):
    comparison, root, _ = made
    spoiled = type(comparison)(**{**vars(comparison), "command": "<script>alert(1)</script>"})
    assert "<script>alert" not in report.page(spoiled, root)


def test_a_page_can_be_made_when_all_runs_are_gone(tmp_path):
    page = Page(report.page(made_up(), tmp_path))
    assert "no files" in page.text
    assert page.open == []


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_page_of_few_seeds(seeds, tmp_path):
    comparison = made_up(seeds, failed=0)
    write_runs(comparison, tmp_path)
    text = Page(report.page(comparison, tmp_path)).text
    assert f"With {seeds} seed" in text and "no p-value can be below" in text


def test_a_strategy_that_failed_throughout_has_no_predictions(tmp_path):
    comparison = made_up(4, failed=4)
    write_runs(comparison, tmp_path)
    page = Page(report.page(comparison, tmp_path))
    assert page.tags.count("svg") == 1 + 2 + (len(CENTRES) - 1) * (1 + 3)


def test_the_picture_of_a_comparison(made, tmp_path):
    comparison, root, _ = made
    report.write_picture(comparison, root, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 20_000


browser = pytest.mark.skipif(
    find_browser() is None, reason="no browser on PATH: chromium or another of its kind"
)


@pytest.fixture(scope="module")
def shown(made, tmp_path_factory):
    opened = Browser(find_browser(), tmp_path_factory.mktemp("profile"))
    try:
        opened.open(made[2])
        yield opened
    finally:
        opened.close()


def column(shown, place):
    """Return the texts of a column of the ranking."""
    return shown.evaluate(
        f"[...document.querySelectorAll('table.ranking tbody tr')].map(row => row.cells[{place}].textContent)"
    )


def click(shown, place):
    shown.evaluate(f"document.querySelectorAll('table.ranking th button')[{place}].click()")
    return column(shown, place)


@browser
@pytest.mark.browser
def test_the_ranking_sorts_by_numbers_with_what_has_none_last_and_goes_back(shown):
    assert shown.errors == []
    for place in (1, 3):  # the median, and the lead over a baseline in per cent
        before = column(shown, place)
        for step, sign in ((click(shown, place), 1), (click(shown, place), -1)):
            numbers = [float(text.rstrip(" %")) for text in step if text]
            assert numbers == sorted(numbers, key=lambda value: sign * value)
            assert step[len(numbers) :] == [""] * (len(step) - len(numbers)) and len(numbers) >= 4
        assert click(shown, place) == before


@browser
@pytest.mark.browser
@pytest.mark.parametrize("cells,ascending", [
    (["5.1G", "900M", "12k", "–", "7"], ["7", "12k", "900M", "5.1G", "–"]),
    (["10 of 12", "9 of 12", "", "failed"], ["9 of 12", "10 of 12", "failed", ""]),
    (["[0.35, 0.4]", "[0.312, 0.9]", "1.2e-05", "-3", "\u22124"], ["\u22124", "-3", "1.2e-05", "[0.312, 0.9]", "[0.35, 0.4]"]),
    (["gru 16", "gru 4", "elman 8"], ["elman 8", "gru 4", "gru 16"]),
    (["2021-03-04", "2021-01-30", "2020-12-31"], ["2020-12-31", "2021-01-30", "2021-03-04"]),
])  # fmt: skip
def test_sizes_shares_intervals_names_and_dates_are_in_order(cells, ascending, tmp_path, shown):
    rows = [Entry((cell,)) for cell in cells]
    module = (
        Environment(loader=FileSystemLoader(Path(report.__file__).parent / "templates"), autoescape=True)
        .get_template("macros.html")
        .module
    )
    script = (Path(report.__file__).parent / "templates" / "sort.js").read_text(encoding="utf-8")
    (tmp_path / "t.html").write_text(
        f"<meta charset=utf-8>{module.table(Table(('a',), 'r', rows), 'ranking')}<script>{script}</script>",
        encoding="utf-8",
    )
    shown.open(tmp_path / "t.html")
    assert click(shown, 0) == ascending


@browser
@pytest.mark.browser
def test_at_480_pixels_the_page_does_not_stick_out_and_wide_tables_scroll_with_a_shadow(shown, made):
    shown.open(made[2])
    shown.resize(480)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 480
    wide = shown.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(home => home.scrollWidth > home.clientWidth)"
        ".map(home => [getComputedStyle(home).overflowX, getComputedStyle(home).backgroundImage, home.tabIndex])"
    )
    assert len(wide) >= 2
    assert all(overflow == "auto" and "gradient" in shadow and tab == 0 for overflow, shadow, tab in wide)
    shown.resize(1300)
