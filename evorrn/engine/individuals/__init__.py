"""The layout with individuals along the vector axis, for episodes in environments."""
