"""Exercises of the lesson data."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from utils.data import Lesions
from utils.evaluation import roc_auc
from utils.exercises.registry import Hint, exercise, near, number, parts, refuse

TABLE = pd.DataFrame(
    {
        "lesion_id": list("aabcdddefg"),
        "image_id": [f"ISIC_{i}" for i in range(10)],
        "dx": ["mel", "mel", "nv", "nv", "mel", "mel", "mel", "bkl", "nv", "mel"],
        "dx_type": ["histo"] * 8 + ["follow_up", "histo"],
        "age": [60, 60, 35, None, 70, 70, 70, 65, 40, 55],
    }
)


def _lesions(table):
    lesions = table.drop_duplicates("lesion_id")
    return lesions.assign(melanoma=lesions["dx"] == "mel")


@exercise(
    "data.1",
    hint="Which method of a DataFrame leaves out rows that repeat a value of one column? And what "
    "does a comparison of a column with a word give?",
    given={"table": TABLE},
    solution=_lesions,
    wrong=[
        (TABLE.drop_duplicates("lesion_id"), "no column melanoma"),
        (TABLE.assign(melanoma=TABLE["dx"] == "mel"), "one for each image"),
        (_lesions(TABLE).head(5), "5 rows"),
        (_lesions(TABLE).assign(melanoma="mel"), "True and False"),
        (_lesions(TABLE).assign(melanoma=lambda d: ~d["melanoma"]), "of something else"),
        (_lesions(TABLE).query("melanoma"), "Keep the others too"),
        (_lesions(TABLE)[["melanoma"]], "other columns"),
        (TABLE["lesion_id"].unique(), "DataFrame"),
    ],
)
def _lesions_are_right(answer, table):
    if not isinstance(answer, pd.DataFrame):
        raise Hint(f"Make it a DataFrame, not {type(answer).__name__}.")
    if "melanoma" not in answer:
        raise Hint("There is no column melanoma yet: lesions.assign(melanoma=...) adds it.")
    if missing := set(table.columns) - set(answer.columns):
        raise Hint(f"Keep the other columns too: {min(missing)} is missing.")
    expected = _lesions(table)
    if len(answer) == len(table):
        raise Hint(f"It has {len(answer):,} rows, one for each image. Keep one a lesion.")
    if len(answer) == expected["melanoma"].sum():
        raise Hint("These are the melanomas alone. Keep the others too.")
    if set(answer["lesion_id"]) != set(table["lesion_id"]) or len(answer) != len(expected):
        raise Hint(f"It has {len(answer):,} rows, and there are {len(expected):,} lesions.")
    if not np.isin(answer["melanoma"], [True, False]).all():
        raise Hint("The column melanoma should hold True and False.")
    if not (answer["melanoma"] == (answer["dx"] == "mel")).all():
        raise Hint("The column melanoma is True of something else than dx mel.")
    return f"{len(answer):,} lesions, {answer['melanoma'].sum():,} of them melanomas."


LESIONS = _lesions(TABLE)
USABLE = {"age", "sex", "localization"}


def _auc_of_age(lesions):
    return roc_auc(lesions["melanoma"], lesions["age"].fillna(lesions["age"].median()))


@exercise(
    "data.2",
    hint="Ask of each column: who knows it, and when? Then give one of them to roc_auc_score as "
    "the score, without empty cells.",
    given={"lesions": LESIONS},
    solution=lambda lesions: (USABLE, _auc_of_age(lesions)),
    wrong=[
        ((USABLE | {"dx_type"}, 0.9), "When is that known"),
        ((USABLE | {"lesion_id"}, 0.9), "is a name"),
        (({"age", "sex"}, 0.9), "What of localization"),
        ((USABLE | {"dx"}, 0.9), "of the five"),
        (("age", 0.9), "set of names"),
        (USABLE, "set and a number"),
        ((USABLE, 1 - _auc_of_age(LESIONS)), "Turn it round"),
        ((USABLE, 0.625), "AUC of dx_type"),
        ((USABLE, 0.99), "median"),
    ],
)
def _usable_columns(answer, lesions):
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
    of_age = _auc_of_age(lesions)
    typical = {
        "Turn it round: melanoma patients are older, not younger.": 1 - of_age,
        "That is the AUC of dx_type. Take the age as the score.": roc_auc(
            lesions["melanoma"], lesions["dx_type"] == "histo"
        ),
    }
    refuse(auc, typical)
    if not near(auc, of_age):
        raise Hint(
            "The columns are right, the AUC is not: fill the gaps of age with its median, and "
            "take all rows of lesions."
        )
    return (
        f"Age alone has an AUC of {of_age:.2f}. It is known before the diagnosis, "
        "so a model may use it."
    )


def _drawn(seed, n=160):
    """Squares of one colour, whose frame is a little darker around melanomas: Lesions."""
    rng = np.random.default_rng(seed)
    melanoma = np.arange(n) % 2
    images = rng.integers(80, 160, (n, 1, 1, 3)) + np.zeros((1, 28, 28, 1), int)
    images[:, 3:-3, 3:-3] -= 40 * melanoma[:, None, None, None]
    images -= 20 * melanoma[:, None, None, None]
    table = pd.DataFrame({"dx": np.where(melanoma, "mel", "nv")})
    return Lesions(images.clip(0, 255).astype(np.uint8), table, "folder")


def _edge(images):
    """Whether a pixel belongs to the frame, an eighth of the image wide."""
    inside = np.zeros(images.shape[1:3], bool)
    width = len(inside) // 8
    inside[width:-width, width:-width] = True
    return ~inside


def _auc_of(colours, train, validation):
    trees = HistGradientBoostingClassifier(learning_rate=0.05, max_leaf_nodes=8, random_state=0)
    trees.fit(colours(train.images), train.melanoma)
    return roc_auc(validation.melanoma, trees.predict_proba(colours(validation.images))[:, 1])


def _of_edge(images):
    return images[:, _edge(images)].mean(axis=1)


def _auc_of_edge(train, validation):
    return _auc_of(_of_edge, train, validation)


def _of_middle(images):
    return images[:, ~_edge(images)].mean(axis=1)


def _of_all(images):
    return images.mean(axis=(1, 2))


def _cases_of_skin():
    drawn = {"train": _drawn(0), "validation": _drawn(1)}
    of_training = _auc_of(_of_edge, drawn["train"], drawn["train"])
    return {
        "given": drawn,
        "wrong": [
            (_auc_of(_of_middle, **drawn), "the edge left out"),
            (_auc_of(_of_all, **drawn), "whole image"),
            (of_training, "on which they were trained"),
            (0.6, "settings"),
            ("0.7 or so", "one number"),
        ],
    }


@exercise(
    "data.3",
    hint="colours_of already computes this mean, to subtract it. What shape does it have? Give it "
    "to fit, and the same of the other set to predict_proba.",
    solution=_auc_of_edge,
    cases=_cases_of_skin,
)
def _skin_alone(answer, train, validation):
    answer, right = number(answer), _auc_of_edge(train, validation)
    if near(answer, right, 0.02):
        return "There is no lesion in these pixels. What do they show?"
    refuse(
        answer,
        {
            "Those trees saw the image with the edge left out: it is the other way round.": _auc_of(
                _of_middle, train, validation
            ),
            "Those trees saw the whole image: take the pixels of the edge alone.": _auc_of(
                _of_all, train, validation
            ),
            "Score the validation images, not those on which they were trained.": _auc_of(
                _of_edge, train, train
            ),
        },
    )
    raise Hint(
        "Not that number. Take the settings of the trees above, images[:, edge].mean(axis=1) of "
        "both sets, and the second column of predict_proba."
    )
