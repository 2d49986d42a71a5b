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
# # 02 · Splitting: the leak laboratory
#
# Shuffle the pictures, keep a quarter aside, train on the rest: that is how nearly every tutorial
# splits its data, and on HAM10000 it is wrong. How much better does a model look by it, and would
# anybody have noticed? This lesson builds the same model under four splits of the same pictures and
# keeps a fifth of the lesions in a safe, which tells the truth in the end.
#
# **You will be able to**
#
# - find out whether a split leaks, by counting and by looking;
# - measure how much too good a leaking split makes a model look, with an interval;
# - make a split by lesion that is stratified, repeatable, and clean of known duplicates;
# - say what a test set with 48 melanomas can prove, and how many pictures a smaller interval costs.
#
# **You need** lesson 01 or some acquaintance with HAM10000. **Time**: 40 minutes to read and work
# through, 1 minute to run on a CPU (2 cores, synthetic lesions); a free T4 GPU saves a few seconds
# (an estimate, not measured), since the network is run once and nothing in it is trained.
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from utils import backbone, data, evaluation, exercises, ledger, plots, pretrained, results, splits
import tensorflow as tf

# %% [markdown]
# What you may change: `IMAGES` is how many pictures the laboratory uses at most, whole lesions at a
# time (0 takes all 10,015: a minute more on real pictures, two minutes more to draw them).

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35
IMAGES = 2000
EPOCHS = 10
TREES = 200
SEED = 0

# %% [markdown]
# ## A pleasing number
#
# The model of this lesson is simple and quick: MobileNetV2, as it comes from ImageNet, turns each
# picture into a list of numbers (its *features*; lesson 03 opens it), and a forest of random trees
# learns from them. A forest can learn its training pictures by heart, as a deep network can.
#
# First the pictures: unlike HAM10k-Mini of lesson 01 they come as the collection has them, several
# of one lesion where there are several.


# %%
def some_lesions(table):
    table = splits.full(table)  # adds `group` and `split`; made by hand further down
    order = table["group"].drop_duplicates().sample(frac=1, random_state=SEED)
    rank = table["group"].map(dict(zip(order, range(len(order)), strict=True)))
    return table.loc[rank.sort_values(kind="stable").index].head(IMAGES or len(table))


lesions = data.load_lesions(SOURCE, size=SIZE, select=some_lesions)
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
base = backbone.mobilenet_v2(ALPHA, source_size=SIZE, size=96, weights=weights)
print("Weights:", pretrained.describe(weights))
features = base.predict(lesions.images, batch_size=128, verbose=0).mean((1, 2))
print(
    len(lesions),
    "pictures,",
    features.shape[1],
    "features each,",
    lesions.melanoma.sum(),
    "melanomas",
)

# %% [markdown]
# A fifth of the lesions goes into the safe, whole lesions only. Nobody looks at it until the model has
# made its claim. The rest is for development: shuffle it, train on three quarters, validate on one.

# %%
safe = np.flatnonzero(lesions.table["split"] == "test")
development = np.flatnonzero(lesions.table["split"] != "test")
x, y = features[development], lesions.melanoma[development]


def forest(train):
    model = ExtraTreesClassifier(TREES, min_samples_leaf=2, n_jobs=-1, random_state=SEED)
    return model.fit(x[train], y[train])


by_image = list(StratifiedKFold(4, shuffle=True, random_state=SEED).split(x, y))
train, validation = by_image[0]
print(len(train), "for training,", len(validation), "for validation,", len(safe), "in the safe")

# %% [markdown]
# **Predict** the ROC AUC of the forest on those validation pictures, and on the lesions in the safe.

# %%
MY_CLAIM = ...
MY_TRUTH = ...

ledger.guess("02 AUC on shuffled pictures", MY_CLAIM)
ledger.guess("02 AUC of the same model in the safe", MY_TRUTH)

# %%
model = forest(train)
claim = roc_auc_score(y[validation], model.predict_proba(x[validation])[:, 1])
truth = roc_auc_score(lesions.melanoma[safe], model.predict_proba(features[safe])[:, 1])
ledger.outcome("02 AUC on shuffled pictures", claim)
ledger.outcome("02 AUC of the same model in the safe", truth)

# %% [markdown]
# One split is one throw of the dice: the two numbers differ by luck too, in either direction. Before we
# measure how much, let us look for a *reason* why the first should be too good.
#
# ## Something is wrong here: look
#
# For each validation picture, which training picture is nearest to it in the features? The figure
# shows, in columns, the four validation pictures that have the nearest neighbours of all (above) and
# those neighbours (below). Do they look like pictures of different people?

# %% tags=["pictures"]
unit = x / np.linalg.norm(x, axis=1, keepdims=True)
similarity = unit[validation] @ unit[train].T
nearest = train[similarity.argmax(1)]
closest = similarity.max(1).argsort()[::-1][:4]
images, table = lesions.images[development], lesions.table.iloc[development]
figure, axes = plt.subplots(2, 4, figsize=(7, 3.9), layout="constrained")
for column, i in zip(axes.T, closest, strict=True):
    for ax, j, part in zip(
        column, (validation[i], nearest[i]), ("validation", "training"), strict=True
    ):
        ax.imshow(images[j])
        ax.set_title(f"{part}: {table['lesion_id'].iloc[j]}", fontsize=7)
        ax.axis("off")
figure.suptitle(plots.title("nearest neighbours", lesions.source), fontsize=10)
plt.show()

# %% [markdown]
# Read the names above the pictures: where a column has the same `lesion_id` twice, training and
# validation hold two photographs of **one lesion**. How common is that? **Predict** the share of
# validation pictures whose lesion is in training too. (About a quarter of the lesions have more than
# one photograph.)

# %%
MY_SHARE = ...

ledger.guess("02 validation pictures whose lesion is in training", MY_SHARE)

# %%
lesion = table["lesion_id"].to_numpy()
known = np.isin(lesion[validation], lesion[train])
ledger.outcome("02 validation pictures whose lesion is in training", known.mean())

# %% [markdown]
# The examination contains questions from the textbook. A model may pass them by remembering the
# lesion, and the number it earns says nothing about the next patient, whose lesion is in no textbook.
# Of all 10,015 real pictures, shuffled like this, a share of
# {{ quote("02_splitting-28px", "leak.known", ".2f") }} of those in validation show a lesion that training has.
#
# **Exercise 02.1** Write `shared_lesions(train, validation)`: given the `lesion_id` of each training
# picture and of each validation picture (two lists), how many *lesions* are in both?


# %% tags=["exercise", "nbval-check-output"]
def shared_lesions(train, validation):
    return ...


exercises.check("02.1", shared_lesions)


# %% tags=["solution"]
def shared_lesions(train, validation):
    return len(set(train) & set(validation))


exercises.check("02.1", shared_lesions)

# %% [markdown]
# ## Does the model use it?
#
# A leak in the data need not be a gain for the model. So let the same pictures be judged twice: once
# with their siblings in training (split by picture), once without (split by lesion). In four rounds,
# each with another quarter as validation, every picture gets one answer of each kind.

# %%
group = table["group"].to_numpy()
folds = StratifiedGroupKFold(4, shuffle=True, random_state=SEED)
by_group = list(folds.split(x, y, group))


def answers(rounds):
    """The models of all rounds, and each validation picture's probability."""
    models = [forest(train) for train, _ in rounds]
    pairs = zip(models, rounds, strict=True)
    return models, [m.predict_proba(x[rows])[:, 1] for m, (_, rows) in pairs]


fitted = {"by picture": answers(by_image), "by lesion group": answers(by_group)}
probability = {}
for name, rounds in (("by picture", by_image), ("by lesion group", by_group)):
    probability[name] = np.empty(len(x))
    for p, (_, rows) in zip(fitted[name][1], rounds, strict=True):
        probability[name][rows] = p

# %% [markdown]
# Now compare them on lesions with several photographs, where remembering can help, and on lesions with
# one, where it cannot. The difference is paired (same pictures) and its interval resamples lesions.

# %%
several = table.groupby("lesion_id")["image_id"].transform("size").to_numpy() > 1
gains = {}
for name, rows in (("several photographs", several), ("one photograph", ~several)):
    with_, without = (p[rows] for p in probability.values())
    gains[name] = evaluation.difference(
        roc_auc_score, y[rows], with_, without, group[rows], n_resamples=200, seed=SEED
    )
    print(f"{name}: AUC {gains[name]:+.3f} by having siblings in training")

# %% [markdown]
# On all real pictures: {{ quote("02_splitting-28px", "gains.several photographs", "+.3f") }} for lesions with several
# photographs, {{ quote("02_splitting-28px", "gains.one photograph", "+.3f") }} for those with one. The gain sits exactly where
# remembering is possible. (In your run, with fewer pictures, the intervals are wide; drawn lesions
# also resemble their siblings less than real ones do.)
#
# ## A worse leak, from a famous tutorial
#
# TensorFlow's tutorial on transfer learning with this very network shuffles a dataset and then makes a
# test part of the validation part by `take` and `skip`. Copied to training and validation, as many do,
# it looks like this. `shuffle` draws a **new order each time the data are passed through**. After ten
# epochs, what share of the validation pictures has training seen? **Predict.**

# %%
MY_SEEN = ...

ledger.guess("02 validation pictures that training has seen, take and skip", MY_SEEN)


# %%
def take_and_skip(n, seed):
    pictures = tf.data.Dataset.range(n).shuffle(n, seed=seed)
    validation, train = pictures.take(n // 4), pictures.skip(n // 4)
    passes = [next(train.batch(n).as_numpy_iterator()) for _ in range(EPOCHS)]
    return np.unique(passes), next(validation.batch(n).as_numpy_iterator())


by_take = [take_and_skip(len(x), seed) for seed in range(4)]
seen = np.isin(by_take[0][1], by_take[0][0])
ledger.outcome("02 validation pictures that training has seen, take and skip", seen.mean())

# %% [markdown]
# Each pass leaves out another quarter, so after a few epochs nothing was left out. It is not the
# lesion that leaks here but the picture itself. No error, no warning; only a wonderful curve.
#
# ## Four splits, one model, one safe
#
# Now the laboratory: by picture; by `take` and `skip`; by `lesion_id`; and by lesion group, which also
# joins identical files and 18 published pairs of duplicates with different ids. Each makes four rounds.
# The *claim* is the AUC on its validation pictures, the *truth* is the mean AUC of its four models on
# the same safe, and *optimism* is claim minus truth. All intervals resample lesions.

# %%
rounds = {
    "by picture": by_image,
    "take and skip": by_take,
    "by lesion_id": list(folds.split(x, y, lesion)),
    "by lesion group": by_group,
}
for name in ("take and skip", "by lesion_id"):
    fitted[name] = answers(rounds[name])

# %%
y_safe, group_safe = lesions.melanoma[safe], lesions.table["group"].to_numpy()[safe]


def optimism(name, n_resamples=200):
    models, p = fitted[name]
    rows, p = np.concatenate([v for _, v in rounds[name]]), np.concatenate(p)
    p_safe = [m.predict_proba(features[safe])[:, 1] for m in models]
    draws = [evaluation.resampled_lesions(y[rows], group[rows], n_resamples, SEED)]
    draws += [evaluation.resampled_lesions(y_safe, group_safe, n_resamples, SEED + 1)]
    everything = [(np.arange(len(rows)), np.arange(len(safe)))]
    claim_truth = [
        (roc_auc_score(y[rows][a], p[a]), np.mean([roc_auc_score(y_safe[b], q[b]) for q in p_safe]))
        for a, b in [*everything, *zip(*draws, strict=True)]
    ]
    return np.array([(c, t, c - t) for c, t in claim_truth])


laboratory = {}
for name in rounds:
    values = optimism(name)
    low, high = np.percentile(values[1:], [2.5, 97.5], axis=0)
    laboratory[name] = {
        what: evaluation.Estimate(values[0][i], low[i], high[i])
        for i, what in enumerate(("claim", "truth", "optimism"))
    }


pd.DataFrame(laboratory).map("{:.3f}".format).T

# %% [markdown]
# In the figure each split has its claim (orange) above its truth (blue), with intervals: the further
# the orange mark lies to the right of the blue one, the more the split flatters.

# %%
figure, ax = plt.subplots(figsize=(7.5, 2.8), layout="constrained")
marks = (("claim", "D", plots.PALETTE[1], -0.15), ("truth", "o", plots.PALETTE[0], 0.15))
for what, marker, color, shift in marks:
    found = [row[what] for row in laboratory.values()]
    rows = np.arange(len(laboratory)) + shift
    ax.hlines(
        rows, [f.low for f in found], [f.high for f in found], color=color, linewidth=3, alpha=0.5
    )
    ax.plot([f.value for f in found], rows, marker, color=color, label=what)
ax.set(
    yticks=range(len(laboratory)), yticklabels=list(laboratory), xlabel="ROC AUC", ylim=(3.5, -0.5)
)
figure.legend(loc="outside right upper")
figure.suptitle(plots.title("what a split claims, and the truth", lesions.source), fontsize=10)
results.save_figure(figure, f"02_splitting-{SIZE}px-laboratory")

# %% [markdown]
# On all 10,015 real pictures the optimism is
#
# - by picture: {{ quote("02_splitting-28px", "laboratory.by picture.optimism", "+.3f") }}
# - take and skip: {{ quote("02_splitting-28px", "laboratory.take and skip.optimism", "+.3f") }}
# - by `lesion_id`: {{ quote("02_splitting-28px", "laboratory.by lesion_id.optimism", "+.3f") }}
# - by lesion group: {{ quote("02_splitting-28px", "laboratory.by lesion group.optimism", "+.3f") }}
#
# An interval that holds zero means: no optimism was shown. Four things to see.
#
# - `take` and `skip` is in a class of its own: its claim comes near perfection, and the truth is
#   that of the others. **If a result looks too good, hunt for the leak.**
# - A split by picture flatters by hundredths. That is as much as many papers report as progress.
# - Between `lesion_id` and lesion group nothing can be seen: 18 pairs among ten thousand pictures are
#   too few to move a mean. They cost nothing to respect, and a leak need not be large to be one.
# - The truth is nearly the same in all rows. Leaking does not make a worse model; it makes a model
#   that nobody knows.
#
# A forest on frozen features can only remember what ImageNet's features let it see. A network whose
# own layers are trained remembers more, and leaks pay it better.
#
# ## One lesion, two names
#
# Two pictures belong together if they have the same `lesion_id`, **or** the same bytes, **or** if
# somebody found them to show the same lesion. And togetherness is passed on: if a belongs to b, and b
# to c, then a belongs to c. In the language of graphs: pictures are points, each reason is a line, and
# a group is a *connected component*. `splits.lesion_groups` gets them from SciPy. A toy:

# %% tags=["nbval-check-output"]
toy = pd.DataFrame(
    {
        "image_id": ["a", "b", "c", "d", "e"],
        "lesion_id": ["L1", "L1", "L2", "L3", "L4"],
        "copy_of": ["a", "b", "b", "d", "e"],  # picture c has the same bytes as picture b
    }
)
toy["group"] = splits.lesion_groups(toy)
print(toy.to_string(index=False))

# %% [markdown]
# a and b share a lesion, b and c share their bytes: one group, though a and c have nothing in common.
#
# **Exercise 02.2** Six lesions: `A`, `B`, `C`, `D`, `E`, `F`. Somebody found that A and C are the same,
# that D and E are the same, and that C and E are. How many groups are left?

# %% tags=["exercise", "nbval-check-output"]
groups_left = ...

exercises.check("02.2", groups_left)

# %% tags=["solution"]
groups_left = 3  # A-C-E-D hang together; B and F stand alone

exercises.check("02.2", groups_left)

# %% [markdown]
# ## The cure, by hand
#
# A split for a course has four wishes: no group in two parts; each diagnosis in each part in the same
# proportion (*stratified*: a rare one must not be missing from a part by bad luck); 60/20/20; and the
# same on every machine, forever. Random generators change between versions of a library, a hash does
# not: so each group gets the SHA-256 of its name as its place in the queue. Within each diagnosis, the
# first 60 % of the queue are for training.

# %%
whole, _ = data.load_table(SOURCE)
whole["group"] = splits.lesion_groups(whole)
queue = whole.groupby("group").agg(dx=("dx", "min"), images=("dx", "size"))
queue["place"] = [splits._hash(0, name) for name in queue.index]
queue = queue.sort_values(["dx", "place"])
before = queue.groupby("dx")["images"].cumsum() - queue["images"]
position = before / queue.groupby("dx")["images"].transform("sum")  # 0 first, nearly 1 last
queue["split"] = np.select([position < 0.6, position < 0.8], ["train", "validation"], "test")
whole["split"] = whole["group"].map(queue["split"])

assert splits.fingerprint(whole) == splits.fingerprint(splits.full(whole))
pd.crosstab(whole["split"], whole["dx"], normalize="index").round(3)

# %% [markdown]
# The rows of this table are nearly alike: that is stratification. The line with `assert` says that the
# split made here by hand is the one that every lesson uses, `splits.full`: its *fingerprint*, a hash
# over which picture is in which part, is kept with every result, so that two results can be compared
# only if they were earned on the same split. And the proof that nothing leaks:

# %%
clean = splits.leakage(whole)
assert (clean[["shared_lesions", "shared_images"]] == 0).all(axis=None)
clean.round(3)

# %% [markdown]
# HAM10k-Mini is drawn from these parts: 600/200/200 pictures of as many lesions, 24 % melanoma. A Mini
# test lesion is a test lesion of the full split too, so that no model of a later lesson has met it.

# %%
mini = splits.mini(whole)
assert (splits.leakage(mini)[["shared_lesions", "shared_images"]] == 0).all(axis=None)
pd.crosstab(mini["split"], mini["dx"])

# %% [markdown]
# **Exercise 02.3** Write `validation_rows(groups, n_groups)`: given each picture's group (an array), an
# array of True and False that sends the pictures of `n_groups` groups to validation, whole groups only.


# %% tags=["exercise", "nbval-check-output"]
def validation_rows(groups, n_groups):
    return ...


exercises.check("02.3", validation_rows)


# %% tags=["solution"]
def validation_rows(groups, n_groups):
    chosen = np.random.default_rng(0).permutation(np.unique(groups))[:n_groups]
    return np.isin(groups, chosen)


exercises.check("02.3", validation_rows)

# %% [markdown]
# ## What can 48 melanomas prove?
#
# Mini's test part has 200 pictures with 48 melanomas. Suppose a model's true AUC is 0.85. How wide is
# the 95 % interval of what such a test set shows, from end to end? **Predict.**

# %%
MY_WIDTH = ...

ledger.guess("02 width of the interval with 200 pictures", MY_WIDTH)

# %% [markdown]
# No picture is needed to find out. Two bell curves, their centres √2·z apart with Φ(z) = 0.85, have
# exactly this AUC; draw test sets of many sizes from them, each with 24 % melanomas, and look where the
# middle 95 % of the measured AUCs lie.

# %%
rng = np.random.default_rng(SEED)
shift = 2**0.5 * 1.0364  # 1.0364 standard deviations lie above 85 % of a bell curve
sizes, width = (50, 100, 200, 400, 1000, 2000, 4000), []
for n in sizes:
    labels = np.arange(n) < round(0.24 * n)
    draws = [roc_auc_score(labels, rng.normal(labels * shift)) for _ in range(400)]
    low, high = np.percentile(draws, [2.5, 97.5])
    width.append(high - low)
ledger.outcome("02 width of the interval with 200 pictures", width[sizes.index(200)])

# %% [markdown]
# The figure shows the width against the number of test pictures, both axes logarithmic: the points lie
# on a straight line that falls by half when the pictures are four times as many. Two models whose AUCs
# differ by 0.02 (dotted) cannot be told apart by 200 pictures, whatever the table says.

# %%
figure, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
ax.loglog(sizes, width, "o-", color=plots.PALETTE[0], label="width of the 95 % interval")
ax.axhline(0.02, color="black", linestyle=":", label="a difference of 0.02")
ax.axvline(200, color=plots.PALETTE[1], linestyle="--", label="Mini's test part")
ax.set(xlabel="test pictures, 24 % melanoma", ylabel="width", xticks=sizes, xticklabels=sizes)
ax.set_yticks((heights := (0.02, 0.05, 0.1, 0.2)), labels=heights)
ax.minorticks_off()
ax.legend(fontsize=8)
figure.suptitle("what a test set of n pictures can show (simulated scores, AUC 0.85)", fontsize=10)
plt.show()

# %% [markdown]
# (Comparing two models on the *same* pictures helps: luck then strikes both alike. Lesson 05 does it.)
#
# **Exercise 02.4** A test set gives an interval 0.12 wide. You would like 0.04. How many times as many
# test lesions do you need?

# %% tags=["exercise", "nbval-check-output"]
times_as_many = ...

exercises.check("02.4", times_as_many)

# %% tags=["solution"]
times_as_many = (0.12 / 0.04) ** 2  # the width falls with the root of the number

exercises.check("02.4", times_as_many)

# %% [markdown]
# One last property of a split: **prevalence**, the share of melanomas. It is 11 % in HAM10000 and was
# raised to 24 % in Mini, so that 200 pictures hold 48 melanomas and not 22. ROC AUC does not mind;
# accuracy and precision do, and a model's probabilities too. Lesson 05 shows what becomes of them where
# melanomas are rare.

# %%
known_lesions = {"known": float(known.mean()), "seen_by_take_and_skip": float(seen.mean())}
found = {"weights": pretrained.describe(weights), "leak": known_lesions}
found |= {"gains": gains, "laboratory": laboratory}
headline = ("optimism by picture", laboratory["by picture"]["optimism"])
parameters = dict(SIZE=SIZE, ALPHA=ALPHA, IMAGES=IMAGES, EPOCHS=EPOCHS, TREES=TREES, SEED=SEED)
results.keep(f"02_splitting-{SIZE}px", lesions.source, lesions.table, parameters, found, headline)
print("kept")

# %% [markdown]
# ## Key points
#
# - The unit of a split is the lesion (better still the patient, whom HAM10000 does not name).
# - A leak is found by counting who is on both sides, not by looking at the score: the score is pleased.
# - `shuffle` with `take` and `skip` draws a new order in each pass: in the end everything was seen.
# - Optimism is measured against one safe that no split touched.
# - A smaller interval by half costs four times the lesions.
#
# ## Can you still say it?
#
# Answer aloud before you open each answer.
#
# <details><summary>Why does a split by picture flatter a model?</summary>
# Some validation pictures show lesions that training has; the model may remember instead of judge.</details>
#
# <details><summary>Why was the gain looked for in lesions with several photographs only?</summary>
# Only they can have a sibling in training. A gain elsewhere would have another cause.</details>
#
# <details><summary>What is wrong with <code>shuffle</code> followed by <code>take</code> and
# <code>skip</code>?</summary>
# The order is new in each pass, so what was validation in one epoch is training in the next.</details>
#
# <details><summary>Why a hash and not a random generator?</summary>
# It gives the same split on every machine and with every version of every library.</details>
#
# ## What comes next
#
# The split is clean. Lesson 03 opens the box that was called *features* here: MobileNetV2.
#
# ## References
#
# - Abhishek, Jain, Hamarneh: Investigating the quality of DermaMNIST and Fitzpatrick17k dermatological
#   image datasets. Scientific Data 12:196, 2025.
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161).
# - Kapoor, Narayanan: Leakage and the reproducibility crisis in machine-learning-based science.
#   Patterns 4(9):100804, 2023,
#   [doi:10.1016/j.patter.2023.100804](https://doi.org/10.1016/j.patter.2023.100804).
# - Hanley, McNeil: The meaning and use of the area under a receiver operating characteristic (ROC)
#   curve. Radiology 143:29, 1982,
#   [doi:10.1148/radiology.143.1.7063747](https://doi.org/10.1148/radiology.143.1.7063747).
# - TensorFlow tutorial: Transfer learning and fine-tuning.
