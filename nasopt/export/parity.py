"""Whether the exported graphs and the network compute the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from nasopt.errors import ExportError, ParityError
from nasopt.export.graph import read
from nasopt.export.routed import TAU, _tau_tensor
from nasopt.records import ExportedModel

Array = np.ndarray[Any, np.dtype[Any]]

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

    tau is the median score of the network. Each path is compared on all images, the routed graph on what it answers.

    Raises:
        ParityError: a logit differs by more than 1e-4, is not finite, or a decision differs although the score is not
            within 1e-5 of tau.
        ExportError: ONNX Runtime does not take a graph.
    """
    batch = np.ascontiguousarray(images, dtype=np.float32)
    features, little, scores, big = _expected(network, batch)
    tau = float(np.float32(np.median(scores)))
    run_easy, run_hard = _session(easy), _session(hard)
    got_features, got_little, got_scores = run_easy(batch, easy)
    (got_big,) = run_hard(got_features, hard)
    got_logits, exited = _session(routed, tau)(batch, routed)
    expected_exit = scores >= np.float32(tau)
    clear = np.abs(scores - np.float32(tau)) >= TIE
    wrong = clear & (exited != expected_exit)
    answered = np.where(exited[:, None], little, big)
    parity = Parity(
        images=len(batch),
        tau=tau,
        exited=int(exited.sum()),
        max_difference=max(_gap(got_little, little), _gap(got_big, big), _gap(got_logits, answered)),
        max_score_difference=_gap(got_scores, scores),
        decisions_differing=int(wrong.sum()),
        ties=int((~clear).sum()),
    )
    _judge(parity, _gap(got_little, little), _gap(got_big, big), scores, np.flatnonzero(wrong))
    return parity


def _expected(network: nn.Module, batch: Array) -> tuple[Array, Array, Array, Array]:
    modes = [(m, m.training) for m in network.modules()]
    parameter = next(network.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    for m, _ in modes:
        m.training = False
    try:
        with torch.no_grad():
            features, little, scores = network.easy(torch.from_numpy(batch).to(device))  # type: ignore[operator]
            big = network.hard(features)  # type: ignore[operator]
    finally:
        for m, training in modes:
            m.training = training
    return tuple(v.cpu().numpy() for v in (features, little, scores, big))  # type: ignore[return-value]


def _session(model: ExportedModel, tau: float | None = None) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    data: Any = str(model.path)
    if tau is not None:
        changed = read(model.path)
        for tensor in changed.graph.initializer:
            if tensor.name == TAU:
                tensor.CopyFrom(_tau_tensor(tau))
        data = changed.SerializeToString()
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        raise ExportError(f"ONNX Runtime {onnxruntime.__version__} does not take {model.path}: {error}") from error

    def run(batch: Array, described: ExportedModel) -> list[Array]:
        """All images through a graph of fixed batch; the last batch is filled up and cut off again."""
        (name, shape), size = described.inputs[0], described.batch
        missing = -len(batch) % size
        filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
        if filled.shape[1:] != shape[1:]:
            raise ParityError(f"{described.path} takes images of shape {shape[1:]}, got {filled.shape[1:]}")
        parts = [session.run(None, {name: filled[i : i + size]}) for i in range(0, len(filled), size)]
        return [np.concatenate(column)[: len(batch)] for column in zip(*parts, strict=True)]

    return run


def _gap(got: Array, expected: Array) -> float:
    gap = np.abs(got.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0)
    return float(gap) if np.isfinite(gap) else float("inf")


def _judge(parity: Parity, little: float, big: float, scores: Array, wrong: Array) -> None:
    if not parity.max_difference <= TOLERANCE:
        raise ParityError(
            f"exported logits differ from the network's by {parity.max_difference:.2e} (little {little:.2e}, big {big:.2e}; "
            f"at most {TOLERANCE:.0e}) on {parity.images} images; logits that are not finite count as infinite"
        )
    if len(wrong):
        gap = abs(float(scores[wrong[0]]) - parity.tau)
        raise ParityError(
            f"the exported router decides otherwise for {len(wrong)} of {parity.images} images at tau {parity.tau:.6f}; "
            f"the first, image {wrong[0]}, has a score {gap:.2e} from tau (excused below {TIE:.0e}); "
            f"scores differ by up to {parity.max_score_difference:.2e}"
        )
