"""Search spaces: Optuna distributions, and the way between parameters and candidates."""

from nasopt.space.big_little import BigLittleSpace, Cardinality

__all__ = ["BigLittleSpace", "Cardinality"]
