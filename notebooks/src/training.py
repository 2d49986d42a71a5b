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
# # {{ number }} · Training: when to stop, and what to save?
#
# Longer training does not always give a better model: after some epochs the network may memorise its training images.
# And a lost connection can cost you hours. Learn when to stop, what to save, and how to resume.

# %% [markdown]
# **You will**
#
# - let a training stop by itself, with the weights of its best epoch;
# - save a model together with its scaling;
# - train a head many times faster, on cached features, and resume a training after an interruption.
#
# **New words**: overfits, callback, patience, cached features, backup
#
# **You need** lesson {{ number_of("transfer") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("transfer") }}: which pixel values do the weights of MobileNetV2 expect?</summary>
# Values from -1 to 1. Pixels from 0 to 255 must be scaled first.</details>
#
# <details><summary>Lesson {{ number_of("splitting") }}: why do all photos of one lesion belong to the same set?</summary>
# Otherwise the test set shows lesions that the model saw in training, and its score says little about new
# lesions.</details>

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from utils import data, diagrams, evaluation, exercises, ledger
from utils import pretrained, settings, splits
from utils.quiet import keras
import tensorflow as tf
from keras import layers
from keras.callbacks import BackupAndRestore, EarlyStopping, ReduceLROnPlateau
from sklearn.metrics import roc_auc_score

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35  # width of the network
SEED = 0
EPOCHS = 30

# %% [markdown]
# ## The last epoch need not be the best
#
# As in lesson {{ number_of("transfer") }}, the base is frozen. Behind it comes a new head, which is trained. The folded
# cell loads 600 training images `x` with their labels `y`, and 200 validation images, `val`.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Loads 1,000 lesions, and defines a callback that simulates a lost connection
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
x, y = train.images, train.melanoma
x_val, y_val = validation.images, validation.melanoma
val = (x_val, y_val)


class Disconnect(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:  # counted from 0
            raise ConnectionError("the runtime is gone")


# %%
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
base = keras.applications.MobileNetV2(
    (96, 96, 3), ALPHA, include_top=False, weights=weights
)
base.trainable = False


# %%
def new_model():
    keras.utils.set_random_seed(SEED)
    return keras.Sequential(
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


# %% [markdown]
# Each call of `new_model` gives a new head with the same first weights.
#
# Which epoch is the best? We compute the AUC on the validation images: the chance that a random melanoma gets a higher
# score than a random other lesion; 0.5 is guessing. Keras has an AUC too. Here are four scores in perfect order:

# %%
truth = np.array([0, 0, 1, 1])
scores = np.array([0.001, 0.002, 0.003, 0.004])
print("scikit-learn:", roc_auc_score(truth, scores))
print("Keras:", float(keras.metrics.AUC()(truth, scores)))

# %% [markdown]
# The order is perfect, and Keras says 0.5. It compares the scores with 200 thresholds only, and all four scores lie
# between the same two.
#
# The exact AUC takes eight lines. They are a **callback**: an object that Keras calls during training, here after each
# epoch. The callbacks after it can read what it writes to `logs`.


# %%
class ExactAUC(keras.callbacks.Callback):
    def __init__(self, x, y):
        super().__init__()
        self.x = x
        self.y = y

    def on_epoch_end(self, epoch, logs=None):
        p = self.model.predict(self.x, verbose=0)
        logs["val_auc"] = roc_auc_score(self.y, p)


# %% [markdown]
# Two callbacks of Keras watch this number. Their **patience** is the number of epochs that they wait for a new best.
#
# - `ReduceLROnPlateau` then halves the learning rate, the size of a training step.
# - `EarlyStopping` then stops the training, and brings the best weights back.

# %%
callbacks = [
    ExactAUC(x_val, y_val),
    EarlyStopping("val_auc", mode="max", patience=5, restore_best_weights=True),
    ReduceLROnPlateau("val_auc", mode="max", patience=3, factor=0.5),
]

# %% [markdown]
# `ExactAUC` comes first: the others need its number. We allow 30 epochs. Guess which one will be the best.

# %%
MY_EPOCH = ...
ledger.guess("best epoch", MY_EPOCH)

# %%
model = new_model()
model.compile("adam", "binary_crossentropy")
start = time.perf_counter()
history = model.fit(
    x, y, epochs=EPOCHS, validation_data=val, callbacks=callbacks, verbose=0
)
seconds = (time.perf_counter() - start) / len(history.epoch)

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
# @title Draws the curves
curves = pd.DataFrame(history.history).set_axis(np.add(history.epoch, 1))
best = curves["val_auc"].idxmax()
ledger.outcome("best epoch", best, lesions.source)
halved = curves["learning_rate"].idxmin() - 0.5
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
curves["loss"].plot(ax=left, label="training", legend=True)
curves["val_loss"].plot(ax=left, style="--", label="validation", legend=True)
left.set(xlabel="epoch", ylabel="loss (cross-entropy)")
curves["val_auc"].plot(ax=right, color="C1", style="--", label="AUC")
right.axvline(best, color="black", label="best")
right.axvline(halved, color="black", linestyle=":", label="rate halved")
right.axvline(len(curves), color="black", linestyle="-.", label="stop")
right.set(xlabel="epoch", ylabel="AUC (200 validation images)", ylim=(0.5, 1))
right.legend(loc="lower center")
_ = figure.suptitle("Training loss falls, validation AUC stays level")
# alt: Two panels by epoch. Left, the training loss falls to the end, while the validation loss stays at about the same height. Right, the validation AUC stays nearly level; lines mark its best epoch, where the learning rate is halved, and the stop.

# %% [markdown]
# The training loss falls to the end, the validation loss hardly at all. The head **overfits**: it improves on its 600
# training images, and not on new ones.
#
# Three epochs after the best one the rate is halved. Two epochs later training stops, and `model` has the weights of the
# best epoch.
#
# The first five epochs hardly differ. The highest AUC is partly luck, and a little too good. But we saved most of the 30
# epochs.

# %% [markdown]
# **Exercise training.1** A colleague watches the validation loss: lower is better. Write `by_loss()`: a list of
# `EarlyStopping` (patience 4, best weights back) and `ReduceLROnPlateau` (patience 2, a tenth of the rate).


# %% tags=["exercise"]
def by_loss():
    return ...


exercises.check("training.1", by_loss)


# %% tags=["solution"]
def by_loss():
    return [
        EarlyStopping("val_loss", patience=4, restore_best_weights=True),
        ReduceLROnPlateau("val_loss", factor=0.1, patience=2),
    ]


exercises.check("training.1", by_loss)

# %% [markdown]
# ## Save all that a prediction needs
#
# One file holds the layers, the weights and the optimizer:

# %%
path = settings.scratch() / "classifier.keras"
model.save(path)
loaded = keras.models.load_model(path)
p = model.predict(x_val, verbose=0)
print("same predictions:", np.array_equal(p, loaded.predict(x_val, verbose=0)))

# %% [markdown]
# The scaling is a layer of the model, so it is in the file.
#
# **Exercise training.2** A colleague scaled the pixels *outside* the network, and saved the network alone. It expects values
# from -1 to 1. Write `with_scaling(network, size)`: a model that takes images of shape `(size, size, 3)` with pixels from
# 0 to 255, scales them, and gives the network's answer.


# %% tags=["exercise"]
def with_scaling(network, size):
    return ...


exercises.check("training.2", with_scaling)


# %% tags=["solution"]
def with_scaling(network, size):
    inputs = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    return keras.Model(inputs, network(x))


exercises.check("training.2", with_scaling)

# %% [markdown]
# ## Cached features and backups save time
#
# In each epoch all images pass through the frozen base, and it gives the same features each time. **Cached features**
# are computed once and stay in memory.

# %%
_ = diagrams.cached_features()

# %%
features = keras.Sequential(model.layers[:4])  # up to the average
f = features.predict(x, verbose=0)
f_val = features.predict(x_val, verbose=0)

# %% [markdown]
# Only the head is left to train. The callbacks are the same; the AUC is computed from the features:

# %%
head = keras.Sequential(new_model().layers[4:])
head.compile("adam", "binary_crossentropy")
callbacks[0] = ExactAUC(f_val, y_val)

# %%
cached = (f_val, y_val)
start = time.perf_counter()
fast = head.fit(
    f, y, epochs=EPOCHS, validation_data=cached, callbacks=callbacks, verbose=0
)
fast_seconds = (time.perf_counter() - start) / len(fast.epoch)
print(f"an epoch: {seconds:.2f} s on images, {fast_seconds:.2f} s on features")
print(f"best AUC on features: {max(fast.history['val_auc']):.2f}")

# %% [markdown]
# An epoch takes a fraction of the time, and the AUC is about the same. To predict from images, join both parts in one model:

# %%
joined = keras.Sequential([features, head])

# %% [markdown]
# Two conditions: the base stays frozen, and each image is the same in every epoch. (Random augmentation breaks the
# second.) Lesson {{ number_of("quickstart") }}'s recipe, its frozen layers cached, once became
# {{ quote("cached_prefix", "widths.35%.times_faster", ".1f") }} times faster, computing the features included.

# %% [markdown]
# **Exercise training.3** Does a smaller head do as well here? Train two new heads on `f`, for 10 epochs and without
# callbacks: then validation has chosen nothing, and may judge. `big_head` is built like `head`, `small_head` of
# `Dropout(0.3)` and one `Dense` layer. `small_gain` is the paired difference of the validation AUC, small minus big:
# `evaluation.difference(roc_auc_score, y_val, p_small, p_big, groups)`.

# %% tags=["exercise"]
groups = validation.table["group"]
big_head = ...
small_head = ...
small_gain = ...

answer = (big_head, small_head, small_gain)
exercises.check("training.3", answer, x=f_val, y=y_val, head=head)


# %% tags=["solution"]
def trained(new_head):
    new_head.compile("adam", "binary_crossentropy")
    new_head.fit(f, y, epochs=10, verbose=0)
    return new_head


groups = validation.table["group"]
big_head = trained(keras.Sequential(new_model().layers[4:]))
small_head = keras.Sequential([keras.Input((1280,)), layers.Dropout(0.3)])
small_head.add(layers.Dense(1, activation="sigmoid"))
small_head = trained(small_head)
p_small = small_head.predict(f_val, verbose=0)[:, 0]
p_big = big_head.predict(f_val, verbose=0)[:, 0]
small_gain = evaluation.difference(roc_auc_score, y_val, p_small, p_big, groups)

answer = (big_head, small_head, small_gain)
exercises.check("training.3", answer, x=f_val, y=y_val, head=head)

# %% [markdown]
# A free Colab session can end at any time. A **backup** is a copy of a training that is not finished: weights,
# optimizer and epoch. `BackupAndRestore` writes one after each epoch. (In Colab, take a folder of your Drive.) We train
# a new head for four epochs, and our `Disconnect` raises an error in the third.
#
# `fit` also takes a `tf.data.Dataset`, which shuffles by itself (so `shuffle=False`). One that reads a folder
# (`keras.utils.image_dataset_from_directory`) saves memory. Ours hands over features:


# %%
pairs = tf.data.Dataset.from_tensor_slices((f, y)).shuffle(600).batch(32)


def session(*more):
    again = keras.Sequential([keras.Input((1280,)), *new_model().layers[4:]])
    again.compile("adam", "binary_crossentropy")
    both = [BackupAndRestore(settings.scratch() / "backup"), *more]
    return again.fit(pairs, epochs=4, callbacks=both, shuffle=False, verbose=0)


# %%
try:
    session(Disconnect())
except ConnectionError as error:
    print("stopped:", error)
rest = session()
print(f"after the restart: {len(rest.epoch)} of 4 epochs")

# %% [markdown]
# The second call builds a new head, as a new session would, and runs only the missing epochs.
#
# (`ModelCheckpoint`, another callback, writes the best model so far to a file. After an interruption give it the best
# value, `initial_value_threshold=`; else it overwrites that file.)

# %% [markdown]
# When to stop, and what to save? Stop when the validation AUC has had no new best for some epochs. Save the whole model,
# its scaling included, and a backup of each long training.

# %% [markdown]
# ## Key points
#
# - The training loss falls to the end. Choose the epoch on validation, by the exact AUC.
# - Save the model with its scaling. Write a backup of a long training.
# - A frozen base gives the same features in every epoch: compute them once.
#
# ## Check yourself
#
# <details><summary>Training loss falls, validation loss rises. What happens?</summary>
# The model overfits: it improves on the training images alone. Stop earlier and take the best weights.</details>
#
# <details><summary>Why is the validation AUC of the best epoch a little too good?</summary>
# The epoch was chosen because its AUC was high on just these images.</details>
#
# <details><summary>When may you not use cached features?</summary>
# When the base is trained too, or when each epoch shows another random view of an image.</details>
#
# ## What comes next
#
# So far the base has learned nothing from skin. What if its last layers are trainable too?
# [{{ number_of("fine_tuning") }} · Fine-tuning]({{ notebook_of("fine_tuning") }})
#
# ## References
#
# - Keras: [Callbacks API](https://keras.io/api/callbacks/), and
#   [Save, serialize, and export models](https://keras.io/guides/serialization_and_saving/).
# - Keras, [issue 17012](https://github.com/keras-team/keras/issues/17012): `ModelCheckpoint` after an interruption.
# - Prechelt: Early stopping, but when? In: Neural Networks: Tricks of the Trade, Springer 1998,
#   [doi:10.1007/3-540-49430-8_3](https://doi.org/10.1007/3-540-49430-8_3).
# - Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout: a simple way to prevent neural networks from
#   overfitting. JMLR 15:1929, 2014, [jmlr.org/papers/v15/srivastava14a.html](https://jmlr.org/papers/v15/srivastava14a.html).

# %%
exercises.progress()

# %%
ledger.show()
