"""Whether the exported graphs and the network compute the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nasopt.errors import ParityError
from nasopt.graphs.running import Array, run
from nasopt.records import ExportedModel

TOLERANCE = 1e-4
"""Largest allowed difference of a logit, absolute."""
TIE = 1e-5
"""A decision may differ where the score lies within this of tau."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What the comparison saw."""

    images: int
    tau: float
    """The median score, so that both branches were taken."""
    exited: int
    """Images that left at the little head."""
    max_difference: float
    """Largest absolute difference of a logit, over both paths and the routed graph."""
    max_score_difference: float
    decisions_differing: int
    """Images decided otherwise although their score is clear of tau: 0, or the check failed."""
    ties: int
    """Images whose score lies within 1e-5 of tau."""

    @property
    def decisions_equal(self) -> bool:
        """Whether every decision that can be judged is the same."""
        return self.decisions_differing == 0


def check_parity(
    network: nn.Module, easy: ExportedModel, hard: ExportedModel, routed: ExportedModel, images: Array | torch.Tensor
) -> Parity:
    """Compare the three graphs with the network on images (n, c, h, w), float32, normalised.

    tau is the median score of the network, so half of the images take either branch. The easy graph runs on all
    images, the routed one too, and the hard graph on those that stay: the big network never runs where nothing is
    compared.

    Raises:
        ParityError: a logit differs by more than 1e-4, is not finite, or a decision differs although the score is not
            within 1e-5 of tau.
        ExportError: ONNX Runtime does not take a graph.
    """
    batch = np.ascontiguousarray(images, dtype=np.float32)
    with _evaluating(network) as device, torch.no_grad():
        features, *rest = network.easy(torch.from_numpy(batch).to(device))  # type: ignore[operator]
        little, scores = (v.cpu().numpy() for v in rest)
        tau = float(np.float32(np.median(scores)))
        _, got_little, got_scores = run(easy, batch)
        got_logits, exited = run(routed, batch, tau)
        # a few at least, so that the hard graph is compared even where the router sends nothing on
        stay = np.flatnonzero(~exited) if not exited.all() else np.arange(min(8, len(batch)))
        big = network.hard(features[torch.from_numpy(stay).to(device)]).cpu().numpy()  # type: ignore[operator]
    (got_big,) = run(hard, features.cpu().numpy()[stay])
    answered = little.copy()
    answered[stay] = np.where(exited[stay, None], little[stay], big)
    clear = np.abs(scores - np.float32(tau)) >= TIE
    wrong = clear & (exited != (scores >= np.float32(tau)))
    gaps = {"little": _gap(got_little, little), "big": _gap(got_big, big), "routed": _gap(got_logits, answered)}
    parity = Parity(
        images=len(batch),
        tau=tau,
        exited=int(exited.sum()),
        max_difference=max(gaps.values()),
        max_score_difference=_gap(got_scores, scores),
        decisions_differing=int(wrong.sum()),
        ties=int((~clear).sum()),
    )
    _judge(parity, gaps, scores, np.flatnonzero(wrong))
    return parity


def check_assembled(easy: ExportedModel, hard: ExportedModel, routed: ExportedModel, images: Array) -> None:
    """Hold a routed graph against the two graphs that it was made of, on images (n, c, h, w), at the median score.

    Raises:
        ParityError: a logit differs by more than 1e-4 or is not finite, or a decision differs.
        ExportError: ONNX Runtime does not take a graph.
    """
    features, little, scores = run(easy, images)
    (big,) = run(hard, features)
    tau = np.float32(np.median(scores))
    answered, exited = run(routed, images, float(tau))
    gap = _gap(answered, np.where((scores >= tau)[:, None], little, big))
    differing = int((exited != (scores >= tau)).sum())
    if not gap <= TOLERANCE or differing:
        raise ParityError(
            f"{routed.path.name} ({routed.precision}) does not compute what its paths do: logits differ by {gap:.2e} "
            f"(at most {TOLERANCE:.0e}; infinite where one is not finite), {differing} of {len(images)} decisions do"
        )


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[torch.device]:
    """Evaluation mode for a while; gives the device of the weights."""
    modes = [(m, m.training) for m in network.modules()]
    parameter = next(network.parameters(), None)
    for m, _ in modes:
        m.training = False
    try:
        yield parameter.device if parameter is not None else torch.device("cpu")
    finally:
        for m, training in modes:
            m.training = training


def _gap(got: Array, expected: Array) -> float:
    gap = np.abs(got.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0)
    return float(gap) if np.isfinite(gap) else float("inf")


def _judge(parity: Parity, gaps: dict[str, float], scores: Array, wrong: Array) -> None:
    if not parity.max_difference <= TOLERANCE:
        listed = ", ".join(f"{name} {gap:.2e}" for name, gap in gaps.items())
        raise ParityError(
            f"exported logits differ from the network's by {parity.max_difference:.2e} (at most {TOLERANCE:.0e}) on "
            f"{parity.images} images: {listed}; logits that are not finite count as infinite"
        )
    if len(wrong):
        gap = abs(float(scores[wrong[0]]) - parity.tau)
        raise ParityError(
            f"the exported router decides otherwise for {len(wrong)} of {parity.images} images, tau {parity.tau:.5f}; "
            f"image {wrong[0]} has a score {gap:.2e} from tau (excused below {TIE:.0e}), and scores differ by up to "
            f"{parity.max_score_difference:.2e}"
        )
