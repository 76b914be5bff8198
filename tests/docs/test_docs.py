"""The documentation: its pages are complete, its links lead somewhere, and nothing comes from a network."""

import re
from html.parser import HTMLParser

import pytest
from browser import Browser, find_browser
from examples import PICTURE, run_page

from evorrn.cells.find import CELLS
from evorrn.cli.app import command
from evorrn.cli.command_pages import commands_page
from evorrn.docs.contents import PAGES, entries
from evorrn.docs.equations import tex
from evorrn.docs.markdown import anchor, code_blocks, mathml, to_html
from evorrn.docs.site import build

WRITTEN = [page.name for page in entries() if not page.generated]


class Links(HTMLParser):
    """The links, pictures, scripts and anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.fetched, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given["id"]} if "id" in given else set()
        if tag == "a":
            self.links.append(given["href"])
        if tag in ("img", "script", "link") and (address := given.get("src") or given.get("href")):
            self.fetched.append(address)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build(folder, commands_page(command))
    return folder


def test_every_page_is_in_the_contents():
    listed = {page.source for page in entries() if not page.generated}
    assert listed == set(PAGES.rglob("*.md"))


def test_every_link_leads_to_a_page_and_every_picture_is_there(built):
    pages = {path: Links(path.read_text()) for path in built.rglob("*.html")}
    assert len(pages) == len(entries())
    wrong = []
    for path, page in pages.items():
        for link in [*page.links, *page.fetched]:
            if link.startswith(("http:", "https:")):
                continue
            target, _, name = link.partition("#")
            file = (path.parent / target).resolve() if target else path
            if not file.is_file() or (name and name not in pages[file].anchors):
                wrong.append(f"{path.relative_to(built)}: {link}")
    assert not wrong


def test_nothing_is_fetched_from_a_network(built):
    for path in built.rglob("*.html"):
        assert not [link for link in Links(path.read_text()).fetched if ":" in link], path


def test_every_picture_of_a_page_is_made_by_its_commands():
    for name in WRITTEN:
        text = (PAGES / f"{name}.md").read_text()
        commands = "".join(source for language, source in code_blocks(text) if language in ("bash", "python"))
        missing = [picture for picture in PICTURE.findall(text) if picture not in commands]
        assert not missing, f"{name}: {missing}"


def test_the_search_has_every_section_of_every_page(built):
    script = (built / "search.js").read_text()
    for page in entries():
        assert f'["{page.name}.html", ' in script
    assert f'"reference/cells.html#{anchor("gru-reset-before")}"' in script


def test_equations_are_typeset_from_the_source_of_a_cell():
    assert tex(CELLS.get("gru"))[2:] == [
        r"n_{t} = \tanh\left(W_{\mathrm{n}}\,x_{t} + b_{\mathrm{n}} + "
        r"r_{t} \odot \left(U_{\mathrm{n}}\,h_{t-1} + c_{\mathrm{n}}\right)\right)",
        r"h_{t} = \left(1 - z_{t}\right) \odot n_{t} + z_{t} \odot h_{t-1}",
    ]
    assert tex(CELLS.get("lstm"))[-1] == r"h_{t} = o_{t} \odot \tanh\left(c_{t}\right)"


@pytest.mark.parametrize("name", CELLS.names())
def test_the_equations_of_every_cell_are_typeset_whole(name):
    cell = CELLS.get(name)
    lines = tex(cell)
    assert lines and all(mathml(line, block=True).startswith("<math") for line in lines)
    assert not [line for line in lines if re.search(r"\\text\{[^}]*\bp\.", line)]


def test_equations_in_markdown_become_mathml_and_prices_do_not():
    assert "<math" in to_html("the state $h_t$ moves") and "<msub>" in to_html("$h_t$")
    assert "<math" not in to_html("it costs $5 or $6 a day")
    assert to_html("```math\nx = 1\ny = 2\n```").count("<math") == 2


def test_links_between_pages_in_markdown_lead_to_their_html():
    html = to_html("[a](x.md) [b](../y.md#part) [c](https://example.org/z.md)")
    assert 'href="x.html"' in html and 'href="../y.html#part"' in html and "z.md" in html


@pytest.mark.browser
@pytest.mark.skipif(find_browser() is None, reason="no browser on PATH: chromium or another of its kind")
def test_pages_fit_into_a_narrow_window_and_the_search_finds_a_cell(built, tmp_path):
    page = Browser(find_browser(), tmp_path / "profile")
    try:
        for name in ("index", "course/gates", "tables", "reference/cells"):
            page.open(built / f"{name}.html")
            for width in (1280, 480):
                page.resize(width)
                wide = page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert wide == 0, (name, width)
        page.evaluate(
            "(field => { field.value = 'reset before'; field.dispatchEvent(new Event('input')); })"
            "(document.querySelector('.search input'))"
        )
        assert page.evaluate("document.querySelector('.search ol li a').getAttribute('href')").startswith(
            "../reference/"
        )
        assert page.errors == [] and all(address.startswith(("file:", "data:")) for address in page.requests)
    finally:
        page.close()


@pytest.mark.thorough
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", WRITTEN)
def test_the_examples_of_every_page_run(name, tmp_path):
    run_page(name, tmp_path)
