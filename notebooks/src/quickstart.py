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
# # {{ number }} · Can a network tell melanoma from everything else?
#
# A melanoma found early can be cut out; one found late can kill. A public project
# promised a network that is right in {{ fact("80 %", "the original project's promise") }} of all cases. Is that
# good?

# %% [markdown]
# **You will**
#
# - train a network with Keras;
# - compare it with two baselines;
# - ask it about your own image.
#
# **New words**: base, head, early stopping, AUC, baseline, threshold
#
# **You need** a little Python. **Time: {{ minutes }} minutes**. [All in one cell]({{ notebook_of("one_cell") }})
#
# Outputs and numbers below are ours; yours may differ.
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true} tags=["classifier"]
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
from utils import data, plots, predict, pretrained, settings, splits
from utils.baselines import baseline_probabilities
from utils.evaluation import as_table, choose_threshold, evaluate
import keras
import pandas as pd
from keras import layers
from keras.applications import MobileNetV2
from keras.callbacks import EarlyStopping
from keras.optimizers import Adam

dots = keras.callbacks.LambdaCallback(  # one dot an epoch, one line a stage
    on_epoch_end=lambda epoch, logs: print(".", end="", flush=True),
    on_train_end=lambda logs: print(" stage done"),
)

# %% tags=["parameters", "classifier"]
SOURCE = "auto"  # or "folder", "kaggle", "synthetic"
SIZE = 28  # pixels a side
ALPHA = 0.35  # width of the network
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10

# %% tags=["samples"]
ten = data.load_set("samples", 128).take([51, 8, 45, 19, 23, 57, 48, 2, 5, 46])
_ = plots.gallery(ten.images, "ABCDEFGHIJ", "Five are melanomas. Which?")
# alt: Ten close-up photographs of brown spots on skin, A to J. Some are dark with ragged edges, some small and even. Melanomas are among both kinds.

# %% [markdown]
# <details><summary>Answer</summary>B, C, E, G and I.</details>
#
# **Predict** the network's accuracy on 200 test images. Always saying "benign" is right for 152:
# {{ shown("0.76") }}. ("Benign" means *not melanoma*: other skin cancers are among it.)

# %%
MY_ACCURACY = ...  # a number from 0 to 1

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
from utils import diagrams, exercises, ledger, results

ledger.guess("accuracy of the network", MY_ACCURACY)
_ = diagrams.transfer_learning()

# %% [markdown]
# ## Four steps
#
# **1. Load** 1,000 images of 1,000 lesions: 600 to train, 200 to choose (validation), 200 to judge
# (test).

# %% tags=["classifier"]
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
test = lesions.subset("test")
x, y = train.images, train.melanoma
val = (validation.images, validation.melanoma)

# %% [markdown]
# **2. Base and head.** The **base** is MobileNetV2 without its last layer, trained on photographs of a
# thousand things. We *freeze* it: training leaves its weights as they are. So the new layers,
# still random, cannot damage it.

# %% tags=["classifier"]
keras.utils.set_random_seed(SEED)
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
base = MobileNetV2((96, 96, 3), ALPHA, include_top=False, weights=weights)
base.trainable = False

# %% [markdown]
# The **head** makes one number from the base's output. *Dropout* sets a random share of its inputs to
# 0 in training. That should reduce memorising. The *sigmoid* maps any number to one between 0
# and 1, read as the probability of melanoma.

# %% tags=["classifier"]
model = keras.Sequential(
    [
        keras.Input((SIZE, SIZE, 3)),
        layers.Resizing(96, 96),
        layers.Rescaling(1 / 127.5, offset=-1),  # pixels from -1 to 1
        base,
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.3),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(1, activation="sigmoid"),
    ]
)

# %% [markdown]
# **Exercise quickstart.1** Build `small`: the same without dropout, and with one `Dense` layer. How
# many numbers can its training change? (`exercises.hint("quickstart.1")` helps.)

# %% tags=["exercise"]
small = ...
trainable = ...  # see small.summary()
exercises.check("quickstart.1", (small, trainable))

# %% tags=["solution"]
small = keras.Sequential(
    [
        keras.Input((SIZE, SIZE, 3)),
        layers.Resizing(96, 96),
        layers.Rescaling(1 / 127.5, offset=-1),
        base,
        layers.GlobalAveragePooling2D(),
        layers.Dense(1, activation="sigmoid"),
    ]
)
trainable = 1281
exercises.check("quickstart.1", (small, trainable))

# %% [markdown]
# **3. Train twice.** `fit` lowers the *cross-entropy*. It is large where the truth got a low
# probability. The **AUC** is the chance that a random melanoma gets a higher score than a random other
# lesion; 0.5 is guessing. **Early stopping** ends a training when the validation AUC has not grown for
# three epochs. It restores the best epoch's weights.

# %% tags=["classifier"]
auc = keras.metrics.AUC(name="auc")
stop = EarlyStopping("val_auc", patience=3, restore_best_weights=True)
model.compile("adam", "binary_crossentropy", metrics=["accuracy", auc])
first = model.fit(
    x, y, epochs=EPOCHS, validation_data=val, callbacks=[stop, dots], verbose=0
)

# %% [markdown]
# Now the base's last 20 layers are trainable too, at a tenth of the learning rate. (Not BatchNorm: a
# later lesson shows why.)

# %% tags=["classifier"]
for layer in base.layers[-20:]:
    layer.trainable = not isinstance(layer, layers.BatchNormalization)
model.compile(Adam(1e-4), "binary_crossentropy", metrics=["accuracy", auc])
second = model.fit(
    x,
    y,
    epochs=FINE_TUNE_EPOCHS,
    validation_data=val,
    callbacks=[stop, dots],
    verbose=0,
)

# %% tags=["classifier"]
curves = pd.DataFrame(first.history)
curves = pd.concat([curves, pd.DataFrame(second.history)], ignore_index=True)
ax = curves[["auc", "val_auc"]].plot(xlabel="epoch", ylabel="AUC")
ax.axvline(len(first.epoch) - 0.5, color="black", linestyle=":")
_ = ax.set_title("Training improves, validation does not (dotted: second fit)")
# alt: AUC by epoch. In training it climbs far, with a dip where a dotted line marks the second fit. In validation it stays nearly level and ends lower.

# %% [markdown]
# Training AUC climbs, validation AUC does not: the network *overfits*.
#
# **4. Judge.** A **baseline** is what a network has to beat: the majority class (always "benign"), and a
# model that sees colours, no shapes. Each says "melanoma" from a **threshold** on, chosen on
# validation images for the best accuracy.

# %% tags=["classifier"]
p_validation = model.predict(validation.images, verbose=0)[:, 0]
p = model.predict(test.images, verbose=0)[:, 0]  # probability of melanoma
answers = {"MobileNetV2": [p_validation, p]}
answers |= baseline_probabilities(train, validation, test)
judged = []
for name, (on_validation, on_test) in answers.items():
    best = choose_threshold(validation.melanoma, on_validation)
    one = evaluate(name, test.melanoma, on_test, test.table["group"], best)
    judged.append(one)
display(as_table(judged).loc[["accuracy", "roc_auc", "sensitivity"]])

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
accuracy = judged[0].metrics["accuracy"]
ledger.outcome("accuracy of the network", accuracy, lesions.source)
name = f"quickstart-width{ALPHA}-{SIZE}px-seed{SEED}"
used = {"SIZE": SIZE, "ALPHA": ALPHA, "EPOCHS": EPOCHS}
used |= {"FINE_TUNE_EPOCHS": FINE_TUNE_EPOCHS}
made_from = pretrained.describe(weights)
_ = results.record(name, judged, lesions, p, SEED, used, made_from)

# %% [markdown]
# Brackets are **95 % intervals**: the score on very many such images probably lies in there. 200 images
# are too few to rank these. On 1,999 test images the AUC of one such training, on the same 600, is
# {{ quote("full_test", "28 px.network minus colours", "+.2f") }} above the colours':
# {{ verdict("full_test", "28 px.network minus colours", below=None, zero=None) }}.

# %% [markdown]
# *Sensitivity* is the share of melanomas found;
# {{ quote("quickstart-width0.35-28px-seed0", "models.MobileNetV2.confusion.1.0", "d") }} of 48 are missed. A lower
# threshold misses fewer, with more false alarms.
#
# This course chose nothing on these 200 images. Nor should you.
#
# **Exercise quickstart.2** How many images of each diagnosis (`dx`) are false alarms: other lesions called
# melanoma? Use pandas.

# %% tags=["exercise"]
called = p >= judged[0].threshold
alarms = ...
exercises.check("quickstart.2", alarms, table=test.table, called=called)

# %% tags=["solution"]
wrong = called & (test.table["dx"] != "mel")
alarms = test.table.loc[wrong, "dx"].value_counts()
exercises.check("quickstart.2", alarms, table=test.table, called=called)

# %% [markdown]
# ## What does it say of your own image?
#
# Replace the path.

# %% tags=["classifier"]
facts = {"threshold": judged[0].threshold, "source": lesions.source}
predict.save_model(model, facts)
image = settings.SAMPLES["samples"] / "ISIC_0000156.jpg"  # B
answer = predict.predict_skin_cancer(image, predict.trained())
print(answer, plots.title(plots.DISCLAIMER, lesions.source), sep="\n")

# %% [markdown]
# `confidence` is the label's probability. A keyboard gets one too.
#
# So a network tells melanoma from everything else, and misses many. Over ten such draws its mean accuracy is
# {{ quote("ten_draws", "differences.recipe, 28 px minus colour baseline.accuracy", "+.2f") }} above the colours';
# this draw alone cannot show it.
#
# ## Key points
#
# - Transfer learning: reuse a base, train a head, adapt the last layers slowly.
# - An accuracy needs baselines beside it.
# - 200 images give wide intervals.
#
# ## Check yourself
#
# <details><summary>Why is an accuracy of {{ shown("0.76") }} worth nothing here?</summary>
# Always "benign" has it too, and finds no melanoma.</details>
#
# <details><summary>Why do the threshold and the best epoch come from validation images?</summary>
# A set that was used for a choice can no longer judge it.</details>
#
# <details><summary>Is a lesion that the model calls "benign" harmless?</summary>
# No. "Benign" only means "not melanoma": basal-cell carcinomas are among the rest, and the model
# misses melanomas.</details>
#
# ## What comes next
#
# [{{ number_of("data") }} · Data]({{ notebook_of("data") }}) looks at what went in.
#
# ## References
#
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161). Images: CC BY-NC 4.0.
# - Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks.
#   CVPR 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).
# - The ten images: ISIC 2016 challenge, CC0. [Where from](https://github.com/{{ repository }}/tree/{{ branch }}/data/samples)
# - Keras: [Transfer learning & fine-tuning](https://keras.io/guides/transfer_learning/).

# %%
exercises.progress()

# %%
ledger.show()
