"""The command line: parses, calls the Python API, prints."""

import sys

from nasopt.study import early

if sys.argv[0] == "-m" or sys.argv[0].endswith("nasopt"):  # the command, not a program that imports it
    early.watch()  # before anything heavier is imported

from nasopt.cli.commands import app, main

__all__ = ["app", "main"]
