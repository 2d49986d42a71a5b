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
# # 04 · Training and fine-tuning: who may learn, how fast, and when to stop?
#
# Frozen features came no further than nine colour numbers (lesson 03). So let the network learn from
# skin. It takes one line to make its layers trainable, and there are at least four ways in which that
# line ruins everything while the training curve looks splendid. This lesson walks into each of them on
# purpose.
#
# **You will be able to**
#
# - train a head on a frozen network in a fraction of the usual time, and prove that the numbers stay
#   the same;
# - read training curves, and choose callbacks by what each of them was seen to do;
# - fine-tune the last layers with a learning rate that you can defend;
# - recognise the BatchNorm trap: perfect in training, guessing in validation, and nothing broken;
# - go on after a disconnect, and say what a backup does *not* bring back;
# - tell a gain from the luck of a seed.
#
# **You need** lesson 00 and some idea of what a layer and a gradient are. **Time**: 45 minutes to read
# and work through, 2.5 minutes to run on a CPU (2 cores, synthetic lesions); on a free T4 GPU about one
# (an estimate, not measured), most of it preparation.
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import tempfile
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score

from utils import backbone, data, evaluation, exercises, ledger, plots
from utils import pretrained, results, settings, splits, training
import keras
import tensorflow as tf

# %% [markdown]
# What you may change: `EPOCHS` for the head, `FINE_TUNE_EPOCHS` for the layers below it, and in how
# many trainings from different seeds (`SEEDS`) the last section repeats the recipe.

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10
SEEDS = 3

# %% [markdown]
# ## Is there a GPU, and does it matter?
#
# In Colab: *Runtime, Change runtime type, T4 GPU*. Keras uses it without another line, and without one
# everything here runs all the same, only slower. On a GPU of the last years, computing in 16-bit floats
# (**mixed precision**) is up to twice as fast; on a CPU it is slower. So it is switched on only where
# there is a GPU:

# %%
gpus = tf.config.list_physical_devices("GPU")
print(f"{len(gpus)} GPU(s)" if gpus else "no GPU: the CPU does it all")
keras.config.set_dtype_policy("mixed_float16" if gpus else "float32")

# %% [markdown]
# *Mixed*, because the weights stay in 32 bits and only the computing is done in 16. And because a
# 16-bit float knows nothing between 0 and about 6e-8, small gradients would vanish: Keras multiplies
# the loss by a large number first and divides the gradients afterwards (*loss scaling*). All of this
# can be seen on a CPU:

# %% tags=["nbval-check-output"]
layer = keras.layers.Dense(1, dtype="mixed_float16")
answer = layer(np.ones((1, 4), "float32"))
print("kept in", layer.kernel.dtype, "- computed in", keras.backend.standardize_dtype(answer.dtype))
print("a gradient of 1e-8 in 16 bits:", np.float16(1e-8))
print("multiplied by 32,768 before:", np.float16(1e-8 * 32768))

# %% [markdown]
# ## A new head on a frozen base
#
# The base comes from ImageNet, and *frozen* means that training must not touch it. The head is new: it
# averages the 3 x 3 places of the last layer, and two dense layers turn the result into one probability.
# Dropout silences a random part of its inputs in each training step. (The last layer is told to stay in
# 32 bits: a probability near 1 needs the digits.)

# %%
lesions = data.load_lesions(SOURCE, size=SIZE, select=splits.mini)
train, validation, test = (lesions.subset(name) for name in splits.SUBSETS)
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
base = backbone.mobilenet_v2(ALPHA, source_size=SIZE, size=96, weights=weights)
print("Weights:", pretrained.describe(weights))
as_imagenet_left_it = base.get_weights()


def with_new_head(seed, dropout=0.3):
    """The whole model: the base as ImageNet left it, frozen, and an untrained head."""
    keras.utils.set_random_seed(seed)
    base.set_weights(as_imagenet_left_it)
    base.trainable = False
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(base.output)
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Dense(128, activation="relu")(x)
    x = keras.layers.Dropout(dropout * 2 / 3)(x)
    return keras.Model(base.input, keras.layers.Dense(1, activation="sigmoid", dtype="float32")(x))


model = with_new_head(SEED)
in_head = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
print(f"{in_head:,} of {model.count_params():,} parameters may learn")

# %% [markdown]
# One function for all trainings of this lesson: Adam with a given learning rate, cross-entropy, batches
# of 32, and a stopwatch. `training.ExactAUC` adds scikit-learn's AUC of both sets after each epoch.


# %%
class Stopwatch(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def fit(model, x, learning_rate, epochs, callbacks=(), gathered=False, **options):
    """Train on x[0], watch on x[1]; the history by epoch, with the seconds of each.

    The AUC is measured after each epoch; if ``gathered``, that of training is Keras's own, which
    is gathered batch by batch during the epoch.
    """
    adam, metrics = keras.optimizers.Adam(learning_rate), ["accuracy"]
    watch, judge = Stopwatch(), (x[1], validation.melanoma)
    sets = {"val_auc": judge}
    if gathered:
        metrics += [keras.metrics.AUC(name="auc")]
    else:
        sets["auc"] = (x[0], train.melanoma)
    model.compile(optimizer=adam, loss="binary_crossentropy", metrics=metrics)
    options = {"batch_size": 32, "verbose": 0, "validation_data": judge} | options
    everything = [watch, training.ExactAUC(**sets), *callbacks]
    history = model.fit(x[0], train.melanoma, epochs=epochs, callbacks=everything, **options)
    return history.history | {"seconds": watch.seconds}


# %% [markdown]
# Four epochs, and the proof that frozen was frozen: after training, every array of the base is what it
# was, to the last bit.

# %%
pictures = [part.images for part in (train, validation)]
plain = fit(model, pictures, 1e-3, epochs=4)
unchanged = zip(as_imagenet_left_it, base.get_weights(), strict=True)
assert all(np.array_equal(before, after) for before, after in unchanged)
print("loss by epoch:", *(f"{loss:.4f}" for loss in plain["loss"]))

# %% [markdown]
# **Exercise 04.1** The head gets 1,280 numbers and has 128 neurons, then 1. How many parameters may
# learn? (Dropout and averaging have none.)

# %% tags=["exercise", "nbval-check-output"]
parameters_of_the_head = ...

exercises.check("04.1", parameters_of_the_head, inputs=1280, neurons=128)

# %% tags=["solution"]
parameters_of_the_head = 1280 * 128 + 128 + 128 * 1 + 1  # each dense layer has biases too
assert parameters_of_the_head == in_head

exercises.check("04.1", parameters_of_the_head, inputs=1280, neurons=128)

# %% [markdown]
# ## The same numbers in a fraction of the time
#
# In each epoch the plain way sends every picture through the whole frozen network, which gives the
# same features as in the epoch before. So compute them once, keep them, and train the head on what was
# kept. **Predict**: what share of a plain epoch's time does an epoch of the head alone take?

# %%
MY_SHARE_OF_TIME = ...

ledger.guess("04 time of an epoch when features are kept", MY_SHARE_OF_TIME)

# %% [markdown]
# `backbone.cut` makes consecutive pieces of a model; they share its layers. Here the prefix ends at
# `block_14_add` (what follows will be trained later), the middle at the averaging.

# %%
model = with_new_head(SEED)
prefix, middle, head = backbone.cut(model, "block_14_add", "pooled")
start = time.perf_counter()
features = [prefix.predict(part.images, verbose=0) for part in (train, validation, test)]
pooled = [middle.predict(f, verbose=0) for f in features]
once = time.perf_counter() - start
kept = fit(head, pooled, 1e-3, epochs=4)
largest_difference = float(np.abs(np.subtract(plain["loss"], kept["loss"])).max())
assert largest_difference < (0.02 if gpus else 1e-3)  # a GPU adds in another order each time
print(f"computed once in {once:.1f} s; the losses differ by at most {largest_difference:.0e}")

# %%
plain_epoch, kept_epoch = (float(np.median(h["seconds"][1:])) for h in (plain, kept))
print(
    f"an epoch takes {1000 * plain_epoch:.0f} ms plain, {1000 * kept_epoch:.0f} ms on kept features"
)
whole_stage = [EPOCHS * plain_epoch, once + EPOCHS * kept_epoch]
print(
    f"{EPOCHS} epochs take {whole_stage[0]:.1f} s plain, {whole_stage[1]:.1f} s with kept features"
)
ledger.outcome("04 time of an epoch when features are kept", min(1, kept_epoch / plain_epoch))

# %% [markdown]
# The losses agree, because the same seed draws the same batches and the same dropout, and dropout comes
# after the place of the cut. On real lesions an epoch took {{ quote("04_training-28px", "timing.share", ".2f") }} of
# the plain one's time (28 px, 2 CPU cores). The README has a benchmark of the whole recipe; the wider
# the network, the more is saved.
#
# The trick has two conditions. The layers must really be frozen, BatchNorm included; and the pictures
# must be the same in every epoch, so it does not go together with random augmentation (lesson 06).
#
# **Exercise 04.2** A plain epoch takes 4 seconds, 3.5 of them in frozen layers. Running the frozen
# layers once over all pictures takes 3.5 seconds. How many times faster are 35 epochs if the features
# are kept?

# %% tags=["exercise", "nbval-check-output"]
times_faster = ...

exercises.check("04.2", times_faster, plain=4.0, frozen=3.5, epochs=35)

# %% tags=["solution"]
times_faster = (35 * 4.0) / (3.5 + 35 * 0.5)  # once the frozen part, then half a second an epoch

exercises.check("04.2", times_faster, plain=4.0, frozen=3.5, epochs=35)

# %% [markdown]
# ## Reading curves
#
# Now train the head longer than is good. In the figure, look where the two lines of the loss part (left),
# and ask whether the validation AUC (right) falls at the same place.

# %%
LONG = 2 * EPOCHS
head = backbone.cut(with_new_head(SEED), "block_14_add", "pooled")[2]
long = fit(head, pooled, 1e-3, LONG)
figure = plots.training_curves([long], lesions.source)
plt.show()

# %% [markdown]
# A training loss that falls on and a validation loss that does not follow is **overfitting**: the model
# learns its 600 pictures by heart. The two measures need not agree. AUC asks only for the *order* of
# the pictures, the loss also for honest probabilities, and a model that grows too sure of itself loses
# the second before the first. So which epoch is the best? That depends on whom you ask:

# %%
columns = ["val_loss", "val_auc", "val_accuracy"]
best = {
    "loss": int(np.argmin(long["val_loss"])),
    "AUC": int(np.argmax(long["val_auc"])),
    "accuracy": int(np.argmax(long["val_accuracy"])),
    "nobody (last)": LONG - 1,
}
chosen = {who: {"epoch": e + 1} | {c: long[c][e] for c in columns} for who, e in best.items()}
pd.DataFrame.from_dict(chosen, orient="index").rename_axis("best by").round(3)

# %% [markdown]
# This course keeps the epoch with the best validation AUC. The project from which it grew kept the one
# with the best accuracy, which on 200 pictures moves in steps of half a hundredth and at 24 % melanoma
# is {{ quote("04_training-28px", "beside.majority class.accuracy", ".2f") }} for the majority class already.
#
# Whichever it is: the validation number of a *chosen* epoch is too good, because it was chosen. That is
# what the test part is for.
#
# ## Callbacks, each seen at work
#
# A callback is asked after each epoch and may act. Three that nearly every training wants:

# %%
checkpoint = settings.scratch() / "best.weights.h5"
by_auc = {"monitor": "val_auc", "mode": "max"}
stop = keras.callbacks.EarlyStopping(patience=10, **by_auc)
slow_down = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=3, **by_auc)
keep = keras.callbacks.ModelCheckpoint(
    checkpoint, save_best_only=True, save_weights_only=True, **by_auc
)
head = backbone.cut(with_new_head(SEED), "block_14_add", "pooled")[2]
watched = fit(head, pooled, 1e-3, LONG, [stop, slow_down, keep])


# %%
def validation_auc(model, x):
    return roc_auc_score(validation.melanoma, model.predict(x, verbose=0)[:, 0])


ran, of_last = len(watched["val_auc"]), validation_auc(head, pooled[1])
head.load_weights(checkpoint)
of_kept = validation_auc(head, pooled[1])
print(
    f"EarlyStopping: {ran} of {LONG} epochs were run, the best was {np.argmax(watched['val_auc']) + 1}"
)
print(f"ModelCheckpoint: AUC {of_kept:.3f} from the kept weights, {of_last:.3f} from the last")
rates = dict.fromkeys(watched["learning_rate"])
print("ReduceLROnPlateau: learning rate", " -> ".join(f"{rate:.1e}" for rate in rates))

# %% [markdown]
# Each did its job: the run ended `patience` epochs after the best one, the learning rate was halved on
# the way, and the file holds the best epoch, not the last. (All three look at the exact AUC, because
# `ExactAUC` stands before them. Keras's own metric counts at 200 thresholds only.)
#
# **Exercise 04.3** Write `epochs_run(val_auc, patience)`: `val_auc` is a list, what the validation AUC
# would be after each epoch. How many epochs does a training with `EarlyStopping(patience)` run?


# %% tags=["exercise", "nbval-check-output"]
def epochs_run(val_auc, patience):
    return ...


exercises.check("04.3", epochs_run)


# %% tags=["solution"]
def epochs_run(val_auc, patience):
    best, waited = -1, 0
    for epoch, auc in enumerate(val_auc, start=1):
        best, waited = (auc, 0) if auc > best else (best, waited + 1)
        if waited == patience:
            return epoch
    return len(val_auc)


exercises.check("04.3", epochs_run)

# %% [markdown]
# ## The runtime is gone
#
# A free Colab ends when it likes. `BackupAndRestore` writes weights, the state of the optimizer and the
# number of the epoch to a folder after each epoch, and a new program that calls the same `fit` goes on
# from there. (In Colab put the folder on your Drive: the runtime's own disk is gone too.) Here the
# "disconnect" is an interrupt in the middle of epoch 8, after which everything is built anew.


# %%
class Disconnect(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (7, 5):  # both count from 0
            raise KeyboardInterrupt


def twelve_epochs(*callbacks, dropout, shuffle):
    head = backbone.cut(with_new_head(SEED, dropout), "block_14_add", "pooled")[2]
    return head, len(fit(head, pooled, 1e-3, 12, callbacks, shuffle=shuffle)["loss"])


def interrupted_and_resumed(**options):
    folder = tempfile.mkdtemp(dir=settings.scratch())
    try:
        twelve_epochs(keras.callbacks.BackupAndRestore(folder), Disconnect(), **options)
    except KeyboardInterrupt:
        print("disconnected in epoch 8")
    return twelve_epochs(keras.callbacks.BackupAndRestore(folder), **options)


# %% [markdown]
# Does the resumed training end where an unbroken one does? First without dropout and without shuffling,
# then with both.

# %%
resuming = {}
for name, options in {
    "nothing random": {"dropout": 0.0, "shuffle": False},
    "dropout and shuffling": {"dropout": 0.3, "shuffle": True},
}.items():
    resumed, left = interrupted_and_resumed(**options)
    unbroken, _ = twelve_epochs(**options)
    pairs = zip(resumed.get_weights(), unbroken.get_weights(), strict=True)
    resuming[name] = max(float(np.abs(a - b).max()) for a, b in pairs)
    print(f"{left} epochs were left. {name}: weights differ by at most {resuming[name]:.0e}")
assert left == 5 and resuming["nothing random"] < (0.02 if gpus else 1e-4)

# %% [markdown]
# With nothing random the weights are the same as if nothing had happened. With dropout and shuffling
# they are not: the state of the random numbers is in no backup, so the resumed epochs draw other batches
# and silence other neurons. It is another training from there on, neither better nor worse, as one with
# another seed would be. Do not be surprised, and do not quote it as the result of that seed.
#
# ## Unfreezing the last twenty layers: how fast?
#
# The head has learned; now the last 20 layers of the base shall learn with it. They have good values
# already, so the steps should be small. `backbone.unfreeze_top` makes them trainable (and leaves
# BatchNorm frozen; the next section shows why). **Predict**: what will the validation AUC be after
# fine-tuning with a learning rate of 0.01, ten times Adam's default?

# %%
MY_AUC_AT_RATE_001 = ...

ledger.guess("04 validation AUC after fine-tuning with rate 0.01", MY_AUC_AT_RATE_001)


# %%
def head_first(seed):
    """The whole model after stage one, and the part of it that stage two trains."""
    model = with_new_head(seed)
    head = backbone.cut(model, "block_14_add", "pooled")[2]
    fit(head, pooled, 1e-3, EPOCHS, training.callbacks(checkpoint))
    head.load_weights(checkpoint)
    backbone.unfreeze_top(base, 20)
    return model, backbone.cut(model, "block_14_add")[1]


model, top = head_first(SEED)
after_stage_one, auc_of_head = model.get_weights(), validation_auc(top, features[1])
may_learn = [layer.name for layer in base.layers if layer.trainable_weights]
print(f"head alone: validation AUC {auc_of_head:.3f}")
print("May learn now, beside the head:", *may_learn, sep="\n  ")

# %% [markdown]
# A second number watches over **forgetting**. What the network knew of the visible world is still there
# if its old features can be read off the new ones. So fit a linear map from the new features of the
# training pictures to the old ones, and ask on validation what share of the old features' variance it
# recovers ($R^2$: 1 is everything, 0 nothing).

# %%
new_features = backbone.cut(model, "block_14_add", "pooled")[1]


def still_readable():
    now = [new_features.predict(f, verbose=0) for f in features[:2]]
    reader = RidgeCV(alphas=np.logspace(-1, 5, 7)).fit(now[0], pooled[0])
    return float(r2_score(pooled[1], reader.predict(now[1]), multioutput="variance_weighted"))


readable, curves = {"before": still_readable()}, {}
for rate in (1e-5, 1e-4, 1e-3, 1e-2):
    model.set_weights(after_stage_one)
    keras.utils.set_random_seed(SEED)
    curves[rate] = fit(top, features, rate, FINE_TUNE_EPOCHS)
    readable[rate] = still_readable()
after_001 = validation_auc(top, features[1])  # the last rate was 0.01
ledger.outcome("04 validation AUC after fine-tuning with rate 0.01", after_001)

# %% [markdown]
# The figure has the validation AUC by epoch on the left, a line for each learning rate, the dotted
# line being the head alone; on the right what is left of the old features. Compare where the lines go
# with what was forgotten.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", width_ratios=(3, 2))
for (rate, h), color, style in zip(
    curves.items(), plots.PALETTE, ("-", "--", "-.", ":"), strict=False
):
    epochs = range(1, len(h["val_auc"]) + 1)
    axes[0].plot(epochs, h["val_auc"], style, color=color, marker=".", label=f"rate {rate:g}")
axes[0].axhline(auc_of_head, color="black", linestyle=":", linewidth=0.8, label="head alone")
axes[0].set(xlabel="epoch", ylabel="validation AUC", ylim=(0.45, 1))
axes[0].legend(fontsize=8, ncols=2, loc="upper right")
names = [n if n == "before" else f"{n:g}" for n in readable]
axes[1].bar(names, [max(0, r) for r in readable.values()], color=["grey", *plots.PALETTE[:4]])
axes[1].set(xlabel="learning rate", ylabel="old features still readable (R²)", ylim=(0, 1))
figure.suptitle(plots.title("fine-tuning the last 20 layers", lesions.source), fontsize=10)
plt.show()

# %% [markdown]
# The larger the steps, the less is left. At 0.01 the layers are destroyed within an epoch: on real
# lesions the old features are readable to {{ quote("04_training-28px", "rates.1e-02.readable", ".2f") }} (before:
# {{ quote("04_training-28px", "rates.before.readable", ".2f") }}), and the validation AUC is
# {{ quote("04_training-28px", "rates.1e-02.last", ".2f") }}. That is called **catastrophic forgetting**: what took
# a million pictures to learn is gone after nineteen steps, and 600 pictures cannot bring it back.
#
# The other end is no free gift either. On real lesions the head alone had
# {{ quote("04_training-28px", "rates.before.last", ".3f") }} at 28 px. At the recipe's rate of 0.0001 the best epoch
# had {{ quote("04_training-28px", "rates.1e-04.best", ".3f") }} and the last
# {{ quote("04_training-28px", "rates.1e-04.last", ".3f") }}, while the AUC in *training* reached
# {{ quote("04_training-28px", "rates.1e-04.training_auc", ".3f") }}: the layers learn the 600 pictures by heart. A
# small rate and the checkpoint limit the damage. All of these differences lie within the noise of 200
# pictures; what fine-tuning is worth, the last section asks on the test part.
#
# ## The BatchNorm trap
#
# BatchNorm layers scale each channel by a mean and a variance. In *training* they take those of the
# batch in hand; in *prediction* they take moving averages, which they have gathered on the way. Frozen
# (`trainable = False`), they always use the averages; `unfreeze_top` keeps them so. What if they may
# learn like all the rest? Unfreeze the **whole** network, BatchNorm included, with Adam's usual rate of
# 0.001, from the same start. **Predict** the AUC on validation after half as many epochs.

# %%
MY_AUC_IN_THE_TRAP = ...

ledger.guess("04 validation AUC with all of BatchNorm unfrozen", MY_AUC_IN_THE_TRAP)

# %%
norms = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]


def train_everything(momentum):
    """The history, and how the validation AUC changes when the averages are brought up to date."""
    model.set_weights(after_stage_one)
    keras.utils.set_random_seed(SEED)
    base.trainable = True
    for layer in norms:
        layer.momentum = momentum
    history = fit(model, pictures, 1e-3, max(1, FINE_TUNE_EPOCHS // 2), gathered=True)
    answers = [model.predict(pictures[1], verbose=0)[:, 0]]
    for layer in norms:
        layer.momentum = 0.0  # forget the averages, take those of the next pass
    model(keras.ops.cast(pictures[0], "float32"), training=True)  # all training pictures at once
    answers += [model.predict(pictures[1], verbose=0)[:, 0]]
    return history, [
        evaluation.estimate(roc_auc_score, validation.melanoma, p, validation.table["group"], 200)
        for p in answers
    ]


trap, (fallen, mended) = train_everything(norms[0].momentum)
ledger.outcome("04 validation AUC with all of BatchNorm unfrozen", fallen)
print("AUC in training, by epoch:  ", *(f"{v:.2f}" for v in trap["auc"]))
print("AUC in validation, by epoch:", *(f"{v:.2f}" for v in trap["val_auc"]))

# %% [markdown]
# Training says: nearly perfect. Validation does not follow. Everybody's first thought is overfitting.
# It is not. The same weights, with nothing changed but the *means and variances* of the BatchNorm
# layers, which one pass over the training pictures brings up to date:

# %%
print(f"as trained:           validation AUC {fallen:.3f}")
print(f"averages up to date:  validation AUC {mended:.3f}")

# %% [markdown]
# On real lesions, where training had reached {{ quote("04_training-28px", "trap.training_auc", ".3f") }}, the AUC rose
# from {{ quote("04_training-28px", "trap.as_trained") }} to {{ quote("04_training-28px", "trap.up_to_date") }} at 28 px, and from
# {{ quote("04_training-96px", "trap.as_trained") }} to {{ quote("04_training-96px", "trap.up_to_date") }} at 96, without a single
# step of learning. The knowledge was there all the time; in prediction it was looked at through old
# glasses. (The AUC in training above is Keras's own, gathered during the epoch, in training mode. That of
# validation is exact: with old averages most probabilities crowd near 0 or 1, and the 200 thresholds of
# Keras's metric cannot tell them apart.)
#
# Why are the averages old? Keras's MobileNetV2 moves them by a thousandth a step (`momentum=0.999`),
# which suits a training of a million steps. Here an epoch has nineteen.
#
# **Exercise 04.4** After how many steps has a moving average with momentum 0.999 given up half of its
# old value? (After $n$ steps a share of $0.999^n$ of it is left.) Round up to a whole step.

# %% tags=["exercise", "nbval-check-output"]
steps_to_half = ...

exercises.check("04.4", steps_to_half, momentum=0.999)

# %% tags=["solution"]
steps_to_half = np.ceil(np.log(0.5) / np.log(0.999))  # 0.999 ** n = 0.5

exercises.check("04.4", steps_to_half, momentum=0.999)

# %% [markdown]
# So there are two ways out: keep BatchNorm frozen, as this course does on small data, or let the averages
# follow quickly. With momentum 0.9 half of the old value is gone after seven steps:

# %%
quick, (as_trained, up_to_date) = train_everything(0.9)
print("AUC in validation, by epoch:", *(f"{v:.2f}" for v in quick["val_auc"]))
print(f"as trained:           validation AUC {as_trained:.3f}")
print(f"averages up to date:  validation AUC {up_to_date:.3f}")

# %% [markdown]
# The figure shows both trainings: solid lines in training, dashed ones in validation. With 0.999
# (orange) the two part at once; with 0.9 (blue) validation follows.

# %%
figure, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for h, name, color in ((trap, "0.999", plots.PALETTE[1]), (quick, "0.9", plots.PALETTE[0])):
    for key, style, where in (("auc", "-", "training"), ("val_auc", "--", "validation")):
        epochs = range(1, len(h[key]) + 1)
        ax.plot(epochs, h[key], style, marker="o", color=color, label=f"momentum {name}, {where}")
ax.set(xlabel="epoch", ylabel="AUC", xticks=epochs, ylim=(0.4, 1.02))
figure.legend(loc="outside lower center", ncols=2, fontsize=8)
figure.suptitle(plots.title("all layers and BatchNorm unfrozen", lesions.source), fontsize=10)
plt.show()

# %% [markdown]
# On real lesions momentum 0.9 gave {{ quote("04_training-28px", "quick.as_trained") }} at 28 px and
# {{ quote("04_training-96px", "quick.as_trained") }} at 96. Lesson 06 goes on from here, with all layers and all of
# HAM10000.
#
# And in the last 20 layers alone, at small rates? There the trap hardly shows, because the layers below
# do not move and the old averages still fit. That is why it stays unnoticed in one project and ruins
# the next.
#
# ## A gain, or a lucky seed?
#
# Now the recipe of lesson 00, twice: the head alone, and the last 20 layers with it. The seed decides the
# head's first values, the batches and the dropout, so we repeat it with several. **Predict**: by how
# much will fine-tuning raise the mean AUC on the test part? (A loss counts as 0 here.)

# %%
MY_GAIN = ...

ledger.guess("04 gain in test AUC by fine-tuning", MY_GAIN)


# %%
def recipe(seed):
    """Answers of the head alone and of the fine-tuned layers, for validation and test."""
    _, top = head_first(seed)
    answers = {"head alone": [top.predict(f, verbose=0)[:, 0] for f in features[1:]]}
    fit(top, features, 1e-4, FINE_TUNE_EPOCHS, training.callbacks(checkpoint))
    top.load_weights(checkpoint)  # the best of the fine-tuned epochs
    answers["last 20 layers"] = [top.predict(f, verbose=0)[:, 0] for f in features[1:]]
    return answers


runs = [recipe(SEED + i) for i in range(SEEDS)]
simple = evaluation.baselines(train, validation, test)
answers = {name: [run[name] for run in runs] for name in runs[0]}  # by name, by seed, (val, test)
answers |= {name: [both] for name, both in simple.items()}

# %% [markdown]
# Thresholds come from validation, one for each training. The test set is opened once, for this claim:
# mean over the seeds, with an interval by lesion, and beneath it the range over the seeds.

# %%
truth, groups = test.melanoma, test.table["group"]
judged = {}
for name, several in answers.items():
    thresholds = [evaluation.choose_threshold(validation.melanoma, p) for p, _ in several]
    p_test = [p for _, p in several]
    judged[name] = evaluation.evaluate_seeds(truth, p_test, groups, thresholds, n_resamples=200)


def as_text(e):
    return f"{e:.3f}, seeds {min(e.seeds):.3f}-{max(e.seeds):.3f}"


shown = {n: {m: as_text(j[m]) for m in ("roc_auc", "accuracy")} for n, j in judged.items()}
pd.DataFrame.from_dict(shown, orient="index")

# %% [markdown]
# The rows were judged on the same lesions, so their *differences* deserve intervals of their own: draw
# the test lesions anew, and take the difference of the mean AUCs each time.

# %%
differences = {}
for a, b in (
    ("last 20 layers", "head alone"),
    ("last 20 layers", "colour baseline"),
    ("head alone", "colour baseline"),
):
    p_a, p_b = ([p for _, p in answers[name]] for name in (a, b))
    difference = evaluation.difference(roc_auc_score, truth, p_a, p_b, groups, 300, SEED)
    differences[f"{a} minus {b}"] = difference
    print(f"{a} minus {b}: {difference:+.3f}")
gain = differences["last 20 layers minus head alone"]
ledger.outcome("04 gain in test AUC by fine-tuning", max(0, gain.value))

# %% [markdown]
# On real lesions, over {{ quote("04_training-28px", "seeds", "d") }} seeds:
#
# | | 28 px | 96 px |
# | --- | --- | --- |
# | head alone, AUC | {{ quote("04_training-28px", "over_seeds.head alone.roc_auc", ".3f") }} | {{ quote("04_training-96px", "over_seeds.head alone.roc_auc", ".3f") }} |
# | last 20 layers, AUC | {{ quote("04_training-28px", "over_seeds.last 20 layers.roc_auc", ".3f") }} | {{ quote("04_training-96px", "over_seeds.last 20 layers.roc_auc", ".3f") }} |
# | colour baseline, AUC | {{ quote("04_training-28px", "beside.colour baseline.roc_auc", ".3f") }} | {{ quote("04_training-96px", "beside.colour baseline.roc_auc", ".3f") }} |
# | fine-tuned minus head | {{ quote("04_training-28px", "differences.last 20 layers minus head alone", "+.3f") }} | {{ quote("04_training-96px", "differences.last 20 layers minus head alone", "+.3f") }} |
# | fine-tuned minus colours | {{ quote("04_training-28px", "differences.last 20 layers minus colour baseline", "+.3f") }} | {{ quote("04_training-96px", "differences.last 20 layers minus colour baseline", "+.3f") }} |
#
# An interval that holds zero means: no gain was shown. With 600 pictures and the last 20 layers,
# fine-tuning is not shown to be worth its while, and neither way is shown to beat the colour baseline
# on these 200 lesions. (Lesson 00 goes one step further: it keeps the head alone wherever no fine-tuned
# epoch beats it on validation.) A hint stands in the section before: with *all* layers free and the
# averages in order, validation looked better. That is one seed on the part that we choose by, so it is
# no result; lesson 06 follows it up with ten times the pictures.
#
# Two kinds of luck are in such a table. The *range over seeds* says how much a repetition of the
# training changes; the *interval* says how much other test lesions would. Here the second is the larger
# one, and no number of seeds makes it smaller.
#
# What this lesson found is kept beside the other results of your runs:

# %%
findings = {
    "weights": pretrained.describe(weights),
    "seeds": SEEDS,
    "timing": {
        "once_seconds": once,
        "plain_epoch_seconds": plain_epoch,
        "kept_epoch_seconds": kept_epoch,
        "share": kept_epoch / plain_epoch,
        "largest_difference_of_a_loss": largest_difference,
    },
    "best_epoch": {who: {k: float(v) for k, v in row.items()} for who, row in chosen.items()},
    "resuming": resuming,
    "rates": {"before": {"readable": readable["before"], "last": auc_of_head}}
    | {
        f"{rate:.0e}": {
            "readable": readable[rate],
            "best": max(h["val_auc"]),
            "last": h["val_auc"][-1],
            "training_auc": h["auc"][-1],
        }
        for rate, h in curves.items()
    },
    "over_seeds": {n: j for n, j in judged.items() if n in runs[0]},
    "beside": {n: j for n, j in judged.items() if n not in runs[0]},
    "differences": differences,
}
for name, history, both in (
    ("trap", trap, (fallen, mended)),
    ("quick", quick, (as_trained, up_to_date)),
):
    findings[name] = {"training_auc": history["auc"][-1]} | {
        what: found for what, found in zip(("as_trained", "up_to_date"), both, strict=True)
    }
parameters = dict(SIZE=SIZE, ALPHA=ALPHA, SEED=SEED, SEEDS=SEEDS)
parameters |= dict(EPOCHS=EPOCHS, FINE_TUNE_EPOCHS=FINE_TUNE_EPOCHS)
headline = ("AUC, fine-tuned minus head alone", gain)
name = f"04_training-{SIZE}px"
results.keep(name, lesions.source, lesions.table, parameters, findings, headline)
print("kept")

# %% [markdown]
# ## Key points
#
# - Frozen layers give the same features in every epoch: compute them once, and prove that the losses agree.
# - Loss, AUC and accuracy choose different epochs. Choose by what you need, on validation, and do not
#   report the validation number of the chosen epoch as a result.
# - A backup brings back weights, optimizer and epoch, not the state of the random numbers.
# - Head first, then the last layers with small steps. Large steps destroy in one epoch what cannot be
#   learned again from 600 pictures.
# - BatchNorm behaves differently in training and in prediction. Keep it frozen on small data, or give its
#   averages a momentum that fits the number of your steps.
# - A difference smaller than the range over seeds, or whose interval holds zero, was not shown.
#
# ## Can you still say it?
#
# Answer aloud before you open each answer.
#
# <details><summary>Why does training on kept features give the same losses as the plain way?</summary>
# The frozen layers give the same output each time, dropout comes after them, and the seed is the
# same.</details>
#
# <details><summary>Training AUC 0.99, validation AUC 0.5: name two causes, and how to tell them
# apart.</summary>
# Overfitting, or BatchNorm averages that lag behind. Bring the averages up to date by a pass in training
# mode without learning: if the validation AUC jumps, it was the second.</details>
#
# <details><summary>Why is the head trained before anything else is unfrozen?</summary>
# An untrained head sends large, meaningless gradients into layers that were good already.</details>
#
# <details><summary>Which random things does a resumed training do differently?</summary>
# The order of the pictures and the neurons that dropout silences.</details>
#
# ## What comes next
#
# The test part said something, with a wide interval. Lesson 05 is about what such a number can and
# cannot mean: thresholds, costs, rare disease, calibration.
#
# ## References
#
# - Keras guide: Transfer learning and fine-tuning (`trainable` against `training`, and BatchNorm).
# - Ioffe, Szegedy: Batch Normalization: Accelerating Deep Network Training by Reducing Internal
#   Covariate Shift. ICML 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
# - Wu, Johnson: Rethinking "Batch" in BatchNorm. 2021,
#   [arXiv:2105.07576](https://arxiv.org/abs/2105.07576). Averages brought up to date are its
#   *PreciseBN*.
# - Micikevicius et al.: Mixed Precision Training. ICLR 2018,
#   [arXiv:1710.03740](https://arxiv.org/abs/1710.03740).
# - Kirkpatrick et al.: Overcoming catastrophic forgetting in neural networks. PNAS 114(13):3521, 2017,
#   [doi:10.1073/pnas.1611835114](https://doi.org/10.1073/pnas.1611835114).
# - Picard: torch.manual_seed(3407) is all you need: on the influence of random seeds in deep learning
#   architectures for computer vision. 2021, [arXiv:2109.08203](https://arxiv.org/abs/2109.08203).
