"""Step 1: trains the model in models/ on the training set of HAM10000's full split.

Killed and called again, it resumes after the last epoch that was finished."""

import json

import numpy as np

from experiments import common, shipped_model
from utils import backbone, models, predict, pretrained, splits


def run():
    """Train with the first seed; save the model and the layers that serve drawn lesions.

    Files that hold the same weights and facts stay as they are: Keras writes the date into its own,
    and every record knows the model by its file's hash.

    Raises
    ------
    OSError, ValueError
        As ``common.lesions``; nothing that was there is lost then.
    ConnectionError
        If ImageNet's weights cannot be had.
    """
    recipe = common.parameters("train")
    lesions = common.lesions(recipe["source_size"])
    train = lesions.subset("train")
    network = shipped_model.train_recipe(recipe, recipe["seed"], train.images, train.diagnosis)
    facts = {
        "architecture": models.CORNER_VIEWS,
        "source": lesions.source,
        "split_fingerprint": splits.fingerprint(lesions.table),
        "temperature": 1.0,
        "threshold": 0.5,
    }
    predictor = models.as_predictor(network, recipe["source_size"], 1.0)
    if saved_already(predictor, recipe | facts):
        print("The same weights and facts as in the file that is there: it stays as it is.")
        return
    predict.save_model(predictor, recipe | facts, predict.SHIPPED)
    backbone.save_backbone(network, pretrained.SHIPPED, recipe["alpha"], recipe["size"])


def saved_already(model, facts):
    """Whether the shipped file holds this keras.Model's weights, and that beside it these facts."""
    try:
        there, _ = predict.load_model()
        known = json.loads(predict.SHIPPED.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return False
    del known["model_sha256"]
    pairs = zip(there.get_weights(), model.get_weights(), strict=False)
    same = len(there.weights) == len(model.weights) and all(np.array_equal(a, b) for a, b in pairs)
    return same and known == json.loads(json.dumps(facts))
