"""How good the routed answers are, and how well they know it."""

from __future__ import annotations

from nasopt.routing.decisions import Bools, Floats, Ints, decide, is_correct, optimal_exits, route
from nasopt.statistics.classification import expected_calibration_error, top_k_accuracy


def routed_quality(little: Floats, big: Floats, scores: Floats, labels: Ints, tau: float) -> dict[str, float]:
    """The quality metrics of `metrics.METRICS`, all fractions, of logits (n, classes) routed at tau."""
    exited = decide(scores, tau)
    routed = route(little, big, exited)
    optimal = optimal_exits(is_correct(little, labels), is_correct(big, labels))
    return {
        "accuracy": float(is_correct(routed, labels).mean()),
        "top5": top_k_accuracy(routed, labels, 5),
        "ece": expected_calibration_error(routed, labels),
        "exit_rate": float(exited.mean()),
        "routing_accuracy": float((exited == optimal).mean()),
    }


def class_table(routed: Floats, exited: Bools, labels: Ints, classes: tuple[str, ...]) -> list[dict[str, float | str]]:
    """Accuracy, exit rate and number of images of each class that occurs."""
    correct = is_correct(routed, labels)
    rows: list[dict[str, float | str]] = []
    for index, name in enumerate(classes):
        mine = labels == index
        if mine.any():
            rows.append(
                {
                    "class": name,
                    "images": int(mine.sum()),
                    "accuracy": float(correct[mine].mean()),
                    "exit_rate": float(exited[mine].mean()),
                }
            )
    return rows
