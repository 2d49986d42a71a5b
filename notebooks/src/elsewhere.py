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
# # {{ number }} · Elsewhere: does it work in another clinic, or on a phone?
#
# All scores so far come from the clinics that gave the training images. But a model is used in other
# places: with another camera, on other people. There you judge the course's model.

# %% [markdown]
# **You will**
#
# - judge a finished model on images from three places;
# - see which of its promises hold in another clinic;
# - compute how many images a clinic needs for a test of its own.
#
# **New words**: external validation, local threshold
#
# **You need** lessons {{ number_of("intervals") }} and {{ number_of("evaluation") }}.
# **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import recall_score, roc_auc_score, roc_curve

from utils import data, evaluation, exercises
from utils import ledger, plots, predict, results

# %% tags=["parameters"]
SEED = 0
LOCAL = 100
DRAWS = 50

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("groups") }}: without the easy moles, the AUC of the course's model
# falls from {{ quote("elsewhere", "sets.HAM10000, test.shipped.roc_auc.value") }} to
# {{ quote("elsewhere", "sets.HAM10000, test, histology only.shipped.roc_auc.value") }}. Why?</summary>
# Follow-up moles are easy, and none of them is a melanoma. A test set with many easy images gives a high
# score.</details>
#
# <details><summary>Lesson {{ number_of("confidence") }}: a promise made on calibration images holds for
# which images?</summary>
# For new images of the same kind. Nothing is promised for another camera or another clinic.</details>

# %% [markdown]
# ## The score falls in another clinic
#
# These are ten of {{ fact("300", "data/samples/elsewhere") }} dermatoscopic images from other clinics, chosen to
# show how much they differ.

# %% tags=["samples"]
lesions = data.load_set("elsewhere", 128)
y = lesions.melanoma
chosen = [12, 38, 43, 63, 120, 23, 35, 131, 207, 212]
names = np.where(y == 1, "melanoma", "not melanoma")[chosen].tolist()
heading = "Other clinics: other light, rulers, hairs, pen marks, patches"
_ = plots.gallery(lesions.images[chosen], names, heading)
# alt: Ten dermatoscopic images in two rows. Five melanomas: two in a bright circle on black, one pink and grey, one with hairs beside a ruler, one pale. Five other lesions: one with long hairs, one purple inside a thin line, one beside an orange and blue patch, one on skin painted violet, one beside a ruler.

# %% [markdown]
# A test in a place that gave no training image is called **external validation**.
#
# On the test images of HAM10000 the AUC is {{ quote("elsewhere", "sets.HAM10000, test.shipped.roc_auc") }}.
# (AUC: the chance that a random melanoma gets a higher score than a random other lesion; 0.5 is
# guessing. In brackets is the 95 % interval: the AUC on very many such images probably lies in here.)
# Guess the AUC on the 300.

# %%
MY_AUC = ...
ledger.guess("AUC on 300 images of other clinics", MY_AUC)

# %%
probability = predict.melanoma_probability(lesions.images)
auc = evaluation.estimate(roc_auc_score, y, probability, lesions.table["group"])
ledger.outcome("AUC on 300 images of other clinics", auc)
print(f"AUC {auc:.2f}, {y.sum()} melanomas, {(y == 0).sum()} others")

# %% [markdown]
# Below the AUC at home. But some of the images show a coloured patch. We noted which.

# %%
patch = [131, *range(135, 172)]
print(f"{len(patch)} images with a patch, {y[patch].sum()} melanomas")
rest = np.delete(np.arange(len(y)), patch)
groups = lesions.table["group"][rest]
auc = evaluation.estimate(roc_auc_score, y[rest], probability[rest], groups)
print(f"AUC without them {auc:.2f}")

# %% [markdown]
# No image with a patch shows a melanoma: a model that recognises the patch need not look at the skin. So report the
# AUC without them, too: 0.74.
#
# 300 images are few. The record holds the model's answers for three larger sets: HAM10000's test
# images ("home"), ISIC 2017 (other clinics; the 300 are part of it), and
# {{ fact("PAD-UFES-20", "a name") }} (photographs by smartphones).

# %%
record = results.committed("elsewhere")["predictions"]
home = pd.DataFrame(record["HAM10000, test"])
clinics = pd.DataFrame(record["ISIC 2017, all"])
phones = pd.DataFrame(record["PAD-UFES-20, all"])
places = {"home": home, "other clinics": clinics, "phones": phones}
clinics.head(3)

# %% [markdown]
# **Exercise elsewhere.1** Write `judge(table, threshold)` for such a table, with scikit-learn. Return a
# dict with three numbers: `"AUC"`; `"sensitivity"`, the share of melanomas that reach the threshold;
# `"false positives"`, the share of the other images that reach it.


# %% tags=["exercise"]
def judge(table, threshold):
    return ...


exercises.check("elsewhere.1", judge)


# %% tags=["solution"]
def judge(table, threshold):
    y, p = table["melanoma"], table["probability"]
    called = p >= threshold
    return {
        "AUC": roc_auc_score(y, p),
        "sensitivity": recall_score(y, called),
        "false positives": 1 - recall_score(y, called, pos_label=0),
    }


exercises.check("elsewhere.1", judge)

# %%
judge = exercises.use("elsewhere.1", judge)
threshold = results.committed("elsewhere")["thresholds"]["shipped"]
rows = {}
for place, table in places.items():
    counts = {"images": len(table), "melanomas": table["melanoma"].sum()}
    rows[place] = counts | judge(table, threshold)
pd.DataFrame(rows).T.round(2).convert_dtypes()

# %% [markdown]
# The threshold was chosen to find nine of ten melanomas at home. In other clinics it finds
# {{ quote("elsewhere", "sets.ISIC 2017, all.shipped.sensitivity") }} of them; on phones
# {{ quote("elsewhere", "sets.PAD-UFES-20, all.shipped.sensitivity") }}. "Other clinics" is no one place: the
# 300 have a higher AUC.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
sets = results.committed("elsewhere")["sets"]
left_out = ("HAM10000, test, histology only", "ISIC 2017, test")
shown = [one for one in sets if one not in left_out]
counted = []
for one in shown:
    n, positives = sets[one]["images"], sets[one]["melanomas"]
    counted.append(f"{one} ({positives} of {n:,})")
aucs = {
    "network": [sets[one]["shipped"]["roc_auc"] for one in shown],
    "colour baseline": [sets[one]["colours"]["roc_auc"] for one in shown],
}
heading = "AUC of the network and of the colour baseline on five sets"
xlabel = "AUC with its 95 % interval (in brackets: melanomas of images)"
_ = plots.intervals(aucs, counted, heading, xlabel, 0.5)
# alt: AUCs with intervals on five sets. The network has its highest AUC on all test images of HAM10000, a lower one without follow-up moles, and lower ones in ISIC 2017 and PAD-UFES-20. The colour baseline lies below it everywhere, away from home near the dashed line of guessing.

# %% [markdown]
# At home many images are easy: without follow-up moles the AUC is
# {{ quote("elsewhere", "sets.HAM10000, test, without follow-up.shipped.roc_auc") }}. The rest of the fall has many
# possible causes: cameras, people, rulers.
#
# X-rays show the same. In 2018 a network for pneumonia had an AUC of
# {{ fact("0.931", "Zech et al. 2018, abstract") }} on new images of its two hospitals, and of
# {{ fact("0.815", "Zech et al. 2018, abstract") }} in a third.

# %% [markdown]
# ## Local images give a threshold, not a better model
#
# Does a probability mean the same elsewhere? Of the images in each range, what share is melanoma?

# %%
ranges = [-1, 0.05, 0.2, 0.5, 1]
labels = ["below 0.05", "0.05 to 0.2", "0.2 to 0.5", "above 0.5"]


def melanomas_by_probability(table):
    part = pd.cut(table["probability"], ranges, labels=labels)
    return table["melanoma"].groupby(part, observed=False)


parts = {}
for place, table in places.items():
    ranged = melanomas_by_probability(table)
    parts[place] = ranged.agg(share="mean", images="size")
pd.concat(parts, axis=1).round(2)

# %% [markdown]
# At home the shares fit the ranges: of 1,137 images below 0.05, a share of 0.01 are melanomas. In other
# clinics it is 0.14 of 1,276. Melanomas are more frequent there, but that alone would only about double
# the share. So a probability does not mean the same.

# %% [markdown]
# Can a clinic repair this? It takes `100` of its own images with their diagnoses, and chooses a **local
# threshold** on them.
#
# **Exercise elsewhere.2** Write `local_threshold(few, share)`: the highest threshold that finds at least
# this share of the melanomas in the table `few`. (`np.quantile` helps. With `method="lower"` it gives one of the
# scores themselves.)


# %% tags=["exercise"]
def local_threshold(few, share):
    return ...


exercises.check("elsewhere.2", local_threshold)


# %% tags=["solution"]
def local_threshold(few, share):
    scores = few.loc[few["melanoma"] == 1, "probability"]
    return np.quantile(scores, 1 - share, method="lower")


exercises.check("elsewhere.2", local_threshold)

# %% [markdown]
# We do this `50` times, for `0.9` of the melanomas, and judge each threshold on the rest of the images.

# %%
local_threshold = exercises.use("elsewhere.2", local_threshold)
rng = np.random.default_rng(SEED)
found = []
for _ in range(DRAWS):
    few = clinics.sample(LOCAL, random_state=rng)
    others = clinics.drop(few.index)
    found.append(judge(others, local_threshold(few, 0.9)))
local = pd.DataFrame(found)
local.drop(columns="AUC").agg(["min", "mean", "max"]).round(2)

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
figure, ax = plt.subplots(figsize=(6, 4))
colors = dict(zip(places, plots.PALETTE[2:5]))
for place, table in places.items():
    x, y_curve, _ = roc_curve(table["melanoma"], table["probability"])
    ax.plot(x, y_curve, color=colors[place], label=place)
    own = judge(table, threshold)
    at = own["false positives"], own["sensitivity"]
    star = ax.plot(*at, "k*", markersize=9)[0]
star.set_label("the model's threshold")
at = local["false positives"], local["sensitivity"]
ax.plot(*at, "k.", markersize=4, label="local thresholds")
ax.legend()
ax.set(xlabel="false positives", ylabel="sensitivity")
_ = figure.suptitle(f"Three ROC curves, and {DRAWS} local thresholds")
# alt: Three ROC curves: the one at home lies far above those in other clinics and on phones. A star on each marks the threshold of the shipped model. Fifty black dots, the local thresholds, lie on the curve of other clinics, most of them to the right of its star.

# %% [markdown]
# The order stays, so the curve does too. A local threshold finds 0.90 of the melanomas on average, and flags
# 0.86 of the others: another point on the same curve.

# %% [markdown]
# The dots lie far apart, because `100` images hold only about nineteen melanomas. How many does a clinic need? A
# sensitivity $s$, measured on $n$ different melanomas, has a 95 % interval of about $s \pm 1.96 \sqrt{s (1 - s) / n}$.
#
# **Exercise elsewhere.3** Write `melanomas_needed(s, half)`: the smallest whole number of melanomas that
# gives an interval of at most $s \pm$ `half`.


# %% tags=["exercise"]
def melanomas_needed(s, half):
    return ...


exercises.check("elsewhere.3", melanomas_needed)


# %% tags=["solution"]
def melanomas_needed(s, half):
    return int(np.ceil(1.96**2 * s * (1 - s) / half**2))


exercises.check("elsewhere.3", melanomas_needed)

# %%
melanomas_needed = exercises.use("elsewhere.3", melanomas_needed)
needed = melanomas_needed(0.9, 0.05)
shares = pd.Series({place: t["melanoma"].mean() for place, t in places.items()})
images = np.ceil(needed / shares).astype(int)
print(f"{needed} melanomas for ±0.05 at a sensitivity of 0.9")
pd.DataFrame({"share of melanomas": shares.round(2), "images": images})

# %% [markdown]
# 139 melanomas. With a share of 0.11 that takes 1,258 images of *different* lesions, all with a confirmed diagnosis.

# %% [markdown]
# ## What is a second source worth, and where?
#
# A better curve needs another training. So we trained the network again, with two or three seeds each:
#
# - on HAM10000 alone ({{ quote("second_source", "trainings.HAM10000.images", ",") }} images);
# - with ISIC 2017's training images, from the clinics of its test images
#   ({{ quote("second_source", "trainings.HAM10000 and ISIC 2017.images", ",") }});
# - with a few images from *other* clinics in the same archive
#   ({{ quote("second_source", "trainings.HAM10000 and a few of ISIC 2017's other collections.images", ",") }}).
#
# Where will the second source help: at home, in the clinics that it comes from, on phones?

# %%
second = results.committed("second_source")["sets"]
trainings = {
    "with ISIC 2017": "HAM10000 and ISIC 2017",
    "with a few": "HAM10000 and a few of ISIC 2017's other collections",
}
sources = ["HAM10000, test", "ISIC 2017, test", "PAD-UFES-20, all"]
gains = {}
for label, name in trainings.items():
    gains[label] = [second[one][name]["minus HAM10000"] for one in sources]
heading = "What the second source adds to the AUC"
xlabel = "AUC minus that of HAM10000 alone, paired"
_ = plots.intervals(gains, sources, heading, xlabel, 0)
# alt: Paired differences of the AUC with intervals, for two trainings on three sets: HAM10000's test images, ISIC 2017's test images and photographs by smartphones. A dashed line marks zero.

# %% [markdown]
# With ISIC 2017's training images the AUC changes
#
# - on ISIC 2017's *test* images by {{ quote("second_source", "sets.ISIC 2017, test.HAM10000 and ISIC 2017.minus HAM10000", "+.3f") }},
#   {{ verdict("second_source", "sets.ISIC 2017, test.HAM10000 and ISIC 2017.minus HAM10000", above="a clear gain", below=None, zero=None) }};
# - on phones by {{ quote("second_source", "sets.PAD-UFES-20, all.HAM10000 and ISIC 2017.minus HAM10000", "+.3f") }},
#   {{ verdict("second_source", "sets.PAD-UFES-20, all.HAM10000 and ISIC 2017.minus HAM10000", above="a clear gain", below="a clear loss") }};
# - at home by {{ quote("second_source", "sets.HAM10000, test.HAM10000 and ISIC 2017.minus HAM10000", "+.3f") }},
#   {{ verdict("second_source", "sets.HAM10000, test.HAM10000 and ISIC 2017.minus HAM10000", above="a clear gain", below="a clear loss") }}.

# %% [markdown]
# By block of ids the gain on ISIC 2017's test images is {{ quote("second_source", "sets.ISIC 2017, test, ids 12, 13.HAM10000 and ISIC 2017.minus HAM10000", "+.2f") }},
# {{ quote("second_source", "sets.ISIC 2017, test, ids 14.HAM10000 and ISIC 2017.minus HAM10000", "+.2f") }} and
# {{ quote("second_source", "sets.ISIC 2017, test, ids 15, 16.HAM10000 and ISIC 2017.minus HAM10000", "+.2f") }}: only the second
# is clear. A lesion may have images on both sides, or the model recognise a collection: both flatter the gain.

# %% [markdown]
# The few images from other clinics of the archive change the AUC on the same
# test images by {{ quote("second_source", "sets.ISIC 2017, test.HAM10000 and a few of ISIC 2017's other collections.minus HAM10000", "+.3f") }}:
# {{ verdict("second_source", "sets.ISIC 2017, test.HAM10000 and a few of ISIC 2017's other collections.minus HAM10000", above="clear, but little", below="a clear loss") }}. (They are four times
# fewer: the place need not decide.)

# %% [markdown]
# **So does it work in another clinic, or on a phone?** Not as at home: its AUC is lower, its probabilities do
# not fit, and its threshold misses more. Only local images with known diagnoses show this.

# %% [markdown]
# ## Key points
#
# - A score from the training clinics does not tell the score in other places. Test where you will use it.
# - A local threshold moves along the curve. The curve stays as it is.
# - Training images from a clinic raised the curve there, clearly in one of three blocks. A third place stays open.
# - A sensitivity of about {{ shown("0.9") }} is known to {{ shown("±0.05") }} with {{ shown("139") }} melanomas.
#
# ## Check yourself
#
# <details><summary>A vendor shows an AUC of {{ fact("0.93", "an example") }} from its own hospital. What do you ask for?</summary>
# For the AUC in hospitals that gave no training images, with intervals, and for a test on images of your
# own.</details>
#
# <details><summary>A clinic lowers the threshold until the model finds nine of ten melanomas. Is the model as
# good as at home now?</summary>
# No. It finds as many melanomas as at home, but with more false positives: the curve is lower.</details>
#
# <details><summary>Why do {{ fact("100", "the parameter LOCAL") }} images not suffice to choose a threshold?</summary>
# About nineteen of them are melanomas, and the threshold depends on the two or three with the lowest scores.</details>
#
# ## What comes next
#
# Someone else wants to use the model. What must you give them?
# [{{ number_of("deployment") }} · Deployment]({{ notebook_of("deployment") }})
#
# ## References
#
# - Zech, Badgeley, Liu, Costa, Titano, Oermann: Variable generalization performance of a deep learning model
#   to detect pneumonia in chest radiographs. PLOS Medicine 15(11):e1002683, 2018,
#   [doi:10.1371/journal.pmed.1002683](https://doi.org/10.1371/journal.pmed.1002683). The numbers are from its
#   abstract.
# - ISIC 2017: Codella et al., [arXiv:1710.05006](https://arxiv.org/abs/1710.05006).
# - PAD-UFES-20: Pacheco et al., Data in Brief 32:106221, 2020,
#   [doi:10.1016/j.dib.2020.106221](https://doi.org/10.1016/j.dib.2020.106221).

# %%
exercises.progress()

# %%
ledger.show()
