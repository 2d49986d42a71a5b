"""The original project's head and two-stage recipe, with the frozen layers computed once.
Taught in lesson 04."""

from pathlib import Path

from utils import backbone
from utils.quiet import keras

FROZEN_END = "block_14_add"  # the last 20 layers of MobileNetV2 are those after this one


def melanoma_classifier(base):
    """The original project's head on a backbone: one probability of melanoma an image.

    Parameters
    ----------
    base : keras.Model
        From ``backbone.mobilenet_v2``.

    Returns
    -------
    keras.Model
        From the base's input to probabilities of shape (n, 1). It shares the base's layers.
    """
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(base.output)
    x = keras.layers.Dropout(0.3)(x)
    x = keras.layers.Dense(128, activation="relu")(x)
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(base.input, keras.layers.Dense(1, activation="sigmoid")(x))


def callbacks(checkpoint, best=None):
    """Stop early, lower the learning rate on a plateau, keep the best: all by validation AUC.

    Accuracy would be a poor guide: with few melanomas the constant answer "benign" has a high one.

    Parameters
    ----------
    checkpoint : path
        Where the best weights are kept, ends in ``.weights.h5``.
    best : float, optional
        Validation AUC that has to be exceeded before anything is kept.

    Returns
    -------
    list of keras.callbacks.Callback
    """
    auc = {"monitor": "val_auc", "mode": "max"}
    return [
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


def compile_for_auc(model, learning_rate):
    """Adam, binary cross-entropy, and accuracy and AUC as metrics."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="binary_crossentropy",
        metrics=["accuracy", keras.metrics.AUC(name="auc")],
    )


def two_stages(
    base, model, train, validation, folder, epochs=(25, 10), batch_size=32, n_layers=20, verbose=2
):
    """Train the head on frozen features, then the top layers of the backbone with it.

    Parameters
    ----------
    base, model : keras.Model
        From ``backbone.mobilenet_v2`` and ``melanoma_classifier``; trained in place.
    train, validation : utils.data.Lesions
        Pictures of the size that the model takes.
    folder : path
        Where the best weights are kept while training.
    epochs : (int, int)
        At most so many, frozen and fine-tuning.
    n_layers : int
        Layers fine-tuned, at most the 20 after ``FROZEN_END``.

    Returns
    -------
    list of dict
        Keras's history of each stage.

    Raises
    ------
    ValueError
        If ``n_layers`` reaches into the part that is computed once.
    """
    if n_layers > 20:
        raise ValueError(f"n_layers must be 20 or less: the layers before {FROZEN_END} are frozen.")
    Path(folder).mkdir(parents=True, exist_ok=True)
    prefix, middle, head = backbone.cut(model, FROZEN_END, "pooled")
    top = backbone.cut(model, FROZEN_END)[1]
    activations = [prefix.predict(part.images, verbose=0) for part in (train, validation)]
    histories, best = [], None
    stages = [
        (head, [middle.predict(a, verbose=0) for a in activations], 0, 1e-3),
        (top, activations, n_layers, 1e-4),
    ]
    for number, (piece, (x, x_validation), trainable, learning_rate) in enumerate(stages, 1):
        checkpoint = Path(folder) / f"stage{number}.weights.h5"
        backbone.unfreeze_top(base, trainable)
        compile_for_auc(piece, learning_rate)
        piece.optimizer.build(piece.trainable_variables)  # a checkpoint holds them too
        piece.save_weights(checkpoint)  # if no epoch is better than what there is, this stays
        history = piece.fit(
            x,
            train.melanoma,
            validation_data=(x_validation, validation.melanoma),
            epochs=epochs[number - 1],
            batch_size=batch_size,
            callbacks=callbacks(checkpoint, best),
            verbose=verbose,
        ).history
        piece.load_weights(checkpoint)
        histories.append(history)
        best = max([best or 0, *history.get("val_auc", [])])  # none in a stage of 0 epochs
    return histories
