"""`python -m linarite`."""

from linarite.cli import main

main()
