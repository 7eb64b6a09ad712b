"""Search spaces: Optuna distributions, and the way between parameters and candidates."""

from nasopt.space.big_little import BigLittleSpace
from nasopt.space.cardinality import Cardinality, cardinality

__all__ = ["BigLittleSpace", "Cardinality", "cardinality"]
