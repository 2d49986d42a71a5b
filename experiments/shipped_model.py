"""What experiments about the shipped model share: the model itself, and its recipe."""

import numpy as np
from scipy.special import softmax

from experiments import common
from utils import (
    backbone,
    data,
    digest,
    guard,
    models,
    predict,
    pretrained,
    settings,
    splits,
    training,
)
from utils.quiet import keras


def load():
    """The shipped model, its facts, and the images of the full split at its size."""
    model, facts = predict.load_model()
    return model, facts, common.lesions(facts["source_size"])


def origin(facts):
    """What a record of the shipped model says of where its numbers come from."""
    return {name: facts[name] for name in ("split_fingerprint", "model_sha256")}


def train_recipe(seed, images, labels):
    """A network trained by the recipe (``train`` in params.yaml), from images to seven logits.

    It goes on where an earlier call was interrupted, or comes from disk if that one was not.

    Parameters
    ----------
    seed : int
    images : ndarray of uint8, shape (n, source_size, source_size, 3)
    labels : ndarray of int, shape (n,)
        Places in ``data.DX``.

    Returns
    -------
    keras.Model
    """
    recipe = common.parameters("train")
    alpha, size = recipe["alpha"], recipe["size"]
    code = [settings.ROOT / "utils" / name for name in ("training.py", "models.py", "images.py")]
    found = common.key(code, recipe, [seed, digest.of([images.shape, labels.tolist()])])
    backup = settings.make_folder(settings.runs() / "kept" / "recipe") / f"{found}.weights.h5"
    keras.utils.set_random_seed(seed)
    with training.all_gpus().scope():
        base = backbone.mobilenet_v2(alpha, size, size, pretrained.mobilenet_v2(alpha, size))
        model = models.logit_classifier(base, len(data.DX))
    training.all_layers(
        model,
        images,
        labels,
        size,
        backup,
        recipe["epochs"],
        recipe["learning_rate"],
        seed=seed,
    )
    return model


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
        facts["model_sha256"],
        lambda _: seven_probabilities(model, images),
    )


def training_shares(lesions):
    """Of the diagnoses in the training set, shape (7,)."""
    diagnosis = lesions.subset("train").diagnosis
    return np.bincount(diagnosis, minlength=len(data.DX)) / len(diagnosis)


def probability(model, facts, name, images):
    """Of melanoma, by the shipped model as it is calibrated, kept; ``name`` says of what images."""
    made_by = [facts["model_sha256"], facts["temperature"]]
    return common.kept(
        __name__, name, made_by, lambda _: predict.melanoma_probability(images, model)
    )


def features(model, facts, layer, name, images):
    """``guard.features`` of the shipped model, kept."""
    return common.kept(
        __name__,
        f"{layer}-{name}",
        facts["model_sha256"],
        lambda _: guard.features(model, layer, images),
    )


def in_mini(table):
    """Which rows of the full split belong to HAM10k-Mini, whose subsets lie inside its subsets."""
    mini = splits.mini(table.drop(columns=["group", "split"]))
    return table["image_id"].isin(mini["image_id"]).to_numpy()
