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
# # {{ number }} · Fine-tuning: let the last layers learn too
#
# In lesson {{ number_of("training") }} only a new head learned. The layers below it come from ImageNet: they saw cats and cars,
# but no skin. **Fine-tuning** lets the last of them learn too. It can help, and it can ruin a model in
# seconds while the training looks fine. How do you tell?

# %% [markdown]
# **You will**
#
# - let the last 20 layers learn, in plain Keras;
# - choose a learning rate from measured curves, and see what a rate of {{ shown("0.01") }} breaks;
# - find a BatchNorm fault that looks like overfitting;
# - judge a recipe by three seeds and one test set.
#
# **You need** a little Python and Keras. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import ipywidgets
import numpy as np
import pandas as pd
import seaborn as sns
from scipy.stats import ttest_1samp

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import models, plots, pretrained, results, settings, splits, training
from utils.baselines import baseline_probabilities
from utils.evaluation import roc_auc  # scikit-learn's, but faster
from utils.quiet import keras
from keras import layers
from keras.callbacks import EarlyStopping

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35  # width of the network
SEED = 0
EPOCHS = 4
SEEDS = 3

# %% [markdown]
# ## Start from a trained head

# %%
_ = diagrams.frozen_and_trainable("last 20 layers")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Loads lesions and MobileNetV2, and puts a new head on it, as in the lesson training
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
base = backbone.mobilenet_v2(ALPHA, SIZE, 96, weights)  # scales its pixels
imagenet = base.get_weights()
y_train = train.melanoma
y = validation.melanoma
groups = validation.table["group"]
sns.set_theme(style="whitegrid", palette="colorblind")


def new_model(seed):  # the body as ImageNet left it, and an untrained head
    keras.utils.set_random_seed(seed)
    base.set_weights(imagenet)
    return models.melanoma_classifier(body)


# %% [markdown]
# The grey layers never learn in this lesson. So we compute their output once and keep it: **cached
# features**. We cut the network after the layer `block_14_add`. What comes before is the `prefix`. The
# 20 layers after it are the `body`.

# %%
prefix, body = backbone.cut(base, "block_14_add")
x_train = prefix.predict(train.images, batch_size=200, verbose=0)
x_validation = prefix.predict(validation.images, batch_size=200, verbose=0)

# %% [markdown]
# `new_model` gives the body its ImageNet weights back and puts an untrained head on it. `learn` trains
# what is trainable, and then brings back the weights of the best epoch (`restore_best_weights`). That is
# the epoch with the highest validation **AUC**: the chance that a random melanoma gets a higher score
# than a random other lesion; 0.5 is guessing.


# %%
how = {"batch_size": 30, "epochs": EPOCHS, "verbose": 0}


def learn(model, rate):
    adam = keras.optimizers.Adam(rate)
    model.compile(adam, "binary_crossentropy")
    auc = training.ExactAUC(val_auc=(x_validation, y))
    best = EarlyStopping(
        "val_auc", patience=EPOCHS, mode="max", restore_best_weights=True
    )
    return model.fit(x_train, y_train, callbacks=[auc, best], **how).history


# %%
base.trainable = False
model = new_model(SEED)
learn(model, 1e-3)
after_head = model.get_weights()
p_head = model.predict_on_batch(x_validation)[:, 0]
print(f"head alone: AUC {roc_auc(y, p_head):.2f} on validation")

# %% [markdown]
# ## Which layers are trainable?
#
# Each layer has a switch, `trainable`. We turn it on for the last 20 layers. BatchNorm layers stay
# frozen; a section below shows why.


# %%
def unfreeze(n_layers):
    base.trainable = True
    for layer in base.layers:
        layer.trainable = False
    for layer in base.layers[-n_layers:]:
        if not isinstance(layer, layers.BatchNormalization):
            layer.trainable = True


unfreeze(20)
body.summary(show_trainable=True, layer_range=("Conv_1", "out_relu"))

# %% [markdown]
# These are the last three of the 20 layers. In the last column, `Y` is trainable, `N` is not, and `-`
# has no weights.
#
# We have not called `compile` again. Guess: if we call `fit` now, what share of the body's weight
# arrays changes?

# %%
MY_SHARE = ...
ledger.guess("share of weight arrays that change", MY_SHARE)

# %%
before = body.get_weights()
model.fit(x_train, y_train, batch_size=30, verbose=0)
after = body.get_weights()
changed = sum(map(np.any, map(np.not_equal, before, after)))
ledger.outcome("share of weight arrays that change", changed / len(after))
print(f"{changed} of {len(after)} weight arrays have changed")

# %% [markdown]
# None, and there is no warning. Keras reads the switches when the first training after `compile`
# starts, and not again until the next `compile`.
#
# **Exercise fine_tuning.1** A colleague has trained a head on a frozen base. Now the last two layers of the
# base should be trainable, but no BatchNorm layer. Fix the two faults:
#
# ```python
# def prepare(model, base):
#     base.trainable = True
#     for layer in base.layers[:-2]:
#         layer.trainable = False
#     model.optimizer.learning_rate = 1e-4
#     return model
# ```


# %% tags=["exercise"]
def prepare(model, base):
    return ...


exercises.check("fine_tuning.1", prepare)


# %% tags=["solution"]
def prepare(model, base):
    base.trainable = True
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    for layer in base.layers[:-2]:
        layer.trainable = False
    model.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy")
    return model


exercises.check("fine_tuning.1", prepare)

# %% [markdown]
# ## Does it help?
#
# `learn` compiles. The body has good weights already, so we take small steps: a **learning rate**
# of `0.0001`, a tenth of Adam's default.

# %%
unfreeze(20)
model = new_model(SEED)
model.set_weights(after_head)
curves = {1e-4: learn(model, 1e-4)}

p_fine = model.predict_on_batch(x_validation)[:, 0]
gain = evaluation.difference(roc_auc, y, p_fine, p_head, groups)
print(f"AUC, fine-tuned minus head alone: {gain:+.3f}")

# %% [markdown]
# This is a paired difference: both models judge the same 200 images. The brackets hold its 95 %
# interval: how far another 200 images may move it. Zero lies inside, so the comparison is
# **inconclusive**: these images show neither a gain nor a loss.
#
# **Exercise fine_tuning.2** Let only the last block learn: the last 11 layers, `block_16` and `Conv_1`. Start
# from `after_head`, with the same rate. Report the paired difference to the head alone.

# %% tags=["exercise"]
block_model = ...
block_gain = ...

exercises.check(
    "fine_tuning.2",
    (block_model, block_gain),
    x=x_validation,
    y=y,
    p_head=p_head,
)

# %% tags=["solution"]
unfreeze(11)
block_model = new_model(SEED)
block_model.set_weights(after_head)
learn(block_model, 1e-4)
p_block = block_model.predict_on_batch(x_validation)[:, 0]
block_gain = evaluation.difference(roc_auc, y, p_block, p_head, groups)

exercises.check(
    "fine_tuning.2",
    (block_model, block_gain),
    x=x_validation,
    y=y,
    p_head=p_head,
)

# %% [markdown]
# ## How fast may they learn?
#
# We try three other rates, always from the same trained head. Guess the last validation AUC with a
# rate of `0.01`, ten times Adam's default.

# %%
MY_AUC = ...
ledger.guess("validation AUC at rate 0.01", MY_AUC)

# %%
unfreeze(20)
for rate in [1e-5, 1e-3, 1e-2]:
    model = new_model(SEED)
    model.set_weights(after_head)
    curves[rate] = learn(model, rate)

ledger.outcome("validation AUC at rate 0.01", curves[1e-2]["val_auc"][-1])
_ = plots.learning_rates(curves, roc_auc(y, p_head), lesions.source)
# alt: Training loss and validation AUC by epoch for four learning rates. At 0.01 the loss is far above the others and the AUC falls to that of guessing. The other three stay near the dotted line of the head alone or below it.

# %% [markdown]
# The slider shows one rate at a time. Move it and compare the two sides.


# %%
@ipywidgets.interact(rate=ipywidgets.SelectionSlider(options=sorted(curves)))
def show(rate):
    plots.learning_rates(curves, roc_auc(y, p_head), lesions.source, rate)


# %% [markdown]
# With {{ fact("0.0001", "the rate of the section above") }} the training loss is the lowest, but
# the AUC falls after the first epoch: the model overfits, it memorises its images.
# `restore_best_weights` saves the first epoch. With `0.00001` little changes. With `0.001` the
# training loss is higher: the steps are too large.
#
# With `0.01` the AUC ends at {{ fact("0.5", "the figure above; guessing") }}. Has the network
# forgotten everything? Look at the 1,280 units of its last layer. It is a **ReLU6**: it replaces
# values below 0 by 0, and values above 6 by 6.

# %%
stuck = body.predict_on_batch(x_validation)
base.set_weights(imagenet)
usual = body.predict_on_batch(x_validation)
units = {"ImageNet's weights": usual, "after rate 0.01": stuck}
_ = plots.unit_values(units, lesions.source)
for name, values in units.items():
    vary = np.mean(np.ptp(values, axis=0) > 0)
    print(f"{name}: {np.mean(values == 6):.0%} at 6, {vary:.0%} of units vary")
# alt: Two histograms of the last layer's units, log scale. With ImageNet's weights most values are 0 and the others spread from 0 to 6. After rate 0.01 two tall bars are left, at 0 and at 6.

# %% [markdown]
# With ImageNet's weights most values are 0 too, but 74 % of the units change from image to image. After
# the rate of 0.01 no unit does: about a third is stuck at 6, nearly all others at 0. All images get the same
# features, so all get the same probability.
#
# This is **saturation**, not forgetting. Below 0 and above 6 a ReLU6 is flat: a small change of a weight
# changes nothing. So training does not know where to go, and cannot bring such a unit back.
#
# **Exercise fine_tuning.3** Choose a rate from `curves` by code: which rate reaches the highest validation AUC,
# and in which epoch (counted from 1)?

# %% tags=["exercise"]
best_rate = ...
best_epoch = ...

exercises.check("fine_tuning.3", (best_rate, best_epoch), curves=curves)

# %% tags=["solution"]
aucs = pd.DataFrame({rate: h["val_auc"] for rate, h in curves.items()})
best_rate = aucs.max().idxmax()
best_epoch = aucs[best_rate].idxmax() + 1

exercises.check("fine_tuning.3", (best_rate, best_epoch), curves=curves)

# %% [markdown]
# ## The BatchNorm trap
#
# A BatchNorm layer scales each channel by a mean and a variance. While it trains, it takes those
# of the batch, here {{ fact("30", "the batch size of training.two_stages") }} images. In `predict`
# and `evaluate` it takes **moving averages** that it gathered in training. A frozen layer always
# takes the averages.
#
# What if BatchNorm is trainable too? We train the same 20 layers, with larger steps (`0.003`), so
# that the fault shows after a few epochs.

# %%
for layer in body.layers:
    layer.trainable = True
trap = new_model(SEED)
trap.set_weights(after_head)
adam = keras.optimizers.Adam(3e-3)
trap.compile(adam, "binary_crossentropy", metrics=["accuracy"])
longer = how | {"epochs": 2 * EPOCHS}
said = trap.fit(x_train, y_train, **longer).history["accuracy"]
print(f"fit says: accuracy {said[-1]:.2f} on the training images")

# %% [markdown]
# Guess the accuracy that `predict` reaches on the **same** training images.

# %%
MY_ACCURACY = ...
ledger.guess("accuracy on the training images", MY_ACCURACY)


# %%
def judge(x, truth):
    p = trap.predict_on_batch(x)[:, 0]
    auc = keras.metrics.AUC()
    auc.update_state(truth, p)
    accuracy = np.mean((p >= 0.5) == truth)
    return [accuracy, roc_auc(truth, p), float(auc.result())]


table = pd.DataFrame(index=["accuracy", "AUC", "Keras's AUC"])
table["training"] = judge(x_train, y_train)
table["validation"] = judge(x_validation, y)
ledger.outcome("accuracy on the training images", table.iloc[0, 0])
table.round(2)

# %% [markdown]
# `fit` says 0.95, `predict` says 0.83, on the same images. Is it overfitting? No: a model that overfits
# is right on its training images.
#
# (Keras's own AUC reads too low here: it compares with 200 thresholds only.)
#
# We suspect the averages. We replace them, and nothing else, by the means and variances of our
# training images.

# %%
for layer in body.layers:
    if isinstance(layer, layers.BatchNormalization):
        layer.momentum = 0.0  # take the new values, drop the old ones
body(x_train, training=True)  # nothing is trained here

table["training, renewed"] = judge(x_train, y_train)
table["validation, renewed"] = judge(x_validation, y)
table.round(2)

# %% [markdown]
# On the training images the accuracy jumps to 0.96. The weights had learned, but the averages were
# old: Keras's MobileNetV2 has `momentum=0.999`, so each step moves them by a thousandth of the
# way, and we took {{ fact("160", "8 epochs of 20 batches") }} steps. The rest of the gap, 0.96 in
# training against 0.83 in validation, *is* overfitting.
#
# There are two remedies: a lower momentum such as 0.9, or frozen BatchNorm layers as in `unfreeze`.

# %% [markdown]
# **Exercise fine_tuning.4** Many tutorials freeze the averages by `base(x, training=False)`. Does it work in
# `fit`? Write `averages_move(model, norm, x, y)`. It trains the compiled `model` for one epoch and
# returns `True` if the `moving_mean` of its BatchNorm layer `norm` has changed.
# (`keras.ops.convert_to_numpy` copies the numbers.) The check tries it on three models and tells you
# what it found.


# %% tags=["exercise"]
def averages_move(model, norm, x, y):
    return ...


exercises.check("fine_tuning.4", averages_move)


# %% tags=["solution"]
def averages_move(model, norm, x, y):
    before = keras.ops.convert_to_numpy(norm.moving_mean)
    model.fit(x, y, verbose=0)
    after = keras.ops.convert_to_numpy(norm.moving_mean)
    return not np.array_equal(before, after)


exercises.check("fine_tuning.4", averages_move)

# %% [markdown]
# In Keras 3 the averages move in spite of `training=False`: `fit` calls the whole model with
# `training=True`, and that wins. What works is `trainable = False` for each BatchNorm layer.
#
# ## A gain, or a lucky seed?
#
# The **seed** decides what is random: the head's first weights, the order of the images, the dropout.
# So we run the whole recipe with three seeds, and open the test set once.

# %%
test = lesions.subset("test")
x_test = prefix.predict(test.images, batch_size=200, verbose=0)
p_heads, p_tuned = [], []
for seed in range(SEEDS):
    base.trainable = False
    model = new_model(seed)
    learn(model, 1e-3)
    p_heads.append(model.predict_on_batch(x_test)[:, 0])
    unfreeze(20)
    learn(model, 1e-4)
    p_tuned.append(model.predict_on_batch(x_test)[:, 0])

# %%
of_test = dict(y=test.melanoma, groups=test.table["group"], n_resamples=300)
head = evaluation.estimate(roc_auc, probability=p_heads, **of_test)
tuned = evaluation.estimate(roc_auc, probability=p_tuned, **of_test)
print(f"AUC: head alone {head:.2f}, fine-tuned {tuned:.2f}")
_ = plots.paired_seeds(head, tuned, lesions.source)
# alt: Test AUC of three seeds, head alone and fine-tuned, joined by lines that rise or fall a little. The test set's two intervals are many times as long.

# %% [markdown]
# Two things are uncertain. Blue: another *seed* gives another head and another AUC. Orange:
# another 200 *images* may move the mean of the heads down to {{ shown("0.71") }} or up to
# {{ shown("0.84") }}. More seeds help only against the first.
#
# Is a gain not shown if it is smaller than the range over the seeds? Many think so, and it is wrong.
# Each line joins two stages of one training: a poor head gives a poor fine-tuned model too. What
# counts is the gain along each line.

# %%
gains = np.subtract(tuned.seeds, head.seeds)
low, high = ttest_1samp(gains, 0).confidence_interval()
more = evaluation.difference(roc_auc, a=p_tuned, b=p_heads, **of_test)
colours = baseline_probabilities(train, test)["colour baseline"][0]
beats = evaluation.difference(roc_auc, a=p_tuned, b=colours, **of_test)
print(f"gain: {gains.mean():+.3f}, other seeds [{low:+.3f}, {high:+.3f}]")
print(f"gain: {more:+.3f}, other images in brackets")
print(f"fine-tuned minus colour baseline: {beats:+.3f}")

# %% [markdown]
# The mean gain is 0.014. Over other images its interval lies above zero, over other seeds it holds
# zero: three seeds cannot tell, so the recipe's gain is **inconclusive**. So is the comparison with
# the colour baseline, which sees colours and no shapes. Over ten draws of 1,000 images, the whole recipe
# of lesson {{ number_of("quickstart") }} beats the colours by
# {{ quote("ten_draws", "differences.recipe, 28 px minus colour baseline.accuracy", "+.3f") }} in
# accuracy.
#
# ## Save the whole model
#
# `model` takes cached features. We join it to the prefix, so that the file takes images. Load it with
# `keras.models.load_model`, as in lesson {{ number_of("training") }}.

# %%
whole = keras.Model(base.input, model(prefix.output))
whole.save(settings.scratch() / "fine_tuned.keras")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
_ = results.keep(
    f"fine_tuning-{SIZE}px",
    lesions.source,
    lesions.table,
    dict(SIZE=SIZE, ALPHA=ALPHA, SEED=SEED, EPOCHS=EPOCHS, SEEDS=SEEDS),
    {
        "head": head,
        "fine_tuned": tuned,
        "gain": more,
        "gain_other_seeds": evaluation.Estimate(gains.mean(), low, high),
        "over_colours": beats,
        "trap": {name: list(table[name]) for name in table},
    },
    headline=("fine-tuned minus head alone, AUC", more),
)

# %% [markdown]
# ## Key points
#
# - Set `trainable`, then call `compile`, then `fit`.
# - Take small steps. At a rate too high the units saturate, and nothing brings them back.
# - If `predict` disagrees with `fit` on the *training* images, suspect BatchNorm. Freeze it by
#   `layer.trainable = False`.
# - Judge a recipe by paired differences, over several seeds and over the images of the test set.

# %% [markdown]
# ## Check yourself
#
# <details><summary>You set <code>trainable = True</code> and <code>fit</code> changes nothing in the
# base. Why?</summary>
# The model was trained before and not compiled again.</details>
#
# <details><summary><code>fit</code> reports accuracy {{ fact("0.99", "an example") }}, validation gives {{ fact("0.80", "an example") }}. Name two causes, and
# the test that tells them apart.</summary>
# Overfitting, or old BatchNorm averages. Call <code>predict</code> on the training images: a model
# that overfits is right there.</details>
#
# <details><summary>The AUCs of three seeds differ by five hundredths. Can a mean gain of one hundredth
# be real?</summary>
# Yes. What counts is how much the paired gains differ from seed to seed.</details>
#
# ## What comes next
#
# You have a model and its AUC. How many melanomas does it find, and at what price?
# [{{ number_of("evaluation") }} · Evaluation]({{ notebook_of("evaluation") }})
#
# ## References
#
# - Keras: [Transfer learning & fine-tuning](https://keras.io/guides/transfer_learning/), and
#   [issue 20285](https://github.com/keras-team/keras/issues/20285) on `training=False` in `fit`.
# - Ioffe, Szegedy: Batch Normalization. ICML 2015,
#   [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
# - Wu, Johnson: Rethinking "Batch" in BatchNorm. 2021,
#   [arXiv:2105.07576](https://arxiv.org/abs/2105.07576).
# - Picard: torch.manual_seed(3407) is all you need. 2021,
#   [arXiv:2109.08203](https://arxiv.org/abs/2109.08203).

# %%
ledger.show()
