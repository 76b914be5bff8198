"""The class Writer: collects the nodes and constants of an ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evorrn.compile.op import Shape, size_of


@dataclass
class Writer:
    """Nodes of an ONNX graph, or of the body of one of its nodes, which shares the names and constants of the graph.

    Attributes
    ----------
    dtype : dtype
        Type of the network's numbers.
    sizes : mapping of str to int
        The size of each symbolic dimension.
    batch : str
        The name of a vector with the number of sequences.
    nodes : list of NodeProto
    constants : dict of str to ndarray
    """

    dtype: np.dtype
    sizes: Mapping[str, int]
    batch: str = ""
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def body(self) -> Writer:
        """Return a writer for the body of a node of this graph."""
        return Writer(self.dtype, self.sizes, "", [], self.constants, self.taken)

    def shape(self, shape: Shape) -> list[int]:
        """Return a symbolic shape in numbers."""
        return [size_of(dimension, self.sizes) for dimension in shape]

    def fresh(self, stem: str) -> str:
        """Return a name that no other value has: the stem, or the stem with a number."""
        number, name = 1, stem
        while name in self.taken:
            number += 1
            name = f"{stem}.{number}"
        self.taken.add(name)
        return name

    def apply(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output; an empty input is one that is left out."""
        return self.apply_many(op, *inputs, names=(name or self.fresh(op.lower()),), **attributes)[0]

    def apply_many(self, op: str, *inputs: str, names: tuple[str, ...], **attributes: Any) -> tuple[str, ...]:
        """Add a node with several outputs, whose names are given, and return these."""
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), list(names), **attributes))
        return names

    def cast(self, value: str, dtype: Any) -> str:
        """Return the name of a value in another dtype."""
        from onnx import helper

        return self.apply("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def number(self, value: Any, stem: str = "number") -> str:
        """Return the name of a constant in the network's dtype."""
        return self.constant(np.asarray(value, self.dtype), stem)

    def integers(self, *values: int) -> str:
        """Return the name of a constant vector of int64."""
        return self.constant(np.array(values, np.int64), "integers")

    def constant(self, array: np.ndarray, stem: str) -> str:
        """Return the name of a constant; equal constants of one stem are one."""
        for name, known in self.constants.items():
            same = name.startswith(stem) and known.dtype == array.dtype and known.shape == array.shape
            if same and known.tobytes() == array.tobytes():
                return name
        name = self.fresh(stem)
        self.constants[name] = np.ascontiguousarray(array).reshape(array.shape)
        return name
