"""The layout with sequences along the vector axis."""
