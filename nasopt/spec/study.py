"""The study file: its sections and what they must agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from nasopt import plugins
from nasopt.cache import content_key
from nasopt.database import shown, watch_for
from nasopt.errors import SpecError
from nasopt.records.metrics import DEVICE_METRICS, METRICS, split_metric
from nasopt.spec import yaml
from nasopt.spec.base import KeyPath, Number, Section, Whole, located, one_of
from nasopt.spec.data import DATA_SETS, DataSpec
from nasopt.spec.hardware import HardwareSpec
from nasopt.spec.problem import NetworkProblem, ProblemSpec
from nasopt.spec.space import SpaceSpec
from nasopt.spec.training import TrainingSpec

Direction = Literal["maximize", "minimize"]

NETWORK_SECTIONS = ("data", "space", "training", "hardware")
"""Sections that only a study of networks has."""


def _metric_of_networks(name: str) -> str | None:
    """What is wrong with the name of a metric in a study of networks; None where nothing is."""
    base, _, device = name.partition("@")
    if base not in METRICS:
        near = get_close_matches(base, METRICS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(METRICS)}"
        return f"no metric {base!r}; {hint}"
    if device and base not in DEVICE_METRICS:
        return f"{base} does not depend on a device; write it without @{device}"
    return None


class StudySection(Section):
    """Identity and budget of the study."""

    name: str = Field(min_length=1, max_length=200)
    storage: str = Field(default="sqlite:///nasopt.db", repr=False)  # it may hold a password
    """SQLAlchemy URL, or `memory`; `${VARIABLE}` is taken from the environment."""
    seed: Whole = Field(default=0, ge=0, lt=2**32)
    trials: Whole = Field(default=100, ge=1)
    """Trained and measured trials; those refused by cheap constraints do not count."""
    artifacts: str | None = None
    """Folder for weights and tables of trials; beside a SQLite database if left out."""
    country: str | None = Field(default=None, pattern="^[A-Z]{3}$")
    """ISO 3166 alpha-3 code of the grid that the search's emissions are reckoned with; the world's if left out."""

    @field_validator("storage")
    @classmethod
    def _watched(cls, storage: str) -> str:
        watch_for(storage)
        return storage

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        if not name.isprintable() or name != name.strip():
            raise ValueError(f"a name has no line breaks or control characters and no spaces around it, not {name!r}")
        return name


class ObjectiveSpec(Section):
    """One figure to optimise."""

    metric: str = Field(min_length=1)
    direction: Direction | None = None
    """The metric's natural one if left out; required where nasopt does not know the metric."""

    @property
    def sense(self) -> Direction:
        """The direction in force."""
        return self.direction or METRICS[split_metric(self.metric)[0]].direction


class ConstraintSpec(Section):
    """A bound that a trial must keep to count as feasible."""

    metric: str = Field(min_length=1)
    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _bounded(self) -> ConstraintSpec:
        if self.min is None and self.max is None:
            raise ValueError(f"the constraint on {self.metric} needs min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"nothing satisfies {self.metric} of at least {self.min} and at most {self.max}")
        return self


def _direction_of_others(entry: ObjectiveSpec | ConstraintSpec) -> str | None:
    """What is missing from an objective over a figure that nasopt does not know; None where nothing is."""
    if isinstance(entry, ConstraintSpec) or entry.direction or split_metric(entry.metric)[0] in METRICS:
        return None
    return (
        f"nasopt does not know whether {entry.metric} is better high or low; give it a direction: maximize or minimize"
    )


class SamplerSpec(Section):
    """The search strategy, by the name it is installed under."""

    name: str = "nsga2"
    options: dict[str, Any] = {}

    @field_validator("name")
    @classmethod
    def _installed(cls, name: str) -> str:
        return one_of("sampler", name, plugins.names("samplers"))


def by_name(key: str, section: Any) -> BeforeValidator:
    """Let a section be given as text alone, which is then the value of its main key."""

    def from_text(value: object) -> object:
        return {key: value} if isinstance(value, str) else value

    return BeforeValidator(from_text, json_schema_input_type=str | section)


class StudyFile(Section):
    """What the file of one study and the file of a contest have in common: all but the search strategy."""

    study: StudySection
    problem: ProblemSpec = NetworkProblem(kind="network")
    data: Annotated[DataSpec, by_name("name", DataSpec)] = DataSpec()
    space: SpaceSpec = SpaceSpec()
    training: TrainingSpec = TrainingSpec()
    hardware: Annotated[HardwareSpec, by_name("device", HardwareSpec)] = HardwareSpec()
    objectives: Annotated[
        list[Annotated[ObjectiveSpec, by_name("metric", ObjectiveSpec)]], Field(min_length=1, max_length=4)
    ]
    constraints: list[ConstraintSpec] = []

    _folder: Path | None = PrivateAttr(None)

    @field_validator("data")
    @classmethod
    def _known_data(cls, data: DataSpec) -> DataSpec:
        for name in filter(None, (data.name, data.otherwise)):
            one_of("data set", name, DATA_SETS)
        return data

    @model_validator(mode="after")
    def _metrics(self) -> Self:
        """Each metric means something in a study of this kind."""
        mistakes: list[tuple[KeyPath, str]] = []
        entries: list[tuple[str, int, ObjectiveSpec | ConstraintSpec]]
        entries = [("objectives", i, o) for i, o in enumerate(self.objectives)]
        entries += [("constraints", i, c) for i, c in enumerate(self.constraints)]
        for section, index, entry in entries:
            wrong = _metric_of_networks(entry.metric) if self.of_networks else _direction_of_others(entry)
            if wrong is not None:
                mistakes.append(((section, index, "metric" if self.of_networks else "direction"), wrong))
        if not self.of_networks:
            idle = f"a study of kind {self.problem.kind} has no networks to set up; remove this"
            mistakes += [((name,), idle) for name in NETWORK_SECTIONS if name in self.model_fields_set]
        if mistakes:
            raise located("StudySpec", mistakes)
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        metrics = [o.metric for o in self.objectives]
        if twice := [m for m in metrics if metrics.count(m) > 1]:
            raise ValueError(f"the objective {twice[0]} stands twice")
        if not self.of_networks:
            return self
        for name in [*metrics, *(c.metric for c in self.constraints)]:
            base, device = split_metric(name)
            if device is not None and device not in self.device_names:
                raise ValueError(f"{name}: the study's devices are {', '.join(self.device_names)}")
            if device is None and base in DEVICE_METRICS and len(self.device_names) > 1:
                raise ValueError(f"{name}: several devices; name one, such as {base}@{self.device_names[0]}")
            if base == "energy_mj" and self.hardware.meter and self.hardware.meter.name == "none":
                raise ValueError(f"{name} needs an energy meter, and hardware.meter is none")
        return self

    @property
    def metrics(self) -> list[str]:
        """What the study is about: the metrics of objectives and constraints, each once."""
        return list(dict.fromkeys([*(o.metric for o in self.objectives), *(c.metric for c in self.constraints)]))

    @property
    def of_networks(self) -> bool:
        """Whether the study searches networks: only then do `NETWORK_SECTIONS` mean anything."""
        return isinstance(self.problem, NetworkProblem)

    @property
    def problem_name(self) -> str:
        """What the study searches, by its name among the plug-ins `nasopt.problems`."""
        return self.space.family if self.of_networks else self.problem.kind

    @property
    def folder(self) -> Path | None:
        """Folder of the file that the study was read from; None where it came from elsewhere."""
        return self._folder

    @property
    def device_names(self) -> list[str]:
        """Devices as metrics call them: a profile's path by its stem."""
        return [Path(d).stem if d.endswith((".yaml", ".yml")) else d for d in self.hardware.device]

    def resolved(self) -> dict[str, Any]:
        """All keys that act with their values as JSON, the storage URL without its password."""
        idle = None if self.of_networks else set(NETWORK_SECTIONS)
        content = self.model_dump(mode="json", by_alias=True, exclude=idle)
        content["study"]["storage"] = shown(content["study"]["storage"])
        return content


class StudySpec(StudyFile):
    """The file of one study."""

    sampler: Annotated[SamplerSpec, by_name("name", SamplerSpec)] = SamplerSpec()

    def identity(self) -> dict[str, Any]:
        """What may not change between two runs of one study, flat: everything but budget, places and outputs."""
        flat = _flatten(self.resolved())
        return {k: v for k, v in flat.items() if k not in _MAY_CHANGE}

    def hash(self) -> str:
        """Content hash of `identity`."""
        return content_key(**{"spec": self.identity()})


_MAY_CHANGE = frozenset(
    {
        "study.trials",
        "study.storage",
        "study.artifacts",
        "problem.file",  # its content may not, see study.opening
        "data.root",
        "data.download",
        "data.max_memory_mb",
        "data.max_megapixels",
        "problem.max_memory_mb",
        "training.device",
        "training.threads",
    }
)


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {
            k: v
            for key, inner in value.items()
            for k, v in _flatten(inner, f"{prefix}.{key}" if prefix else key).items()
        }
    return {prefix: value}


def load_spec(path: str | Path, *, overrides: Sequence[str] = ()) -> StudySpec:
    """Read the file of one study; `overrides` are `section.key=value` texts, applied in order.

    Raises:
        SpecError: naming file, line and key of each mistake; the file is a contest's, see `spec.contest`.
    """
    document = yaml.read(Path(path))
    for assignment in overrides:
        yaml.override(document, assignment)
    if is_contest(document.content):
        raise SpecError(f"{path} is the file of a contest, not of one study; read it with nasopt.load_contest")
    spec = yaml.validate(StudySpec, document)
    spec._folder = Path(path).absolute().parent
    return spec


def is_contest(content: Mapping[str, Any]) -> bool:
    """Whether a file's content lets samplers compete: a list of them, or a section on what they share."""
    return isinstance(content.get("sampler"), list) or content.get("contest") is not None
