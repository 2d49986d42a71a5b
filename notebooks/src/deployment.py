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
# # {{ number }} · Deployment: let others use it, and say its limits
#
# A model in a notebook helps nobody else. In this lesson it becomes a service that anybody can ask, and a
# file that is small enough for a phone. Both have to survive what people really send.

# %% [markdown]
# **You will**
#
# - build a service in a few lines of FastAPI, and break it;
# - check what comes in before you use it;
# - save and load models without running a stranger's code;
# - convert the model to LiteRT and measure what that changes;
# - know what a model card and a regulator ask.
#
# **You need** lessons {{ number_of("training") }} and {{ number_of("confidence") }}. **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: fetches the course where it is not there yet (nothing to change)
# {{ setup }}
import io
import pickle
import threading
import time

import httpx
import numpy as np
import pandas as pd
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image
from sklearn.metrics import roc_auc_score

from utils import data, diagrams, evaluation, exercises, ledger, lite
from utils import other_images, predict, results, serve, settings, splits
from utils.quiet import keras
import tensorflow as tf

# %% tags=["parameters"]
SOURCE = "auto"
SIZE = 28

# %% [markdown]
# ## From a function to a service

# %%
_ = diagrams.service()

# %% [markdown]
# A **service** is a program that waits for requests. A request comes over HTTP, as for a web page.
# FastAPI turns a function into a service: the decorator names the address, the types say what comes in.

# %%
app = FastAPI()


@app.post("/predict")
def answer(image: UploadFile):
    found = predict.predict_skin_cancer(Image.open(image.file))
    return {"decision": found.decision, "probability": found.probability}


# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
def start(app):
    """Run a service inside this notebook, for this machine alone. Returns its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    return f"http://127.0.0.1:{port}"


def ask(url, content):
    return httpx.post(
        f"{url}/predict", files={"image": ("image", content)}, timeout=60
    )


# %% [markdown]
# In a terminal you would write `uvicorn my_file:app`. Here the service runs inside the notebook, and
# a client asks it. The client sends a drawn lesion.

# %% tags=["pictures"]
# SYNTHETIC: a drawn lesion
small_url = start(app)
mole = serve.sample_png(3)
display(Image.open(io.BytesIO(mole)))
print("SYNTHETIC", ask(small_url, mole).json())
# alt: SYNTHETIC. A drawn brown lesion with a few hairs on pink skin.

# %% [markdown]
# It works. Now think of what people send. Guess: what is the status of the reply to a text file?
# (200 is fine, {{ shown("422") }} "I cannot use this", {{ shown("500") }} "the service failed".)

# %%
MY_STATUS = ...
ledger.guess("status of the reply to a text file", MY_STATUS)

# %%
reply = ask(small_url, b"this is a mole, believe me")
ledger.outcome("status of the reply to a text file", reply.status_code)
print(reply.status_code, reply.text)

# %% [markdown]
# 500: the program failed, and the client learns nothing. A large or broken file would do more
# harm: {{ fact("400", "a PNG of one colour") }} million pixels fit into a PNG of
# {{ fact("50", "a PNG of one colour") }} kB and need over a gigabyte of memory.
#
# **Exercise deployment.1** Write `checked(content)` for the bytes of a file. Return an RGB image. Raise `ValueError` with a
# sentence if there are more than 10 million bytes, if Pillow cannot open it, if it has more than
# 50 million pixels, or if it is cut off. Look at `image.size` *before* `image.load()`. Far too many
# pixels make `Image.open` itself raise `Image.DecompressionBombError`, which is no `OSError`.
# (`exercises.hint("deployment.1")` gives a hint.)


# %% tags=["exercise"]
def checked(content):
    return ...


exercises.check("deployment.1", checked)


# %% tags=["solution"]
def checked(content):
    if len(content) > 10_000_000:
        raise ValueError("The file is too large: send at most 10 MB.")
    try:
        image = Image.open(io.BytesIO(content))
        if image.width * image.height > 50_000_000:
            raise ValueError("The image has too many pixels.")
        image.load()
    except ValueError:
        raise
    except Exception:  # Pillow raises many kinds
        raise ValueError("This is no image that I can read.") from None
    return image.convert("RGB")


exercises.check("deployment.1", checked)

# %% [markdown]
# ## The service of the course
#
# `utils/serve.py` has such checks and more: a queue, a time limit for each upload, turned phone images
# (EXIF), transparent pixels. Nothing of an image is kept. Errors come with a sentence. It
# imports FastAPI as you did; read it when you like.

# %%
url = start(serve.app)
lesions = np.asarray(Image.open(io.BytesIO(mole)).resize((128, 128)))[None]
flower = io.BytesIO()
Image.fromarray(other_images.make("flower", lesions)[0]).save(flower, "PNG")
sent = {"text": b"a mole", "empty file": b"", "cut off": mole[:3000]}
sent |= {"11 MB": bytes(11_000_000), "flower": flower.getvalue()}

# %%
rows = {}
for name, content in sent.items():
    reply = ask(url, content)
    found = reply.json()
    rows[name] = [reply.status_code, found.get("detail", found.get("decision"))]
pd.set_option("display.max_colwidth", None)
pd.DataFrame.from_dict(rows, orient="index", columns=["status", "answer"])

# %% [markdown]
# Every reply says what to do. The flower is no error: it is an image, and the guard of lesson {{ number_of("confidence") }} refuses it.
#
# The service has a page, too. In a terminal: `python -m course serve`, then open
# `http://127.0.0.1:8000`. Under {{ quote("serving", "clients", "d") }} clients at once, on
# {{ quote("serving", "processors", "d") }} cores, it answered
# {{ quote("serving", "answers_a_second", ".0f") }} images a second; half of the answers took less
# than {{ quote("serving", "percentiles.p50", ".1f") }} s. The other requests were told to come
# again. It asks the model as a LiteRT file (below: "A file for a phone"). Through Keras, it
# answered {{ quote("serving", "keras.answers_a_second", ".0f") }} a second (`results/serving.json`).
#
# ## A file that runs code
#
# How do you send a model to somebody? Python's `pickle` is common. Look what a pickle can do:


# %%
class Surprise:
    def __reduce__(self):
        return print, ("This could have deleted your files.",)


pickle.loads(pickle.dumps(Surprise()))

# %% [markdown]
# Loading it ran a function that the sender chose. **Never load a pickle from a stranger.** A `.keras` file
# holds a description of layers, and numbers. But a `Lambda` layer hides code there as well:

# %%
inputs = keras.Input((3,))
hidden = keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs))
path = settings.scratch() / "stranger.keras"
hidden.save(path)
try:
    keras.models.load_model(path)
except ValueError as error:
    print(str(error)[:70], "...")

# %% [markdown]
# Keras refuses, because `safe_mode=True` is its default. Leave it so.
#
# ## A file for a phone
#
# **LiteRT** (once TensorFlow Lite) runs a model without Keras and without Python. We export the model that
# the course ships, and convert it.
#
# One trap: a layer such as `Resizing` can switch BatchNorm to *training* during an export. `load_model` of
# the course freezes all layers. Do the same with yours: `model.trainable = False`.

# %%
model, facts = predict.load_model()
folder = settings.scratch() / "exported"
model.export(folder, verbose=False)
converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
content = converter.convert()
print(f"{len(content) / 1e6:.1f} MB")

# %% [markdown]
# **Exercise deployment.2** Write `to_float16(folder)`: convert, but keep each weight in 16 bits instead of 32. Set
# `converter.optimizations = [tf.lite.Optimize.DEFAULT]` and
# `converter.target_spec.supported_types = [tf.float16]`. Return the bytes.


# %% tags=["exercise"]
def to_float16(folder):
    return ...


exercises.check("deployment.2", to_float16)


# %% tags=["solution"]
def to_float16(folder):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


exercises.check("deployment.2", to_float16)

# %% [markdown]
# How fast is it? Guess: how many times faster than `model.predict`, for one image?

# %%
MY_TIMES = ...
ledger.guess("times faster than model.predict", MY_TIMES)

# %% [markdown]
# **Exercise deployment.3** Write `median_ms(call, n)`: call the function `n` times, measure each call with
# `time.perf_counter()`, and return the median in milliseconds. Call it once before you measure: the first
# call often is slow.


# %% tags=["exercise"]
def median_ms(call, n):
    return ...


exercises.check("deployment.3", median_ms)


# %% tags=["solution"]
def median_ms(call, n):
    call()
    taken = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1000 * np.median(taken)


exercises.check("deployment.3", median_ms)


# %%
def milliseconds(call, n=20):
    call()
    taken = []
    for _ in range(n):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return 1000 * np.median(taken)


# %%
small_model = lite.Lite(content)  # LiteRT's interpreter, in one call
mini = data.load_lesions(SOURCE, SIZE, splits.mini)
test = mini.subset("test")
side = facts["source_size"]  # pixels that the model takes
x = np.asarray(keras.ops.image.resize(test.images, (side, side)))
one = x[:1]
keras_ms = milliseconds(lambda: model.predict(one, verbose=0))
lite_ms = milliseconds(lambda: small_model(one))
ledger.outcome("times faster than model.predict", keras_ms / lite_ms)
print(f"{keras_ms / lite_ms:.0f} times faster")

# %%
p_keras = model.predict(x, batch_size=8, verbose=0)[:, 0]
p_lite = small_model(x)
largest = np.abs(p_keras - p_lite).max()
print(f"largest difference of {len(test)} probabilities: {largest:.4f}")
change = evaluation.difference(
    roc_auc_score, test.melanoma, p_lite, p_keras, test.table["group"]
)

# %% [markdown]
# Faster, and the same answers. `model.predict` spends much of its time on preparing for many
# images: compiled by `tf.function`, Keras needs {{ quote("litert", "keras_ms.tf_function", ".0f") }} ms, LiteRT
# {{ quote("litert", "forms.float32.ms", ".0f") }}. On all 1,999 test images (`results/litert.json`):

# %%
rows = {}
for form, found in results.committed("litert")["forms"].items():
    auc = f"{found['auc_minus_keras']:+.3f}"
    rows[form] = [f"{found['megabytes']:.2f}", f"{found['ms']:.0f}", auc]
columns = ["MB", "ms an image", "AUC minus Keras's"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns)

# %% [markdown]
# With 16 bits the file has {{ quote("litert", "forms.float16.megabytes", ".2f") }} instead of
# {{ quote("litert", "forms.float32.megabytes", ".2f") }} MB, and the AUC changes by
# {{ quote("litert", "forms.float16.auc_minus_keras", "+.4f") }}:
# {{ verdict("litert", "forms.float16.auc_minus_keras", below="a clear loss") }}. With 8 bits
# (`int8`, for chips that know nothing else) it changes by
# {{ quote("litert", "forms.int8.auc_minus_keras", "+.3f") }}:
# {{ verdict("litert", "forms.int8.auc_minus_keras", below="a clear loss") }}. One probability
# moves by up to {{ quote("litert", "forms.int8.largest_difference", ".2f") }}. So choose new
# limits for such a model.

# %% [markdown]
# ## The card, and what a regulator asks
#
# A **model card** says what a model is for, on what it was tested, and where it fails: read
# `models/README.md`. Before anybody used it on patients, the law (in Europe the Medical Device
# Regulation and the AI Act, in the USA the FDA) would ask for:
#
# - an **intended use**: which people, which camera, who decides in the end;
# - **evidence** from the places where it will be used, not from one archive;
# - a **risk analysis**: what does a missed melanoma do?
# - **monitoring**: drift, complaints, and a way to take the model back;
# - **data protection**: who sees the images, and for how long.
#
# Our model has none of these. It stays a lesson.

# %% cellView="form" jupyter={"source_hidden": true} tags=["folded"]
name = f"deployment-{SIZE}px"
times = dict(keras_ms=float(keras_ms), lite_ms=float(lite_ms))
found = times | {"largest_difference": float(largest)}
first = ("AUC, LiteRT minus Keras", change)
_ = results.keep(name, mini.source, mini.table, dict(SIZE=SIZE), found, first)

# %% [markdown]
# ## Key points
#
# - A service must expect every file. Check the size first, then the pixels, then decode.
# - A reply says what is wrong and what to do. It never shows a number for what it does not know.
# - Loading a pickle runs code. A `.keras` file with `safe_mode` does not.
# - LiteRT answers for one image in {{ quote("litert", "forms.float32.ms", ".0f") }} ms. Check its
#   answers on the test set.
# - The limits belong to the answer: threshold, referral, refusal, and the card.
#
# ## Check yourself
#
# <details><summary>Why is {{ shown("500") }} a bad answer to a text file?</summary>
# It says that the service is broken. The client's file is: {{ shown("422") }}, with a sentence.</details>
#
# <details><summary>You freeze a model after training, export it, and its answers differ. What do you check
# first?</summary>
# Whether BatchNorm was exported in training mode, and whether the input is scaled twice.</details>
#
# <details><summary>A friend asks your service about a mole. What do you say?</summary>
# That it is a lesson, and that a doctor should look at the mole.</details>
#
# ## What comes next
#
# You have finished the course. Look at your guesses below: were you too sure, or not sure enough?
# Lesson {{ number_of("quickstart") }} is the whole project in one cell. Does it read differently now?
#
# ## References
#
# - [FastAPI](https://fastapi.tiangolo.com) and [LiteRT](https://ai.google.dev/edge/litert).
# - Mitchell et al.: Model Cards for Model Reporting, [arXiv:1810.03993](https://arxiv.org/abs/1810.03993).
# - Problem details for HTTP: [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).

# %%
ledger.show()
