"""`python -m nasopt.cli`."""

from nasopt.cli import main

main()
