"""The ladder of lesson 09 on all of HAM10000: one change a rung, each judged by its paired gain.

`python -m course results EXPERIMENTS=ladder` trains every rung from three seeds and writes
results/ladder.json and its figure. It takes hours on two CPU cores and resumes after an
interruption."""

import time
from functools import partial

import numpy as np
from scipy.special import expit
from sklearn.metrics import recall_score, roc_auc_score

from utils import backbone, data, evaluation, pretrained, results, settings, splits, training
from utils.quiet import keras

NAME = "ladder"
SIZE, INPUT, ALPHA = 128, 96, 0.35
SEEDS, EPOCHS, BATCH = (0, 1, 2), 20, 64
BALANCE_IMAGES = 1_500


def run():
    """Train what is missing, judge all rungs on the test set, record.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    """
    lesions = data.load_lesions("folder", SIZE, splits.full)
    train, test = lesions.subset("train"), lesions.subset("test")
    mini = splits.mini(lesions.table.drop(columns=["group", "split"]))
    y, groups = test.melanoma, test.table["group"].to_numpy()
    answers, minutes = rungs(train, test, train.table["image_id"].isin(mini["image_id"]).to_numpy())
    balance = class_balance(train, test)
    names = list(answers)
    found = {name: evaluation.ranking(y, p, groups) for name, p in answers.items()}
    for below, name in zip(names, names[1:], strict=False):
        gain = evaluation.difference(roc_auc_score, y, answers[name], answers[below], groups)
        found[name]["gain"] = gain
    baselines = evaluation.baselines(train, test)
    findings = {
        "weights": pretrained.describe(pretrained.mobilenet_v2(ALPHA, INPUT)),
        "images": {name: len(lesions.subset(name)) for name in splits.SUBSETS},
        "rungs": {n: found[n] | ({"minutes": minutes[n]} if n in minutes else {}) for n in names},
        "beside": {n: evaluation.ranking(y, p, groups) for n, (p,) in baselines.items()},
        "balance": judge_balance(balance, y, groups),
    }
    parameters = {"SIZE": SIZE, "INPUT": INPUT, "ALPHA": ALPHA, "SEEDS": len(SEEDS)}
    parameters |= {"EPOCHS": EPOCHS, "BATCH": BATCH, "BALANCE_IMAGES": BALANCE_IMAGES}
    return results.keep(NAME, "folder", lesions.table, parameters, findings)


def rungs(train, test, in_mini):
    """Train every rung.

    Parameters
    ----------
    train, test : utils.data.Lesions
        Of the full split.
    in_mini : array of bool, shape (n_train,)
        The 600 training images of HAM10k-Mini.

    Returns
    -------
    answers : dict of str to ndarray of float, shape (n_seeds, n_test)
        Probabilities of melanoma, from the lowest rung to the highest.
    minutes : dict of str to float
        Mean time of a training, prediction included.
    """
    few = pick(train, np.flatnonzero(in_mini))
    natural = pick(train, np.random.default_rng(0).permutation(len(train))[: len(few)])
    # As many epochs as give 600 images the steps that all images get.
    long = round(EPOCHS * (len(train) // BATCH) / (len(few) // BATCH))
    head = {"subset": few, "learn": "head", "classes": 2, "augment": False, "epochs": EPOCHS}
    ways = {"head alone": head, "last 20 layers": head | {"learn": "last 20 layers"}}
    ways["all layers"] = head | {"learn": "all but BatchNorm"}
    ways["BatchNorm too"] = head | {"learn": "all"}
    ways["augmentation"] = ways["BatchNorm too"] | {"augment": True}
    ways["seven diagnoses"] = ways["augmentation"] | {"classes": len(data.DX)}
    ways["ten times the steps"] = ways["seven diagnoses"] | {"epochs": long}
    ways["natural class mix"] = ways["ten times the steps"] | {"subset": natural}
    ways["all images"] = ways["seven diagnoses"] | {"subset": train}
    answers, minutes = {}, {}
    for name, way in ways.items():
        several = [kept(name, seed, partial(train_once, seed, test, **way)) for seed in SEEDS]
        answers[name] = np.array([one["views"][0] for one in several])
        minutes[name] = float(np.mean([one["minutes"] for one in several]))
    answers["eight views"] = np.array([one["views"].mean(0) for one in several])
    answers["three seeds together"] = answers["eight views"].mean(0)[None]
    return answers, minutes


def class_balance(train, test):
    """Test probabilities, (n_seeds, n_test), of four ways to treat rare melanomas.

    All layers learn from images of the natural class mix, with augmentation and two classes.
    """
    some = pick(train, np.random.default_rng(1).permutation(len(train))[:BALANCE_IMAGES])
    share = some.melanoma.mean()
    rng = np.random.default_rng(2)
    half = len(some) // 2
    rows = [rng.choice(np.flatnonzero(some.melanoma == k), half) for k in (0, 1)]
    plain = {"subset": some, "learn": "all", "classes": 2, "augment": True, "epochs": EPOCHS}
    ways = {
        "nothing": plain,
        "class weights": plain | {"loss": weighted_loss(0.5 / (1 - share), 0.5 / share)},
        "balanced batches": plain | {"subset": pick(some, np.concatenate(rows))},
        "focal loss": plain | {"loss": focal_loss},
    }
    return {
        name: np.array(
            [
                kept(f"balance {name}", seed, partial(train_once, seed, test, **way))["views"][0]
                for seed in SEEDS
            ]
        )
        for name, way in ways.items()
    }


def judge_balance(balance, y, groups):
    """AUC, gain over doing nothing, and the two rates at a threshold of 0.5, with intervals."""
    found = {}
    for name, p in balance.items():
        called = p >= 0.5
        found[name] = evaluation.ranking(y, p, groups) | {
            "sensitivity": evaluation.estimate(recall_score, y, called, groups),
            "specificity": evaluation.estimate(
                partial(recall_score, pos_label=0), y, called, groups
            ),
        }
        if name != "nothing":
            gain = evaluation.difference(roc_auc_score, y, p, balance["nothing"], groups)
            found[name]["gain"] = gain
    return found


# --- one training ---------------------------------------------------------------------------------


def train_once(seed, test, subset, learn, classes, augment, epochs, loss=None):
    """Train one network; its probabilities for the eight views of the test set, and minutes."""
    start = time.monotonic()
    keras.utils.set_random_seed(seed)
    base = backbone.mobilenet_v2(ALPHA, INPUT, INPUT, pretrained.mobilenet_v2(ALPHA, INPUT))
    model = training.logit_classifier(base, classes)
    if learn == "head":
        base.trainable = False
    elif learn == "last 20 layers":
        backbone.unfreeze_top(base, 20)
    elif learn == "all but BatchNorm":
        backbone.unfreeze_top(base, len(base.layers))
    labels = subset.melanoma if classes == 2 else subset.diagnosis
    backup = settings.make_folder(settings.runs() / NAME) / f"training-{seed}.weights.h5"
    backup.unlink(missing_ok=True)
    training.all_layers(
        model,
        subset.images,
        labels,
        INPUT,
        backup,
        epochs=epochs,
        batch_size=BATCH,
        seed=seed,
        augment=augment,
        loss=loss,
        verbose=0,
    )
    backup.unlink()
    pixels = keras.Input((None, None, 3))
    logit = training.melanoma_logit(model(keras.layers.Resizing(INPUT, INPUT)(pixels)))
    network = keras.Model(pixels, logit)
    views = training.symmetric_views(test.images)
    logits = [network.predict(view, batch_size=128, verbose=0)[:, 0] for view in views]
    return {"views": expit(np.array(logits)), "minutes": (time.monotonic() - start) / 60}


def kept(name, seed, work):
    """The arrays that ``work()`` returns, from disk if they are there."""
    path = settings.make_folder(settings.runs() / NAME) / f"{name}-{seed}.npz"
    if not path.exists():
        found = work()
        settings.write_atomically(path, lambda p: np.savez(p, **found))
        print(f"{name}, seed {seed}: {found['minutes']:.1f} minutes", flush=True)
    with np.load(path) as arrays:
        return dict(arrays)


def pick(lesions, rows):
    """Some of the lesions, in the order of the row numbers."""
    table = lesions.table.iloc[rows].reset_index(drop=True)
    return data.Lesions(lesions.images[rows], table, lesions.source)


def weighted_loss(weight_of_others, weight_of_melanoma):
    """Cross-entropy in which each image counts by its class."""

    def loss(y, logits):
        melanoma = keras.ops.cast(keras.ops.reshape(y, (-1,)), "float32")
        weight = melanoma * weight_of_melanoma + (1 - melanoma) * weight_of_others
        return weight * keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)

    return loss


def focal_loss(y, logits):
    """Cross-entropy in which images that are right already count less.

    ``(1 - p)**2 * -log(p)``, p the probability of the true class (Lin et al., ICCV 2017).
    """
    error = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
    return (1 - keras.ops.exp(-error)) ** 2 * error
