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
# # {{ number }} · Seven diagnoses: what hides in "everything else"?
#
# So far we asked one question: melanoma, or everything else? Some of everything else is cancer too. In
# this lesson the network names one of seven diagnoses, and you decide what each mistake costs.

# %% [markdown]
# **You will**
#
# - train a softmax over seven diagnoses;
# - see why accuracy flatters, and use balanced accuracy;
# - let costs decide instead of the likeliest diagnosis;
# - find the question that the first one hides.
#
# **You need** lessons {{ number_of("training") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import pretrained, results, splits
from utils.quiet import keras
from keras import layers

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 30

# %% [markdown]
# ## Two questions

# %%
_ = diagrams.diagnoses()

# %% [markdown]
# Basal-cell carcinoma (`bcc`) is a cancer. Actinic keratosis and Bowen's disease (`akiec`) are precursors
# or early forms of another one. Our label "benign" holds them both.
#
# Guess: what share of "everything else" is cancer or a precursor?

# %%
MY_SHARE = ...
ledger.guess("cancer or precursor in everything else", MY_SHARE)

# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
counts = pd.crosstab(lesions.table["dx"], lesions.table["split"])
others = counts.drop("mel").sum(axis=1)
share = others[["akiec", "bcc"]].sum() / others.sum()
ledger.outcome("cancer or precursor in everything else", share)
print(f"{share:.1%} of everything else is cancer or a precursor")
counts[["train", "validation", "test"]]

# %% [markdown]
# Nearly one in ten. Look at the table as well: there are hundreds of moles (`nv`), and of some diagnoses
# only two images in the test set.
#
# ## Seven outputs
#
# The base stays as in lesson {{ number_of("training") }}: frozen, its features cached. Only the head changes.

# %%
train = lesions.subset("train")
validation = lesions.subset("validation")
test = lesions.subset("test")
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)
base = backbone.mobilenet_v2(0.35, SIZE, 96, weights)
features = keras.Sequential([base, layers.GlobalAveragePooling2D()])


def cached(part):
    return features.predict(part.images, batch_size=200, verbose=0)


x_train = cached(train)
x_validation = cached(validation)

# %% [markdown]
# **Exercise seven_diagnoses.1** Write `seven_head(n_features)`: a compiled Keras model that takes features and gives
# seven probabilities. **Softmax** makes them positive and lets them add up to 1. `train.diagnosis` holds
# whole numbers from 0 to 6. (`exercises.hint("seven_diagnoses.1")` gives a hint.)


# %% tags=["exercise"]
def seven_head(n_features):
    return ...


exercises.check("seven_diagnoses.1", seven_head)


# %% tags=["solution"]
def seven_head(n_features):
    head = keras.Sequential([keras.Input((n_features,))])
    head.add(layers.Dense(7, activation="softmax"))
    head.compile("adam", "sparse_categorical_crossentropy")
    return head


exercises.check("seven_diagnoses.1", seven_head)

# %% [markdown]
# Here is ours. `class_weight` lets the images of a diagnosis count more; we need it below.


# %%
def trained_head(class_weight=None):
    keras.utils.set_random_seed(SEED)
    head = keras.Sequential([keras.Input(x_train.shape[1:])])
    head.add(layers.Dense(7, activation="softmax"))
    head.compile("adam", "sparse_categorical_crossentropy")
    options = dict(class_weight=class_weight, epochs=EPOCHS, verbose=0)
    head.fit(x_train, train.diagnosis, **options)
    return head


# %%
names = np.array(data.DX)
truth = validation.table["dx"].to_numpy(str)
head = trained_head()
p = head.predict(x_validation, verbose=0)
called = names[p.argmax(axis=1)]
print(f"accuracy: {accuracy_score(truth, called):.2f}")
print(f"majority class, always nv: {np.mean(truth == 'nv'):.2f}")

# %% [markdown]
# That looks good. But how many of each diagnosis does it find?

# %%
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
how = dict(labels=names, normalize="true", values_format=".1f", cmap="Blues")
_ = ConfusionMatrixDisplay.from_predictions(truth, called, ax=ax, **how)
ax.grid(False)
_ = ax.set(xlabel="the model says", ylabel="truth")
# alt: Confusion matrix of seven diagnoses, each row a truth as shares. The row of nv is nearly all on the diagonal. Most other rows have a large share in the column nv or mel.

# %% [markdown]
# Each row is one truth and adds up to 1. The diagonal is the **sensitivity** for that diagnosis: the share
# that is found. Moles are found. The rare diagnoses mostly are not: a model that says "mole" is right
# often enough.
#
# **Balanced accuracy** is the mean of the seven sensitivities. It is the measure of the ISIC 2018
# challenge, which used HAM10000. Always saying "mole" has 1/7.
#
# **Exercise seven_diagnoses.2** Write `balanced_accuracy(matrix)`. `matrix` holds counts; a row is one truth.


# %% tags=["exercise"]
def balanced_accuracy(matrix):
    return ...


exercises.check("seven_diagnoses.2", balanced_accuracy)


# %% tags=["solution"]
def balanced_accuracy(matrix):
    return (matrix.diagonal() / matrix.sum(axis=1)).mean()


exercises.check("seven_diagnoses.2", balanced_accuracy)

# %% [markdown]
# ## Do class weights help?
#
# We let each diagnosis count the same in training: an image weighs more, the rarer its diagnosis is.
# Guess the balanced accuracy before and after.

# %%
MY_BALANCED = ...
ledger.guess("balanced accuracy with class weights", MY_BALANCED)

# %%
n_images = np.bincount(train.diagnosis, minlength=7)
class_weight = dict(enumerate(len(train) / (7 * n_images)))
weighted = trained_head(class_weight)
p_weighted = weighted.predict(x_validation, verbose=0)
called_weighted = names[p_weighted.argmax(axis=1)]

# %%
groups = validation.table["group"]
measure = balanced_accuracy_score
plain = evaluation.estimate_diagnoses(measure, truth, called, groups)
better = evaluation.estimate_diagnoses(measure, truth, called_weighted, groups)
gain = evaluation.estimate_diagnoses(
    measure, truth, called_weighted, groups, minus=called
)
ledger.outcome("balanced accuracy with class weights", better)
print(f"balanced accuracy: plain {plain:.2f}, weighted {better:.2f}")
print(f"weighted minus plain: {gain:+.2f}")
print(f"accuracy, weighted: {accuracy_score(truth, called_weighted):.2f}")

# %% [markdown]
# The balanced accuracy rises from about 0.45 to about 0.55, and the accuracy falls from
# {{ shown("0.71") }} to 0.66. But the interval of the difference holds zero: **inconclusive**. Two
# of the diagnoses have two images each. One image more or less moves the measure by
# {{ fact("1/14", "1/7 of 1/2") }}.
#
# ## Which mistakes hurt?
#
# The likeliest diagnosis is the best call only if all mistakes cost the same. They do not. A mole that
# is cut out leaves a scar. A melanoma that is left alone may kill.
#
# A **cost matrix** says it in numbers. Ours knows two calls: leave the lesion alone, or cut it out. The
# numbers are invented; doctors and patients would have to agree on them.

# %%
calls = np.array(["leave alone", "cut out"])
costs = pd.DataFrame({"leave alone": 0, "cut out": 1}, index=names)
costs.loc["mel"] = [30, 0]
costs.loc[["bcc", "akiec"]] = [10, 0]
costs

# %% [markdown]
# **Exercise seven_diagnoses.3** Write `cheapest_call(p, costs)`. `p` has a row for each image and a column for each
# truth; `costs` is an array with a row for each truth and a column for each call. Return for each image
# the number of the call with the lowest expected cost.


# %% tags=["exercise"]
def cheapest_call(p, costs):
    return ...


exercises.check("seven_diagnoses.3", cheapest_call)


# %% tags=["solution"]
def cheapest_call(p, costs):
    return (p @ costs).argmin(axis=1)


exercises.check("seven_diagnoses.3", cheapest_call)

# %%
dangerous = ["akiec", "bcc", "mel"]
cancer = np.isin(truth, dangerous)
likeliest = np.isin(called, dangerous)
cheapest = (p @ costs.to_numpy()).argmin(axis=1) == 1
rows = {}
for name, cut in {"likeliest": likeliest, "cheapest": cheapest}.items():
    rows[name] = [sum(cancer & ~cut), sum(~cancer & cut)]
columns = ["cancers left alone", "harmless cut out"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns)

# %% [markdown]
# The same network, the same probabilities, another decision: fewer cancers are left alone, and more
# harmless lesions are cut out. A diagnosis is not a decision.
#
# ## The hidden question
#
# **Exercise seven_diagnoses.4** Write `cancer_or_precursor(p)`: the probability that a lesion is `akiec`, `bcc` or
# `mel`. The columns of `p` stand in the order of `data.DX`.


# %% tags=["exercise"]
def cancer_or_precursor(p):
    return ...


exercises.check("seven_diagnoses.4", cancer_or_precursor)


# %% tags=["solution"]
def cancer_or_precursor(p):
    columns = [data.DX.index(name) for name in ["akiec", "bcc", "mel"]]
    return p[:, columns].sum(axis=1)


exercises.check("seven_diagnoses.4", cancer_or_precursor)

# %% [markdown]
# The test set, opened once. Does the seven-way head answer both questions? **AUC** is the chance that a
# random lesion of the kind we look for gets a higher score than a random other one.

# %%
p_test = head.predict(cached(test), verbose=0)
dx_test = test.table["dx"].to_numpy(str)
p_cancer = p_test[:, np.isin(names, dangerous)].sum(axis=1)
is_cancer = np.isin(dx_test, dangerous).astype(int)
groups = test.table["group"]
aucs = {}
for name, y, score in [
    ("melanoma?", test.melanoma, p_test[:, -1]),
    ("cancer or precursor?", is_cancer, p_cancer),
    ("the same, from p(melanoma)", is_cancer, p_test[:, -1]),
]:
    aucs[name] = evaluation.estimate(roc_auc_score, y, score, groups)
    print(f"{name} AUC {aucs[name]:.2f}")

# %%
summed = evaluation.difference(
    roc_auc_score, is_cancer, p_cancer, p_test[:, -1], groups
)
print(f"sum of three minus p(melanoma): {summed:+.3f}")

# %% [markdown]
# The sum of three does better on the second question, by about 0.04. The interval lies above zero, though
# only just: shown.
#
# Does a network lose on the first question when it learns seven answers? On all of HAM10000, three
# trainings each, seven answers instead of two changed the AUC for melanoma by
# {{ quote("ladder", "gains.seven diagnoses", "+.3f") }}:
# {{ verdict("ladder", "gains.seven diagnoses") }}.
#
# ## All of HAM10000
#
# Two images of a diagnosis cannot show anything. So here is the model that the course ships, on the
# 1,999 test images of all of HAM10000. It was trained on seven diagnoses. The file is
# `results/seven_diagnoses.json`.

# %%
full = results.committed("seven_diagnoses")
rows = {}
for name in full["images"]:
    found = full["sensitivity"]["equal shares"][name]
    auc = full["roc_auc"][name]
    rows[name] = [full["images"][name], f"{found:.2f}", f"{auc:.2f}"]
columns = ["images", "sensitivity", "AUC against the rest"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns)

# %% [markdown]
# The balanced accuracy is {{ quote("seven_diagnoses", "balanced_accuracy.equal shares", ".2f") }}.
# For it, we divide each probability by the share of its diagnosis in training, and then take the
# largest. Without the division it is
# {{ quote("seven_diagnoses", "balanced_accuracy.likeliest", ".2f") }}. The winner of ISIC 2018 had
# {{ fact("0.885", "leaderboard of ISIC 2018, task 3") }}, on
# {{ fact("1,512", "test set of ISIC 2018, task 3") }} other images, with many large networks and
# more training images. So the two numbers cannot be compared directly.
#
# Three trainings of the same recipe together, their probabilities averaged, reach
# {{ quote("ensemble", "balanced_accuracy.together", ".2f") }}. Paired with the one that we ship,
# that is {{ quote("ensemble", "balanced_accuracy.together minus the shipped one", "+.3f") }}:
# {{ verdict("ensemble", "balanced_accuracy.together minus the shipped one", above="a gain", below="a loss") }},
# and three times the work.

# %% [markdown]
# And the hidden question? The sum of three has an AUC of
# {{ quote("seven_diagnoses", "malignant.roc_auc", ".2f") }}. The probability of melanoma alone has
# {{ quote("seven_diagnoses", "malignant.roc_auc_of_melanoma_probability", ".2f") }}, since it is
# low for the {{ quote("seven_diagnoses", "malignant.not_melanoma", "d") }} cancers and precursors
# that are no melanoma. The difference is {{ quote("seven_diagnoses", "malignant.gain", "+.2f") }}:
# {{ verdict("seven_diagnoses", "malignant.gain", below=None, zero=None) }}.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
called_test = names[p_test.argmax(axis=1)]
balanced = evaluation.estimate_diagnoses(measure, dx_test, called_test, groups)
name = f"seven_diagnoses-{SIZE}px"
facts = dict(SIZE=SIZE, SEED=SEED, EPOCHS=EPOCHS)
found = {"balanced_accuracy": balanced, "roc_auc": aucs}
first = ("balanced accuracy", balanced)
_ = results.keep(name, lesions.source, lesions.table, facts, found, first)

# %% [markdown]
# ## Key points
#
# - "Everything else" is not harmless: nearly one in ten is cancer or a precursor.
# - Accuracy follows the large class. Balanced accuracy counts each diagnosis the same.
# - Costs decide, not the likeliest diagnosis.
# - From seven probabilities you can answer more than one question.
#
# ## Check yourself
#
# <details><summary>A model of seven diagnoses has an accuracy of {{ fact("67 %", "an example") }}, and {{ fact("67 %", "an example") }} are moles. What is its
# balanced accuracy, if it says "mole" each time?</summary>
# One seventh: it finds all moles and none of the other six.</details>
#
# <details><summary>Class weights raise the balanced accuracy and lower the accuracy. Which is
# right?</summary>
# Both. Say what a mistake costs, and choose the measure that follows from it.</details>
#
# <details><summary>Why add up three probabilities instead of taking the largest?</summary>
# The diagnoses exclude each other. Three times a quarter is more than one half.</details>
#
# ## What comes next
#
# [Lesson {{ number_of("confidence") }}]({{ notebook_of("confidence") }}): when should a model not answer at all?
#
# ## References
#
# - Codella et al.: Skin Lesion Analysis Toward Melanoma Detection 2018,
#   [arXiv:1902.03368](https://arxiv.org/abs/1902.03368) (ISIC 2018).
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161).

# %%
ledger.show()
