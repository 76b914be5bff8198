"""The site: every page as an HTML file that needs no network, made on first use and kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from evorrn.base.errors import EvorrnError, UnknownName
from evorrn.base.files import cache_folder, write_atomic
from evorrn.docs.contents import PAGES, Entry, chapters, entries
from evorrn.docs.markdown import anchor, title, to_html
from evorrn.docs.reference import reference_page

LAST = "search.js"
"""The file that is written last, so that a folder that holds it is complete."""


def site(commands: str) -> Path:
    """Return the folder of the rendered pages; they are rendered when they are not there yet.

    The folder lies in the cache folder, under a name that follows from the files of the package. Pages that were
    rendered from other files are removed.

    Parameters
    ----------
    commands : str
        The page of the commands, in Markdown.
    """
    above = cache_folder() / "docs"
    folder = above / _state()
    if not (folder / LAST).is_file():
        build(folder, commands)
        for other in above.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    return folder


def build(folder: Path, commands: str) -> None:
    """Render every page into a folder, with the pictures and the index of the search.

    Raises
    ------
    EvorrnError
        When the folder cannot be written.
    """
    pages = entries()
    texts = {page.name: _text(page, commands) for page in pages}
    titles = {name: title(text) for name, text in texts.items()}
    template = _template()
    try:
        for place, page in enumerate(pages):
            content = {
                "page": page,
                "chapters": chapters(),
                "titles": titles,
                "body": _markup(to_html(texts[page.name])),
                "sections": _headings(texts[page.name]) if page.generated else [],
                "root": "../" * page.name.count("/"),
                "before": pages[place - 1] if place else None,
                "after": pages[place + 1] if place + 1 < len(pages) else None,
            }
            write_atomic(folder / f"{page.name}.html", template.render(content))
        for picture in sorted(path for path in PAGES.rglob("*") if path.suffix in (".svg", ".png")):
            write_atomic(folder / picture.relative_to(PAGES), picture.read_bytes())
        write_atomic(folder / LAST, _search(texts, titles))
    except OSError as error:
        raise EvorrnError(
            f"docs: cannot write the pages to {folder}: {error.strerror or error}; give another folder with --to"
        ) from None


def _text(page: Entry, commands: str) -> str:
    """Return a page in Markdown."""
    if page.name == "reference/commands":
        return commands
    return reference_page(page.name) if page.generated else page.source.read_text(encoding="utf-8")


def page_file(folder: Path, name: str) -> Path:
    """Return the file of a page in a rendered site, by its name or the last part of it.

    Raises
    ------
    UnknownName
        When there is no such page.
    """
    names = {page.name.rpartition("/")[2]: page.name for page in entries()}
    names |= {page.name: page.name for page in entries()}
    if name not in names:
        raise UnknownName("page", name, sorted({page.name for page in entries()}))
    return folder / f"{names[name]}.html"


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html")


def _markup(html: str) -> Any:
    from markupsafe import Markup

    return Markup(html)


def _search(texts: dict[str, str], titles: dict[str, str]) -> str:
    """Return the script of the search with its index: each section of a page with its words."""
    index = []
    for name, text in texts.items():
        for number, section in enumerate(_sections(text)):
            heading = section.partition("\n")[0].lstrip("# ").strip()
            address = f"{name}.html" if not number else f"{name}.html#{anchor(heading)}"
            index.append([address, titles[name], "" if not number else heading, " ".join(section.split())])
    script = (Path(__file__).parent / "templates" / LAST).read_text(encoding="utf-8")
    return f"const PAGES = {json.dumps(index)};\n{script}"


def _sections(text: str) -> list[str]:
    """Return a page cut at its headings of the second level; the first piece is what stands before them."""
    found: list[list[str]] = [[]]
    code = False
    for line in text.splitlines():
        code ^= line.startswith("```")
        if line.startswith("## ") and not code:
            found.append([])
        found[-1].append(line)
    return ["\n".join(lines) for lines in found]


def _headings(text: str) -> list[tuple[str, str]]:
    """Return the headings of the second level with their names in links."""
    headings = [section.partition("\n")[0].removeprefix("## ") for section in _sections(text)[1:]]
    return [(heading, anchor(heading)) for heading in headings]


def _state() -> str:
    """Return a hash of the names, sizes and times of the files of the package and of its tasks."""
    import evorrn
    import evorrn_tasks

    found = hashlib.sha256(evorrn.__version__.encode())
    for package in (evorrn, evorrn_tasks):
        root = Path(str(package.__file__)).parent
        for folder, _, names in sorted(os.walk(root)):
            for name in sorted(names):
                if name.endswith((".py", ".md", ".html", ".css", ".js", ".svg", ".png")):
                    about = os.stat(os.path.join(folder, name))
                    found.update(f"{folder}/{name} {about.st_size} {about.st_mtime_ns}".encode())
    return found.hexdigest()[:16]
