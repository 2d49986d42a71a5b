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
# # {{ number }} · Evaluation: what does a good accuracy hide?
#
# A network is right for four of five images. Would you trust it with your skin? It may miss most
# melanomas, and the accuracy does not tell you. In this lesson you say what a missed melanoma costs.
# Then you choose the threshold that costs least.

# %% [markdown]
# **You will**
#
# - read a confusion matrix, and compute sensitivity and specificity;
# - draw a ROC curve and a precision-recall curve;
# - choose a threshold for a stated cost, on the validation set;
# - open the test set once, and say how sure its numbers are.
#
# **You need** a little Python and NumPy; lesson {{ number_of("fine_tuning") }} shows the training. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import (
    PrecisionRecallDisplay,
    RocCurveDisplay,
    accuracy_score,
    confusion_matrix,
    recall_score,
    roc_auc_score,
)

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import models, plots, pretrained, results, splits, training
from utils.baselines import baseline_probabilities
from utils.quiet import keras

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10
COST_OF_MISS = 5.0

# %% [markdown]
# ## A network to judge
#
# We use 1,000 images of 1,000 different lesions: 600 for training, 200 for validation, 200 for the
# test. The next cell trains the network of lesson {{ number_of("fine_tuning") }} with the course's helpers: first a head on a frozen
# MobileNetV2, then the last 20 layers with it.

# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
test = lesions.subset("test")

keras.utils.set_random_seed(SEED)
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)
base = backbone.mobilenet_v2(0.35, SIZE, 96, weights)
model = models.melanoma_classifier(base)
epochs = (EPOCHS, FINE_TUNE_EPOCHS)
_ = training.two_stages(base, model, train, validation, epochs, verbose=0)

# %%
y = validation.melanoma
p = model.predict(validation.images, verbose=0)[:, 0]
print(f"{len(y)} validation images, {y.sum()} of them melanomas")

# %% [markdown]
# `p` holds a probability of melanoma for each image. A **threshold** turns it into an answer: from
# this probability on, we call an image melanoma. {{ fact("0.5", "a convention") }} is the usual
# one.
#
# We work with the validation set. The test set stays closed until everything is chosen.
#
# ## Accuracy hides missed melanomas

# %%
called = p >= 0.5
print(f"accuracy of the network: {accuracy_score(y, called):.2f}")
print(f"accuracy of the majority class: {1 - y.mean():.2f}")

# %% [markdown]
# The **majority class** is our first baseline. It calls every image "benign", which here only means
# *not melanoma*: other skin cancers are among them. It finds no melanoma at all.
#
# The network is right more often. Guess: what share of the 48 melanomas does it find?

# %%
MY_SHARE = ...
ledger.guess("melanomas found at threshold 0.5", MY_SHARE)

# %%
counts = confusion_matrix(y, called)
_ = plots.confusion_counts(counts, "threshold 0.50", lesions.source)
# alt: Confusion matrix of the validation set at threshold 0.5. Upper row, truly benign: nearly all called benign. Lower row, truly melanoma: two thirds called benign, one third called melanoma.

# %% [markdown]
# This is a **confusion matrix**. Each row is one truth. Look at the lower row, the melanomas: the
# network finds {{ fact("16", "the matrix above") }} of 48 and misses
# {{ fact("32", "the matrix above") }}. In the upper row it raises a false alarm for
# {{ fact("5", "the matrix above") }} of 152.
#
# The accuracy mixes both rows, and three of four images stand in the upper one. So missed melanomas
# hardly lower it. It is better to give each row its own number.

# %%
_ = diagrams.confusion_matrix()

# %%
sensitivity = recall_score(y, called)
specificity = recall_score(y, called, pos_label=0)
ledger.outcome("melanomas found at threshold 0.5", sensitivity)
print(f"sensitivity {sensitivity:.2f}, specificity {specificity:.2f}")

# %% [markdown]
# **Sensitivity** is the share of melanomas that the network finds. **Specificity** is the share of
# everything else that it leaves alone. **Precision** is the share of the alarms that are melanomas.
#
# **Exercise evaluation.1** Write `counts_of(y, called)` without scikit-learn. It returns the four counts as
# `[[true negatives, false positives], [false negatives, true positives]]`.


# %% tags=["exercise"]
def counts_of(y, called):
    return ...


exercises.check("evaluation.1", counts_of)


# %% tags=["solution"]
def counts_of(y, called):
    upper = [np.sum((y == 0) & ~called), np.sum((y == 0) & called)]
    lower = [np.sum((y == 1) & ~called), np.sum((y == 1) & called)]
    return [upper, lower]


exercises.check("evaluation.1", counts_of)

# %% [markdown]
# **Try it.** Nobody forces us to use `0.5`. Move the threshold and watch both rows. Where does the
# network find {{ fact("9 of 10", "a wish") }} melanomas, and how many false alarms does it raise
# there?


# %%
@ipywidgets.interact(threshold=(0.01, 0.99, 0.01))
def move(threshold=0.5):
    moved = confusion_matrix(y, p >= threshold)
    heading = f"threshold {threshold:.2f}"
    plots.confusion_counts(moved, heading, lesions.source)


# %% [markdown]
# A lower threshold finds more melanomas and raises more false alarms. You cannot lower both errors
# by moving it.
#
# ## All thresholds at once
#
# Two curves show every threshold in one figure. We draw them for the network and for the **colour
# baseline**, which sees nine colour values of an image and no shapes.

# %%
baselines = baseline_probabilities(train, validation, test)
colours, colours_test = baselines["colour baseline"]

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
displays = [RocCurveDisplay, PrecisionRecallDisplay]
for ax, display in zip(axes, displays, strict=True):
    ax.set_prop_cycle(color=plots.PALETTE[:2], linestyle=["-", "--"])
    display.from_predictions(y, p, name="network", ax=ax)
    display.from_predictions(y, colours, name="colours", ax=ax)
axes[0].plot([0, 1], [0, 1], "k:", label="majority class")
axes[1].axhline(y.mean(), color="k", linestyle=":", label="majority class")
axes[0].set(xlabel="false alarms (1 - specificity)", ylabel="sensitivity")
axes[1].set(xlabel="sensitivity (recall)", ylabel="precision")
axes[0].legend(loc="lower right", fontsize=9)
axes[1].legend(loc="upper right", fontsize=9)
_ = figure.suptitle(plots.title("Validation set", lesions.source))
# alt: Left, ROC curves: the network above the colour baseline at most places, both above the diagonal. Right, precision-recall curves: both fall as sensitivity rises, down to the share of melanomas, about a quarter.

# %% [markdown]
# Left, the **ROC curve**: each point is one threshold. Further up means more melanomas found, further
# right more false alarms. The area below is the **AUC**, the chance that a random melanoma gets a
# higher probability than a random other image; 0.5 is guessing. The network lies above the colours in
# most places.
#
# Right, the **precision-recall curve**; AP is the area below. Follow it to the right end: where nearly
# all melanomas are found, most alarms are false.
#
# **Exercise evaluation.2** A clinic wants 9 of 10 melanomas found. Write `threshold_for(sensitivity, y, p)`:
# the highest threshold that still finds at least this share. Use it with `0.9` on the validation set.
# How many false alarms does this threshold raise?


# %% tags=["exercise"]
def threshold_for(sensitivity, y, p):
    return ...


false_alarms = ...

exercises.check("evaluation.2", (threshold_for, false_alarms), y=y, p=p)


# %% tags=["solution"]
def threshold_for(sensitivity, y, p):
    best = 0.0
    for threshold in np.unique(p):  # from low to high
        if recall_score(y, p >= threshold) >= sensitivity:
            best = threshold
    return best


alarm = p >= threshold_for(0.9, y, p)
false_alarms = np.sum(alarm & (y == 0))

exercises.check("evaluation.2", (threshold_for, false_alarms), y=y, p=p)

# %% [markdown]
# ## What does a missed melanoma cost?
#
# A false alarm means a visit to a doctor, perhaps a small operation. A missed melanoma can cost a
# life. How many false alarms is one missed melanoma worth? Doctors and patients must answer that; no
# program can. We take five, only to calculate with.
#
# Now each threshold has a cost. We count it in false alarms.


# %%
def total_cost(y, called, cost_of_miss):
    missed = np.sum((y == 1) & ~called)
    alarms = np.sum((y == 0) & called)
    return cost_of_miss * missed + alarms


thresholds = np.unique(p)
costs = [total_cost(y, p >= t, COST_OF_MISS) for t in thresholds]
cheapest = thresholds[np.argmin(costs)]
print(f"cheapest threshold: {cheapest:.3f}, cost {min(costs):.0f}")
print(f"threshold 0.5: cost {total_cost(y, called, COST_OF_MISS):.0f}")

# %%
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
five = f"a miss costs {COST_OF_MISS:g} alarms"
ax.step(thresholds, costs, where="pre", label=five)
equal = [total_cost(y, p >= t, 1) for t in thresholds]
ax.step(thresholds, equal, "--", where="pre", label="a miss costs 1 alarm")
ax.axvline(cheapest, color="k", linestyle=":")
ax.set(xscale="log", xlabel="threshold", ylabel="cost in false alarms")
ax.xaxis.set_major_formatter("{x:g}")
ax.legend()
_ = figure.suptitle(plots.title("Cost on validation", lesions.source))
# alt: Cost by threshold on a logarithmic axis. If a miss costs 5 alarms, the lowest point lies at a threshold near 0.03, marked by a dotted line. If a miss costs 1 alarm, it lies far to the right.

# %% [markdown]
# The cheapest threshold lies near 0.03, far from 0.5, and costs about half. The dashed curve counts
# a miss like a false alarm. Accuracy does the same, and the lowest point of this curve lies much
# further right. Both curves are flat near their lowest point: other thresholds there cost about the
# same.
#
# `evaluation.choose_threshold` does the search in one line, and takes the middle between two
# probabilities. The colour baseline gets a threshold of its own, for the same cost.

# %%
threshold = evaluation.choose_threshold(y, p, COST_OF_MISS)
threshold_colours = evaluation.choose_threshold(y, colours, COST_OF_MISS)
print(f"network {threshold:.3f}, colours {threshold_colours:.3f}")

# %% [markdown]
# **Exercise evaluation.3** Somebody says: "Five is too much." From which cost of a miss on is the low
# threshold cheaper than 0.5? Write `break_even(y, low, high)` for two arrays of answers: the cost of a
# miss at which both cost the same.


# %% tags=["exercise"]
def break_even(y, low, high):
    return ...


exercises.check(
    "evaluation.3", break_even, y=y, low=p >= threshold, high=p >= 0.5
)


# %% tags=["solution"]
def break_even(y, low, high):
    more_alarms = np.sum(low & (y == 0)) - np.sum(high & (y == 0))
    fewer_missed = np.sum(~high & (y == 1)) - np.sum(~low & (y == 1))
    return more_alarms / fewer_missed


exercises.check(
    "evaluation.3", break_even, y=y, low=p >= threshold, high=p >= 0.5
)

# %% [markdown]
# ## The test set, opened once
#
# We chose the best epoch and the thresholds on validation, so the numbers from there are a little too
# good. Now nothing is left to choose, and we open the test set. Guess the network's accuracy there, at
# the chosen threshold.

# %%
MY_ACCURACY = ...
ledger.guess("accuracy at the chosen threshold", MY_ACCURACY)

# %%
y_test = test.melanoma
p_test = model.predict(test.images, verbose=0)[:, 0]
answers = {
    "always benign": p_test > 1,  # never true
    "always melanoma": p_test >= 0,  # always true
    "colours, chosen": colours_test >= threshold_colours,
    "network, 0.5": p_test >= 0.5,
    "network, chosen": p_test >= threshold,
}

# %%
rows = {}
for name, answer in answers.items():
    rows[name] = {
        "accuracy": round(accuracy_score(y_test, answer), 2),
        "missed": np.sum((y_test == 1) & ~answer),
        "false alarms": np.sum((y_test == 0) & answer),
        "cost": total_cost(y_test, answer, COST_OF_MISS),
    }
accuracy = rows["network, chosen"]["accuracy"]
ledger.outcome("accuracy at the chosen threshold", accuracy)
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# At the chosen threshold the network has a **lower accuracy than "always benign", and the lowest cost**.
# It misses 1 melanoma of 48, and raises a false alarm for about half of the other images. Whether that
# is good depends on what a miss costs. The accuracy cannot tell you.
#
# How sure are these numbers? `evaluation.estimate` draws the test lesions again and again, with
# replacement. The middle 95 % of the results is the **95 % interval** (lesson {{ number_of("intervals") }}).


# %%
def sensitivity_of(y, answer):
    return np.mean(answer[y == 1])


def specificity_of(y, answer):
    return 1 - np.mean(answer[y == 0])


# %%
groups = test.table["group"]
for name in ["network, 0.5", "network, chosen"]:
    answer = answers[name]
    found = evaluation.estimate(sensitivity_of, y_test, answer, groups)
    spared = evaluation.estimate(specificity_of, y_test, answer, groups)
    print(f"{name}: sensitivity {found:.2f}, specificity {spared:.2f}")

# %% [markdown]
# At 0.5 the network may find one in ten melanomas or one in three: 48 melanomas do not say more. On
# validation it was one in three.
#
# ## Is it better than the colours?
#
# The table says {{ shown("86") }} for the network and {{ shown("92") }} for the colours. We
# compare both on the same images, by the **paired difference** of lesson
# {{ number_of("intervals") }}.
#
# **Exercise evaluation.4** Write `cost_per_image(y, called)`: the cost divided by the number of images. Then
# compute the paired difference, network minus colours, with `evaluation.difference`. Is a difference
# `"shown"`, or is it `"inconclusive"`? (`called` arrives as an array of 0 and 1.)

# %%
network_called = answers["network, chosen"]
colours_called = answers["colours, chosen"]


# %% tags=["exercise"]
def cost_per_image(y, called):
    return ...


gain = ...
word = ...

mine = (cost_per_image, gain, word)
both = {"network": network_called, "colours": colours_called}
exercises.check("evaluation.4", mine, y=y_test, cost=COST_OF_MISS, **both)


# %% tags=["solution"]
def cost_per_image(y, called):
    return total_cost(y, called == 1, COST_OF_MISS) / len(y)


gain = evaluation.difference(
    cost_per_image, y_test, network_called, colours_called, groups
)
word = "shown" if gain.low > 0 or gain.high < 0 else "inconclusive"

mine = (cost_per_image, gain, word)
both = {"network": network_called, "colours": colours_called}
exercises.check("evaluation.4", mine, y=y_test, cost=COST_OF_MISS, **both)

# %% [markdown]
# And the AUC, which needs no threshold?

# %%
better = evaluation.difference(
    roc_auc_score, y_test, p_test, colours_test, groups
)
print(f"AUC, network minus colours: {better:+.2f}")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
measures = {"sensitivity": sensitivity_of, "specificity": specificity_of}
kept = {"threshold": threshold, "network minus colours": better}
for name, measure in measures.items():
    kept[name] = evaluation.estimate(measure, y_test, network_called, groups)
network = evaluation.estimate(evaluation.roc_auc, y_test, p_test, groups)
used = dict(SIZE=SIZE, SEED=SEED, COST_OF_MISS=COST_OF_MISS)
used |= dict(EPOCHS=EPOCHS, FINE_TUNE_EPOCHS=FINE_TUNE_EPOCHS)
_ = results.keep(
    f"evaluation-{SIZE}px",
    lesions.source,
    lesions.table,
    used,
    kept,
    headline=("roc_auc", network),
)

# %% [markdown]
# Inconclusive: 200 images cannot decide which is better. The same recipe, trained once, was also judged on
# {{ quote("full_test", "test.images", ",") }} test images of HAM10000. There the difference is
# {{ quote("full_test", "28 px.network minus colours", "+.3f") }}: shown. "Inconclusive" does not mean
# "equal".
#
# ## Key points
#
# - Accuracy counts a missed melanoma like a false alarm, and most images are not melanomas.
# - Sensitivity and specificity each read one row of the confusion matrix.
# - A threshold follows from a stated cost. Choose it on validation, and say the cost.
# - Open the test set once, when nothing is left to choose.
# - The interval of a sensitivity rests on the number of melanomas, not of images.

# %% [markdown]
# ## Check yourself
#
# <details><summary>A model has an accuracy of {{ fact("0.95", "an example") }}. What else do you ask?</summary>
# The share of melanomas in the test set, sensitivity and specificity with their intervals, and how
# the threshold was chosen.</details>
#
# <details><summary>Why may the test set not choose the threshold?</summary>
# A threshold that fits the chance of these 200 images looks better on them than on any
# others.</details>
#
# <details><summary>The AUC of two models is the same. Do they cost the same?</summary>
# Not necessarily. The AUC looks at all thresholds; the cost looks at the one that you
# chose.</details>
#
# ## What comes next
#
# In our test set about one image in four is a melanoma. What do these numbers say in a clinic, where
# melanomas are rarer? [{{ number_of("clinic") }} · From a test set to a clinic]({{ notebook_of("clinic") }})
#
# ## References
#
# - Elkan: The foundations of cost-sensitive learning. IJCAI 2001.
# - Saito, Rehmsmeier: The precision-recall plot is more informative than the ROC plot when
#   evaluating binary classifiers on imbalanced datasets. PLoS ONE 10(3):e0118432, 2015,
#   [doi:10.1371/journal.pone.0118432](https://doi.org/10.1371/journal.pone.0118432).
# - Field, Welsh: Bootstrapping clustered data. J. R. Stat. Soc. B 69:369, 2007,
#   [doi:10.1111/j.1467-9868.2007.00593.x](https://doi.org/10.1111/j.1467-9868.2007.00593.x).
# - scikit-learn: [metrics and scoring](https://scikit-learn.org/stable/modules/model_evaluation.html).

# %%
ledger.show()
