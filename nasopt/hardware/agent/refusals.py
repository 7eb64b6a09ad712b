"""Why a measurement is not taken: what was seen and the way out."""


class RefusedError(Exception):
    """A graph does not run here, or a reading cannot be trusted."""

    kind = "measurement"

    def __init__(self, seen: str, remedy: str = "") -> None:
        super().__init__(seen, remedy)
        self.seen, self.remedy = seen, remedy

    def __str__(self) -> str:
        return "; ".join(part for part in (self.seen, self.remedy) if part)


class SensorRefusedError(RefusedError):
    """An energy sensor that cannot be read, or whose reading cannot be trusted."""

    kind = "sensor"


class WindowRefusedError(SensorRefusedError):
    """One window of an energy sensor with gaps; another one may do."""

    kind = "window"


class BusyError(RefusedError):
    """Somebody else measures here."""

    kind = "busy"


class StorageError(RefusedError):
    """A file cannot be kept here."""

    kind = "storage"


def first_line(error: BaseException) -> str:
    """What an exception of somebody else's says, shortened to one line."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__
