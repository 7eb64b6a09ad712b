"""Power rails of the Raspberry Pi 5 through its power management chip."""

import re
import subprocess
from typing import ContextManager, Dict

from .refusals import SensorRefusedError
from .sampling import Sampler
from .windows import Window

_VALUE = re.compile(r"(\w+)_([AV])\s+(?:current|volt(?:age)?)\(\d+\)=([-+.\d]+)[AV]")
_FIT_SLOPE, _FIT_WATTS = 1.1451, 0.5879
_TIMEOUT_S = 2.0


class Sensor:
    """Sum over the rails of volts times amperes by `vcgencmd pmic_read_adc`, sampled.

    The rails do not include what draws from 5 V directly (USB, HATs, fan) nor the converters' losses. The community's
    fit to a meter at the plug, total = 1.1451 x sum + 0.5879 W, puts the losses of one board in; with it the energy
    is `predicted`, of unpublished error. Every sample is a process of its own, so they are few.
    """

    name = "pi5-pmic"

    def __init__(self, total: str = "rails", command: str = "vcgencmd", interval_s: float = 0.2) -> None:
        """Reads the rails once.

        Args:
            total: `rails` for their sum as read, `fit` for the community's fit of the whole board.
            command: path of vcgencmd.
            interval_s: time between readings; more where one takes over 5% of it.

        Raises:
            SensorRefusedError: no vcgencmd, no permission, or no such chip.
        """
        self._command, self._fit = command, total == "fit"
        self.provenance = "predicted" if self._fit else "measured"
        self._names = sorted(self._rails())
        self._sampler = Sampler(self._watts, sensor=self.name, interval_s=interval_s)
        self.update_s, self.shortest_s = self._sampler.update_s, self._sampler.shortest_s

    def describe(self) -> Dict[str, str]:
        """The rails that are summed and what is made of the sum."""
        whole = f"community fit {_FIT_SLOPE} x sum(V I) + {_FIT_WATTS} W" if self._fit else "sum(V I) of the rails"
        return {"rails": "+".join(self._names), "total": f"{whole}; without loads on 5 V"}

    def window(self) -> ContextManager[Window]:
        """Energy between entering and leaving; see `Sampler.window`."""
        return self._sampler.window()

    def _watts(self) -> float:
        rails = self._rails()
        if sorted(rails) != self._names:
            raise SensorRefusedError(f"{self.name}: the rails changed to {', '.join(sorted(rails))}", "measure again")
        sum_w = sum(rails.values())
        return _FIT_SLOPE * sum_w + _FIT_WATTS if self._fit else sum_w

    def _rails(self) -> Dict[str, float]:
        """Watts by rail, of the rails with both a voltage and a current."""
        values: Dict[str, Dict[str, float]] = {}
        for rail, unit, number in _VALUE.findall(self._printed()):
            values.setdefault(rail, {})[unit] = float(number)
        watts = {rail: found["A"] * found["V"] for rail, found in values.items() if len(found) == 2}
        if not watts:
            raise SensorRefusedError(
                f"{self.name}: {self._command} pmic_read_adc names no rail with volts and amperes",
                "only the Raspberry Pi 5 has this sensor; use trace-file with an external power meter elsewhere",
            )
        return watts

    def _printed(self) -> str:
        try:
            done = subprocess.run(
                [self._command, "pmic_read_adc"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                universal_newlines=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError:
            raise SensorRefusedError(
                f"{self.name}: no command {self._command}", "only Raspberry Pi OS has it; set the option command"
            )
        except PermissionError:
            raise SensorRefusedError(f"{self.name}: may not run {self._command}", f"chmod a+x {self._command}")
        except subprocess.TimeoutExpired:
            raise SensorRefusedError(f"{self.name}: no answer within {_TIMEOUT_S:.0f} s", "restart the board")
        if done.returncode != 0 or "error" in done.stdout:
            said = (done.stderr or done.stdout).strip().partition("\n")[0]
            raise SensorRefusedError(
                f"{self.name}: {self._command} pmic_read_adc failed: {said or f'exit status {done.returncode}'}",
                "let this user read /dev/vcio (sudo usermod -aG video $USER, then log in again); boards before the "
                "Raspberry Pi 5 have no such sensor",
            )
        return done.stdout
