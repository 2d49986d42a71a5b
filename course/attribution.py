"""Do the shipped model's heat maps find the lesion? Measured on drawn ones, whose masks are known.

`python -m course results EXPERIMENTS=attribution` writes results/attribution.json, the one record
that comes from SYNTHETIC lesions, and says so: no real image has a mask here."""

import numpy as np

from course.draws import student
from utils import data, explain, predict, results, settings, splits
from utils.data import synthetic

NAME = "attribution"
N, SEED = 300, 0


def run():
    """Explain, measure and record."""
    model, facts = predict.load_model()
    size = facts["source_size"]
    lesions = data.load_lesions("synthetic", size, splits.mini)
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(lesions))[:N])
    lesions = lesions.take(chosen)
    masks = synthetic.square_masks(lesions.table["image_id"], size)
    maps = {
        "Grad-CAM": explain.grad_cam(model, lesions.images),
        "occlusion": explain.occlusion(model, lesions.images),
        "centre blob": np.stack([explain.centre_blob(size)] * N),
    }
    content = {
        "source": "synthetic",
        "model_sha256": facts["model_sha256"],
        "parameters": {"N": N, "SEED": SEED},
        "versions": results.versions(),
        "covered": float(masks.mean()),
        "maps": measured(maps, masks),
    }
    settings.write_json(results.COMMITTED / f"{NAME}.json", content)


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
