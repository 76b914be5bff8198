"""The contents of the documentation: every page, in the order of reading."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PAGES = Path(__file__).parent / "pages"
"""The folder of the pages in Markdown and of their pictures."""

CONTENTS = {
    "First steps": ("index", "start"),
    "Guides": ("guides/forecaster", "guides/batch", "guides/python", "examples/exchange"),
    "A course in recurrent networks": (
        "course/unrolling",
        "course/gradients",
        "course/gates",
        "course/reservoirs",
        "course/evolution",
        "course/memory",
        "course/attractors",
        "course/online",
        "course/trees",
        "course/comparison",
    ),
    "Add your own": ("extend/cell", "extend/task", "extend/strategy", "extend/environment"),
    "Reference": (
        "reference/commands",
        "reference/python",
        "reference/cells",
        "reference/strategies",
        "reference/tasks",
    ),
    "Background": ("tables", "scale", "design", "policy"),
}
"""The names of the pages by chapter; the pages of the reference are made from the package."""


class Entry(NamedTuple):
    """A page in the contents: its chapter and its name, which is its path without the ending."""

    chapter: str
    name: str

    @property
    def source(self) -> Path:
        """Its file in Markdown."""
        return PAGES / f"{self.name}.md"

    @property
    def generated(self) -> bool:
        """Whether it is made from the package."""
        return self.name.startswith("reference/")


def entries() -> list[Entry]:
    """Return all pages in the order of reading."""
    return [entry for _, pages in chapters() for entry in pages]


def chapters() -> list[tuple[str, list[Entry]]]:
    """Return the chapters with their pages."""
    return [(chapter, [Entry(chapter, name) for name in names]) for chapter, names in CONTENTS.items()]
