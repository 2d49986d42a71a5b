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
# # {{ number }} · Intervals: how sure is a number?
#
# A project claims an accuracy of {{ fact("0.852", "the original project's claim") }} on 200 test
# images. Another reports {{ fact("0.80", "an example") }}. Is the first model better, or only
# luckier? Without an interval, nobody can tell.

# %% [markdown]
# **You will**
#
# - see one recipe reach ten different accuracies;
# - put an interval around a score, with a few lines of pandas;
# - decide whether one model is better than another.
#
# **New words**: repeated subsets, AUC, bootstrap, 95 % interval, paired difference, inconclusive
#
# **You need** lesson {{ number_of("data") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils import baselines, data, diagrams, evaluation, exercises
from utils import ledger, plots, results, splits

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
RESAMPLES = 500

# %% [markdown]
# ## One recipe, ten accuracies
#
# Lesson {{ number_of("quickstart") }} trains a network on 600 images and tests it on 200. We did the
# same ten times, each time with another 1,000 images of HAM10000: ten **repeated subsets**. Nothing
# else changed. We did it at 28 px, and at 96 px.
#
# Guess before you run the cell: how far apart are the ten accuracies?

# %%
models = results.committed("ten_draws")["models"]
accuracies = pd.DataFrame(
    {
        "28 px": models["recipe, 28 px"]["accuracy"].seeds,
        "96 px": models["recipe, 96 px"]["accuracy"].seeds,
    }
)
accuracies.agg(["min", "mean", "max"])

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
figure, ax = plt.subplots(figsize=(7, 2.6))
sns.swarmplot(accuracies, orient="h", size=7, ax=ax)
ax.axvline(0.852, color="black", linestyle=":", label="claimed: 0.852")
ax.axvline(0.76, color="gray", linestyle="--", label="majority class: 0.76")
ax.set(xlabel="accuracy on 200 test images")
ax.legend(loc="upper left", bbox_to_anchor=(0, 1.3), ncols=2)
_ = figure.suptitle("One recipe, ten subsets: some are lucky")
# alt: Two rows of ten dots, accuracies at 28 and at 96 pixels. At 96 pixels they reach from below the line of the majority class to above the line of the claimed accuracy.

# %% [markdown]
# At 96 px one subset says 0.74, less than the answer "never melanoma" reaches. Another says 0.87, more
# than was claimed. If that were your only one, you would report 0.87. The mean is 0.80.
#
# Is so much luck normal? Suppose a model is right for `0.8` of *very many* images. We test it on 200 of
# them, ten thousand times, and once more (`second`).

# %%
rng = np.random.default_rng(SEED)
right = rng.binomial(200, 0.8, size=(10_000, 2))
tests = pd.DataFrame(right / 200, columns=["first", "second"])
tests["first"].quantile([0.025, 0.975])

# %% [markdown]
# Mostly. (0.74 and 0.87 lie outside: our ten had other training images, too.) This model never changes, and still the middle 95 % of its accuracies reach from 0.745 to 0.855.
# **200 images tell an accuracy to about {{ fact("±0.06", "half of the interval above") }}.** So
# {{ fact("0.852", "the original project's claim") }} against {{ fact("0.80", "an example") }} can be luck.

# %% [markdown]
# ## How far can my score move?
#
# You have only one test set. So draw new ones from it: 200 rows *with replacement*. Some rows come
# twice, others not at all. This is the **bootstrap**.

# %%
_ = diagrams.bootstrap()

# %% [markdown]
# *(A sketch, its scores are invented.)* Each new test set gives an **AUC**: the chance that a random
# melanoma gets a higher score than a random other lesion. The middle 95 % of them is the **95 %
# interval**. It says: the score on very many such images probably lies in here.
#
# Now with real scores. We train the colour baseline of lesson {{ number_of("data") }} twice: on all
# nine colour values, and on three of them, the mean colours alone.

# %%
mini = data.load_lesions(SOURCE, SIZE, splits.mini)
train = mini.subset("train")
validation = mini.subset("validation")


def all_for_validation(table):
    table = splits.full(table)
    return table[table["split"] == "validation"]


many = data.load_lesions(SOURCE, SIZE, all_for_validation)
x_train = baselines.colour_features(train.images)
x_many = baselines.colour_features(many.images)

# %%
trees = HistGradientBoostingClassifier(
    learning_rate=0.05, max_leaf_nodes=8, random_state=SEED
)
scores = many.table[["image_id", "group"]].assign(melanoma=many.melanoma)
trees.fit(x_train, train.melanoma)
scores["nine"] = trees.predict_proba(x_many)[:, 1]
trees.fit(x_train[:, :3], train.melanoma)
scores["three"] = trees.predict_proba(x_many[:, :3])[:, 1]
few = scores[scores["image_id"].isin(validation.table["image_id"])]
for part in [few, scores]:
    count = part.drop_duplicates("group")["melanoma"].agg(["size", "sum"])
    print(
        f"{len(part)} images, {count['size']} lesions, {count['sum']} melanomas"
    )

# %% [markdown]
# `few` are the 200 images of lesson {{ number_of("data") }}; `scores` has all validation images of
# HAM10000. pandas draws rows with replacement in one line:


# %%
def draw_images(scores, rng):
    return scores.sample(frac=1, replace=True, random_state=rng)


def bootstrap(scores, draw):
    rng = np.random.default_rng(SEED)
    rows = []
    for _ in range(RESAMPLES):
        drawn = draw(scores, rng)
        y = drawn["melanoma"]
        nine = roc_auc_score(y, drawn["nine"])
        rows.append([nine, roc_auc_score(y, drawn["three"])])
    return pd.DataFrame(rows, columns=["nine", "three"])


# %% [markdown]
# But the 2,001 images show 1,500 lesions. Images of one lesion are alike: a model that is wrong about
# one is probably wrong about all. They must be drawn together.
#
# **Exercise intervals.1** Write `draw_lesions(scores, rng)`: draw as many lesions as there are, with
# replacement, and return all their images. A lesion that is drawn twice comes with its images twice.
# (`group` names the lesion.)


# %% tags=["exercise"]
def draw_lesions(scores, rng):
    return ...


exercises.check("intervals.1", draw_lesions)


# %% tags=["solution"]
def draw_lesions(scores, rng):
    lesions = scores[["group"]].drop_duplicates()
    drawn = lesions.sample(frac=1, replace=True, random_state=rng)
    return drawn.merge(scores, on="group")


exercises.check("intervals.1", draw_lesions)

# %%
draw_lesions = exercises.use("intervals.1", draw_lesions)
of_few = bootstrap(few, draw_lesions)
of_many = bootstrap(scores, draw_lesions)
by_image = bootstrap(scores, draw_images)

ends = {
    "200 images": of_few["nine"].quantile([0.025, 0.975]),
    "2,001 images, by lesion": of_many["nine"].quantile([0.025, 0.975]),
    "2,001 images, by image": by_image["nine"].quantile([0.025, 0.975]),
}
pd.DataFrame(ends).T.round(3)

# %% [markdown]
# The AUC of nine colour values: 200 images say 0.73 to 0.86, about
# {{ fact("±0.07", "half of the interval above") }}. Ten times as many lesions would make that a third: the
# width falls with the square root. Here it only halves, since there are only
# {{ fact("2.7", "129 / 48, printed above") }} times as many melanomas, and an AUC needs both kinds. Drawn by
# image, the interval looks narrower than it is.
#
# What does an interval promise? Back to `tests`. For an accuracy, a formula gives the interval:

# %%
error = np.sqrt(tests["first"] * (1 - tests["first"]) / 200)
tests["low"] = tests["first"] - 1.96 * error
tests["high"] = tests["first"] + 1.96 * error
holds_truth = (tests["low"] <= 0.8) & (tests["high"] >= 0.8)
print(f"{holds_truth.mean():.2f} of the intervals hold the true 0.80")

# %% [markdown]
# 0.94, about what a 95 % interval promises.
#
# **Exercise intervals.2** Many believe that a *second test* falls into the interval of the first
# just as often. Guess, then compute: for what share of `tests` does `second` lie between `low` and
# `high`?

# %% tags=["exercise"]
share = ...

exercises.check("intervals.2", share, tests=tests)

# %% tags=["solution"]
share = tests["second"].between(tests["low"], tests["high"]).mean()

exercises.check("intervals.2", share, tests=tests)

# %% [markdown]
# <details><summary>Why is it less?</summary>
# The interval is made for the true score, which stands still. The second test has luck of its
# own.</details>
#
# ## Is one model better than another?
#
# Are nine colour values better than three? First both intervals:

# %%
of_many.quantile([0.025, 0.975]).round(3)

# %% [markdown]
# They overlap. But difficult lesions lower *both* AUCs. So take the **paired difference**: nine minus
# three on the same resample.

# %%
gain = pd.DataFrame(
    {
        "200 images": of_few["nine"] - of_few["three"],
        "2,001 images": of_many["nine"] - of_many["three"],
    }
)
gain.quantile([0.025, 0.975]).round(3)

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True)
sns.histplot(of_many, ax=axes[0], bins=30)
axes[0].set(title="AUC on 2,001 images", xlabel="AUC", ylabel="resamples")
sns.histplot(gain, ax=axes[1], bins=30, palette=plots.PALETTE[2:4])
axes[1].axvline(0, color="black", linestyle="--")
axes[1].set(title="Nine minus three", xlabel="paired difference")
_ = figure.suptitle("The AUCs overlap, and still the difference is clear")
# alt: Left, two overlapping heaps of AUCs, for nine and for three colour values. Right, the paired differences: on 200 images they lie around zero, on 2,001 images to the right of it.

# %% [markdown]
# On 2,001 images the interval of the difference lies above zero, although the two intervals overlap.
# **Overlapping intervals do not show that two models are equal.**
#
# On 200 images the interval holds zero: the comparison is **inconclusive**. That does not mean "no
# difference". It means that 200 images cannot decide.

# %% [markdown]
# Lesson {{ number_of("quickstart") }}'s network is such a case. On its 200 test images its AUC is
# {{ quote("quickstart-width0.35-28px-seed0", "models.MobileNetV2.metrics.roc_auc") }}, and the colour
# baseline's {{ quote("quickstart-width0.35-28px-seed0", "models.colour baseline.metrics.roc_auc") }}.
# 200 images tell such a difference to about
# {{ fact("±0.07", "half of the interval of lesson 00's paired difference, measured") }}. On
# {{ quote("full_test", "test.images", ",") }} test images, after another training on the same 600, it is
# {{ quote("full_test", "28 px.network minus colours", "+.3f") }}:
# {{ verdict("full_test", "28 px.network minus colours", above="that network is better", zero=None, below=None) }}.

# %% [markdown]
# `evaluation.difference` does all this, by lesion:

# %%
y, lesion = scores["melanoma"], scores["group"]
nine_minus_three = evaluation.difference(
    roc_auc_score, y, scores["nine"], scores["three"], lesion
)
print(f"nine minus three: {nine_minus_three:+.3f}")

# %% [markdown]
# **Exercise intervals.3** Train another scikit-learn model on the nine values of `train`, for
# example `LogisticRegression` on values scaled by `StandardScaler`. `other`: its scores of `x_many`. `other_gain`: the
# paired difference of the AUCs, `other` minus `scores["nine"]`. `word`: is the difference `"shown"`
# or `"inconclusive"`?

# %% tags=["exercise"]
other = ...
other_gain = ...
word = ...

exercises.check("intervals.3", (other, other_gain, word), scores=scores)

# %% tags=["solution"]
logistic = make_pipeline(StandardScaler(), LogisticRegression())
logistic.fit(x_train, train.melanoma)
other = logistic.predict_proba(x_many)[:, 1]
other_gain = evaluation.difference(
    roc_auc_score, y, other, scores["nine"], lesion
)
shown = other_gain.low > 0 or other_gain.high < 0
word = "shown" if shown else "inconclusive"

exercises.check("intervals.3", (other, other_gain, word), scores=scores)

# %% [markdown]
# Compare twenty pairs of equal models, and about one interval misses zero by luck. So compare few
# models, on validation images, and open the test set once, at the end. This course scores the same 200
# test images in many lessons, and chooses nothing on them. In your own project, each look at the test
# set makes its score less reliable.

# %% [markdown]
# **So how sure is a number?** As sure as its interval is narrow: 200 images tell an AUC to about
# {{ fact("±0.07", "half of the bootstrap's interval") }}. Which of two models is better, only their
# paired difference tells.

# %% [markdown]
# ## Key points
#
# - A 95 % interval: the score on very many such images probably lies in here. A second test misses it
#   more often.
# - Draw whole lesions, since images of one lesion are alike.
# - Compare two models by the interval of their paired difference. If it holds zero, the comparison is
#   inconclusive, which is not "equal".
#
# ## Check yourself
#
# <details><summary>Ten subsets gave {{ shown("0.74") }} to {{ shown("0.87") }}. What do you report?</summary>
# All ten: their mean and their range. The best of ten is luck, at least in part.</details>
#
# <details><summary>Two AUCs have overlapping intervals. Are the models equally good?</summary>
# That is not shown. The interval of the paired difference may lie above zero all the same.</details>
#
# <details><summary>Why must images of one lesion be drawn together?</summary>
# They are alike, so two of them tell less than two images of two lesions. Drawn apart, they make the
# interval too narrow.</details>
#
# ## What comes next
#
# An interval tells how far luck moves a score. It does not notice that training has seen the test
# lesions: [{{ number_of("splitting") }} · Splitting]({{ notebook_of("splitting") }})
#
# ## References
#
# - Cumming, Maillardet: Confidence intervals and replication: where will the next mean fall?
#   Psychological Methods 11:217, 2006,
#   [doi:10.1037/1082-989X.11.3.217](https://doi.org/10.1037/1082-989X.11.3.217).
# - Field, Welsh: Bootstrapping clustered data. J. R. Stat. Soc. B 69:369, 2007,
#   [doi:10.1111/j.1467-9868.2007.00593.x](https://doi.org/10.1111/j.1467-9868.2007.00593.x).
# - scikit-learn: [Metrics and scoring](https://scikit-learn.org/stable/modules/model_evaluation.html).

# %%
exercises.progress()

# %%
ledger.show()
