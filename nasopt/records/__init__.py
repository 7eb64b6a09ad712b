"""The facts that travel between the layers: frozen, with units in their names.

Imports nothing of the project but `errors` and no heavy package, so that every layer can speak in these terms.
"""

from nasopt.records.candidate import (
    Architecture,
    Candidate,
    LossWeights,
    NetworkLayout,
    Precision,
    RouterKind,
    StageChoice,
)
from nasopt.records.keys import ArtifactNames, StudyKeys, TrialKeys
from nasopt.records.measurement import Cost, Energy, Interval, Latency, Measurement, Provenance, TimingProtocol
from nasopt.records.model import ExportedModel
from nasopt.records.outcome import Ended, Inspection, Outcome

__all__ = [
    "Architecture",
    "ArtifactNames",
    "Candidate",
    "Cost",
    "Ended",
    "Energy",
    "ExportedModel",
    "Inspection",
    "Interval",
    "Latency",
    "LossWeights",
    "Measurement",
    "NetworkLayout",
    "Outcome",
    "Precision",
    "Provenance",
    "RouterKind",
    "StageChoice",
    "StudyKeys",
    "TimingProtocol",
    "TrialKeys",
]
