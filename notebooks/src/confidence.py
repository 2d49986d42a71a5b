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
# # {{ number }} · Confidence: when should a model not answer?
#
# A model answers every question, also about an image of a flower, and it can be very sure of itself. In
# this lesson you teach it to send doubtful lesions to a doctor, and to refuse what is no lesion.

# %% [markdown]
# **You will**
#
# - let a model abstain, and count what that saves and costs;
# - give a promise with a number: conformal prediction;
# - see that a classifier is surest of images that it does not know;
# - build a guard from one distance.
#
# **You need** lessons {{ number_of("transfer") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.covariance import EmpiricalCovariance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import other_images, plots, pretrained, results, splits
from utils.quiet import keras
from keras import layers

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
N_SPLITS = 200

# %% [markdown]
# ## Four decisions

# %%
_ = diagrams.decisions()

# %% [markdown]
# We need two things: limits on the probability, and a guard in front of it. As in lesson {{ number_of("transfer") }}, the network
# is frozen, and a logistic regression reads its features. We take the features of two layers: the last
# one for the diagnosis, and one from the middle for the guard.

# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
test = lesions.subset("test")

# %%
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)
base = backbone.mobilenet_v2(0.35, SIZE, 96, weights)
middle = layers.GlobalAveragePooling2D()(base.get_layer("block_9_add").output)
last = layers.GlobalAveragePooling2D()(base.output)
network = keras.Model(base.input, [middle, last])
middle_train, x_train = network.predict(train.images, verbose=0)
middle_validation, x_validation = network.predict(validation.images, verbose=0)

# %%
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001))
model.fit(x_train, train.melanoma)
y, p = validation.melanoma, model.predict_proba(x_validation)[:, 1]
names = np.array(["other", "mel"])  # by y
print(f"validation AUC: {roc_auc_score(y, p):.2f}")
print(f"missed: {np.sum(y[p < 0.5])} of {y.sum()} melanomas")

# %% [markdown]
# ## The model may say "I do not know"
#
# For each image, the **confidence** is the probability of the answer that the model gives: `p` or `1 - p`,
# whichever is larger. We let the model answer only where it is most confident. The other images go to a
# doctor. **Coverage** is the share of the images that it answers.
#
# **Exercise confidence.1** Write `answered(p, coverage)`: True for the share `coverage` of the images with the
# highest confidence. (`exercises.hint("confidence.1")` gives a hint.)


# %% tags=["exercise"]
def answered(p, coverage):
    return ...


exercises.check("confidence.1", answered)


# %% tags=["solution"]
def answered(p, coverage):
    confidence = np.maximum(p, 1 - p)
    return confidence >= np.quantile(confidence, 1 - coverage)


exercises.check("confidence.1", answered)

# %% [markdown]
# Now we lower the coverage from 1 to `0.3`. Guess the share of melanomas that the model finds
# among those that it answers at a coverage of `0.4`. It starts near `0.4`.

# %%
MY_SENSITIVITY = ...
ledger.guess("sensitivity at coverage 0.4", MY_SENSITIVITY)

# %%
confidence = np.maximum(p, 1 - p)
rows = []
for coverage in np.linspace(0.3, 1, 8):
    kept = confidence >= np.quantile(confidence, 1 - coverage)
    wrong = (p[kept] >= 0.5) != y[kept]
    found = np.mean(p[kept & (y == 1)] >= 0.5)
    rows.append([coverage, wrong.mean(), found])
curve = pd.DataFrame(rows, columns=["coverage", "error", "sensitivity"])
ledger.outcome("sensitivity at coverage 0.4", curve.sensitivity[1])
curve.round(2)

# %%
ax = curve.plot("coverage", style=["o-", "s--"], figsize=(6, 3), ylim=(0, 0.6))
_ = ax.set_title(plots.title("what the model still answers", lesions.source))
# alt: Two lines over coverage. As the coverage falls from 1 to 0.3, the error falls from about 0.2 to below 0.1. The sensitivity falls from 0.4 to below 0.1 and comes back to 0.25 at most.

# %% [markdown]
# From right to left, the **error** falls from about 0.18 to 0.05: abstaining works. But the
# **sensitivity** falls as well, from 0.40 to 0.25 or less. Why? Most lesions are no melanoma, so the model is
# most confident where it says "benign". **Try it**: where do the melanomas go?


# %%
def show(coverage=0.4):
    kept = confidence >= np.quantile(confidence, 1 - coverage)
    says = np.where(p >= 0.5, "says melanoma", "says benign")
    says = np.where(kept, says, "sent to a doctor")
    shares = pd.crosstab(names[y], says, normalize="index").rename_axis(None)
    shares.plot.barh(stacked=True, figsize=(7, 2), cmap="cividis")
    plt.legend(loc="center left", bbox_to_anchor=(1, 0.5))


show()
# alt: Two stacked bars at coverage 0.4. Of the melanomas, nine of ten are sent to a doctor. Of everything else, about half are called benign.

# %%
_ = ipywidgets.interact(show, coverage=(0.1, 1.0, 0.1))

# %% [markdown]
# At a coverage of 0.4 only 3 melanomas are called benign; the other {{ fact("45", "48 - 3") }} are
# found or go to a doctor. So look at what is **missed**, not at the sensitivity of the rest. And
# look at the price: the doctor sees six lesions of ten.

# %% [markdown]
# ## A promise with a number: conformal prediction
#
# Where should the limits lie? We want a promise: "of {{ fact("10", "a level of 0.9") }} melanomas,
# 9 or more are not called benign". **Conformal prediction** gives it for any model, from ten
# lines:
#
# 1. A **score** says how badly the model did on an image: one minus the probability of the truth.
# 2. Sort the scores of the `n` validation images.
# 3. Take the number `ceil((n + 1) * level)` from below. A new image of the same kind has a higher score
#    with a chance of at most `1 - level`.
# 4. For a new image, keep each answer whose score would not be higher. These answers form its **set**.

# %% [markdown]
# **Exercise confidence.2** Write `conformal_limit(scores, level)`, step 2 and 3. If there are fewer
# scores than the number, return `np.inf`.


# %% tags=["exercise"]
def conformal_limit(scores, level):
    return ...


exercises.check("confidence.2", conformal_limit)


# %% tags=["solution"]
def conformal_limit(scores, level):
    rank = int(np.ceil((len(scores) + 1) * level))
    return np.sort(scores)[rank - 1] if rank <= len(scores) else np.inf


exercises.check("confidence.2", conformal_limit)

# %% [markdown]
# Does the promise hold? We draw 200 random halves of the validation images. One half gives the limit. In
# the other half we count how often the set holds the truth: the **coverage** of the sets.


# %%
def limit(scores, level=0.9):
    rank = int(np.ceil((len(scores) + 1) * level))
    return np.sort(scores)[rank - 1] if rank <= len(scores) else np.inf


score = np.where(y == 1, 1 - p, p)
halves = GroupShuffleSplit(N_SPLITS, test_size=0.5, random_state=SEED)
rows = []
for a, b in halves.split(p, y, validation.table["group"]):
    holds = score[b] <= limit(score[a])
    own = [limit(score[a][y[a] == k]) for k in (0, 1)]
    holds_own = score[b] <= np.array(own)[y[b]]
    rows.append(
        [holds.mean(), holds[y[b] == 1].mean(), holds_own[y[b] == 1].mean()]
    )

# %%
columns = ["all images", "melanomas", "melanomas, own limit"]
coverages = pd.DataFrame(rows, columns=columns)
print(coverages.mean().round(2).to_string())
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
sns.boxplot(coverages, orient="h", ax=ax, whis=(2.5, 97.5), fliersize=0)
_ = ax.axvline(0.9, color="black", linestyle="--")
# alt: Three boxes over coverage, with a dashed line at 0.9. All images lie around 0.9. Melanomas lie far to the left. Melanomas with their own limit lie around 0.9 again, spread widely.

# %% [markdown]
# The promise holds for all images: 0.90 on average. But of the **melanomas** only about 0.61 are covered.
# The promise was about all images, and most of these are harmless. An average can be kept at the
# expense of those who matter most.
#
# The cure is simple: a limit for each class, from its own images. Then 0.91 of the melanomas are
# covered. The box is wide because half a validation set has only {{ fact("24", "48 / 2") }}
# melanomas.
#
# The library MAPIE does steps 1 to 4 for scikit-learn models, with one limit for all. Does it find our limit?

# %%
try:
    from mapie.classification import SplitConformalClassifier as Mapie
except ImportError:
    print("MAPIE is not here. To install it: %pip install mapie")
else:
    mapie = Mapie(model, confidence_level=0.9).conformalize(x_validation, y)
    holds_other = mapie.predict_set(x_validation)[1][:, 0, 0]
    print(f"same sets: {np.mean((p <= limit(score)) == holds_other):.0%}")

# %% [markdown]
# ## From sets to decisions
#
# A set can hold one answer, or both. If it holds both, the lesion goes to a doctor. So two limits on the
# probability are enough: a melanoma has a score of at most `1 - low`, everything else at most `high`.
#
# **Exercise confidence.3** Write `decide(p, low, high)`: an array of words. "benign" below `low`, "melanoma" above
# `high`, "refer" in between, both ends included.


# %% tags=["exercise"]
def decide(p, low, high):
    return ...


exercises.check("confidence.3", decide)


# %% tags=["solution"]
def decide(p, low, high):
    return np.select([p < low, p > high], ["benign", "melanoma"], "refer")


exercises.check("confidence.3", decide)

# %% [markdown]
# The limits come from all validation images. Then we open the test set, once.

# %%
low = 1 - limit(1 - p[y == 1])
high = limit(p[y == 0])
middle_test, x_test = network.predict(test.images, verbose=0)
p_test = model.predict_proba(x_test)[:, 1]
says = np.select([p_test < low, p_test > high], ["benign", "melanoma"], "refer")
truth = names[test.melanoma]


def not_benign(truth, says):
    return np.mean(says[truth == "mel"] != "benign")


safe = evaluation.estimate_diagnoses(
    not_benign, truth, says, test.table["group"]
)
print(f"melanomas not called benign: {safe:.2f}")
pd.crosstab(truth, says, rownames=["truth"], colnames=["says"])

# %% [markdown]
# About 0.92 of the test melanomas are not called benign, with a promise of 0.9. Two lesions of five go to a
# doctor: this model is weak, so its promise is expensive. A better model refers fewer.
#
# ## Is it a lesion at all?
#
# The promise holds for images *of the same kind*. What of others?

# %% tags=["pictures"]
# SYNTHETIC: made from drawn lesions
drawn = (
    data.load_lesions("synthetic", 96, splits.mini).subset("test").images[:1]
)
figure, axes = plt.subplots(1, 6, figsize=(8, 1.7), layout="constrained")
for ax, kind in zip(axes, other_images.OTHER_IMAGES, strict=True):
    ax.imshow(other_images.make(kind, drawn, SEED)[0])
    ax.set_title(kind, fontsize=9)
    ax.axis("off")
# alt: SYNTHETIC. Six images: coloured noise, a page of text, a drawn flower, blank skin, a drawn lesion as a negative, and a part of a photograph.

# %% [markdown]
# We make 200 of each kind. If confidence told lesions from other images, the other images would have
# a lower one. We measure it with the AUC: the chance that an other image is *less* confident than a
# lesion. 0.5 is guessing. Guess its mean.

# %%
MY_AUC = ...
ledger.guess("AUC of low confidence", MY_AUC)

# %%
is_other = np.repeat([0, 1], len(test))
others, rows = {}, {}
for kind in other_images.OTHER_IMAGES:
    images = other_images.make(kind, test.images, SEED)
    others[kind], x = network.predict(images, verbose=0)
    p_all = np.append(p_test, model.predict_proba(x)[:, 1])
    sure = np.maximum(p_all, 1 - p_all)
    auc = roc_auc_score(is_other, -sure)
    rows[kind] = [auc, np.mean(sure[is_other == 1] > 0.9)]
columns = ["AUC of low confidence", "more than 0.9 sure"]
table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
ledger.outcome("AUC of low confidence", table.iloc[:, 0].mean())
table.round(2)

# %% [markdown]
# Every AUC is *under* 0.5: the model is **more** confident about noise and text than about lesions. It has
# learned one line between two classes. What lies far away from both lies far from the line as well.
#
# So we ask another question. Not "which side?", but "how far from the training images?" The **Mahalanobis
# distance** counts standard deviations from the mean, along each direction in which the training
# features vary.
#
# **Exercise confidence.4** Write `refused(train, validation, new)`: True for each row of `new` that lies too far
# away. Fit `EmpiricalCovariance` on the features `train`. Its method `mahalanobis` gives the squared
# distance. The limit is the 0.99 quantile of the validation images (`np.quantile`).


# %% tags=["exercise"]
def refused(train, validation, new):
    return ...


exercises.check("confidence.4", refused)


# %% tags=["solution"]
def refused(train, validation, new):
    guard = EmpiricalCovariance().fit(train)
    limit = np.quantile(guard.mahalanobis(validation), 0.99)
    return guard.mahalanobis(new) > limit


exercises.check("confidence.4", refused)

# %%
guard = EmpiricalCovariance().fit(middle_train)
top = limit(guard.mahalanobis(middle_validation), 0.99)
print(f"lesions refused: {np.mean(guard.mahalanobis(middle_test) > top):.1%}")
rows = {}
for kind, x in others.items():
    far = guard.mahalanobis(np.concatenate([middle_test, x]))
    auc = roc_auc_score(is_other, far)
    rows[kind] = [auc, np.mean(far[is_other == 1] > top)]
columns = ["AUC of the distance", "refused"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(2)

# %% [markdown]
# Nearly all other images are refused (0.86 of the negatives), and few lesions. The limit is
# conformal again: 1 % of the lesions or fewer should be refused. We took a layer in the middle
# because it keeps colour and texture in only {{ fact("24", "channels of block_9_add") }} numbers.

# %% [markdown]
# ## The model that the course ships
#
# Does it need both limits? Count what the doctor has to see: what is referred, and what is called
# melanoma. On all of HAM10000 (1,999 test images; `results/confidence.json`) two limits for a promise
# of {{ fact("0.95", "missed=0.05 in experiments/confidence.py") }} send
# {{ quote("confidence", "band.load", ".0%") }} of the images to the doctor and miss
# {{ quote("confidence", "band.melanomas_missed", "d") }} melanomas. One threshold at `low` sends
# {{ quote("confidence", "band.one threshold at low.load", ".0%") }} and misses
# {{ quote("confidence", "band.one threshold at low.melanomas_missed", "d") }}: the same images, since
# `p < low` decides both times. "Refer" is only a second word for some of them. So the shipped model
# has **one threshold** and the guard.

# %%
full = results.committed("confidence")
kinds = ["benign", "melanoma", "refused"]
rows = {}
for name in ["melanoma", "not melanoma"]:
    rows[name] = [f"{full['decisions'][name][kind]:.2f}" for kind in kinds]
pd.DataFrame.from_dict(rows, orient="index", columns=kinds)

# %% [markdown]
# Of 1,999 images, {{ quote("confidence", "decisions.called_benign", ",") }} are called benign, and
# {{ quote("confidence", "decisions.melanomas_called_benign", "d") }} of them are melanomas. A lower
# threshold misses fewer, and the doctor sees more: there is no other way around it.
#
# The guard notices drawn hair too, which
# {{ verdict("artefacts", "artefacts.hair.melanoma.alarms", above=None, below="hides melanomas from", zero=None) }}
# this model (lesson {{ number_of("grad_cam") }}). It refuses
# {{ quote("confidence", "artefacts.hair.refused", ".0%") }} of all lesions under hair, and
# {{ quote("confidence", "artefacts.hair.melanoma.refused", ".0%") }} of the melanomas.
# {{ quote("confidence", "artefacts.hair.melanoma.benign", ".0%") }} of these are still called
# benign: a guard is no cure.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
name = f"confidence-{SIZE}px"
facts = dict(SIZE=SIZE, SEED=SEED)
found = {"not_called_benign": safe, "low": float(low), "high": float(high)}
first = ("melanomas not called benign", safe)
_ = results.keep(name, lesions.source, lesions.table, facts, found, first)

# %% [markdown]
# ## Key points
#
# - Abstaining lowers the error. Count what is missed, and what the doctor has to see.
# - A conformal promise holds on average over new images of the same kind. Make it for melanomas
#   separately.
# - High confidence does not mean that the model knows the image.
# - A distance to the training images finds what is no lesion.
#
# ## Check yourself
#
# <details><summary>A model promises a coverage of {{ fact("0.9", "an example") }}. Are {{ fact("0.9", "an example") }} of the melanomas covered?</summary>
# Not necessarily: the promise is an average over all images. It needs a limit of its own for
# melanomas.</details>
#
# <details><summary>Does the promise hold for images from another clinic?</summary>
# No. It holds for images of the same kind as those that gave the limits. Lesson {{ number_of("groups") }} shows how a shift
# changes the probabilities.</details>
#
# <details><summary>Why is a model sure of noise?</summary>
# It knows only on which side of a line an image lies. Far from all training images it is far from the
# line, too.</details>
#
# ## What comes next
#
# [Lesson {{ number_of("groups") }}]({{ notebook_of("groups") }}): an average hides for whom the model works.
#
# ## References
#
# - Angelopoulos, Bates: A Gentle Introduction to Conformal Prediction,
#   [arXiv:2107.07511](https://arxiv.org/abs/2107.07511).
# - Lee et al.: A Simple Unified Framework for Detecting Out-of-Distribution Samples,
#   [arXiv:1807.03888](https://arxiv.org/abs/1807.03888).
# - [MAPIE](https://mapie.readthedocs.io), conformal prediction for scikit-learn.

# %%
ledger.show()
