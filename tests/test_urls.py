"""What may be seen of a database URL, and what it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from nasopt import database
from nasopt.database import urls
from nasopt.errors import UsageError
from nasopt.text.commands import command


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    urls._secrets.clear()
    yield
    urls._secrets.clear()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("postgresql://me:secret@h:5/db", "postgresql://me:***@h:5/db"),
        ("postgresql://me:se@cret:@h/db", "postgresql://me:***@h/db"),
        ("postgresql://me:a/b?c#d@h/db", "postgresql://me:***@h/db"),
        ("postgresql:me:secret@h/db", "postgresql:me:***@h/db"),
        ("postgresql+psycopg:/me:secret@h/db", "postgresql+psycopg:/me:***@h/db"),
        ("postgresql://:secret@h/db", "postgresql://:***@h/db"),
        ("postgresql://me:${PASSWORD}@h/db", "postgresql://me:${PASSWORD}@h/db"),
        ("postgresql://me@h/db", "postgresql://me@h/db"),
        ("mysql+pymysql://h/db?user=a&password=secret&x=1", "mysql+pymysql://h/db?user=a&password=***&x=1"),
        ("--set study.storage=mysql://me:secret@h/db: no", "--set study.storage=mysql://me:***@h/db: no"),
        ("objectives: latency_ms@local: none", "objectives: latency_ms@local: none"),
    ],
)
def test_passwords_are_hidden(text: str, shown: str) -> None:
    assert urls.redact(text) == shown


def test_a_password_that_was_met_is_known_again_in_pieces_and_in_other_spellings() -> None:
    urls.watch_for("--set=study.storage=postgresql://me:tr0ub@dor/3%20x@host:5/name")
    for said in ("cannot resolve 'dor/3%20x@host'", "bad port 'tr0ub'", "FATAL: tr0ub@dor/3 x refused", "dor"):
        assert "tr0ub" not in urls.redact(said)
        assert "dor" not in urls.redact(said)
    assert urls.redact("me on host has no name at nasopt") == "me on host has no name at nasopt"


def test_commands_keep_variables_and_lose_passwords() -> None:
    words = ["run", "a b.yaml", "--storage"]
    hidden = command(*words, "mysql://u:pw@h/d")
    assert hidden == "nasopt run 'a b.yaml' --storage 'mysql://u:${PASSWORD}@h/d'"
    assert command(*words, "mysql://u:${PW}@h/d").endswith("--storage 'mysql://u:${PW}@h/d'")
    assert command(*words, "mysql://h/d?password=pw").endswith("--storage 'mysql://h/d?password=${PASSWORD}'")


def test_variables_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "x")
    assert database.expand("postgresql://a:${DB_PASSWORD}@h/d") == "postgresql://a:x@h/d"
    with pytest.raises(UsageError, match="DB_ABSENT"):
        database.expand("postgresql://a:${DB_ABSENT}@h/d")
    assert database.expand("postgresql://a:p$$x@h/d") == "postgresql://a:p$x@h/d"


@pytest.mark.parametrize("password", ["p@ss/w:rd?#[1] $x", "per%40cent"])
def test_a_password_in_a_variable_may_have_any_character(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("DB_PASSWORD", password)
    parsed = make_url(database.expand("postgresql://a:${DB_PASSWORD}@h:5/d"))
    assert parsed.password == password.replace("%40", "@")
    assert (parsed.host, parsed.port, parsed.database) == ("h", 5, "d")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:hunter@two@h/d", "unescaped '@'; write %40, or keep"),
        ("postgresql://me:hunter$two@h/d", "a '\\$' that begins no variable's name"),
        ("postgresql://me:hunter$@h/d", "a '\\$' that begins no variable's name"),
        ("postgresql:me:hunter2two@h/d", "no database URL"),
        ("postgresql://me:hunter2two@h:54x2/d", "port in .* is no number"),
        ("postgresql://me:hunter2two@h:99999/d", "port in .* is 99999"),
    ],
)
def test_a_url_that_cannot_be_is_one_line_without_its_password(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        database.open_storage(database.expand(url))
    assert "hunter" not in str(caught.value)
    assert "two" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["my study.db", "a%20b.db", "what?.db", "cost$.db", "{x}#1.db", "ü.db"])
def test_every_path_has_a_url_that_names_it_everywhere(tmp_path: Path, name: str) -> None:
    url = urls.sqlite_url(tmp_path / name)
    assert database.expand(url) == url
    assert urls.sqlite_file(url) == tmp_path / name
    assert make_url(url).database == str(tmp_path / name)


def test_an_encoded_name_is_the_file_that_the_driver_opens() -> None:
    assert urls.sqlite_file("sqlite:///my%20study.db") == Path("my study.db").absolute()
    assert urls.sqlite_file("sqlite+pysqlite:////x/a.db?timeout=3") == Path("/x/a.db")
    assert urls.sqlite_file("sqlite:///file:/x/a%20b.db?mode=ro&uri=true") == Path("/x/a b.db")
    assert urls.sqlite_file("postgresql://h/d") is None
