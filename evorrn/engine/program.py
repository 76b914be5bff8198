"""The base class of the emitters of all layouts: header, names of variables and sizes of a program."""

from __future__ import annotations

from collections.abc import Sequence

from evorrn.compile.graph import Graph
from evorrn.compile.schedule import schedule
from evorrn.compile.step import OUTPUT
from evorrn.engine.model import Form
from evorrn.engine.stages import Names, size, variable
from evorrn.kernels.activations import TABLE

HEADER = '''"""{title}"""

import numpy as np
from numba import njit

from evorrn.kernels.activations import {activations}
from evorrn.kernels.multiply_add import multiply_add
from evorrn.kernels.separate import SeparatePart
{opening}

F = np.{dtype}
LOOP = dict(
    fastmath={{"contract"}}, error_model="numpy", pipeline_class=SeparatePart, no_cpython_wrapper=True, no_cfunc_wrapper=True
)
TILE = dict(cache=True, fastmath={{"contract"}}, error_model="numpy", nogil=True)'''


class ProgramEmitter:
    """Base class of emitters; there is one subclass for each layout.

    Parameters
    ----------
    form : Form
    about : str
        A description of the layout, for the docstring of the emitted module.
    opening : str
        The lines that import the kernels of the layout and set its constants.
    """

    def __init__(self, form: Form, about: str, opening: str) -> None:
        step = form.step
        self.step = step
        self.feed = form.feed
        self.graph = step.graph
        self.header = HEADER.format(
            title=form.title + about,
            opening=opening,
            dtype=form.dtype.name,
            activations=", ".join(sorted(TABLE)),
        )
        self.new = {index: f"{variable(name)}_new" for name, index in self.graph.outputs.items()}
        leaves = {index: variable(node.name) for index, node in enumerate(self.graph.nodes) if node.name}
        leaves[self.graph.leaves("input")["x"]] = "x_t"
        self.names = Names(self.graph, {**leaves, **self.new})
        self.plan = schedule(self.graph, self.graph.outputs.values())

    def unpack_sizes(self, graph: Graph | None = None) -> list[str]:
        """Return the lines that assign the sizes of dimensions, and of sums of dimensions, to variables."""
        lines = [f"{size(name)} = sizes[{k}]" for k, name in enumerate(self.step.dimensions)]
        for dimension in sorted({d for node in (graph or self.graph).nodes for d in node.shape if "+" in d}):
            lines.append(f"{size(dimension)} = {' + '.join(size(part) for part in dimension.split('+'))}")
        return lines

    def feed_back(self, output: str = f"{OUTPUT}_new") -> list[str]:
        """Return the lines that replace the new output, once it is used, with the value that goes back."""
        if not self.feed:
            return []
        if self.step.feeds_back:
            return [f"{self.feed}({output})"]
        return ["if t + 1 >= first_free:", f"    {self.feed}({output})"]

    def program(self, functions: Sequence[str], signature: str, contract: str, body: Sequence[str]) -> str:
        """Return the source of a module.

        Parameters
        ----------
        functions : sequence of str
            Lines of the functions that the program calls.
        signature : str
            ``name(arguments)`` of the program.
        contract : str
            Docstring of the program.
        body : sequence of str
            Lines of the program.
        """
        lines = [
            self.header,
            *functions,
            "",
            "",
            "@njit(**TILE)",
            f"def {signature}:",
            f'    """{contract}"""',
        ]
        return "\n".join([*lines, *indent(body), ""])


def indent(lines: Sequence[str], levels: int = 1) -> list[str]:
    """Return lines indented by a number of levels."""
    return ["    " * levels + line for line in lines]
