"""Do the shipped model's heat maps find the lesion? Measured on drawn ones, whose masks are known.

The one record that comes from SYNTHETIC lesions, and says so: no real image has a mask here."""

import time

import numpy as np

from experiments import common
from utils import data, explain, predict, results, splits
from utils.data import synthetic
from utils.evaluation import student


def run():
    """Explain, measure and record."""
    started, asked = time.monotonic(), common.parameters("attribution")
    model, facts = predict.load_model()
    size = facts["source_size"]
    lesions = data.load_lesions("synthetic", size, splits.mini)
    chosen = np.sort(np.random.default_rng(asked["SEED"]).permutation(len(lesions))[: asked["N"]])
    lesions = lesions.take(chosen)
    masks = synthetic.square_masks(lesions.table["image_id"], size)
    maps = {
        "Grad-CAM": explain.grad_cam(model, lesions.images),
        "occlusion": explain.occlusion(model, lesions.images),
        "centre blob": np.stack([explain.centre_blob(size)] * asked["N"]),
    }
    findings = {
        "covered": float(masks.mean()),
        "maps": measured(maps, masks),
    }
    results.commit(
        "attribution",
        findings,
        lesions.source,
        asked,
        started,
        synthetic=True,
        model_sha256=facts["model_sha256"],
    )


def measured(maps, masks):
    """Share of each map on the lesion and the pointing game, and both minus the centre blob's."""
    found = {}
    for name, one in maps.items():
        rows = {"empty": int((one.max(axis=(1, 2)) == 0).sum())}
        for measure in (explain.share_inside, explain.points_inside):
            values, blob = measure(one, masks), measure(maps["centre blob"], masks)
            kept = ~np.isnan(values)
            rows[measure.__name__] = student(values[kept]).to_json()
            rows[f"{measure.__name__}_minus_blob"] = student((values - blob)[kept]).to_json()
        found[name] = rows
    return found
