"""The original recipe trained twice: frozen layers recomputed each epoch, and computed once.

Same lesions, seed and numbers of epochs (no early stopping), each training in a process of its
own. Seconds are from weights loaded to model saved. Real lesions only are recorded."""

import multiprocessing
import resource
import sys
import time

import numpy as np
from sklearn.metrics import roc_auc_score

from utils import data, evaluation, results, settings, splits

SEED, EPOCHS, WIDTHS = 0, (25, 10), (1.0, 0.35)


def train(way, alpha, source):
    """One training, ``way`` "naive" or "cached"; returns test probabilities, seconds, peak MB."""
    from utils import backbone, models, pretrained, training
    from utils.quiet import keras

    everything = training.callbacks

    def without_early_stopping(*args, **sets):
        stop = keras.callbacks.EarlyStopping
        return [c for c in everything(*args, **sets) if not isinstance(c, stop)]

    training.callbacks = without_early_stopping
    lesions = data.load_lesions(source, 28, splits.mini)
    fit, validation, test = (lesions.subset(name) for name in splits.SUBSETS)
    keras.utils.set_random_seed(SEED)
    weights = pretrained.mobilenet_v2(alpha, source=source)
    base = backbone.mobilenet_v2(alpha, weights=weights)
    start = time.perf_counter()
    model = models.melanoma_classifier(base)
    if way == "cached":
        training.two_stages(base, model, fit, validation, EPOCHS, verbose=0)
    else:
        naive_two_stages(base, model, fit, validation)
    model.save(settings.scratch() / "model.keras")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "peak_megabytes": peak / (1e6 if sys.platform == "darwin" else 1e3),
        "weights": pretrained.describe(weights),
        "probability": model.predict(test.images, verbose=0)[:, 0].tolist(),
    }


def naive_two_stages(base, model, fit, validation):
    """The recipe as usually written: the whole model in every epoch of both stages."""
    from utils import backbone, training

    best, judge = None, (validation.images, validation.melanoma)
    for stage, (n_layers, rate, epochs) in enumerate(((0, 1e-3, EPOCHS[0]), (20, 1e-4, EPOCHS[1]))):
        checkpoint = settings.scratch() / f"stage{stage}.weights.h5"
        backbone.unfreeze_top(base, n_layers)
        training.compile_model(model, rate)
        model.optimizer.build(model.trainable_variables)
        model.save_weights(checkpoint)
        history = model.fit(
            fit.images,
            fit.melanoma,
            validation_data=judge,
            epochs=epochs,
            batch_size=32,
            callbacks=training.callbacks(checkpoint, best, val_auc=judge),
            verbose=0,
        ).history
        model.load_weights(checkpoint)
        best = max([*history["val_auc"], best or 0])


def compare(alpha, source, test):
    """Both ways for one width, one after the other, and the difference of their test AUC."""
    content = {}
    for way in ("naive", "cached"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            content[way] = pool.apply(train, (way, alpha, source))
    y, groups = test.melanoma, test.table["group"]
    p = {way: np.array(content[way].pop("probability")) for way in ("naive", "cached")}
    for way in p:
        content[way]["roc_auc"] = float(roc_auc_score(y, p[way]))
    content["difference"] = evaluation.difference(
        roc_auc_score, y, p["cached"], p["naive"], groups
    ).to_json()
    content["largest_difference_of_a_probability"] = float(np.abs(p["cached"] - p["naive"]).max())
    content["times_faster"] = content["naive"]["seconds"] / content["cached"]["seconds"]
    return content


def run():
    started, lesions = time.monotonic(), data.load_lesions("folder", 28, splits.mini)
    content = {"processors": multiprocessing.cpu_count(), "widths": {}}
    print("width  way     seconds  peak MB  test AUC")
    for alpha in WIDTHS:
        both = compare(alpha, lesions.source, lesions.subset("test"))
        content["widths"][f"{100 * alpha:.0f}%"] = both
        for way in ("naive", "cached"):
            row = both[way]
            print(
                f"{alpha:5}  {way:6} {row['seconds']:8.1f} {row['peak_megabytes']:8.0f} "
                f"{row['roc_auc']:9.3f}"
            )
        difference = evaluation.Estimate.from_json(both["difference"])
        print(
            f"       cached is {both['times_faster']:.1f} times faster, AUC differs by "
            f"{difference:.4f},\n       a probability by at most "
            f"{both['largest_difference_of_a_probability']:.4f}",
            flush=True,
        )
    used = {"SEED": SEED, "EPOCHS": EPOCHS, "SIZE": 28}
    fingerprint = splits.fingerprint(lesions.table)
    results.commit(
        "cached_prefix", content, lesions.source, used, started, split_fingerprint=fingerprint
    )
