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
# # {{ number }} · Clinic: which numbers survive another prevalence?
#
# In our test set {{ shown("24 %") }} of the lesions are melanomas, because we drew it so. On a screening day in
# Switzerland {{ fact("2,795", "Lieberherr 2017") }} people came, and 6 of them had a melanoma. The same model
# could be used in both places. Which of its numbers still hold there, and can you repair the others?

# %% [markdown]
# **You will**
#
# - find out which scores change with the share of melanomas;
# - calibrate probabilities with a logistic regression, and move them to another place;
# - decide by net benefit whether the model is worth using there.
#
# **New words**: prevalence, calibrated, odds, reliability diagram, net benefit
#
# **You need** lesson {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% [markdown]
# **Do you remember?**
#
# <details><summary>A model has a high accuracy. Why can it still miss most melanomas? (lesson {{ number_of("evaluation") }})</summary>
# Accuracy counts the melanomas together with the many other lesions. Sensitivity looks at the melanomas
# alone.</details>
#
# <details><summary>You unfreeze the last layers of the base. What must you do before `fit`? (lesson {{ number_of("fine_tuning") }})</summary>
# Compile the model again, with a lower learning rate.</details>

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import models, plots, pretrained, splits, training
from utils.quiet import keras

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10

# %% [markdown]
# ## Sensitivity survives, precision does not
#
# The folded cell trains the model of lesson {{ number_of("evaluation") }}. Its threshold is the highest one that finds nine of
# ten melanomas on the validation set.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Trains the model, and chooses the threshold, as in the lesson evaluation
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
y = validation.melanoma
p = model.predict(validation.images, verbose=0)[:, 0]
p = p.clip(1e-6, 1 - 1e-6)  # odds need a probability below 1
_, found, thresholds = roc_curve(y, p, drop_intermediate=False)
threshold = thresholds[found >= 0.9][0]


# %%
def scores(y, p, w=None):
    alarm = p >= threshold
    return {
        "sensitivity": recall_score(y, alarm, sample_weight=w),
        "specificity": recall_score(y, alarm, pos_label=0, sample_weight=w),
        "AUC": roc_auc_score(y, p, sample_weight=w),
        "precision": precision_score(y, alarm, sample_weight=w),
        "accuracy": accuracy_score(y, alarm, sample_weight=w),
    }


# %%
y_test = test.melanoma
p_test = model.predict(test.images, verbose=0)[:, 0]
here = scores(y_test, p_test)
pd.Series(here, name=f"test set, {y_test.mean():.0%} melanomas").round(2)

# %% [markdown]
# **Prevalence** is the share of melanomas among the lesions that are examined. Here it is 24 %, and the precision
# is 0.37: that share of the alarms is true. (Doctors call it the positive predictive value.) The same model goes
# to a place with a prevalence of {{ shown("6 %") }}. Guess its precision there, before you run the next cell.

# %%
rates = here["sensitivity"], here["specificity"]
_ = diagrams.prevalence((0.24, 0.06), *rates)
# alt: Two grids of 1,000 lesions, judged by the same model. At 24 % prevalence more than a third of the alarms are true. At 6 % it is one in ten.

# %% [markdown]
# There are fewer melanomas to find, and more other lesions to raise false alarms.
#
# scikit-learn's scores can imitate such a place. They take a `sample_weight`: a lesion with a weight of 2 counts
# twice.
#
# **Exercise clinic.1** Write `weights_for(y, prevalence)`: an array with one weight for each lesion, the same
# for all melanomas and the same for all others. With them, the share of melanomas,
# `np.average(y, weights=...)`, should be `prevalence`.


# %% tags=["exercise"]
def weights_for(y, prevalence):
    return ...


exercises.check("clinic.1", weights_for)


# %% tags=["solution"]
def weights_for(y, prevalence):
    melanoma = prevalence / np.mean(y)
    other = (1 - prevalence) / (1 - np.mean(y))
    return np.where(y == 1, melanoma, other)


exercises.check("clinic.1", weights_for)

# %%
weights_for = exercises.use("clinic.1", weights_for)
table = pd.DataFrame()
for prevalence in [0.24, 0.06, 0.002]:
    w = weights_for(y_test, prevalence)
    table[f"{prevalence:.1%}"] = scores(y_test, p_test, w)
table.round(2)

# %% [markdown]
# The first three rows survive: each looks at one kind of lesion, or (AUC) at pairs of both. **Precision and
# accuracy change.** At 0.2 %, the share of *people* with a melanoma on the screening day, fewer than one alarm in 200
# is true.
#
# But these are still the same lesions. What about others? The test set of all HAM10000 has {{ shown("1,271") }} lesions
# that are none of our 1,000. We take one image of each.


# %%
def not_ours(table):
    rest = splits.full(table)
    rest = rest[~rest["group"].isin(splits.mini(table)["group"])]
    return rest[rest["split"] == "test"].drop_duplicates("group")


clinic = data.load_lesions(SOURCE, SIZE, not_ours)
y_new = clinic.melanoma
p_new = model.predict(clinic.images, verbose=0)[:, 0].clip(1e-6, 1 - 1e-6)
print(f"{y_new.sum()} of {len(y_new)} lesions are melanomas")
pd.Series(scores(y_new, p_new), name=f"{y_new.mean():.1%}").round(2)

# %% [markdown]
# The precision is 0.13; the weights said 0.11. Specificity and AUC are higher, too, than on our 200 lesions: those hold a smaller
# share of moles, and may be a hard draw (lesson {{ number_of("intervals") }}). A score survives only as far as the lesions of each kind are
# alike.

# %% [markdown]
# ## Probabilities belong to a prevalence
#
# A model is **calibrated** if three of ten lesions with a probability of
# {{ fact("0.3", "a definition") }} are melanomas. Is ours, on validation?

# %%
print(f"mean probability {p.mean():.2f}, melanomas {y.mean():.2f}")

# %% [markdown]
# The mean is too low. A logistic regression can calibrate: it turns each probability into a better one, and keeps the
# order of the lesions, and so the AUC. Its input is the logarithm of the **odds** p / (1 - p), in SciPy `logit(p)`: unlike
# p it has no end at 0 or 1.
#
# **Exercise clinic.2** Write `fit_calibration(y, p)`. It fits scikit-learn's `LogisticRegression(C=np.inf)`
# to `logit(p)`, as one column, and returns the fitted model. `C=np.inf` means: without a penalty.


# %% tags=["exercise"]
def fit_calibration(y, p):
    return ...


exercises.check("clinic.2", fit_calibration)


# %% tags=["solution"]
def fit_calibration(y, p):
    return LogisticRegression(C=np.inf).fit(logit(p)[:, None], y)


exercises.check("clinic.2", fit_calibration)

# %%
fit_calibration = exercises.use("clinic.2", fit_calibration)
calibration = fit_calibration(y, p)
calibrated = calibration.predict_proba(logit(p_new)[:, None])[:, 1]
print(f"probability {calibrated.mean():.2f}, melanomas {y_new.mean():.2f}")

# %% [markdown]
# Calibrated at 24 %, and nearly three times too high at 6 %. A probability has two sources: the image, and how
# common melanomas were where the model was calibrated.
#
# The clinic must know its own prevalence. We count it in
# {{ fact("5,181", "lesions of the full training and validation sets that are none of our 1,000") }} further
# lesions of HAM10000: {{ fact("5.8 %", "298 of 5,181") }} (our 1,000 took many melanomas). Then the odds of each lesion are multiplied by one factor: the
# odds of the new prevalence, divided by those of the old one.


# %%
def odds(p):
    return p / (1 - p)


factor = odds(0.058) / odds(0.24)
moved_odds = odds(calibrated) * factor
moved = moved_odds / (1 + moved_odds)
print(f"odds times {factor:.2f}; mean probability {moved.mean():.3f}")

# %% [markdown]
# An example: {{ fact("0.5", "an example") }} at 24 % has the odds 1. In the clinic they become 1 x 0.19, and the probability
# is {{ fact("0.19 / 1.19 = 0.16", "arithmetic") }}. The mean is 0.055 now, where 0.06 are melanomas.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Draws the reliability diagram (in scikit-learn: CalibrationDisplay)
figure, ax = plt.subplots(figsize=(5, 5))
ax.axline((0, 0), slope=1, color="k", linestyle=":", label="calibrated")
ax.set_prop_cycle(color=plots.PALETTE[1:3], marker=["s", "o"])
for name, values in {"before": calibrated, "moved to 5.8 %": moved}.items():
    bins = pd.cut(values, [0, 0.02, 0.05, 0.1, 0.2, 0.35, 1])
    parts = pd.DataFrame({"p": values, "y": y_new}).groupby(bins, observed=True)
    shares = [evaluation.exact(g.sum(), len(g)) for _, g in parts["y"]]
    below = [share.value - share.low for share in shares]
    above = [share.high - share.value for share in shares]
    means = parts.mean()
    ax.errorbar(means["p"], means["y"], (below, above), label=name)
ax.set(xlabel="mean probability", ylabel="share of melanomas", aspect=1)
ax.legend(loc="upper left")
text = f"Mean probability {calibrated.mean():.3f}, moved {moved.mean():.3f}"
_ = ax.set_title(plots.title(text, lesions.source))
# alt: Reliability diagram of the new lesions with equal axes and 95 % intervals. Before, all points lie clearly below the diagonal: the probabilities are too high. After the move to 5.8 % the points lie near it.

# %% [markdown]
# This is a **reliability diagram**: each point is a group of lesions with similar probabilities, and its line
# a 95 % interval. On the diagonal the probabilities are right. Before the move the points lie below it.

# %% [markdown]
# ## Is the model worth using there?
#
# Suppose five false alarms are an acceptable price for one melanoma found. Of six lesions with a probability of
# 1/6, one is a melanoma and five are not, if the probability is right. So from 1/6 on an alarm pays, at any
# prevalence. **Net benefit** is the number of melanomas found, minus a fifth of the false alarms, per {{ fact("100", "the unit") }} lesions.
# Without alarms it is 0.

# %% [markdown]
# **Exercise clinic.3** Write `net_benefit(y, called, alarms=5)`, per 100 lesions. `called` is 1 or `True` for
# an alarm; `alarms` says how many false alarms cost as much as one melanoma is worth.


# %% tags=["exercise"]
def net_benefit(y, called, alarms=5):
    return ...


exercises.check("clinic.3", net_benefit)


# %% tags=["solution"]
def net_benefit(y, called, alarms=5):
    found = np.mean((y == 1) & (called == 1))
    false_alarms = np.mean((y == 0) & (called == 1))
    return 100 * (found - false_alarms / alarms)


exercises.check("clinic.3", net_benefit)

# %% [markdown]
# Each row is another threshold on the same scores. The first had the highest net benefit on validation; the others are
# 1/6, on calibrated and on moved probabilities.

# %%
net_benefit = exercises.use("clinic.3", net_benefit)
benefits = {t: net_benefit(y, p >= t) for t in np.unique(p)}
best = max(benefits, key=benefits.get)
called = {
    f"as it is, from {best:.3f} on": p_new >= best,
    "calibrated at 24 %, from 1/6 on": calibrated >= 1 / 6,
    "moved to 5.8 %, from 1/6 on": moved >= 1 / 6,
}

# %%
groups = clinic.table["group"]
before = np.zeros(len(y_new))  # no alarm
rows = {}
for name, new in called.items():
    gain = evaluation.difference(net_benefit, y_new, new, before, groups)
    rows[name] = {
        "found": np.sum((y_new == 1) & new),
        "false alarms": np.sum((y_new == 0) & new),
        "net benefit": round(net_benefit(y_new, new), 1),
        "gain on the row above": f"{gain:+.1f}",
    }
    before = new
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# The threshold that was best at 24 % does harm here: no alarm at all is better. (The first gain is against no
# alarm.) Each higher threshold helps in this training, and only the last row is above 0. In five trainings the first row lay between
# {{ fact("-3.4 and +0.4", "seeds 0 to 4, measured") }}, the last between {{ fact("1.6 and 2.2", "seeds 0 to 4, measured") }}.

# %% [markdown]
# So another prevalence alone leaves sensitivity, specificity and AUC as they are; other lesions of a kind need not.
# Precision, accuracy and probabilities do not; odds can move the probabilities.

# %% [markdown]
# ## Key points
#
# - Precision and accuracy hold only at the prevalence where they were counted.
# - First calibrate, then multiply the odds: new odds of the prevalence, divided by the old ones.
# - Choose the threshold from a price, and ask whether the net benefit is above 0.

# %% [markdown]
# ## Check yourself
#
# <details><summary>Why are nearly all alarms false where melanomas are rare, though sensitivity is high?</summary>
# There are many other lesions for each melanoma. A small share of them is more than all melanomas.</details>
#
# <details><summary>A program answers "melanoma" with a probability of {{ fact("0.2", "an example") }}. Is that a mistake?</summary>
# No. The label says on which side of the threshold the probability lies. A low threshold says that a missed
# melanoma costs much more than a false alarm.</details>
#
# <details><summary>What must be true so that odds move probabilities rightly?</summary>
# They were calibrated before, and lesions of each kind look alike in both places. Another camera or other
# people break this; a later lesson measures it.</details>
#
# ## What comes next
#
# You can judge a model now. Can we build a better one?
# [{{ number_of("better_models") }} · Better models]({{ notebook_of("better_models") }})
#
# Optional: an [audit]({{ notebook_of("audit") }}) of somebody else's numbers, with nothing but division.
#
# ## References
#
# - Lieberherr et al.: Evaluation of the National Skin Cancer Campaign: a Swiss experience of Euromelanoma.
#   Swiss Medical Weekly 147:w14511, 2017, [doi:10.4414/smw.2017.14511](https://doi.org/10.4414/smw.2017.14511).
#   6 melanomas among 2,795 *people* with many lesions each.
# - Saerens, Latinne, Decaestecker: Adjusting the outputs of a classifier to new a priori probabilities. Neural
#   Computation 14:21, 2002, [doi:10.1162/089976602753284446](https://doi.org/10.1162/089976602753284446).
# - Vickers, van Calster, Steyerberg: A simple, step-by-step guide to interpreting decision curve analysis.
#   Diagnostic and Prognostic Research 3:18, 2019, [doi:10.1186/s41512-019-0064-7](https://doi.org/10.1186/s41512-019-0064-7).
# - Platt: Probabilistic outputs for support vector machines. Advances in Large Margin Classifiers, 1999. The
#   logistic regression on one score.
# - scikit-learn: [probability calibration](https://scikit-learn.org/stable/modules/calibration.html).

# %%
exercises.progress()

# %%
ledger.show()
