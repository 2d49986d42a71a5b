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
# # 05 · Evaluation: what is a good number worth?
#
# "Benign" for every picture of HAM10000 is right in {{ quote("05_evaluation-28px", "benign_share", ".0%") }} of them.
# The network of this lesson is right less often, and it is the better answer. A threshold that was
# chosen with care for a price turns out to be a dear one elsewhere, and probabilities that were
# put right become wrong by walking into another waiting room. This lesson judges one trained network
# until you know what each of its numbers means, and then reads the numbers of somebody else.
#
# **You will be able to**
#
# - make every common measure from four counts, and say which of them the share of melanomas moves;
# - choose a threshold on validation for a stated cost, and say why it does not keep its promise;
# - give an interval that respects lesions, and compare two models on the same pictures;
# - check whether probabilities are right, and repair them for another prevalence in two lines;
# - audit the figures of a README with nothing but arithmetic.
#
# **You need** a little Python and NumPy; lesson 02 says what a lesion group is, lesson 04 explains the
# training. **Time**: 50 minutes to read and work through, 1 minute to run on a CPU (2 cores,
# synthetic lesions); a free T4 GPU saves a few seconds (an estimate, not measured).
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from utils import backbone, data, evaluation, exercises, ledger, plots
from utils import pretrained, results, splits, training
import keras

# %% [markdown]
# What you may change: `TEST_IMAGES` is how many pictures the second test part has at most, whole
# lesions at a time (0 takes all, about 2,000); `COST_OF_MISS` is how many false alarms one missed
# melanoma is worth to you.

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10
TEST_IMAGES = 1000
COST_OF_MISS = 5.0

# %% [markdown]
# ## One model, two populations
#
# HAM10k-Mini has 24 % melanomas in each part, so that 200 test pictures hold 48 of them. HAM10000
# itself has fewer than half as many. The test part of the *full* split (lesson 02) keeps that natural
# share, and several photographs of a lesion where there are several. So the same model can be asked
# in two populations.


# %%
def natural_test_part(table):
    table = splits.full(table).query("split == 'test'")
    photographs = table.groupby("group").size().sample(frac=1, random_state=SEED)
    chosen = photographs.index[photographs.cumsum() <= (TEST_IMAGES or len(table))]
    return table[table["group"].isin(chosen)]


lesions = data.load_lesions(SOURCE, size=SIZE, select=splits.mini)
train, validation, mini = (lesions.subset(name) for name in splits.SUBSETS)
natural = data.load_lesions(SOURCE, size=SIZE, select=natural_test_part)
parts = {"validation": validation, "Mini": mini, "natural": natural}

# %% [markdown]
# No lesion of the natural part may be among those that train or choose. Mini's test lesions are test
# lesions of the full split too, so some of them are in both test parts. That is no leak: neither
# is used for any choice.

# %%
used = set(lesions.table.query("split != 'test'")["group"])
assert used.isdisjoint(natural.table["group"])
count = {
    name: [len(part), part.table["group"].nunique(), part.melanoma.sum(), part.melanoma.mean()]
    for name, part in {"train": train, **parts}.items()
}
columns = ["pictures", "lesions", "melanomas", "share of melanomas"]
pd.DataFrame.from_dict(count, orient="index", columns=columns).round(3)

# %% [markdown]
# The model: lesson 00's recipe, a new head on a frozen MobileNetV2, then the last 20 layers with it
# (lesson 04 takes it apart). Beside it stand the two baselines, as in every lesson.

# %%
keras.utils.set_random_seed(SEED)
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
base = backbone.mobilenet_v2(ALPHA, source_size=SIZE, size=96, weights=weights)
print("Weights:", pretrained.describe(weights))
model = training.melanoma_classifier(base)
epochs = (EPOCHS, FINE_TUNE_EPOCHS)
training.two_stages(base, model, train, validation, epochs=epochs, verbose=0)

probability = {"MobileNetV2": [model.predict(q.images, verbose=0)[:, 0] for q in parts.values()]}
probability |= evaluation.baselines(train, *parts.values())
probability = {who: dict(zip(parts, p, strict=True)) for who, p in probability.items()}
deep, colours = probability["MobileNetV2"], probability["colour baseline"]

# %% [markdown]
# Every number below gets an interval: the lesions of a part are drawn anew, with replacement, 300
# times, and the middle 95 % of what comes out is kept. The draws are made once, the same for all
# measures; the first "draw" is the part as it is. (Where a cell draws another number of times, the last
# digits of an interval may differ.)

# %%
draws = {
    name: [
        np.arange(len(part)),
        *evaluation.resampled_lesions(part.melanoma, part.table["group"], 300, SEED),
    ]
    for name, part in parts.items()
}


def with_interval(measure, part):
    """A measure of some rows, on all rows of a part, with its 95 % interval by lesion."""
    values = [measure(rows) for rows in draws[part]]
    return evaluation.Estimate(float(values[0]), *evaluation.interval(values[1:]))


# %% [markdown]
# ## Why does accuracy lie?
#
# A model gives probabilities; a decision needs a threshold. Let us begin as most projects do, with the
# threshold that has the best accuracy on validation, and go to the natural part. There the majority
# class, "benign", has the accuracy that the table above leaves over: one minus the share of melanomas.
# **Predict** the accuracy of the network on the natural part.

# %%
MY_ACCURACY = ...

ledger.guess("05 accuracy of the network, natural part", MY_ACCURACY)

# %% [markdown]
# The **confusion matrix** by hand: every picture is truly benign or melanoma, and called one or the
# other. Four counts, from which all measures at this threshold are made:

# %%
threshold = evaluation.choose_threshold(validation.melanoma, deep["validation"])
y, called = natural.melanoma, deep["natural"] >= threshold
tn, fp = ((y == 0) & ~called).sum(), ((y == 0) & called).sum()
fn, tp = ((y == 1) & ~called).sum(), ((y == 1) & called).sum()
assert ([[tn, fp], [fn, tp]] == confusion_matrix(y, called)).all()
for name, part, whole in (
    ("accuracy: right, of all", tn + tp, len(y)),
    ("sensitivity (recall): found, of the melanomas", tp, tp + fn),
    ("specificity: left in peace, of the benign", tn, tn + fp),
    ("precision: melanomas, of the alarms", tp, tp + fp),
):
    print(f"{name}: {part} / {whole} = {part / whole:.3f}")

# %% [markdown]
# The figure is the same matrix as the course draws it: rows are the truth, columns what the model
# says. See how much fuller the upper row is: that row makes the accuracy.

# %%
judged = {
    part: [
        evaluation.evaluate(
            who,
            parts[part].melanoma,
            p[part],
            parts[part].table["group"],
            evaluation.choose_threshold(validation.melanoma, p["validation"]),
            n_resamples=300,
            seed=SEED,
        )
        for who, p in probability.items()
    ]
    for part in ("Mini", "natural")
}
network = judged["natural"][0]
figure = plots.confusion(network, natural.source)
ledger.outcome("05 accuracy of the network, natural part", network.metrics["accuracy"])

# %%
evaluation.as_table(judged["natural"])

# %% [markdown]
# The majority class finds not one melanoma and has the best or nearly the best accuracy of the
# three. On all real test pictures its accuracy is {{ quote("05_evaluation-28px", "natural.majority class.accuracy") }},
# that of MobileNetV2 {{ quote("05_evaluation-28px", "natural.MobileNetV2.accuracy") }}, with a sensitivity of
# {{ quote("05_evaluation-28px", "natural.MobileNetV2.sensitivity") }}. The cause is in the matrix: accuracy is the mean
# of sensitivity and specificity, weighted by how many melanomas and benign lesions there are. Where
# melanomas are rare, finding them hardly counts, and each false alarm costs as much as a missed melanoma.
# Nobody has ever wanted that; it is merely what counting right answers means.
#
# **Exercise 05.1** Write `matrix(truth, called)`: given two arrays of 0 (benign) and 1 (melanoma), the
# four counts as `[[tn, fp], [fn, tp]]`.


# %% tags=["exercise", "nbval-check-output"]
def matrix(truth, called):
    return ...


exercises.check("05.1", matrix)


# %% tags=["solution"]
def matrix(truth, called):
    return [[((truth == t) & (called == c)).sum() for c in (0, 1)] for t in (0, 1)]


exercises.check("05.1", matrix)

# %% [markdown]
# ## All thresholds at once: ROC and precision-recall
#
# Why commit oneself to one threshold? Lower it step by step, and sensitivity and the share of false
# alarms both rise: that path is the **ROC curve**, and the area under it (**AUC**) is the chance that
# a melanoma gets a higher probability than a benign lesion. Counted over all pairs (equals count half):

# %%
y, p = mini.melanoma, deep["Mini"]
pairs = p[y == 1][:, None] - p[y == 0]
by_hand = (pairs > 0).mean() + (pairs == 0).mean() / 2
assert np.isclose(by_hand, roc_auc_score(y, p))
print(f"{pairs.size:,} pairs, in {by_hand:.3f} of them the melanoma has the higher probability")

# %% [markdown]
# The **precision-recall curve** walks the same path and asks at each step how many of the alarms are
# true; its area is called *average precision* (AP). On Mini's test part it is printed by the next
# cell. **Predict** the average precision of the same model on the natural part.

# %%
MY_AP = ...

print("average precision on Mini:", round(average_precision_score(y, p), 3))
ledger.guess("05 average precision, natural part", MY_AP)

# %%
measures = {"roc_auc": roc_auc_score, "average_precision": average_precision_score}
areas = {
    part: {
        name: with_interval(
            lambda rows, m=m, part=part: m(parts[part].melanoma[rows], deep[part][rows]), part
        )
        for name, m in measures.items()
    }
    for part in ("Mini", "natural")
}
for part, area in areas.items():
    print(f"{part}: AUC {area['roc_auc']:.3f}, AP {area['average_precision']:.3f}")
ledger.outcome("05 average precision, natural part", areas["natural"]["average_precision"])

# %% [markdown]
# In the figure compare the solid line (Mini) with the dashed one (natural part), the same model in
# both: on the left they stay near each other, on the right the dashed one falls below. The thin
# horizontal lines on the right are the shares of melanomas, which is what guessing reaches.

# %%
curves, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
lines = (
    ("MobileNetV2, Mini", deep, "Mini", "-", 0),
    ("MobileNetV2, natural part", deep, "natural", "--", 1),
    ("colour baseline, natural part", colours, "natural", ":", 2),
)
for name, p, part, style, color in lines:
    y, color = parts[part].melanoma, plots.PALETTE[color]
    axes[0].plot(*roc_curve(y, p[part])[:2], style, color=color, label=name)
    precision, recall, _ = precision_recall_curve(y, p[part])
    axes[1].plot(recall, precision, style, color=color)
    axes[1].axhline(y.mean(), color=color, linewidth=0.8)
axes[0].plot([0, 1], [0, 1], color="black", linewidth=0.8)
axes[0].set(xlabel="1 - specificity", ylabel="sensitivity")
axes[1].set(xlabel="sensitivity (recall)", ylabel="precision", ylim=(0, 1.02))
axes[0].legend(fontsize=8)
curves.suptitle(plots.title("one model, two populations", natural.source), fontsize=10)
plt.show()

# %% [markdown]
# On real lesions the AUC is {{ quote("05_evaluation-28px", "areas.Mini.roc_auc") }} on Mini and
# {{ quote("05_evaluation-28px", "areas.natural.roc_auc") }} on the natural part; the AP is
# {{ quote("05_evaluation-28px", "areas.Mini.average_precision") }} and
# {{ quote("05_evaluation-28px", "areas.natural.average_precision") }}. The axes of the ROC curve are each a share
# *within* one kind of lesion, so the mix does not move it. Precision mixes both kinds: with fewer
# melanomas the same share of false alarms drowns them. So an AP, an F1 or a precision without its share
# of melanomas cannot be compared with any other.
#
# ## A threshold for a price
#
# Best accuracy says: a missed melanoma costs as much as a false alarm. Say instead what it is worth
# to you, `COST_OF_MISS` false alarms, and take the threshold that costs least **on validation**; the
# test parts are not asked. A clinic may prefer a promise: *find 90 % of the melanomas*. For that, take
# the threshold above which 90 % of the validation melanomas lie. **Predict** the sensitivity that this
# second threshold has on the natural part.

# %%
MY_SENSITIVITY = ...

ledger.guess("05 sensitivity promised as 0.90, natural part", MY_SENSITIVITY)


# %%
def promise(y, p, sensitivity=0.9):
    return float(np.quantile(p[y == 1], 1 - sensitivity, method="lower"))


def rates(part, called):
    """Sensitivity, specificity and cost (in false alarms, a hundred pictures), with intervals."""
    y = parts[part].melanoma

    def cost(rows):
        missed, alarms = (y == 1) & ~called, (y == 0) & called
        return 100 * (COST_OF_MISS * missed[rows].mean() + alarms[rows].mean())

    return {
        "sensitivity": with_interval(lambda rows: called[rows][y[rows] == 1].mean(), part),
        "specificity": with_interval(lambda rows: 1 - called[rows][y[rows] == 0].mean(), part),
        "cost": with_interval(cost, part),
    }


# %%
rules = {
    "best accuracy": evaluation.choose_threshold,
    "cheapest": lambda y, p: evaluation.choose_threshold(y, p, COST_OF_MISS),
    "90 % found": promise,
}
thresholds = {
    who: {name: rule(validation.melanoma, p["validation"]) for name, rule in rules.items()}
    for who, p in (("MobileNetV2", deep), ("colour baseline", colours))
}
prices = {
    f"{who}, {name}": {part: rates(part, probability[who][part] >= t) for part in parts}
    for who, chosen in thresholds.items()
    for name, t in chosen.items()
}
for name, everybody in (("everything benign", False), ("everything melanoma", True)):
    prices[name] = {q: rates(q, np.full(len(part), everybody)) for q, part in parts.items()}

# %%
shown = [(q, "sensitivity") for q in parts] + [("natural", "specificity")]
shown += [(q, "cost") for q in parts]
rows = {
    name: {
        f"{measure}, {part}": format(of_part[part][measure], ".1f" if measure == "cost" else ".2f")
        for part, measure in shown
    }
    for name, of_part in prices.items()
}
pd.DataFrame.from_dict(rows, orient="index")

# %%
found = prices["MobileNetV2, 90 % found"]["natural"]["sensitivity"]
ledger.outcome("05 sensitivity promised as 0.90, natural part", found)

# %% [markdown]
# The promise is not kept exactly, and there is no reason why it should. The threshold hangs on the
# few lowest of 48 validation melanomas. How far would it swing with another 48? Draw the validation
# lesions anew, choose again, and look at the sensitivity on the natural part:

# %%
y, p, test_p = validation.melanoma, deep["validation"], deep["natural"][natural.melanoma == 1]
again = [(test_p >= promise(y[rows], p[rows])).mean() for rows in draws["validation"][1:]]
swing = evaluation.interval(again)
print("sensitivity with other validation lesions: {:.2f} to {:.2f}".format(*swing))

# %% [markdown]
# On real lesions: validation {{ quote("05_evaluation-28px", "prices.network 90 found.validation.sensitivity") }}, Mini
# {{ quote("05_evaluation-28px", "prices.network 90 found.Mini.sensitivity") }}, natural part
# {{ quote("05_evaluation-28px", "prices.network 90 found.natural.sensitivity") }}; other validation lesions would have
# given from {{ quote("05_evaluation-28px", "swing.0", ".2f") }} to {{ quote("05_evaluation-28px", "swing.1", ".2f") }}. It came out
# higher there, and could have come out lower. Three causes: few melanomas on validation, few in
# the test, and a validation part that has been used before, to pick the best epoch. A threshold is an
# estimate like any other.
#
# Now the column *cost*. The figure shows what each threshold of the network costs on validation (solid), on
# Mini's test part (dotted) and on the natural part (dashed); the vertical line is the one chosen as
# cheapest. See where the lowest point of each curve lies (dots), and what the natural part's curve costs at
# the vertical line.

# %%
prices_figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
grid = np.linspace(0, 1, 201)
for (part, style), color in zip(
    {"validation": "-", "Mini": ":", "natural": "--"}.items(), plots.PALETTE, strict=False
):
    called, y = deep[part] >= grid[:, None], parts[part].melanoma
    cost = COST_OF_MISS * (~called & (y == 1)).mean(1) + (called & (y == 0)).mean(1)
    ax.plot(grid, 100 * cost, style, color=color, label=f"{part} ({y.mean():.0%} melanomas)")
    ax.plot(grid[cost.argmin()], 100 * cost.min(), "o", color=color)
chosen = thresholds["MobileNetV2"]["cheapest"]
ax.axvline(chosen, color="black", linewidth=0.8, label="chosen on validation")
ax.set(xlabel="threshold (dots: cheapest)", ylabel="cost, 100 pictures", ylim=(0, None))
ax.legend(fontsize=8)
prices_figure.suptitle(
    plots.title(f"a miss costs {COST_OF_MISS:g} alarms", natural.source), fontsize=10
)
plt.show()

# %% [markdown]
# The threshold that was cheapest at 24 % melanomas is too low where they are rare: it buys each found
# melanoma with too many alarms. On real lesions, natural part, 100 pictures cost
# {{ quote("05_evaluation-28px", "prices.network cheapest.natural.cost", ".1f") }} at that threshold, and
# {{ quote("05_evaluation-28px", "prices.network best accuracy.natural.cost", ".1f") }} at the one for best accuracy, which
# never heard of the price. Calling everything benign costs
# {{ quote("05_evaluation-28px", "prices.all benign.natural.cost", ".1f") }}. A threshold belongs to a population. How to
# carry it into another one is shown below, under calibration.
#
# **Exercise 05.2** A careful threshold misses 2 melanomas and raises 110 false alarms; a brisk one
# misses 6 and raises 60. At which cost of a miss, in false alarms, do both cost the same?

# %% tags=["exercise", "nbval-check-output"]
break_even = ...

exercises.check("05.2", break_even, careful=(2, 110), brisk=(6, 60))

# %% tags=["solution"]
break_even = (110 - 60) / (6 - 2)  # 50 more alarms buy 4 melanomas

exercises.check("05.2", break_even, careful=(2, 110), brisk=(6, 60))

# %% [markdown]
# ## How many things did we test, really?
#
# The natural part has several photographs of some lesions. If the model errs on one of them, it
# tends to err on its siblings. Suppose somebody resamples *pictures* as if each were a lesion of its own.
# How wide is that interval of the AUC, as a share of the width of the one by lesion? **Predict.**

# %%
MY_SHARE_OF_WIDTH = ...

ledger.guess("05 width by picture, as a share of that by lesion", MY_SHARE_OF_WIDTH)

# %%
y, p = natural.melanoma, deep["natural"]
units = {"by lesion": natural.table["group"].to_numpy(), "by picture": np.arange(len(y))}
widths = {}
for name, unit in units.items():
    drawn = evaluation.resampled_lesions(y, unit, n_resamples=1000, seed=SEED)
    low, high = evaluation.interval([roc_auc_score(y[rows], p[rows]) for rows in drawn])
    widths[name] = high - low
    print(f"{name}: {len(np.unique(unit)):,} units, [{low:.3f}, {high:.3f}], {high - low:.3f} wide")
share_of_width = widths["by picture"] / widths["by lesion"]
ledger.outcome("05 width by picture, as a share of that by lesion", share_of_width)
for kind, name in ((1, "melanoma"), (0, "benign")):
    photographs = natural.table[y == kind].groupby("group").size()
    print(f"{name}: {photographs.mean():.2f} photographs a lesion")

# %% [markdown]
# Nothing about the model changed, only what was believed to be independent. On real lesions the interval by
# picture has {{ quote("05_evaluation-28px", "width_share", ".0%") }} of the width of the honest one at 28 pixels and
# {{ quote("05_evaluation-96px", "width_share", ".0%") }} at 96. It is the melanomas that weigh most here: there are few of
# them, and they were photographed more often. (If you have the patient's number, resample patients;
# HAM10000 does not give it, so even our interval is a little too narrow.)
#
# ## The same model in a screening
#
# Sensitivity and specificity are shares *within* melanomas and *within* benign lesions. If these look the
# same in another population, both stay, and Bayes' rule gives the **positive predictive value** (PPV,
# another name for precision) for any prevalence $\pi$:
#
# $$\text{PPV} = \frac{\text{sens} \cdot \pi}{\text{sens} \cdot \pi + (1 - \text{spec})(1 - \pi)}$$
#
# In a screening of all who walk by, let one lesion in a hundred be a melanoma (an assumption, to
# calculate with). Take the network with the cheapest threshold. **Predict**
# the share of its alarms that are melanomas at a prevalence of 0.01.

# %%
MY_PRECISION = ...

ledger.guess("05 precision where 1 % are melanomas", MY_PRECISION)


# %%
def ppv(sensitivity, specificity, prevalence):
    hits = sensitivity * prevalence
    return hits / (hits + (1 - specificity) * (1 - prevalence))


y, called = mini.melanoma, deep["Mini"] >= thresholds["MobileNetV2"]["cheapest"]


def carried(prevalence):
    """PPV at another prevalence, from sensitivity and specificity on Mini's test part."""

    def measure(rows):
        of_melanomas, of_benign = (called[rows][y[rows] == kind].mean() for kind in (1, 0))
        return ppv(of_melanomas, 1 - of_benign, prevalence)

    return with_interval(measure, "Mini")


shares = {part: parts[part].melanoma.mean() for part in ("Mini", "natural")}
calculated = {name: carried(share) for name, share in (*shares.items(), ("screening", 0.01))}

# %% [markdown]
# Mini and the natural part let us check the formula by measurement: what it says for the natural part,
# from Mini's figures alone, against what is counted there.

# %%
y_natural = natural.melanoma
alarm = deep["natural"] >= thresholds["MobileNetV2"]["cheapest"]
counted = with_interval(lambda rows: y_natural[rows][alarm[rows]].mean(), "natural")
print(f"natural part, {shares['natural']:.1%} melanomas")
print(f"  calculated from Mini: {calculated['natural']:.3f}")
print(f"  counted:              {counted:.3f}")
ledger.outcome("05 precision where 1 % are melanomas", calculated["screening"])

# %% [markdown]
# The figure draws the calculated PPV (solid, with its interval) for all prevalences, from one in a thousand
# to one half, and the two that were counted (marks). Follow the line to the left: it falls as the
# prevalence does. The dotted line is the share of melanomas that a random choice would find.

# %%
ppv_figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
grid = np.geomspace(0.001, 0.5, 25)
line = [carried(share) for share in grid]
low, high = [cell.low for cell in line], [cell.high for cell in line]
ax.fill_between(grid, low, high, color=plots.PALETTE[0], alpha=0.2)
ax.plot(grid, [cell.value for cell in line], color=plots.PALETTE[0], label="calculated from Mini")
ax.plot(grid, grid, ":", color="black", label="random choice")
for part, found, marker in (("Mini", calculated["Mini"], "s"), ("natural", counted, "D")):
    ax.vlines(shares[part], found.low, found.high, color=plots.PALETTE[1], linewidth=3)
    label = f"counted, {part}"
    ax.plot(
        shares[part],
        found.value,
        marker,
        color=plots.PALETTE[1],
        markeredgecolor="k",
        label=label,
    )
ax.set(xscale="log", xlabel="prevalence of melanoma", ylabel="PPV (precision)", ylim=(0, 1))
ax.legend(fontsize=8)
ppv_figure.suptitle(plots.title("the same model, other populations", natural.source), fontsize=10)
plt.show()

# %% [markdown]
# On real lesions the formula says {{ quote("05_evaluation-28px", "ppv.calculated", ".3f") }} for the natural part, and
# counted are {{ quote("05_evaluation-28px", "ppv.counted", ".3f") }}. At 1 % it says
# {{ quote("05_evaluation-28px", "ppv.screening", ".3f") }}: of a hundred people who are sent to a doctor, about two have
# a melanoma. The model is the same to the last weight.
#
# And this is the kind case. The formula assumes that melanomas look like these melanomas, and benign
# lesions like these benign ones. Here that is nearly so, since both parts come from the same collection. In
# a screening it is not: HAM10000's benign lesions were worrying enough to be photographed, and its
# melanomas come from specialists. There only counting helps.
#
# **Exercise 05.3** A far better model has a sensitivity of 0.90 and a specificity of 0.80. Which share of
# its alarms are melanomas where 1 % of the lesions are?

# %% tags=["exercise", "nbval-check-output"]
share_of_alarms = ...

exercises.check("05.3", share_of_alarms, sensitivity=0.9, specificity=0.8, prevalence=0.01)

# %% tags=["solution"]
true_alarms, false_alarms = 0.90 * 0.01, 0.20 * 0.99
share_of_alarms = true_alarms / (true_alarms + false_alarms)

exercises.check("05.3", share_of_alarms, sensitivity=0.9, specificity=0.8, prevalence=0.01)

# %% [markdown]
# ## Does 0.3 mean three in ten?
#
# A model is **calibrated** if, of the pictures to which it gives 0.3, three in ten are melanomas. AUC
# knows nothing of it: squeeze all probabilities into half their range, and it stays the same. The usual
# measure is the **expected calibration error** (ECE): cut the range into ten bins, compare in each the
# mean probability with the share of melanomas, and average the gaps by the number of pictures.


# %%
def ece(y, p):
    own_bin = np.minimum((p * 10).astype(int), 9)
    gaps = [
        (own_bin == b).mean() * abs(p[own_bin == b].mean() - y[own_bin == b].mean())
        for b in np.unique(own_bin)
    ]
    return sum(gaps)


assert np.isclose(ece(y, deep["Mini"]), evaluation.calibration_error(y, deep["Mini"]))
for part in ("Mini", "natural"):
    y_part, p_part = parts[part].melanoma, deep[part]
    error = ece(y_part, p_part)
    print(f"{part}: ECE {error:.3f}, mean {p_part.mean():.3f}, melanomas {y_part.mean():.3f}")

# %% [markdown]
# First put the probabilities right where we may: on validation, with two numbers. **Platt scaling** fits
# a logistic regression whose only input is the network's own log-odds: it stretches and shifts them, and
# leaves their order alone (so AUC stays). After it, the mean probability on validation equals the
# share of melanomas there, 0.24. Then take the calibrated model to the natural part. **Predict** its mean
# probability there.

# %%
MY_MEAN = ...

ledger.guess("05 mean probability, natural part", MY_MEAN)


# %%
def log_odds(p):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def calibrated(p):
    """Platt scaling, fitted on validation."""
    platt = LogisticRegression(C=1e6)  # next to no penalty
    platt.fit(log_odds(p["validation"])[:, None], validation.melanoma)
    return {part: platt.predict_proba(log_odds(q)[:, None])[:, 1] for part, q in p.items()}


scaled = calibrated(deep)
assert abs(scaled["validation"].mean() - validation.melanoma.mean()) < 0.001
mean = with_interval(lambda rows: scaled["natural"][rows].mean(), "natural")
ledger.outcome("05 mean probability, natural part", mean)
print(f"share of melanomas there: {natural.melanoma.mean():.2f}")

# %% [markdown]
# It promises about twice as many melanomas as there are. Nothing is broken: a probability is what is
# known beforehand (24 % of the lesions are melanomas) *and* what the picture adds. The picture's part
# may be kept, the other must be changed. In odds this is one factor, the new odds of the prevalence
# over the old ones (Saerens et al., 2002). The new prevalence must not come from the test lesions; take
# it from the other parts of the full split.


# %%
def for_prevalence(p, before, after):
    odds = p / (1 - p) * (after / (1 - after)) / (before / (1 - before))
    return odds / (1 + odds)


table, _ = data.load_table(SOURCE)
prevalence = (splits.full(table).query("split != 'test'")["dx"] == "mel").mean()
before = validation.melanoma.mean()
moved = {part: for_prevalence(q, before, prevalence) for part, q in scaled.items()}
print(f"prevalence {prevalence:.3f}, mean probability now {moved['natural'].mean():.3f}")

# %% [markdown]
# How large would the ECE be if the probabilities were *exactly* right? Not zero: draw the labels from
# the probabilities themselves, and measure. That is the floor, made by chance alone, and it is higher
# the fewer pictures there are.

# %%
rng = np.random.default_rng(SEED)


def floor(p):
    return np.mean([evaluation.calibration_error(rng.random(len(p)) < p, p) for _ in range(200)])


steps = {}
for who in ("MobileNetV2", "colour baseline", "majority class"):
    p = probability[who]
    fitted = calibrated(p)
    steps |= {(who, "as it comes"): p, (who, "calibrated on validation"): fitted}
    new = {part: for_prevalence(q, before, prevalence) for part, q in fitted.items()}
    steps[who, "and moved to the new prevalence"] = new

# %%
calibration = {}
for name, p in steps.items():
    calibration[name] = {"mean": float(p["natural"].mean()), "floor": float(floor(p["natural"]))}
    for part in ("Mini", "natural"):
        y, q = parts[part].melanoma, p[part]
        calibration[name][part] = with_interval(
            lambda rows, y=y, q=q: evaluation.calibration_error(y[rows], q[rows]), part
        )
rows = {
    name: {
        "ECE, Mini": f"{c['Mini']:.3f}",
        "ECE, natural": f"{c['natural']:.3f}",
        "floor, natural": f"{c['floor']:.3f}",
        "mean probability, natural": f"{c['mean']:.3f}",
    }
    for name, c in calibration.items()
}
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# (Each draw adds chance of its own, so intervals of an ECE lean upwards, and may even begin above the
# value: they are cautious ones.) The majority class, once moved, has nearly no ECE and
# knows nothing: calibration alone proves as little as accuracy alone.
#
# On real lesions, natural part, MobileNetV2 has an ECE of
# {{ quote("05_evaluation-28px", "calibration.network raw.natural", ".3f") }} as it comes,
# {{ quote("05_evaluation-28px", "calibration.network scaled.natural", ".3f") }} after calibration at 24 %, and
# {{ quote("05_evaluation-28px", "calibration.network moved.natural", ".3f") }} after the two lines, where chance alone
# gives {{ quote("05_evaluation-28px", "calibration.network moved.floor", ".3f") }}. Why was the first so good? By luck: on
# Mini its ECE is {{ quote("05_evaluation-28px", "calibration.network raw.Mini", ".3f") }}, for it says too little there,
# and too little at 24 % is nearly right where melanomas are rare. Two errors cancelled. The colour
# baseline, which had no such luck, goes from
# {{ quote("05_evaluation-28px", "calibration.colours raw.natural", ".3f") }} to
# {{ quote("05_evaluation-28px", "calibration.colours moved.natural", ".3f") }}.
#
# The figure shows the network's calibration by its curve, eight bins of equally many pictures each: on
# the diagonal the probabilities are right, below it they promise too many melanomas. On the right,
# see how the curve returns to the diagonal when it is moved to the new prevalence.

# %%
reliability, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharey=True)
series = (
    ("as it comes", deep, ":", "^", 2),
    ("calibrated on validation", scaled, "--", "s", 1),
    ("and moved to the new prevalence", moved, "-", "o", 0),
)
for ax, part, shown in zip(axes, ("Mini", "natural"), (series[:2], series), strict=True):
    ax.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    for name, p, style, marker, color in shown:
        share, mean = calibration_curve(
            parts[part].melanoma, p[part], n_bins=8, strategy="quantile"
        )
        ax.plot(mean, share, style, marker=marker, color=plots.PALETTE[color], label=name)
    ax.set(xlabel="mean probability", title=f"{part}, {parts[part].melanoma.mean():.0%} melanomas")
    ax.set(xlim=(0, 0.9), ylim=(0, 0.9))
axes[0].set(ylabel="share of melanomas")
axes[1].legend(fontsize=8)
reliability.suptitle(plots.title("calibration of the network", natural.source), fontsize=10)
plt.show()

# %% [markdown]
# And the threshold? With right probabilities it needs no search: an alarm pays if the expected cost of
# silence, $p \cdot$ `COST_OF_MISS`, is above that of a false alarm, $1 - p$. So the cheapest threshold is
# 1 / (1 + `COST_OF_MISS`), in every population, as long as the probabilities are those of that population.

# %%
right_threshold = 1 / (1 + COST_OF_MISS)
carried_over = rates("natural", moved["natural"] >= right_threshold)
print(f"cost of 100 pictures, natural part, a miss at {COST_OF_MISS:g} alarms:")
print(f"  cheapest on validation: {prices['MobileNetV2, cheapest']['natural']['cost']:.1f}")
print(f"  calibrated, moved, 1 / (1 + cost): {carried_over['cost']:.1f}")
for kind in ("benign", "melanoma"):
    print(f"  everything {kind}: {prices[f'everything {kind}']['natural']['cost']:.1f}")

# %% [markdown]
# On real lesions: {{ quote("05_evaluation-28px", "prices.network cheapest.natural.cost", ".1f") }} becomes
# {{ quote("05_evaluation-28px", "carried_over.cost", ".1f") }}, without a look at one label of the natural part. At 96
# pixels, where the search on validation happened to end at a higher threshold, it gains nothing:
# {{ quote("05_evaluation-96px", "prices.network cheapest.natural.cost", ".1f") }} and
# {{ quote("05_evaluation-96px", "carried_over.cost", ".1f") }}. A search follows the
# luck of 200 pictures; the formula needs only that the probabilities are right.
#
# **Exercise 05.4** A calibrated model that learned at 24 % melanomas says 0.5. What should it say where
# 11 % are?

# %% tags=["exercise", "nbval-check-output"]
says_now = ...

exercises.check("05.4", says_now, says=0.5, before=0.24, after=0.11)

# %% tags=["solution"]
odds = 0.5 / 0.5 * (0.11 / 0.89) / (0.24 / 0.76)
says_now = odds / (1 + odds)

exercises.check("05.4", says_now, says=0.5, before=0.24, after=0.11)

# %% [markdown]
# ## For whom does it work?
#
# A mean over all hides who pays for it. The same model, by sex, age and site, on the natural part, with
# the threshold just found. Groups with fewer than ten melanomas say nothing and are not given a
# number.

# %%
t = natural.table
bands = pd.cut(t["age"], [-1, 40, 60, 120], labels=["to 40", "41 to 60", "over 60"])
groupings = {"sex": t["sex"], "age": bands, "site": t["localization"]}
members = {"all": np.ones(len(t), bool)}
for name, column in groupings.items():
    for value in column.dropna().value_counts(sort=name == "site").index:
        members[f"{name}: {value}"] = (column == value).to_numpy()
y, group, p = natural.melanoma, t["group"].to_numpy(), moved["natural"]
enough = {name: m for name, m in members.items() if y[m].sum() >= 10}
subgroups = {
    name: evaluation.evaluate(name, y[m], p[m], group[m], right_threshold, n_resamples=200)
    for name, m in enough.items()
}
few = [f"{name} ({y[m].sum()})" for name, m in members.items() if name not in enough]
print("too few melanomas:", *few, sep="\n  ")

# %%
rows = {
    name: {"pictures": e.n_images, "melanomas": int(y[enough[name]].sum())}
    | {m: f"{e.metrics[m]:.3f}" for m in ("sensitivity", "specificity", "roc_auc")}
    for name, e in subgroups.items()
}
pd.DataFrame.from_dict(rows, orient="index")

# %% [markdown]
# The baselines have their groups too. The figure compares the AUC of the network (dots, solid bars)
# with that of the colour baseline (diamonds, dotted bars) in the same groups; the majority class has
# 0.5 everywhere. Look at how long the bars are before you look where they lie.

# %%
of_colours = {
    name: evaluation.evaluate(name, y[m], colours["natural"][m], group[m], 0.5, n_resamples=200)
    for name, m in enough.items()
}
by_group, ax = plt.subplots(figsize=(7, 1.2 + 0.35 * len(enough)), layout="constrained")
places = np.arange(len(enough))
looks = (("MobileNetV2", subgroups, "o", "-", 0), ("colour baseline", of_colours, "D", ":", 1))
for name, found, marker, style, color in looks:
    rows, color = places + 0.25 * color - 0.12, plots.PALETTE[color]
    aucs = [e.metrics["roc_auc"] for e in found.values()]
    low, high = [auc.low for auc in aucs], [auc.high for auc in aucs]
    ax.hlines(rows, low, high, color=color, linestyle=style, linewidth=2)
    ax.plot([auc.value for auc in aucs], rows, marker, color=color, label=name)
ax.axvline(0.5, color="black", linewidth=0.8)
ax.set(yticks=places, yticklabels=list(enough), ylim=(len(enough) - 0.5, -0.5), xlabel="ROC AUC")
by_group.legend(loc="outside lower center", ncols=2)
by_group.suptitle(plots.title("natural part, by group", natural.source), fontsize=10)
plt.show()

# %% [markdown]
# On all real test pictures, sensitivity and specificity are
# {{ quote("05_evaluation-28px", "subgroups.age to 40.sensitivity") }} and
# {{ quote("05_evaluation-28px", "subgroups.age to 40.specificity") }} up to the age of 40,
# {{ quote("05_evaluation-28px", "subgroups.age over 60.sensitivity") }} and
# {{ quote("05_evaluation-28px", "subgroups.age over 60.specificity") }} over 60, though nobody told the model the age.
# Up to 40 it misses more than half of the melanomas; one possible cause is that they are rare at that age,
# so that it had few to learn from. Over 60 it gives more false alarms. One threshold is not equally kind
# to everybody.
#
# Before you believe any single row, count: this table has three intervals a row. Of that many, one in
# twenty misses the truth by chance, and whoever picks the worst row afterwards picks chance first. A group
# named *before* the test may be judged by its interval; one that caught the eye is a question for the
# next test set. And where an interval reads [1.000, 1.000]: nothing was missed, so resampling cannot
# invent a miss; with $n$ melanomas up to about $3/n$ may still be missed in truth. What is absent is worse
# than all this: HAM10000 does not record the colour of the skin, so no row here can speak for it.
#
# ## Audit: the numbers of a README
#
# The project from which this course grew states an accuracy of 85.2 %, and prints a confusion matrix
# for its test set of 200 pictures. Both are in `utils/results.py`. No picture is needed to check them.

# %% tags=["nbval-check-output"]
(tn, fp), (fn, tp) = results.CLAIMED_CONFUSION
own = {
    "accuracy": (tn + tp) / (tn + fp + fn + tp),
    "precision": tp / (tp + fp),
    "sensitivity": tp / (tp + fn),
    "f1": 2 * tp / (2 * tp + fp + fn),
}
print(f"pictures: 200 claimed, {tn + fp + fn + tp} in the matrix, {fn + tp} of them melanomas")
for name, claimed in results.CLAIM.items():
    print(f"{name}: {claimed:.3f} claimed, {own[name]:.3f} from the matrix")
print(f"recall: mean of both classes {(tp / (tp + fn) + tn / (tn + fp)) / 2:.3f}")

# %% [markdown]
# First contradiction: fifty pictures too many. Second: none of the four measures follows from the
# matrix. A kind reader looks for an innocent cause: libraries also print means over both classes, and the
# mean recall of the matrix does come near the claimed one. Such a cause explains one number, not four.
#
# Perhaps the matrix was the slip, and the four measures are right? An accuracy of 0.852 is $k / n$
# with whole numbers. And which matrices of 250 pictures give all four claims at once?

# %% tags=["nbval-check-output"]
for n in (200, 250):
    k = round(0.852 * n)
    print(f"{n} pictures: {k} right are {k / n:.3f}; 0.852 is", round(k / n, 3) == 0.852)
fitting = []
for melanomas in range(1, 250):
    for tp in range(melanomas + 1):
        fn = melanomas - tp
        fp = 250 - 213 - fn  # 213 right
        if tp and fp >= 0:
            implied = tp / (tp + fp), tp / melanomas, 2 * tp / (2 * tp + fp + fn)
            if [round(value, 2) for value in implied] == [0.83, 0.79, 0.81]:
                fitting.append(melanomas)
print(f"all claims fit with {min(fitting)} to {max(fitting)} melanomas of 250")

# %% [markdown]
# Third: no test of 200 pictures can have an accuracy of 0.852. Fourth: the claims fit each other only
# if two in five of 250 pictures are melanomas, where the matrix has 60. So the claim is not a little
# imprecise: no test set as described gives it. That proves no ill will. Run the cells of a notebook in
# another order, copy a number by hand, and it is done; so this course writes its results to files,
# and its prose reads them from there.
#
# One question more: what would an honest 0.85 on 200 pictures have been worth?

# %% tags=["nbval-check-output"]
honest = binomtest(170, 200).proportion_ci(method="wilson")
print(f"170 of 200 right: 0.850 [{honest.low:.3f}, {honest.high:.3f}]; the majority class: 0.760")

# %% [markdown]
# **Exercise 05.5** A test set has 200 pictures, 48 of them melanomas. Sensitivity 0.79 and precision 0.83
# are claimed. Which accuracy follows? (Fractions of a picture are allowed.)

# %% tags=["exercise", "nbval-check-output"]
accuracy_that_follows = ...

claim = dict(melanomas=48, images=200, sensitivity=0.79, precision=0.83)
exercises.check("05.5", accuracy_that_follows, **claim)

# %% tags=["solution"]
hits = 0.79 * 48
false_alarms = hits / 0.83 - hits
accuracy_that_follows = 1 - ((48 - hits) + false_alarms) / 200

exercises.check("05.5", accuracy_that_follows, **claim)

# %% [markdown]
# ## Our own result, read as strictly
#
# Is the network better than the colour baseline? The two tables, Mini first, then the natural part:

# %%
for part, evaluations in judged.items():
    rows = evaluation.as_table(evaluations).loc[["accuracy", "roc_auc", "average_precision"]]
    print(f"{part}\n{rows.rename_axis(None).to_string()}\n")

# %% [markdown]
# Overlapping intervals do not settle it, because both were judged on the *same* lesions, and a hard draw is
# hard for both. Take the difference in each draw: the interval of a **paired** difference.

# %%
differences = {}
for part in ("Mini", "natural"):
    y, a, b = parts[part].melanoma, deep[part], colours[part]
    groups = parts[part].table["group"]
    differences[part] = evaluation.difference(roc_auc_score, y, a, b, groups, 300, SEED)
    print(f"{part}: AUC of the network minus colours {differences[part]:+.3f}")

# %% [markdown]
# On real lesions the difference is {{ quote("05_evaluation-28px", "differences.Mini", "+.3f") }} on Mini's 200 pictures and
# {{ quote("05_evaluation-28px", "differences.natural", "+.3f") }} on the {{ quote("05_evaluation-28px", "parts.natural.pictures", ",") }} of
# the natural part; with pictures of 96 px {{ quote("05_evaluation-96px", "differences.Mini", "+.3f") }} and
# {{ quote("05_evaluation-96px", "differences.natural", "+.3f") }}. So lesson 00's sentence, "the deep model does not beat
# the colour baseline", was true of what 200 pictures can show, and ten times as many show more: **this**
# trained network ranks lesions better than the colours do. *Not shown* was never *not there*. What is it
# worth, read strictly?
#
# - **One training.** The interval holds the luck of the test lesions, not that of the seed. Five trainings
#   of lesson 00 had AUCs on Mini of {{ quote("00_quickstart-width0.35-28px", "over_seeds.roc_auc.seeds.0", ".3f") }},
#   {{ quote("00_quickstart-width0.35-28px", "over_seeds.roc_auc.seeds.1", ".3f") }}, {{ quote("00_quickstart-width0.35-28px", "over_seeds.roc_auc.seeds.2", ".3f") }},
#   {{ quote("00_quickstart-width0.35-28px", "over_seeds.roc_auc.seeds.3", ".3f") }} and {{ quote("00_quickstart-width0.35-28px", "over_seeds.roc_auc.seeds.4", ".3f") }}:
#   to speak of the recipe, train several and average, as that lesson's table does.
# - **Several measures.** We looked at many numbers. Decide beforehand which one counts; here it is the
#   AUC.
# - **One collection.** Train and test come from the same two clinics. Another camera, another
#   skin, another way of choosing lesions has not been tested at all.
# - **What would have to be true** for a doctor to gain by it? That it is better than the doctor alone, on
#   lesions as they walk in, with a threshold fixed beforehand, at the true prevalence, for each group of
#   patients. Nothing in this course tests that.
#
# **Exercise 05.6** One training each of recipes A and B is tested on the same pictures: A has an AUC of 0.86
# [0.80, 0.91], B 0.82 [0.75, 0.88], and the paired difference A - B is +0.04 [+0.01, +0.07]. What was
# shown to be better: `"this A"`, `"the recipe of A"`, `"B"` or `"nothing shown"`?

# %% tags=["exercise", "nbval-check-output"]
shown_better = ...

exercises.check("05.6", shown_better)

# %% tags=["solution"]
shown_better = "this A"  # the paired interval excludes zero; it says nothing about other seeds

exercises.check("05.6", shown_better)

# %% [markdown]
# What this lesson found is kept beside the other results of your runs (the cell only renames and
# collects):

# %%
keys = {"best accuracy": "best accuracy", "cheapest": "cheapest", "90 % found": "90 found"}
kept_prices = {f"network {new}": prices[f"MobileNetV2, {old}"] for old, new in keys.items()}
kept_prices |= {f"colours {new}": prices[f"colour baseline, {o}"] for o, new in keys.items()}
kept_prices |= {f"all {k}": prices[f"everything {k}"] for k in ("benign", "melanoma")}
short = {"MobileNetV2": "network", "colour baseline": "colours", "majority class": "constant"}
step = {"as it comes": "raw", "calibrated on validation": "scaled"}
kept_calibration = {}
for (who, how), c in calibration.items():
    kept_calibration[f"{short[who]} {step.get(how, 'moved')}"] = c


found = {part: {e.name: e.metrics for e in judged[part]} for part in judged} | {
    "weights": pretrained.describe(weights),
    "benign_share": float((table["dx"] != "mel").mean()),
    "parts": {k: dict(zip(columns, map(float, v), strict=True)) for k, v in count.items()},
    "areas": areas,
    "thresholds": thresholds,
    "prices": kept_prices,
    "swing": swing,
    "width_share": float(share_of_width),
    "ppv": {
        "calculated": calculated["natural"],
        "counted": counted,
        "screening": calculated["screening"],
    },
    "calibration": kept_calibration,
    "carried_over": carried_over,
    "subgroups": {name.replace(":", ""): e.metrics for name, e in subgroups.items()},
    "differences": differences,
}
for part in found["parts"].values():
    part |= {k: int(part[k]) for k in columns[:3]}
headline = ("AUC minus colours", differences["natural"])
parameters = dict(SIZE=SIZE, ALPHA=ALPHA, SEED=SEED)
parameters |= dict(EPOCHS=EPOCHS, FINE_TUNE_EPOCHS=FINE_TUNE_EPOCHS)
parameters |= dict(TEST_IMAGES=TEST_IMAGES, COST_OF_MISS=COST_OF_MISS)
name = f"05_evaluation-{SIZE}px"
results.keep(name, lesions.source, lesions.table, parameters, found, headline)
for figure, what in (
    (curves, "curves"),
    (prices_figure, "cost"),
    (ppv_figure, "prevalence"),
    (reliability, "calibration"),
    (by_group, "groups"),
):
    results.save_figure(figure, f"{name}-{what}")
print("kept")

# %% [markdown]
# ## Your predictions
#
# Since lesson 00 you were asked for a number before each result. Here they all are: diamonds are
# what you wrote down, dots what came out, with its interval where it has one. See on which side the diamonds lie: do
# you expect too much, or too little? (The ledger is kept with your runs; in Colab it lives as long as
# the session.)

# %%
guessed = ledger.table().dropna(subset=["guess", "value"])
guessed = guessed.loc[sorted(guessed.index, key=lambda what: what[:2])]
if len(guessed):
    figure = plots.predictions(guessed)
    off = guessed["guess"] - guessed["value"]
    print(
        f"{len(off)} predictions, off by {off.abs().mean():.2f} on average, too high: {(off > 0).sum()}"
    )
else:
    print("No predictions yet, and no harm done: write a number in place of the ... in any lesson,")
    print("run it, and come back. A wrong guess teaches more than none.")

# %% [markdown]
# ## Key points
#
# - Four counts make all measures at a threshold. Sensitivity and specificity stay within one kind of
#   lesion; accuracy, precision, F1 and average precision move with the share of melanomas.
# - A threshold states a price. Choose it on validation, say the price, and do not expect it to keep its
#   promise exactly, or to fit another population.
# - Intervals resample what is independent: lesions, not pictures.
# - Probabilities that are right at one prevalence are wrong at another; in odds, one factor mends it.
#   Two errors may cancel and look like calibration.
# - Two models on the same lesions are compared by a paired interval. It speaks of these trained models,
#   not of their recipes.
# - Figures that belong together can be checked against each other with arithmetic alone.
#
# ## Can you still say it?
#
# Answer aloud before you open each answer.
#
# <details><summary>Why can a useless answer have the best accuracy?</summary>
# Accuracy weights sensitivity and specificity by how common each kind is. Where melanomas are rare,
# missing all of them costs next to nothing.</details>
#
# <details><summary>Which of ROC AUC and average precision changes with prevalence, and why?</summary>
# Average precision: precision mixes both kinds of lesion. The axes of the ROC curve do not.</details>
#
# <details><summary>A threshold found 90 % of the melanomas on validation. Why not in the test?</summary>
# It hangs on a few validation melanomas, the test has few too, and validation had already been used to
# pick the epoch.</details>
#
# <details><summary>Why is an interval that resamples pictures too narrow?</summary>
# Photographs of one lesion tend to be right or wrong together; it counts them as separate evidence.</details>
#
# <details><summary>What does the correction for another prevalence assume?</summary>
# That the probabilities were right before, and that each kind of lesion looks the same in both
# populations. Only the mix may differ.</details>
#
# <details><summary>Two intervals overlap. Has nothing been shown?</summary>
# Not on the same pictures: look at the interval of the paired difference.</details>
#
# ## What comes next
#
# The bar is known, and so is the way to measure a step over it. Lesson 06 takes it: more pictures,
# augmentation, deeper training, ensembles.
#
# ## References
#
# - Saerens, Latinne, Decaestecker: Adjusting the outputs of a classifier to new a priori probabilities.
#   Neural Computation 14:21, 2002,
#   [doi:10.1162/089976602753284446](https://doi.org/10.1162/089976602753284446).
# - Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks. ICML 2017,
#   [arXiv:1706.04599](https://arxiv.org/abs/1706.04599).
# - Platt: Probabilistic outputs for support vector machines. Advances in Large Margin Classifiers, 1999.
# - Naeini, Cooper, Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning. AAAI 2015.
# - Saito, Rehmsmeier: The precision-recall plot is more informative than the ROC plot when evaluating
#   binary classifiers on imbalanced datasets. PLoS ONE 10(3):e0118432, 2015,
#   [doi:10.1371/journal.pone.0118432](https://doi.org/10.1371/journal.pone.0118432).
# - Elkan: The foundations of cost-sensitive learning. IJCAI 2001. The threshold 1 / (1 + cost).
# - Field, Welsh: Bootstrapping clustered data. J. R. Stat. Soc. B 69:369, 2007,
#   [doi:10.1111/j.1467-9868.2007.00593.x](https://doi.org/10.1111/j.1467-9868.2007.00593.x).
# - Hanley, Lippman-Hand: If nothing goes wrong, is everything all right? JAMA 249:1743, 1983,
#   [doi:10.1001/jama.1983.03330370053031](https://doi.org/10.1001/jama.1983.03330370053031).
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161).
