"""What people look at: figures, pages, tables on the terminal."""
