"""The shipped model as LiteRT: size, agreement with Keras on the test set, time for one image.

All forms and all ways of asking Keras are timed in one process, one image a call, each in its turn,
so that whatever else the machine does slows all alike; the median counts. The file by which the
service answers is asked about every test image, too."""

import os
import time

import numpy as np

from experiments import common, shipped_model
from utils import decision, evaluation, guard, lite, predict, results

CALLS = 50  # of each way that are timed


def run():
    started, asked = time.monotonic(), common.parameters("litert")
    model, facts, lesions = shipped_model.load()
    train, test = lesions.subset("train"), lesions.subset("test")
    rng = np.random.default_rng(asked["SEED"])  # the first rows are nearly all one diagnosis
    examples = train.images[rng.choice(len(train), asked["EXAMPLES"], replace=False)]
    y, groups = test.melanoma, test.table["group"]
    expected = shipped_model.probability(model, facts, "test", test.images)
    forms, ways = {}, keras_ways(model, test.images[:1].astype(np.float32))
    keras = list(ways)
    for form in lite.FORMATS:
        converted = lite.convert(model, form, examples)
        answer = lite.Lite(converted)
        ways[form] = lambda answer=answer: answer(test.images[:1])
        p = answer(test.images)
        auc = evaluation.difference(evaluation.roc_auc, y, p, expected, groups)
        forms[form] = {
            "megabytes": len(converted) / 1e6,
            "auc_minus_keras": auc.to_json(),
            "largest_difference": float(np.abs(p - expected).max()),
            "mean_difference": float(np.abs(p - expected).mean()),
        }
    ms = milliseconds(ways)
    content = {
        "processors": os.cpu_count(),
        "keras_ms": {way: ms[way] for way in keras},
        "keras_megabytes": predict.SHIPPED.stat().st_size / 1e6,
        "roc_auc": evaluation.estimate(evaluation.roc_auc, y, expected, groups).to_json(),
        "exported": agreement(model, facts, test.images, expected),
        "forms": {form: found | {"ms": ms[form]} for form, found in forms.items()},
    }
    print(content)
    origin = shipped_model.origin(facts)
    results.commit("litert", content, lesions.source, asked, started, **origin)


def keras_ways(model, one):
    """Ways of asking Keras about one image: dict of callable."""
    import tensorflow as tf

    compiled, tensor = tf.function(model), tf.constant(one)
    return {
        "model.predict": lambda: model.predict(one, verbose=0),
        "model(x)": lambda: np.asarray(model(one)),
        "predict_on_batch": lambda: model.predict_on_batch(one),
        "tf_function": lambda: compiled(tensor).numpy(),
    }


def milliseconds(ways):
    """Median time of each way over ``CALLS`` rounds, after three that are not counted: dict."""
    taken = {name: [] for name in ways}
    for _ in range(3 + CALLS):
        for name, call in ways.items():
            start = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - start)
    return {name: 1000 * float(np.median(seconds[3:])) for name, seconds in taken.items()}


def agreement(model, facts, images, expected):
    """How far the service's file is from Keras: its probabilities and its decisions."""
    shipped = lite.Shipped(predict.SHIPPED)
    found = [shipped(image) for image in images]
    p = np.array([one.probability for one in found])
    far = guard.distances(model, facts["guard"], images)
    made = decision.decide(expected, far, facts)
    return {
        "images": len(images),
        "largest_difference": float(np.abs(p - expected).max()),
        "other_decisions": int((made != [one.decision for one in found]).sum()),
    }
