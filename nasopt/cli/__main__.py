"""`python -m nasopt.cli`."""

from nasopt.cli import main

if __name__ == "__main__":
    main()
