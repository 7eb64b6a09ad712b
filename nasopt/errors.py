"""What can go wrong, by cause. Every message says what was expected, what was seen and the way out."""


class NasoptError(Exception):
    """Base of all errors that a user can act on; the command line prints them in one line, without a traceback."""

    exit_code = 1


class UsageError(NasoptError):
    """The request itself is wrong: a study file, an option, a name."""

    exit_code = 2


class SpecError(UsageError):
    """A study file or device profile does not say what it must; names file, line and key."""


class UnknownPluginError(UsageError):
    """A sampler, backend, meter, device or data set that is not installed."""


class StudyChangedError(UsageError):
    """The stored study was made from another study file."""


class StudyNotFoundError(UsageError):
    """No study, or no trial, of that name or number in the database."""


class DatabaseError(NasoptError):
    """The database cannot be reached, read or written."""


class DataError(NasoptError):
    """A data set or table is missing, unreadable, or says what it must not."""


class CacheError(NasoptError):
    """A cached checkpoint or artifact cannot be read or written."""


class ExportError(NasoptError):
    """A network cannot be exported, or its export computes something else."""


class ParityError(ExportError):
    """The exported graph and the network disagree."""


class MeasurementError(NasoptError):
    """A measurement was refused: the reading cannot be trusted."""


class SensorError(MeasurementError):
    """An energy sensor that cannot be read, or whose reading cannot be trusted."""

    def __init__(self, seen: str, remedy: str) -> None:
        """`seen` names the sensor and what it gave, `remedy` the way out."""
        super().__init__(seen, remedy)
        self.seen, self.remedy = seen, remedy

    def __str__(self) -> str:
        return f"{self.seen}; {self.remedy}"


class WindowError(SensorError):
    """One window of an energy sensor with gaps; another one may do."""


class DeviceLostError(MeasurementError):
    """The device went away; says nothing about the network on it."""


class DeviceRefusedError(DeviceLostError):
    """The device is there and does not let itself be used as it is set up; trying again does not help."""


class DivergedError(NasoptError):
    """Training met a loss or weight that is not finite; the network's own fault."""


class EvaluationError(NasoptError):
    """An evaluation of the user's own raised, or returned something else than finite figures."""


class PrunedError(NasoptError):
    """An evaluation gave up its point before it had figures."""


class InterruptedRunError(NasoptError):
    """The user ended a run; nothing is lost."""

    exit_code = 130


class SamplerError(NasoptError):
    """A sampler raised while it drew a trial or was told one; what is stored stays."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        """`exit_code` is that of what it raised, where that says so: 2 for options that do not fit the study."""
        super().__init__(message)
        self.exit_code = exit_code


class FigureError(NasoptError):
    """A figure that cannot be drawn; the figures in tables and text stand."""


class LostTrialError(NasoptError):
    """Another worker took this one for dead and has the trial now; only one result stands."""


class InfeasibleStudyError(NasoptError):
    """The constraints refuse so many candidates that the study cannot fill its trials."""
