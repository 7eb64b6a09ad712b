"""Devices: their profiles, and the backends and meters that take the cost of a graph on them.

Names load with their modules on first use: who asks for a fingerprint of this host needs no backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasopt import lazy

if TYPE_CHECKING:
    from nasopt.hardware.backends.base import Backend as Backend
    from nasopt.hardware.backends.base import TimesStreams as TimesStreams
    from nasopt.hardware.backends.base import backend_for as backend_for
    from nasopt.hardware.backends.base import measure as measure
    from nasopt.hardware.backends.base import measure_all as measure_all
    from nasopt.hardware.backends.base import profile_with as profile_with
    from nasopt.hardware.devices.checking import check_device as check_device
    from nasopt.hardware.devices.checking import works_now as works_now
    from nasopt.hardware.devices.findings import Diagnosis as Diagnosis
    from nasopt.hardware.devices.host import device_lock as device_lock
    from nasopt.hardware.devices.host import fingerprint as fingerprint
    from nasopt.hardware.devices.listing import devices_table as devices_table
    from nasopt.hardware.devices.listing import diagnosis_table as diagnosis_table
    from nasopt.hardware.devices.listing import measurement_table as measurement_table
    from nasopt.hardware.devices.precision import refuse_precision as refuse_precision
    from nasopt.hardware.devices.profiles import load_profile as load_profile
    from nasopt.hardware.devices.profiles import profiles as profiles
    from nasopt.hardware.timing.stream import RoutedGraphs as RoutedGraphs
    from nasopt.spec.device import DeviceProfile as DeviceProfile

_HOMES = {
    "Backend": "nasopt.hardware.backends.base",
    "DeviceProfile": "nasopt.spec.device",
    "Diagnosis": "nasopt.hardware.devices.findings",
    "RoutedGraphs": "nasopt.hardware.timing.stream",
    "TimesStreams": "nasopt.hardware.backends.base",
    "backend_for": "nasopt.hardware.backends.base",
    "check_device": "nasopt.hardware.devices.checking",
    "device_lock": "nasopt.hardware.devices.host",
    "devices_table": "nasopt.hardware.devices.listing",
    "diagnosis_table": "nasopt.hardware.devices.listing",
    "fingerprint": "nasopt.hardware.devices.host",
    "load_profile": "nasopt.hardware.devices.profiles",
    "measure": "nasopt.hardware.backends.base",
    "measure_all": "nasopt.hardware.backends.base",
    "measurement_table": "nasopt.hardware.devices.listing",
    "profile_with": "nasopt.hardware.backends.base",
    "profiles": "nasopt.hardware.devices.profiles",
    "refuse_precision": "nasopt.hardware.devices.precision",
    "works_now": "nasopt.hardware.devices.checking",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy.attributes(__name__, _HOMES)
lazy.keep_callable(__name__, _HOMES)  # `profiles` is a module and a function
