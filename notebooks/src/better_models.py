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
# # {{ number }} · Better models: what helps?
#
# Train all layers. Flip the images. Get more of them. Average several models. Many recipes do all of it at once, and
# then nobody can tell what helped. We change one thing at a time. You will see that a gain says little until you know
# where it started.

# %% [markdown]
# **You will**
#
# - add augmentation to a Keras model, train it, and report the paired difference;
# - read an **ablation**: trainings that change one thing at a time, each compared with the one before;
# - compare each step with an honest start.
#
# **New words**: ablation, augmentation, test-time augmentation, ensemble, Bonferroni's rule, control
#
# **You need** lessons {{ number_of("fine_tuning") }} and {{ number_of("evaluation") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("clinic") }}: the same model is used where melanomas are rarer. What happens to
# its precision?</summary>
# It falls: fewer of the lesions that it calls melanoma are melanomas.</details>
#
# <details><summary>Lesson {{ number_of("batchnorm") }}: training looks perfect and validation fails. What can BatchNorm have to
# do with it?</summary>
# In training it uses the mean of each batch, in prediction a moving average, which may lag behind.</details>

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from utils import data, diagrams, evaluation, exercises, ledger
from utils import plots, pretrained, results, splits
from utils.quiet import keras
from keras import layers

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
INPUT = 48  # pixels a side inside the network: few, to save time
SEED = 0
EPOCHS = 4

# %% [markdown]
# ## Does augmentation help?
#
# We train all layers of MobileNetV2 on 600 images, 144 of them melanomas. `first` takes layers that come before
# everything else. BatchNorm gets a momentum of `0.9`: its moving averages follow a short training faster.

# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
weights = pretrained.mobilenet_v2(0.35, 96, lesions.source)


# %%
def network(first):
    keras.utils.set_random_seed(SEED)
    shape = (INPUT, INPUT, 3)
    base = keras.applications.MobileNetV2(
        shape, alpha=0.35, include_top=False, pooling="avg", weights=weights
    )
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *first])
    model.add(layers.Resizing(INPUT, INPUT))
    model.add(layers.Rescaling(1 / 127.5, offset=-1))
    model.add(base)
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


# %% [markdown]
# The learning rate falls to zero along half a cosine. There the training ends.


# %%
def fit(model):
    steps = EPOCHS * int(np.ceil(len(train) / 64))
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    adam = keras.optimizers.Adam(rate)
    adam.build(model.trainable_variables)  # saves half of the waiting
    model.compile(adam, "binary_crossentropy")
    model.fit(train.images, train.melanoma, 64, EPOCHS, verbose=0)


def predict(model, images):
    return model.predict(images, batch_size=200, verbose=0)[:, 0]


# %% [markdown]
# **AUC** is the chance that a random melanoma gets a higher score than a random other lesion; 0.5 is guessing. How good
# is the model on the images that it was trained on, and on new ones?

# %%
plain = network([])
fit(plain)
y = validation.melanoma
p_plain = predict(plain, validation.images)
p_train = predict(plain, train.images)
print(f"training AUC:   {roc_auc_score(train.melanoma, p_train):.2f}")
print(f"validation AUC: {roc_auc_score(y, p_plain):.2f}")

# %% [markdown]
# 1.00 and 0.81: the network memorises its training images. **Augmentation** should reduce that: in every epoch each image
# is shown in a new random view. Flipped or turned it is the same lesion. Keras has layers for this; `predict` calls them
# with `training=False`, where they do nothing:

# %% tags=["samples"]
turn = layers.RandomRotation(0.25, fill_mode="reflect", seed=SEED)
samples = data.load_set("samples", 128)
lesion = samples.images[23:24].astype("float32")
views = [turn(lesion, training=False)]
for _ in range(4):
    views.append(turn(lesion, training=True))
shown = [np.array(view[0]) / 255 for view in views]
titles = ["in prediction"] + 4 * ["in training"]
_ = plots.gallery(shown, titles, "One lesion, turned at random")
# alt: The same lesion five times: upright, and then turned by four random angles.

# %% [markdown]
# First, flips alone:

# %%
flips = layers.RandomFlip("horizontal_and_vertical", seed=SEED)
flipped = network([flips])
fit(flipped)
p_flips = predict(flipped, validation.images)
groups = validation.table["group"]
gain = evaluation.difference(roc_auc_score, y, p_flips, p_plain, groups)
print(f"flips minus none: {gain:+.2f}")

# %% [markdown]
# This is the paired difference: both models score the same images. In brackets stands its 95 % interval: the
# difference on very many such images probably lies in here. It holds zero: **inconclusive**.
#
# **Exercise better_models.1** Add one more layer of augmentation after the flips, such as turns, `RandomZoom` or
# `RandomBrightness`. Train the model, and compute its paired difference to the model with flips alone.
# (`exercises.hint("better_models.1")` gives a hint.)

# %% tags=["exercise"]
my_model = ...  # a network, then `fit`
my_gain = ...  # from `evaluation.difference`

answer = (my_model, my_gain)
exercises.check("better_models.1", answer, before=p_flips, lesions=validation)

# %% tags=["solution"]
my_flips = layers.RandomFlip("horizontal_and_vertical", seed=SEED)
my_turns = layers.RandomRotation(0.25, fill_mode="reflect", seed=SEED)
my_model = network([my_flips, my_turns])
fit(my_model)
my_p = predict(my_model, validation.images)
my_gain = evaluation.difference(roc_auc_score, y, my_p, p_flips, groups)

answer = (my_model, my_gain)
exercises.check("better_models.1", answer, before=p_flips, lesions=validation)

# %% [markdown]
# Here 200 images cannot show a gain below about {{ shown("0.05") }}. And each model was trained once; another seed changes its
# AUC too.
#
# ## Ten steps on 1,999 images
#
# So we take more test images and three trainings each (64 px). Our ablation is a ladder: it starts with the head alone, and
# each step changes one thing more. In your own project, compare steps on validation images: the test set is
# for the end.

# %%
_ = diagrams.ladder()

# %% [markdown]
# Guess: we trained on 600 images, 144 of them melanomas. By how much does the AUC rise with all 6,015 training images?

# %%
MY_GAIN = ...  # such as 0.05
ledger.guess("gain in AUC from all images", MY_GAIN)

# %%
ladder = results.committed("ladder")
gains = ladder["gains"]
above = sum(gain.low > 0 for gain in gains.values())
figure = plots.ladder(ladder["roc_auc"], gains)
_ = figure.suptitle(f"{above} of {len(gains)} intervals lie above zero")
# alt: Ten gains in AUC with their intervals, from last 20 layers at the bottom to three trainings together at the top, and a line at zero. Natural class mix lies far below zero, all images as far above it.

# %% [markdown]
# Grey intervals hold zero: they are inconclusive. From the third row up:
#
# - **BatchNorm too**: its layers are trained as well.
# - **Augmentation** (flips, turns, cuts, other light): {{ quote("ladder", "gains.augmentation", "+.3f") }}, {{ verdict("ladder", "gains.augmentation") }}.
# - **Seven diagnoses** instead of two answers; **more steps** of training.
# - **Natural class mix**: other 600 images, as they come, with fewer melanomas:
#   {{ quote("ladder", "gains.natural class mix", "+.3f") }}.
# - **All images**, as they come: {{ quote("ladder", "gains.all images", "+.3f") }}.
# - **Eight views**, or **test-time augmentation**: the mean prediction of an image, flipped and turned.
# - **Three trainings together**, an **ensemble**: the mean prediction of several models.

# %% [markdown]
# The top of the ladder is {{ quote("ladder", "over_colours.three trainings together", "+.3f") }} above the colour
# baseline, which learned from all images too. (The intervals leave out what another training would change.)
#
# A 95 % interval misses the true value one time in twenty; of ten, one may. **Bonferroni's rule** shares this risk,
# `0.05`, among n comparisons: `0.05 / n` each. How far must an interval then reach to each side? `reach` says it in
# standard errors, the typical error of a number:


# %%
def reach(risk):  # half of the risk lies on each side
    return norm.ppf(1 - risk / 2)


print(f"one comparison: {reach(0.05):.2f}, two: {reach(0.05 / 2):.2f}")

# %% [markdown]
# **Exercise better_models.2** Write `strict_low(value, low, n)`: the lower end of the interval for n comparisons. `value`
# and `low` are columns with the gains and the lower ends at 95 %. Use `reach`.


# %% tags=["exercise"]
def strict_low(value, low, n):
    return ...


exercises.check("better_models.2", strict_low)


# %% tags=["solution"]
def strict_low(value, low, n):
    wider = reach(0.05 / n) / reach(0.05)
    return value - wider * (value - low)


exercises.check("better_models.2", strict_low)

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Makes a table of the record: a row for each step
steps = pd.DataFrame(ladder["roc_auc"], index=["AUC"]).map(lambda e: e.value)
steps = steps.T.drop("colour baseline")
steps["gain"] = pd.Series({name: e.value for name, e in gains.items()})
steps["low"] = pd.Series({name: e.low for name, e in gains.items()})

# %%
strict_low = exercises.use("better_models.2", strict_low)
steps["strict low"] = strict_low(steps["gain"], steps["low"], 10)
steps.round(3)

# %% [markdown]
# Three gains stay above zero: augmentation, all images, and three trainings together. Eight views do not.
#
# ## Where did the gain start?
#
# All images seem to help most. But the step before *lost* nearly as much. The best step so far is a stricter start.
#
# **Exercise better_models.3** Write `over_best(auc)`. `auc` is a column with a row for each step. Return each AUC minus
# the highest AUC of all steps *before* it. pandas can do it in one line.


# %% tags=["exercise"]
def over_best(auc):
    return ...


exercises.check("better_models.3", over_best)


# %% tags=["solution"]
def over_best(auc):
    return auc - auc.cummax().shift()


exercises.check("better_models.3", over_best)

# %%
over_best = exercises.use("better_models.3", over_best)
steps["on the best before"] = over_best(steps["AUC"])
steps[["AUC", "gain", "on the best before"]].round(3)

# %% [markdown]
# Augmentation brings +0.013 on the best step before it, not +0.044, and all images +0.009, not +0.074. (The record has
# no interval for these two.) Most of both gains may only repay a loss.
#
# Where did the largest loss come from? Count the lesions that are melanomas:

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Counts the melanoma lesions in four training sets of the record
table = splits.full(data.load_table(SOURCE)[0]).query("split == 'train'")
melanoma = table["group"].where(table["dx"] == "mel")  # else nothing


def lesions_in(n, seeds):
    draws = [
        np.random.default_rng(i).choice(len(table), n, False) for i in seeds
    ]
    return np.mean([melanoma.iloc[rows].nunique() for rows in draws])


counted = [lesions_in(600, [0, 1, 2]), train.melanoma.sum()]
counted += [lesions_in(1500, [0, 1]), melanoma.nunique()]
aucs = ladder["roc_auc"]
found = [aucs["natural class mix"], aucs["more steps"]]
found += [ladder["balance"]["as it is"], aucs["all images"]]
text = "With as many images, fewer melanomas go with a lower AUC"
_ = plots.auc_by_melanomas(counted, [600, 600, 1500, len(table)], found, text)
# alt: AUC with its interval against the number of melanoma lesions in training. 600 images as they come lie lowest, with the fewest. 600 images of which one in four is a melanoma, and 1,500 images as they come, hold equally many and lie much higher; all images lie a little above them.

# %% [markdown]
# All four took about as many training steps: each is a **control** for the length of the others. (The {{ fact("1,500", "experiment ladder") }} images alone
# were trained on two answers, not on seven diagnoses.) And your guess?

# %%
more = steps["AUC"]["all images"] - steps["AUC"]["more steps"]
print(f"all images minus 600 images with 144 melanomas: {more:+.3f}")
ledger.outcome("gain in AUC from all images", more)

# %% [markdown]
# (No interval here either.) The lowest set has fewer melanomas, and a smaller share of them. Which matters? Balanced
# batches change only the share. On the {{ fact("1,500", "experiment ladder") }} images, two trainings each, they gain
# {{ quote("ladder", "balance_gains.balanced batches.roc_auc", "+.3f") }}
# ({{ verdict("ladder", "balance_gains.balanced batches.roc_auc") }}). Ten times the images at the same share gain
# {{ quote("ladder", "gains.all images", "+.3f") }} on 600. But one clear result beside an inconclusive one is no
# comparison: which of the two matters stays open.

# %% [markdown]
# What helps? Three steps show a clear gain: augmentation, where all layers are trained; all images, after a set with few
# melanomas; and, a little, an ensemble.

# %% [markdown]
# ## Key points
#
# - Change one thing at a time, and compare on the same images.
# - A gain belongs to its start. Compare with the best step so far, and give each step a control.
# - All images helped clearly after a set with few melanomas. On the best step before, the gain is small.
#
# ## Check yourself
#
# <details><summary>A blog reports {{ fact("+0.07", "an example") }} from twice the images. What do you ask
# first?</summary>
# How many melanomas there were before and after, and what the best model without the new images
# scored.</details>
#
# <details><summary>Ten steps, ten 95 % intervals. Why is one that just misses zero not enough?</summary>
# Among ten, one may miss zero by chance. A rule for ten comparisons makes each interval wider.</details>
#
# <details><summary>How do you check that augmentation is off in prediction?</summary>
# Predict the same image twice: the answers must be equal.</details>
#
# ## What comes next
#
# One step taught the model seven diagnoses instead of two. It changed little for melanoma. But what else can such a
# model tell? [{{ number_of("seven_diagnoses") }} · Seven diagnoses]({{ notebook_of("seven_diagnoses") }})
#
# ## References
#
# - Keras: [Image augmentation layers](https://keras.io/api/layers/preprocessing_layers/image_augmentation/).
# - Meyes, Lu, de Puiseau, Meisen: Ablation studies in artificial neural networks. 2019,
#   [arXiv:1901.08644](https://arxiv.org/abs/1901.08644).
# - Lakshminarayanan, Pritzel, Blundell: Simple and scalable predictive uncertainty estimation using deep ensembles.
#   NeurIPS 2017, [arXiv:1612.01474](https://arxiv.org/abs/1612.01474).

# %%
exercises.progress()

# %%
ledger.show()
