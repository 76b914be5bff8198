"""The documentation: pages in Markdown, and the programs that render them and open them without a network."""
