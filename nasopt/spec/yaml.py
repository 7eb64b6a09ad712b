"""Reading YAML files so that every later complaint can name the file, the line and the key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nasopt.errors import SpecError
from nasopt.spec.base import KeyPath
from nasopt.text.commands import command

Model = TypeVar("Model", bound=BaseModel)

_SHORTHANDS = {"data": "name", "hardware": "device", "sampler": "name"}
"""Sections that may be written as one text, and the key that it stands for."""


@dataclass(slots=True)
class Document:
    """The content of a YAML file and where each key of it stands."""

    source: str
    content: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    assigned: dict[KeyPath, str] = field(default_factory=dict)
    """Assignments of the command line, by the key that they set."""

    def where(self, path: KeyPath) -> str:
        """`file:line` of a key, or of the nearest one around it; the assignment that set it, if one did."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.assigned:
                return f"--set {self.assigned[path[:end]]}"
            if path[:end] in self.lines:
                return f"{self.source}:{self.lines[path[:end]]}"
        return self.source


class _AmbiguousError(yaml.MarkedYAMLError):
    """A scalar that two readers would read in two ways."""


class _Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2's core schema, and what two readers would read in two ways refused.

    So `1e-3` is a number; `1:30`, `1_000`, `2026-01-31`, `yes` and `off` are text; `010` is refused.
    """

    def refuse_leading_zero(self, node: yaml.ScalarNode) -> None:
        """Raises _AmbiguousError: YAML 1.1 reads such a number as octal, YAML 1.2 as decimal."""
        plain = node.value.lstrip("+-0") or "0"
        seen = f"{node.value} is {plain} to some readers and octal to others"
        raise _AmbiguousError(problem=f"{seen}; write {plain}, or put it in quotes", problem_mark=node.start_mark)


_MERGE = "tag:yaml.org,2002:merge"
_LEADING_ZERO = "tag:nasopt,2026:leading-zero"
_SIGN, _DIGITS = "[-+]?", list("-+0123456789.")
_SCALARS: tuple[tuple[str, str, list[str]], ...] = (
    ("tag:yaml.org,2002:bool", "true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_LEADING_ZERO, f"{_SIGN}0[0-9]+", _DIGITS),
    ("tag:yaml.org,2002:int", f"{_SIGN}[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", _DIGITS),
    ("tag:yaml.org,2002:float", rf"{_SIGN}(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", _DIGITS),
    ("tag:yaml.org,2002:float", rf"{_SIGN}\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
    ("tag:yaml.org,2002:null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_MERGE, "<<", ["<"]),
)
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _first)
_Loader.add_constructor(_LEADING_ZERO, _Loader.refuse_leading_zero)

_MOST_BYTES, _MOST_VALUES, _DEEPEST = 2_000_000, 100_000, 60
"""Of a file, of what it unfolds to with its aliases, and of sections within each other: far beyond any study's."""


def read(path: Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Raises:
        SpecError: the file is missing, unreadable or not such YAML, or a key stands twice.
    """
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise SpecError(f"{path} has {size:,} bytes; expected a YAML file of at most {_MOST_BYTES:,}")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SpecError(f"no file {path}; write a new one with: {command('init', str(path))}") from None
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}; expected a YAML file") from error
    except UnicodeDecodeError as error:
        wide = error.object[:2] in (b"\xff\xfe", b"\xfe\xff")
        found = "it is in UTF-16; save it as UTF-8" if wide else f"found other bytes at {error.start}"
        raise SpecError(f"cannot read {path}: expected YAML in UTF-8, {found}") from error
    return parse(text, source=str(path))


def parse(text: str, *, source: str) -> Document:
    """Like `read`, from text; `source` is what messages call it."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            document = Document(source=source, content={})
            if node is not None:
                _Lines(document).note(node, ())
                document.content = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        said = str(error.problem or error.context)
        if "'\\t'" in said:
            said = "a tab stands where YAML wants spaces; indent with spaces"
        what = "" if isinstance(error, _AmbiguousError) else "not valid YAML: "
        raise SpecError(f"{source}{line}: {what}{said}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SpecError(f"{source}: not valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise SpecError(f"{source}: nested too deeply, or an alias that contains itself") from error
    if not isinstance(document.content, dict):
        raise SpecError(f"{source}: expected sections such as 'study:' and 'space:', found {_kind(document.content)}")
    return document


class _Lines:
    """Notes in a document where its keys stand, and refuses what would unfold without end."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0

    def note(self, node: yaml.Node, path: KeyPath) -> None:
        """Note all keys at and below a node that stands at `path`.

        Raises:
            SpecError: a key is no text or stands twice, or there are too many values or levels.
        """
        self._count += 1
        if self._count > _MOST_VALUES:
            raise self._refused(node, f"unfolds to more than {_MOST_VALUES:,} values; aliases (*name) repeat all below")
        if len(path) > _DEEPEST:
            raise self._refused(node, f"nested more than {_DEEPEST} deep, or an alias that contains itself")
        if isinstance(node, yaml.MappingNode):
            self._note_keys(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._document.lines[(*path, index)] = value.start_mark.line + 1
                self.note(value, (*path, index))

    def _note_keys(self, node: yaml.MappingNode, path: KeyPath) -> None:
        seen: set[str] = set()
        for key, value in sorted(node.value, key=lambda pair: pair[0].tag != _MERGE):  # what is merged in comes first
            if key.tag == _MERGE:
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    self.note(merged, path)
                continue
            if key.tag != "tag:yaml.org,2002:str":
                shown = key.value if isinstance(key, yaml.ScalarNode) else _kind([] if key.id == "sequence" else {})
                raise self._refused(key, f"the key {shown} is no text; put it in quotes")
            if key.value in seen:
                raise self._refused(key, f"the key {key.value!r} stands here twice")
            seen.add(key.value)
            self._document.lines[(*path, key.value)] = key.start_mark.line + 1
            self.note(value, (*path, key.value))

    def _refused(self, node: yaml.Node, what: str) -> SpecError:
        return SpecError(f"{self._document.source}:{node.start_mark.line + 1}: {what}")


def override(document: Document, assignment: str) -> None:
    """Apply one `section.key=value`; the value is YAML.

    Raises:
        SpecError: the assignment is malformed or goes through something that is no mapping.
    """
    dotted, equals, text = assignment.partition("=")
    keys = dotted.strip().split(".")
    if not equals or not all(keys):
        raise SpecError(f"--set {assignment}: expected section.key=value, such as training.supernet.epochs=10")
    try:
        value = parse(f"value: {text}", source="--set").content["value"]
    except SpecError as error:
        seen = str(error).partition(": ")[2].removeprefix("not valid YAML: ")
        raise SpecError(f"--set {assignment}: the value is not valid YAML: {seen}") from error
    place = document.content
    for depth, key in enumerate(keys[:-1]):
        inner = place.setdefault(key, {}) if isinstance(place, dict) else None
        if isinstance(inner, str) and key in _SHORTHANDS and depth == 0:
            inner = place[key] = {_SHORTHANDS[key]: inner}
        if not isinstance(inner, dict):
            raise SpecError(f"--set {assignment}: {'.'.join(keys[: depth + 1])} is {_kind(inner)}, not a section")
        place = inner
    place[keys[-1]] = value
    document.assigned[tuple(keys)] = assignment
    below = len(keys)
    document.lines = {k: v for k, v in document.lines.items() if k[:below] != tuple(keys)}


def validate(model: type[Model], document: Document) -> Model:
    """Build a pydantic model from a document.

    Raises:
        SpecError: with one line for each mistake, each naming file, line, key and what was expected.
    """
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        lines = list(_explain(error.errors(), model, document))
        raise SpecError("\n".join(lines)) from error


def _explain(errors: Sequence[ErrorDetails], model: type[BaseModel], document: Document) -> Iterator[str]:
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for error in errors:
        by_path.setdefault(_yaml_path(error, document), []).append(error)
    for path, found in by_path.items():
        deeper = any(other != path and other[: len(path)] == path and path for other in by_path)
        if deeper and (len(found) > 1 or found[0]["type"].endswith("_type")):
            continue  # the other branches of a union; a deeper path tells more
        key = ".".join(str(p) if isinstance(p, str) else f"[{p}]" for p in path).replace(".[", "[")
        yield f"{document.where(path)}: {key + ': ' if key else ''}{_problem(found, path, model, document)}"


def _yaml_path(error: ErrorDetails, document: Document) -> KeyPath:
    """The part of pydantic's location that exists in the file; the rest names branches of unions."""
    path: KeyPath = ()
    place: Any = document.content
    for part in error["loc"]:
        if _has(place, part):
            place = place[part]
            path = (*path, part)
    if error["type"] == "missing":
        path = (*path, error["loc"][-1])
    return path


def _has(place: Any, part: str | int) -> bool:
    if isinstance(place, list):
        return isinstance(part, int) and part < len(place)
    return isinstance(place, dict) and part in place


def _problem(found: Sequence[ErrorDetails], path: KeyPath, model: type[BaseModel], document: Document) -> str:
    unknown = next((e for e in found if e["type"] == "extra_forbidden"), None)
    if unknown is not None:
        known = _known_keys(model, path[:-1], document.content)
        near = get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key; {hint}"
    own = next((e for e in found if e["type"] == "value_error"), None)
    if own is not None:
        return own["msg"].removeprefix("Value error, ")
    if found[0]["type"] == "missing":
        return "missing; this key is required"
    if found[0]["type"].startswith("union_tag"):
        return _unknown_branch(found[0])
    value = found[0]["input"]
    if len(found) > 1 and any("Range" in str(part) for e in found for part in e["loc"]):
        return f"expected a value, a list of values or a range {{low, high, step, log}}, not {_shown(value)}"
    wanted = " or ".join(dict.fromkeys(_expectation(e) for e in found))
    hint = "; put it in quotes" if wanted == "text" and isinstance(value, (int, float, date)) else ""
    return f"expected {wanted}, not {_shown(value)}{hint}"


def _expectation(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Input should be ")
    words = {"a valid integer": "a whole number", "a valid number": "a number", "a valid string": "text"}
    words |= {"a valid list": "a list", "a valid boolean": "true or false"}
    message = words.get(message.split(",")[0], message).removeprefix("String should have ")
    for symbol, phrase in (("at least", "greater than or equal to "), ("at most", "less than or equal to ")):
        message = message.replace(phrase, f"{symbol} ")
    message = re.sub(r"^(?=(greater|less) than )", "a number ", message)
    if message.startswith("a valid dictionary") or error["type"] == "model_attributes_type":
        message = "a section with keys"
    return re.sub(r"^(?:List|Value) should have (.*) after validation.*", r"\1", message)


def _unknown_branch(error: ErrorDetails) -> str:
    """What is said of a section whose `kind` is missing, or none of those there are."""
    known = error.get("ctx", {}).get("expected_tags", "")
    if not known:
        return "kind: missing; this key is required"
    return f"kind: expected {' or '.join(known.rsplit(', ', 1))}, not {_shown(error['ctx']['tag'])}"


def _known_keys(model: type[BaseModel], path: KeyPath, content: Any) -> list[str]:
    """Keys of the section at `path`; where its model depends on its `kind`, those of the kind that `content` says."""
    current: Any = model
    for part in path:
        content = content[part]
        if isinstance(part, int):
            continue
        fields = {f.alias or n: f for n, f in current.model_fields.items()}
        if part not in fields:
            return []
        models = _inner_models(fields[part].annotation)
        if not models:
            return []
        kind = content.get("kind") if isinstance(content, dict) else None
        current = next((m for m in models if "kind" in m.model_fields and kind in _tags(m)), models[0])
    return sorted(f.alias or n for n, f in current.model_fields.items())


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return getattr(model.model_fields["kind"].annotation, "__args__", ())


def _inner_models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for argument in getattr(annotation, "__args__", ()) for inner in _inner_models(argument)]


def _shown(value: Any) -> str:
    """A value with its kind, cut short where it is long."""
    shown = repr(value)
    return _kind(value) if value is None else f"{_kind(value)} {shown if len(shown) <= 80 else shown[:77] + '...'}"


def _kind(value: Any) -> str:
    names = {dict: "a section", list: "a list", str: "text", bool: "true/false", int: "number", float: "number"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)
