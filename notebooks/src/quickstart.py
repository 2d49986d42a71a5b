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
# # {{ number }} · Quickstart: the whole project in one cell
#
# Can a network that learned cats and cars tell a melanoma from everything else? A public project
# promised {{ fact("80 %", "the original project's promise") }} accuracy and claimed
# {{ fact("85.2 %", "the original project's claim") }}. Is it true?
#
# **You will**
#
# - train a melanoma classifier with Keras;
# - compare it with two baselines;
# - ask it about your own image.
#
# **You need** a little Python. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true} tags=["classifier"]
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
from utils import data, evaluation, plots, predict
from utils import pretrained, settings, splits, training
from utils.baselines import baseline_probabilities
import keras
from keras import layers
from keras.applications import MobileNetV2
from keras.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau

dots = keras.callbacks.LambdaCallback(  # one dot an epoch, one line a stage
    on_epoch_end=lambda epoch, logs: print(".", end="", flush=True),
    on_train_end=lambda logs: print(" stage done"),
)

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
from utils import diagrams, exercises, ledger, results

_ = diagrams.transfer_learning()

# %% tags=["parameters", "classifier"]
SOURCE = "auto"  # or "folder", "kaggle", "synthetic"
SIZE = 28  # pixels a side
ALPHA = 0.35  # width of the network
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10

# %% [markdown]
# **Predict first.** Of 200 test images, 48 show a melanoma. Always saying "benign" is right for
# 152: accuracy {{ shown("0.76") }}. ("Benign" means *not melanoma*, which includes other skin
# cancers.) What will the network reach?

# %%
MY_ACCURACY = ...  # a number from 0 to 1

# %% [markdown]
# Each dot is one epoch. (On *synthetic* data your numbers differ.)

# %% tags=["classifier"]
# 1. Load 1,000 images of 1,000 lesions, already split: 600, 200, 200
lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train, validation, test = map(lesions.subset, splits.SUBSETS)

# 2. keras.applications.MobileNetV2 without its top, frozen, and a new head
keras.utils.set_random_seed(SEED)
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
base = MobileNetV2((96, 96, 3), ALPHA, include_top=False, weights=weights)
for layer in base.layers:
    layer.trainable = False
inputs = keras.Input((SIZE, SIZE, 3))
x = layers.Resizing(96, 96)(inputs)
x = layers.Rescaling(1 / 127.5, offset=-1)(x)  # pixels from -1 to 1
x = base(x)
x = layers.GlobalAveragePooling2D()(x)
x = layers.Dropout(0.3)(x)
x = layers.Dense(128, activation="relu")(x)
x = layers.Dropout(0.2)(x)
model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))

# 3. Train the head, then the last 20 layers with it, slowly
seen = (validation.images, validation.melanoma)
best = settings.scratch() / "best.keras"
callbacks = [
    training.ExactAUC(val_auc=seen),
    EarlyStopping("val_auc", patience=5, mode="max", restore_best_weights=True),
    ReduceLROnPlateau("val_auc", factor=0.5, patience=3, mode="max"),
    ModelCheckpoint(best, "val_auc", mode="max", save_best_only=True),
]
how = {"validation_data": seen, "callbacks": [*callbacks, dots], "verbose": 0}
model.compile("adam", "binary_crossentropy")
head = model.fit(train.images, train.melanoma, epochs=EPOCHS, **how)
for layer in base.layers[-20:]:  # all but BatchNorm: see fine_tuning
    layer.trainable = not isinstance(layer, layers.BatchNormalization)
model.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy")
top = model.fit(train.images, train.melanoma, epochs=FINE_TUNE_EPOCHS, **how)
model = keras.models.load_model(best)


# 4. Test once, beside two baselines; each threshold comes from validation
def judge(name, p_validation, p_test):
    t = evaluation.choose_threshold(validation.melanoma, p_validation)
    return evaluation.evaluate(name, test.melanoma, p_test, test.table.group, t)


p = model.predict(test.images, verbose=0)[:, 0]  # probability of melanoma
network = judge("MobileNetV2", model.predict(validation.images, verbose=0), p)
baselines = baseline_probabilities(train, validation, test)
others = [judge(name, *baselines[name]) for name in baselines]
table = evaluation.as_table([network, *others])
display(table.loc[["accuracy", "roc_auc", "sensitivity", "specificity"]])

# 5. Save the model, show curves and confusion matrix
facts = {"threshold": network.threshold, "source": lesions.source}
predict.save_model(model, facts)
curves = plots.training_curves([head.history, top.history], lesions.source)
matrix = plots.confusion(network, lesions.source)
# alt: Two panels of curves by epoch: loss in training and validation, and the AUC in validation. A dotted line separates the two stages.
# alt: Confusion matrix of the test set. Rows: truly benign, truly melanoma. Columns: what the model says.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
ledger.guess("accuracy of the network", MY_ACCURACY)
ledger.outcome("accuracy of the network", network.metrics["accuracy"])
name = f"quickstart-width{ALPHA}-{SIZE}px-seed{SEED}"
used = {"SIZE": SIZE, "ALPHA": ALPHA, "EPOCHS": EPOCHS}
used |= {"FINE_TUNE_EPOCHS": FINE_TUNE_EPOCHS}
made_from = pretrained.describe(weights)
_ = results.record(name, [network, *others], lesions, p, SEED, used, made_from)

# %% [markdown]
# ## Is the promise kept?
#
# The network is right for about {{ shown("0.79") }} of the test images, the *majority class*
# (always "benign") for {{ shown("0.76") }}, the *colour baseline* (it sees no shapes) for
# {{ shown("0.79") }}.
#
# **Sensitivity** is the share of melanomas found, **specificity** the share of other lesions left
# alone. In the matrix,
# {{ quote("quickstart-width0.35-28px-seed0", "models.MobileNetV2.confusion.1.0", "d") }} of 48
# melanomas are missed. The model says "melanoma" from a **threshold** on, chosen on validation
# images.
#
# **AUC** is the chance that a random melanoma gets a higher score than a random other lesion; 0.5 is
# guessing. Brackets are **95 % intervals**: how far another 200 images may move a number.

# %% [markdown]
# **Exercise quickstart.1** Is the network more accurate than the colour baseline, on the same images? Then
# turn the interval into images: how many of 200 does the network win, at worst and at best?
# (`exercises.hint("quickstart.1")` helps.)

# %% tags=["exercise"]
from sklearn.metrics import accuracy_score

ours = p >= network.threshold
colours = baselines["colour baseline"][1] >= others[0].threshold
gain = evaluation.difference(
    accuracy_score,
    test.melanoma,
    ours,
    colours,
    groups=test.table["group"],
)
print(f"Accuracy, network minus colour baseline: {gain:+.3f}")

verdict = ...  # "network", "colours" or "inconclusive"
at_worst = ...  # images; negative where the network loses some
at_best = ...
exercises.check("quickstart.1", (verdict, at_worst, at_best), gain=gain)

# %% tags=["solution"]
verdict = "inconclusive"
if gain.low > 0:
    verdict = "network"
if gain.high < 0:
    verdict = "colours"
at_worst = 200 * gain.low
at_best = 200 * gain.high
exercises.check("quickstart.1", (verdict, at_worst, at_best), gain=gain)

# %% [markdown]
# One test set is one throw of the dice. Over ten draws from HAM10000 the network averages
# {{ quote("ten_draws", "models.recipe, 28 px.accuracy", ".2f") }}, about the promised
# {{ fact("80 %", "the original project's promise") }}; single draws reach from
# {{ quote("ten_draws", "lowest.recipe, 28 px.accuracy", ".2f") }} to
# {{ quote("ten_draws", "highest.recipe, 28 px.accuracy", ".2f") }}, none
# {{ fact("85.2 %", "the original project's claim") }}. It gains
# {{ quote("ten_draws", "differences.recipe, 28 px minus colour baseline.accuracy", "+.3f") }} in
# accuracy over the colours. (Draws share lesions: these intervals are slightly narrow.)
#
# ## Ask the model

# %% tags=["pictures", "classifier"]
figure = plots.sample_predictions(test.images, test.melanoma, p, **facts)
# alt: Ten test images with the model's answer and the truth above each; wrong answers are marked.

# %% [markdown]
# Orange titles are wrong. For your own image, replace `test.images[0]` by its path, in quotes.

# %%
answer = predict.predict_skin_cancer(test.images[0], predict.trained())
print(answer, plots.DISCLAIMER, sep="\n")

# %% [markdown]
# `probability` is that of melanoma; `confidence` is that of the label. A photo of your keyboard gets
# one too.
#
# **Exercise quickstart.2** Write `new_head(units)`: the five layers of the head as a `keras.Sequential`,
# with `units` instead of 128.


# %% tags=["exercise"]
def new_head(units):
    return ...


exercises.check("quickstart.2", new_head)


# %% tags=["solution"]
def new_head(units):
    return keras.Sequential(
        [
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            layers.Dense(units, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


exercises.check("quickstart.2", new_head)

# %% [markdown]
# ## Key points
#
# - Transfer learning: reuse a body, train a head, adapt the last layers slowly.
# - An accuracy needs baselines beside it.
# - Compare two models on the same images. An interval that holds zero is inconclusive.
#
# ## Check yourself
#
# <details><summary>Why is an accuracy of {{ shown("0.76") }} worth nothing here?</summary>
# Always "benign" has it too, and finds no melanoma.</details>
#
# <details><summary>Why do the threshold and the best epoch come from validation?</summary>
# A set that was used for a choice can no longer judge it.</details>
#
# <details><summary>Is a lesion that the model calls "benign" harmless?</summary>
# No. "Benign" only means "not melanoma": basal-cell carcinomas are among the rest, and the model
# misses melanomas.</details>
#
# ## What comes next
#
# [{{ number_of("data") }} · Data]({{ notebook_of("data") }}) looks at what goes in.
#
# ## References
#
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161). Images: CC BY-NC 4.0.
# - Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks.
#   CVPR 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).

# %%
ledger.show()
