"""A process that plays a machine's sensors: it keeps files as a driver would, after a known power curve.

Standard input holds one JSON line (see `sensors.Machine`), then commands: `pause` and `resume` for the rows of a power
meter. It ends with its input.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import sys
import time
from typing import Any


def power_w(curve: dict[str, float], t: float) -> float:
    return curve["base_w"] + curve["swing_w"] * math.sin(curve["omega"] * t)


def energy_j(curve: dict[str, float], t: float) -> float:
    return curve["base_w"] * t + curve["swing_w"] / curve["omega"] * (1 - math.cos(curve["omega"] * t))


def worked_j(plan: dict[str, Any]) -> float:
    """What the watched process has drawn by computing: a constant power times its main thread's processor time."""
    if not plan["watched_pid"]:
        return 0.0
    with open(f"/proc/{plan['watched_pid']}/schedstat") as file:
        return plan["busy_w"] * int(file.read().split()[0]) / 1e9


def write(sensor: dict[str, Any], t: float, plan: dict[str, Any], descriptors: dict[str, int]) -> None:
    path, share, curve = sensor["path"], sensor["share"], plan["curve"]
    watts, joules = share * power_w(curve, t), share * (energy_j(curve, t) + worked_j(plan))
    if sensor["kind"] == "value":
        value = int(sensor["offset"] + sensor["scale"] * (joules if sensor["of"] == "energy" else watts))
        if sensor["wrap"]:
            value %= sensor["wrap"]
        if path not in descriptors:
            descriptors[path] = os.open(path, os.O_WRONLY)
        os.pwrite(descriptors[path], f"{value:020d}\n".encode(), 0)
        return
    text = sensor["template"].format(
        watts=watts, uj=int(joules * 1e6), ms=int(t * 1e3), unix=time.time() + sensor["ahead_s"]
    )
    if sensor["kind"] == "text":
        with open(f"{path}.new", "w") as file:
            file.write(text)
        os.replace(f"{path}.new", path)
    else:
        with open(path, "a") as file:
            file.write(text)


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(-10)  # a sensor does not wait for a busy machine
    plan = json.loads(sys.stdin.readline())
    descriptors: dict[str, int] = {}
    paused, said, tick = False, False, 0
    while True:
        while select.select([sys.stdin], [], [], 0)[0]:
            command = sys.stdin.readline().strip()
            if not command:
                return
            paused = command == "pause"
        for sensor in plan["sensors"]:
            if tick % sensor["ticks"] == 0 and not (paused and sensor["kind"] == "rows"):
                write(sensor, time.monotonic() - plan["start"], plan, descriptors)
        if not said:
            print("ready", flush=True)
            said = True
        tick += 1
        time.sleep(plan["tick_s"])


if __name__ == "__main__":
    main()
