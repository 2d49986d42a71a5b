"""Step 1: trains the model in models/ on the training set of HAM10000's full split.

Killed and called again, it resumes after the last epoch that was finished."""

from experiments import common, shipped_model
from utils import backbone, models, predict, pretrained, splits


def run():
    """Train with the first seed; save the model and the layers that serve drawn lesions.

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
    predict.save_model(predictor, recipe | facts, predict.SHIPPED)
    backbone.save_backbone(network, pretrained.SHIPPED, recipe["alpha"], recipe["size"])
