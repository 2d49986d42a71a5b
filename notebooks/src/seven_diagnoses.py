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
# So far we asked one question: melanoma, or everything else? But everything else holds other cancers, and a model that
# finds every melanoma may leave them all alone. In this lesson a network tells seven diagnoses apart, and costs decide.

# %% [markdown]
# **You will**
#
# - count what hides in "everything else", and see what a melanoma model does with it;
# - train a network with seven outputs, and answer a second question with them;
# - let costs decide, not the likeliest diagnosis.
#
# **New words**: precursor, softmax, balanced accuracy, cost matrix, expected cost
#
# **You need** lessons {{ number_of("training") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("better_models") }}: a step brings a large gain on the step before. What do you
# check?</summary>
# Where the gain started: how good was the best model before it?</details>
#
# <details><summary>Lesson {{ number_of("evaluation") }}: what are sensitivity and specificity?</summary>
# The share of melanomas that the model finds, and the share of other lesions that it leaves alone.</details>

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.metrics import roc_auc_score

from utils import data, diagrams, evaluation, exercises, ledger
from utils import plots, pretrained, splits
from utils.quiet import keras
from keras import layers

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
SEED = 0
EPOCHS = 30

# %% [markdown]
# ## How many of them are not harmless?

# %%
_ = diagrams.diagnoses()

# %% [markdown]
# Basal-cell carcinoma (`bcc`) is a cancer; it seldom spreads. `akiec` stands for actinic keratosis and Bowen's disease.
# They are **precursors**: some of them become another cancer. Our label "benign" held them both.
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
print(f"{share:.1%} of everything else is cancer or a precursor")
ledger.outcome("cancer or precursor in everything else", share, lesions.source)
counts[["train", "validation", "test"]]

# %% [markdown]
# Nearly one in ten. In all of HAM10000 it is {{ fact("555 of 6,856", "327 bcc and 228 akiec; 614 mel of 7,470 lesions") }} lesions, one in twelve. What
# does a model for melanoma do with them? The base is frozen, as in lesson {{ number_of("training") }}: its features are
# computed once, and only a head is trained.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Computes the features of the frozen base
train = lesions.subset("train")
validation = lesions.subset("validation")
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)
features = keras.Sequential([keras.Input((SIZE, SIZE, 3))])
features.add(layers.Resizing(96, 96))
features.add(layers.Rescaling(1 / 127.5, offset=-1))
base = keras.applications.MobileNetV2(
    (96, 96, 3), 0.35, include_top=False, pooling="avg", weights=weights
)
features.add(base)
x_train = features.predict(train.images, batch_size=200, verbose=0)
x_validation = features.predict(validation.images, batch_size=200, verbose=0)
dx = validation.table["dx"]
groups = validation.table["group"]

# %%
keras.utils.set_random_seed(SEED)
two = keras.Sequential([keras.Input((1280,))])
two.add(layers.Dense(1, activation="sigmoid"))
two.compile("adam", "binary_crossentropy")
two.fit(x_train, train.melanoma, epochs=EPOCHS, verbose=0)
p_two = two.predict(x_validation, verbose=0)[:, 0]

# %%
answer = pd.Series(p_two >= 0.5).map({True: "melanoma", False: "else"})
pd.crosstab(dx, answer.rename("the model says"))

# %% [markdown]
# It calls all 6 `akiec` "else", and 7 of 9 `bcc`. By its own question that is right. The question was too small.
#
# ## Seven answers
#
# **Exercise seven_diagnoses.1** Write `seven_head(n_features)`: a compiled Keras model that takes features and gives
# seven probabilities. **Softmax** makes them positive and lets them add up to 1. The labels, `train.diagnosis`, are
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

# %%
seven_head = exercises.use("seven_diagnoses.1", seven_head)
keras.utils.set_random_seed(SEED)
seven = seven_head(1280)
seven.fit(x_train, train.diagnosis, epochs=EPOCHS, verbose=0)
p = pd.DataFrame(seven.predict(x_validation, verbose=0), columns=data.DX)
likeliest = p.idxmax(axis=1)
print(f"accuracy: {accuracy_score(dx, likeliest):.2f}")
print(f"always nv: {(dx == 'nv').mean():.2f}")
print(f"balanced accuracy: {balanced_accuracy_score(dx, likeliest):.2f}")

# %% [markdown]
# The accuracy beats "always `nv`". **Balanced accuracy**, the mean of the shares that are found of each diagnosis, is
# much lower. Which diagnoses does the model miss?

# %%
matrix = pd.crosstab(dx.rename("truth"), likeliest.rename("the model says"))
matrix = matrix.reindex(index=data.DX, columns=data.DX, fill_value=0)
shares = matrix.div(matrix.sum(axis=1), axis=0)
figure, ax = plt.subplots(figsize=(6, 4.2))
sns.heatmap(shares, annot=matrix, fmt="d", cmap="Blues")
right, moles = matrix.to_numpy().trace(), matrix.loc["nv", "nv"]
_ = ax.set_title(f"{right} answers are right, {moles} of them moles")
# alt: Confusion matrix of seven diagnoses with counts; the shade is the share of the row. The row nv is nearly all on the diagonal. Of akiec one and of bcc two are on the diagonal.

# %% [markdown]
# Each row is one truth; the shade is the share of the row. The model finds one of six `akiec` and two of nine `bcc`. It
# calls six of these fifteen moles. The probabilities hold more than the likeliest diagnosis.
#
# **Exercise seven_diagnoses.2** Write `second_question(p, dx)`. Return two columns: the truth (1 for `akiec`, `bcc` and
# `mel`, else 0), and the probability that a lesion is one of the three. `p` has a column for each diagnosis.


# %% tags=["exercise"]
def second_question(p, dx):
    return ...


exercises.check("seven_diagnoses.2", second_question)


# %% tags=["solution"]
def second_question(p, dx):
    three = ["akiec", "bcc", "mel"]
    return dx.isin(three).astype(int), p[three].sum(axis=1)


exercises.check("seven_diagnoses.2", second_question)

# %% [markdown]
# **AUC** is the chance that a random lesion of the kind we look for gets a higher score than a random other one; 0.5 is
# guessing. For the second question:

# %%
second_question = exercises.use("seven_diagnoses.2", second_question)
y, p_three = second_question(p, dx)
gain = evaluation.difference(roc_auc_score, y, p_three, p_two, groups)
print(f"melanoma model: {roc_auc_score(y, p_two):.2f}")
print(f"seven outputs:  {roc_auc_score(y, p_three):.2f}")
print(f"difference:     {gain:+.2f}")

# %% [markdown]
# In brackets stands the 95 % interval: the difference on very many such images probably lies in here. It lies above
# zero in this training. (Two outputs, trained on the second question, might do as well.)
#
# And the first one? Seven answers instead of two changed the AUC for melanoma by
# {{ quote("ladder", "gains.seven diagnoses", "+.3f") }}: {{ verdict("ladder", "gains.seven diagnoses") }} (600 images of 64 px, three trainings, judged on 1,999 images).

# %% [markdown]
# Only fifteen of our validation images are carcinomas or precursors, but
# {{ quote("seven_diagnoses", "malignant.not_melanoma", "d") }} of the 1,999 test images. Inside the course's own
# model, the sum of three has an AUC of {{ quote("seven_diagnoses", "malignant.roc_auc", ".2f") }} for the second
# question, and its probability of melanoma alone
# {{ quote("seven_diagnoses", "malignant.roc_auc_of_melanoma_probability", ".2f") }}. The difference,
# {{ quote("seven_diagnoses", "malignant.gain", "+.2f") }}, is
# {{ verdict("seven_diagnoses", "malignant.gain", below=None, zero=None) }}.

# %% [markdown]
# ## Costs decide
#
# Now somebody must act: leave the lesion alone, or send the person to a doctor. A melanoma that is left alone may kill; a
# carcinoma can wait a little; a keratosis is treated with cold or a cream. Someone with a harmless lesion loses a day.
# A **cost matrix** says it in numbers:

# %%
three = ["akiec", "bcc", "mel"]
costs = pd.DataFrame({"leave alone": 0, "doctor": 1}, index=data.DX)
costs.loc[three, "doctor"] = 0
costs.loc[three, "leave alone"] = [2, 5, 10]
costs

# %% [markdown]
# The unit is one needless visit. The numbers are invented: patients and doctors would have to agree on them.
#
# The **expected cost** of a call is the sum, over the diagnoses, of probability times cost. Take a lesion that is a mole
# with {{ fact("85 %", "an example") }} and a melanoma with {{ fact("15 %", "an example") }}. Left alone, it costs
# {{ fact("0.15 x 10 = 1.5", "an example") }} on average; sent to a doctor, {{ fact("0.85 x 1 = 0.85", "an example") }}.
# So it is sent, though probably a mole.

# %% [markdown]
# **Exercise seven_diagnoses.3** Write `cheapest_call(p, costs)`. `p` has a row for each image, and `costs` is the table
# above. Return for each image the name of the call with the lowest expected cost. pandas can multiply tables: `@`.


# %% tags=["exercise"]
def cheapest_call(p, costs):
    return ...


exercises.check("seven_diagnoses.3", cheapest_call)


# %% tags=["solution"]
def cheapest_call(p, costs):
    return (p @ costs).idxmin(axis=1)


exercises.check("seven_diagnoses.3", cheapest_call)

# %% [markdown]
# We compare four rules:

# %%
cheapest_call = exercises.use("seven_diagnoses.3", cheapest_call)
send = likeliest.isin(three).map({True: "doctor", False: "leave alone"})
rules = pd.DataFrame(index=p.index)
rules["leave all alone"] = "leave alone"
rules["likeliest diagnosis"] = send
rules["lowest expected cost"] = cheapest_call(p, costs)
rules["all to a doctor"] = "doctor"


# %%
def paid(truth, calls):
    rows = costs.index.get_indexer(truth)
    return costs.to_numpy()[rows, costs.columns.get_indexer(calls)]


spent = rules.apply(lambda calls: 100 * paid(dx, calls))
alone = rules == "leave alone"
table = pd.DataFrame({"cost of 100 lesions": spent.mean()})
table["cancers, precursors left"] = alone[y == 1].sum()
table["harmless sent"] = (~alone)[y == 0].sum()
table

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Draws what each rule pays, and what for
names = {"mel": "melanoma left", "bcc": "bcc left", "akiec": "akiec left"}
what = dx.map(names).fillna("harmless sent")
parts = spent.groupby(what).sum() / len(spent)
parts = parts.loc[["harmless sent", "akiec left", "bcc left", "melanoma left"]]
colours = [plots.OTHER, "#56B4E9", "#E69F00", plots.MELANOMA]
figure, ax = plt.subplots(figsize=(8, 2.9))
parts.T[::-1].plot.barh(stacked=True, color=colours, ax=ax, width=0.7)
ax.set(xlabel="cost of 100 lesions, in needless visits", ylabel="")
ax.legend(title="", loc="lower right")
cheapest, likely = spent["lowest expected cost"], spent["likeliest diagnosis"]
text = f"Lowest expected cost pays {cheapest.mean():.0f}, likeliest diagnosis {likely.mean():.0f}"
_ = ax.set_title(text)
# alt: Four stacked bars. To leave all alone costs most, nearly all for melanomas. The likeliest diagnosis costs less than half of it, still mostly for melanomas. To send all to a doctor costs less again, all for harmless lesions. The lowest expected cost is the shortest bar, mostly for harmless lesions.

# %% [markdown]
# The two rules in the middle use the same probabilities. Is the lowest expected cost cheaper, also than the rule
# that needs no model? Paired, for 100 lesions:


# %%
def mean_cost(truth, calls):
    return 100 * paid(truth, calls).mean()


best = rules["lowest expected cost"]
for name in ["likeliest diagnosis", "all to a doctor"]:
    saved = evaluation.estimate_diagnoses(
        mean_cost, dx, best, groups, minus=rules[name]
    )
    print(f"lowest expected cost minus {name}: {saved:+.0f}")

# %% [markdown]
# Both intervals lie below zero: with these costs it is. It still leaves three cancers or precursors alone.
#
# But expected costs are only as good as the probabilities. If these are calibrated, a rule pays what it expects:

# %%
expected = 100 * (p @ costs).min(axis=1).mean()
really = evaluation.estimate_diagnoses(mean_cost, dx, best, groups)
print(f"expected {expected:.0f}, paid {really:.0f}")

# %% [markdown]
# The interval holds what was expected, but it is wide: no proof. And these probabilities belong to a set in which one lesion in four is a melanoma. Where
# melanomas are rarer, correct them first (lesson {{ number_of("clinic") }}).

# %% [markdown]
# Nobody calibrated the seven probabilities of the shipped model. On the 1,999 test images it expects a cost of
# {{ quote("seven_diagnoses", "costs.expected", ".2f") }} for one image, and pays
# {{ quote("seven_diagnoses", "costs.paid.lowest expected cost", ".2f") }}: the difference is
# {{ verdict("seven_diagnoses", "costs.paid minus expected", above="clear, it expects too little", below="clear, it expects too much") }}.
# Lowest expected cost minus likeliest diagnosis is {{ quote("seven_diagnoses", "costs.minus likeliest", "+.2f") }}:
# {{ verdict("seven_diagnoses", "costs.minus likeliest") }}.

# %% [markdown]
# What hides in "everything else"? Other cancers and precursors, about one lesion in twelve. A model finds more of them if you
# ask for them, and say what a mistake costs.

# %% [markdown]
# ## Key points
#
# - A model for melanoma calls other cancers "everything else", and is right by its own question.
# - Seven probabilities answer more than one question: add up the diagnoses that you ask for.
# - A diagnosis is no decision. Costs decide, and they need calibrated probabilities.
#
# ## Check yourself
#
# <details><summary>Of {{ fact("100", "an example") }} lesions {{ fact("67", "an example") }} are moles. A model says
# "mole" each time. Accuracy, and balanced accuracy over seven diagnoses?</summary>
# {{ fact("0.67", "an example") }} and one seventh: it finds all moles and none of the other six.</details>
#
# <details><summary>Why add up three probabilities instead of taking the largest?</summary>
# The diagnoses exclude each other. Three times a quarter is more than one half.</details>
#
# <details><summary>A melanoma that is left alone should cost a thousand visits. What does the rule do?</summary>
# It sends nearly everyone: even a tiny risk is then worth a visit.</details>
#
# ## What comes next
#
# The network names a diagnosis. Where does it look?
# [{{ number_of("grad_cam") }} · Grad-CAM]({{ notebook_of("grad_cam") }})
#
# ## References
#
# - Codella et al.: Skin lesion analysis toward melanoma detection 2018,
#   [arXiv:1902.03368](https://arxiv.org/abs/1902.03368) (ISIC 2018: balanced accuracy over these seven diagnoses).
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161).
# - Elkan: The foundations of cost-sensitive learning. IJCAI 2001, pages 973 to 978.

# %%
exercises.progress()

# %%
ledger.show()
