"""The report of a sweep, as text and in a real browser."""

from __future__ import annotations

import html
import io
import json
import re

import numpy as np
import pytest
from browser import Browser, find_browser
from made_sweep import AXES, write_sweep

from evorrn.base.errors import EvorrnError
from evorrn.lab.report.sweep import rebuild
from evorrn.lab.runs import index

WANTED = (
    "All tasks together", "Each task", "Which leads hold", "Learning, and what a target costs", "What the axes do",
    "All configurations", "Two axes at a time", "Failures", "Every configuration", "Every run",
    "How to read the numbers", "How to repeat it",
)  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a sweep in which runs have failed, are damaged and are missing."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "index_path", lambda: root / "cache" / "runs.sqlite")
        return rebuild(write_sweep(root))


@pytest.fixture(scope="module")
def page(report):
    return report.path.read_text()


def data(page, name):
    text = re.search(rf'<script type="application/json" id="{name}-data">(.*?)</script>', page, re.DOTALL)[1]
    return json.loads(text, parse_constant=pytest.fail)


def test_every_part_is_there_and_nothing_is_fetched(page):
    heads = [html.unescape(re.sub("<.*?>", "", head)) for head in re.findall(r"<h[23].*?</h[23]>", page)]
    assert [head for head in WANTED if head not in heads] == []
    assert not re.search(r'(?:src|href)="(?!#)', page) and "http://" not in page.replace(
        "http://www.w3.org", ""
    )
    assert (
        page.count("<svg") == 2 + 2 + 1 + 2 * 3 + 3 + 1 + 3
    )  # with these parts, on two tasks and three axes


def test_what_failed_and_what_is_missing_is_shown(page, report):
    assert (
        "MemoryError: &lt;no&gt; more" in page and "Traceback: &lt;here&gt;" in page and "<here>" not in page
    )
    assert "1 damaged" in report.state and "result.json cannot be read" in page
    rows = data(page, "runs")["rows"]
    assert len(rows) == 240 and sum(row[1] == "missing" for row in rows) == 1
    assert "not finished: 1 of 240" in report.cautions[0]


def test_tables_hold_what_the_folders_hold(page):
    runs = data(page, "runs")
    assert runs["columns"][:7] == ["id", "status", *AXES, "seed"] and "test.nrmse_std" in runs["columns"]
    configurations = data(page, "configurations")
    assert len(configurations["rows"]) == 24
    first = dict(zip(configurations["columns"], configurations["rows"][0]))
    test = runs["columns"].index("test.nrmse_std")
    values = [row[test] for row in runs["rows"] if row[2:6] == ["mackey-glass", "ga", "elman", 8]]
    assert first["median"] == pytest.approx(np.median(values)) and first["seeds"] == 10
    assert first["network.hidden"] == 8  # a number, so that it sorts as one


def test_many_runs_make_a_page_that_is_not_much_larger(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "index_path", lambda: tmp_path / "cache" / "runs.sqlite")
    axes = {**AXES, "task.name": ["narma"], "strategy.name": ["ga"], "network.hidden": list(range(4, 44, 2))}
    folder = write_sweep(tmp_path, axes=axes, seeds=10, levels={"narma": 0.4}, trouble=False, history=False)
    written = rebuild(folder)
    assert len(data(written.path.read_text(), "runs")["rows"]) == 400
    assert written.path.stat().st_size < 1_200_000


def test_a_page_that_cannot_be_written_is_said(tmp_path):
    folder = write_sweep(
        tmp_path, axes={**AXES, "task.name": ["narma"]}, seeds=1, levels={"narma": 0.4}, trouble=False
    )
    (folder / "report.html").mkdir()
    with pytest.raises(EvorrnError, match=r"cannot write .*report\.html: Is a directory"):
        rebuild(folder)


browser = pytest.mark.skipif(
    find_browser() is None, reason="no browser on PATH: chromium or another of its kind"
)


@pytest.fixture(scope="module")
def shown(report, tmp_path_factory):
    opened = Browser(find_browser(), tmp_path_factory.mktemp("profile"))
    try:
        opened.resize(1300)
        opened.open(report.path)
        yield opened
    finally:
        opened.close()


@pytest.fixture
def table(shown):
    """The table of runs, as it is when the page has just been loaded."""
    shown.reload()
    return "document.querySelectorAll('.data')[1]"


def column(shown, table, name):
    return shown.evaluate(
        f"(() => {{ const home = {table}; const heads = [...home.querySelectorAll('th')].map(h => h.textContent);"
        f" const at = heads.indexOf('{name}'); return [...home.querySelectorAll('tbody tr')]"
        ".map(row => row.children[at].textContent); })()"
    )


def click(shown, table, name):
    shown.evaluate(
        f"[...{table}.querySelectorAll('th button')].find(b => b.textContent === '{name}').click()"
    )


@browser
@pytest.mark.browser
def test_it_loads_without_errors_and_without_a_network(shown, report):
    assert shown.evaluate("document.title") == "made-up: a sweep"
    assert shown.errors == [] and set(shown.requests) == {f"file://{report.path}"}


@browser
@pytest.mark.browser
@pytest.mark.parametrize("width", [1300, 390])
def test_pictures_are_there_at_any_width_and_nothing_sticks_out(shown, width):
    shown.resize(width)
    boxes = shown.evaluate(
        "[...document.querySelectorAll('figure svg')].map(s => { const b = s.getBoundingClientRect();"
        " return [b.width, b.height, s.querySelectorAll('path').length, s.querySelectorAll('text').length]; })"
    )
    assert len(boxes) == 18 and np.min(boxes, axis=0)[2:].min() >= 2
    assert all(wide > 150 and high > 50 for wide, high, *_ in boxes)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    shown.resize(1300)


@browser
@pytest.mark.browser
def test_the_table_sorts_both_ways_with_what_has_no_value_last(shown, table):
    click(shown, table, "test.nrmse_std")
    ascending = column(shown, table, "test.nrmse_std")
    numbers = [float(text) for text in ascending]
    assert len(numbers) == 200 and numbers == sorted(numbers)
    shown.evaluate(f"{table}.querySelector('button.more').click()")
    everything = column(shown, table, "test.nrmse_std")
    assert len(everything) == 240 and everything[-3:] == [""] * 3 and "" not in everything[:-3]
    click(shown, table, "test.nrmse_std")
    descending = [float(text) for text in column(shown, table, "test.nrmse_std")]
    assert descending == sorted(descending, reverse=True)
    marks = shown.evaluate(
        f"[...{table}.querySelectorAll('th[aria-sort]')].map(h => h.ariaSort + h.textContent)"
    )
    assert marks == ["descendingtest.nrmse_std"]
    click(shown, table, "network.hidden")
    assert column(shown, table, "network.hidden") == ["8"] * 120 + ["16"] * 80  # as numbers, not as words


@browser
@pytest.mark.browser
def test_the_table_filters_by_words_and_by_choice(shown, table):
    def told():
        return shown.evaluate(f"{table}.querySelector('output').textContent")

    assert told() == "240 of 240 runs, the first 200 shown"
    choose = "(name, value) => {{ const s = {0}.querySelector(`select[aria-label='${{name}}']`); s.value = value; s.dispatchEvent(new Event('change')); }}"
    shown.evaluate(f"({choose.format(table)})('strategy.name', 'esn')")
    assert told() == "80 of 240 runs" and set(column(shown, table, "strategy.name")) == {"esn"}
    shown.evaluate(f"({choose.format(table)})('network.cell', 'lstm')")
    assert told() == "40 of 240 runs"
    shown.evaluate(
        f"(() => {{ const i = {table}.querySelector('input'); i.value = 'NARMA lstm'; i.dispatchEvent(new Event('input')); }})()"
    )
    assert told() == "20 of 240 runs" and set(column(shown, table, "task.name")) == {"narma"}
    shown.evaluate(
        f"(() => {{ const i = {table}.querySelector('input'); i.value = 'nothing like it'; i.dispatchEvent(new Event('input')); }})()"
    )
    assert told() == "0 of 240 runs" and column(shown, table, "id") == []


@browser
@pytest.mark.browser
def test_statuses_can_be_chosen(shown, table):
    options = shown.evaluate(
        f"[...{table}.querySelector(`select[aria-label='status']`).options].map(o => o.text)"
    )
    assert options == ["all", "complete", "damaged", "failed", "missing"]


@browser
@pytest.mark.browser
def test_it_is_dark_where_dark_is_preferred_and_light_elsewhere(shown):
    from matplotlib.image import imread

    brightness = {}
    for scheme in ("light", "dark"):
        shown.scheme(scheme)
        shown.evaluate("window.scrollTo(0, document.querySelector('figure').offsetTop)")
        picture = imread(io.BytesIO(shown.screenshot()))[..., :3]
        brightness[scheme] = float(picture.mean())
        assert picture.std() > 0.02  # there is something to see
    shown.scheme("light")
    assert brightness["light"] > 0.9 and brightness["dark"] < 0.2


@browser
@pytest.mark.browser
def test_nothing_went_wrong_in_all_of_this(shown):
    assert shown.errors == []
