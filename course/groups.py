"""For whom the shipped model works: groups, shifts, skin tone, and age, sex and site beside it.

`python -m course results EXPERIMENTS=groups` asks the shipped model about the validation and test
images of all of HAM10000, as they are and shifted, and writes results/groups.json. It holds each
image's probability and what is known of it, so that lesson 13 needs no image for its tables."""

from scipy.special import logit
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from utils import data, evaluation, lite, predict, results, settings, shifts, splits

NAME = "groups"
KEPT = ["image_id", "group", "dx", "dx_type", "age", "sex", "localization"]


def run():
    """Predict, judge and record.

    Raises
    ------
    FileNotFoundError, ValueError
        As ``data.load_lesions``, for the folder of real images.
    """
    model, facts = predict.load_model()
    lesions = data.load_lesions("folder", facts["source_size"], splits.full)
    answer = lite.Lite(lite.convert(model))  # the same probabilities, ten times faster
    sets = {}
    for name in ("validation", "test"):
        part = lesions.subset(name)
        table = part.table[KEPT].reset_index(drop=True)
        sets[name] = table.assign(
            melanoma=part.melanoma,
            probability=answer(part.images).astype(float).round(5),
            ita=shifts.typology_angle(part.images).round(1),
        )
    test = lesions.subset("test")
    content = {
        "source": "folder",
        "split_fingerprint": facts["split_fingerprint"],
        "model_sha256": facts["model_sha256"],
        "threshold": facts["threshold"],
        "versions": results.versions(),
        "shifts": shifted(test, answer, sets["test"]["probability"].to_numpy()),
        "beside": beside(sets["validation"], sets["test"]),
        **{name: table.to_dict("list") for name, table in sets.items()},
    }
    settings.write_json(results.COMMITTED / f"{NAME}.json", content)


def shifted(test, answer, before):
    """AUC and calibration error at each severity of each shift, and the paired loss of AUC."""
    y, groups, found = test.melanoma, test.table["group"], {}
    for name in shifts.SHIFTS:
        rows = []
        for severity in shifts.SEVERITIES:
            p = answer(shifts.shift(name, test.images, severity))
            change = evaluation.difference(evaluation.roc_auc, y, p, before, groups)
            rows.append(
                {
                    "severity": severity,
                    "roc_auc": evaluation.roc_auc(y, p),
                    "change": change.to_json(),
                    "calibration_error": evaluation.calibration_error(y, p),
                    "mean_probability": float(p.mean()),
                }
            )
            print(f"{name} {severity}: {change:+.3f}")
        found[name] = rows
    unchanged = {
        "roc_auc": evaluation.roc_auc(y, before),
        "calibration_error": evaluation.calibration_error(y, before),
        "mean_probability": float(before.mean()),
    }
    return {"unchanged": unchanged} | found


INPUTS = {
    "image alone": [],
    "image and age": ["age"],
    "image, age, sex and site": ["age", "sex", "localization"],
    "image and way of confirmation": ["dx_type"],
}


def beside(validation, test):
    """Logistic regression on the model's log-odds and what is known of the patient.

    Fitted on validation images, judged on test images: AUC and average precision, and the paired
    difference to the image alone."""
    y, groups, found = test["melanoma"], test["group"], {}
    alone = fitted(validation, [])(test)
    for name, columns in INPUTS.items():
        p = fitted(validation, columns)(test)
        found[name] = {
            measure: {
                "value": evaluation.estimate(score, y, p, groups).to_json(),
                "gain": evaluation.difference(score, y, p, alone, groups).to_json(),
            }
            for measure, score in (
                ("roc_auc", evaluation.roc_auc),
                ("average_precision", average_precision_score),
            )
        }
    p = fitted(validation, INPUTS["image, age, sex and site"], image=False)(test)
    without = evaluation.estimate(evaluation.roc_auc, y, p, groups)
    found["age, sex and site alone"] = {"roc_auc": {"value": without.to_json()}}
    return found


def fitted(table, columns, image=True):
    """A function from a table to probabilities of melanoma, shape (n,); missing ages are means."""
    numbers = ["log_odds"] * image + ["age"] * ("age" in columns)
    words = [column for column in columns if column != "age"]
    age = table["age"].mean()

    def inputs(given):
        log_odds = logit(given["probability"].clip(1e-5, 1 - 1e-5))
        return given.assign(log_odds=log_odds, age=given["age"].fillna(age))

    encode = make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), words)
    )
    model = make_pipeline(encode, LogisticRegression(max_iter=1000))
    model.fit(inputs(table), table["melanoma"])
    return lambda given: model.predict_proba(inputs(given))[:, 1]
