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
# # {{ number }} · Training a head: when to stop, what to save
#
# A frozen MobileNetV2 turns each image into 1,280 features. A small network on top of it, the
# **head**, learns to find melanomas in them. Most of the usual waiting is unnecessary, most of the
# epochs do harm, and a disconnect can cost you everything. This lesson shows all three, and the
# remedies that Keras has.

# %% [markdown]
# **You will**
#
# - build a frozen base with a new head, and count what is trainable;
# - make the training several times faster by caching features;
# - read training curves and use three callbacks;
# - give melanomas a higher weight, and see what that changes;
# - save and load a model, and resume after a disconnect.
#
# **You need** a little Python and Keras. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import time

import numpy as np
import pandas as pd

from utils import data, diagrams, evaluation, exercises, ledger
from utils import plots, pretrained, results, settings, splits, training
from utils.baselines import baseline_probabilities
from utils.evaluation import roc_auc  # scikit-learn's, but faster
from utils.quiet import keras
from keras import layers
from keras.callbacks import BackupAndRestore, EarlyStopping
from keras.callbacks import ModelCheckpoint, ReduceLROnPlateau
import tensorflow as tf

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35  # width of the network
SEED = 0
EPOCHS = 30

# %% [markdown]
# ## What is trainable?
#
# A GPU makes training faster. Keras uses one without any further line. In Colab you get one by
# *Runtime, Change runtime type*. This lesson needs none.

# %%
gpus = tf.config.list_physical_devices("GPU")
print(f"Keras runs on {keras.config.backend()}, with {len(gpus)} GPUs")

# %%
_ = diagrams.frozen_and_trainable("head")

# %% [markdown]
# `trainable = False` freezes the base. Its BatchNorm layers then keep the means and variances of
# ImageNet. Dropout sets random features to 0 while the head learns, so that it cannot rely on a few
# of them.

# %%
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)

keras.utils.set_random_seed(SEED)
base = keras.applications.MobileNetV2(
    (96, 96, 3), alpha=ALPHA, include_top=False, weights=weights
)
base.trainable = False

# %%
inputs = keras.Input((SIZE, SIZE, 3))
x = layers.Resizing(96, 96)(inputs)
x = layers.Rescaling(1 / 127.5, offset=-1)(x)
x = base(x)
pooled = layers.GlobalAveragePooling2D(name="pooled")(x)
x = layers.Dropout(0.3)(pooled)
x = layers.Dense(128, activation="relu")(x)
x = layers.Dropout(0.2)(x)
outputs = layers.Dense(1, activation="sigmoid")(x)
model = keras.Model(inputs, outputs, name="classifier")
model.summary()

# %% [markdown]
# Read the last three lines. The base has 410,208 parameters, and none of them is trainable. The
# head has 164,097, and all of them are. That is still {{ fact("273", "164,097 / 600") }} for each
# training image.
#
# **Exercise training.1** Write `frozen_classifier(base)`: freeze `base`, average its output, and add one
# `Dense` layer that gives a probability. Take inputs of the size that `base` takes. How few
# parameters are trainable then?


# %% tags=["exercise"]
def frozen_classifier(base):
    return ...


exercises.check("training.1", frozen_classifier)


# %% tags=["solution"]
def frozen_classifier(base):
    base.trainable = False
    inputs = keras.Input(base.input.shape[1:])
    x = base(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    return keras.Model(inputs, outputs)


exercises.check("training.1", frozen_classifier)

# %% [markdown]
# ## Why compute the same thing thirty times?
#
# In each epoch every image runs through the frozen base. The base gives the same features every
# time. So compute them once, keep them in memory, and train only the head on them: **cached
# features**. Guess: what share of a plain epoch's time does an epoch on cached features take?

# %%
MY_SHARE_OF_TIME = ...
ledger.guess("time of an epoch on cached features", MY_SHARE_OF_TIME)

# %% [markdown]
# `features` and `head` are the two parts of `model`, cut at `pooled`. They share its layers: if
# `head` learns, `model` has learned too.

# %%
features = keras.Model(inputs, pooled)
head = keras.Model(pooled, outputs)
untrained = [v.numpy() for v in head.variables]  # Dropout's random state too


# %%
def seconds_an_epoch(part, x):
    part.compile("adam", "binary_crossentropy")
    part.fit(x, train.melanoma, verbose=0)  # the first epoch takes longer
    start = time.perf_counter()
    part.fit(x, train.melanoma, epochs=3, verbose=0)
    return (time.perf_counter() - start) / 3


# %%
plain = seconds_an_epoch(model, train.images)
start = time.perf_counter()
f_train = features.predict(train.images, verbose=0)
f_validation = features.predict(validation.images, verbose=0)
once = time.perf_counter() - start
cached = seconds_an_epoch(head, f_train)

# %%
ledger.outcome("time of an epoch on cached features", cached / plain)
print(f"computing the features once: {once:.1f} s")
print(f"an epoch: {plain:.2f} s plain, {cached:.2f} s on cached features")
print(f"{plain / cached:.0f} times faster")

# %%
from_images = model.predict(validation.images, verbose=0)
from_cache = head.predict(f_validation, verbose=0)
print(f"largest difference: {np.abs(from_images - from_cache).max():.0e}")

# %% [markdown]
# The probabilities are the same, and each epoch is several times faster. Whole trainings of lesson {{ number_of("quickstart") }}'s
# recipe gained less, since features have to be computed once and the second stage trains 20 layers of
# the base: {{ quote("cached_prefix", "widths.100%.times_faster", ".1f") }} to
# {{ quote("cached_prefix", "widths.35%.times_faster", ".1f") }} times (2 CPU cores, full and small
# width).
#
# Two conditions: the cached layers must really be frozen, and each image must be the same in every
# epoch. Random augmentation (lesson {{ number_of("better_models") }}) breaks the second.
#
# ## How long should the head learn?
#
# Let us train longer than is good. `training.ExactAUC` adds the AUC to the history: the chance that a
# random melanoma gets a higher score than a random other lesion.


# %%
seen = (f_validation, validation.melanoma)
auc = training.ExactAUC(auc=(f_train, train.melanoma), val_auc=seen)


def train_head(epochs, callbacks=(), **options):
    keras.utils.set_random_seed(SEED)
    for variable, value in zip(head.variables, untrained):
        variable.assign(value)
    head.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    options |= {"epochs": epochs, "validation_data": seen, "verbose": 0}
    options["callbacks"] = [auc, *callbacks]
    return head.fit(f_train, train.melanoma, **options).history


# %%
long = train_head(EPOCHS)
_ = plots.training_curves([long], lesions.source)
# alt: Two panels by epoch. Training loss falls to the end while validation loss rises again after some epochs. Training AUC approaches 1 while validation AUC slowly falls.

# %% [markdown]
# In training everything gets better until the end. In validation it does not: the head **overfits**.
# It memorises its 600 images. Which epoch is the best? That depends on the measure.

# %%
curves = pd.DataFrame(long)[["val_loss", "val_auc", "val_accuracy"]]
curves.index = curves.index + 1
best = [curves["val_loss"].idxmin(), *curves.iloc[:, 1:].idxmax(), EPOCHS]
table = curves.loc[best].round(3)
table["chosen by"] = ["loss", "AUC", "accuracy", "nobody: the last"]
table.rename_axis("epoch")

# %% [markdown]
# Loss and AUC choose an early epoch. Accuracy may choose another one, and it is a poor guide:
# always saying "everything else" is right for
# {{ fact("152 of our 200", "the validation set of Mini") }} images already. The AUC asks how well
# the head separates melanomas from everything else, at any threshold. So we watch `val_auc`.
#
# Keras has an AUC metric too. But it compares with 200 thresholds only. Divide all probabilities by
# 1,000: the order of the images, and so the AUC, stays the same.

# %%
y = validation.melanoma
p = head.predict(f_validation, verbose=0)[:, 0]
for scores in [p, p / 1000]:
    approximate = float(keras.metrics.AUC()(y, scores))
    print(f"Keras {approximate:.3f}, exact {roc_auc(y, scores):.3f}")

# %% [markdown]
# All probabilities now lie between two of the 200 thresholds, and Keras's metric sees no difference
# between them. Models that are too sure of themselves run into this in real life (lesson {{ number_of("fine_tuning") }}). So we
# watch the exact AUC.
#
# ## Three callbacks
#
# A callback looks at the training after each epoch and may act:
#
# - `EarlyStopping` stops after `patience` epochs without a new best, and brings back the best weights;
# - `ReduceLROnPlateau` halves the learning rate when nothing improves;
# - `ModelCheckpoint` writes the best model to disk.

# %%
best_file = settings.scratch() / "best_head.keras"
by_auc = {"monitor": "val_auc", "mode": "max"}
callbacks = [
    EarlyStopping(patience=5, restore_best_weights=True, **by_auc),
    ReduceLROnPlateau(factor=0.5, patience=3, **by_auc),
    ModelCheckpoint(best_file, save_best_only=True, **by_auc),
]
watched = train_head(EPOCHS, callbacks)

# %%
p_head = head.predict(f_validation, verbose=0)[:, 0]
ran = len(watched["val_auc"])
rates = pd.unique(np.array(watched["learning_rate"]))
print(f"{ran} of {EPOCHS} epochs; best: {np.argmax(watched['val_auc']) + 1}")
print(f"AUC of the last epoch {watched['val_auc'][-1]:.3f}")
print(f"AUC of the restored weights {roc_auc(y, p_head):.3f}")
print("learning rates:", ", ".join(f"{rate:.5f}" for rate in rates))

# %% [markdown]
# Each callback did its work: the training ended five epochs after the best one, the learning rate was
# halved on the way, and the weights are those of the best epoch. All three use `val_auc`, which
# `ExactAUC` writes, so `ExactAUC` must stand first in the list.
#
# One warning: the validation AUC of a *chosen* epoch is too good, because we chose it for that.
#
# **Exercise training.2** Write `epochs_run(val_auc, patience)`. `val_auc` is a list: the validation AUC
# after each epoch, if nothing stopped the training. How many epochs does
# `EarlyStopping(patience=patience)` let it run? An equal AUC is no new best.


# %% tags=["exercise"]
def epochs_run(val_auc, patience):
    return ...


exercises.check("training.2", epochs_run)


# %% tags=["solution"]
def epochs_run(val_auc, patience):
    best = -1
    waited = 0
    for epoch, auc in enumerate(val_auc, start=1):
        waited += 1
        if auc > best:
            best = auc
            waited = 0
        if waited == patience:
            return epoch
    return len(val_auc)


exercises.check("training.2", epochs_run)

# %% [markdown]
# ## Save it, load it
#
# `head` learned, and `model` shares its layers. So `model` is trained too, from pixels to probability.
# One file holds its layers and its weights.

# %%
path = settings.scratch() / "classifier.keras"
model.save(path)
loaded = keras.models.load_model(path)
before = model.predict(validation.images, verbose=0)
after = loaded.predict(validation.images, verbose=0)
print(f"largest difference: {np.abs(before - after).max():.0e}")

# %% [markdown]
# The scaling of the pixels is a layer of the model. So nobody who loads this file can forget it.
#
# ## Does it help to count melanomas more?
#
# Of our 600 training images 144 show a melanoma, about one in four. `class_weight` in `fit` makes each
# melanoma count three times, so that both classes have about the same say. Guess first: does the mean
# probability rise? Does the AUC?

# %%
_ = train_head(EPOCHS, callbacks, class_weight={0: 1, 1: 3})
p_weighted = head.predict(f_validation, verbose=0)[:, 0]
for name, p in [("without weights", p_head), ("with weights", p_weighted)]:
    print(f"{name}: mean {p.mean():.2f}, {sum(p >= 0.5)} called melanoma")

# %%
groups = validation.table["group"]
gain = evaluation.difference(roc_auc, y, p_weighted, p_head, groups)
print(f"AUC with weights minus AUC without: {gain:+.3f}")

# %% [markdown]
# With weights the probabilities rise, and the head says "melanoma" more often. The AUC looks only at
# the order of the images. Did the order get better? The brackets hold the **95 % interval** of the
# difference on the same images: how far it may move with 200 other images. It holds zero:
# **inconclusive**. Lesson {{ number_of("better_models") }} asks again with far more images.
#
# **Exercise training.3** Write `balanced(y)`: exact weights for `class_weight`, as a dict
# `{0: ..., 1: ...}`. Both classes get the same total weight, and the mean weight of all images is 1.


# %% tags=["exercise"]
def balanced(y):
    return ...


exercises.check("training.3", balanced)


# %% tags=["solution"]
def balanced(y):
    n = len(y)
    melanomas = np.sum(y)
    return {0: n / (2 * (n - melanomas)), 1: n / (2 * melanomas)}


exercises.check("training.3", balanced)

# %% [markdown]
# ## The connection is lost
#
# A free Colab session can end at any time. `BackupAndRestore` writes weights, optimizer and epoch to a
# folder after each epoch. (In Colab take a folder on your Drive.) We simulate the disconnect by a
# callback that stops with an error, and then run the same line again.


# %%
class Disconnect(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 4:  # counted from 0
            raise ConnectionError("the runtime is gone")


folder = settings.scratch() / "backup"
try:
    train_head(10, [BackupAndRestore(folder), Disconnect()])
except ConnectionError as error:
    print("stopped:", error)
rest = train_head(10, [BackupAndRestore(folder)])
print(f"run after the restart: {len(rest['loss'])} of 10 epochs")

# %% [markdown]
# Only the missing epochs are run. One thing is in no backup: the state of the random numbers. The
# resumed epochs shuffle and drop out differently from an unbroken training. They are neither better
# nor worse.
#
# ## The test set, once
#
# We built the head, chose its epoch and looked at it on validation. Now we ask one question on the
# test set: does the trained head beat the colour baseline, which sees nine colour values of an image
# and no shapes?

# %%
test = lesions.subset("test")
p_test = loaded.predict(test.images, verbose=0)[:, 0]
baselines = baseline_probabilities(train, validation, test)
c_validation, c_test = baselines["colour baseline"]
print(f"validation: head {roc_auc(y, p_head):.2f}")
print(f"validation: colours {roc_auc(y, c_validation):.2f}, majority 0.50")

# %%
y = test.melanoma
print(f"test: head {roc_auc(y, p_test):.2f}, colours {roc_auc(y, c_test):.2f}")
groups = test.table["group"]
beats = evaluation.difference(roc_auc, y, p_test, c_test, groups)
print(f"head minus colours, on test: {beats:+.2f}")

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
_ = results.keep(
    f"training-{SIZE}px",
    lesions.source,
    lesions.table,
    dict(SIZE=SIZE, ALPHA=ALPHA, SEED=SEED, EPOCHS=EPOCHS),
    {
        "share_of_time": cached / plain,
        "class_weights": gain,
        "over_colours": beats,
    },
    headline=("head minus colours, AUC", beats),
)

# %% [markdown]
# On validation the head looked better than the colours, on test it does not. The difference is
# inconclusive. 200 images are few, and validation flatters a chosen epoch. Over ten draws, with the
# last 20 layers trained too, the network gains
# {{ quote("ten_draws", "differences.recipe, 28 px minus colour baseline.roc_auc", "+.3f") }} in AUC
# over the colours (a slightly narrow interval, since draws share lesions).

# %% [markdown]
# ## Key points
#
# - Freeze the base, train a new head, and count what is trainable.
# - Frozen layers give the same features in every epoch: compute them once.
# - In training, loss and AUC improve to the end. Choose the epoch on validation, by the exact AUC.
# - Class weights raise the probabilities. Whether they raise the AUC must be measured.
# - Save the whole model with its scaling, and back up long trainings.
#
# ## Check yourself
#
# <details><summary>Training loss falls, validation loss rises. What happens?</summary>
# The head overfits: it memorises the training images. Stop earlier and keep the best
# weights.</details>
#
# <details><summary>When may you not use cached features?</summary>
# If the base learns too, or if each epoch shows another random view of an image.</details>
#
# <details><summary>Why is the validation AUC of the best epoch too good?</summary>
# The epoch was chosen because its AUC was high on these images. The test set was not used for any
# choice.</details>
#
# ## What comes next
#
# So far the base has learned nothing from skin. What if its last layers are trainable too?
# [{{ number_of("fine_tuning") }} · Fine-tuning]({{ notebook_of("fine_tuning") }})
#
# ## References
#
# - Keras: [Transfer learning & fine-tuning](https://keras.io/guides/transfer_learning/).
# - Keras: [Callbacks API](https://keras.io/api/callbacks/).
# - Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout: a simple way to prevent neural
#   networks from overfitting. JMLR 15:1929, 2014,
#   [jmlr.org/papers/v15/srivastava14a.html](https://jmlr.org/papers/v15/srivastava14a.html).
# - Prechelt: Early stopping, but when? In: Neural Networks: Tricks of the Trade, Springer 1998,
#   [doi:10.1007/3-540-49430-8_3](https://doi.org/10.1007/3-540-49430-8_3).

# %%
ledger.show()
