"""What experiments about the shipped model share: the model itself, and its recipe."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy.special import softmax

from experiments import common
from utils import (
    backbone,
    data,
    digest,
    evaluation,
    guard,
    lite,
    models,
    predict,
    pretrained,
    settings,
    splits,
    training,
)
from utils.images import square
from utils.quiet import keras

LAST_EPOCHS = 10  # after which weights are kept, to be averaged
LARGE = 150  # pixels a side of HAM10000's squares as they come; what a camera does is done to these


def load():
    """The shipped model, its facts, and the images of the full split at its size."""
    model, facts = predict.load_model()
    return model, facts, common.lesions(facts["source_size"])


def origin(facts):
    """What a record of the shipped model says of where its numbers come from."""
    return {name: facts[name] for name in ("split_fingerprint", "model_sha256")}


def train_recipe(recipe, seed, images, labels):
    """A network trained by a recipe (``train`` in params.yaml), from images to seven logits.

    It goes on where an earlier call was interrupted, or comes from disk if that one was not.

    Parameters
    ----------
    recipe : dict
        With ``teacher``, it learns from ``softened`` labels.
    seed : int
    images : ndarray of uint8, shape (n, source_size, source_size, 3)
    labels : ndarray of int, shape (n,)
        Places in ``data.DX``.

    Returns
    -------
    keras.Model
    """
    alpha, size, epochs = recipe["alpha"], recipe["size"], recipe["epochs"]
    code = [settings.ROOT / "utils" / name for name in ("training.py", "models.py", "images.py")]
    trained_with = {name: recipe[name] for name in recipe if name not in ("average", "seed")}
    found = common.key(code, trained_with, [seed, digest.of([images.shape, labels.tolist()])])
    folder = settings.make_folder(settings.runs() / "kept" / "recipe" / found)
    if teacher := recipe.get("teacher"):
        labels = softened(recipe, teacher, seed, images, labels)
    keras.utils.set_random_seed(seed)
    with training.all_gpus().scope():
        base = backbone.mobilenet_v2(alpha, size, size, pretrained.mobilenet_v2(alpha, size))
        model = models.logit_classifier(base, len(data.DX))
    training.all_layers(
        model,
        images,
        labels,
        size,
        folder / "backup.weights.h5",
        epochs,
        recipe["learning_rate"],
        seed=seed,
        strength=recipe["strength"],
        callbacks=[KeepEpochs(folder, epochs - LAST_EPOCHS)],
    )
    last = range(epochs - recipe["average"], epochs)
    average_weights(model, [folder / f"epoch-{epoch}.weights.h5" for epoch in last])
    return model


def softened(recipe, teacher, seed, images, labels):
    """Labels of which a teacher gave a share: its probabilities of the undisturbed images.

    So a student learns from disturbed views what another network sees without the disturbance
    (distillation: Hinton et al., arXiv:1503.02531; here at temperature 1).

    Parameters
    ----------
    recipe, seed, images, labels
        As ``train_recipe``.
    teacher : dict
        What its recipe has instead, and its ``share`` of the labels.

    Returns
    -------
    ndarray of float32, shape (n, 7)
    """
    own = {name: recipe[name] for name in recipe if name != "teacher"} | teacher
    share = own.pop("share")
    network = train_recipe(own, seed, images, labels)
    resize = keras.layers.Resizing(recipe["size"], recipe["size"])

    def asked(view):
        return network.predict(np.asarray(resize(view)), batch_size=256, verbose=0)

    views = models.symmetric_views(images)
    taught = softmax(np.mean([asked(view) for view in views], axis=0), axis=1)
    known = np.eye(len(data.DX))[labels]
    return (share * taught + (1 - share) * known).astype(np.float32)


def trained(recipe, seed, images, labels):
    """A predictor by a recipe: parameters as ``train_recipe``, and as ``models.as_predictor``."""
    network = train_recipe(recipe, seed, images, labels)
    whole = models.as_predictor(network, recipe["source_size"], 1.0)
    whole.trainable = False
    return whole


class KeepEpochs(keras.callbacks.Callback):
    """Weights after each epoch from ``first`` on, in a folder: what may be averaged later."""

    def __init__(self, folder, first):
        super().__init__()
        self.folder, self.first = folder, first

    def on_epoch_end(self, epoch, logs=None):
        if epoch >= self.first:
            path = self.folder / f"epoch-{epoch}.weights.h5"
            settings.write_atomically(path, self.model.save_weights)


def average_weights(model, paths):
    """Give a model the mean of the weights in several files (Izmailov et al., UAI 2018,
    arXiv:1803.05407; BatchNorm's statistics are averaged too, as the last epochs differ little)."""
    weights = []
    for path in paths:
        model.load_weights(path, skip_mismatch=False)
        weights.append(model.get_weights())
    model.set_weights([np.mean(one, axis=0) for one in zip(*weights, strict=True)])


def seven_probabilities(model, images, batch=64):
    """Of the seven diagnoses, shape (n, 7): the views of a shipped model, log-odds averaged."""
    one_view = model.get_layer("one_view")
    network = keras.Model(one_view.input, one_view.get_layer("logits").output)
    resize = keras.layers.Resizing(*one_view.input.shape[1:3])
    found = []
    for start in range(0, len(images), batch):
        views = list(models.corner_views(images[start : start + batch]))
        logits = [network.predict_on_batch(np.asarray(resize(view))) for view in views]
        found.append(softmax(np.mean(logits, axis=0), axis=1))
    return np.concatenate(found)


def kept_seven(model, facts, images, name="test"):
    """``seven_probabilities`` of the shipped model, kept."""
    return common.kept(
        __name__,
        f"seven-{name}",
        [facts["model_sha256"], digest.of_pixels(images)],
        lambda _: seven_probabilities(model, images),
    )


def training_shares(lesions):
    """Of the diagnoses in the training set, shape (7,)."""
    diagnosis = lesions.subset("train").diagnosis
    return np.bincount(diagnosis, minlength=len(data.DX)) / len(diagnosis)


def judged_apart(tables):
    """What is judged apart: tables by the name that pages show.

    Parameters
    ----------
    tables : dict of str to DataFrame
        ``test`` of HAM10000, ``isic2017`` and ``pad_ufes_20``, whole.
    """
    home, isic, pad = (tables[name] for name in ("test", "isic2017", "pad_ufes_20"))
    return {
        "HAM10000, test": home,
        "HAM10000, test, without follow-up": home[home["dx_type"] != "follow_up"],
        "HAM10000, test, histology only": home[home["dx_type"] == "histo"],
        "ISIC 2017, test": isic[isic["split"] == "test"],
        "ISIC 2017, all": isic,
        "PAD-UFES-20, all": pad,
        "PAD-UFES-20, melanoma against nevus": pad[pad["dx"].isin(["mel", "nv"])],
    }


def made_small(images, size):
    """Large squares, after something was done to them, as the model takes them."""
    return np.stack([square(Image.fromarray(one), size) for one in images])


def first_of_each(lesions):
    """Row numbers of one image of each lesion: photographs of one lesion are not independent."""
    return np.flatnonzero(~lesions.table["group"].duplicated())


def one_a_lesion(lesions, n_others, seed):
    """Row numbers of one image of each melanoma, and of so many other lesions: dict by kind."""
    first = first_of_each(lesions)
    melanoma = lesions.melanoma[first] == 1
    others = np.random.default_rng(seed).permutation(first[~melanoma])[:n_others]
    return {"not melanoma": np.sort(others), "melanoma": first[melanoma]}


def threshold_for_sensitivity(y, probability, sensitivity):
    """The highest threshold that new melanomas of the same kind reach with this chance.

    Conformal (``evaluation.conformal_limit``): with n melanomas it finds a little more than the
    share asked for of these, so that on average the share of new ones is not smaller.
    """
    of_melanomas = np.asarray(probability)[np.asarray(y) == 1]
    return float(-evaluation.conformal_limit(-of_melanomas, sensitivity))


def probability(model, facts, name, images):
    """Of melanoma, by the shipped model as it is calibrated, kept; ``name`` says of what images."""
    made_by = [facts["model_sha256"], facts["temperature"], digest.of_pixels(images)]
    return common.kept(__name__, name, made_by, lambda _: asked(model, images))


def asked(model, images):
    """Probabilities of melanoma by a model as LiteRT, which is ten times faster than Keras.

    The numbers are the same (``benchmarks.litert``: to 1e-5).
    """
    parts = np.array_split(images, range(100, len(images), 100))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(_converted(model), parts)))


@lru_cache(maxsize=1)
def _converted(model):
    return lite.Lite(lite.convert(model))


def features(model, facts, layer, name, images):
    """``guard.features`` of the shipped model, kept."""
    return common.kept(
        __name__,
        f"{layer}-{name}",
        [facts["model_sha256"], digest.of_pixels(images)],
        lambda _: guard.features(model, layer, images),
    )


def in_mini(table):
    """Which rows of the full split belong to HAM10k-Mini, whose subsets lie inside its subsets."""
    mini = splits.mini(table.drop(columns=["group", "split"]))
    return table["image_id"].isin(mini["image_id"]).to_numpy()
