"""Images and labels: sources, splits, decoding, augmentation."""

from nasopt.data.images import ImageData, Split
from nasopt.data.loading import load_data

__all__ = ["ImageData", "Split", "load_data"]
