"""Simple baselines beside every network: the majority class, and the colours alone."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier


def colour_features(images):
    """Nine numbers on the colour of each image, in pixel units 0..255.

    Mean and standard deviation of each channel, and the mean of the central quarter of the
    image minus that of a border one eighth wide.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, 3)

    Returns
    -------
    ndarray of float64, shape (n, 9)
    """
    h, w = images.shape[1:3]
    border = np.ones((h, w), bool)
    border[h // 8 : h - h // 8, w // 8 : w - w // 8] = False
    features = np.empty((len(images), 3, 3))
    for row, image in zip(features, images, strict=True):  # one by one: float64 needs much memory
        centre = image[h // 4 : h - h // 4, w // 4 : w - w // 4]
        row[0] = image.mean((0, 1), dtype=float)
        row[1] = image.std((0, 1), dtype=float)
        row[2] = centre.mean((0, 1), dtype=float) - image[border].mean(0, dtype=float)
    return features.reshape(-1, 9)


def colour_baseline(images, y, seed=0):
    """Gradient boosting on ``colour_features``: what a deep model has to be better than.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w, 3)
    y : array of 0/1, shape (n,)

    Returns
    -------
    sklearn.ensemble.HistGradientBoostingClassifier
        Fitted; use ``predict_proba(colour_features(images))[:, 1]``.
    """
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_leaf_nodes=8, random_state=seed
    )
    return model.fit(colour_features(images), y)


def baseline_probabilities(train, *others):
    """The two baselines that every deep result is shown beside.

    Parameters
    ----------
    train : utils.data.Lesions
    *others : utils.data.Lesions
        The sets to predict.

    Returns
    -------
    dict of str to list of ndarray
        By name, probabilities of melanoma for each of ``others``: from the colour baseline, and
        from the majority class (the share of melanomas in training, whatever the image).
    """
    model = colour_baseline(train.images, train.melanoma)
    return {
        "colour baseline": [
            model.predict_proba(colour_features(lesions.images))[:, 1] for lesions in others
        ],
        "majority class": [np.full(len(lesions), train.melanoma.mean()) for lesions in others],
    }
