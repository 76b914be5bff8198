"""One run: its spec, its folder, its execution, its row in a table."""
