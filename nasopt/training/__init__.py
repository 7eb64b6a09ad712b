"""Data sets, the supernet's training, and the joint training of a trial's pair."""

from nasopt.training.architecture import RelaxationProgress, TrainedPrior, prior_key, train_prior
from nasopt.training.bilevel import RelaxationTask
from nasopt.training.cotrain import CotrainProgress, cotrain, pair_key
from nasopt.training.data import load_data
from nasopt.training.images import ImageData, Split
from nasopt.training.prediction import Predictions, predict
from nasopt.training.relaxation import RoleChoices
from nasopt.training.supernet import SupernetProgress, TrainedSupernet, supernet_key, train_supernet

__all__ = [
    "CotrainProgress",
    "ImageData",
    "Predictions",
    "RelaxationProgress",
    "RelaxationTask",
    "RoleChoices",
    "Split",
    "SupernetProgress",
    "TrainedPrior",
    "TrainedSupernet",
    "cotrain",
    "load_data",
    "pair_key",
    "predict",
    "prior_key",
    "supernet_key",
    "train_prior",
    "train_supernet",
]
