"""Trees and grids as linked steps: trees from brackets, greedy parsing, and the orders in which grids are scanned."""

from evorrn.data.grids import scan as scan
from evorrn.data.trees import from_brackets as from_brackets
from evorrn.network.parsing import parse as parse
