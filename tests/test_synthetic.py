import hashlib

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from utils import data, splits
from utils.baselines import colour_features
from utils.data import synthetic


def test_metadata_has_the_columns_and_counts_of_ham10000():
    table = synthetic.metadata()
    assert tuple(table.columns) == data.COLUMNS
    assert table["image_id"].is_unique and table["image_id"].str.startswith("SYN_").all()
    assert table["dx"].value_counts().to_dict() == {k: n for k, (n, _) in synthetic.COUNTS.items()}
    lesions = table.groupby("dx")["lesion_id"].nunique().to_dict()
    assert lesions == {k: n for k, (_, n) in synthetic.COUNTS.items()}
    several = (table.groupby("lesion_id").size() > 1).mean()
    assert 0.2 < several < 0.3
    assert not table.equals(synthetic.metadata(seed=1))


def test_same_bytes_on_every_machine():
    ids = synthetic.metadata()["image_id"][:16]
    digest = hashlib.sha256(synthetic.draw(ids).tobytes()).hexdigest()
    assert digest == ("0859ed7bd4a6f153a00f33fa1812550ea9807d4c63c585a751b0d585e4a00268")


def test_an_image_does_not_depend_on_what_is_drawn_with_it():
    ids = synthetic.metadata()["image_id"][:4].tolist()
    together = synthetic.draw(ids)
    assert together.shape == (4, 150, 200, 3) and together.dtype == np.uint8
    assert (together[::-1] == synthetic.draw(ids[::-1])).all()


def test_photographs_of_a_lesion_differ_but_show_the_same():
    table = synthetic.metadata()
    lesion = table["lesion_id"][table["lesion_id"].duplicated()].iloc[0]
    images, masks = synthetic.draw_with_masks(table.loc[table["lesion_id"] == lesion, "image_id"])
    assert (images[0] != images[1]).mean() > 0.5
    areas = masks.sum((1, 2))
    assert areas.min() > 0 and areas.max() / areas.min() < 2


def test_masks_hold_the_lesion():
    table = synthetic.metadata()
    images, masks = synthetic.draw_with_masks(table.loc[table["dx"] == "mel", "image_id"][:20])
    contrast = [i[~m].mean() - i[m].mean() for i, m in zip(images, masks, strict=True)]
    assert np.median(contrast) > 10


def test_unknown_ids_are_refused():
    with pytest.raises(ValueError, match="1 of 1 image ids are not synthetic"):
        synthetic.draw(["ISIC_0027419"])


@threadpool_limits.wrap(limits=1)  # OpenMP's threads wait for each other where cores are busy
def test_melanoma_is_neither_in_the_colours_alone_nor_certain():
    table = synthetic.metadata()
    mini = splits.mini(table.assign(copy_of=table["image_id"]))
    lesions = data.load_lesions("synthetic", 28, lambda _: mini.sample(600, random_state=0))
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_leaf_nodes=8, random_state=0
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    features, y = colour_features(lesions.images), lesions.melanoma
    p = cross_val_predict(model, features, y, cv=folds, method="predict_proba")[:, 1]
    assert 0.70 < roc_auc_score(y, p) < 0.85
    hidden = synthetic.latents()  # no image says more than these do
    one_hot = np.array([hidden["look"] == look for look in synthetic.LOOKS], float).T
    known = np.column_stack([hidden["severity"], one_hot])
    y = (hidden["dx"] == "mel").to_numpy()
    p = cross_val_predict(model, known, y, cv=folds, method="predict_proba")[:, 1]
    assert 0.90 < roc_auc_score(y, p) < 0.97
