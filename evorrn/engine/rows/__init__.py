"""The layout with units along the vector axis."""
