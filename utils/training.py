"""Trains: the original project's two-stage recipe with the frozen layers computed once (taught in
the lessons training and fine_tuning), and all layers on all of HAM10000, resumed after an
interruption."""

import hashlib
import json
import tempfile
from pathlib import Path

import h5py
import numpy as np

from utils import backbone, settings
from utils.augmentation import RandomView
from utils.quiet import keras, require_threads

CALLED_WITH = "called_with"  # of a backup: the attribute that says which training it is of


class ExactAUC(keras.callbacks.Callback):
    """The exact AUC of some sets after each epoch, among the logs of training.

    Keras's AUC metric compares with 200 thresholds: where all probabilities lie between two of
    them, it reads 0.5 whatever their order. Stands first in the list of callbacks, so that those
    after it, and the history, find its numbers. NaN where the model answers with NaN.

    Parameters
    ----------
    **sets : (array, array of 0/1)
        Inputs of the model and labels by the name in the logs, for example
        ``val_auc=(x_validation, y_validation)``. The model answers with probabilities or logits
        of shape (n, 1).
    """

    def __init__(self, **sets):
        super().__init__()
        self.sets = sets

    def on_epoch_end(self, epoch, logs=None):
        from sklearn.metrics import roc_auc_score  # here: a prediction does without

        for name, (x, y) in self.sets.items():
            # Not ``predict``: its loop costs more than a small set, and so do many small batches.
            batches = [x[start : start + 256] for start in range(0, len(x), 256)]
            answers = [np.asarray(self.model.predict_on_batch(batch))[:, 0] for batch in batches]
            answer = np.concatenate(answers)
            known = np.isfinite(answer).all()
            logs[name] = float(roc_auc_score(y, answer)) if known else float("nan")


def callbacks(checkpoint, best=None, **sets):
    """Stop early, lower the learning rate on a plateau, keep the best: all by validation AUC.

    Accuracy would be a poor guide: with few melanomas the majority class "benign" has a high one.

    Parameters
    ----------
    checkpoint : path
        Where the best weights are kept, ends in ``.weights.h5``.
    best : float, optional
        Validation AUC that has to be exceeded before anything is kept.
    **sets : (array, array of 0/1)
        As for ``ExactAUC``; ``val_auc`` must be one of them.

    Returns
    -------
    list of keras.callbacks.Callback
    """
    auc = {"monitor": "val_auc", "mode": "max"}
    return [
        ExactAUC(**sets),
        keras.callbacks.EarlyStopping(patience=5, **auc),
        keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=3, **auc),
        keras.callbacks.ModelCheckpoint(
            checkpoint,
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=best,
            **auc,
        ),
    ]


def compile_model(model, learning_rate):
    """Adam, binary cross-entropy, and accuracy as metric."""
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])


def two_stages(
    base, model, train, validation, epochs=(25, 10), batch_size=32, n_layers=20, verbose=2
):
    """Train the head on cached features, then the top layers of the backbone with it.

    Parameters
    ----------
    base, model : keras.Model
        From ``backbone.mobilenet_v2`` and ``melanoma_classifier``; trained in place.
    train, validation : utils.data.Lesions
        Images of the size that the model takes.
    epochs : (int, int)
        At most so many, frozen and fine-tuning.
    n_layers : int
        Layers fine-tuned, at most the 20 after ``backbone.FROZEN_END``.

    Returns
    -------
    list of dict
        Keras's history of each stage, with the exact ``auc`` and ``val_auc``.

    Raises
    ------
    ValueError
        If ``n_layers`` reaches into the layers that are computed once.
    """
    require_threads()
    if n_layers > 20:
        end = backbone.FROZEN_END
        raise ValueError(f"n_layers must be 20 or less: the layers before {end} are frozen.")
    prefix, middle, head = backbone.cut(model, backbone.FROZEN_END, "pooled")
    top = backbone.cut(model, backbone.FROZEN_END)[1]
    y, y_validation = train.melanoma, validation.melanoma
    activations = [prefix.predict(lesions.images, verbose=0) for lesions in (train, validation)]
    stages = [
        (head, [middle.predict(a, verbose=0) for a in activations], 0, 1e-3),
        (top, activations, n_layers, 1e-4),
    ]
    histories, best = [], None
    with tempfile.TemporaryDirectory(dir=settings.scratch()) as folder:
        checkpoint = Path(folder) / "best.weights.h5"
        for n_epochs, (piece, (x, x_validation), trainable, rate) in zip(
            epochs, stages, strict=True
        ):
            backbone.unfreeze_top(base, trainable)
            compile_model(piece, rate)
            piece.optimizer.build(piece.trainable_variables)  # a checkpoint holds them too
            piece.save_weights(checkpoint)  # if no epoch is better than what there is, this stays
            sets = {"auc": (x, y), "val_auc": (x_validation, y_validation)}
            history = piece.fit(
                x,
                y,
                validation_data=sets["val_auc"],
                epochs=n_epochs,
                batch_size=batch_size,
                callbacks=callbacks(checkpoint, best, **sets),
                verbose=verbose,
            ).history
            piece.load_weights(checkpoint)
            histories.append(history)
            best = max([best or 0, *history.get("val_auc", [])])  # none in a stage of 0 epochs
    return histories


def all_gpus(use=True):
    """Where training runs: on every GPU of the machine at once, or on one device.

    Build the model inside ``with all_gpus().scope():``. Each GPU then holds a copy of it and takes
    its share of every batch; gradients are added up before each step.

    Parameters
    ----------
    use : bool

    Returns
    -------
    tf.distribute.Strategy
        ``MirroredStrategy`` if there are several GPUs and they shall be used, else the default one.
    """
    import tensorflow as tf

    several = use and len(tf.config.list_logical_devices("GPU")) > 1
    return tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy()


def batches(images, labels, size, seed, batch_size=64, strength="plain"):
    """One epoch of shuffled batches; the same seed gives the same epoch.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, h, 3), or of str, shape (n,)
        Pixels, or paths of images on disk (``data.load_lesions(in_memory=False)``), which are
        read when their turn comes.
    labels : array of int, shape (n,), or of float, shape (n, n_classes)
    size : int
        Pixels a side that come out.
    seed : int
        Of the order and of ``RandomView``.
    strength : str, optional
        Of ``RandomView``; None: resized only.

    Returns
    -------
    tf.data.Dataset
        Of float32 images and int64 or float32 labels. The last n % batch_size images of the order
        are left out, so that every step has as many.
    """
    import tensorflow as tf

    order = np.random.default_rng(seed).permutation(len(images))
    order = order[: len(order) // batch_size * batch_size]
    labels = _numbers(labels)
    if images.dtype.kind == "U":

        def read(path, label):
            return tf.io.decode_png(tf.io.read_file(path), channels=3), label

        pairs = tf.data.Dataset.from_tensor_slices((images[order], labels[order]))
        whole = pairs.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)
    else:
        rows = order.reshape(-1, batch_size)
        whole = tf.data.Dataset.from_generator(
            lambda: ((images[r], labels[r]) for r in rows),
            output_signature=(
                tf.TensorSpec((batch_size, *images.shape[1:]), tf.uint8),
                tf.TensorSpec((batch_size, *labels.shape[1:]), labels.dtype),
            ),
        ).apply(tf.data.experimental.assert_cardinality(len(rows)))
    view = RandomView(size, seed, strength or "plain")
    # Not in parallel: one batch draws its random numbers after the other.
    return whole.map(lambda x, y: (view(x, training=strength is not None), y)).prefetch(2)


def all_layers(
    model,
    images,
    labels,
    size,
    backup,
    epochs=20,
    learning_rate=1e-3,
    batch_size=64,
    seed=0,
    strength="plain",
    loss=None,
    verbose=2,
    callbacks=(),
):
    """Train every trainable layer, with warm-up and cosine decay; resumes after an interruption.

    After each epoch weights, optimizer and what the training was called with are written to
    ``backup``, whole or not at all. The images of an epoch depend on the seed and the epoch
    alone, so a training that was killed and called again ends at the weights of an unbroken one
    (on one device with deterministic operations).

    Parameters
    ----------
    model : keras.Model
        From ``logit_classifier``; trained in place. It must not hold dropout: no backup keeps
        the state of its random numbers. Built in a strategy's scope, it is trained there.
    images : ndarray of uint8, shape (n, h, h, 3), or of str, shape (n,)
        As for ``batches``.
    labels : array of int, shape (n,), or of float, shape (n, n_classes)
        Which logit belongs to each image, or the share of each.
    size : int
        Pixels a side that the model takes.
    backup : path
        Ends in ``.weights.h5``; removed by the caller when it is done with.
    epochs : int
        The learning rate rises for one and falls over the others.
    seed : int
        Of order and augmentation.
    strength : str, optional
        Each epoch sees every image in another ``RandomView`` of this strength; None: in none.
    loss : keras loss or callable, optional
        Of labels and logits; default: cross-entropy.
    callbacks : sequence of keras.callbacks.Callback
        Those of ``fit``, which is called once for each epoch.

    Raises
    ------
    ValueError
        If there are fewer images than a batch, or the backup belongs to another training: of
        another network, with other images, or called with anything else.
    OSError
        If the backup cannot be written.
    """
    require_threads()
    own = {
        "images": _digest(images),
        "labels": _digest(_numbers(labels)),
        "size": size,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "seed": seed,
        "strength": strength,
        "loss": getattr(loss, "__name__", type(loss).__name__),
    }
    steps, backup = len(images) // batch_size, Path(backup)
    if steps == 0:
        raise ValueError(f"{len(images)} images are less than one batch of {batch_size}.")
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, (epochs - 1) * steps), warmup_target=learning_rate, warmup_steps=steps
    )
    of_labels = keras.losses.SparseCategoricalCrossentropy
    if np.ndim(labels) == 2:
        of_labels = keras.losses.CategoricalCrossentropy
    loss = loss or of_labels(from_logits=True)
    with model.distribute_strategy.scope():
        optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
        optimizer.build(model.trainable_variables)  # a backup holds its state too
    if backup.exists():
        try:
            with h5py.File(backup) as file:
                kept = json.loads(file.attrs[CALLED_WITH])
            other = [name for name in own if own[name] != kept.get(name)]
            if other:
                raise ValueError(f"it had other {', '.join(other)}")
            model.load_weights(backup)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"{backup} is not a backup of this training: delete it and start anew. [{error}]"
            ) from error

    def write(path):
        # Weights and AdamW's two moments, in float32; up to a megabyte for their names.
        settings.require_space(path.parent, 12 * model.count_params() + 2**20)
        model.save_weights(path)
        with h5py.File(path, "a") as file:
            file.attrs[CALLED_WITH] = json.dumps(own, default=float)

    done = int(keras.ops.convert_to_numpy(optimizer.iterations)) // steps
    if done:
        print(f"{backup.name}: {done} of {epochs} epochs are done, resuming from there")
    for epoch in range(done, epochs):
        views = batches(images, labels, size, 1000 * seed + epoch, batch_size, strength)
        span = {"initial_epoch": epoch, "epochs": epoch + 1}
        model.fit(views, shuffle=False, verbose=verbose, callbacks=[*callbacks], **span)
        settings.write_atomically(backup, write)


def _numbers(labels):
    """Whole numbers that name a class, or shares of each."""
    return np.asarray(labels, np.int64 if np.ndim(labels) == 1 else np.float32)


def _digest(array):
    """Changes with the content; of paths only what is the same on every machine counts."""
    if array.dtype.kind == "U":  # folder and name of a prepared image tell its size and content
        array = np.array(["/".join(Path(path).parts[-2:]) for path in array])
    return hashlib.sha256(np.ascontiguousarray(array).view(np.uint8)).hexdigest()
