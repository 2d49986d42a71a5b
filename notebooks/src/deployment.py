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
# # {{ number }} · Deployment: how do others use it?
#
# A model in a notebook helps nobody else. Others need a service that they can ask, or a file for their
# phone. And people send more than lesions: text files, broken images, flowers.

# %% [markdown]
# **You will**
#
# - build a service in about twenty lines of FastAPI, and break it;
# - make it answer every bad file with a sentence;
# - convert the model to a small file for phones, and measure what that changes.
#
# **New words**: service, status, LiteRT, intended purpose
#
# **You need** lessons {{ number_of("evaluation") }} and {{ number_of("not_a_lesion") }}.
# **Time: {{ minutes }} minutes**
#
# {{ disclaimer }}

# %% cellView="form" jupyter={"source_hidden": true}
# @title Setup: run this cell first (nothing to change in it)
# {{ setup }}
import io
import warnings

import pandas as pd
from fastapi import FastAPI, HTTPException, UploadFile
from PIL import Image

warnings.filterwarnings("ignore", "Using `httpx`")
from fastapi.testclient import TestClient

from utils import data, diagrams, exercises, ledger
from utils import other_images, predict, results, serve, settings
import tensorflow as tf

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:  # the copy inside TensorFlow
    Interpreter = tf.lite.Interpreter

# %% tags=["parameters"]
LARGEST = 10_000_000
PIXELS = 50_000_000

# %% [markdown]
# **Do you remember?**
#
# <details><summary>Lesson {{ number_of("elsewhere") }}: your model does well on the test set. Another clinic wants
# to use it. What do you tell them?</summary>
# That your score does not tell the score on their images. They need a test of their own, with enough
# melanomas.</details>
#
# <details><summary>Lesson {{ number_of("not_a_lesion") }}: when should a model give no answer?</summary>
# When an image does not look like those that it learned from. A detector finds such images before anyone
# reads a probability.</details>

# %% [markdown]
# ## A service gets more than images
#
# A **service** is a program that waits for requests and answers them. FastAPI makes one from a function:
# the line with `@` names the address, the type of `image` says what comes in.

# %%
app = FastAPI()


@app.post("/predict")
def answer(image: UploadFile):
    found = predict.predict_skin_cancer(Image.open(image.file))
    return {"decision": found.decision, "probability": found.probability}


# %% [markdown]
# From a file `service.py`, `uvicorn service:app` starts it. Here FastAPI's test client asks it.


# %%
def ask(service, content):
    client = TestClient(service, raise_server_exceptions=False)
    return client.post("/predict", files={"image": content})


path = settings.SAMPLES["samples"] / "ISIC_0000041.jpg"
lesion = path.read_bytes()
ask(app, lesion).json()

# %% [markdown]
# It works for a lesion. (`"benign"` only means that the model found no melanoma.) Now a text file. Guess the **status** of the reply, the number that says how a
# request went: {{ shown("200") }} is fine, {{ shown("422") }} is "I cannot use what you sent", {{ shown("500") }} is "the service failed".

# %%
MY_STATUS = ...
ledger.guess("status of the reply to a text file", MY_STATUS)

# %%
reply = ask(app, b"this is a mole, believe me")
ledger.outcome("status of the reply to a text file", reply.status_code)
print(reply.status_code, reply.text)

# %% [markdown]
# 500: the service failed, and does not say why. Other files do more harm: a PNG of
# {{ fact("50", "a PNG of one colour") }} kB can hold {{ fact("400", "20,000 x 20,000 pixels") }} million pixels,
# which fill over a gigabyte of memory.
#
# **Exercise deployment.1** Finish `checked(content)`, which makes an RGB image of a file's bytes. It raises
# `ValueError` with a sentence in three more cases: `Image.open(io.BytesIO(content), formats=["JPEG", "PNG"])`
# fails; the image has more than `PIXELS` pixels (look at `width` and `height`); it is cut off, so that
# `image.load()` fails. Load last. Pillow raises many kinds of errors: write `except Exception`.


# %% tags=["exercise"]
def checked(content):
    if len(content) > LARGEST:
        raise ValueError("The file is too large: send at most 10 MB.")
    return ...


exercises.check("deployment.1", checked)


# %% tags=["solution"]
def checked(content):
    if len(content) > LARGEST:
        raise ValueError("The file is too large: send at most 10 MB.")
    try:
        image = Image.open(io.BytesIO(content), formats=["JPEG", "PNG"])
    except Exception:
        raise ValueError("This is no JPEG or PNG that I can read.") from None
    if image.width * image.height > PIXELS:
        raise ValueError("The image has too many pixels.")
    try:
        image.load()
    except Exception:
        raise ValueError("The image is broken or cut off.") from None
    return image.convert("RGB")


exercises.check("deployment.1", checked)

# %% [markdown]
# ## Every bad file gets a sentence

# %%
_ = diagrams.service()

# %%
checked = exercises.use("deployment.1", checked)

# %% [markdown]
# *(A sketch of the service that you build.)* The model has the detector of lesson
# {{ number_of("not_a_lesion") }} already.
#
# **Exercise deployment.2** Write a FastAPI application `safe` like `app`, which reads at most `LARGEST + 1`
# bytes (`image.file.read` takes a number) and sends the image through `checked`. For a `ValueError` it
# answers with status 422 and the error's sentence: `raise HTTPException(status, sentence)`.

# %% tags=["exercise"]
safe = ...

exercises.check("deployment.2", safe)

# %% tags=["solution"]
safe = FastAPI()


@safe.post("/predict")
def answer_safely(image: UploadFile):
    try:
        usable = checked(image.file.read(LARGEST + 1))
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    found = predict.predict_skin_cancer(usable)
    return {"decision": found.decision, "probability": found.probability}


exercises.check("deployment.2", safe)

# %% [markdown]
# What does it answer to bad files, and to the drawing of a flower?

# %%
safe = exercises.use("deployment.2", safe)
samples = data.load_set("samples", 128)
flower = serve.png(
    Image.fromarray(other_images.make("flower", samples.images[:1])[0])
)
sent = {"a lesion": lesion, "text": b"a mole", "empty": b""}
sent["cut off"] = lesion[: len(lesion) // 2]
sent["too large"] = bytes(LARGEST + 1)
side = int(PIXELS**0.5) + 1
sent["too many pixels"] = serve.png(Image.new("1", (side, side)))
sent["a flower"] = flower

# %%
rows = {}
for name, content in sent.items():
    reply = ask(safe, content)
    found = reply.json()
    text = found.get("detail", found.get("decision"))
    rows[name] = {"status": reply.status_code, "answer": text}
pd.DataFrame(rows).T

# %% [markdown]
# Every bad file gets a sentence. The flower is an image, so its status is 200; the detector refuses it.
#
# Too many requests at once, or an upload that never ends, still stop your service. The course's own,
# `utils/serve.py`, has a queue and a time limit. On {{ quote("serving", "processors", "d") }} cores it answers
# {{ quote("serving", "answers_a_second", ".0f") }} images a second and refuses the rest. `python -m course serve` starts it, with this
# page:

# %% tags=["samples"]
page = Image.open(settings.ROOT / "models" / "page.png")
page.resize((770, 532))
# alt: The page of the service. On the left a sample and a button to choose an image. On the right the answer: a decision, a sentence on what it means, and a bar with the probability and the threshold. Below: not a medical device, not a diagnosis.

# %% [markdown]
# ## A file for a phone, and what the law calls it
#
# **LiteRT** (once TensorFlow Lite) runs a model without Keras and without Python. We convert the course's
# model to one file. (Set `model.trainable = False` for a model of your own before you do so.)

# %%
model, _ = predict.load_model()
folder = settings.scratch() / "exported"
model.export(folder, verbose=False)
converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
full = converter.convert()
print(f"{len(full) / 1e6:.2f} MB")

# %% [markdown]
# **Exercise deployment.3** Write `to_float16(folder)`: convert, but keep each weight in 16 bits instead of
# 32. Set `converter.optimizations = [tf.lite.Optimize.DEFAULT]`, and `supported_types` of
# `converter.target_spec` to a list with `tf.float16`. Return the bytes.


# %% tags=["exercise"]
def to_float16(folder):
    return ...


exercises.check("deployment.3", to_float16)


# %% tags=["solution"]
def to_float16(folder):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


exercises.check("deployment.3", to_float16)

# %% [markdown]
# On the phone an interpreter runs the file. In Python:


# %%
def ask_file(content, image):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"],
        image[None].astype("float32"),
    )
    interpreter.invoke()
    index = interpreter.get_output_details()[0]["index"]
    return interpreter.get_tensor(index).item()


# %%
to_float16 = exercises.use("deployment.3", to_float16)
half = to_float16(folder)
answers = pd.DataFrame({"Keras": predict.melanoma_probability(samples.images)})
answers["32 bits"] = [ask_file(full, one) for one in samples.images]
answers["16 bits"] = [ask_file(half, one) for one in samples.images]
print(f"{len(half) / 1e6:.2f} MB with 16 bits")
answers.sub(answers["Keras"], axis=0).abs().max().round(4)

# %% [markdown]
# These are the largest differences of sixty probabilities. On {{ quote("litert", "exported.images", ",") }} test
# images the record says:

# %%
forms = results.committed("litert")["forms"]
rows = {}
for form, found in forms.items():
    change = format(found["auc_minus_keras"], "+.4f")
    size = round(found["megabytes"], 2)
    rows[form] = {"MB": size, "AUC minus Keras's": change}
pd.DataFrame(rows).T

# %% [markdown]
# With 16 bits the change is {{ quote("litert", "forms.float16.auc_minus_keras", "+.4f") }};
# with 8 bits (`int8`, converted once) {{ verdict("litert", "forms.int8.auc_minus_keras", above="a clear gain", below="a clear loss") }}. There one
# probability moves by {{ quote("litert", "forms.int8.largest_difference", ".2f") }}: choose the threshold for such a file
# anew. A model also runs [in the browser](https://{{ repository.split("/")[0] }}.github.io/{{ repository.split("/")[1] }}/try/),
# where no image leaves the computer.

# %% [markdown]
# May others use it? The **model card** says what a model is for, how it was tested, and where it fails: read
# `models/README.md`. The law asks for the **intended purpose**: what its maker says it is for. Software that
# is meant for diagnosis is a *medical device*: in the European Union by Regulation {{ fact("2017/745", "its number") }}, in
# the USA by the FDA's rules for software.

# %% [markdown]
# A device needs evidence from the places of its use, an analysis of risks, and supervision after its sale. The
# European AI Act asks for more.
#
# Our model has none of this. Its purpose is teaching, and that holds only while nobody offers it for moles.

# %% [markdown]
# **So how do others use it?** By a service that checks what comes in before the model sees it, or by a small
# file whose answers you have compared; and only for the purpose that its card states.

# %% [markdown]
# ## Key points
#
# - A service gets every kind of file. Check bytes, then pixels, then decode, and say what is wrong.
# - A converted model is another model until you have compared its answers.
# - What you say a model is for decides what the law asks of you.
#
# ## Check yourself
#
# <details><summary>Why is {{ shown("500") }} a bad answer to a text file?</summary>
# It says that the service is broken. The file is what cannot be used: {{ shown("422") }}, with a
# sentence.</details>
#
# <details><summary>Why look at the size of an image before you decode it?</summary>
# A small file can hold so many pixels that decoding fills the memory.</details>
#
# <details><summary>A colleague converts your model to eight bits, and keeps the threshold. What do you ask?</summary>
# For the answers of both on the same images: the paired difference with its interval, and a threshold
# chosen anew.</details>
#
# ## What comes next
#
# Ask a question of your own: [{{ number_of("your_project") }} · Your project]({{ notebook_of("your_project") }})
#
# ## References
#
# - FastAPI: [Request files](https://fastapi.tiangolo.com/tutorial/request-files/). LiteRT:
#   [documentation](https://ai.google.dev/edge/litert).
# - Mitchell et al.: Model cards for model reporting, [arXiv:1810.03993](https://arxiv.org/abs/1810.03993).
# - Regulation (EU) 2017/745, Article 2(1) and Annex VIII, Rule 11:
#   [EUR-Lex](https://eur-lex.europa.eu/eli/reg/2017/745/oj). AI Act, Regulation (EU) 2024/1689, Article 6:
#   [EUR-Lex](https://eur-lex.europa.eu/eli/reg/2024/1689/oj).
# - FDA: [Software as a medical device](https://www.fda.gov/medical-devices/digital-health-center-excellence/software-medical-device-samd).
#   Final order on software-aided adjunctive diagnostic devices for skin lesions (class II), Federal Register
#   91:14445, 25 March 2026.

# %%
exercises.progress()

# %%
ledger.show()
