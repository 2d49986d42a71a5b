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
# # {{ number }} · Splitting: can a split lie?
#
# Shuffle the images, keep a fifth for the test: most tutorials split like this. In HAM10000 many
# lesions have several images, so the same lesion stands in training and in the test. But the next
# patient's lesion is in no training set. What is such a test worth?

# %% [markdown]
# **You will**
#
# - find a leak in five lines of pandas;
# - measure what three ways to split add to a score;
# - make a split by lesion with scikit-learn, and prove that it is clean.
#
# **New words**: sibling, leak, features, cross-validation, optimism
#
# **You need** lessons {{ number_of("data") }} and {{ number_of("intervals") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.neighbors import NearestNeighbors

from utils import data, diagrams, evaluation, exercises
from utils import ledger, pretrained, results, splits
from utils.quiet import keras
from keras import layers
from keras.applications import MobileNetV2
import tensorflow as tf

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
SHARE = 0.3  # of the lesions with several images; 1 takes all of them

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("intervals") }}: the interval of a paired difference holds zero.
# What do you know?</summary>
# The comparison is inconclusive: these images cannot decide. It does not mean that the models are
# equal.</details>
#
# <details><summary>Lesson {{ number_of("quickstart") }}: what accuracy has a program that always says
# "benign"?</summary>
# {{ fact("0.76", "152 of 200") }} on our test set, since 152 of its images show no melanoma. It finds not
# one melanoma.</details>

# %% [markdown]
# ## Shuffling by image leaks lesions
#
# scikit-learn makes the usual split in one line. `stratify` keeps the share of each diagnosis equal
# on both sides.

# %%
table, source = data.load_table(SOURCE)
train, test = train_test_split(
    table, test_size=0.2, stratify=table["dx"], random_state=SEED
)
len(train), len(test)

# %% [markdown]
# About one lesion in four has several images. Another image of the same lesion is a **sibling**. For
# what share of the test images is a sibling in training? Guess, from 0 to 1.

# %%
MY_SHARE = ...
ledger.guess("test images whose lesion is in training", MY_SHARE)

# %% [markdown]
# **Exercise splitting.1** Find out. Write `leak(train, test)`: the share of the images of `test`
# whose `lesion_id` stands in `train` too. (`exercises.hint("splitting.1")` gives a hint.)


# %% tags=["exercise"]
def leak(train, test):
    return ...


exercises.check("splitting.1", leak)


# %% tags=["solution"]
def leak(train, test):
    seen = test["lesion_id"].isin(train["lesion_id"])
    return seen.mean()


exercises.check("splitting.1", leak)

# %%
leak = exercises.use("splitting.1", leak)
leaked = leak(train, test)
ledger.outcome("test images whose lesion is in training", leaked, source)
print(f"{leaked:.0%} of the test images")
print(
    f"{leak(train, test[test['dx'] == 'mel']):.0%} of the melanomas in the test"
)

# %%
_ = diagrams.split_by_lesion()

# %% [markdown]
# *(A sketch.)* Almost four test images in ten, and seven in ten of the melanomas, show a lesion from
# training. This is a **leak**: the test holds something that training has seen.

# %% [markdown]
# ## A leak raises the score
#
# Does a model benefit from this? We score every image twice: by a model that saw siblings of it, and by
# one that did not. For that we load lesions with several images.


# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
def several_images(table):
    size = table.groupby("lesion_id")["image_id"].transform("size")
    several = table[size > 1].sort_values("image_id")
    names = several["lesion_id"].drop_duplicates()
    chosen = names.sample(frac=SHARE, random_state=SEED)
    return several[several["lesion_id"].isin(chosen)]


lesions = data.load_lesions(SOURCE, SIZE, several_images)
y, lesion = lesions.melanoma, lesions.table["lesion_id"]
print(f"{len(y):,} images of {lesion.nunique()} lesions")

# %% [markdown]
# MobileNetV2, the network of lesson {{ number_of("quickstart") }}, turns each image into 1,280 numbers,
# its **features**. We train nothing in it.

# %%
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)
base = MobileNetV2(
    (96, 96, 3), 0.35, include_top=False, weights=weights, pooling="avg"
)
network = keras.Sequential()
network.add(keras.Input((SIZE, SIZE, 3)))
network.add(layers.Resizing(96, 96))
network.add(layers.Rescaling(1 / 127.5, offset=-1))
network.add(base)
features = network.predict(lesions.images, batch_size=128, verbose=0)

# %% [markdown]
# Trees learn from these features. **Cross-validation** cuts the images into five folds. It trains on
# four and scores the fifth, five times, so each image is scored once. `StratifiedKFold` cuts by
# image, `StratifiedGroupKFold` keeps all images of a lesion in one fold.

# %%
trees = ExtraTreesClassifier(50, min_samples_leaf=2, random_state=SEED)


def scores_with(folds, groups=None):
    return cross_val_predict(
        trees, features, y, groups=groups, cv=folds, method="predict_proba"
    )[:, 1]


by_image = scores_with(StratifiedKFold(5, shuffle=True, random_state=SEED))
whole = StratifiedGroupKFold(5, shuffle=True, random_state=SEED)
by_lesion = scores_with(whole, groups=lesion)
gain = evaluation.difference(roc_auc_score, y, by_image, by_lesion, lesion)
print(f"AUC by image  {roc_auc_score(y, by_image):.2f}")
print(f"AUC by lesion {roc_auc_score(y, by_lesion):.2f}")
print(f"paired difference {gain:+.3f}")

# %% [markdown]
# (AUC: the chance that a random melanoma gets a higher score than a random other image; 0.5 is
# guessing.) With siblings in training, the same trees on the same images score 0.77 instead of 0.70.
# In brackets is the 95 % interval: the difference on very many such images probably lies in here. It
# lies above zero.
#
# How can trees recognise a lesion? For each image, look for the most similar one of all others.

# %%
finder = NearestNeighbors(n_neighbors=1).fit(features)
nearest = finder.kneighbors(return_distance=False)[:, 0]
same = lesion.to_numpy()[nearest] == lesion.to_numpy()
print(f"for {same.mean():.0%}, the nearest of all images is a sibling")

# %% [markdown]
# One in three; by chance it would be about one in a thousand. So the trees can recognise a lesion and
# repeat its answer. With a new lesion that does not work.

# %% [markdown]
# Images can leak without siblings, too. Some tutorials shuffle a `tf.data` data set, `take` images for
# validation and `skip` them for training. How many validation images has training seen after each
# epoch?

# %%
numbers = tf.data.Dataset.range(1000).shuffle(1000, seed=SEED)
validation_set = numbers.take(200)
training_set = numbers.skip(200)
seen = set()
for epoch in range(1, 6):
    seen |= set(training_set.as_numpy_iterator())
    judged = set(validation_set.as_numpy_iterator())
    print(f"epoch {epoch}: {len(judged & seen) / len(judged):.0%} seen")

# %% [markdown]
# After three epochs all of them. `shuffle` draws a new order whenever the data are read, so every epoch
# has another split.
#
# **Exercise splitting.2** Fix it for 200 images. Validation gets 50 random ones, the same in every
# epoch:
#
# ```python
# def two_sets(dataset):
#     shuffled = dataset.shuffle(200)
#     return shuffled.skip(50), shuffled.take(50)
# ```


# %% tags=["exercise"]
def two_sets(dataset):
    return ...


exercises.check("splitting.2", two_sets)


# %% tags=["solution"]
def two_sets(dataset):
    shuffled = dataset.shuffle(200, reshuffle_each_iteration=False)
    return shuffled.skip(50), shuffled.take(50)


exercises.check("splitting.2", two_sets)

# %% [markdown]
# What does each split add? The **optimism** of a score is how far it lies above the score by lesion.
# For `take` and `skip`, where training has seen all, we train on all images and score these
# (so there are also a quarter more to train on). As a control, we split by lesion once more, with another seed.

# %%
again = StratifiedGroupKFold(5, shuffle=True, random_state=SEED + 1)
claims = {
    "by lesion, other seed": scores_with(again, groups=lesion),
    "by image": by_image,
    "take and skip": trees.fit(features, y).predict_proba(features)[:, 1],
}
rows = {}
for split, claim in claims.items():
    found = evaluation.difference(roc_auc_score, y, claim, by_lesion, lesion)
    rows[split] = [found.value, found.low, found.high]
optimism = pd.DataFrame(rows, index=["optimism", "low", "high"]).T
optimism.round(3)

# %%
figure, ax = plt.subplots(figsize=(7, 2.2))
ax.hlines(optimism.index, optimism["low"], optimism["high"])
ax.plot(optimism["optimism"], optimism.index, "o")
ax.axvline(0, color="black", linestyle="--")
ax.set(xlabel="AUC minus AUC by lesion, 95 % interval", ylim=(-0.5, 2.5))
high = (optimism["low"] > 0).sum()
_ = ax.set_title(f"{high} of the {len(optimism)} splits score too high")
# alt: Optimism of three splits with intervals. By lesion with another seed it lies around zero, by image above zero, and with take and skip far above it.

# %% [markdown]
# The control is inconclusive. By image adds 0.07 to the AUC. `take` and `skip` add 0.30, up to a perfect
# score: these trees memorise what they saw. (A network may memorise less.)
#
# On all {{ quote("splitting-28px", "images", ",") }} images with siblings in HAM10000, splitting by
# image adds {{ quote("splitting-28px", "gain of siblings", "+.3f") }}: less than on our 1,350 (we did not test why), but
# {{ verdict("splitting-28px", "gain of siblings", below=None, zero=None) }}. Lesions with one image have no
# siblings, so over a whole test set it should add less. You cannot see a leak in a score. Count instead.

# %% [markdown]
# ## A split that keeps lesions whole
#
# Is `lesion_id` enough? Researchers compared the images and found lesions under two ids.
# `splits.lesion_groups` gives both one name.

# %%
names = splits.lesion_groups(table)
renamed = table.loc[table["lesion_id"] != names, "lesion_id"]
print(f"{renamed.nunique()} lesion ids get the name of another")
table["lesion_id"] = names

# %% [markdown]
# **Exercise splitting.3** Write `whole_lesions(table)`. It returns `train, test`: about a fifth of the
# images for the test, no lesion on both sides, and about the same share of melanomas. Use
# `StratifiedGroupKFold`, or import `GroupShuffleSplit` from `sklearn.model_selection`.


# %% tags=["exercise"]
def whole_lesions(table):
    return ...


exercises.check("splitting.3", whole_lesions, table=table)


# %% tags=["solution"]
def whole_lesions(table):
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=SEED)
    some = folds.split(table, table["dx"], groups=table["lesion_id"])
    train_rows, test_rows = next(some)
    return table.iloc[train_rows], table.iloc[test_rows]


exercises.check("splitting.3", whole_lesions, table=table)

# %%
whole_lesions = exercises.use("splitting.3", whole_lesions, table=table)
development, held_out = whole_lesions(table)
print(f"leak: {leak(development, held_out):.0%}")
for part in [development, held_out]:
    share = (part["dx"] == "mel").mean()
    print(f"{len(part):,} images, {share:.1%} of them melanomas")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
in_test = table["image_id"].isin(held_out["image_id"])
_ = results.keep(
    f"splitting-{SIZE}px",
    lesions.source,
    table.assign(split=np.where(in_test, "test", "development")),
    dict(SIZE=SIZE, SEED=SEED, SHARE=SHARE),
    {
        "share of test images": leaked,
        "images": len(lesions),
        "gain of siblings": gain,
    },
    headline=("AUC gained from siblings", gain),
)

# %% [markdown]
# No leak, and the shares of melanomas agree. One gap stays: HAM10000 does not name the patients. Two
# lesions of one patient may still stand on two sides.

# %% [markdown]
# **So can a split lie?** Yes: it counts what training has seen as if it were new. Split by lesion, or
# better by patient, and prove it by counting.
#
# ## Key points
#
# - Split by lesion, never by image; by patient, if you know the patient.
# - Prove that a split is clean: count what stands on both sides.
# - `take` and `skip` after `shuffle` let training see every validation image, if the order is drawn
#   anew in each epoch.

# %% [markdown]
# ## Check yourself
#
# <details><summary>One lesion in four has several images. Why do so many test images leak?</summary>
# Those lesions have nearly half of all images, and most of their images are in training.</details>
#
# <details><summary>Why is each image scored twice, and not half of the images each way?</summary>
# Both AUCs come from the same images, so a difficult image lowers both. The difference comes from the
# siblings, not from luck with the images.</details>
#
# <details><summary>Tomorrow one lesion leaves the table. Does the same seed give the same split?</summary>
# No: the shuffled list gets quite another order, and test lesions move into training. The course's
# own splits order lesions by a number made from each name, which does not change.</details>
#
# ## What comes next
#
# The split is clean. Now we look into the network that gave us the features:
# [{{ number_of("mobilenetv2") }} · MobileNetV2]({{ notebook_of("mobilenetv2") }})
#
# ## References
#
# - Abhishek, Jain, Hamarneh: Investigating the quality of DermaMNIST and Fitzpatrick17k
#   dermatological image datasets. Scientific Data 12:196, 2025,
#   [doi:10.1038/s41597-025-04382-5](https://doi.org/10.1038/s41597-025-04382-5).
# - Kapoor, Narayanan: Leakage and the reproducibility crisis in machine-learning-based science.
#   Patterns 4(9):100804, 2023,
#   [doi:10.1016/j.patter.2023.100804](https://doi.org/10.1016/j.patter.2023.100804).
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161).
# - scikit-learn:
#   [Cross-validation iterators for grouped data](https://scikit-learn.org/stable/modules/cross_validation.html).

# %%
exercises.progress()

# %%
ledger.show()
