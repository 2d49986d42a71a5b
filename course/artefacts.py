"""How far a ruler, a hair, dark corners or a coloured patch move the shipped model's answer.

`python -m course results EXPERIMENTS=artefacts` puts each on images of the test set of all of
HAM10000, one photograph of each lesion, and writes results/artefacts.json."""

import numpy as np

from course.draws import student
from course.record import provenance
from utils import artefacts, data, predict, results, settings, splits

NAME = "artefacts"
N_OTHERS, SEED = 300, 0  # lesions that are not melanoma; of melanomas all are taken


def run():
    """Ask the shipped model with and without each artefact, and record.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    """
    model, facts = predict.load_model()
    lesions = data.load_lesions("folder", facts["source_size"], splits.full).subset("test")
    first = np.flatnonzero(~lesions.table["group"].duplicated())
    others = first[lesions.melanoma[first] == 0]
    chosen = np.random.default_rng(SEED).permutation(others)[:N_OTHERS]
    kinds = {
        "not melanoma": lesions.take(np.sort(chosen)),
        "melanoma": lesions.take(first[lesions.melanoma[first] == 1]),
    }
    content = provenance(facts) | {
        "parameters": {"N_OTHERS": N_OTHERS, "SEED": SEED, "threshold": facts["threshold"]},
        "lesions": {kind: len(found) for kind, found in kinds.items()},
        "alarms": {},
        "artefacts": {name: {} for name in artefacts.ARTEFACTS},
    }
    for kind, found in kinds.items():
        before = predict.melanoma_probability(found.images, model)
        alarms = before >= facts["threshold"]
        content["alarms"][kind] = float(alarms.mean())
        for name in artefacts.ARTEFACTS:
            after = predict.melanoma_probability(artefacts.add(name, found.images, SEED), model)
            content["artefacts"][name][kind] = {
                "probability": student(after - before).to_json(),
                "alarms": student((after >= facts["threshold"]) * 1.0 - alarms).to_json(),
                "largest": float(np.abs(after - before).max()),
            }
            print(f"{name} on {kind}: {content['artefacts'][name][kind]['alarms']['value']:+.3f}")
    settings.write_json(results.COMMITTED / f"{NAME}.json", content)
