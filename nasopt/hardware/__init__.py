"""Devices: their profiles, and the backends and meters that take the cost of a graph on them.

Names load with their modules on first use: who asks for a fingerprint of this host needs no backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasopt import lazy

if TYPE_CHECKING:
    from nasopt.hardware.backends import Backend as Backend
    from nasopt.hardware.backends import TimesStreams as TimesStreams
    from nasopt.hardware.backends import backend_for as backend_for
    from nasopt.hardware.backends import measure as measure
    from nasopt.hardware.backends import measure_all as measure_all
    from nasopt.hardware.backends import profile_with as profile_with
    from nasopt.hardware.checking import check_device as check_device
    from nasopt.hardware.checking import works_now as works_now
    from nasopt.hardware.findings import Diagnosis as Diagnosis
    from nasopt.hardware.host import device_lock as device_lock
    from nasopt.hardware.host import fingerprint as fingerprint
    from nasopt.hardware.listing import devices_table as devices_table
    from nasopt.hardware.listing import diagnosis_table as diagnosis_table
    from nasopt.hardware.listing import measurement_table as measurement_table
    from nasopt.hardware.precision import refuse_precision as refuse_precision
    from nasopt.hardware.profiles import load_profile as load_profile
    from nasopt.hardware.profiles import profiles as profiles
    from nasopt.hardware.stream import RoutedGraphs as RoutedGraphs
    from nasopt.spec.device import DeviceProfile as DeviceProfile

_HOMES = {
    "Backend": "nasopt.hardware.backends",
    "DeviceProfile": "nasopt.spec.device",
    "Diagnosis": "nasopt.hardware.findings",
    "RoutedGraphs": "nasopt.hardware.stream",
    "TimesStreams": "nasopt.hardware.backends",
    "backend_for": "nasopt.hardware.backends",
    "check_device": "nasopt.hardware.checking",
    "device_lock": "nasopt.hardware.host",
    "devices_table": "nasopt.hardware.listing",
    "diagnosis_table": "nasopt.hardware.listing",
    "fingerprint": "nasopt.hardware.host",
    "load_profile": "nasopt.hardware.profiles",
    "measure": "nasopt.hardware.backends",
    "measure_all": "nasopt.hardware.backends",
    "measurement_table": "nasopt.hardware.listing",
    "profile_with": "nasopt.hardware.backends",
    "profiles": "nasopt.hardware.profiles",
    "refuse_precision": "nasopt.hardware.precision",
    "works_now": "nasopt.hardware.checking",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy.attributes(__name__, _HOMES)
lazy.keep_callable(__name__, _HOMES)  # `profiles` is a module and a function
