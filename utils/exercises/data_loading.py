"""Exercises of the lesson data_loading."""

from itertools import islice

import numpy as np
import pandas as pd

from utils.evaluation import Estimate, roc_auc
from utils.exercises.registry import (
    Hint,
    answered,
    check_word,
    exercise,
    near,
    number,
    parts,
    refuse,
)

TABLE = pd.DataFrame(
    {
        "lesion_id": list("aabcdddefg"),
        "dx": ["mel", "mel", "nv", "nv", "mel", "mel", "mel", "bkl", "nv", "mel"],
        "dx_type": ["histo"] * 8 + ["follow_up", "histo"],
        "age": [60, 60, 35, None, 70, 70, 70, 65, 40, 55],
    }
)


@exercise(
    "data_loading.1",
    hint="How many lesions are there, and of how many is dx mel?",
    given={"table": TABLE},
    right=3 / 7,
    wrong=[
        (6 / 10, "share of the images"),
        (4 / 7, "everything else"),
        (3, "between 0 and 1"),
        (0.1, "one row a lesion"),
    ],
)
def _share_of_lesions(answer, table):
    answer = number(answer)
    share = (table.drop_duplicates("lesion_id")["dx"] == "mel").mean()
    if near(answer, (table["dx"] == "mel").mean()):
        raise Hint("That is the share of the images: some lesions have several.")
    if near(answer, 1 - share):
        raise Hint("That is the share of everything else.")
    if answer > 1:
        raise Hint("Write it as a share between 0 and 1: divide by the number of lesions.")
    if not near(answer, share):
        raise Hint("Keep one row a lesion, then ask in how many of them dx is mel.")
    return "It is lower than the share of the images: melanomas are photographed more often."


def _auc_of_age(table):
    return roc_auc(table["dx"] == "mel", table["age"].fillna(table["age"].median()))


USABLE = {"age", "sex", "localization"}


@exercise(
    "data_loading.2",
    hint="Ask of each column: who knows it, and when? Then give the score of one of them to "
    "roc_auc_score, without empty cells.",
    given={"table": TABLE},
    right=(USABLE, _auc_of_age(TABLE)),
    wrong=[
        ((USABLE | {"dx_type"}, 0.9), "When is that known"),
        ((USABLE | {"lesion_id"}, 0.9), "is a name"),
        (({"age", "sex"}, 0.9), "What of localization"),
        ((USABLE | {"dx"}, 0.9), "of the five"),
        (("age", 0.9), "set of names"),
        (USABLE, "set and a number"),
        ((USABLE, 1 - _auc_of_age(TABLE)), "Turn it round"),
        ((USABLE, 0.625), "AUC of dx_type"),
        ((USABLE, 0.99), "median"),
    ],
)
def _usable_columns(answer, table):
    usable, auc = parts(answer, 2, 'Give a set and a number: ({"age"}, 0.5).')
    if not isinstance(usable, set | list | tuple):
        raise Hint('Give a set of names, such as {"age"}.')
    usable = set(usable)
    if "dx_type" in usable:
        raise Hint("dx_type says how the diagnosis was confirmed. When is that known?")
    if "lesion_id" in usable:
        raise Hint("lesion_id is a name: the next patient's lesion has another one.")
    if usable - USABLE:
        raise Hint("Take names of the five only.")
    if missing := USABLE - usable:
        raise Hint(f"The doctor knows one thing more. What of {min(missing)}?")
    of_age, histology = _auc_of_age(table), table["dx_type"] == "histo"
    typical = {
        "Turn it round: a melanoma patient is older more often, not younger.": 1 - of_age,
        "That is the AUC of dx_type. Take the age as the score.": roc_auc(
            table["dx"] == "mel", histology
        ),
    }
    refuse(auc, typical)
    if not near(auc, of_age):
        raise Hint(
            "The columns are right, the AUC is not: fill the gaps of age with its median, and "
            "take all images of the table."
        )
    return (
        f"Age alone has an AUC of {of_age:.2f}. It is known before the diagnosis, "
        "so a model may use it."
    )


SCORES = {
    "y": np.array([0, 0, 0, 1, 0, 1, 1, 1]),
    "a": np.array([1, 2, 3, 4, 5, 6, 7, 8]),
    "b": np.array([3, 2, 8, 1, 5, 6, 4, 7]),
}
GAIN = roc_auc(SCORES["y"], SCORES["a"]) - roc_auc(SCORES["y"], SCORES["b"])


@exercise(
    "data_loading.3",
    hint="evaluation.difference takes the measure, the truth, the scores of both and the lesion "
    "groups. Is zero a possible value of the difference?",
    given=SCORES,
    right=(Estimate(GAIN, 0.1, 0.9), "shown"),
    wrong=[
        ((Estimate(GAIN, 0.1, 0.9), "inconclusive"), "Look where zero lies"),
        ((Estimate(GAIN, -0.1, 0.9), "shown"), "Look where zero lies"),
        ((Estimate(GAIN, -0.1, 0.9), "equal"), "One of two words"),
        ((Estimate(-GAIN, -0.9, -0.1), "shown"), "colours minus age"),
        ((Estimate(0.02, -0.1, 0.9), "inconclusive"), "test set"),
        ((GAIN, "shown"), "no interval"),
        ("shown", "two things"),
    ],
)
def _paired_difference(answer, y, a, b):
    gain, word = parts(answer, 2, 'Give two things: (gain, "shown") or (gain, "inconclusive").')
    if not isinstance(gain, Estimate):
        raise Hint("That number has no interval. evaluation.difference gives both.")
    expected = roc_auc(y, a) - roc_auc(y, b)
    if near(gain.value, -expected, 0.0005):
        raise Hint("Take the colours minus age: the first score column is the model to be tested.")
    if not near(gain.value, expected, 0.0005):
        raise Hint("Compare test_colours with test_age by roc_auc_score, on the test set.")
    check_word(word, gain)
    return (
        f"{gain:.2f}. Compare it with validation above: the same question, another 200 images, "
        "another number."
    )


ROWS, BATCH = 600, 32


def _cases_of_pipelines():
    return {
        "blank": lambda dataset: ...,
        "right": lambda dataset: dataset.cache().shuffle(ROWS).batch(BATCH).prefetch(1),
        "wrong": [
            (lambda dataset: dataset.batch(BATCH).shuffle(4).cache(), "stay together"),
            (lambda dataset: dataset.batch(BATCH).shuffle(ROWS), "stay together"),
            (lambda dataset: dataset.shuffle(ROWS).cache().batch(BATCH), "same order"),
            (lambda dataset: dataset.cache().shuffle(100).batch(BATCH), "buffer"),
            (lambda dataset: dataset.shuffle(ROWS).batch(BATCH), "reads all files"),
            (lambda dataset: dataset.cache().shuffle(ROWS), "batches of 32"),
            (lambda dataset: dataset.cache().shuffle(ROWS).batch(64), "batches of 32"),
            (lambda dataset: dataset.cache().repeat().shuffle(ROWS).batch(BATCH), "once"),
            (lambda dataset: None, "return"),
            (lambda dataset: [dataset], "tf.data.Dataset"),
        ],
    }


@exercise(
    "data_loading.4",
    hint="Which steps must happen anew in each epoch? What does one element of the stream hold "
    "when shuffle draws it: a row, or 32 of them?",
    cases=_cases_of_pipelines,
)
def _mended_pipeline(answer):
    import tensorflow as tf  # here: the other lessons' checks do without

    reads = []

    def rows():
        reads.append(1)
        yield np.arange(ROWS), np.arange(ROWS) // 456  # melanomas last

    spec = tf.TensorSpec(ROWS, tf.int64)
    source = tf.data.Dataset.from_generator(rows, output_signature=(spec, spec))
    dataset = answered(answer(source.unbatch()))
    if not isinstance(dataset, tf.data.Dataset):
        raise Hint(f"Return a tf.data.Dataset, not {type(dataset).__name__}.")
    # One step more than an epoch can have, since repeat() has no end.
    first, second = ([x.numpy() for x, _ in islice(dataset, ROWS + 1)] for _ in range(2))
    if any(batch.ndim != 1 for batch in first) or max(map(len, first)) != BATCH:
        raise Hint(f"The network must get batches of {BATCH} rows.")
    if sorted(np.concatenate(first)) != list(range(ROWS)):
        raise Hint("An epoch must hold every row once: leave repeat and take out.")
    if all(np.ptp(batch) < BATCH for batch in first):
        raise Hint("Shuffling after batching moves whole batches: the same 32 rows stay together.")
    if np.array_equal(np.concatenate(first), np.concatenate(second)):
        raise Hint("Both epochs come in the same order: what is cached is repeated as it is.")
    if np.concatenate(first[:3]).max() < 0.9 * ROWS:
        raise Hint("The last rows cannot come early: make the buffer as large as the data.")
    if len(reads) > 1:
        raise Hint("Every epoch reads all files again: cache them before anything random.")
    return "Read once, shuffled anew in each epoch, row by row, then batched."
