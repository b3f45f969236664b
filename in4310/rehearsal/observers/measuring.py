"""Metrics, with the kinds of what they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn.metrics

from in4310.rehearsal.events import Recorder

NAMES = ("accuracy_score", "balanced_accuracy_score", "average_precision_score", "precision_score",
         "recall_score", "f1_score", "confusion_matrix", "classification_report", "precision_recall_curve",
         "roc_auc_score")  # fmt: skip


def observe(see: Recorder) -> None:
    """Events 'metric' and 'refused'."""
    for name in NAMES:
        see.function(sklearn.metrics, name, _described(name), "metric", _refused(name))


def _described(name: str) -> Any:
    def described(
        result: Any, true: Any = None, found: Any = None, *_: Any, **keywords: Any
    ) -> dict[str, Any]:
        true = keywords.get("y_true", true)
        found = next((keywords[k] for k in ("y_score", "y_pred", "probas_pred") if k in keywords), found)
        return {"metric": name, "true": kind(true), "given": kind(found), "average": keywords.get("average")}

    return described


def _refused(name: str) -> Any:
    def refused(error: Any, true: Any = None, given: Any = None, *_: Any, **__: Any) -> dict[str, Any]:
        one, other = kind(true), kind(given)
        return {"metric": name, "swapped": one.get("whole") is False and other.get("whole") is True}

    return refused


def kind(values: Any) -> dict[str, Any]:
    """Shape, type and whether there are only whole numbers in it."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        return {"shape": list(array.shape), "type": str(array.dtype)}
    whole = bool((array == np.round(array)).all())
    return {"shape": list(array.shape), "type": str(array.dtype), "whole": whole,
            "distinct": int(min(len(np.unique(array)), 1000))}  # fmt: skip
