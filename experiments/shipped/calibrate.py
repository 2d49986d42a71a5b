"""Step 2: the temperature of the shipped model, from its validation images, one of
each lesion."""

from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import log_loss

from experiments import shipped_model
from utils import predict, settings
from utils.decision import files_beside
from utils.quiet import keras


def run():
    """Find the temperature and write it beside the model.

    Raises
    ------
    OSError, ValueError
        As ``predict.load_model`` and ``common.lesions``.
    """
    model, facts, lesions = shipped_model.load()
    validation = lesions.subset("validation")
    validation = validation.take(shipped_model.first_of_each(validation))
    log_odds = keras.Model(model.input, model.get_layer("temperature").input)
    raw = log_odds.predict(validation.images, batch_size=predict.BATCH, verbose=0)[:, 0]
    found = {"temperature": temperature(validation.melanoma, raw)}
    _, path, _ = files_beside(predict.SHIPPED)
    settings.write_json(path, {"model_sha256": facts["model_sha256"]} | found)


def temperature(y, logit):
    """The number by which log-odds are divided so that the labels become most likely.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, for two classes.

    Parameters
    ----------
    y : array of 0/1, shape (n,)
        Of the validation set.
    logit : array of float, shape (n,)

    Returns
    -------
    float
        Above 1 where the model was overconfident.
    """
    found = minimize_scalar(
        lambda t: log_loss(y, expit(logit / t)), bounds=(0.05, 20), method="bounded"
    )
    return float(found.x)
