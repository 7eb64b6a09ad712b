"""The members of a portfolio: which samplers, under which names, made by their own factories."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler

from nasopt import plugins
from nasopt.errors import UnknownPluginError, UsageError
from nasopt.samplers.factory import call_factory


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One sampler of a portfolio, by the name it is installed under."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def described(self) -> str:
        """The name, with the options if there are any."""
        options = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name} ({options})" if options else self.name


def read_members(given: Any) -> tuple[Member, ...]:
    """Members from a study file: names, or mappings of `name` and `options`.

    Raises:
        ValueError: it is no such list, or a member stands twice.
    """
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"members must be a list of samplers, got {given!r}")
    members = tuple(_read_member(one) for one in given)
    counts = Counter(member.described for member in members)
    if twice := [described for described, count in counts.items() if count > 1]:
        raise ValueError(f"the member {twice[0]} stands twice; give its twin other options, or leave it out")
    return members


def _read_member(given: Any) -> Member:
    if isinstance(given, Member):
        return given
    if isinstance(given, str):
        return Member(name=given)
    if isinstance(given, Mapping) and isinstance(given.get("name"), str) and not given.keys() - {"name", "options"}:
        options = given.get("options") or {}
        if isinstance(options, Mapping):
            return Member(name=given["name"], options=dict(options))
    raise ValueError(f"a member is a sampler's name, or {{name: ..., options: {{...}}}}, got {given!r}")


def labels(members: tuple[Member, ...]) -> tuple[str, ...]:
    """What each member is called in the trials that it proposes: its name, with its options where two share a name."""
    counts = Counter(member.name for member in members)
    return tuple(m.name if counts[m.name] == 1 else m.described for m in members)


def requirements(members: tuple[Member, ...]) -> frozenset[str]:
    """What the members' factories declare that they require besides the space.

    Raises:
        UnknownPluginError: no sampler of that name.
    """
    return frozenset().union(*(_required(member) for member in members))


def _required(member: Member) -> frozenset[str]:
    declared: Any = getattr(_factory(member), "requires", frozenset())
    return frozenset(declared(member.options) if callable(declared) else declared)


def _factory(member: Member) -> Any:
    try:
        factory = plugins.load("samplers", member.name)
    except UnknownPluginError as error:
        raise UnknownPluginError(f"sampler portfolio: {error}") from error
    if getattr(factory, "holds_members", False):
        raise UsageError(
            f"sampler portfolio: {member.name} cannot be a member of a portfolio; list its own members instead"
        )
    return factory


def make_members(
    members: tuple[Member, ...], *, seed: int | None, offered: Mapping[str, Any], provided: Mapping[str, Any]
) -> dict[str, BaseSampler]:
    """The samplers by label, each with a seed of its own.

    Args:
        members: which ones.
        seed: what their seeds are derived from.
        offered: arguments that a factory is given if its signature names them.
        provided: arguments that a factory is given if it requires them.

    Raises:
        UnknownPluginError: no sampler of that name.
        UsageError: a member refuses its options, needs what a portfolio does not have, or is a portfolio itself.
    """
    made = {}
    for place, (label, member) in enumerate(zip(labels(members), members, strict=True)):
        own = None if seed is None else int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
        required = _required(member)
        given = {**offered, "seed": own} | {name: v for name, v in provided.items() if name in required}
        try:
            made[label] = _make(member, given)
        except UsageError as error:
            raise UsageError(f"sampler portfolio, member {member.name}: {error}") from error
    return made


def _make(member: Member, offered: Mapping[str, Any]) -> BaseSampler:
    factory = _factory(member)
    if "prior" in member.options and "prior" in inspect.signature(factory).parameters and "prior" not in offered:
        raise UsageError("give the option prior to the portfolio and not to the member; its training is charged then")
    return call_factory(member.name, factory, member.options, offered)
