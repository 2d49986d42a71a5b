"""Exercises of the lesson your_project."""

import numpy as np
import pandas as pd

from utils.baselines import colour_baseline, colour_features
from utils.evaluation import Estimate, difference, roc_auc
from utils.exercises.registry import (
    Hint,
    answered,
    exercise,
    near,
    number,
    parts,
)

ROWS = [  # file, label, group
    ("a.png", "bcc", "1"),
    ("b.png", " BCC", "2"),
    ("c.png", "Nv ", "3"),
    ("d.png", "nv", "3"),
    ("e.png", "nv", "5"),
    ("e.png", "NV ", "5"),
]
MESSY = pd.DataFrame(ROWS, columns=["file", "label", "group"])


def _clean(messy):
    label = messy["label"].str.strip().str.lower()
    return messy.assign(label=label).drop_duplicates()


def _lower(messy):
    return messy.assign(label=messy["label"].str.lower())


@exercise(
    "your_project.1",
    hint="A column of text has .str with methods of its own: one removes blanks at both ends, one "
    "makes small letters. A DataFrame has a method that drops duplicates. Which comes first?",
    blank=lambda messy: ...,
    right=_clean,
    wrong=[
        (lambda messy: messy, "small letters"),
        (lambda messy: _lower(messy).drop_duplicates(), "small letters"),
        (lambda messy: _clean(messy.drop_duplicates()).iloc[[0, 1, 2, 3, 4, 4]], "two rows"),
        (lambda messy: _lower(messy.drop_duplicates()).replace(r"\s", "", regex=True), "two rows"),
        (lambda messy: _clean(messy)[["file", "label"]], "column"),
        (lambda messy: _clean(messy)["label"], "DataFrame"),
        (lambda messy: _clean(messy).drop_duplicates("label"), "lost"),
        (lambda messy: _clean(messy).drop_duplicates("group"), "lost"),
        (lambda messy: _clean(messy).assign(label="bcc"), "another label"),
        (lambda messy: None, "return"),
    ],
)
def _clean_labels(answer):
    found = answered(answer(MESSY.copy()))
    if not isinstance(found, pd.DataFrame):
        raise Hint(f"Return a DataFrame, not {type(found).__name__}.")
    if missing := set(MESSY) - set(found):
        raise Hint(f"Keep the column {min(missing)}.")
    if odd := set(found["label"]) - {"bcc", "nv"}:
        raise Hint(f"The label {min(odd)!r} is left: small letters, and no blanks at the ends.")
    if found["file"].duplicated().any():
        raise Hint(
            "e.png still has two rows. They are equal once their labels are clean: drop "
            "duplicates after that."
        )
    right = _clean(MESSY)
    if lost := set(right["file"]) - set(found["file"]):
        raise Hint(f"{min(lost)} is lost, though its label is clear.")
    if not found.set_index("file")["label"].equals(right.set_index("file")["label"]):
        raise Hint("An image got another label.")
    return "Five files with one clear label each."


def _images(n=400):
    """Table and features of ``n`` images, half of them for training."""
    rng = np.random.default_rng(0)
    y = (np.arange(n) % 10 == 0).astype(int)
    features = rng.normal(size=(n, 4)).astype("float32")
    features[:, 0] += 1.5 * y
    table = pd.DataFrame({"positive": y, "group": np.arange(n) // 2})
    return table.assign(split=np.where(np.arange(n) < n // 2, "train", "validation")), features


def _head(bias=0.0, units=1, activation="sigmoid"):
    """A head whose first feature decides; ``bias`` raises all its scores."""
    from utils.quiet import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation)])
    kernel = np.zeros((4, units), "float32")
    kernel[0] = 1
    kernel[1] = 0.5 if bias else 0
    model.layers[0].set_weights([kernel, np.full(units, bias - 3, "float32")])
    return model


def _scores(model, x):
    return np.asarray(model(x))[:, 0]  # a small head: predict would take longer to begin


def _gain(model, table, features, ours):
    own = (table["split"] == "validation").to_numpy()
    y, group = table["positive"].to_numpy()[own], table["group"].to_numpy()[own]
    return difference(roc_auc, y, _scores(model, features[own]), ours[own], group)


def _with_weights(table, features, ours):
    """The course's own: a head in which a positive image counts 20 times, and its gain."""
    from utils.quiet import keras

    own, y = (table["split"] == "train").to_numpy(), table["positive"].to_numpy()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(features.shape[1:]), keras.layers.Dropout(0.3)])
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", steps_per_execution=8)
    model.fit(features[own], y[own], epochs=20, class_weight={0: 1, 1: 20}, verbose=0)
    return model, _gain(model, table, features, ours)


def _cases_of_weights():
    table, features = _images()
    plain, right = _head(), _head(3.0)
    ours = _scores(plain, features)
    given = {"table": table, "features": features, "ours": ours}
    gain = _gain(right, **given)
    turned = Estimate(-gain.value, -gain.high, -gain.low)
    elsewhere = Estimate(gain.value + 0.2, gain.low + 0.2, gain.high + 0.2)
    p = _scores(right, features)
    return {
        "given": given,
        "blank": (..., ...),
        "wrong": [
            (gain, "two things"),
            ((p, gain), "keras.Model"),
            ((_head(3.0, 2, "softmax"), gain), "one probability"),
            ((_head(3.0, activation=None), gain), "one probability"),
            ((plain, gain), "class_weight"),
            ((right, gain.value), "no interval"),
            ((right, turned), "weighted minus"),
            ((right, elsewhere), "validation"),
        ],
    }


@exercise(
    "your_project.2",
    hint="Build a fresh head in the same way, or it goes on from the trained one. Only the call of "
    "fit gets a new argument, a dict from class to weight. Then score the validation images.",
    cases=_cases_of_weights,
    solution=_with_weights,
)
def _weighted_head(answer, table, features, ours):
    from utils.quiet import keras  # here: other lessons' checks do without

    model, gain = parts(answer, 2, "Give two things: (weighted, gain).")
    if not isinstance(model, keras.Model):
        raise Hint(f"`weighted` is a keras.Model, not {type(model).__name__}.")
    own = (table["split"] == "validation").to_numpy()
    others, before = (table["positive"] == 0).to_numpy()[own], ours[own]
    p = np.asarray(model(features[own]))
    if p.shape != (len(before), 1) or p.min() < 0 or p.max() > 1:
        raise Hint("The head ends with one probability: Dense(1) with a sigmoid.")
    p = p[:, 0]
    if p.mean() < 1.5 * np.mean(before):
        raise Hint(
            f"Its scores are {p.mean():.2f} on average, where ours are {np.mean(before):.2f}: with "
            "positives that count more they rise. Did fit get class_weight?"
        )
    if not isinstance(gain, Estimate):
        raise Hint("That has no interval: evaluation.difference gives one.")
    right = _gain(model, table, features, ours).value
    if near(gain.value, -right, 1e-6) and not near(right, 0, 1e-6):
        raise Hint("The other way round: weighted minus ours.")
    if not near(gain.value, right, 1e-4):
        raise Hint(
            f"On the validation images the AUC of your head minus ours is {right:+.4f}, not "
            f"{gain.value:+.4f}."
        )
    alarms = [np.mean(q[others] >= 0.5) for q in (before, p)]
    return (
        f"At 0.5 it raises false alarms for {alarms[1]:.0%} of the others, ours for "
        f"{alarms[0]:.0%}. Weights move the scores; a threshold does that without a training."
    )


def _labelled(n=300):
    """Coloured squares of three labels in two sets, as table and pixels."""
    rng = np.random.default_rng(1)
    labels = np.array(["bcc", "nv", "vasc"])[np.arange(n) % 3]
    table = pd.DataFrame({"label": labels, "positive": (labels == "bcc").astype(int)})
    table["split"] = np.where(np.arange(n) % 2, "train", "validation")
    pixels = rng.integers(0, 150, (n, 16, 16, 3)).astype("uint8")
    shift = rng.integers(0, 12, n)[:, None, None]
    pixels[..., 0] += (shift * (labels == "vasc")[:, None, None]).astype("uint8")
    pixels[..., 2] += (shift * (labels == "nv")[:, None, None] // 2).astype("uint8")
    return table, pixels


def _auc_of(question, table, pixels, learned="train", asked="validation"):
    y = (table["label"] == question).to_numpy(int)
    train, validation = ((table["split"] == name).to_numpy() for name in (learned, asked))
    trees = colour_baseline(pixels[train], y[train])
    p = trees.predict_proba(colour_features(pixels[validation]))[:, 1]
    return float(roc_auc(y[validation], p))


def _another(table, pixels):
    """The course's own: the rarest label that is not asked already."""
    others = table.loc[table["positive"] == 0, "label"]
    question = "vasc" if "vasc" in set(others) else others.value_counts().index[-1]
    return question, _auc_of(question, table, pixels)


def _cases_of_questions():
    table, pixels = _labelled()
    question, auc = _another(table, pixels)
    seen = _auc_of(question, table, pixels, asked="train")
    return {
        "given": {"table": table, "pixels": pixels},
        "blank": (..., ...),
        "wrong": [
            (auc, "two things"),
            (("mole", auc), "No image"),
            (("bcc", auc), "asked already"),
            ((question, seen), "training images"),
            ((question, _auc_of("bcc", table, pixels)), "old labels"),
            ((question, 0.2), "Not what"),
            ((question, "high"), "one number"),
        ],
    }


@exercise(
    "your_project.3",
    hint="Which rows have the new label? That is the new truth, for all rows of the table. The "
    "split stays. Then train trees as for our colour baseline, and score the validation images.",
    cases=_cases_of_questions,
    solution=_another,
)
def _another_question(answer, table, pixels):
    question, auc = parts(answer, 2, "Give two things: (question, auc).")
    labels = table["label"].value_counts()
    if question not in labels:
        raise Hint(f"No image has the label {question!r}; there are {', '.join(labels.index)}.")
    if (table.loc[table["label"] == question, "positive"] == 1).any():
        raise Hint("That is asked already: take another label.")
    auc, right = number(auc), _auc_of(question, table, pixels)
    if near(auc, right, 0.01):
        return (
            f"{question} against everything else: colours alone reach {right:.2f}. A network for "
            "this question has to beat that."
        )
    if near(auc, _auc_of(question, table, pixels, asked="train"), 0.01):
        raise Hint("That is the AUC on the training images, which the trees have seen.")
    (old,) = table.loc[table["positive"] == 1, "label"].unique()
    if near(auc, _auc_of(old, table, pixels), 0.005):
        raise Hint(f"That is the AUC for {old}: the trees got the old labels.")
    raise Hint("Not what colours reach on validation. Are train and validation those of `split`?")
