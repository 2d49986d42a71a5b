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
# # {{ number }} · BatchNorm: why can training look perfect and validation fail?
#
# `fit` reports a high accuracy. Then the model gets new images, and finds hardly any melanoma. It looks like
# overfitting, but it is something else. It can happen to you after a short training of Keras's MobileNetV2, without any
# error message. One test finds the fault, and one line prevents it.

# %% [markdown]
# **You will**
#
# - find a fault that looks like overfitting, with one call of `predict`;
# - look at the averages in a BatchNorm layer, before and after training;
# - fix the fault in two ways.
#
# **New words**: BatchNorm, moving averages, momentum
#
# **You need** lesson {{ number_of("fine_tuning") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("fine_tuning") }}: you change <code>trainable</code> of some layers. What must you call before <code>fit</code>?</summary>
# <code>compile</code>: Keras reads <code>trainable</code> only then.</details>
#
# <details><summary>Lesson {{ number_of("transfer") }}: our images have 28 pixels a side. Does it add detail to enlarge them?</summary>
# No. It only fits them to the size for which the weights were trained.</details>

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from utils import backbone, data, diagrams, evaluation, exercises, ledger
from utils import pretrained, splits
from utils.quiet import keras
from keras import layers
from sklearn.metrics import roc_auc_score

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35  # width of the network
EPOCHS = 4
SEEDS = 3

# %% [markdown]
# ## `fit` and `predict` disagree about the same images
#
# To save time we cut MobileNetV2 in two. The first layers stay frozen, so their output is computed once: cached features,
# as in lesson {{ number_of("training") }}. We train the rest, `top`, with a new head.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Loads 1,000 lesions, cuts the network, and computes the cached features
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
labels = train.melanoma
y = validation.melanoma
groups = validation.table["group"]
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
whole = backbone.mobilenet_v2(ALPHA, SIZE, 96, weights)
prefix, top = backbone.cut(whole, "block_12_add")
f_train = prefix.predict(train.images, verbose=0)
f_validation = prefix.predict(validation.images, verbose=0)
print(f"cached: {f_train.shape}; trained: {len(top.layers) - 1} layers")


# %%
def new_model(seed):
    keras.utils.set_random_seed(seed)
    copy = keras.models.clone_model(top)
    copy.set_weights(top.get_weights())  # from ImageNet
    x = layers.GlobalAveragePooling2D()(copy.output)
    x = layers.Dropout(0.3)(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    return keras.Model(copy.input, outputs)


def train_model(model):
    adam = keras.optimizers.Adam(1e-4)
    adam.build(model.trainable_variables)  # saves half of the waiting
    model.compile(adam, "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(f_train, labels, epochs=EPOCHS, verbose=0)
    return history.history["accuracy"][-1]


# %% [markdown]
# All layers of `copy` are trainable, BatchNorm too: that is what `base.trainable = True` does. The learning rate is that
# of lesson {{ number_of("fine_tuning") }}.

# %%
model = new_model(seed=0)
said = train_model(model)
print(f"fit: accuracy {said:.2f} on the training images")

# %% [markdown]
# That looks good. Now we call `predict` with the same model, on the **same** 600 training images. Guess its accuracy.

# %%
MY_ACCURACY = ...
ledger.guess("accuracy of predict on training images", MY_ACCURACY)


# %%
def probabilities(model, x):
    return model.predict(x, batch_size=200, verbose=0)[:, 0]


def accuracy(model):
    return np.mean((probabilities(model, f_train) >= 0.5) == labels)


# %%
found = accuracy(model)
ledger.outcome("accuracy of predict on training images", found, lesions.source)
called = sum(probabilities(model, f_train) >= 0.5)
print(f"predict: accuracy {found:.2f} on the training images")
print(f"it finds melanoma on {called} of {len(labels)} images")

# %% [markdown]
# That is no better than the majority class, "everything else" for each image. Is this overfitting? No: a model that
# overfits is right on its training images. So `fit` and `predict` must compute something differently.
#
# ## BatchNorm has two sources of mean and variance
#
# A **BatchNorm** layer scales each channel: it subtracts a mean, and divides by a deviation, the square root of a
# variance. It has two sources for them:

# %%
_ = diagrams.batchnorm()

# %% [markdown]
# In `fit` a trainable BatchNorm layer takes the mean and variance of the batch. In `predict` it takes its **moving
# averages**: each step of training moves them a little towards those of the batch. **Momentum** is the share of the old
# averages that a step keeps.
#
# We look at the first BatchNorm layer of `top`: its averages before and after training, and the mean that our training
# images really have there.

# %%
norm = model.get_layer("block_13_expand_BN")
imagenet = top.get_layer("block_13_expand_BN")
into_norm = keras.Model(model.input, norm.input)
maps = into_norm.predict(f_train, batch_size=200, verbose=0)
means = pd.DataFrame(
    {
        "average before: ImageNet": imagenet.moving_mean.numpy(),
        "average after training": norm.moving_mean.numpy(),
        "mean of our images": maps.mean(axis=(0, 1, 2)),
    }
)
means.head().rename_axis("channel").round(2)

# %%
steps = int(model.optimizer.iterations.numpy())
print(f"momentum {norm.momentum}, {steps} steps")
print(f"{norm.momentum**steps:.0%} of the old averages is left")

# %% [markdown]
# Our enlarged images have other means here than photos of ImageNet. `fit` scales each batch by its own mean and variance,
# and the weights are trained for that. `predict` scales by averages that are still close to those of ImageNet.
#
# **Exercise batchnorm.1** If this is the cause, new averages are enough to fix it. Write `renew(model, x)`: set the
# `momentum` of each BatchNorm layer to 0, so that a step keeps nothing of the old averages. Then call the model once, on
# all `x`, with `training=True`. (This trains no weight.)


# %% tags=["exercise"]
def renew(model, x):
    return ...


exercises.check("batchnorm.1", renew)


# %% tags=["solution"]
def renew(model, x):
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(x, training=True)


exercises.check("batchnorm.1", renew)

# %% [markdown]
# Is it always so? We train with two more seeds, and use `predict` before and after `renew`.

# %%
renew = exercises.use("batchnorm.1", renew)
rows = []
old = []
new = []
for seed in range(1, SEEDS):
    another = new_model(seed)
    row = {"fit": train_model(another), "predict": accuracy(another)}
    old.append(probabilities(another, f_validation))
    renew(another, f_train)
    row["predict, renewed"] = accuracy(another)
    new.append(probabilities(another, f_validation))
    rows.append(row)

# %%
table = pd.DataFrame(rows, index=range(1, SEEDS)).rename_axis("seed")
table.round(2)

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Draws the three accuracies
figure, ax = plt.subplots(figsize=(7, 3.4))
sns.barplot(table, errorbar=None, color="C0", alpha=0.5, ax=ax)
sns.stripplot(table, color="black", ax=ax)
ax.axhline(np.mean(labels == 0), color="black", linestyle=":")
ax.text(0.5, np.mean(labels == 0) + 0.02, "majority\nclass", ha="center")
ax.set(ylim=(0, 1.1), ylabel="accuracy on 600 training images")
_ = ax.set_title(
    "fit and predict disagree on the same images (bars: mean, points: seeds)"
)
# alt: Three bars with a point for each of two seeds, accuracy on the same training images. What fit says is above 0.9. What predict finds lies on the dotted line of the majority class. After the averages are renewed, predict is above 0.9 again.

# %%
for name, answers in {"old": old, "renewed": new}.items():
    aucs = [roc_auc_score(y, p) for p in answers]
    print(f"AUC on validation, {name} averages: {np.mean(aucs):.2f}")
gain = evaluation.difference(roc_auc_score, y, new, old, groups)
print(f"renewed minus old: {gain:+.3f}")

# %% [markdown]
# All three trainings have the fault, and new averages fix it in both that got them. `fit` stays a little below: its Dropout is on.
# (Without Dropout the two differed by less than {{ fact("0.01", "seeds 0 and 1, measured") }}.)
#
# On the validation images the AUC rises too: the chance that a random melanoma gets a higher score than a random other
# lesion; 0.5 is guessing. The brackets hold the 95 % interval: the difference on very many such images probably lies in
# here. `renew` changes no weight, so the fault was in the averages alone.

# %% [markdown]
# ## Two ways to prevent it
#
# 1. Freeze each BatchNorm layer: `layer.trainable = False`. Then `fit` takes the moving averages too, as in lesson
#    {{ number_of("fine_tuning") }}.
# 2. Set a lower `momentum`, such as {{ fact("0.9", "a value that many use; a tenth of the way a step") }}, before you
#    train: the averages follow within a few steps.
#
# Many tutorials do a third thing: they call the base by `base(x, training=False)`. Does it help in `fit`?

# %% [markdown]
# **Exercise batchnorm.2** Write `averages_move(model, norm, x, y)`. It trains the compiled `model` for one epoch, and returns
# `True` if the `moving_mean` of its BatchNorm layer `norm` has changed. (`keras.ops.convert_to_numpy` copies numbers.)
# The check tries it on three models, and tells you what it found.


# %% tags=["exercise"]
def averages_move(model, norm, x, y):
    return ...


exercises.check("batchnorm.2", averages_move)


# %% tags=["solution"]
def averages_move(model, norm, x, y):
    before = keras.ops.convert_to_numpy(norm.moving_mean)
    model.fit(x, y, verbose=0)
    after = keras.ops.convert_to_numpy(norm.moving_mean)
    return not np.array_equal(before, after)


exercises.check("batchnorm.2", averages_move)

# %% [markdown]
# In Keras 3 the averages move in spite of `training=False`, when the layer is trainable.
#
# Which of the two ways is better? On 1,999 test images, with all layers trained, BatchNorm trained with momentum
# {{ fact("0.9", "models.logit_classifier") }} minus BatchNorm frozen is {{ quote("ladder", "gains.BatchNorm too", "+.3f") }} in AUC:
# {{ verdict("ladder", "gains.BatchNorm too") }}.
#
# **Exercise batchnorm.3** Train a model in which `fit` and `predict` agree. Take `new_model(seed=0)`, apply one of the two ways
# to its layers, then call `train_model`. It takes a few seconds.

# %% tags=["exercise"]
fixed = ...

exercises.check("batchnorm.3", fixed, top=top, x=f_train, y=labels)

# %% tags=["solution"]
fixed = new_model(seed=0)
for layer in fixed.layers:
    if isinstance(layer, layers.BatchNormalization):
        layer.trainable = False
train_model(fixed)

exercises.check("batchnorm.3", fixed, top=top, x=f_train, y=labels)

# %% [markdown]
# Why can training look perfect and validation fail? Because `fit` scales by the mean and variance of each batch, and
# `predict` by moving averages that a short training has hardly moved.

# %% [markdown]
# ## Key points
#
# - To tell this fault from overfitting, call `predict` on the *training* images.
# - Keras's MobileNetV2 has momentum {{ shown("0.999") }}: after a short training its averages are mostly ImageNet's.
# - Freeze BatchNorm by `layer.trainable = False`, or lower its momentum.
#
# ## Check yourself
#
# <details><summary><code>fit</code> reports {{ fact("0.99", "an example") }}, validation gives {{ fact("0.76", "an example") }}. Name two causes, and the test that tells them apart.</summary>
# Overfitting, or old moving averages. Call <code>predict</code> on the training images: a model that overfits is right
# there.</details>
#
# <details><summary>Why does a long training not show the fault?</summary>
# After thousands of steps little of the old averages is left.</details>
#
# <details><summary>Does <code>base(x, training=False)</code> freeze the averages in <code>fit</code>?</summary>
# Not in Keras 3. <code>trainable = False</code> for each BatchNorm layer does.</details>
#
# ## What comes next
#
# You have a model and its AUC. How many melanomas does it find, and at what price?
# [{{ number_of("evaluation") }} · Evaluation]({{ notebook_of("evaluation") }})
#
# ## References
#
# - Ioffe, Szegedy: Batch Normalization. ICML 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
# - Wu, Johnson: Rethinking "Batch" in BatchNorm. 2021, [arXiv:2105.07576](https://arxiv.org/abs/2105.07576).
# - Keras: [BatchNormalization layer](https://keras.io/api/layers/normalization_layers/batch_normalization/), and
#   [issue 20285](https://github.com/keras-team/keras/issues/20285) on `training=False` in `fit`.

# %%
exercises.progress()

# %%
ledger.show()
