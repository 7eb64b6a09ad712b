"""Directory trees in the layouts of real sensors, kept up to date by a process that follows a known power curve."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.hardware import sensor_writer

CURVE = {"base_w": 8.0, "swing_w": 3.0, "omega": 7.0}
"""8 + 3 sin(7 t) watts."""


class Machine:
    """The sensors of one machine. Fill it, then enter `running`."""

    def __init__(self, *, tick_s: float = 0.001, swing_w: float = 3.0, busy_w: float = 0.0) -> None:
        """With `busy_w`, counters also hold this power times the processor time of the calling process."""
        self.start = time.monotonic()
        self.curve = CURVE | {"swing_w": swing_w}
        watched = {"busy_w": busy_w, "watched_pid": os.getpid() if busy_w else 0}
        self._plan: dict[str, Any] = {
            "start": self.start,
            "curve": self.curve,
            "tick_s": tick_s,
            "sensors": [],
        } | watched
        self._process: subprocess.Popen[str] | None = None

    def joules(self, moment: float) -> float:
        """Energy drawn until a moment of `time.monotonic`."""
        return sensor_writer.energy_j(self.curve, moment - self.start)

    def counter(self, path: Path, *, share: float = 1.0, offset: int = 0, wrap: int = 0) -> None:
        """A counter of microjoules."""
        self._value(path, of="energy", scale=1e6, share=share, offset=offset, wrap=wrap)

    def gauge(self, path: Path, *, scale: float, share: float = 1.0) -> None:
        """A power in watts times `scale`."""
        self._value(path, of="power", scale=scale, share=share, offset=0, wrap=0)

    def text(self, path: Path, template: str, *, share: float = 1.0) -> None:
        """A file written anew at each tick, with {watts}, {uj}, {ms} or {unix} filled in."""
        self._add(path, kind="text", template=template, share=share)

    def rows(self, path: Path, template: str, *, ticks: int, share: float = 1.0, ahead_s: float = 0.0) -> None:
        """A file that a row is appended to every so many ticks, by a clock that is ahead."""
        self._add(path, kind="rows", template=template, ticks=ticks, share=share, ahead_s=ahead_s)

    def _value(self, path: Path, **options: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{0:020d}\n")
        self._add(path, kind="value", **options)

    def _add(self, path: Path, **options: Any) -> None:
        self._plan["sensors"].append({"path": str(path), "share": 1.0, "ticks": 1, "ahead_s": 0.0, **options})

    @contextmanager
    def running(self) -> Iterator[Machine]:
        command = [sys.executable, "-S", "-E", sensor_writer.__file__]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            self._process = process
            assert process.stdout is not None
            self._say(json.dumps(self._plan))
            assert process.stdout.readline() == "ready\n"
            try:
                yield self
            finally:
                assert process.stdin is not None
                process.stdin.close()
                process.wait(10)

    def pause_rows(self) -> None:
        self._say("pause")

    def resume_rows(self) -> None:
        self._say("resume")

    def _say(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    return path


def powercap(machine: Machine, root: Path, *, offset: int = 0, wrap: int = 262_143_328_850) -> Path:
    """A two-socket machine: packages that draw all the power, and domains that must not be added to them."""
    write(root / "intel-rapl" / "enabled", "1")
    shares = {"0": ("package-0", 0.7), "0:0": ("core", 0.5), "0:1": ("dram", 0.1), "1": ("package-1", 0.3)}
    for name, (label, share) in (shares | {"2": ("psys", 1.5)}).items():
        folder = root / f"intel-rapl:{name}"
        write(folder / "name", label)
        write(folder / "max_energy_range_uj", str(wrap))
        machine.counter(folder / "energy_uj", share=share, offset=offset, wrap=wrap)
    return root


def jetson_nano(machine: Machine, root: Path) -> Path:
    """JetPack 4 on a Jetson Nano: one chip, a total rail and two below it."""
    folder = root / "ina3221x" / "6-0040" / "iio:device0"
    for channel, (label, share) in enumerate((("POM_5V_IN", 1.0), ("POM_5V_GPU", 0.3), ("POM_5V_CPU", 0.4))):
        write(folder / f"rail_name_{channel}", label)
        write(folder / f"in_voltage{channel}_input", "5000")
        machine.gauge(folder / f"in_current{channel}_input", scale=1e3 / 5, share=share)
        machine.gauge(folder / f"in_power{channel}_input", scale=1e3, share=share)
    return root


def hwmon_chip(machine: Machine, root: Path, address: str, rails: dict[int, tuple[str, float]]) -> Path:
    """One INA3221 under JetPack 5 or later: {channel: (label, share of the power)} and the sum of shunt voltages."""
    folder = root / "ina3221" / address / "hwmon" / f"hwmon{address[-1]}"
    write(folder / "in7_label", "sum of shunt voltages")
    write(folder / "in7_input", "123456")
    for channel, (label, share) in rails.items():
        write(folder / f"in{channel}_label", label)
        write(folder / f"in{channel}_input", "5000")
        machine.gauge(folder / f"curr{channel}_input", scale=1e3 / 5, share=share)
    return root


def orin_nano(machine: Machine, root: Path) -> Path:
    return hwmon_chip(machine, root, "1-0040", {1: ("VDD_IN", 1.0), 2: ("VDD_CPU_GPU_CV", 0.5), 3: ("VDD_SOC", 0.2)})


def agx_orin(machine: Machine, root: Path) -> Path:
    hwmon_chip(machine, root, "1-0040", {1: ("VDD_GPU_SOC", 0.5), 2: ("VDD_CPU_CV", 0.2), 3: ("VIN_SYS_5V0", 0.2)})
    return hwmon_chip(machine, root, "1-0041", {1: ("NC", 0.7), 2: ("VDDQ_VDD2_1V8AO", 0.1), 3: ("NC", 0.7)})


PMIC = """ 3V7_WL_SW_A current(0)=0.00000000A
   3V3_SYS_A current(1)={third:s}A
  VDD_CORE_A current(7)={third:s}A
   0V8_AON_A current(16)={third:s}A
 3V7_WL_SW_V volt(8)=3.71613000V
   3V3_SYS_V volt(9)=1.00000000V
  VDD_CORE_V volt(15)=1.00000000V
   0V8_AON_V volt(19)=1.00000000V
     EXT5V_V volt(24)=5.13856000V
      BATT_V volt(25)=0.00000000V
""".replace("{third:s}", "{watts:.8f}")
"""What `vcgencmd pmic_read_adc` prints, shortened: three rails that share the power, one that draws none."""


def raspberry_pi_5(machine: Machine, root: Path) -> Path:
    """A stand-in for vcgencmd that prints what the board's prints; its path."""
    root.mkdir(parents=True, exist_ok=True)
    machine.text(root / "adc", PMIC, share=1 / 3)
    write(root / "throttled", "throttled=0x0")
    command = write(
        root / "vcgencmd",
        f'#!/bin/sh\nif [ "$1" = pmic_read_adc ]; then file=adc; else file=throttled; fi\n'
        f'while IFS= read -r line; do echo "$line"; done < {root}/$file',
    )
    command.chmod(0o755)
    return command


def pixel_6(machine: Machine, root: Path) -> Path:
    """The two power monitors of a Pixel 6, shortened: in energy_value lines of rails and microwatt-seconds."""
    rails = {
        "iio:device0": (
            "s2mpg10-odpm",
            "t={ms}\nCH0(T={ms})[S2M_VDD_CPUCL2], {uj}\nCH1(T={ms})[S3M_VDD_CPUCL1], {uj}\n",
        ),
        "iio:device1": ("s2mpg11-odpm", "t={ms}\nCH0(T={ms})[S2S_VDD_G3D], {uj}\n"),
    }
    for device, (name, template) in rails.items():
        write(root / device / "name", name)
        write(root / device / "sampling_rate", "1000.000000")
        machine.text(root / device / "energy_value", template, share=0.5)
    return root
