"""The examples on a page of the documentation: run in order in one folder, and their output put into the page.

A block of code whose first line is ``# NAME.py`` or ``# NAME.toml`` is a file of that name. Other Python
blocks of a page are one program, and share their names. A block of bash runs in the folder. A comment
``<!-- not run -->`` before a block says that nobody runs it. A block of text after a block shows what it prints.

    python tests/docs/examples.py start course/gates     # run these pages, and write what their blocks print into them
"""

import contextlib
import io
import linecache
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from evorrn.docs.contents import PAGES

BLOCK = re.compile(r"^(<!-- not run -->\n)?```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w-]+\.(?:py|toml|csv))\n")
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
KEPT, WIDTH = 44, 100
"""Lines of output that a page shows at most, and columns of a sentence in it."""


def run_page(name, folder):
    """Run the examples of a page in a folder; return what each block prints, by its place in the text."""
    text = (PAGES / f"{name}.md").read_text()
    sys.path.insert(0, str(folder))
    before = Path.cwd()
    os.chdir(folder)
    shared, printed = {"__name__": "__main__"}, {}
    try:
        for block in BLOCK.finditer(text):
            left_out, language, source = block.groups()
            named = FILE.match(source)
            if left_out or language not in ("bash", "python", "toml", "csv"):
                continue
            if named:
                (folder / named[1]).write_text(source.partition("\n")[2] if language == "csv" else source)
            elif language == "bash":
                printed[block.start()] = shell(source, folder)
            elif language == "python":
                printed[block.start()] = python(source, shared, name)
            else:
                raise AssertionError(f"{name}: a block of {language} without the name of a file")
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))
        for module in [m for m, v in sys.modules.items() if str(folder) in str(getattr(v, "__file__", ""))]:
            del sys.modules[module]
    return printed


def shell(source, folder):
    """Return what commands print on stdout; raise AssertionError where one fails."""
    environment = {
        **os.environ,
        "COLUMNS": "110",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", source],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, f"{source}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def python(source, shared, name):
    """Return what a block of Python prints."""
    out, title = io.StringIO(), f"<{name}.md, {hash(source)}>"
    linecache.cache[title] = (
        len(source),
        None,
        source.splitlines(True),
        title,
    )  # where cells find their source
    with contextlib.redirect_stdout(out):
        exec(compile(source, title, "exec"), shared)
    return out.getvalue()


def wrapped(line):
    """Return a line of output as lines of a page: sentences are broken, and tables are not."""
    if len(line) <= WIDTH or "  " in line.strip():
        return [line.rstrip()]
    return textwrap.wrap(line, WIDTH, subsequent_indent="  ")


def write_outputs(name, folder):
    """Run a page, put what its blocks print into the blocks of text after them, and keep its pictures."""
    printed = run_page(name, folder)
    path = PAGES / f"{name}.md"
    text = path.read_text()
    pieces, end = [], 0
    for block in BLOCK.finditer(text):
        after = re.match(r"\n```text\n(.*?)^```\n", text[block.end() :], re.MULTILINE | re.DOTALL)
        if block.start() not in printed or not after:
            continue
        lines = [part for line in printed[block.start()].strip("\n").splitlines() for part in wrapped(line)]
        shown = lines if len(lines) <= KEPT else [*lines[: KEPT - 1], "..."]
        pieces += [text[end : block.end()], "\n```text\n", "\n".join(shown), "\n```\n"]
        end = block.end() + after.end()
    path.write_text("".join([*pieces, text[end:]]))
    for picture in PICTURE.findall(text):
        shutil.copy(folder / picture, path.parent / picture)


if __name__ == "__main__":
    for page in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as made:
            write_outputs(page, Path(made))
        print(page)
