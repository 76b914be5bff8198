"""Docstrings in numpydoc's form as Markdown."""

from __future__ import annotations

import inspect
import re
from typing import Any

INDENT = 4


def as_markdown(text: str) -> str:
    """Return a docstring without indentation as Markdown; its sections become small headings.

    Parameters and the like become a list, examples a block of code, an indented block one too.
    """
    blocks = re.split(r"^([A-Z]\w+(?: \w+)?)\n-{3,}\n", text, flags=re.MULTILINE)
    parts = [_prose(blocks[0])]
    for heading, body in zip(blocks[1::2], blocks[2::2], strict=True):
        parts.append(f"**{heading}**")
        if heading == "Examples":
            parts.append(_examples(body))
        elif heading in ("Parameters", "Attributes", "Returns", "Raises", "Yields"):
            parts.append(_entries(body))
        else:
            parts.append(_prose(body))
    return "\n\n".join(part for part in parts if part.strip())


def documented(value: Any, name: str) -> str:
    """Return the signature and the docstring of a class or function as Markdown."""
    signature = "" if inspect.isclass(value) else _signature(value)
    heading = f"```python\n{name}{signature}\n```\n\n" if signature else ""
    return heading + as_markdown(inspect.getdoc(value) or "")


def _signature(value: Any) -> str:
    try:
        return str(inspect.signature(value)).replace("'", "")
    except (TypeError, ValueError):
        return "(...)"


def _prose(text: str) -> str:
    """Return paragraphs; double backquotes become single ones, and characters that HTML reads as tags are kept."""
    found = []
    for paragraph in text.strip("\n").split("\n\n"):
        if paragraph.startswith("    "):
            found.append(f"```python\n{inspect.cleandoc(paragraph)}\n```")
        else:
            found.append(_inline(paragraph))
    return "\n\n".join(found)


def _inline(text: str) -> str:
    text = text.replace("``", "`")
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else _escaped(piece) for piece in pieces)


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_$\[\]])", r"\\\1", text).replace("<", "&lt;")


def _entries(text: str) -> str:
    """Return the entries of a section of parameters as a list."""
    found: list[str] = []
    for line in text.rstrip().splitlines():
        inner = line.startswith(" " * INDENT)
        if not line.strip():
            continue
        if not inner:
            name, colon, kind = line.partition(" : ")
            found.append(f"- `{name}`" + (f": {_inline(kind)}" if colon else ""))
        else:
            joint = "  \n  " if found and not found[-1].endswith("\n") and "\n" not in found[-1] else "\n  "
            found[-1] += f"{joint}{_inline(line.strip())}"
    return "\n".join(found)


def _examples(text: str) -> str:
    return f"```pycon\n{text.strip()}\n```"
