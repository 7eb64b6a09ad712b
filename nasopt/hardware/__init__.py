"""Devices: their profiles, and the backends and meters that take the cost of a graph on them."""

from nasopt.hardware.backends import Backend, TimesStreams, backend_for, measure, measure_all, profile_with
from nasopt.hardware.checking import check_device, works_now
from nasopt.hardware.findings import Diagnosis
from nasopt.hardware.host import device_lock, fingerprint
from nasopt.hardware.listing import devices_table, diagnosis_table, measurement_table
from nasopt.hardware.precision import refuse_precision
from nasopt.hardware.profiles import load_profile, profiles
from nasopt.hardware.stream import RoutedGraphs
from nasopt.spec.device import DeviceProfile

__all__ = [
    "Backend",
    "DeviceProfile",
    "Diagnosis",
    "RoutedGraphs",
    "TimesStreams",
    "backend_for",
    "check_device",
    "device_lock",
    "devices_table",
    "diagnosis_table",
    "fingerprint",
    "load_profile",
    "measure",
    "measure_all",
    "measurement_table",
    "profile_with",
    "profiles",
    "refuse_precision",
    "works_now",
]
