# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{{ repository }}/blob/{{ branch }}/{{ notebook }})
#
# # {{ number }} · Confidence: when should it not answer?
#
# A model answers every question, also when it is unsure. It could send doubtful lesions to a doctor. What
# does that gain, what does it cost, and can it promise how many melanomas it finds?

# %% [markdown]
# **You will**
#
# - let a model refer doubtful lesions, and count what the doctor has to see;
# - set a limit that keeps a promise on average;
# - find out for whom the promise holds.
#
# **New words**: reject option, load, conformal prediction, calibration set, coverage, prediction set
#
# **You need** lessons {{ number_of("intervals") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils import data, exercises, ledger, plots, pretrained, results, splits
from utils.quiet import keras
from keras import layers
from keras.applications import MobileNetV2

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
N_SPLITS = 200

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("grad_cam") }}: a heat map lies on the lesion. What does that
# prove?</summary>
# Very little. A hill in the middle, which has seen no image, lies on the lesion too.</details>
#
# <details><summary>Lesson {{ number_of("better_models") }}: you change two things at once, and the score
# grows. What do you know?</summary>
# Not which of the two helped. Change one thing at a time.</details>

# %% [markdown]
# ## Referring the doubtful lesions
#
# First a model: a frozen MobileNetV2 gives features, and logistic regression learns from 600 images. We
# judge it on HAM10000's validation lesions, **one image of each**.


# %%
def one_image_a_lesion(table):
    table = splits.full(table)
    table = table[table["split"] == "validation"]
    return table.drop_duplicates("group")


train = data.load_lesions(SOURCE, SIZE, splits.mini).subset("train")
many = data.load_lesions(SOURCE, SIZE, one_image_a_lesion)
print(f"{len(many):,} lesions, {many.melanoma.sum()} of them melanomas")

# %%
weights = pretrained.mobilenet_v2(0.35, 96, train.source)
network = keras.Sequential(
    [
        keras.Input((SIZE, SIZE, 3)),
        layers.Resizing(96, 96),
        layers.Rescaling(1 / 127.5, offset=-1),
        MobileNetV2((96, 96, 3), 0.35, include_top=False, weights=weights),
        layers.GlobalAveragePooling2D(),
    ]
)
x_train = network.predict(train.images, batch_size=100, verbose=0)
x_many = network.predict(many.images, batch_size=100, verbose=0)

# %%
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001))
model.fit(x_train, train.melanoma)
y, p = many.melanoma, model.predict_proba(x_many)[:, 1]
print(f"AUC {roc_auc_score(y, p):.2f}")

# %% [markdown]
# The model says "melanoma" from a probability of `0.5` on, else "benign". With a **reject option** it
# does not answer where `p` lies near `0.5`: we refer these lesions to a doctor.
#
# The doctor sees every "melanoma" too. The **load** is the share of lesions that the doctor sees.

# %%
rows = []
for share in [0, 0.1, 0.2, 0.3, 0.4]:
    doubt = np.abs(p - 0.5)
    referred = doubt < np.quantile(doubt, share)
    wrong = (p >= 0.5) != y
    seen = referred | (p >= 0.5)
    rows.append([share, wrong[~referred].mean(), seen.mean(), y[~seen].sum()])
names = ["referred", "error of the answers", "load", "melanomas missed"]
table = pd.DataFrame(rows, columns=names)
table.round(3)

# %% [markdown]
# A success? With every step the answers get better, and fewer melanomas are missed. But the load grows
# too. A lower threshold *without* a reject option also sends more lesions to the doctor.
#
# **Exercise confidence.1** Write `threshold_at(p, load)`: the threshold from which on exactly the share
# `load` of the lesions is called melanoma. (`exercises.hint("confidence.1")` gives a hint.)


# %% tags=["exercise"]
def threshold_at(p, load):
    return ...


exercises.check("confidence.1", threshold_at)


# %% tags=["solution"]
def threshold_at(p, load):
    return np.quantile(p, 1 - load)


exercises.check("confidence.1", threshold_at)

# %% [markdown]
# Which misses fewer melanomas at the same load? Guess first.

# %%
threshold_at = exercises.use("confidence.1", threshold_at)
table["threshold"] = [threshold_at(p, load) for load in table["load"]]
table["missed by it"] = [y[p < t].sum() for t in table["threshold"]]
table.drop(columns="error of the answers").round(3)

# %% [markdown]
# The same number, in every row. Why? With and without a reject option, a lesion is called benign if
# its `p` is too low. **One comparison decides.** The upper end of the reject option only sorts what the
# doctor sees anyway.
#
# The error of the answers fell because the difficult lesions were no longer counted. One question
# remains: where should the lower limit lie?

# %% [markdown]
# ## A limit that keeps a promise
#
# We want to promise: on average, nine of ten *new* melanomas are not called benign. **Conformal
# prediction** sets a limit that keeps this promise, for any model. It needs a **calibration set**: lesions
# with known answers that the model was not trained on. We take half of ours.

# %%
scores = pd.DataFrame({"melanoma": y, "p": p})
scores["score"] = np.where(y == 1, 1 - p, p)
halves = ShuffleSplit(N_SPLITS, test_size=0.5, random_state=SEED)
first, second = next(halves.split(scores))
calibration, new = scores.iloc[first], scores.iloc[second]
of_melanomas = calibration.loc[calibration["melanoma"] == 1, "score"]
len(of_melanomas)

# %% [markdown]
# The **score** is one minus the probability of the truth: high where the model was wrong. Sort the
# scores of the n calibration melanomas, and take number `ceil((n + 1) * level)` from below.
#
# **Exercise confidence.2** Write `conformal_limit(scores, level)`. If there are fewer scores than that
# number, return `np.inf`: so few cannot promise it.


# %% tags=["exercise"]
def conformal_limit(scores, level):
    return ...


exercises.check("confidence.2", conformal_limit)


# %% tags=["solution"]
def conformal_limit(scores, level):
    rank = int(np.ceil((len(scores) + 1) * level))
    return np.sort(scores)[rank - 1] if rank <= len(scores) else np.inf


exercises.check("confidence.2", conformal_limit)

# %%
conformal_limit = exercises.use("confidence.2", conformal_limit)
limit = conformal_limit(of_melanomas, 0.9)
rank = int((of_melanomas <= limit).sum())
print(f"number {rank} of {len(of_melanomas)}: {limit:.3f}")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
figure, ax = plt.subplots(figsize=(7, 3.2))
ordered = np.sort(of_melanomas)
places = np.arange(1, len(ordered) + 1)
ax.vlines(places, 0, ordered, color=plots.MELANOMA, alpha=0.4)
ax.plot(places, ordered, "o", color=plots.MELANOMA, markersize=4)
ax.axhline(limit, color="black", linestyle="--")
ax.annotate(f"limit: number {rank}", (1, limit + 0.02))
ax.set(xlabel="calibration melanomas, sorted", ylabel="score: 1 - p")
_ = ax.set_title("Nine of ten calibration melanomas lie below the limit")
# alt: The scores of the calibration melanomas as rising dots. A dashed line marks the limit; only the last few dots lie above it.

# %% [markdown]
# Why does this work? The dots leave n + 1 gaps, with the two ends. A new melanoma falls into each with
# the same chance, if it is of the same kind. Nine in ten gaps, or a little more, lie below the limit.
#
# So we call a lesion benign only if its score as a melanoma, `1 - p`, lies above the limit.

# %%
benign = 1 - new["p"] > limit
melanoma = new["melanoma"] == 1
print(f"not called benign: {(~benign[melanoma]).sum()} of {melanoma.sum()}")
print(f"load: {(~benign).mean():.2f}")

# %% [markdown]
# This limit keeps the promise, at the price of a load of 0.61: the model is weak.
#
# ## What the promise says, and for whom
#
# Was that luck? We draw 200 random halves. Each gives a limit, and we count on the other half. The share of melanomas that
# are not called benign is the **coverage** of a limit. Which share of the 200 limits covers *less* than
# `0.9`? Guess, from 0 to 1.

# %%
MY_SHARE = ...
ledger.guess("share of limits that cover less", MY_SHARE)

# %%
rows = []
for first, second in halves.split(scores):
    half, other = scores.iloc[first], scores.iloc[second]
    limit = conformal_limit(half.loc[half["melanoma"] == 1, "score"], 0.9)
    rows.append((other.loc[other["melanoma"] == 1, "score"] <= limit).mean())
coverage = pd.Series(rows)
less = (coverage < 0.9).mean()
ledger.outcome("share of limits that cover less", less)
print(f"mean {coverage.mean():.2f}, less than promised: {less:.0%}")

# %%
ax = sns.histplot(coverage, bins=15, color=plots.MELANOMA)
ax.axvline(0.9, color="black", linestyle="--")
ax.set(xlabel="coverage of new melanomas", ylabel="calibrations")
_ = ax.set_title("The promise holds on average, not for each limit")
# alt: Histogram of 200 coverages around a dashed line at 0.9. Many lie to the left of the line; the highest are 1.

# %% [markdown]
# On average the limits keep their promise. But more than a third of them cover less, and you will have
# only *one*. More melanomas make the spread smaller.
#
# Many programs promise something else: one limit from *all* calibration lesions covers nine of ten new
# *lesions*.

# %% [markdown]
# **Exercise confidence.3** Who pays for that? Write `by_class(calibration, new)`: the limit from all
# scores of `calibration` at the level 0.9, then a Series with the share of `new` at or below it, for
# each value of `melanoma`. Use `conformal_limit` and pandas' `groupby`.


# %% tags=["exercise"]
def by_class(calibration, new):
    return ...


exercises.check("confidence.3", by_class)


# %% tags=["solution"]
def by_class(calibration, new):
    limit = conformal_limit(calibration["score"], 0.9)
    covered = new["score"] <= limit
    return covered.groupby(new["melanoma"]).mean()


exercises.check("confidence.3", by_class)

# %%
by_class = exercises.use("confidence.3", by_class)
rows = []
for first, second in halves.split(scores):
    rows.append(by_class(scores.iloc[first], scores.iloc[second]))
pd.DataFrame(rows).rename(columns={0: "other", 1: "melanoma"}).mean()

# %% [markdown]
# The limit for all covers 0.96 of everything else, and 0.30 of the melanomas. Why? Most lesions are no
# melanoma, so nine of ten lesions can be covered almost without them. **An average can be kept at the
# expense of those who matter most.** Ask of every promise: an average over whom?

# %% [markdown]
# Does a better model need this too? Here is the model that the course ships, on all validation and test
# lesions, one image each: mean ± standard deviation over 200 random halves. `marginal` is one limit for
# all, `by class` one for each class.
#
# Keep each answer whose score is not above its limit: they form the **prediction set** of a lesion. It
# holds one answer, both, or none; then it is `empty`.

# %%
promise = pd.DataFrame(results.committed("confidence")["conformal"]["0.9"])
mean = promise.map(lambda found: f"{found['mean']:.2f}")
spread = promise.map(lambda found: f"{found['standard_deviation']:.2f}")
(mean + " ± " + spread).loc[["all", "melanoma", "not melanoma", "empty"]]

# %% [markdown]
# Again the marginal promise covers few melanomas: 0.21. By class it holds for both, on average.
# One set in twenty is empty: no answer fits well enough. That is a reason to ask a doctor.
#
# With a promise of {{ fact("0.95", "missed=0.05 in experiments/confidence.py") }} for melanomas, a reject
# option sends {{ quote("confidence", "band.load", ".0%") }} of the 1,999 test images to a doctor and misses
# {{ quote("confidence", "band.melanomas_missed", "d") }} images of melanomas. One threshold at its lower end
# sends {{ quote("confidence", "band.one threshold at low.load", ".0%") }} and misses
# {{ quote("confidence", "band.one threshold at low.melanomas_missed", "d") }}. So this model has one threshold.

# %% [markdown]
# **So when should it not answer?** Where a lesion's score as a melanoma is not above a limit that
# calibration melanomas have set, it should not say "benign": a doctor looks. On average, that keeps a
# promise for new lesions of the same kind.

# %% [markdown]
# ## Key points
#
# - Count the load. At the same load, a reject option and a lower threshold miss the same melanomas.
# - A conformal limit is number `ceil((n + 1) * level)` of the sorted scores. It needs one image a lesion.
# - Its promise is an average: over calibrations, and over the lesions that set it. Let melanomas set
#   their own.

# %% [markdown]
# ## Check yourself
#
# <details><summary>With a reject option the error of the answers halves. Is the model better?</summary>
# No, the same model. Its difficult lesions are no longer counted, and somebody else must look at
# them.</details>
#
# <details><summary>Why <code>n + 1</code>, and why one image a lesion?</summary>
# The new lesion is one more. It has the same chance of every place among the sorted scores, if all are
# of the same kind. Several images of one lesion are too alike for that.</details>
#
# <details><summary>Does the promise hold in another clinic?</summary>
# Not if its lesions or images are of another kind. Then it needs a calibration set from there.</details>
#
# ## What comes next
#
# The promise holds for images of the same kind. What if an image shows no lesion at all?
# [{{ number_of("not_a_lesion") }} · Not a lesion]({{ notebook_of("not_a_lesion") }})
#
# ## References
#
# - Angelopoulos, Bates: A gentle introduction to conformal prediction. 2021,
#   [arXiv:2107.07511](https://arxiv.org/abs/2107.07511).
# - Vovk: Conditional validity of inductive conformal predictors. Machine Learning 92:349, 2013,
#   [arXiv:1209.2673](https://arxiv.org/abs/1209.2673) (by class; one calibration).
# - Chow: On optimum recognition error and reject tradeoff. IEEE Transactions on Information Theory
#   16:41, 1970, [doi:10.1109/TIT.1970.1054406](https://doi.org/10.1109/TIT.1970.1054406).
# - [MAPIE](https://mapie.readthedocs.io): conformal prediction for scikit-learn models.

# %%
exercises.progress()

# %%
ledger.show()
