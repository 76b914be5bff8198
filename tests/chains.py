"""The cells whose steps follow each other, by name; those with predecessors have tests of their own."""

from evorrn.cells.find import cells

CHAINS = sorted(name for name, cell in cells().items() if not cell.predecessors)
LINKED = sorted(set(cells()) - set(CHAINS))
