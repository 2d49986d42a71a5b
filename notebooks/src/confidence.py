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
# A model answers every question, also when it is unsure. Doubtful lesions could go to a doctor instead.
# What does that gain, what does it cost, and can we promise how many melanomas are found?

# %% [markdown]
# **You will**
#
# - let a model refer doubtful lesions, and count what the doctor has to see;
# - set a limit that keeps a promise on average;
# - find out for whom the promise holds.
#
# **New words**: reject option, load, conformal prediction, calibration set, coverage
#
# **You need** lessons {{ number_of("intervals") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
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

from utils import backbone, data, exercises, ledger
from utils import plots, pretrained, results, splits
from utils.quiet import keras
from keras import layers

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
# First a model: a frozen MobileNetV2 gives features, and logistic regression learns from 600 images (a small
# `C` keeps its weights small). We judge it on HAM10000's validation lesions, **one image of each**.


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
base = backbone.mobilenet_v2(0.35, SIZE, 96, weights)
network = keras.Sequential([base, layers.GlobalAveragePooling2D()])
x_train = network.predict(train.images, batch_size=100, verbose=0)
x_many = network.predict(many.images, batch_size=100, verbose=0)

# %%
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001))
model.fit(x_train, train.melanoma)
y, p = many.melanoma, model.predict_proba(x_many)[:, 1]
print(f"AUC {roc_auc_score(y, p):.2f}")

# %% [markdown]
# The model says "melanoma" from a probability `p` of `0.5` on, else "benign" (which here means *not
# melanoma*: it can be another cancer). With a **reject option** it does not answer where `p` lies near
# `0.5`: we refer these lesions to a doctor.
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
# Without a reject option, 90 of 129 melanomas are missed. With every step the answers get better, and
# fewer are missed. But the load grows too, as with a lower threshold.
#
# **Exercise confidence.1** Write `threshold_at(p, load)`: the threshold from which on the share `load` of
# the lesions is called melanoma. (`exercises.hint("confidence.1")` gives a hint.)


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
# The answers got better because the difficult lesions were no longer counted. One question remains: below
# which `p` may a lesion be called benign?

# %% [markdown]
# ## A limit that keeps a promise
#
# We want to promise: on average, nine of ten *new* melanomas are not called benign. **Conformal
# prediction** sets a limit that keeps this promise, for any model. It needs a **calibration set**: lesions
# with known answers that the model was not trained on. We take half of our melanomas. The *score* of a
# melanoma is `1 - p`: high where the model is wrong.

# %%
score = 1 - p[y == 1]
halves = ShuffleSplit(N_SPLITS, test_size=0.5, random_state=SEED)
first, second = next(halves.split(score))
calibration, new = score[first], score[second]
print(f"{len(calibration)} melanomas set the limit, {len(new)} are new")

# %% [markdown]
# Sort the n scores, and take number `ceil((n + 1) * level)` from below, with `level = 0.9` for nine of
# ten.
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
limit = conformal_limit(calibration, 0.9)
rank = (calibration <= limit).sum()
print(f"number {rank} of {len(calibration)}: {limit:.3f}")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
figure, ax = plt.subplots(figsize=(7, 3.2))
ordered = np.sort(calibration)
places = np.arange(1, len(ordered) + 1)
ax.vlines(places, 0, ordered, color=plots.MELANOMA, alpha=0.4)
ax.plot(places, ordered, "o", color=plots.MELANOMA, markersize=4)
ax.axhline(limit, color="black", linestyle="--")
ax.annotate(f"limit: number {rank}", (1, limit + 0.02))
ax.set(xlabel="calibration melanomas, sorted", ylabel="score: 1 - p")
_ = ax.set_title(
    f"{rank} of {len(ordered)} calibration melanomas are not above the limit"
)
# alt: The scores of the calibration melanomas as rising dots. A dashed line marks the limit; only the last few dots lie above it.

# %% [markdown]
# Why does this work? Put the score of a new melanoma among the n sorted ones. It gets each of the n + 1
# places with the same chance, if it is of the same kind. So in nine of ten cases, or a little more, it is
# not above the limit.

# %%
print(f"called benign only if p is below {1 - limit:.3f}")
print(f"not called benign: {(new <= limit).sum()} of {len(new)} new melanomas")
print(f"load: {(1 - p <= limit).mean():.2f} of all lesions")

# %% [markdown]
# The doctor sees more than a third of all lesions. And 55 of 65 is *less* than nine of ten. Is the promise broken?

# %% [markdown]
# ## What the promise says, and for whom
#
# The share of new melanomas that are not called benign is the **coverage** of a limit. We draw
# {{ fact("200", "N_SPLITS in the parameters") }} random halves: each gives a limit, and its coverage on the
# other half. Which share of the limits covers less than `0.9`? Guess, from 0 to 1.

# %%
MY_SHARE = ...
ledger.guess("share of limits that cover less", MY_SHARE)

# %%
rows = []
for first, second in halves.split(score):
    own = conformal_limit(score[first], 0.9)
    rows.append((score[second] <= own).mean())
coverage = pd.Series(rows)
less = (coverage < 0.9).mean()
ledger.outcome("share of limits that cover less", less, many.source)
print(f"mean {coverage.mean():.2f}, fewer than nine of ten: {less:.0%}")

# %%
n = len(new)
ax = sns.histplot(coverage * n, discrete=True, color=plots.MELANOMA)
ax.axvline(0.9 * n, color="black", linestyle="--")
ax.set_xlabel(f"new melanomas covered, of {n} (dashed: nine of ten)")
ax.set_ylabel("number of limits")
_ = ax.set_title(f"{less:.0%} of the limits cover fewer than nine of ten")
# alt: Histogram: how many of the new melanomas each of 200 limits covers. A dashed line marks nine of ten; many limits lie to the left of it.

# %% [markdown]
# On average the limits keep their promise. But four in ten cover fewer than nine of ten, and you will have only *one*. (Two
# things vary: the limit, and the few melanomas on which we count it.)
#
# Many programs promise something else: one limit from *all* calibration lesions covers nine of ten new
# *lesions*. For other lesions the score is `p`.

# %%
scores = pd.DataFrame({"melanoma": y, "score": np.where(y == 1, 1 - p, p)})

# %% [markdown]
# **Exercise confidence.3** Who pays for that? Write `by_class(calibration, new)` for two halves of `scores`.
# Take the limit at the level 0.9 from all scores of `calibration`. Return a Series: for each value of
# `melanoma`, the share of `new` at or below the limit. Use `conformal_limit` and `groupby`.


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
# The limit for all covers 0.96 of everything else, and 0.30 of the melanomas. Why? Few lesions are
# melanomas, so nine of ten lesions can be covered almost without them. **An average can be kept at the
# expense of those who matter most.** Ask of every promise: an average over whom?
#
# And a better model? Here is the one that the course ships, on all validation and test lesions, means over
# random halves. `marginal` is one limit for all, `by class` one for each.

# %%
promise = pd.DataFrame(results.committed("confidence")["conformal"]["0.9"])
means = promise.map(lambda found: round(found["mean"], 2))
means.loc[["melanoma", "not melanoma"]]

# %% [markdown]
# One limit for all covers few melanomas again. Limits by class keep the promise for both, on average.
# (The validation lesions helped to choose this model. Before you promise anything, take lesions on which
# nothing was chosen.)

# %% [markdown]
# **So when should it not answer?** It should say "benign" only if `p` is below a limit that known melanomas
# have set. All other lesions go to a doctor. For new lesions of the same kind, this keeps a promise, on
# average.

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
