"""Data sets, the supernet's training, and the joint training of a trial's pair."""

from nasopt.training.cotrain import CotrainProgress, cotrain, pair_key
from nasopt.training.data import load_data
from nasopt.training.images import ImageData, Split
from nasopt.training.prediction import Predictions, predict
from nasopt.training.supernet import SupernetProgress, TrainedSupernet, supernet_key, train_supernet

__all__ = [
    "CotrainProgress",
    "ImageData",
    "Predictions",
    "Split",
    "SupernetProgress",
    "TrainedSupernet",
    "cotrain",
    "load_data",
    "pair_key",
    "predict",
    "supernet_key",
    "train_supernet",
]
