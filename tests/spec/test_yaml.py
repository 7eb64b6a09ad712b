"""The reader of study files and profiles: what YAML leaves open is settled or refused, and nothing unfolds for ever."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from nasopt.errors import SpecError
from nasopt.hardware.devices.profiles import load_profile
from nasopt.spec.yaml import override, parse, read

BOMB = "\n".join(
    [
        "a: &a [x,x,x,x,x,x,x,x,x]",
        *(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
    ]
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-3", -3),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("1e3", 1000.0),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("5.", 5.0),
        ("0.50", 0.5),
        ("00.5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("2026-01-31", "2026-01-31"),
        ("2026-13-45", "2026-13-45"),
        ("'010'", "010"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    found = parse(f"key: {text}", source="x.yaml").content["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 010", 2, r"010 is 10 to some readers and octal to others; write 10, or put it in quotes"),
        ("a: [1, -007]", 1, r"-007 is 7 to some readers"),
        ("a: {\n  1: x}", 2, r"the key 1 is no text; put it in quotes"),
        ("true: x", 1, r"the key true is no text"),
        ("null: x", 1, r"the key null is no text"),
        ("1.5: x", 1, r"the key 1\.5 is no text"),
        ("? [a, b]\n: x", 1, r"the key a list is no text"),
        ("? {a: b}\n: x", 1, r"the key a section is no text"),
        ("a: 1\na: 2", 2, "the key 'a' stands here twice"),
        ("a: 1\n'a': 2", 2, "the key 'a' stands here twice"),
        ("a:\n\tb: 1", 2, "a tab stands where YAML wants spaces; indent with spaces"),
        ("a: &x [*x]", 1, "contains itself"),
        (BOMB, 1, r"unfolds to more than 100,000 values; aliases \(\*name\) repeat all below"),
        ("a: *b", 1, "undefined alias"),
        ("a: " + "[" * 90 + "]" * 90, 1, "nested more than 60 deep, or an alias that contains itself"),
        ("a: " + "{b: " * 90 + "1" + "}" * 90, 1, "nested more than 60 deep, or an alias that contains itself"),
        ("a: !!python/object/apply:os.system ['true']", 1, "constructor"),
        ("a: 1\n---\nb: 2", 2, "another document"),
        ("a: 'open", 1, "end of stream"),
    ],
)
def test_refusals_name_the_line(text: str, line: int, message: str) -> None:
    start = time.perf_counter()
    with pytest.raises(SpecError) as caught:
        parse(text, source="x.yaml")
    assert time.perf_counter() - start < 5
    assert re.match(rf"x\.yaml:{line}: ", str(caught.value))
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)


def test_thousands_of_brackets_are_refused_too() -> None:
    with pytest.raises(SpecError, match=r"nested .*deep"):
        parse("a: " + "[" * 20_000, source="x.yaml")


def test_a_number_of_thousands_of_digits_is_one_line() -> None:
    with pytest.raises(SpecError, match="not valid YAML") as caught:
        parse("a: " + "9" * 5000, source="x.yaml")
    assert "\n" not in str(caught.value)


def test_merged_keys_have_lines_and_give_way_to_own_ones() -> None:
    document = parse("base: &b\n  x: 1\n  y: 2\nmore:\n  <<: *b\n  y: 3\n", source="x.yaml")
    assert document.content["more"] == {"x": 1, "y": 3}
    assert document.where(("more", "x")) == "x.yaml:2"
    assert document.where(("more", "y")) == "x.yaml:6"


def test_an_alias_may_be_used_twice() -> None:
    document = parse("a: &a [1, 2]\nb: *a\nc: *a", source="x.yaml")
    assert document.content["c"] == [1, 2]


def test_encodings(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).content == {"a": 1}
    path.write_bytes("a: 1".encode("utf-16"))
    with pytest.raises(SpecError, match="it is in UTF-16; save it as UTF-8"):
        read(path)
    path.write_bytes(b"a: \xe9")
    with pytest.raises(SpecError, match="found other bytes at 3"):
        read(path)
    path.write_bytes(b"a: \x00")
    with pytest.raises(SpecError, match="not valid YAML"):
        read(path)
    path.write_text("a: 1\n" + "# much\n" * 400_000)
    with pytest.raises(SpecError, match=r"2,800,005 bytes; expected a YAML file of at most 2,000,000"):
        read(path)


def test_assignments_say_what_is_wrong_with_their_value() -> None:
    document = parse("study: {trials: 3}", source="x.yaml")
    override(document, "study.name=2026-01-31")
    assert document.content["study"]["name"] == "2026-01-31"
    with pytest.raises(SpecError, match=r"--set study.trials=010: the value is not valid YAML: 010 is 10 to some"):
        override(document, "study.trials=010")


def test_profiles_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text("name: board\nmemory_mb: 0400\n")
    with pytest.raises(SpecError, match=r"board\.yaml:2: 0400 is 400 to some readers"):
        load_profile(tmp_path / "board.yaml")
    (tmp_path / "board.yaml").write_text(BOMB)
    with pytest.raises(SpecError, match="unfolds"):
        load_profile(tmp_path / "board.yaml")
