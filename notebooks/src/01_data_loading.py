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
# # 01 · Data loading: what is in a picture, and what is in the table beside it?
#
# Ten thousand photographs and a table with seven columns: nothing looks simpler to load. Yet a table
# that has slipped by one row trains without an error, one of the seven columns gives the diagnosis
# away, and nine numbers of colour nearly do the work of a deep network. Would you have noticed?
#
# **You will be able to**
#
# - say where HAM10000 comes from, how its diagnoses were made, and what its licence allows;
# - prove that labels and pictures belong together, instead of hoping so;
# - find the columns of a medical table that no model may see;
# - say what a picture loses at 28 pixels, and build a `tf.data` pipeline that shuffles for real;
# - set the bar that every deep model of this course has to clear.
#
# **You need** a little Python, NumPy and pandas. **Time**: 35 minutes to read and work through, 1
# minute to run on a CPU (2 cores, synthetic lesions); a free T4 GPU makes no difference (an
# estimate, not measured), since nothing here trains a network.
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from utils import data, evaluation, exercises, ledger, plots, results, splits
from utils.quiet import keras  # without TensorFlow's start-up lines
import tensorflow as tf

# %% [markdown]
# What you may change: `SOURCE="auto"` takes a folder of HAM10000 pictures if there is one, else
# Kaggle's table of small pictures, else draws synthetic lesions; `SIZE` is the side of a picture in
# pixels (Kaggle's table has 28 only).

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0

# %% [markdown]
# ## Where do these pictures come from?
#
# HAM10000 ("Human Against Machine with 10,000 training images") holds dermatoscopic photographs of
# pigmented skin lesions, collected over twenty years at two places: the department of dermatology of
# the Medical University of Vienna, and the skin cancer practice of Cliff Rosendahl in Queensland,
# Australia. Ethics boards of the universities on both sides approved its making (see the paper, in the
# references below). It may be used under **CC BY-NC 4.0**: name the authors, and no commercial use;
# a model trained on it inherits that question.
#
# A dermatoscope is a lens with its own light on the skin: it shows structures under the surface that
# no telephone picture has. Every lesion here was *chosen* by a doctor to be photographed. Ordinary
# moles that worried nobody are missing, and so is most dark skin.
#
# The whole collection is 5 GB. This course needs two tables of it: the metadata, and the pictures at
# 28 x 28 pixels as numbers in a CSV file. `data.load_table` asks for the first, and prints which
# source it found and why.

# %%
table, source = data.load_table(SOURCE)
table.head(3)

# %% [markdown]
# One row a photograph. `dx` is the diagnosis: `nv` (naevus, a common mole), `mel` (melanoma), `bkl`
# (keratosis and its relatives), `bcc` (basal cell carcinoma), `akiec` (its precursors in sun-damaged
# skin), `vasc` (blood vessels), `df` (dermatofibroma). `copy_of` is ours: the first picture with the
# same bytes. How was each diagnosis made sure?

# %%
pd.crosstab(table["dx"], table["dx_type"], margins=True)

# %% [markdown]
# `histo`: the lesion was cut out and a pathologist looked at it under a microscope. `follow_up`: it
# stayed the same over several visits. `consensus`: experts agreed from the picture. `confocal`: seen
# with a special microscope on the living skin. Keep this table in mind; it comes back.
#
# Its first lesson is that a "benign" label rests on less proof than a melanoma: nobody cuts out every
# mole. Some label here is surely wrong, and no model can be better than its labels.
#
# ## Do labels and pictures belong together?
#
# Kaggle's pixel table has a column `label`, the metadata has `dx`, and nothing but the order of their
# rows joins the two. Suppose one of the files lost its first row in an editor, so that every label
# has slipped by one. You check: how many labels still agree with the diagnosis beside them?
# **Predict** the share, as a number from 0 to 1.

# %%
MY_SHARE = ...

ledger.guess("01 labels that agree after a slip of one row", MY_SHARE)

# %% [markdown]
# Here is the slip: each row's diagnosis against that of the row before.

# %%
dx = table["dx"].to_numpy()
agree = float((dx[1:] == dx[:-1]).mean())
ledger.outcome("01 labels that agree after a slip of one row", agree)
in_random_order = float((table["dx"].value_counts(normalize=True) ** 2).sum())
print(f"with the rows in random order it would be {in_random_order:.2f}")

# %% [markdown]
# Two thirds of the rows are `nv`, so even in random order about half the labels agree with *any*
# other row: the sum of the squared shares. In HAM10000's own file, whose rows lie sorted by diagnosis,
# {{ quote("01_data_loading-28px", "slip.agree", ".4f") }} of them agree after the slip. "Nearly all agree" therefore proves
# nothing, and nearly nothing would show in training either: most pictures would still have a right
# label, but no lesion could be trusted to have its own age, sex or `lesion_id`. The only proof is that **all** agree,
# which `data.load_lesions` demands of Kaggle's files before it gives out a single picture:

# %%
codes = {name: code for code, name in enumerate(data.DX)}  # the codes of Kaggle's `label`
labels = table["dx"].map(codes).to_numpy()
slipped = np.roll(labels, 1)
for name, candidate in (("as they are", labels), ("slipped by one row", slipped)):
    wrong = int((np.array(data.DX)[candidate] != table["dx"]).sum())
    print(f"labels {name}: {wrong:,} disagree ->", "refused" if wrong else "taken")

# %% [markdown]
# ## Who is in the table?
#
# Ten thousand rows are not ten thousand patients, not even ten thousand lesions:

# %%
print(f"{len(table):,} photographs of {table['lesion_id'].nunique():,} lesions")
print("photographs a lesion:", table.groupby("lesion_id").size().value_counts().to_dict())
print("age not known:", int(table["age"].isna().sum()))
print("sex not known:", int((table["sex"] == "unknown").sum()))
print("site not known:", int((table["localization"] == "unknown").sum()))

# %% [markdown]
# Several photographs of one lesion look nearly alike. What this does to a test set is the subject of
# lesson 02. And *not known* is written in two ways: an empty cell for age, the word `unknown` for sex
# and site. Whoever only counts empty cells finds three quarters of the gaps missing.
#
# **Exercise 01.1** What share of the *lesions* (not of the photographs) are melanomas? Begin with one
# row a lesion: `table.drop_duplicates("lesion_id")`.

# %% tags=["exercise", "nbval-check-output"]
share_of_lesions = ...

exercises.check("01.1", share_of_lesions, table=table)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution", "nbval-check-output"]
# @title Solution of 01.1: click to open
share_of_lesions = (table.drop_duplicates("lesion_id")["dx"] == "mel").mean()

exercises.solution("01.1", share_of_lesions, table=table)

# %% [markdown]
# Who gets melanoma? The figure shows, on the left, how many photographs each diagnosis has (mind the
# logarithmic axis: `nv` has more than all others together) and, on the right, the share of melanomas
# in each band of age: it rises with age, and the bands at both ends hold few pictures.

# %%
bands = pd.cut(table["age"], [-1, 30, 40, 50, 60, 70, 90])
by_age = table.assign(melanoma=dx == "mel").groupby(bands, observed=True)["melanoma"]
names = [f"{max(0, int(b.left)) + (b.left > 0)}-{int(b.right)}" for b in by_age.mean().index]
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
axes[0].barh(table["dx"].value_counts().index, table["dx"].value_counts(), color=plots.PALETTE[0])
axes[0].set(xscale="log", xlim=(50, None), xlabel="photographs")
axes[1].bar(names, by_age.mean(), color=plots.PALETTE[1])
axes[1].set(xlabel="age (years)", ylabel="share of melanomas")
figure.suptitle(plots.title("diagnoses, and melanoma by age", source))
plt.show()

# %% [markdown]
# ## The column that knows too much
#
# Look at the row `mel` of the table of `dx` and `dx_type` above. Suppose a program never sees a
# picture, only `dx_type`, the way in which the diagnosis was confirmed. What ROC AUC does it reach?
# (AUC: the chance that a random melanoma gets a higher score than a random benign lesion; 0.5 is
# guessing, 1 is perfect.) **Predict**, for `dx_type` and for the patient's age.

# %%
MY_AUC_OF_DX_TYPE = ...
MY_AUC_OF_AGE = ...

ledger.guess("01 AUC of dx_type", MY_AUC_OF_DX_TYPE)
ledger.guess("01 AUC of age", MY_AUC_OF_AGE)

# %% [markdown]
# A score for each row: the share of melanomas among rows with the same `dx_type`; and simply the age
# in centuries (the median where it is not known). The intervals resample whole lesions.

# %%
melanoma, groups = (dx == "mel").astype(int), splits.lesion_groups(table)
scores = {
    "dx_type": pd.Series(melanoma).groupby(table["dx_type"]).transform("mean"),
    "age": table["age"].fillna(table["age"].median()) / 100,
}
without_picture = {}
for name, score in scores.items():
    e = evaluation.evaluate(name, melanoma, score, groups, threshold=0.5, n_resamples=100)
    without_picture[name] = e
    ledger.outcome(f"01 AUC of {name}", e.metrics["roc_auc"])

# %% [markdown]
# On the real table `dx_type` has an AUC of {{ quote("01_data_loading-28px", "without_picture.dx_type") }}, age
# {{ quote("01_data_loading-28px", "without_picture.age") }}, and no pixel was read. For `dx_type` the cause is plain: **every**
# melanoma was confirmed by histology, because a lesion is cut out when somebody already fears a melanoma.
# The column was written *after* the diagnosis and carries it backwards. A model that was given it
# would look good in this table and be useless in a clinic, where the column does not exist yet. This
# is called *target leakage*.
#
# Age is another matter: the patient brings it along. A model may use it; this course does not, to see
# what the picture alone can say.
#
# **Exercise 01.2** Which of the columns are known when a patient walks in, before anybody has made a
# diagnosis, and would make sense as inputs for any patient? Give a set of names out of `lesion_id`,
# `image_id`, `dx`, `dx_type`, `age`, `sex`, `localization`.

# %% tags=["exercise", "nbval-check-output"]
allowed = ...

exercises.check("01.2", allowed)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution", "nbval-check-output"]
# @title Solution of 01.2: click to open
allowed = {"age", "sex", "localization"}  # ids are names, dx is the answer, dx_type comes after it

exercises.solution("01.2", allowed)

# %% [markdown]
# ## The pictures
#
# Now the pixels. `splits.mini` chooses HAM10k-Mini: 1,000 photographs of 1,000 different lesions, 240
# of them melanomas, in three parts (lesson 02 makes them by hand). Pictures are `uint8`: three numbers
# a pixel, red, green and blue, from 0 to 255.

# %%
lesions = data.load_lesions(SOURCE, size=SIZE, select=splits.mini)
print(lesions.images.shape, lesions.images.dtype, lesions.images.min(), lesions.images.max())
lesions.table["split"].value_counts()

# %% [markdown]
# Look before you compute. Each row of the figure shows five lesions of one diagnosis. Try to say what
# sets `mel` apart from `nv`: doctors look for asymmetry, an uneven border, several colours, and find
# it hard. Some lesions of other rows have all of it.

# %%
figure, axes = plt.subplots(len(data.DX), 5, figsize=(6, 7.5), layout="constrained")
for row, name in zip(axes, data.DX, strict=True):
    members = np.flatnonzero(lesions.table["dx"] == name)[:5]
    for ax in row:
        ax.axis("off")
    for ax, i in zip(row, members, strict=False):
        ax.imshow(lesions.images[i])
    row[0].set_title(name, loc="left", fontsize=9)
figure.suptitle(plots.title("five of each diagnosis", lesions.source), fontsize=10)
plt.show()

# %% [markdown]
# ## What does a picture lose at 28 pixels?
#
# The original photographs have 600 x 450 pixels, 810,000 numbers; at 28 x 28 there are 2,352. The
# figure shows the same melanoma and the same mole at three sizes. At 28 the colours and the rough
# outline are still there; network, dots and streaks, on which doctors build their judgement, are gone.
# (Where only Kaggle's small pictures are at hand, drawn lesions stand in.)

# %%
sharp = "synthetic" if lesions.source == "kaggle" else lesions.source


def one_of_each(table):
    return (
        table[table["lesion_id"].duplicated(keep=False)]
        .groupby("dx")
        .head(1)
        .query("dx in ('mel', 'nv')")
    )


sizes = (28, 96, 150)
views = [data.load_lesions(sharp, size, select=one_of_each) for size in sizes]
figure, axes = plt.subplots(2, 3, figsize=(7, 4.6), layout="constrained")
for column, size, view in zip(axes.T, sizes, views, strict=True):
    for ax, image, name in zip(column, view.images, view.table["dx"], strict=True):
        ax.imshow(image)
        ax.set_title(f"{name}, {size} px", fontsize=9)
        ax.axis("off")
figure.suptitle(plots.title("three sizes", sharp), fontsize=10)
plt.show()

# %% [markdown]
# One more thing to see: at 28 the whole picture is squashed into the square, as Kaggle's table has it;
# above, its middle square is cut out, and nothing is distorted. Which of the two a data set did must be
# known, or a model is trained on one and asked about the other.
#
# **Exercise 01.3** Write `middle_square(image)`: the largest square from the middle of a picture, an
# array of shape (height, width, 3), whichever side is longer.


# %% tags=["exercise", "nbval-check-output"]
def middle_square(image):
    return ...


exercises.check("01.3", middle_square)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution", "nbval-check-output"]
# @title Solution of 01.3: click to open
def middle_square(image):
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


exercises.solution("01.3", middle_square)

# %% [markdown]
# How much does it matter? In lesson 00 the same recipe, on real lesions, has a ROC AUC of
# {{ quote("00_quickstart-width0.35-28px", "over_seeds.roc_auc") }} at 28 pixels and
# {{ quote("00_quickstart-width0.35-96px", "over_seeds.roc_auc") }} at 96. The intervals overlap: with 200 test
# pictures this is not enough to show that sharper pictures help. Keep that for lesson 06, which has 2,000.
#
# ## A pipeline that shuffles, or only seems to
#
# A network learns from small batches, and each batch should look like the whole. `tf.data` builds the
# stream: `shuffle` fills a buffer and draws from it, `batch` takes 32 at a time, `prefetch` prepares
# the next batch while the network works. HAM10000's rows lie sorted by diagnosis, and the training
# pictures here are sorted the same way, melanomas last. With a buffer of 100, what share of
# melanomas do the first ten batches have? (In the whole it is 0.24.) **Predict.**

# %%
MY_SHARE_IN_BATCHES = ...

ledger.guess("01 melanomas in the first ten batches", MY_SHARE_IN_BATCHES)

# %%
train = lesions.subset("train")
order = np.argsort(train.melanoma, kind="stable")
keras.utils.set_random_seed(SEED)


def stream(buffer):
    dataset = tf.data.Dataset.from_tensor_slices((train.images[order], train.melanoma[order]))
    return dataset.shuffle(buffer, seed=SEED).batch(32).prefetch(tf.data.AUTOTUNE)


for images, labels in stream(100).take(1):
    print("a batch:", images.shape, images.dtype.name, "and", labels.shape)
share = {b: [float(np.mean(y)) for _, y in stream(b)] for b in (100, len(train))}
ledger.outcome("01 melanomas in the first ten batches", np.mean(share[100][:10]))

# %% [markdown]
# The figure follows one pass through the training part, batch by batch. With a buffer of 100 (dashed)
# the first batches hold no melanoma, the last are mostly melanomas; with a buffer as large as the data
# (solid) every batch is a fair sample. Nothing raised an error.

# %%
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.plot(share[100], "--o", color=plots.PALETTE[1], label="buffer of 100")
ax.plot(share[len(train)], "-s", color=plots.PALETTE[0], label=f"buffer of {len(train)}")
ax.axhline(train.melanoma.mean(), color="black", linestyle=":", label="whole training set")
ax.set(xlabel="batch", ylabel="share of melanomas")
ax.legend(fontsize=8)
figure.suptitle(plots.title("one pass through a sorted table", lesions.source), fontsize=10)
plt.show()

# %% [markdown]
# The drawn pictures of this course lie in random order; it is the sorting above that makes the trap.
# Kaggle's table comes sorted.
#
# **Exercise 01.4** Put the steps of a training pipeline into a good order: `"augment"` (a new random
# flip of each picture in each epoch), `"batch"`, `"cache"` (keep what came so far in memory, so that
# pictures are decoded once), `"prefetch"`, `"shuffle"` (anew in each epoch). Give a list.

# %% tags=["exercise", "nbval-check-output"]
steps = ...

exercises.check("01.4", steps)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution", "nbval-check-output"]
# @title Solution of 01.4: click to open
steps = ["cache", "shuffle", "augment", "batch", "prefetch"]

exercises.solution("01.4", steps)

# %% [markdown]
# ## The bar: nine numbers of colour
#
# Before any network, ask how far one gets with almost nothing. Nine numbers a picture: the mean of
# red, green and blue; how much each varies; and how much the middle differs from the border. No shape,
# no texture. **Predict** the AUC of a small tree model that knows only these.

# %%
MY_AUC_OF_COLOURS = ...

ledger.guess("01 AUC of the colour baseline", MY_AUC_OF_COLOURS)

# %% [markdown]
# The nine numbers of one picture, by hand, equal to what the helper computes for all of them:

# %%
image = train.images[0].astype(float)
edge, quarter = SIZE // 8, SIZE // 4
border = np.ones((SIZE, SIZE), bool)
border[edge:-edge, edge:-edge] = False
middle = image[quarter:-quarter, quarter:-quarter]
by_hand = [*image.mean((0, 1)), *image.std((0, 1)), *(middle.mean((0, 1)) - image[border].mean(0))]
assert np.allclose(by_hand, evaluation.colour_features(train.images[:1])[0])
print(np.round(by_hand, 1))

# %% [markdown]
# Train on the training set, choose the threshold on validation, and open the test set once, for this
# one claim. The majority class stands beside it.

# %%
validation, test = lesions.subset("validation"), lesions.subset("test")
judged = []
for name, (p_validation, p_test) in evaluation.baselines(train, validation, test).items():
    threshold = evaluation.choose_threshold(validation.melanoma, p_validation)
    judged += [evaluation.evaluate(name, test.melanoma, p_test, test.table["group"], threshold)]
colours = judged[0]
ledger.outcome("01 AUC of the colour baseline", colours.metrics["roc_auc"])
evaluation.as_table(judged)

# %% [markdown]
# On real lesions the colour baseline has a ROC AUC of {{ quote("01_data_loading-28px", "colours.roc_auc") }} at 28 pixels
# and {{ quote("01_data_loading-96px", "colours.roc_auc") }} at 96: colour needs no resolution. That is the bar. A deep model
# below or near it has shown nothing, whatever its accuracy: look how the accuracy of the majority class
# stands beside that of the colours.
#
# What do the trees see? The figure compares one of the nine numbers, the middle's red minus the
# border's, in melanomas and in benign lesions of the training part: the lower, the darker the lesion
# against its skin. The two heaps overlap widely, and still differ.

# %%
features = evaluation.colour_features(train.images)[:, 6]
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for value, name, style in ((0, "benign", "-"), (1, "melanoma", "--")):
    ax.hist(
        features[train.melanoma == value],
        bins=25,
        density=True,
        histtype="step",
        linewidth=2,
        linestyle=style,
        color=plots.PALETTE[value],
        label=name,
    )
ax.set(xlabel="red: middle minus border (0..255)", ylabel="density")
ax.legend()
figure.suptitle(plots.title("one of nine colour numbers", lesions.source), fontsize=10)
plt.show()

# %% [markdown]
# What this lesson found is kept beside the other results of your runs:

# %%
found = {
    "slip": {"agree": agree},
    "without_picture": {name: e.metrics["roc_auc"] for name, e in without_picture.items()},
    "colours": colours.metrics,
}
parameters, headline = dict(SIZE=SIZE, SEED=SEED), ("roc_auc", colours.metrics["roc_auc"])
results.keep(
    f"01_data_loading-{SIZE}px", lesions.source, lesions.table, parameters, found, headline
)
print("kept")

# %% [markdown]
# ## Key points
#
# - HAM10000: two clinics, lesions that doctors chose, CC BY-NC 4.0; benign labels rest on less proof
#   than melanomas.
# - Files that are joined by the order of their rows belong together only if *every* row agrees.
# - A column written after the diagnosis (`dx_type`) must never be an input.
# - `shuffle` is as good as its buffer; a sorted table needs one as large as the data.
# - Nine colour numbers are the bar. What does not clear it has not used the picture.
#
# ## Can you still say it?
#
# Answer aloud before you open each answer.
#
# <details><summary>Why does an agreement of 99 % between two label columns prove nothing?</summary>
# In a sorted table neighbours have the same diagnosis, so even slipped labels agree nearly always.</details>
#
# <details><summary>Why do all melanomas have <code>dx_type</code> "histo", and what follows?</summary>
# A lesion is cut out when a melanoma is feared. The column is a consequence of the diagnosis, so a
# model that reads it cheats.</details>
#
# <details><summary>What is gone at 28 pixels, and what is left?</summary>
# Fine structures (network, dots, streaks) are gone; colours and the rough outline are left.</details>
#
# <details><summary>Why must <code>cache</code> stand before <code>shuffle</code> and
# <code>augment</code>?</summary>
# What lies before the cache happens once and is then repeated: one order, one set of flips, for all
# epochs.</details>
#
# ## What comes next
#
# One lesion may have several photographs. Lesson 02 lets them fall into training and test by chance,
# and watches the score rise.
#
# ## References
#
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset, a large collection of multi-source
#   dermatoscopic images of common pigmented skin lesions. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161).
# - Kaufman, Rosset, Perlich, Stitelman: Leakage in data mining: formulation, detection, and avoidance.
#   ACM Transactions on Knowledge Discovery from Data 6(4):15, 2012,
#   [doi:10.1145/2382577.2382579](https://doi.org/10.1145/2382577.2382579).
# - TensorFlow guide: tf.data, build TensorFlow input pipelines.
