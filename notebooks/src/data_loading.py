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
# # {{ number }} · Data loading: look at the data before any model
#
# A model learns whatever the data offers, including what it should not. One column of our table gives
# the diagnosis away, and nine colour values score about as high as a small network. You notice only
# if you look first. And you need to know what a score from 200 images is worth.

# %% [markdown]
# **You will**
#
# - find the gaps in the table of HAM10000, and a column that no model may use;
# - build the colour baseline, which every later model must beat;
# - put a 95 % interval around a score and around a difference;
# - train a small network from a `tf.data` pipeline.
#
# **You need** a little Python and pandas. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from utils import data, diagrams, evaluation, exercises
from utils import ledger, plots, results, splits
from utils.quiet import keras
from keras import layers
import tensorflow as tf

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 20

# %% [markdown]
# ## Who is in the table?
#
# HAM10000 holds photos of pigmented skin lesions from the Medical University of Vienna and from a
# skin cancer practice in Queensland, Australia. They were taken with a dermatoscope, a lens with its
# own light. The licence is **CC BY-NC 4.0**: name the authors, no commercial use.
#
# Doctors chose which lesions to photograph. Moles that worried nobody are missing, and so is most
# dark skin.

# %%
table, source = data.load_table(SOURCE)
print(f"{len(table):,} images of {table['lesion_id'].nunique():,} lesions")
table.drop(columns="copy_of").head(3)

# %% [markdown]
# Each row is one image; many lesions have several. `dx` is the diagnosis:
#
# - `mel`: melanoma, what we look for;
# - `nv`: naevus, the common mole; `bkl`: benign keratosis; `vasc`: vascular lesion; `df`:
#   dermatofibroma;
# - `bcc`: basal-cell carcinoma; `akiec`: actinic keratosis and Bowen's disease, a precursor and an
#   early form of squamous-cell carcinoma.
#
# Which values are missing? `isna()` counts empty cells.

# %%
gaps = pd.DataFrame({"empty cells": table.isna().sum()})
gaps["'unknown'"] = (table == "unknown").sum()
share = gaps["'unknown'"].sum() / gaps.to_numpy().sum()
print(f"{share:.0%} of all gaps are the word 'unknown'")
gaps.loc[["age", "sex", "localization"]]

# %% [markdown]
# Only `age` has empty cells. `sex` and `localization` (the body site) look complete, but most gaps
# hide there: `isna()` does not see a word. Now look at the values.

# %%
sns.set_theme(style="whitegrid", palette="colorblind")
is_melanoma = table["dx"] == "mel"
shown = table.assign(melanoma=np.where(is_melanoma, "yes", "no"))
shown["share of melanomas"] = is_melanoma
figure, axes = plt.subplots(2, 2, figsize=(8, 6.5), layout="constrained")
by_size = table["dx"].value_counts().index
sns.countplot(shown, y="dx", order=by_size, ax=axes[0, 0])
axes[0, 0].bar_label(axes[0, 0].containers[0])
axes[0, 0].set(xlabel="images", xlim=(0, 8500))
sns.boxplot(shown, x="age", y="melanoma", ax=axes[1, 0])
share_of = {"data": shown, "x": "share of melanomas", "errorbar": None}
sns.barplot(**share_of, y="sex", ax=axes[0, 1])
sns.barplot(**share_of, y="localization", ax=axes[1, 1])
_ = figure.suptitle(plots.title("Who is in the table", source))
# alt: Four charts. Images of each diagnosis, nv far ahead. Share of melanomas by sex. Ages of melanoma and everything else. Share of melanomas by body site.

# %% [markdown]
# Left: `nv` has more images than all others together, and melanoma patients are older. Right: the
# share of melanomas differs by sex and by site.
#
# The target of this course is **melanoma against everything else**. "Everything else" is not
# harmless: it holds {{ fact("514", "the left chart above") }} basal-cell carcinomas and
# {{ fact("327", "the left chart above") }} `akiec`. The original project calls all of it "benign".
#
# **Exercise data_loading.1** The chart counts images. What share of the *lesions* are melanomas? Use pandas,
# one row a lesion. (`exercises.hint("data_loading.1")` gives a hint.)

# %% tags=["exercise"]
share_of_lesions = ...

exercises.check("data_loading.1", share_of_lesions, table=table)

# %% tags=["solution"]
one_row = table.drop_duplicates("lesion_id")
share_of_lesions = (one_row["dx"] == "mel").mean()

exercises.check("data_loading.1", share_of_lesions, table=table)

# %% [markdown]
# ## One column tells the diagnosis
#
# `dx_type` says how a diagnosis was confirmed. `histo` means that a pathologist looked at the lesion
# under a microscope. Suppose a program sees no image at all. It scores a lesion 1 for `histo`, else
# 0. Guess its **AUC**: the chance that a random melanoma gets a higher score than a random other
# lesion. 0.5 is guessing, 1 is perfect.

# %%
MY_AUC = ...
ledger.guess("AUC of dx_type", MY_AUC)

# %%
leak = roc_auc_score(is_melanoma, table["dx_type"] == "histo")
ledger.outcome("AUC of dx_type", leak)
print(f"AUC of dx_type: {leak:.2f}")
pd.crosstab(table["dx"], table["dx_type"])

# %% [markdown]
# About 0.76, without one pixel. The row `mel` shows why: **every** melanoma was confirmed by
# histology, since a doctor who fears a melanoma cuts it out. Most moles were only watched
# (`follow_up`) or judged by experts (`consensus`), so their labels rest on less proof.
#
# The column was written *after* the suspicion. For a new patient it is still empty. This is **target
# leakage**: an input that contains the answer.
#
# **Exercise data_loading.2** Which of `lesion_id`, `dx_type`, `age`, `sex`, `localization` may a model for new
# patients use? Give a set. Then compute the AUC of `age` alone on the whole table, gaps filled with
# the median.

# %% tags=["exercise"]
usable = ...
auc_of_age = ...

exercises.check("data_loading.2", (usable, auc_of_age), table=table)

# %% tags=["solution"]
usable = {"age", "sex", "localization"}
filled = table["age"].fillna(table["age"].median())
auc_of_age = roc_auc_score(table["dx"] == "mel", filled)

exercises.check("data_loading.2", (usable, auc_of_age), table=table)

# %% [markdown]
# ## What is an image?
#
# Now the pixels. `splits.mini` picks 1,000 images of 1,000 lesions, 240 of them melanomas: 600 for
# training, 200 for validation, 200 for the test. Lesson {{ number_of("splitting") }} makes such a split by hand.

# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
test = lesions.subset("test")
print(train.images.shape, train.images.dtype)

# %% [markdown]
# 600 images of 28 x 28 pixels, three numbers a pixel: red, green, blue. `uint8` means whole numbers
# from 0 to 255. What does a small image lose?


# %% cellView="form" jupyter={"source_hidden": true} tags=["folded", "pictures"]
def one_of_each(table):
    two = table[table["dx"].isin(["mel", "nv"])]
    return two.drop_duplicates("dx")


sharp = "synthetic" if lesions.source == "kaggle" else lesions.source
figure, axes = plt.subplots(2, 3, figsize=(7, 4.8), layout="constrained")
for column, size in zip(axes.T, [28, 64, 150], strict=True):
    examples = data.load_lesions(sharp, size, one_of_each)
    shown_dx = examples.table["dx"]
    for ax, image, dx in zip(column, examples.images, shown_dx, strict=True):
        ax.imshow(image)
        ax.set_title(f"{dx}, {size} px", fontsize=10)
        ax.axis("off")
_ = figure.suptitle(plots.title("Three sizes", sharp), fontsize=11)
# alt: A melanoma and a mole at 28, 64 and 150 pixels. At 28 the colours and the rough outline are left.

# %% [markdown]
# At 28 pixels the colours and the rough outline are left. The fine structures that doctors look for
# are gone. At 28 the whole image is squashed into a square, as in Kaggle's table; larger sizes cut
# out the middle square.
#
# ## What is a score from 200 images worth?
#
# How far do we get with colour alone? Nine values describe an image: mean and spread of each channel,
# and how much the middle differs from the edge. No shape, no texture.

# %%
quarter = SIZE // 4
edge = np.ones((SIZE, SIZE), dtype=bool)
edge[SIZE // 8 : -(SIZE // 8), SIZE // 8 : -(SIZE // 8)] = False


def colours_of(images):
    mean = images.mean(axis=(1, 2))
    spread = images.std(axis=(1, 2))
    middle = images[:, quarter:-quarter, quarter:-quarter]
    contrast = middle.mean(axis=(1, 2)) - images[:, edge].mean(axis=1)
    return np.hstack([mean, spread, contrast])


# %% [markdown]
# Gradient-boosted trees learn from these values: our **colour baseline**. A second baseline is the
# **majority class**, which always answers "everything else". Guess the AUC of the colours.

# %%
MY_AUC_OF_COLOURS = ...
ledger.guess("AUC of the colour baseline", MY_AUC_OF_COLOURS)

# %%
trees = HistGradientBoostingClassifier(
    learning_rate=0.05, max_leaf_nodes=8, random_state=SEED
)
trees.fit(colours_of(train.images), train.melanoma)
colours = trees.predict_proba(colours_of(validation.images))[:, 1]

y = validation.melanoma
accuracy = np.mean((colours >= 0.5) == y)
print(f"accuracy: colours {accuracy:.2f}, majority {1 - y.mean():.2f}")
print(f"AUC: colours {roc_auc_score(y, colours):.2f}, majority 0.50")

# %% [markdown]
# The accuracies are about the same, because 76 % of these images show no melanoma. The AUC tells the
# two apart: about 0.80 against 0.50. Later lessons get both from
# `utils.baselines`.
#
# But 200 other images would give another number. How far could it move? We have no other patients, so
# we draw 200 lesions from our 200, *with replacement*, and score again. This is the **bootstrap**.

# %%
_ = diagrams.bootstrap()

# %% [markdown]
# *(A sketch; its scores are invented.)* Some lesions come twice, others not at all. The middle 95 %
# of the AUCs is the **95 % interval**. We compute it for the colours, and for a rival that sees no
# image: the patient's age.

# %%
median = train.table["age"].median()
age = validation.table["age"].fillna(median).to_numpy()
draws = {"colours": [], "age": []}
rng = np.random.default_rng(SEED)
for _ in range(1000):
    rows = rng.integers(0, len(y), len(y))
    draws["colours"].append(roc_auc_score(y[rows], colours[rows]))
    draws["age"].append(roc_auc_score(y[rows], age[rows]))
aucs = pd.DataFrame(draws)
aucs.quantile([0.025, 0.975]).round(2)

# %%
groups = validation.table["group"]
estimate = evaluation.estimate(roc_auc_score, y, colours, groups)
ledger.outcome("AUC of the colour baseline", estimate)
print(f"colours: {estimate:.2f}")

# %% [markdown]
# `evaluation.estimate` does the same in one line, and draws whole lesions where one has several
# images. The intervals are wide: 200 images, 48 of them melanomas, do not fix an AUC to two digits.
# And they overlap. Are colours and age equally good?
#
# We scored both on the *same* resamples. So we can look at the **paired difference**: colours minus
# age, resample by resample.

# %%
_ = diagrams.paired_difference()

# %% [markdown]
# *(Invented scores again.)* A difficult resample lowers both curves, so they move together. The two
# intervals overlap, yet the difference is clearly above zero. **Overlapping intervals do not show
# that two models are equal.** Look at the interval of the difference.

# %%
gains = aucs["colours"] - aucs["age"]
print(gains.quantile([0.025, 0.975]).round(3).tolist(), "by hand")
gain = evaluation.difference(roc_auc_score, y, colours, age, groups)
print(f"evaluation.difference: {gain:.3f}")

# %% [markdown]
# The gain is about 0.08, but its interval just holds zero: **inconclusive**. It does not mean that
# the two are equal. These 200 images cannot decide. The opposite error exists too: of twenty
# comparisons without any true difference, about one interval misses zero by chance.
#
# **Exercise data_loading.3** Ask the same question on the test set, with the scores below. Compute the paired
# difference of the AUCs, colours minus age. Is a difference `"shown"`, or is it `"inconclusive"`?

# %%
test_colours = trees.predict_proba(colours_of(test.images))[:, 1]
test_age = test.table["age"].fillna(median).to_numpy()
test_groups = test.table["group"]

# %% tags=["exercise"]
test_gain = ...
word = ...

exercises.check(
    "data_loading.3",
    (test_gain, word),
    y=test.melanoma,
    a=test_colours,
    b=test_age,
)

# %% tags=["solution"]
test_gain = evaluation.difference(
    roc_auc_score, test.melanoma, test_colours, test_age, test_groups
)
word = "shown" if test_gain.low > 0 or test_gain.high < 0 else "inconclusive"

exercises.check(
    "data_loading.3",
    (test_gain, word),
    y=test.melanoma,
    a=test_colours,
    b=test_age,
)

# %% [markdown]
# ## A pipeline that only seems to shuffle
#
# A network learns from small batches. `tf.data` prepares them while the network works.

# %%
_ = diagrams.data_flow()

# %% [markdown]
# `cache` keeps what was loaded, `shuffle` mixes, `batch` takes `32` rows, `prefetch` prepares the
# next batch. But `shuffle` fills a buffer and draws only from that. HAM10000's own table is sorted
# by diagnosis. We sort our rows too, melanomas last, and compare a buffer of `100` with one of
# 600.

# %%
order = np.argsort(train.melanoma, kind="stable")
x_sorted = train.images[order]
y_sorted = train.melanoma[order]


def pipeline(buffer):
    dataset = tf.data.Dataset.from_tensor_slices((x_sorted, y_sorted))
    dataset = dataset.cache()
    dataset = dataset.shuffle(buffer, seed=SEED)
    dataset = dataset.batch(32)
    return dataset.prefetch(tf.data.AUTOTUNE)


# %%
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for buffer, marker in [(100, "o"), (len(train), "s")]:
    shares = [labels.numpy().mean() for images, labels in pipeline(buffer)]
    ax.plot(shares, marker=marker, label=f"buffer of {buffer}")
ax.set(xlabel="batch", ylabel="share of melanomas", xticks=range(0, 19, 3))
ax.legend()
_ = figure.suptitle(plots.title("One epoch of sorted rows", lesions.source))
# alt: Share of melanomas by batch. With a buffer of 100 it is zero at first and near one at the end. With a buffer of 600 it stays near a quarter.

# %% [markdown]
# With a buffer of `100` the first batches hold no melanoma and the last hold mostly melanomas.
# There is no error and no warning. Does it hurt? We train the same small network from both
# pipelines.


# %%
def train_network(buffer):
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential()
    model.add(keras.Input((SIZE, SIZE, 3)))
    model.add(layers.Rescaling(1 / 127.5, offset=-1))
    model.add(layers.Conv2D(16, 3, activation="relu"))
    model.add(layers.MaxPooling2D())
    model.add(layers.Conv2D(32, 3, activation="relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(1, activation="sigmoid"))
    adam = keras.optimizers.Adam(3e-3)
    model.compile(optimizer=adam, loss="binary_crossentropy")
    # The pipeline shuffles, so fit does not.
    model.fit(pipeline(buffer), epochs=EPOCHS, shuffle=False, verbose=0)
    return model


# %%
networks = {}
for buffer in [100, len(train)]:
    networks[buffer] = train_network(buffer)
    p = networks[buffer].predict(validation.images, verbose=0)[:, 0]
    auc = roc_auc_score(y, p)
    print(f"buffer {buffer}: AUC {auc:.2f}, {sum(p >= 0.5)} called melanoma")

# %% [markdown]
# With the small buffer the network calls no image a melanoma, although
# {{ fact("48 of 200", "the validation set of Mini") }} are. Only the order of the rows differs.
#
# **Exercise data_loading.4** A colleague writes `dataset.batch(32).shuffle(4).cache()` for 600 sorted rows.
# Fix the three faults: each epoch must mix all rows anew, and files must be read only once.


# %% tags=["exercise"]
def mended(dataset):
    return ...


exercises.check("data_loading.4", mended)


# %% tags=["solution"]
def mended(dataset):
    dataset = dataset.cache()
    dataset = dataset.shuffle(600)
    dataset = dataset.batch(32)
    return dataset.prefetch(tf.data.AUTOTUNE)


exercises.check("data_loading.4", mended)

# %% [markdown]
# Last question: does the network (buffer of 600) beat the colours? We open the test set once for it.

# %%
network = networks[len(train)].predict(test.images, verbose=0)[:, 0]
print(f"small network: {roc_auc_score(test.melanoma, network):.2f}")
print(f"colours: {roc_auc_score(test.melanoma, test_colours):.2f}")
beats = evaluation.difference(
    roc_auc_score, test.melanoma, network, test_colours, test_groups
)
print(f"difference: {beats:.2f}")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
bar = evaluation.estimate(
    roc_auc_score, test.melanoma, test_colours, test_groups
)
_ = results.keep(
    f"data_loading-{SIZE}px",
    lesions.source,
    lesions.table,
    dict(SIZE=SIZE, SEED=SEED, EPOCHS=EPOCHS),
    {"dx_type": leak, "colours": bar, "network minus colours": beats},
    headline=("roc_auc", bar),
)

# %% [markdown]
# Inconclusive. On validation the network looked better than the colours; on 200 other images it does
# not. This is why the course gives scores an interval, and puts the baselines beside every network.
#
# ## Key points
#
# - Look at the table first. Gaps can hide behind a word such as `unknown`.
# - A column written after the diagnosis, such as `dx_type`, must never be an input.
# - "Everything else" is not harmless: it holds other skin cancers.
# - Compare two models by the interval of their paired difference. If it holds zero, the comparison
#   is inconclusive.
# - A `shuffle` buffer must be as large as the data when rows are sorted.

# %% [markdown]
# ## Check yourself
#
# <details><summary>Why does <code>dx_type</code> help in this table and not in a clinic?</summary>
# It is written after a doctor suspected a melanoma. When a model is asked, it is still
# empty.</details>
#
# <details><summary>Two AUCs have overlapping intervals. Are the models equally good?</summary>
# That is not shown. Look at the interval of the paired difference: it can lie above zero while the
# two intervals overlap.</details>
#
# <details><summary>Why does <code>cache</code> stand before <code>shuffle</code>?</summary>
# What is cached is repeated as it is. After <code>shuffle</code> it would repeat one order in every
# epoch.</details>
#
# ## What comes next
#
# Many lesions have several images. What happens when one lies in training and another in the test
# set? [{{ number_of("splitting") }} · Splitting]({{ notebook_of("splitting") }})
#
# ## References
#
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161).
# - Kaufman, Rosset, Perlich, Stitelman: Leakage in data mining: formulation, detection, and
#   avoidance. ACM TKDD 6(4):15, 2012,
#   [doi:10.1145/2382577.2382579](https://doi.org/10.1145/2382577.2382579).
# - Field, Welsh: Bootstrapping clustered data. J. R. Stat. Soc. B 69:369, 2007,
#   [doi:10.1111/j.1467-9868.2007.00593.x](https://doi.org/10.1111/j.1467-9868.2007.00593.x).
# - TensorFlow: [tf.data, build input pipelines](https://www.tensorflow.org/guide/data).

# %%
ledger.show()
