"""Calibrating a device by measuring what a space can produce."""

from nasopt.evaluation.calibration.calibrating import Calibrated, calibrate
from nasopt.evaluation.calibration.listing import Watcher, calibration_json, calibration_table
from nasopt.evaluation.calibration.taking import Progress

__all__ = ["Calibrated", "Progress", "Watcher", "calibrate", "calibration_json", "calibration_table"]
