"""How far a ruler, a hair, dark corners or a coloured patch move the shipped model's answer.

Each is put on images of the test set of all of HAM10000, one photograph of each lesion: all that
are melanomas, and so many that are not."""

import time

import numpy as np

from experiments import common, shipped_model
from utils import artefacts, results
from utils.evaluation import student


def run():
    """Ask the shipped model with and without each artefact, and record.

    Raises
    ------
    OSError, ValueError
        As ``shipped_model.load``.
    """
    started, asked = time.monotonic(), common.parameters("artefacts")
    model, facts, lesions = shipped_model.load()
    lesions = lesions.subset("test")
    chosen = shipped_model.one_a_lesion(lesions, asked["N_OTHERS"], asked["SEED"])
    kinds = {kind: lesions.take(rows) for kind, rows in chosen.items()}
    findings = {
        "lesions": {kind: len(found) for kind, found in kinds.items()},
        "alarms": {},
        "artefacts": {name: {} for name in artefacts.ARTEFACTS},
    }
    for kind, found in kinds.items():
        before = shipped_model.probability(model, facts, kind, found.images)
        alarms = before >= facts["threshold"]
        findings["alarms"][kind] = float(alarms.mean())
        for name in artefacts.ARTEFACTS:
            changed = artefacts.add(name, found.images, asked["SEED"])
            after = shipped_model.probability(model, facts, f"{name} {kind}", changed)
            findings["artefacts"][name][kind] = {
                "probability": student(after - before).to_json(),
                "alarms": student((after >= facts["threshold"]) * 1.0 - alarms).to_json(),
                "largest": float(np.abs(after - before).max()),
            }
            print(f"{name} on {kind}: {findings['artefacts'][name][kind]['alarms']['value']:+.3f}")
    used = asked | {"threshold": facts["threshold"]}
    origin = shipped_model.origin(facts)
    results.commit("artefacts", findings, lesions.source, used, started, **origin)
