"""Several samplers feed one study; each trial goes to the one that has gained most of late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import FrozenTrial, TrialState

from nasopt.errors import UsageError
from nasopt.records import TrialKeys
from nasopt.samplers.history import read_trials
from nasopt.samplers.lost import StudyWithLost
from nasopt.samplers.portfolio_credit import choose, proposer, standing
from nasopt.samplers.portfolio_members import Member, make_members, read_members, requirements
from nasopt.samplers.portfolio_novelty import unseen
from nasopt.samplers.stateless import check_integer, check_share, read_options


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioOptions:
    """Options of the portfolio."""

    members: tuple[Member, ...] = tuple(Member(name=name) for name in ("predictor", "tpe", "evolution"))
    """Names of installed samplers, or mappings of `name` and `options`."""
    window: int = 50
    """Trials, the last ones, whose contributions count."""
    floor: float = 0.05
    """Least share of the trials that each member keeps."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", read_members(self.members))
        check_integer("window", self.window, 1)
        check_share("floor", self.floor)
        if self.floor * len(self.members) > 1:
            raise ValueError(f"{len(self.members)} members cannot each keep a share of {self.floor}")


class PortfolioSampler(BaseSampler):
    """Hands each trial to a member and records which.

    Keeps nothing but its generator and the members: what they have earned is read from the trials at each ask, so that
    workers, resumed studies and samplers made anew choose alike. Members learn from all trials, whoever proposed them.
    """

    def __init__(
        self,
        members: Mapping[str, BaseSampler],
        *,
        window: int = 50,
        floor: float = 0.05,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        """`members` by the label under which a trial records them.

        Without a `search_space` it is what all trials that teach have in common, and what the member makes of it.
        """
        self._members = dict(members)
        self._window, self._floor = window, floor
        self._rng = np.random.default_rng(seed)
        self._space = {n: d for n, d in (search_space or {}).items() if not d.single()}
        self._intersection = IntersectionSearchSpace()
        self._chosen: dict[int, str] = {}

    def reseed_rng(self) -> None:
        """Seed all generators anew."""
        self._rng = np.random.default_rng()
        for member in self._members.values():
            member.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Choose the proposer, and record it unless the parameters are already given, by whomever."""
        label = self._label(study, trial)
        given = trial.params or trial.system_attrs.get("fixed_params")
        if not given and proposer(trial) != label:
            study._storage.set_trial_user_attr(trial._trial_id, TrialKeys.PROPOSER, label)
            trial.set_user_attr(TrialKeys.PROPOSER, label)  # Optuna goes on with this copy
        self._members[label].before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The given space, else what all trials that teach have in common; and what the member adds to it."""
        common = {} if self._space else self._intersection.calculate(StudyWithLost(study))
        own = self._space or {n: d for n, d in common.items() if not d.single()}
        return own | self._member(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The member's point, or a new one near it where the study has it already."""
        member = self._member(study, trial)
        relative = member.infer_relative_search_space(study, trial)
        params = member.sample_relative(study, trial, {n: d for n, d in search_space.items() if n in relative})
        for name, distribution in search_space.items():
            if name not in params:
                params[name] = member.sample_independent(study, trial, name, distribution)
        return unseen(study, trial, search_space, params, self._rng) if search_space else params

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The member's value, for parameters outside of the relative space."""
        return self._member(study, trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Let the proposer know how its trial ended."""
        label = self._chosen.pop(trial._trial_id, proposer(trial))
        if label in self._members:
            self._members[label].after_trial(study, trial, state, values)

    def _member(self, study: Study, trial: FrozenTrial) -> BaseSampler:
        return self._members[self._label(study, trial)]

    def _label(self, study: Study, trial: FrozenTrial) -> str:
        """Who proposes this trial, as chosen or recorded before, else chosen now."""
        label = self._chosen.get(trial._trial_id, proposer(trial))
        if label not in self._members:
            names = tuple(self._members)
            others = sorted((t for t in read_trials(study) if t.number != trial.number), key=lambda t: t.number)
            now = standing(study, others, names, self._window)
            label = names[choose(now, floor=self._floor, rng=self._rng)]
        self._chosen[trial._trial_id] = label
        return label


def portfolio(
    *,
    seed: int | None = None,
    search_space: Mapping[str, BaseDistribution] | None = None,
    trials: int | None = None,
    prior: Any = None,
    **options: Any,
) -> BaseSampler:
    """Several samplers that compete for the trials of one study; its options are those of PortfolioOptions.

    Args:
        seed: of the choice between the members, and what theirs are derived from.
        search_space: the distributions; what all COMPLETE trials have in common if left out.
        trials: the study's budget.
        prior: an architecture prior for the members that require one, see `samplers.darts`.
        **options: see PortfolioOptions.

    Raises:
        UnknownPluginError: a member is not installed.
        UsageError: an option that it or a member does not take, or a value that it refuses.
    """
    read = read_options("portfolio", PortfolioOptions, options)
    if prior is not None and "prior" not in requirements(read.members):
        raise UsageError("sampler portfolio: no member takes a prior; remove the option prior")
    members = make_members(
        read.members,
        seed=seed,
        offered={"search_space": search_space, "trials": trials},
        provided={} if prior is None else {"prior": prior},
    )
    return PortfolioSampler(members, window=read.window, floor=read.floor, seed=seed, search_space=search_space)


def _requires(options: Mapping[str, Any]) -> frozenset[str]:
    """What the members require, but for a prior that the options bring."""
    own = {name: value for name, value in options.items() if name != "prior"}
    needed = requirements(read_options("portfolio", PortfolioOptions, own).members)
    return needed - {"prior"} if "prior" in options else needed


portfolio.requires = _requires  # type: ignore[attr-defined]
portfolio.holds_members = True  # type: ignore[attr-defined]
