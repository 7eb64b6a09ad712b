"""The file of a contest: several samplers on one problem, with the same budget and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, field_validator, model_validator

from nasopt.spec import yaml
from nasopt.spec.base import Number, Section, Whole, distinct
from nasopt.spec.study import SamplerSpec, StudyFile, StudySpec, by_name, is_contest

_LONGEST_NAME = 200
_LONGEST_LABEL = 60
_MOST_SEEDS = 1000


class CompetitorSpec(SamplerSpec):
    """A sampler that competes."""

    label: str = Field(default="", max_length=_LONGEST_LABEL)
    """What tables and studies call it; the sampler's name if left out."""

    @field_validator("label")
    @classmethod
    def _plain(cls, label: str) -> str:
        if not label.isprintable() or label != label.strip() or "/" in label:
            raise ValueError(f"a label has no slash, no line breaks and no spaces around it, not {label!r}")
        return label

    @property
    def title(self) -> str:
        """The label in force."""
        return self.label or self.name


class ContestSection(Section):
    """What the competitors share besides problem and budget."""

    seeds: Annotated[Whole, Field(ge=1, le=_MOST_SEEDS)] | list[Annotated[Whole, Field(ge=0, lt=2**32)]] = 3
    """Seeds of the samplers, a list; or how many, counted from 0."""
    control: str | None = None
    """The label that all others are tested against; without one, every pair is tested."""
    reference: list[Number] | None = None
    """The point up to which hypervolume counts, one value an objective; taken from all runs' fronts if left out."""

    _seeds = field_validator("seeds", mode="before")(distinct)

    @property
    def seed_list(self) -> tuple[int, ...]:
        """All seeds."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else tuple(self.seeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One competitor with one seed: a study of its own."""

    contest: str
    label: str
    seed: int
    """Of the sampler alone; splits and training take `study.seed`, the same for all."""
    spec: StudySpec


class ContestSpec(StudyFile):
    """The file of a contest."""

    sampler: Annotated[list[Annotated[CompetitorSpec, by_name("name", CompetitorSpec)]], Field(min_length=1)]
    contest: ContestSection = ContestSection()

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, content: Any) -> Any:
        """A sampler that stands alone competes alone, as where `--sampler` picks one."""
        if isinstance(content, dict) and not isinstance(content.get("sampler"), list):
            return {**content, "sampler": [content.get("sampler") or SamplerSpec().name]}
        return content

    @field_validator("sampler")
    @classmethod
    def _distinct(cls, competitors: list[CompetitorSpec]) -> list[CompetitorSpec]:
        labels = [c.title for c in competitors]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise ValueError(f"two competitors are called {twice[0]!r}; give each a label of its own")
        return competitors

    @model_validator(mode="after")
    def _fitting(self) -> ContestSpec:
        labels = self.labels
        if self.contest.control is not None and self.contest.control not in labels:
            raise ValueError(f"contest.control is {self.contest.control!r}; the competitors are {', '.join(labels)}")
        if self.contest.reference is not None and len(self.contest.reference) != len(self.objectives):
            raise ValueError(
                f"contest.reference has {len(self.contest.reference)} values; expected one each for "
                f"{', '.join(o.metric for o in self.objectives)}"
            )
        longest = max(len(e) for e in self._names())
        if longest > _LONGEST_NAME:
            raise ValueError(
                f"studies are named study.name/label/seed, here with {longest} characters; {_LONGEST_NAME} are allowed"
            )
        return self

    def _names(self) -> list[str]:
        return [entry_name(self.study.name, c.title, s) for c in self.sampler for s in self.contest.seed_list]

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the competitors, in the order of the file."""
        return tuple(c.title for c in self.sampler)

    def entries(self) -> tuple[Entry, ...]:
        """All runs, competitor by competitor."""
        return tuple(
            Entry(contest=self.study.name, label=competitor.title, seed=seed, spec=self._study_spec(competitor, seed))
            for competitor in self.sampler
            for seed in self.contest.seed_list
        )

    def _study_spec(self, competitor: CompetitorSpec, seed: int) -> StudySpec:
        given = {name: getattr(self, name) for name in StudyFile.model_fields if name in self.model_fields_set}
        given["study"] = self.study.model_copy(update={"name": entry_name(self.study.name, competitor.title, seed)})
        spec = StudySpec(**given, sampler=SamplerSpec(name=competitor.name, options=competitor.options))
        spec._folder = self._folder
        return spec


def entry_name(contest: str, label: str, seed: int) -> str:
    """Name of a competitor's study with one seed."""
    return f"{contest}/{label}/{seed}"


def load_contest(path: str | Path, *, overrides: Sequence[str] = ()) -> ContestSpec:
    """Read the file of a contest; that of one study is a contest of one.

    `overrides` are `section.key=value` texts; `sampler=LABEL` picks one of the competitors.

    Raises:
        SpecError: naming file, line and key of each mistake.
    """
    spec = yaml.validate(ContestSpec, _document(path, overrides))
    spec._folder = Path(path).absolute().parent
    return spec


def load_file(path: str | Path, *, overrides: Sequence[str] = ()) -> StudySpec | ContestSpec:
    """Read a file that is either a study's or a contest's.

    Raises:
        SpecError: naming file, line and key of each mistake.
    """
    document = _document(path, overrides)
    spec: StudySpec | ContestSpec
    spec = yaml.validate(ContestSpec, document) if is_contest(document.content) else yaml.validate(StudySpec, document)
    spec._folder = Path(path).absolute().parent
    return spec


def file_schema() -> dict[str, Any]:
    """JSON Schema of what `load_file` reads."""
    return TypeAdapter(StudySpec | ContestSpec).json_schema(by_alias=True)


def _document(path: str | Path, overrides: Sequence[str]) -> yaml.Document:
    document = yaml.read(Path(path))
    for assignment in overrides:
        listed = document.content.get("sampler")
        yaml.override(document, assignment)
        chosen = document.content.get("sampler")
        if isinstance(listed, list) and isinstance(chosen, str):
            document.content["sampler"] = [c for c in listed if _called(c, chosen)] or [chosen]
    return document


def _called(competitor: Any, label: str) -> bool:
    if isinstance(competitor, dict):
        return bool((competitor.get("label") or competitor.get("name")) == label)
    return bool(competitor == label)
