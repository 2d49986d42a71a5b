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
# # {{ number }} · Fine-tuning: which layers should be trainable, and how fast?
#
# So far only a new head was trained. The base below it comes from ImageNet: photos of cats and cars, and hardly any skin.
# To train some of its layers too may improve a model, and it may ruin it within a few epochs. This lesson shows the
# recipe, and measures both.

# %% [markdown]
# **You will**
#
# - fine-tune the last 20 layers in plain Keras;
# - measure whether that helps, on 200 images and on 1,999;
# - see what happens when the learning rate is too high.
#
# **New words**: fine-tuning, learning rate, saturated
#
# **You need** lesson {{ number_of("training") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("training") }}: when may you not use cached features?</summary>
# When the base is trained too, or when each epoch shows another random view of an image.</details>
#
# <details><summary>Lesson {{ number_of("mobilenetv2") }}: what does a convolution compute at one place of an image?</summary>
# The sum of the pixels below its filter, each times a weight of the filter.</details>

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import matplotlib.pyplot as plt
import numpy as np

from utils import data, diagrams, evaluation, exercises, ledger
from utils import plots, pretrained, results, settings, splits
from utils.quiet import keras
from keras import layers
from sklearn.metrics import roc_auc_score

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35  # width of the network
SEED = 0
HEAD_EPOCHS = 4
EPOCHS = 3

# %% [markdown]
# ## Freeze, train, unfreeze, compile, train
#
# **Fine-tuning** means: first train the head, then train some layers of the base too.

# %%
_ = diagrams.frozen_and_trainable("last 20 layers")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Loads 1,000 lesions
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
images = train.images
labels = train.melanoma
y = validation.melanoma
groups = validation.table["group"]
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)

# %% [markdown]
# First freeze the base, and train a new head:

# %%
keras.utils.set_random_seed(SEED)
base = keras.applications.MobileNetV2(
    (96, 96, 3), ALPHA, include_top=False, weights=weights, name="base"
)
base.trainable = False

# %%
model = keras.Sequential(
    [
        keras.Input((SIZE, SIZE, 3)),
        layers.Resizing(96, 96),
        layers.Rescaling(1 / 127.5, offset=-1),
        base,
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.3),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(1, activation="sigmoid"),
    ]
)

# %%
model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
model.fit(images, labels, epochs=HEAD_EPOCHS, verbose=0)
head_file = settings.scratch() / "head.keras"
model.save(head_file)

# %% [markdown]
# The base has 154 layers. We unfreeze the last 20 layers. BatchNorm layers stay frozen; lesson
# {{ number_of("batchnorm") }} shows why.


# %%
def unfreeze(base, n_layers):
    base.trainable = True
    for layer in base.layers[:-n_layers]:
        layer.trainable = False
    for layer in base.layers[-n_layers:]:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


unfreeze(base, 20)

# %% [markdown]
# Now we train for three more epochs. How much do the weights of the last convolution change? Guess before you run it.

# %%
kernel = base.get_layer("Conv_1").kernel
before = keras.ops.convert_to_numpy(kernel)
model.fit(images, labels, epochs=EPOCHS, verbose=0)
after = keras.ops.convert_to_numpy(kernel)
print(f"largest change of a weight: {np.abs(after - before).max()}")
p_head = model.predict(validation.images, verbose=0)[:, 0]

# %% [markdown]
# This layer has not changed, without a warning: only the head was trained. Keras reads `trainable` in the first `fit`
# after a `compile`, and not again. So compile once more, then train. The **learning rate**, the size of a step, is
# `0.0001`: a tenth of Adam's default, because large steps can destroy what the base has learned. We start from the saved
# head:


# %%
def fine_tune(rate):
    keras.utils.set_random_seed(SEED)
    tuned = keras.models.load_model(head_file)
    unfreeze(tuned.get_layer("base"), 20)
    adam = keras.optimizers.Adam(rate)
    adam.build(tuned.trainable_variables)  # saves half of the waiting
    tuned.compile(adam, "binary_crossentropy")
    tuned.fit(images, labels, epochs=EPOCHS, verbose=0)
    return tuned


# %%
slow = fine_tune(1e-4)
p_slow = slow.predict(validation.images, verbose=0)[:, 0]

# %% [markdown]
# **Exercise fine_tuning.1** A colleague has trained a head on a frozen base. Now the last two layers of the base should be
# trainable, but no BatchNorm layer. Fix the two faults:
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
# Both models had seven epochs, and judge the same 200 validation images (layers and rate differ). So we ask for the
# paired difference of their AUC: the chance that a random melanoma gets a higher score than a random other lesion; 0.5
# is guessing.

# %%
gain = evaluation.difference(roc_auc_score, y, p_slow, p_head, groups)
print(f"AUC, fine-tuned minus head alone: {gain:+.3f}")

# %% [markdown]
# The brackets hold the 95 % interval: the difference on very many such images probably lies in here. It holds zero, so
# the comparison is inconclusive. Do 1,999 test images decide? The record is another recipe on the same
# 600 lesions: 20 epochs from a new head, rates up to {{ fact("0.001", "training.all_layers") }}, images of 64 x 64 pixels, three trainings each:

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Draws the gains of this lesson and of the record
ladder = results.committed("ladder")["gains"]
rows = {
    "last 20 minus head alone\n(200 images, this lesson)": gain,
    "last 20 minus head alone\n(1,999 images)": ladder["last 20 layers"],
    "all layers minus last 20\n(1,999 images)": ladder["all layers"],
}
figure, ax = plt.subplots(figsize=(7.5, 3))
for row, one in enumerate(rows.values()):
    ax.plot([one.low, one.high], [row, row], color="C0", linewidth=6, alpha=0.4)
    ax.plot(one.value, row, "o", color="C0")
ax.axvline(0, color="black", linewidth=0.8)
ax.set(yticks=range(3), yticklabels=rows, ylim=(2.5, -0.5))
ax.set_xlabel("gain in AUC, with its 95 % interval")
holding = sum(one.low <= 0 <= one.high for one in rows.values())
_ = ax.set_title(f"{holding} of 3 intervals hold zero")
# alt: Three gains in AUC with their intervals, each of which holds zero. The last 20 layers minus the head alone lie mostly above zero, on 200 images and on 1,999; all layers minus the last 20 lie mostly below.

# %% [markdown]
# On 1,999 images the last 20 layers gain {{ quote("ladder", "gains.last 20 layers", "+.3f") }} over the head alone:
# {{ verdict("ladder", "gains.last 20 layers") }}. All layers minus the last 20 layers is
# {{ quote("ladder", "gains.all layers", "+.3f") }}: {{ verdict("ladder", "gains.all layers") }} too.
#
# So we do not know whether fine-tuning on 600 images helps. A gain of more than
# {{ fact("0.03", "upper end of the interval of ladder, gains.last 20 layers") }} is unlikely. What would you do? Keep the
# head alone: it is simpler, and trains faster. Fine-tune when your own validation images show a gain. Lesson
# {{ number_of("better_models") }} trains all layers, with augmentation and more images.

# %% [markdown]
# ## How fast?
#
# We train the same layers from the same head, with a rate that is a hundred times higher: `0.01`. Guess the AUC on the
# 200 validation images.

# %%
MY_AUC = ...
ledger.guess("validation AUC at rate 0.01", MY_AUC)

# %%
fast = fine_tune(1e-2)
p_fast = fast.predict(validation.images, verbose=0)[:, 0]
auc_fast = roc_auc_score(y, p_fast)
ledger.outcome("validation AUC at rate 0.01", auc_fast, lesions.source)
print(f"AUC {auc_fast:.2f}, {len(np.unique(p_fast))} different probabilities")

# %% [markdown]
# All 200 images get the same probability. Why? The last layer of the base has 1,280 channels, each with 3 x 3 units. The
# layer is a ReLU6: it replaces values below 0 by 0, and values above 6 by 6. How many channels still depend on the
# image?
#
# **Exercise fine_tuning.2** Write `share_varying(maps)`. `maps` has the shape (images, rows, columns, channels). Which share of
# the channels has more than one value, over all images, rows and columns?


# %% tags=["exercise"]
def share_varying(maps):
    return ...


exercises.check("fine_tuning.2", share_varying)


# %% tags=["solution"]
def share_varying(maps):
    lowest = np.min(maps, axis=(0, 1, 2))
    highest = np.max(maps, axis=(0, 1, 2))
    return (highest > lowest).mean()


exercises.check("fine_tuning.2", share_varying)


# %%
def last_maps(model):
    part = keras.Sequential(model.layers[:3])  # up to the base
    return part.predict(validation.images, verbose=0)


share_varying = exercises.use("fine_tuning.2", share_varying)
maps = {"rate 0.0001": last_maps(slow), "rate 0.01": last_maps(fast)}
for name, values in maps.items():
    print(f"{name}: {share_varying(values):.0%} of the channels vary")

# %%
stuck = np.isin(maps["rate 0.01"], [0, 6]).mean()
heading = f"At the rate 0.01, {stuck:.0%} of the values are exactly 0 or 6"
_ = plots.unit_values(maps, heading, lesions.source)
# alt: Two histograms of the last layer's units, log scale. After the rate 0.0001 most values are 0 and the others spread from 0 to 6. After the rate 0.01 two tall bars are left, at 0 and at 6.

# %% [markdown]
# At the rate `0.01` every unit is **saturated**: it is stuck at 0 or at 6, whatever the image shows. There a ReLU6 is flat:
# a small change of a weight changes nothing, so training cannot bring the unit back.
#
# **Exercise fine_tuning.3** Fine-tune only the last 11 layers, from `block_16_expand` on. Start from `head_file`, with the rate
# `0.0001` and 3 epochs. `block_gain`: the paired difference of the validation AUC, this model minus `p_head`.

# %% tags=["exercise"]
block_model = ...
block_gain = ...

given = {"x": validation.images, "y": y, "p_head": p_head}
exercises.check("fine_tuning.3", (block_model, block_gain), **given)

# %% tags=["solution"]
block_model = keras.models.load_model(head_file)
unfreeze(block_model.get_layer("base"), 11)
block_model.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy")
block_model.fit(images, labels, epochs=3, verbose=0)
p_block = block_model.predict(validation.images, verbose=0)[:, 0]
block_gain = evaluation.difference(roc_auc_score, y, p_block, p_head, groups)

given = {"x": validation.images, "y": y, "p_head": p_head}
exercises.check("fine_tuning.3", (block_model, block_gain), **given)

# %% [markdown]
# Which layers, and how fast? On 600 images the gain of the last 20 layers is inconclusive, so the head alone is enough
# to begin with. If you fine-tune, leave BatchNorm frozen, take a small rate (0.0001 ruined nothing, 0.01 all), and measure the paired
# difference.

# %% [markdown]
# ## Key points
#
# - Set `trainable`, then call `compile`, then `fit`.
# - A learning rate that is too high can saturate all units, and more training does not help.
# - Trained on 600 images, the gain of fine-tuning is inconclusive, on 200 validation and on 1,999 test images.
#
# ## Check yourself
#
# <details><summary>You set <code>trainable = True</code>, and <code>fit</code> changes nothing in the base. Why?</summary>
# The model was trained before, and not compiled again.</details>
#
# <details><summary>All images get the same probability after fine-tuning. What do you suspect?</summary>
# The learning rate was too high: the units of the last layer are saturated.</details>
#
# <details><summary>The interval of a gain holds zero. Is there no gain?</summary>
# Nobody knows: the comparison is inconclusive. More test images make the interval narrower.</details>
#
# ## What comes next
#
# The BatchNorm layers stayed frozen. What happens if they are trained too?
# [{{ number_of("batchnorm") }} · BatchNorm]({{ notebook_of("batchnorm") }})
#
# ## References
#
# - Keras: [Transfer learning & fine-tuning](https://keras.io/guides/transfer_learning/).
# - Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks. CVPR 2018,
#   [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).
# - Kornblith, Shlens, Le: Do better ImageNet models transfer better? CVPR 2019,
#   [arXiv:1805.08974](https://arxiv.org/abs/1805.08974).

# %%
exercises.progress()

# %%
ledger.show()
