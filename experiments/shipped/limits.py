"""Step 3: the limits of the shipped model, from its training and validation images: threshold and
guard. One image of each lesion, as photographs of one lesion are not independent."""

import numpy as np

from experiments import common, shipped_model
from utils import evaluation, guard, other_images, predict, settings
from utils.decision import distance, files_beside

LAYERS = ("block_2_add", "block_5_add", "block_9_add", "block_12_add", "block_15_add")
LAST = "out_relu"  # for comparison: its covariance of 1,280 channels is larger than the model
UNSEEN = "photograph"  # plays no part in the choice of the layer


def run():
    """Find the limits and write them beside the model.

    Raises
    ------
    OSError, ValueError
        As ``predict.load_model`` and ``common.lesions``.
    """
    model, facts, lesions = shipped_model.load()
    chosen = common.parameters("limits")
    whole = lesions.subset("validation")
    first = shipped_model.first_of_each(whole)
    validation = whole.take(first)

    def features(layer, name, images=None):
        images = lesions.subset(name).images if images is None else images
        found = shipped_model.features(model, facts, layer, name, images)
        return found[first] if name == "validation" else found

    made_for = {name: facts[name] for name in ("model_sha256", "temperature")}
    p = shipped_model.probability(model, facts, "validation", whole.images)[first]
    layer, by_layer = choose_layer(features, validation, chosen)
    found = {
        "threshold": shipped_model.threshold_for_sensitivity(
            validation.melanoma, p, chosen["sensitivity"]
        ),
        "threshold_chosen_for": f"finding {chosen['sensitivity']:.0%} of new melanomas like those "
        "of the validation set".replace("%", " %"),
        "guard": {"layer": layer}
        | fit_guard(features, layer, chosen["refused"])
        | {"auc_by_layer": by_layer},
    }
    _, _, path = files_beside(predict.SHIPPED)
    settings.write_json(path, made_for | found)


def choose_layer(features, validation, chosen):
    """Of ``LAYERS`` the best at telling validation lesions from other images, mean over kinds.

    Parameters
    ----------
    features : callable
        ``features(layer, name, images)``: those of the shipped model, kept by name; without images
        those of the subset of that name.
    """
    rows = np.random.default_rng(chosen["seed"]).permutation(len(validation))[: chosen["others"]]
    kinds = [kind for kind in other_images.OTHER_IMAGES if kind != UNSEEN]
    made = {
        kind: other_images.make(kind, validation.images[rows], chosen["seed"]) for kind in kinds
    }
    found = {}
    for layer in (*LAYERS, LAST):
        fitted = guard.fit(features(layer, "train"))
        near = distance(features(layer, "validation"), **fitted)
        found[layer] = {
            kind: _auc(near, distance(features(layer, kind, images), **fitted))
            for kind, images in made.items()
        }
    return max(LAYERS, key=lambda layer: np.mean(list(found[layer].values()))), found


def _auc(near, far):
    return evaluation.roc_auc(np.r_[np.zeros(len(near)), np.ones(len(far))], np.r_[near, far])


def fit_guard(features, layer, refused):
    """Mean and precision from training images, the limit from validation images."""
    fitted = guard.fit(features(layer, "train"))
    near = distance(features(layer, "validation"), **fitted)
    limit = float(evaluation.conformal_limit(near, 1 - refused))
    return {name: array.tolist() for name, array in fitted.items()} | {"limit": limit}
