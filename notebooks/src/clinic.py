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
# # {{ number }} · From a test set to a clinic: which numbers still hold?
#
# In our test set {{ shown("24 %") }} of the images are melanomas. In all of HAM10000 it is
# {{ shown("11 %") }}. Where everybody may have a mole checked, it is perhaps
# {{ fact("1 %", "an assumption") }}. The network stays the same. In this lesson you see which of
# its numbers change, and you correct its probabilities for another place. Then you check the
# numbers of somebody else.

# %% [markdown]
# **You will**
#
# - compute how many alarms are true where melanomas are rare;
# - draw a reliability diagram, and correct probabilities for another share of melanomas;
# - say what probability, threshold and label mean;
# - audit the numbers of a README.
#
# **You need** a little Python and NumPy, and lesson {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibrationDisplay
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import models, plots, pretrained, results, splits, training
from utils.quiet import keras

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10
COST_OF_MISS = 5.0

# %% [markdown]
# ## The same network
#
# We train the network of lesson {{ number_of("evaluation") }} again. Its threshold is the cheapest one on the validation set, if
# a missed melanoma costs as much as five false alarms.

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
threshold = evaluation.choose_threshold(y, p, COST_OF_MISS)

called = model.predict(test.images, verbose=0)[:, 0] >= threshold
sensitivity = recall_score(test.melanoma, called)
specificity = recall_score(test.melanoma, called, pos_label=0)
print(f"sensitivity {sensitivity:.2f}, specificity {specificity:.2f}")
precision = precision_score(test.melanoma, called)
print(f"{sum(called)} alarms, a share of {precision:.2f} is true")

# %% [markdown]
# **Sensitivity** is the share of melanomas that are found, **specificity** the share of everything
# else that is left alone. Each looks at one kind of lesion. So both stay the same where melanomas are
# rarer, as long as the lesions look the same.
#
# ## How many alarms are true?
#
# **Prevalence** is the share of melanomas among the lesions that are examined. The **predictive
# value** is the share of the alarms that are true; lesson {{ number_of("evaluation") }} called it
# precision. Here it is {{ shown("0.37") }}. Guess it for a place where
# {{ fact("1 of 100", "an assumption") }} lesions is a melanoma.

# %%
MY_SHARE = ...
ledger.guess("true alarms where 1 in 100 is a melanoma", MY_SHARE)


# %%
def people(prevalence=0.01):
    found = round(sensitivity, 2)
    spared = round(specificity, 2)
    diagrams.prevalence((0.24, prevalence), found, spared)


people()
# alt: Two grids of 1,000 people, judged by the same network. At 24 % prevalence more than a third of the alarms are true. At 1 % nearly all alarms are false.

# %% [markdown]
# On the right only {{ fact("10 of 1,000", "the figure above") }} people have a melanoma. The
# network finds them. But it also raises a false alarm for about half of the other
# {{ fact("990", "1,000 - 10") }}. So nearly every alarm is false.
#
# **Try it.** At which prevalence is every second alarm true?

# %%
_ = ipywidgets.interact(people, prevalence=(0.01, 0.5, 0.01))


# %% [markdown]
# Now as a function. We can check it: the full split of HAM10000 has a test set of 1,999 images,
# and {{ shown("11 %") }} of them are melanomas. We compute the predictive value there from
# sensitivity and specificity above. Then we count it.


# %%
def predictive_value(prevalence):
    found = sensitivity * prevalence
    false_alarms = (1 - specificity) * (1 - prevalence)
    return found / (found + false_alarms)


def full_test_set(table):
    table = splits.full(table)
    return table[table["split"] == "test"]


# %%
full = data.load_lesions(SOURCE, SIZE, full_test_set)
y_full = full.melanoma
p_full = model.predict(full.images, verbose=0)[:, 0]

for prevalence in [test.melanoma.mean(), y_full.mean(), 0.02, 0.01]:
    value = predictive_value(prevalence)
    print(f"prevalence {prevalence:.2f}: {value:.3f} of the alarms are true")
counted = precision_score(y_full, p_full >= threshold)
at_one = predictive_value(0.01)
ledger.outcome("true alarms where 1 in 100 is a melanoma", at_one)
print(f"counted in the full test set: {counted:.3f}")

# %% [markdown]
# Computed and counted agree well: both sets come from the same two clinics. At 1 % only about
# {{ fact("2 of 100", "the last line above, rounded") }} alarms are true. No weight of the network
# has changed. So a precision or an accuracy means little without its prevalence.
#
# **Exercise clinic.1** And the lesions that the network calls "benign", which only means *not melanoma*?
# Write `missed_share(sensitivity, specificity, prevalence)`: the share of them that are melanomas.


# %% tags=["exercise"]
def missed_share(sensitivity, specificity, prevalence):
    return ...


exercises.check("clinic.1", missed_share)


# %% tags=["solution"]
def missed_share(sensitivity, specificity, prevalence):
    missed = (1 - sensitivity) * prevalence
    left_alone = specificity * (1 - prevalence)
    return missed / (missed + left_alone)


exercises.check("clinic.1", missed_share)

# %% [markdown]
# ## Does a probability of {{ fact("0.3 mean 3 in 10", "a definition") }}?
#
# A model is **calibrated** if {{ fact("3 of 10", "a definition") }} images with a probability of
# {{ fact("0.3", "a definition") }} are melanomas. We first calibrate ours where we may: on the
# validation set. **Platt scaling** is a logistic regression with one input, the network's
# **log-odds**, log(p / (1 - p)). It stretches and shifts them. The order of the images stays, and
# so does the AUC.


# %%
def log_odds(p):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


platt = LogisticRegression(C=1e6)  # almost no penalty
platt.fit(log_odds(p)[:, None], y)
at_validation = platt.predict_proba(log_odds(p)[:, None])[:, 1]
print(f"mean probability on validation: {at_validation.mean():.2f}")

# %% [markdown]
# As it should be: 24 % are melanomas there. We take this model to the full test set with its
# {{ shown("11 %") }}. Guess the mean probability there.

# %%
MY_MEAN = ...
ledger.guess("mean probability, full test set", MY_MEAN)

# %%
calibrated = platt.predict_proba(log_odds(p_full)[:, None])[:, 1]
ledger.outcome("mean probability, full test set", calibrated.mean())
print(f"mean probability: {calibrated.mean():.2f}")
print(f"share of melanomas: {y_full.mean():.2f}")

# %% [markdown]
# On average they are twice as high as they should be. Why? A probability is made of two things: what the image
# shows, and how common melanomas were in training. The second part is wrong here.
#
# In log-odds the two parts are *added*. So we subtract the old prevalence and add the new one. The new
# one must not come from the test set; we count it in the training and validation sets of HAM10000.

# %%
table, _ = data.load_table(SOURCE)
whole = splits.full(table)
others = whole[whole["split"] != "test"]
prevalence = (others["dx"] == "mel").mean()
shift = log_odds(prevalence) - log_odds(train.melanoma.mean())
corrected = 1 / (1 + np.exp(-(log_odds(calibrated) + shift)))
print(f"shift {shift:.2f}, mean probability now {corrected.mean():.2f}")

# %%
figure, ax = plt.subplots(figsize=(6, 4.4), layout="constrained")
curves = {"calibrated at 24 %": calibrated, "corrected": corrected}
looks = [("s", plots.PALETTE[1]), ("o", plots.PALETTE[0])]
for (name, q), (marker, color) in zip(curves.items(), looks, strict=True):
    look = {"marker": marker, "color": color, "name": name, "ax": ax}
    CalibrationDisplay.from_predictions(
        y_full, q, n_bins=8, strategy="quantile", ref_line=False, **look
    )
ax.axline((0, 0), slope=1, color="k", linestyle=":", label="perfect")
ax.set(xlabel="mean probability", ylabel="share of melanomas")
ax.legend(loc="upper left")
_ = figure.suptitle(plots.title("Full test set", lesions.source))
# alt: Reliability diagram of the full test set. The curve of the probabilities calibrated at 24 % lies clearly below the diagonal. The corrected curve lies near the diagonal.

# %% [markdown]
# This is a **reliability diagram**: each point is a group of
# {{ fact("250", "1,999 images in 8 bins") }} images with similar probabilities. On the diagonal
# the probabilities are right. Below it they are too high. The correction moves the points to the
# left, close to the diagonal.
#
# One number for it is the **expected calibration error** (ECE): in ten bins of probability, how far is
# the mean probability from the share of melanomas, on average?


# %%
def calibration_error(y, p):
    bins = np.minimum(p * 10, 9).astype(int)
    gaps = pd.Series(p - y).groupby(bins).sum().abs()
    return gaps.sum() / len(y)


rng = np.random.default_rng(SEED)
drawn = rng.random(len(corrected)) < corrected
print(f"calibrated at 24 %: {calibration_error(y_full, calibrated):.3f}")
print(f"corrected: {calibration_error(y_full, corrected):.3f}")
print(f"perfect probabilities: {calibration_error(drawn, corrected):.3f}")

# %% [markdown]
# The last line is a warning. There we *drew* the labels from the probabilities, so these are perfect,
# and still the ECE is not zero. With few images it is never zero. And a model that always says 11 % has
# a small ECE too, though it knows nothing.
#
# **Exercise clinic.2** Write `recalibrated(p, before, after)`: an array of probabilities, right at the
# prevalence `before`, corrected for `after`. Our network says 0.5 for a lesion, calibrated at 0.24. What
# should it say where 2 of 100 lesions are melanomas?


# %% tags=["exercise"]
def recalibrated(p, before, after):
    return ...


says_now = ...

exercises.check("clinic.2", (recalibrated, says_now))


# %% tags=["solution"]
def recalibrated(p, before, after):
    shift = log_odds(after) - log_odds(before)
    return 1 / (1 + np.exp(-(log_odds(p) + shift)))


says_now = recalibrated(0.5, 0.24, 0.02)

exercises.check("clinic.2", (recalibrated, says_now))

# %% [markdown]
# ## Probability, threshold, label
#
# With right probabilities you need no search for a threshold. Take a lesion with the probability p,
# and count costs in false alarms again. Without an alarm the expected cost is 5 p; with one it is
# 1 - p. The alarm is cheaper from p = 1 / (1 + 5) on, at any prevalence.


# %%
def cost_of_100(called):
    missed = np.mean((y_full == 1) & ~called)
    alarms = np.mean((y_full == 0) & called)
    return 100 * (COST_OF_MISS * missed + alarms)


right_threshold = 1 / (1 + COST_OF_MISS)
print("cost of 100 lesions in the full test set, in false alarms")
print(f"call none: {cost_of_100(p_full > 1):.0f}")
print(f"threshold from validation: {cost_of_100(p_full >= threshold):.0f}")
print(f"corrected: {cost_of_100(corrected >= right_threshold):.0f}")

# %% [markdown]
# The threshold that was cheapest at {{ shown("24 %") }} is hardly better than no alarm at all
# here. The correction lowers the cost by about a third, and used no label of the test set.
#
# The course's `predict_skin_cancer` returns a label and a confidence: the probability of this
# label. The threshold of the shipped model is {{ quote("shipped_model", "threshold", ".2f") }},
# chosen to find {{ fact("9 of 10", "calibration of the shipped model") }} melanomas. So it can
# answer `("melanoma", {{ quote("shipped_model", "threshold", ".2f") }})`. That is no mistake. The
# probability says how likely a melanoma is. The label only says on which side of the threshold it
# lies. So read `answer.probability` and `answer.threshold` too.

# %% [markdown]
# ## Audit of a README
#
# The project from which this course grew prints four numbers and a confusion matrix for its test set
# of 200 images. F1 is a mean of precision and sensitivity (the harmonic mean). You need no image to
# check these numbers.

# %%
print(results.CLAIMED_CONFUSION)
(tn, fp), (fn, tp) = results.CLAIMED_CONFUSION.tolist()
own = {
    "accuracy": (tn + tp) / (tn + fp + fn + tp),
    "precision": tp / (tp + fp),
    "sensitivity": tp / (tp + fn),
    "f1": 2 * tp / (2 * tp + fp + fn),
}
print(f"images in the matrix: {tn + fp + fn + tp}, melanomas: {fn + tp}")
pd.DataFrame({"claimed": results.CLAIM, "from its matrix": own}).round(3)

# %% [markdown]
# The matrix has {{ fact("50", "250 - 200") }} images too many, and none of the four numbers
# follows from it. Its F1 is 0.67, not 0.81. Perhaps only the matrix is wrong?
#
# **Exercise clinic.3** Write `fits(images, melanomas)`: is there *any* confusion matrix with so many
# images and melanomas that gives all four claims? Round the accuracy to three digits, the others to
# two. Return `True` or `False`. Try 200 images with 48 melanomas, our test set.


# %% tags=["exercise"]
def fits(images, melanomas):
    return ...


exercises.check("clinic.3", fits)


# %% tags=["solution"]
def fits(images, melanomas):
    for tp in range(1, melanomas + 1):
        for fp in range(images - melanomas + 1):
            wrong = melanomas - tp + fp
            accuracy = round(1 - wrong / images, 3)
            precision = round(tp / (tp + fp), 2)
            sensitivity = round(tp / melanomas, 2)
            f1 = round(2 * tp / (2 * tp + wrong), 2)
            if (accuracy, precision, sensitivity, f1) == (
                0.852,
                0.83,
                0.79,
                0.81,
            ):
                return True
    return False


exercises.check("clinic.3", fits)

# %% [markdown]
# Now the code. The README says that 96 pixels are the smallest input, and the code divides the pixels
# by 255. We ask Keras.

# %% tags=["nbval-check-output"]
mobilenet = keras.applications.MobileNetV2
small = mobilenet((32, 32, 3), 0.35, include_top=False, weights=None)
print("a 32 x 32 image gives features of shape", small.output.shape[1:])
pixels = np.array([0.0, 255.0])
print(keras.applications.mobilenet_v2.preprocess_input(pixels))

# %% [markdown]
# 32 pixels are enough. And the ImageNet weights expect values from -1 to 1, not from 0 to 1. The
# project also keeps the epoch with the best accuracy; lesson {{ number_of("evaluation") }} showed what accuracy hides.
#
# None of this proves bad intent. It happens when you copy a number by hand, or run the cells in another
# order. This course writes its results to files, and its text reads them from there.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
groups = full.table["group"]
found = {"prevalence": prevalence, "threshold": threshold, "counted": counted}
for name, q in {"calibrated": calibrated, "corrected": corrected}.items():
    found[f"ece {name}"] = evaluation.estimate(
        calibration_error, y_full, q, groups, n_resamples=300
    )
auc = evaluation.estimate(
    evaluation.roc_auc, y_full, p_full, groups, n_resamples=300
)
used = dict(SIZE=SIZE, SEED=SEED, COST_OF_MISS=COST_OF_MISS)
used |= dict(EPOCHS=EPOCHS, FINE_TUNE_EPOCHS=FINE_TUNE_EPOCHS)
name = f"clinic-{SIZE}px"
headline = ("roc_auc", auc)
_ = results.keep(name, lesions.source, lesions.table, used, found, headline)

# %% [markdown]
# ## What would a clinic still need?
#
# Our correction assumes that each kind of lesion looks the same in both places. For a real clinic
# nobody has tested that. It needs images from other cameras, all skin tones, and every mole that people
# bring. And it needs a prospective study: first the threshold is fixed, then patients come, and doctors
# with the model are compared with doctors without it.

# %% [markdown]
# ## Key points
#
# - Sensitivity and specificity carry over only while the lesions look the same. The predictive value
#   never does: it moves with the prevalence.
# - Probabilities belong to a prevalence. In log-odds, one addition corrects them.
# - With right probabilities the threshold is 1 / (1 + cost of a miss).
# - Numbers of one test set must fit each other. You can check that without the data.

# %% [markdown]
# ## Check yourself
#
# <details><summary>Why are nearly all alarms false at {{ shown("1 %") }}, though sensitivity is high?</summary>
# There are {{ fact("99", "100 - 1") }} other lesions for each melanoma. Even a small share of false alarms among them is more
# than one found melanoma.</details>
#
# <details><summary>What does the correction for another prevalence assume?</summary>
# That the probabilities were right before, and that each kind of lesion looks the same in both places.
# Only the mix may differ.</details>
#
# <details><summary>Can a label be "melanoma" where the probability is one in ten?</summary>
# Yes, if the threshold is lower than that. A low threshold says that a missed melanoma costs much
# more than a false alarm.</details>
#
# ## What comes next
#
# You can judge a model now. Can we build a better one? [{{ number_of("better_models") }} · Better models]({{ notebook_of("better_models") }})
#
# ## References
#
# - Saerens, Latinne, Decaestecker: Adjusting the outputs of a classifier to new a priori
#   probabilities. Neural Computation 14:21, 2002,
#   [doi:10.1162/089976602753284446](https://doi.org/10.1162/089976602753284446).
# - Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks. ICML 2017,
#   [arXiv:1706.04599](https://arxiv.org/abs/1706.04599).
# - Platt: Probabilistic outputs for support vector machines. Advances in Large Margin Classifiers,
#   1999.
# - Naeini, Cooper, Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning.
#   AAAI 2015.
# - Elkan: The foundations of cost-sensitive learning. IJCAI 2001. The threshold 1 / (1 + cost).

# %%
ledger.show()
