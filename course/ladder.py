"""The ladder of lesson 09 on all of HAM10000, one change a rung, and three ways to balance classes.

`python -m course results EXPERIMENTS=ladder` trains every rung with three seeds (two for the ways
to balance), judges it on the 1,999 test images and writes results/ladder.json. It resumes after an
interruption."""

from itertools import pairwise

import numpy as np
from scipy.special import expit
from sklearn.metrics import average_precision_score

from utils import backbone, data, evaluation, pretrained, results, settings, splits, training
from utils.evaluation import roc_auc
from utils.quiet import keras

NAME = "ladder"
SIZE, INPUT, ALPHA = 64, 64, 0.35
SEEDS, BALANCE_SEEDS = (0, 1, 2), (0, 1)
START = {"learns": "head", "augment": False, "classes": 2, "images": "mini", "epochs": 20}
# What each rung changes of the one before. 30 epochs of 600 images are as many steps as 3 of
# all: more steps and another class mix have rungs of their own before more images come.
RUNGS = {
    "head alone": {},
    "last 20 layers": {"learns": "last 20 layers"},
    "all layers": {"learns": "all but BatchNorm"},
    "BatchNorm too": {"learns": "everything"},
    "augmentation": {"augment": True},
    "seven diagnoses": {"classes": 7},
    "more steps": {"epochs": 30},
    "natural class mix": {"images": "600"},
    "all images": {"images": "all", "epochs": 3},
}
BALANCE = ("as it is", "class weights", "balanced batches", "focal loss")
BALANCE_ON = START | {"learns": "everything", "augment": True, "images": "1500", "epochs": 10}


def run():
    """Train, judge and record.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    """
    lesions = data.load_lesions("folder", SIZE, splits.full)
    test = lesions.subset("test")
    y, groups = test.melanoma, test.table["group"]
    found = {name: probabilities(lesions, test, name) for name in trainings()}
    rungs = {name: found[name][:, 0] for name in RUNGS}
    rungs["eight views"] = found["all images"][:, 1]
    rungs["three trainings together"] = rungs["eight views"].mean(axis=0)
    balance = {name: found[f"balance: {name}"][:, 0] for name in BALANCE}
    colours = evaluation.baselines(lesions.subset("train"), test)["colour baseline"][0]

    def auc(p):
        return evaluation.estimate(roc_auc, y, p, groups).to_json()

    def gain(a, b, measure=roc_auc):
        return evaluation.difference(measure, y, a, b, groups).to_json()

    content = {
        "source": "folder",
        "split_fingerprint": splits.fingerprint(lesions.table),
        "parameters": {
            "SIZE": SIZE,
            "INPUT": INPUT,
            "ALPHA": ALPHA,
            "SEEDS": list(SEEDS),
            "BALANCE_SEEDS": list(BALANCE_SEEDS),
        },
        "versions": results.versions(),
        "n_images": len(y),
        "n_melanomas": int(y.sum()),
        "roc_auc": {name: auc(p) for name, p in rungs.items()} | {"colour baseline": auc(colours)},
        "gains": {b: gain(rungs[b], rungs[a]) for a, b in pairwise(rungs)},
        "over_colours": {name: gain(p, colours) for name, p in rungs.items()},
        "balance": {name: auc(p) for name, p in balance.items()},
        "balance_gains": {
            name: {
                "roc_auc": gain(balance[name], balance[BALANCE[0]]),
                "average_precision": gain(
                    balance[name], balance[BALANCE[0]], average_precision_score
                ),
            }
            for name in BALANCE[1:]
        },
    }
    settings.write_json(results.COMMITTED / f"{NAME}.json", content)


def trainings():
    """What to train: settings by name, a rung's those of the one before with its one change."""
    found, rung = {}, START
    for name, change in RUNGS.items():
        found[name] = rung = rung | change
    return found | {f"balance: {name}": BALANCE_ON for name in BALANCE}


def probabilities(lesions, test, name):
    """Test probabilities of every seed, trained where they are not on disk.

    Returns
    -------
    ndarray of float, shape (n_seeds, 2, n)
        From one view of each image, and for "all images" averaged over its eight symmetries.
    """
    folder = settings.make_folder(settings.runs() / NAME)
    found = []
    for seed in BALANCE_SEEDS if name.startswith("balance") else SEEDS:
        path = folder / f"{name.replace(': ', '-').replace(' ', '-')}-seed{seed}.npy"
        if not path.exists():
            answer = train(lesions, test, name, seed, path.with_suffix(".weights.h5"))
            settings.write_atomically(path, lambda p, a=answer: np.save(p, a))
            path.with_suffix(".weights.h5").unlink()
        found.append(np.load(path))
        print(f"{name}, seed {seed}: AUC {roc_auc(test.melanoma, found[-1][0]):.3f}")
    return np.array(found)


def train(lesions, test, name, seed, backup):
    """One training; probabilities of shape (2, n) as ``probabilities``."""
    chosen, way = trainings()[name], name.removeprefix("balance: ")
    train_set = training_images(lesions, chosen["images"], seed)
    labels = train_set.diagnosis if chosen["classes"] == 7 else train_set.melanoma
    rows, epochs = np.arange(len(labels)), chosen["epochs"]
    if way == "balanced batches":
        times = round((labels == 0).sum() / labels.sum())
        rows = np.concatenate([rows, np.tile(np.flatnonzero(labels), times - 1)])
        epochs = round(epochs * len(labels) / len(rows))  # as many steps
    keras.utils.set_random_seed(seed)
    base = backbone.mobilenet_v2(ALPHA, SIZE, INPUT, pretrained.mobilenet_v2(ALPHA, 96))
    model = training.logit_classifier(base, chosen["classes"])
    # From zeros: a random head would cost the lowest rung much of its short training.
    head = model.get_layer("logits")
    head.set_weights([np.zeros_like(w) for w in head.get_weights()])
    freeze(base, chosen["learns"])
    training.all_layers(
        model,
        train_set.images[rows],
        labels[rows],
        INPUT,
        backup,
        epochs,
        seed=seed,
        augment=chosen["augment"],
        loss=loss(way, labels),
        verbose=0,
    )
    all_views = name == "all images"
    views = training.symmetric_views(test.images) if all_views else [test.images]
    found = [predict(model, images) for images in views]
    return np.array([found[0], np.mean(found, axis=0)])


def training_images(lesions, which, seed):
    """HAM10k-Mini's 600 images ("mini"), all, or so many drawn at the natural class mix."""
    whole = lesions.subset("train")
    if which == "all":
        return whole
    if which == "mini":
        wanted = splits.mini(lesions.table).query("split == 'train'")["image_id"]
        return whole.take(np.flatnonzero(whole.table["image_id"].isin(wanted)))
    rng = np.random.default_rng(seed)
    return whole.take(np.sort(rng.choice(len(whole), int(which), replace=False)))


def freeze(base, learns):
    """Leave trainable what ``learns`` says."""
    if learns == "head":
        backbone.unfreeze_top(base, 0)
    elif learns == "last 20 layers":
        backbone.unfreeze_top(base, 20)
    elif learns == "all but BatchNorm":
        backbone.unfreeze_top(base, len(base.layers))


def loss(way, labels):
    """The loss that a way of balancing asks for; None is plain cross-entropy.

    Focal loss: Lin et al., ICCV 2017, arXiv:1708.02002, with exponent 2. Class weights: each
    class weighs ``n / (2 n_class)``, as scikit-learn's "balanced".
    """
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    if way == "class weights":
        shares = np.bincount(labels) / len(labels)

        def weighted(y, logits):
            weights = keras.ops.take((0.5 / shares).astype("float32"), keras.ops.cast(y, "int32"))
            return weights * plain(y, logits)

        return weighted
    if way == "focal loss":
        return lambda y, logits: (1 - keras.ops.exp(-plain(y, logits))) ** 2 * plain(y, logits)
    return None


def predict(model, images):
    """Probability of melanoma, shape (n,)."""
    logits = model.predict(images, batch_size=256, verbose=0)
    return expit(np.asarray(training.melanoma_logit(logits))[:, 0])
