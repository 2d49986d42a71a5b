"""A melanoma classifier by transfer learning: all of the lesson quickstart in one file.

Run it in a terminal (`python skin_cancer_classifier.py`), or paste it into an empty Colab cell.
For education only: not a medical device. `python -m course notebooks` writes this file from
notebooks/src/quickstart.py: change that one."""

import os
import sys

TERMINAL = "ipykernel" not in sys.modules
if TERMINAL:  # tables are printed, figures are saved at the end
    os.environ.setdefault("MPLBACKEND", "agg")

    def display(table):
        print(table.to_string())


# @title Setup: run this cell first (nothing to change in it)
import glob
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY, RELEASE = "https://github.com/yourusername/skin-cancer-detection", "v1.0.0"
needs = {"tensorflow": "tensorflow", "sklearn": "scikit-learn", "kagglehub": "kagglehub"}
missing = [package for name, package in needs.items() if not importlib.util.find_spec(name)]
if missing and not importlib.util.find_spec("pip"):
    raise RuntimeError(f"There is no pip here: run `uv pip install {' '.join(missing)}` first.")
if missing and subprocess.call([sys.executable, "-m", "pip", "install", "-q", *missing]):
    raise RuntimeError(f"{', '.join(missing)} could not be installed: is there network?")
clone = Path.cwd() / Path(REPOSITORY).name
places = [*clone.parents, clone, *map(Path, sys.path)]
course = next((p for p in places if os.path.exists(p / "notebooks/src/_setup.py")), None)
inputs = glob.iglob("/kaggle/input/**/notebooks/src/_setup.py", recursive=True)
course = course or next((Path(p).parents[2] for p in inputs), clone)
if course.is_relative_to("/kaggle/input"):  # which cannot be written
    os.environ.setdefault("COURSE_WORK_DIR", "/kaggle/working")
if not (course / "utils").exists():  # as in Colab
    if not shutil.which("git"):
        raise RuntimeError(f"git is missing: install it, or work in a copy of {REPOSITORY}.")
    if clone.exists():
        raise RuntimeError(f"{clone} is there, but not whole: delete it, then run this cell again.")
    fetch = ["git", "-c", "advice.detachedHead=false", "clone", "-q", "--depth=1"]
    seek = ["git", "ls-remote", "--exit-code", REPOSITORY, f"refs/tags/{RELEASE}"]
    tag = RELEASE
    if subprocess.call(seek, stdout=subprocess.DEVNULL) == 2:  # without network it is 128
        tag = "main"
        print(f"There is no release {RELEASE} of the course yet: {tag} is fetched instead.")
    if subprocess.call([*fetch, f"--branch={tag}", REPOSITORY, clone]):
        raise RuntimeError(f"{REPOSITORY} could not be fetched into {clone}: is there network?")
if f'\nversion = "{RELEASE[1:]}"' not in (course / "pyproject.toml").read_text("utf-8"):
    print(
        f"This notebook belongs to {RELEASE} of the course, {course} is another release: if a cell "
        "fails, press the badge, or move this copy away and run `make lab`, for the lesson afresh."
    )
sys.path.insert(0, str(course))
if not str(getattr(sys.modules.get("utils"), "__file__", course)).startswith(str(course)):
    for name in [name for name in sys.modules if name.split(".")[0] == "utils"]:
        del sys.modules[name]  # another project's
if "ipykernel" in sys.modules:  # figures belong below their cell, whatever was set before
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
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

SOURCE = "auto"  # or "folder", "kaggle", "synthetic"
SIZE = 28  # pixels a side
ALPHA = 0.35  # width of the network
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10

lesions = data.load_lesions(SOURCE, SIZE, splits.mini)
train = lesions.subset("train")
validation = lesions.subset("validation")
test = lesions.subset("test")
x, y = train.images, train.melanoma
val = (validation.images, validation.melanoma)

keras.utils.set_random_seed(SEED)
weights = pretrained.mobilenet_v2(ALPHA, 96, lesions.source)
base = MobileNetV2((96, 96, 3), ALPHA, include_top=False, weights=weights)
base.trainable = False

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

auc = keras.metrics.AUC(name="auc")
stop = EarlyStopping("val_auc", patience=3, restore_best_weights=True)
model.compile("adam", "binary_crossentropy", metrics=["accuracy", auc])
first = model.fit(
    x, y, epochs=EPOCHS, validation_data=val, callbacks=[stop, dots], verbose=0
)

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

curves = pd.DataFrame(first.history)
curves = pd.concat([curves, pd.DataFrame(second.history)], ignore_index=True)
ax = curves[["auc", "val_auc"]].plot(xlabel="epoch", ylabel="AUC")
ax.axvline(len(first.epoch) - 0.5, color="black", linestyle=":")
_ = ax.set_title("Training improves, validation does not (dotted: second fit)")

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

facts = {"threshold": judged[0].threshold, "source": lesions.source}
predict.save_model(model, facts)
image = settings.SAMPLES["samples"] / "ISIC_0000156.jpg"  # B
answer = predict.predict_skin_cancer(image, predict.trained())
print(answer, plots.title(plots.DISCLAIMER, lesions.source), sep="\n")

if TERMINAL:
    import matplotlib.pyplot as plt
    from utils import settings

    folder = settings.make_folder(settings.runs())
    for number in plt.get_fignums():
        plt.figure(number).savefig(folder / f"skin_cancer_classifier-{number}.png")
    print(f"Figures: {folder / 'skin_cancer_classifier-*.png'}")
