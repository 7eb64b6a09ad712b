"""The supernet's training, and the joint training of a trial's pair."""

from nasopt.training.architecture import RelaxationProgress, TrainedPrior, prior_key, train_prior
from nasopt.training.bilevel import RelaxationTask
from nasopt.training.cotrain import CotrainProgress, cotrain, pair_key
from nasopt.training.prediction import Predictions, predict
from nasopt.training.relaxation import RoleChoices
from nasopt.training.supernet import SupernetProgress, TrainedSupernet, supernet_key, train_supernet

__all__ = [
    "CotrainProgress",
    "Predictions",
    "RelaxationProgress",
    "RelaxationTask",
    "RoleChoices",
    "SupernetProgress",
    "TrainedPrior",
    "TrainedSupernet",
    "cotrain",
    "pair_key",
    "predict",
    "prior_key",
    "supernet_key",
    "train_prior",
    "train_supernet",
]
