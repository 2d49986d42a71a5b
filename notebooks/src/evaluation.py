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
# # {{ number }} · Evaluation: what does accuracy hide?
#
# In 2026 a study trained MobileNetV2 on HAM10000, in two stages, as you did. It reports an accuracy of
# {{ fact("82 %", "Garuda 6034128") }}. The same summary says: the model finds {{ fact("20 %", "Garuda 6034128") }} of the malignant
# lesions. This lesson shows how both can be true, and
# which numbers to ask for.

# %% [markdown]
# **You will**
#
# - read a confusion matrix, and compute sensitivity and specificity;
# - choose a threshold on the validation set, so that the model finds nine of ten melanomas there;
# - compare the model with its baselines on the test set, with intervals.
#
# **New words**: confusion matrix, sensitivity, specificity, ROC curve, precision, average precision
#
# **You need** lessons {{ number_of("intervals") }} and {{ number_of("fine_tuning") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Why do the BatchNorm layers of the base stay frozen while you fine-tune? (lesson {{ number_of("batchnorm") }})</summary>
# In training they would use the mean and variance of each batch, in prediction stored averages. Where these
# differ, training looks perfect and validation fails.</details>
#
# <details><summary>The weights of which epoch do we keep, and which images decide it? (lesson {{ number_of("training") }})</summary>
# Those of the epoch with the best score on the validation set. The test set decides nothing.</details>

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PrecisionRecallDisplay,
    RocCurveDisplay,
    accuracy_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import models, plots, pretrained, splits, training
from utils.baselines import baseline_probabilities
from utils.quiet import keras

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10

# %% [markdown]
# ## Accuracy hides missed melanomas
#
# The folded cell trains the model of lesson {{ number_of("fine_tuning") }} on 600 lesions. We look at the 200 of the
# validation set (which chose the epoch, so they flatter a little). A **threshold** turns its probability of melanoma into an answer: from `0.5` on, we call a
# lesion melanoma.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Loads 1,000 lesions and trains the model, as in the lesson fine_tuning
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
called = p >= 0.5
never = np.zeros(200, bool)  # calls no lesion melanoma
print(f"accuracy of the model: {accuracy_score(y, called):.2f}")
print(f"accuracy of the majority class: {accuracy_score(y, never):.2f}")

# %% [markdown]
# The **majority class** is our first baseline: it calls every lesion "benign" (*not melanoma*: other
# skin cancers are among these). It is right for three of four lesions, and finds no melanoma.
#
# Guess: which share of the 48 melanomas does the model find?

# %%
MY_SHARE = ...
ledger.guess("melanomas found at threshold 0.5", MY_SHARE)

# %%
names = ["other", "melanoma"]
ConfusionMatrixDisplay.from_predictions(
    y, called, display_labels=names, cmap="Blues", colorbar=False
)
plt.grid(False)
text = f"{np.sum((y == 1) & ~called)} of {np.sum(y)} melanomas are missed"
_ = plt.title(plots.title(text, lesions.source))
# alt: Confusion matrix of the validation set at threshold 0.5. Upper row, other lesions: nearly all are called other. Lower row, melanomas: two thirds are called other, one third melanoma.

# %% [markdown]
# This is a **confusion matrix**: each row is one truth, each column one answer. In the lower row, the model finds
# {{ fact("16", "the matrix above") }} of 48 melanomas and misses {{ fact("32", "the matrix above") }}. In the upper row it raises a
# false alarm for {{ fact("5", "the matrix above") }} of 152.
#
# Accuracy adds up both rows: a missed melanoma counts like a false alarm. And three of four lesions stand in
# the upper row. Better: one number for each row.

# %%
_ = diagrams.confusion_matrix()

# %% [markdown]
# **Sensitivity** is the share of melanomas that the model finds. **Specificity** is the share of other lesions
# that it leaves alone. scikit-learn calls the first one *recall*.

# %%
sensitivity = recall_score(y, called)
ledger.outcome("melanomas found at threshold 0.5", sensitivity, lesions.source)
print(f"sensitivity {sensitivity:.2f}")

# %% [markdown]
# Five such trainings found {{ fact("16 to 27", "seeds 0 to 4, measured") }} of the 48 melanomas at `0.5`.
#
# **Exercise evaluation.1** Write `rates(y, called)`. It returns a dictionary with the entries
# `"sensitivity"` and `"specificity"`, both from `recall_score`. Specificity is the recall of the *other*
# label, 0. `help(recall_score)` says how to ask for it.


# %% tags=["exercise"]
def rates(y, called):
    return ...


exercises.check("evaluation.1", rates)


# %% tags=["solution"]
def rates(y, called):
    return {
        "sensitivity": recall_score(y, called),
        "specificity": recall_score(y, called, pos_label=0),
    }


exercises.check("evaluation.1", rates)

# %% [markdown]
# ## Accuracy hides the choice of a threshold
#
# Nothing forces us to use `0.5`. Each dot is a lesion, the line is the threshold. Melanomas to the left of it are
# missed. Other lesions to the right are false alarms.

# %%
rates = exercises.use("evaluation.1", rates)
truth = np.where(y == 1, "melanoma", "other")
colors = {"melanoma": plots.MELANOMA, "other": plots.OTHER}


def show(threshold=0.5):
    found = rates(y, p >= threshold)
    plt.figure(figsize=(7, 2.8))
    sns.stripplot(x=p, y=truth, hue=truth, palette=colors, jitter=0.3)
    plt.axvline(threshold, color="black")
    plt.xscale("log")
    plt.gca().xaxis.set_major_formatter("{x:g}")
    plt.xlabel("probability of melanoma (log scale)")
    shares = f"{found['sensitivity']:.2f} and {found['specificity']:.2f}"
    text = f"At {threshold:.2f}: sensitivity and specificity {shares}"
    plt.title(plots.title(text, lesions.source))


# %%
show()
# alt: The 200 validation lesions as dots, by probability of melanoma on a logarithmic axis. Most melanomas and nearly all other lesions lie to the left of the threshold 0.5. Melanomas lie further right than other lesions, and both overlap.

# %% [markdown]
# Most melanomas lie further right than most other lesions, but not beyond `0.5`.
#
# **Try it.** Move the line. Where does the model find nine of ten melanomas, and what does that cost?

# %%
_ = ipywidgets.interact(show, threshold=(0.01, 0.99, 0.01))

# %% [markdown]
# Two curves show all thresholds at once, for the model and for the **colour baseline**, which uses nine colour
# values of an image and no shapes. Dotted: guessing.

# %%
baselines = baseline_probabilities(train, validation, test)
colours, colours_test = baselines["colour baseline"]

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4))
left.set_prop_cycle(color=plots.PALETTE[2:4], linestyle=["-", "--"])
right.set_prop_cycle(color=plots.PALETTE[2:4], linestyle=["-", "--"])
for name, score in {"model": p, "colours": colours}.items():
    RocCurveDisplay.from_predictions(y, score, name=name, ax=left)
    PrecisionRecallDisplay.from_predictions(y, score, name=name, ax=right)
left.axline((0, 0), slope=1, color="k", linestyle=":")
right.axhline(y.mean(), color="k", linestyle=":")
left.set(xlabel="false alarms (1 - specificity)", ylabel="sensitivity")
right.set(xlabel="sensitivity", ylabel="precision")
_ = figure.suptitle(plots.title("More found, more alarms", lesions.source))
# alt: Left, ROC curves: the model mostly above the colour baseline, both above the diagonal. Right, precision-recall curves: both fall as sensitivity rises, down to the share of melanomas, a quarter.

# %% [markdown]
# Left, the **ROC curve**: each point is one threshold. The area below is the **AUC**, the chance that a
# random melanoma gets a higher score than a random other lesion; 0.5 is guessing.
#
# Right, **precision** is the share of the alarms that are melanomas. The area below is the **average precision**
# (AP). Follow the curve to the right: where nearly all melanomas are found, most alarms are false.

# %% [markdown]
# **Exercise evaluation.2** A clinic wants nine of ten melanomas found. Write
# `threshold_for(sensitivity, y, p)`: the highest threshold that finds at least this share. Begin with
# `false_alarms, found, thresholds = roc_curve(y, p, drop_intermediate=False)`. The thresholds go down;
# `found` is the sensitivity at each.


# %% tags=["exercise"]
def threshold_for(sensitivity, y, p):
    return ...


exercises.check("evaluation.2", threshold_for)


# %% tags=["solution"]
def threshold_for(sensitivity, y, p):
    _, found, thresholds = roc_curve(y, p, drop_intermediate=False)
    return thresholds[found >= sensitivity][0]


exercises.check("evaluation.2", threshold_for)

# %% [markdown]
# ## The safer threshold has the lower accuracy
#
# Model and colours each get a threshold, chosen on validation. Only then we look at the held-out
# test set.

# %%
threshold_for = exercises.use("evaluation.2", threshold_for)
threshold = threshold_for(0.9, y, p)
threshold_colours = threshold_for(0.9, y, colours)
print(f"model {threshold:.3f}, colours {threshold_colours:.3f}")

# %%
y_test = test.melanoma
p_test = model.predict(test.images, verbose=0)[:, 0]
answers = {
    "majority class": never,
    "colours, chosen": colours_test >= threshold_colours,
    "model, 0.5": p_test >= 0.5,
    "model, chosen": p_test >= threshold,
}

# %%
rows = {}
for name, answer in answers.items():
    rows[name] = rates(y_test, answer)
    rows[name]["missed of 48"] = np.sum((y_test == 1) & ~answer)
    rows[name]["false alarms of 152"] = np.sum((y_test == 0) & answer)
    rows[name]["accuracy"] = accuracy_score(y_test, answer)
pd.DataFrame.from_dict(rows, orient="index").round(2)

# %% [markdown]
# With its chosen threshold the model has a **lower accuracy than the majority class**: 0.60 against 0.76. But
# it misses 3 of 48 melanomas; with 0.5 it misses 38. The price: 77 false alarms. 200 lesions cannot rank model and colours (see below).
#
# The **95 % interval** says where the score on very many such images probably lies.

# %%
groups = test.table["group"]
chosen = answers["model, chosen"]
found = evaluation.estimate(recall_score, y_test, chosen, groups)
loss = evaluation.difference(accuracy_score, y_test, chosen, never, groups)
print(f"sensitivity {found:.2f}")
print(f"accuracy, model minus majority class: {loss:+.2f}")

# %% [markdown]
# The lower accuracy is clear. The sensitivity rests on only 48 of the 200 lesions, so its interval is rough.

# %% [markdown]
# **Exercise evaluation.3** Is the model better than the colours? Compute the paired difference of their AUC on
# the test set with `evaluation.difference`, model minus colours (lesson {{ number_of("intervals") }}). Is it `"shown"` or
# `"inconclusive"`?

# %% tags=["exercise"]
gain = ...
word = ...

both = {"model": p_test, "colours": colours_test}
exercises.check("evaluation.3", (gain, word), y=y_test, **both)

# %% tags=["solution"]
gain = evaluation.difference(
    roc_auc_score, y_test, p_test, colours_test, groups
)
word = "inconclusive"  # zero lies inside the interval

both = {"model": p_test, "colours": colours_test}
exercises.check("evaluation.3", (gain, word), y=y_test, **both)

# %%
gain, word = exercises.use("evaluation.3", (gain, word), y=y_test, **both)
print(f"AUC, model minus colours: {gain:+.2f}, {word}")

# %% [markdown]
# More images decide it. On {{ quote("full_test", "test.images", ",") }} test images of HAM10000, after such a training, it
# is {{ quote("full_test", "28 px.network minus colours", "+.3f") }}:
# {{ verdict("full_test", "28 px.network minus colours", above="shown, for this one training", below=None, zero=None) }}. "Inconclusive" never means "equal".
#
# So accuracy hides how many melanomas are missed: it counts them together with the many other lesions. And it
# belongs to one threshold.

# %% [markdown]
# ## Key points
#
# - Sensitivity and specificity each read one row of the confusion matrix. Accuracy mixes the rows.
# - A threshold trades missed melanomas for false alarms. Choose it on validation, for a stated sensitivity.
# - Show counts, baselines and intervals. A sensitivity rests on the number of melanomas, not of images.

# %% [markdown]
# ## Check yourself
#
# <details><summary>A model has an accuracy of {{ fact("0.95", "an example") }}. What else do you ask?</summary>
# The share of melanomas in its test set, sensitivity and specificity with intervals, and how the threshold
# was chosen.</details>
#
# <details><summary>A program finds every melanoma: its sensitivity is 1. Is it good?</summary>
# Not for that alone. A program that always says "melanoma" does the same; its specificity is 0. Always ask
# for both.</details>
#
# <details><summary>Why may the test set not choose the threshold?</summary>
# A threshold that fits these 200 lesions looks better on them than on any others.</details>
#
# ## What comes next
#
# In our test set one lesion in four is a melanoma. Which of these numbers hold where melanomas are rarer?
# [{{ number_of("clinic") }} · From a test set to a clinic]({{ notebook_of("clinic") }})
#
# ## References
#
# - A study of MobileNetV2 on HAM10000, 2026: [Garuda 6034128](https://garuda.kemdiktisaintek.go.id/documents/detail/6034128)
#   (accuracy 82.42 %, recall 19.93 %).
# - Saito, Rehmsmeier: The precision-recall plot is more informative than the ROC plot when
#   evaluating binary classifiers on imbalanced datasets. PLoS ONE 10(3):e0118432, 2015,
#   [doi:10.1371/journal.pone.0118432](https://doi.org/10.1371/journal.pone.0118432).
# - scikit-learn: [metrics and scoring](https://scikit-learn.org/stable/modules/model_evaluation.html),
#   [tuning the threshold](https://scikit-learn.org/stable/modules/classification_threshold.html).

# %%
exercises.progress()

# %%
ledger.show()
