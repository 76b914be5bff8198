"""Markdown to HTML: tables, coloured code, typeset equations, and links from page to page.

Equations are TeX between dollar signs, or in blocks of code marked ``math``, one equation a line. They become MathML,
which browsers typeset by themselves.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline


def to_html(text: str) -> str:
    """Return Markdown as HTML; links to ``.md`` files lead to the ``.html`` files beside them."""
    return str(_renderer().render(text))


def title(text: str) -> str:
    """Return the first heading of a page in Markdown."""
    return next((line[2:].strip() for line in text.splitlines() if line.startswith("# ")), "")


def code_blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the text of each block of code."""
    for token in _renderer().parse(text):
        if token.type == "fence":
            yield token.info.strip(), token.content


def anchor(heading: str) -> str:
    """Return the name of a heading in links: lower case, words joined by hyphens."""
    return "-".join(re.findall(r"\w+", heading.lower()))


def mathml(tex: str, block: bool = False) -> str:
    """Return an equation in TeX as MathML."""
    from latex2mathml.converter import convert

    return str(convert(tex, display="block" if block else "inline"))


def coloured(source: str, language: str) -> str:
    """Return source text as HTML, with classes for the parts of the language where it is known."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language or "text")
    except ClassNotFound:
        return escape(source)
    return str(highlight(source, lexer, HtmlFormatter(nowrap=True)))


@functools.cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")
    renderer.inline.ruler.before("escape", "math", _math)
    rules = {
        "math": lambda self, tokens, place, *_: mathml(tokens[place].content),
        "fence": lambda self, tokens, place, *_: _fence(tokens[place]),
        "table_open": lambda *_: '<div class="scroll" tabindex="0"><table>\n',
        "table_close": lambda *_: "</table></div>\n",
        "heading_open": _heading,
        "link_open": _link,
    }
    for name, rule in rules.items():
        renderer.add_render_rule(name, rule)
    return renderer


def _math(state: StateInline, silent: bool) -> bool:
    """Read an equation between dollar signs; return whether there is one here."""
    found = re.compile(r"\$(?! )([^$\n]+?)(?<! )\$(?!\d)").match(state.src, state.pos)
    if not found:
        return False
    if not silent:
        state.push("math", "math", 0).content = found[1]
    state.pos = found.end()
    return True


def _fence(token: Any) -> str:
    language = token.info.strip()
    if language == "math":
        lines = [mathml(line, block=True) for line in token.content.splitlines() if line.strip()]
        return f'<div class="equations scroll" tabindex="0">{"".join(lines)}</div>\n'
    kind = "output" if language == "text" else "code"
    return f'<pre class="{kind}" tabindex="0"><code>{coloured(token.content, language)}</code></pre>\n'


def _heading(self: Any, tokens: Any, place: int, options: Any, env: Any) -> str:
    name = anchor(tokens[place + 1].content)
    return f'<{tokens[place].tag} id="{escape(name)}">'


def _link(self: Any, tokens: Any, place: int, options: Any, env: Any) -> str:
    target = str(tokens[place].attrGet("href"))
    if ":" not in target:
        target = re.sub(r"\.md(?=#|$)", ".html", target)
    return f'<a href="{escape(target)}">'
