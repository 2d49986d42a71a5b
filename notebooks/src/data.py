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
# # {{ number }} · Data: what is in HAM10000?
#
# A model learns whatever its data offer, even what no clinic offers. So look before you train.
# One column of this table tells much of the diagnosis, and is empty for every new patient. And the
# images tell something about melanoma even where they show no lesion.

# %% [markdown]
# **You will**
#
# - count lesions instead of images;
# - find a column that no model may use;
# - build the colour baseline with scikit-learn, then cover the lesion.
#
# **New words**: dermatoscope, 95 % interval, histology, AUC, target leakage, colour baseline
#
# **You need** a little Python and pandas. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, roc_auc_score

from utils import data, evaluation, exercises
from utils import ledger, plots, splits

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
SHOW = False  # True: show images of your own copy of HAM10000

# %% [markdown]
# ## How many lesions are 10,015 images?
#
# HAM10000 comes from the Medical University of Vienna and from a skin cancer practice in Queensland,
# Australia. All images were taken with a **dermatoscope**: a lens on the skin, with its own light.
# The licence, CC BY-NC 4.0, asks you to name the authors and forbids commercial use.

# %%
table, source = data.load_table(SOURCE)
table.drop(columns="copy_of").head(3)

# %% [markdown]
# Each row is one image. `dx` is the diagnosis:
#
# | `dx` | diagnosis | |
# | --- | --- | --- |
# | `mel` | melanoma | skin cancer: what we look for |
# | `nv` | nevus, the common mole | harmless |
# | `bkl` | benign keratosis | harmless |
# | `bcc` | basal-cell carcinoma | skin cancer |
# | `akiec` | actinic keratosis, Bowen's disease | precursor or early form of skin cancer |
# | `vasc` | vascular lesion | harmless |
# | `df` | dermatofibroma | harmless |
#
# The first two rows above have the same `lesion_id`. How many images does each diagnosis have, and
# how many lesions?

# %%
counts = table.groupby("dx").agg(
    images=("image_id", "size"), lesions=("lesion_id", "nunique")
)
counts.loc["all"] = counts.sum()
counts.sort_values("images", ascending=False)

# %% [markdown]
# 10,015 images show 7,470 lesions, and most are moles. From now on we count lesions: two images of
# one lesion are not two cases.
#
# Our target is **melanoma against everything else**. "Everything else" is not always harmless: it
# holds `bcc` and `akiec`. The original project calls all of it "benign".
#
# **Exercise data.1** Make `lesions`, a DataFrame with one row a lesion and a new column `melanoma`,
# `True` or `False`. (`exercises.hint("data.1")` gives a hint.)

# %% tags=["exercise"]
lesions = ...

exercises.check("data.1", lesions, table=table)

# %% tags=["solution"]
lesions = table.drop_duplicates("lesion_id")
lesions = lesions.assign(melanoma=lesions["dx"] == "mel")

exercises.check("data.1", lesions, table=table)

# %%
lesions = exercises.use("data.1", lesions, table=table)
print(f"{(table['dx'] == 'mel').mean():.1%} of the images are melanomas")
print(f"{lesions['melanoma'].mean():.1%} of the lesions are melanomas")

# %% [markdown]
# On average, a melanoma has more images than another lesion. And neither share is that of a clinic: doctors
# chose what to photograph.

# %% [markdown]
# ## Which lesions are melanomas, and who says so?
#
# A share without its count can mislead. So each dot below has both.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
names = ["under 30", "30 to 39", "40 to 49", "50 to 59", "60 to 69", "from 70"]
ages = pd.cut(lesions["age"], [0, 30, 40, 50, 60, 70, 90], False, names)
cases = lesions.assign(age=ages, site=lesions["localization"])
areas = [["sex", "site"], ["age", "site"]]
figure, axes = plt.subplot_mosaic(areas, figsize=(8, 4.8), sharex=True)
for column, ax in axes.items():
    found = cases.groupby(column, observed=True)["melanoma"]
    found = found.agg(["sum", "size", "mean"])
    for name, (melanomas, size, share) in found[::-1].iterrows():
        interval = evaluation.exact(melanomas, size)
        row = f"{name} ({melanomas:.0f} of {size:,.0f})"
        ax.hlines(row, interval.low, interval.high, plots.MELANOMA)
        ax.plot(share, row, "o", color=plots.MELANOMA)
    ax.set(xlabel=f"share of melanomas, by {column}", xlim=(-0.02, 0.5))
_ = figure.suptitle("The share of melanomas differs by age and by site")
# alt: Dots with intervals: the share of melanomas among the lesions by sex, by age and by body site. It rises with age. Among sites the ear has the highest share, with a wide interval.

# %% [markdown]
# The line around a dot is its **95 % interval**: the share among very many such lesions probably
# lies in here. Lesson {{ number_of("intervals") }} shows how to get one. "Ear" looks alarming, but
# it has only {{ fact("35", "the figure above") }} lesions. "Acral" has 3: that says almost nothing.
#
# Who says that a lesion is a melanoma? See `dx_type`. `histo` means **histology**: a pathologist
# looked at the lesion under a microscope.

# %%
pd.crosstab(lesions["dx"], lesions["dx_type"])

# %% [markdown]
# **Every** melanoma was confirmed by histology: a doctor who suspects one cuts it out. Half of all
# lesions are moles that were watched and did not change (`follow_up`). Lesson
# {{ number_of("groups") }} comes back to these.
#
# Now suppose a program sees no image. It scores a lesion 1 for `histo`, else 0. Guess its **AUC**:
# the chance that a random melanoma gets a higher score than a random other lesion. 0.5 is guessing,
# 1 is perfect, and equal scores count half.

# %%
MY_AUC = ...
ledger.guess("AUC of dx_type", MY_AUC)

# %%
leak = roc_auc_score(lesions["melanoma"], lesions["dx_type"] == "histo")
ledger.outcome("AUC of dx_type", leak, source)
print(f"AUC of dx_type: {leak:.2f}")

# %% [markdown]
# 0.82 without one pixel! But the column was written *after* the suspicion. For a new patient it is
# still empty. This is **target leakage**: an input that holds part of the answer.
#
# **Exercise data.2** Which of `lesion_id`, `dx_type`, `age`, `sex`, `localization` may a model for
# new patients use? Give a set. Then compute the AUC of `age` alone over the lesions, its gaps filled
# with the median.

# %% tags=["exercise"]
usable = ...
auc_of_age = ...

exercises.check("data.2", (usable, auc_of_age), lesions=lesions)

# %% tags=["solution"]
usable = {"age", "sex", "localization"}
filled = lesions["age"].fillna(lesions["age"].median())
auc_of_age = roc_auc_score(lesions["melanoma"], filled)

exercises.check("data.2", (usable, auc_of_age), lesions=lesions)

# %% [markdown]
# ## What do colours alone tell?
#
# These ten lesions are **not** from HAM10000. They come from other clinics, and anyone may show them.
# Which are melanomas? Cover the titles.

# %% tags=["samples"]
samples = data.load_set("samples", 128)
few = samples.table.groupby("label").sample(5, random_state=2).index
_ = plots.gallery(
    samples.images[few],
    list(samples.table.loc[few, "label"]),
    "Five melanomas, five moles or keratoses",
)
# alt: Ten real skin lesions in two rows. Above, five melanomas, most of them large, of several colours and with an uneven edge. Below, five other lesions.

# %% [markdown]
# HAM10000's own images are not stored in this notebook: they are of patients, and not free for every
# use. To see one of each diagnosis from your copy, set `SHOW = True` in the parameters.

# %% tags=["samples"]
if SHOW:
    seven = data.load_lesions(SOURCE, SIZE, lambda t: t.drop_duplicates("dx"))
    _ = plots.gallery(seven.images, list(seven.table["dx"]), "One of each", 7)

# %% [markdown]
# Now the pixels as numbers. `splits.mini` picks 1,000 images of 1,000 lesions, 240 of them melanomas:
# 600 for training, 200 for validation, and 200 for the test, which stay closed today.

# %%
mini = data.load_lesions(SOURCE, SIZE, splits.mini)
train = mini.subset("train")
validation = mini.subset("validation")
print(train.images.shape, train.images.dtype)

# %% [markdown]
# Each of 28 x 28 pixels has three numbers from 0 to 255: red, green and blue. We turn an image into
# nine: mean and spread of each colour, and how much its middle differs from its edge. No shape, no
# texture.

# %%
edge = np.ones((SIZE, SIZE), dtype=bool)
edge[SIZE // 8 : -(SIZE // 8), SIZE // 8 : -(SIZE // 8)] = False
quarter = SIZE // 4


def colours_of(images):
    mean = images.mean(axis=(1, 2))
    spread = images.std(axis=(1, 2))
    middle = images[:, quarter:-quarter, quarter:-quarter]
    contrast = middle.mean(axis=(1, 2)) - images[:, edge].mean(axis=1)
    return np.hstack([mean, spread, contrast])


# %%
trees = HistGradientBoostingClassifier(
    learning_rate=0.05, max_leaf_nodes=8, random_state=SEED
)
trees.fit(colours_of(train.images), train.melanoma)
colours = trees.predict_proba(colours_of(validation.images))[:, 1]

y = validation.melanoma
print(f"accuracy {accuracy_score(y, colours >= 0.5):.2f}")
print(f"accuracy of 'never melanoma' {1 - y.mean():.2f}")
print(f"AUC {roc_auc_score(y, colours):.2f}, of 'never melanoma' 0.50")

# %% [markdown]
# This is our **colour baseline**: trees on nine colour values. Its accuracy is that of
# "never melanoma", 0.76. But its AUC is 0.80: it ranks most melanomas above most other lesions. Every
# network of this course is compared with it.
#
# **Exercise data.3** Cover the lesion. Train new trees, with the same settings, on three numbers
# only: the mean of each colour over the pixels of `edge`. What AUC do they reach on the validation
# images? Guess it first.

# %% tags=["exercise"]
auc_of_edge = ...

exercises.check("data.3", auc_of_edge, train=train, validation=validation)

# %% tags=["solution"]
skin = HistGradientBoostingClassifier(
    learning_rate=0.05, max_leaf_nodes=8, random_state=SEED
)
skin.fit(train.images[:, edge].mean(axis=1), train.melanoma)
skin_scores = skin.predict_proba(validation.images[:, edge].mean(axis=1))
auc_of_edge = roc_auc_score(validation.melanoma, skin_scores[:, 1])

exercises.check("data.3", auc_of_edge, train=train, validation=validation)

# %%
auc_of_edge = exercises.use(
    "data.3", auc_of_edge, train=train, validation=validation
)
print(f"AUC of the edge: {auc_of_edge:.2f}")

# %% [markdown]
# 0.73 from the *edge* of the image! (Some lesions reach the edge. Without their pixels it is
# {{ fact("0.72", "the same trees, HAM10000's masks taken out of the edge; measured apart") }}.)
# Why? Look at the mean colours of edge and middle, for `70` lesions of each diagnosis.


# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
def seventy(table):
    one_image = table.drop_duplicates("lesion_id")
    return one_image.groupby("dx").sample(70, random_state=SEED)


each = data.load_lesions(SOURCE, SIZE, seventy)
figure, axes = plt.subplots(1, 7, figsize=(8, 1.9))
order = ["nv", "mel", "bkl", "akiec", "bcc", "df", "vasc"]
for ax, dx in zip(axes, order, strict=True):
    own = each.images[each.table["dx"] == dx]
    inside = own[:, quarter:-quarter, quarter:-quarter]
    ax.set_facecolor(own[:, edge].mean(axis=(0, 1)) / 255)
    middle = inside.mean(axis=(0, 1, 2)) / 255
    ax.add_patch(plt.Circle((0.5, 0.5), 0.28, color=middle))
    ax.set(title=dx, xticks=[], yticks=[], aspect="equal")
_ = figure.suptitle("Mean colours: squares for edges, discs for middles")
# alt: Seven squares with a disc, one for each diagnosis, in the mean colours of edge and middle. The square of moles is the pinkest; those of melanoma and benign keratosis are greyer. The disc of vascular lesions is the most purple.

# %% [markdown]
# The discs differ, as hoped. But the squares differ too: here the edge around moles is pinker than
# around melanomas. A mole does not colour the skin beside it. So something else differs, perhaps
# camera, light or age. A model may use that, and its score does not tell us. Lesson
# {{ number_of("groups") }} finds a part of the reason.

# %% [markdown]
# **So what is in HAM10000?** {{ shown("7,470") }} lesions that doctors chose, mostly moles. And with
# the melanomas come other ages, other sites, another `dx_type` and other skin around them.
#
# ## Key points
#
# - Count lesions, not images, and put the count beside every share.
# - A column that was written after the suspicion, such as `dx_type`, must never be an input.
# - Nine colour values reach an AUC of about {{ shown("0.80") }}; the edge alone about {{ shown("0.73") }}.
#   Build such a baseline before any network.

# %% [markdown]
# ## Check yourself
#
# <details><summary>Why are {{ shown("11 %") }} of the images melanomas, but {{ shown("8 %") }} of the lesions?</summary>
# On average, a melanoma has more images than another lesion.</details>
#
# <details><summary>Why does <code>dx_type</code> help in this table and not in a clinic?</summary>
# It is written after a doctor suspected a melanoma. When a model is asked, it is still
# empty.</details>
#
# <details><summary>The edge of an image predicts melanoma. Is that good news?</summary>
# No. The skin beside a lesion cannot show what the lesion is. Another camera or another light may
# turn this hint round.</details>
#
# ## What comes next
#
# {{ shown("0.80") }} and {{ shown("0.73") }} come from 200 images. How sure are they?
# [{{ number_of("intervals") }} · Intervals]({{ notebook_of("intervals") }})
#
# ## References
#
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161).
# - Kaufman, Rosset, Perlich, Stitelman: Leakage in data mining: formulation, detection, and
#   avoidance. ACM TKDD 6(4):15, 2012,
#   [doi:10.1145/2382577.2382579](https://doi.org/10.1145/2382577.2382579).
# - The ten lesions that are shown: ISIC 2016 challenge, CC0; sources in
#   [data/samples](https://github.com/{{ repository }}/blob/{{ branch }}/data/samples/README.md).

# %%
exercises.progress()

# %%
ledger.show()
