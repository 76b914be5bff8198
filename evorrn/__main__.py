"""``python -m evorrn`` is the command line."""

from evorrn.cli import main

main()
