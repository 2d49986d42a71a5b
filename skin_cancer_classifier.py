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


# @title Setup: fetches the course where it is not there yet (nothing to change)
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
course = next((p for p in places if os.path.exists(p / "notebooks/src/_setup.py")), clone)
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

SOURCE = "auto"  # or "folder", "kaggle", "synthetic"
SIZE = 28  # pixels a side
ALPHA = 0.35  # width of the network
SEED = 0
EPOCHS = 25
FINE_TUNE_EPOCHS = 10

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

figure = plots.sample_predictions(test.images, test.melanoma, p, **facts)

if TERMINAL:
    import matplotlib.pyplot as plt
    from utils import settings

    folder = settings.make_folder(settings.runs())
    for number in plt.get_fignums():
        plt.figure(number).savefig(folder / f"skin_cancer_classifier-{number}.png")
    print(f"Figures: {folder / 'skin_cancer_classifier-*.png'}")
