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
# # 00 · Quickstart: the whole project in one cell
#
# Can a small network that learned to tell cats from cars tell a melanoma from a harmless mole?
# The next code cell is a whole project: pictures, a split without leaks, MobileNetV2, two
# stages of training, a test with intervals, and predictions. Run it first and wonder afterwards:
# the other lessons take it apart, line by line.
#
# **You will be able to**
#
# - train and test a melanoma classifier by transfer learning, from raw pictures to a saved model;
# - read its test figures beside two baselines, and say what an interval of 95 % means;
# - ask the model about a picture of your own, and know why you must not trust the answer.
#
# **You need** a little Python; nothing has to be installed in Colab.
# **Time**: 10 minutes to read, 1 minute to run on a CPU (2 cores); a free T4 GPU will not be much
# faster (an estimate, not measured), since the frozen layers are computed once.
#
# {{ disclaimer }}

# %% [markdown]
# What you may change. `SOURCE="auto"` takes a folder of HAM10000 pictures if you have one, else
# fetches a table of small pictures from Kaggle (no login), else draws synthetic lesions, and says
# which it was. `SIZE` is the side of a picture in pixels; Kaggle's table has 28.

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28
ALPHA = 0.35
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10

# %% [markdown]
# **Predict first.** 24 of 100 pictures here show a melanoma, so whoever always says "benign" is
# right 76 times of 100. The project from which this course grew claimed 85. What will the next cell
# reach on its 200 test pictures? Replace the dots by your own number between 0 and 1. Lesson 05
# draws all your predictions beside what came out; nobody else sees them.

# %%
MY_ACCURACY = ...

# %% [markdown]
# Now run it, and read on while the lines of training go by: the paragraphs below say what they are.

# %%
# The whole project. Pasted alone into an empty notebook, it fetches the course first.
try:
    SOURCE, SIZE, ALPHA, SEED, EPOCHS, FINE_TUNE_EPOCHS  # set in the cell above?
except NameError:
    SOURCE, SIZE, ALPHA, SEED, EPOCHS, FINE_TUNE_EPOCHS = "auto", 28, 0.35, 0, 25, 10
# {{ setup }}
from utils import backbone, data, evaluation, plots, predict
from utils import pretrained, results, settings, splits, training
import keras

# 1. Data: one image of each of 1,000 lesions; no lesion is in two subsets
lesions = data.load_lesions(SOURCE, size=SIZE, select=splits.mini)
train, validation, test = (lesions.subset(name) for name in splits.SUBSETS)
print(splits.leakage(lesions.table)[["images", "melanoma_share", "shared_lesions"]])

# 2. Model: MobileNetV2 as it comes from ImageNet, and a new head that answers one question
keras.utils.set_random_seed(SEED)
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
base = backbone.mobilenet_v2(ALPHA, source_size=SIZE, size=96, weights=weights)
print("Weights:", pretrained.describe(weights))
x = keras.layers.GlobalAveragePooling2D(name="pooled")(base.output)
x = keras.layers.Dropout(0.3)(x)
x = keras.layers.Dense(128, activation="relu")(x)
x = keras.layers.Dropout(0.2)(x)
model = keras.Model(base.input, keras.layers.Dense(1, activation="sigmoid")(x))

# 3. Training: layers that stay frozen are run once and their output is kept; the rest is trained
top = backbone.cut(model, "block_14_add")[1]  # the last 20 layers and the head
prefix, middle, head = backbone.cut(model, "block_14_add", "pooled")  # the head alone
features = [prefix.predict(part.images, verbose=0) for part in (train, validation, test)]
pooled = [middle.predict(f, verbose=0) for f in features]
checkpoint, histories, best = settings.scratch() / "checkpoint.weights.h5", [], 0.0
for piece, (x, x_validation, _), n_layers, learning_rate, epochs in (
    (head, pooled, 0, 1e-3, EPOCHS),  # stage 1: the head alone
    (top, features, 20, 1e-4, FINE_TUNE_EPOCHS),  # stage 2: the last 20 layers with it
):
    backbone.unfreeze_top(base, n_layers)  # BatchNorm stays frozen
    adam = keras.optimizers.Adam(learning_rate)
    piece.compile(optimizer=adam, loss="binary_crossentropy", metrics=["accuracy"])
    adam.build(piece.trainable_variables)  # its state is saved too
    piece.save_weights(checkpoint)  # stays if no epoch is better
    judge = (x_validation, validation.melanoma)
    # Measure the AUC; by that of validation stop early, slow down, and keep the best epoch.
    kept = training.callbacks(checkpoint, best, auc=(x, train.melanoma), val_auc=judge)
    how = dict(validation_data=judge, batch_size=32, epochs=epochs, callbacks=kept, verbose=2)
    histories.append(piece.fit(x, train.melanoma, **how).history)
    piece.load_weights(checkpoint)  # the epoch with the best validation AUC
    best = max([best, *histories[-1].get("val_auc", [])])

# 4. Test: thresholds from validation, then the test set once, two baselines beside the model
answers = {"MobileNetV2": [top.predict(f, verbose=0)[:, 0] for f in features[1:]]}
answers |= evaluation.baselines(train, validation, test)
judged = []
for who, (p_validation, p_test) in answers.items():
    threshold = evaluation.choose_threshold(validation.melanoma, p_validation)
    judged += [evaluation.evaluate(who, test.melanoma, p_test, test.table["group"], threshold)]
print(evaluation.as_table(judged).to_string())

# 5. Keep and show: a model that takes raw pixels, the numbers as JSON, figures, sample predictions
p, threshold, source = answers["MobileNetV2"][1], judged[0].threshold, lesions.source
parameters = dict(SIZE=SIZE, ALPHA=ALPHA, EPOCHS=EPOCHS, FINE_TUNE_EPOCHS=FINE_TUNE_EPOCHS)
name = f"00_quickstart-width{ALPHA}-{SIZE}px-seed{SEED}"
results.record(name, judged, lesions, p, SEED, parameters, pretrained.describe(weights))
predict.save_model(model, {"threshold": threshold, "source": source})
curves = {who: p_test for who, (_, p_test) in answers.items()}
results.save_figure(plots.training_curves(histories, source), f"{name}-training")
results.save_figure(plots.confusion(judged[0], source), f"{name}-confusion")
results.save_figure(plots.roc_and_precision_recall(test.melanoma, curves, source), f"{name}-curves")
figure = plots.sample_predictions(test.images, test.melanoma, p, threshold, source)

# %%
from utils import exercises, ledger

ledger.guess("00 accuracy of the quickstart", MY_ACCURACY)
ledger.outcome("00 accuracy of the quickstart", judged[0].metrics["accuracy"])

# %% [markdown]
# **What we saw.** Read the last table column by column. *Majority class* looks at no image, and
# still has the accuracy of the benign share: accuracy alone proves nothing. *Colour baseline*
# is a small tree model that knows nine numbers on how light, how red and how even an image is. *MobileNetV2*
# has to stand clear of both before all its layers are worth anything, and with
# 200 test pictures its interval is wide. Where the brackets of two columns overlap as much as the
# numbers differ, nothing was shown.
#
# The figures, from the top: loss and AUC by epoch, training against validation (when the lines
# part, the model has begun to learn its 600 pictures by heart); the confusion matrix of the test
# set (bottom left are the missed melanomas); ROC and precision-recall curves of all three
# (the further up, the better; the majority class is the straight line); ten test images with
# what the model says and what is true.
#
# On real lesions (HAM10k-Mini, pictures of 28 px, mean of five trainings, 95 % interval by lesion)
# this recipe has an accuracy of {{ quote("00_quickstart-width0.35-28px", "over_seeds.accuracy") }} and a ROC
# AUC of {{ quote("00_quickstart-width0.35-28px", "over_seeds.roc_auc") }}. The colour baseline has
# {{ quote("00_quickstart-width0.35-28px", "beside.colour baseline.metrics.accuracy") }} and
# {{ quote("00_quickstart-width0.35-28px", "beside.colour baseline.metrics.roc_auc") }}, the majority class
# {{ quote("00_quickstart-width0.35-28px", "beside.majority class.metrics.accuracy") }} and an AUC of one half.
# **These 200 test images do not show that the deep model beats the colour baseline**, and the 85 %
# that the original project claimed lie outside its interval. (Lesson 05 asks again with ten times as
# many test pictures.) That is not where the story ends but where the course begins:
# what the data can give (01), how a split deceives (02), what the network does (03), how to train
# it deeper (04), and how to judge it (05).

# %% [markdown]
# ## Ask it about a picture of your own
#
# Put the path of a JPEG or PNG between the quotes (in Colab, first upload it in the Files pane on
# the left). Left empty, the cell asks about a test lesson's picture instead. A close-up in even
# light, the mole in the middle, is nearest to what the model was trained on; a photograph from a
# telephone is not, and the answer is worth even less then.

# %%
MY_IMAGE = ""

label, confidence = predict.predict_skin_cancer(MY_IMAGE or test.images[0], predict.trained())
what = MY_IMAGE or f"the test image {test.table['image_id'][0]} (truth: {test.table['dx'][0]})"
print(f"{what}: {label}, confidence {confidence:.2f}")
print(f"Trained on {source} lesions. {plots.DISCLAIMER}")

# %% [markdown]
# `confidence` is the model's own number, and nobody has checked yet that "0.90" is right nine times
# of ten: lesson 05 does. Ask it about a photograph of your keyboard: it will answer just as firmly.
#
# ## Exercises
#
# Each cell below has a blank `...`: replace it, run the cell, and it tells you at once whether you
# are right, or what to think of. The solution is folded up beneath each one.
#
# **00.1** Of 1,000 pictures 240 show a melanoma. What accuracy has a program that always answers
# "benign"?

# %% tags=["exercise", "nbval-check-output"]
accuracy = ...

exercises.check("00.1", accuracy, melanomas=240, images=1000)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution", "nbval-check-output"]
# @title Solution of 00.1: click to open
accuracy = 1 - 240 / 1000  # right for every benign picture, wrong for every melanoma

exercises.solution("00.1", accuracy, melanomas=240, images=1000)

# %% [markdown]
# **00.2** Here is a confusion matrix as the figure above draws it: the rows are the truth (benign,
# then melanoma), the columns what the model says. What is its *sensitivity*, the share of the
# melanomas that it finds?

# %% tags=["exercise", "nbval-check-output"]
confusion = [[130, 22], [20, 28]]
sensitivity = ...

exercises.check("00.2", sensitivity, confusion=confusion)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution", "nbval-check-output"]
# @title Solution of 00.2: click to open
sensitivity = 28 / (20 + 28)  # the row of true melanomas: found, divided by all of them

exercises.solution("00.2", sensitivity, confusion=confusion)

# %% [markdown]
# **00.3** One model has a ROC AUC of 0.80 [0.73, 0.86], another, on the same pictures,
# 0.82 [0.75, 0.88]. Which is better: `"MobileNetV2"` (the first), `"colours"` (the second) or
# `"neither"`, as far as these numbers show?

# %% tags=["exercise", "nbval-check-output"]
better = ...

exercises.check("00.3", better)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution", "nbval-check-output"]
# @title Solution of 00.3: click to open
better = "neither"  # the difference of 0.02 is small beside intervals that are 0.13 wide

exercises.solution("00.3", better)

# %% [markdown]
# ## Key points
#
# - Transfer learning: layers trained on millions of everyday pictures are kept, a new head answers
#   the new question, then the last layers are adapted slowly.
# - Frozen layers give the same output for a picture in every epoch, so they are run once.
# - No lesion is in two parts of the split; thresholds and the best epoch come from validation; the
#   test set is opened once.
# - A result is a number, its interval, and what a baseline reaches on the same images.
#
# ## Can you still say it?
#
# Answer aloud before you open each answer.
#
# <details><summary>Which two baselines stand beside the deep model, and why both?</summary>
# The majority class shows what the mix of the test set gives away for nothing; the colour baseline
# shows what can be had without looking at shapes.</details>
#
# <details><summary>Why are the frozen layers run only once?</summary>
# Their weights do not change, so their output for a picture is the same in every epoch.</details>
#
# <details><summary>From which part come the threshold and the best epoch, and why not from the
# test part?</summary>
# From validation. What has been used for a choice can no longer judge it.</details>
#
# ## What comes next
#
# Lesson 01 looks at what goes in: where the pictures come from, what the table beside them says,
# and how far one gets with nine numbers of colour.
#
# ## References
#
# - Tschandl, Rosendahl, Kittler: The HAM10000 dataset, a large collection of multi-source
#   dermatoscopic images of common pigmented skin lesions. Scientific Data 5:180161, 2018,
#   [doi:10.1038/sdata.2018.161](https://doi.org/10.1038/sdata.2018.161). The pictures are licensed
#   CC BY-NC 4.0.
# - Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks.
#   CVPR 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).
