"""Step 4: the shipped model as a LiteRT file, by which the service and the command line answer.

It needs no images, and can be run after each of the steps before it."""

from utils import guard, lite, predict, settings
from utils.quiet import keras


def run():
    """Convert the model and write the file, and what it was made for, beside the model.

    Raises
    ------
    OSError, ValueError
        As ``predict.load_model``.
    """
    model, facts = predict.load_model(predict.SHIPPED)
    outputs = {"probability": model.output}
    if "guard" in facts:
        outputs["means"] = guard.network(model, facts["guard"]["layer"])(model.input)
    whole = keras.Model(model.input, outputs)
    whole.trainable = False
    content = lite.convert(whole)
    file = predict.SHIPPED.with_suffix(".tflite")
    settings.write_atomically(file, lambda path: path.write_bytes(content))
    settings.write_json(file.with_suffix(".export.json"), lite.made_for(facts, content))
