"""The shipped model as LiteRT: size, agreement with Keras on the test set, time for one image.

All forms and both ways of asking Keras are timed in one process, one image a call, the median
counts."""

import os
import time

import numpy as np

from experiments import shipped_model
from utils import evaluation, lite, predict, results

CALLS, KERAS_CALLS = 200, 30  # that are timed
EXAMPLES = 100  # images that show int8 the ranges


def run():
    started = time.monotonic()
    model, facts, lesions = shipped_model.load()
    test, examples = lesions.subset("test"), lesions.subset("train").images[:EXAMPLES]
    y, groups = test.melanoma, test.table["group"]
    one = test.images[:1].astype(np.float32)
    expected = predict.melanoma_probability(test.images, model)
    content = {
        "processors": os.cpu_count(),
        "keras_ms": {
            "model.predict": milliseconds(lambda: model.predict(one, verbose=0), KERAS_CALLS),
            "model(x)": milliseconds(lambda: np.asarray(model(one)), KERAS_CALLS),
        },
        "keras_megabytes": predict.SHIPPED.stat().st_size / 1e6,
        "roc_auc": evaluation.estimate(evaluation.roc_auc, y, expected, groups).to_json(),
        "forms": {},
    }
    for form in lite.FORMATS:
        converted = lite.convert(model, form, examples)
        answer = lite.Lite(converted)
        p = answer(test.images)
        auc = evaluation.difference(evaluation.roc_auc, y, p, expected, groups)
        content["forms"][form] = {
            "megabytes": len(converted) / 1e6,
            "ms": milliseconds(lambda answer=answer: answer(one), CALLS),
            "auc_minus_keras": auc.to_json(),
            "largest_difference": float(np.abs(p - expected).max()),
            "mean_difference": float(np.abs(p - expected).mean()),
        }
        print(form, content["forms"][form])
    origin = shipped_model.origin(facts)
    results.commit("litert", content, lesions.source, {}, started, **origin)


def milliseconds(call, n):
    """Median of n calls, after three that are not counted."""
    for _ in range(3):
        call()
    taken = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1000 * float(np.median(taken))
