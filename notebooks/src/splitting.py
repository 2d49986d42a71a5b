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
# # {{ number }} · Splitting: split by lesion, or the test lies
#
# Shuffle the images, keep a fifth for the test: most tutorials split like this. In HAM10000 many
# lesions have several photos, so the same lesion stands in training and in the test. But the next
# patient's lesion is in no training set. What does such a test measure?

# %% [markdown]
# **You will**
#
# - count how many test images show a lesion from training;
# - measure what a model gains from such images;
# - make a split by lesion with scikit-learn, and prove that it is clean;
# - see what a test set with 48 melanomas can prove.
#
# **You need** a little Python and pandas. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import hashlib

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.neighbors import NearestNeighbors

from utils import data, diagrams, evaluation, exercises
from utils import ledger, plots, pretrained, results, splits
from utils.quiet import keras
from keras import layers
from keras.applications import MobileNetV2

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
SHARE = 0.3  # of the lesions with several photos; 1 takes all of them

# %% [markdown]
# ## The same lesion on both sides
#
# scikit-learn makes the usual split in one line. `stratify` keeps the share of each diagnosis equal
# on both sides.

# %%
table, source = data.load_table(SOURCE)
train, test = train_test_split(
    table, test_size=0.2, stratify=table["dx"], random_state=SEED
)
print(f"{len(train):,} images for training, {len(test):,} for the test")

# %% [markdown]
# `lesion_id` names the lesion of each image. About one lesion in four has several photos. For what
# share of the test images is another photo of the **same lesion** in training? Guess, from 0 to 1.

# %%
MY_SHARE = ...
ledger.guess("test images whose lesion is in training", MY_SHARE)

# %%
leaked = test["lesion_id"].isin(train["lesion_id"])
ledger.outcome("test images whose lesion is in training", leaked.mean())
print(f"{leaked.mean():.1%} of the test images show a lesion from training")
photos = table.groupby("lesion_id")["image_id"].transform("size")
print(f"{(photos > 1).sum():,} of {len(table):,} images have a sibling")

# %% [markdown]
# Almost four test images in ten. A **sibling** is another photo of the same lesion. Lesions with
# siblings have nearly half of all images. And training holds four fifths of the table, so most
# siblings are there.

# %%
_ = diagrams.split_by_lesion()

# %% [markdown]
# *(A sketch.)* Left, a split by image: photos of one lesion lie on both sides. This is a **leak**:
# the test set holds something that training has seen. Right, a split by lesion: they stay together.
#
# How alike are siblings? We load three in ten of the lesions with several photos.


# %%
def several_photos(table):
    size = table.groupby("lesion_id")["image_id"].transform("size")
    several = table[size > 1].sort_values("image_id")
    names = several["lesion_id"].drop_duplicates()
    chosen = names.sample(frac=SHARE, random_state=SEED)
    return several[several["lesion_id"].isin(chosen)]


lesions = data.load_lesions(SOURCE, SIZE, several_photos)

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded", "pictures"]
names = lesions.table["lesion_id"].drop_duplicates().head(5)
figure, axes = plt.subplots(2, 5, figsize=(7.5, 3.4), layout="constrained")
for column, name in zip(axes.T, names, strict=True):
    two = np.flatnonzero(lesions.table["lesion_id"] == name)[:2]
    for ax, image in zip(column, lesions.images[two], strict=True):
        ax.imshow(image)
        ax.axis("off")
    column[0].set_title(name, fontsize=9)
heading = plots.title("Two photos of each lesion", lesions.source)
_ = figure.suptitle(heading, fontsize=11)
# alt: Five lesions in columns, two photos of each one below the other. Turned or enlarged, but alike in colour and form.

# %% [markdown]
# Each column is one lesion. The second photo is turned, enlarged or lit differently. Colour and
# form stay nearly the same.
#
# **Exercise splitting.1** The leak is not equal for all diagnoses. For what share of the test *melanomas*
# is the lesion in training too? Use `train` and `test`. (`exercises.hint("splitting.1")` gives a hint.)

# %% tags=["exercise"]
share_of_melanomas = ...

exercises.check("splitting.1", share_of_melanomas, train=train, test=test)

# %% tags=["solution"]
melanomas = test[test["dx"] == "mel"]
share_of_melanomas = melanomas["lesion_id"].isin(train["lesion_id"]).mean()

exercises.check("splitting.1", share_of_melanomas, train=train, test=test)

# %% [markdown]
# ## Does the model use it?
#
# Sharing lesions does not prove that the model benefits from them. So we score every image twice:
# once by a model that saw other photos of the same lesion, once by a model that did not.
#
# The model is simple. MobileNetV2 turns each image into 1,280 numbers, its **features**. It is as
# it learned from ImageNet; we train nothing in it.

# %%
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)
body = MobileNetV2(
    (96, 96, 3), 0.35, include_top=False, weights=weights, pooling="avg"
)
network = keras.Sequential()
network.add(keras.Input((SIZE, SIZE, 3)))
network.add(layers.Resizing(96, 96))
network.add(layers.Rescaling(1 / 127.5, offset=-1))
network.add(body)
features = network.predict(lesions.images, batch_size=128, verbose=0)

# %% [markdown]
# Random trees learn from these features. **Cross-validation** cuts the images into five *folds*. It
# trains on four and scores the fifth, five times, so each image is scored once. `StratifiedKFold`
# makes folds by image, `StratifiedGroupKFold` keeps all photos of a lesion in one fold.

# %%
y = lesions.melanoma
lesion = lesions.table["lesion_id"]
trees = ExtraTreesClassifier(50, min_samples_leaf=2, random_state=SEED)
by_image = StratifiedKFold(5, shuffle=True, random_state=SEED)
by_lesion = StratifiedGroupKFold(5, shuffle=True, random_state=SEED)

# %% [markdown]
# The **AUC** is the chance that a random melanoma gets a higher score than a random other image.
# Half is guessing, 1 is perfect. (`evaluation.roc_auc` is a faster `roc_auc_score`.) By how much do
# siblings in training raise it? Guess, for instance {{ fact("0.01", "an example") }}.

# %%
MY_GAIN = ...
ledger.guess("AUC gained from siblings", MY_GAIN)

# %%
seen = cross_val_predict(
    trees, features, y, cv=by_image, method="predict_proba"
)[:, 1]
unseen = cross_val_predict(
    trees, features, y, groups=lesion, cv=by_lesion, method="predict_proba"
)[:, 1]
print(f"with siblings: AUC {evaluation.roc_auc(y, seen):.2f}")
print(f"without:       AUC {evaluation.roc_auc(y, unseen):.2f}")
gain = evaluation.difference(evaluation.roc_auc, y, seen, unseen, lesion)
ledger.outcome("AUC gained from siblings", gain)
print(f"paired difference: {gain:+.3f}")

# %% [markdown]
# The brackets are the 95 % interval of the difference: how far other lesions may move it. It lies
# above zero. (Some images have all siblings in their own fold, so the true gain is a little
# larger.)
#
# The images, the trees and the size of the training set are the same; only the siblings differ. How
# can features from ImageNet recognise a lesion? For each image we look for the most similar of all
# others.

# %%
finder = NearestNeighbors(n_neighbors=1).fit(features)
nearest = finder.kneighbors(return_distance=False)[:, 0]
found = lesion.to_numpy()[nearest] == lesion.to_numpy()
print(f"{found.mean():.0%} have a sibling as nearest of {len(y) - 1:,} images")

# %% [markdown]
# For one image in three, the most similar of more than a thousand images is its own sibling. The
# trees can remember that lesion's answer. For a new patient they cannot: only the lower AUC counts.
#
# With all {{ quote("splitting-28px", "images", ",") }} images of HAM10000 that have siblings,
# the gain is {{ quote("splitting-28px", "gain of siblings", "+.3f") }}: where there are more
# lesions to learn from, a sibling seems to matter less. Lesions with one photo have none, so over a
# whole test set the effect is smaller still. You cannot see a leak in a score. Count instead.

# %% [markdown]
# **Exercise splitting.2** Images can leak without siblings. Someone splits 200 images, one a lesion:
#
# ```python
# def two_sets(dataset):
#     shuffled = dataset.shuffle(200)
#     return shuffled.skip(50), shuffled.take(50)
# ```
#
# `shuffle` draws a new order each time the data are read. So training sees validation images. Fix
# it: 50 random images for validation, the same in every epoch.


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
# ## A split by lesion
#
# Is `lesion_id` enough? Researchers compared the images and found some lesions under two ids.
# `splits.lesion_groups` gives both ids one **group**. If A is B, and B is C, all three are one
# group.

# %%
table["group"] = splits.lesion_groups(table)
renamed = table[table["group"] != table["lesion_id"]]
print(f"{renamed['lesion_id'].nunique()} lesion ids joined another group")
renamed[["image_id", "lesion_id", "group", "dx"]].head(3)

# %% [markdown]
# Now the split. `StratifiedGroupKFold` keeps groups whole and gives each of its five folds about
# the same share of each diagnosis. One fold is the test set. The rest is for development: training
# and validation.

# %%
_, fifth = next(by_lesion.split(table, table["dx"], table["group"]))
table["split"] = "development"
table.loc[table.index[fifth], "split"] = "test"

# %% [markdown]
# Never trust a split, check it. A few lines of pandas prove that this one is clean:

# %%
sides = table.groupby("group")["split"].nunique()
print("groups on both sides:", (sides > 1).sum())
checked = table.assign(melanoma=table["dx"] == "mel").groupby("split")
checked["melanoma"].agg(["size", "mean"]).round(3)

# %% [markdown]
# No group is on both sides. `size` counts the images. `mean` is the share of melanomas: both sides
# agree. One gap stays: HAM10000 does not name the patients. Two moles of one patient may still be
# on two sides.
#
# **Exercise splitting.3** Write `train_validation(table)`. It gives `table` back with a column `split`:
# `"validation"` for about a quarter of the images, `"train"` for the rest. No group may be in both,
# and the shares of melanoma must agree.

# %%
development = table[table["split"] == "development"].drop(columns="split")


# %% tags=["exercise"]
def train_validation(table):
    return ...


exercises.check("splitting.3", train_validation, table=development)


# %% tags=["solution"]
def train_validation(table):
    four = StratifiedGroupKFold(4, shuffle=True, random_state=SEED)
    _, rows = next(four.split(table, table["dx"], table["group"]))
    in_validation = np.isin(np.arange(len(table)), rows)
    return table.assign(split=np.where(in_validation, "validation", "train"))


exercises.check("splitting.3", train_validation, table=development)

# %% [markdown]
# ## The same split tomorrow
#
# Tomorrow one patient asks to delete two photos, and one lesion of
# {{ fact("7,452", "groups of lesions in HAM10000") }} leaves the table. The seed is the same. What
# share of the test images stays in the test set?

# %%
MY_STAY = ...
ledger.guess("test images that stay in the test set", MY_STAY)

# %%
before = table.loc[table["split"] == "test", "image_id"]
smaller = table[table["group"] != table["group"].iloc[0]]
_, rows = next(by_lesion.split(smaller, smaller["dx"], smaller["group"]))
stay = smaller.iloc[rows]["image_id"].isin(before).mean()
ledger.outcome("test images that stay in the test set", stay)
print(f"{stay:.0%} of the test images were in the test set before")

# %% [markdown]
# About one in five: as many as by chance. A random generator shuffles the list of groups, and a
# list with one group less gets quite another order. Most old test lesions are now in training, and
# no warning says so.
#
# So let the lesion's own name decide. A **hash** turns a text into a number that looks random and
# is the same on every computer:

# %% tags=["nbval-check-output"]
for name in ["HAM_0000118", "HAM_0000119"]:
    print(name, hashlib.sha256(name.encode()).hexdigest()[:16])

# %% [markdown]
# `hexdigest` is a number in base `16`; `int(text, 16)` reads it. The course's own splits,
# `splits.full` and `splits.mini`, sort the groups by such hashes.
#
# **Exercise splitting.4** Write `in_test(name)`: `True` for about one lesion name in five, `False` for the
# others. The answer depends on the name alone and is the same on every computer. Use `hashlib`.


# %% tags=["exercise"]
def in_test(name):
    return ...


exercises.check("splitting.4", in_test)


# %% tags=["solution"]
def in_test(name):
    digest = hashlib.sha256(name.encode()).hexdigest()
    return int(digest, 16) % 5 == 0


exercises.check("splitting.4", in_test)

# %% [markdown]
# ## What can 48 melanomas prove?
#
# `splits.mini` of lessons {{ number_of("quickstart") }} and {{ number_of("data_loading") }} is
# clean. But its test set has only 200 images, 48 of them melanomas. We drew such a split ten times
# from HAM10000 and trained lesson {{ number_of("quickstart") }}'s network on each. On average it
# is right for about {{ quote("ten_draws", "models.recipe, 28 px.accuracy.value") }} of the test
# images. What was the **lowest** accuracy of the ten?

# %%
MY_LOWEST = ...
ledger.guess("lowest accuracy of ten draws", MY_LOWEST)

# %%
ten = results.committed("ten_draws")
network_ten = ten["models"]["recipe, 28 px"]["accuracy"]
colours_ten = ten["models"]["colour baseline"]["accuracy"]
lowest = min(network_ten.seeds)
ledger.outcome("lowest accuracy of ten draws", lowest)
print(f"mean {network_ten.value:.3f}")
print(f"from {lowest:.2f} to {max(network_ten.seeds):.2f}")

# %%
draw = np.arange(1, 11)
blue, orange, green, pink = plots.PALETTE[:4]
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ax.vlines(draw, colours_ten.seeds, network_ten.seeds, color="grey")
ax.plot(draw, network_ten.seeds, "o", color=blue, label="network")
ax.plot(draw, colours_ten.seeds, "s", color=orange, label="colour baseline")
ax.axhline(0.852, color="black", linestyle=":", label="claimed: 0.852")
ax.axhline(0.80, color=green, linestyle="--", label="promised: 0.80")
ax.axhline(0.76, color=pink, linestyle="-.", label="majority class: 0.76")
ax.set(xlabel="draw", ylabel="accuracy of 200 images", xticks=draw)
figure.legend(loc="outside lower center", ncols=3)
_ = figure.suptitle("Ten draws from real lesions, 28 px")
# alt: Accuracy of network and colour baseline on ten draws, joined by lines. The network lies from 0.75 to 0.82, around the promised 0.80 and above the majority class on nine draws. The claimed 0.852 lies above all dots.

# %% [markdown]
# Each draw is a clean test of the same recipe. Together they average 0.79: as promised, about
# `0.80`. One alone may say 0.75 or 0.82, and none says `0.852`. The majority class ("never
# melanoma") has `0.76`. **One test of 200 images cannot tell `0.80` from `0.76`.**
#
# In most draws the network is above the **colour baseline** of lesson {{ number_of("data_loading") }}, trees that see only
# colours. The grey lines pair the two on the same images, so their differences vary less:

# %%
pairs = ten["differences"]["recipe, 28 px minus colour baseline"]
gain_ten = pairs["accuracy"]
print(f"network minus colours: {gain_ten:+.3f}")
print(sum(d > 0 for d in gain_ten.seeds), "of 10 above zero")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
_ = results.keep(
    f"splitting-{SIZE}px",
    lesions.source,
    table,
    dict(SIZE=SIZE, SEED=SEED, SHARE=SHARE),
    {
        "share of test images": leaked.mean(),
        "images": len(lesions),
        "gain of siblings": gain,
    },
    headline=("AUC gained from siblings", gain),
)

# %% [markdown]
# The mean gain is about 0.017, and its interval lies above zero: ten draws show what one alone
# cannot. But some lesions are in several draws. The interval ignores this, so it is slightly
# narrow.
#
# ## Key points
#
# - Split by lesion (by patient, if you know the patient), never by image.
# - Prove that a split is clean: count the groups on both sides.
# - Siblings in training raise the score of lesions with several photos. The next patient has none.
# - Let a hash of the name decide, and the split is the same tomorrow.
# - One test of 200 images moves by several hundredths. Compare models on the same images.

# %% [markdown]
# ## Check yourself
#
# <details><summary>Few lesions have several photos. Why do so many test images leak?</summary>
# Those lesions own nearly half of all images, and most of their photos are in training.</details>
#
# <details><summary>Why is each image scored twice, and not half of the images each way?</summary>
# Both AUCs come from the same images, so a difficult image lowers both. The difference comes from
# the siblings, not from luck with the images.</details>
#
# <details><summary>A fixed seed makes a split repeatable. When does it fail?</summary>
# When a lesion is added or removed: the shuffled list gets another order.</details>
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
ledger.show()
