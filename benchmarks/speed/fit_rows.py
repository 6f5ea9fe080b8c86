"""One epoch of `fit` over rows in their order, ended when its last step is."""

import keras

from keras_lm.text.passes import quietly


def fit_rows(model, inputs, targets, batch_size):
    """Makes the call that trains on all rows once.

    On TensorFlow they come as a dataset that is not tuned. Keras' own of arrays is; as
    an epoch ends TensorFlow (2.21) then often waits for the thread that tunes, which
    sleeps 10, 20, 40 .. ms: what took 13 s of work was over after 20.5.

    Args:
        model: a compiled model.
        inputs: array `(N, ..)`, or a dictionary of arrays.
        targets: array `(N, ..)`.
        batch_size: int.

    Returns:
        function without arguments.
    """
    if keras.backend.backend() != "tensorflow":
        return lambda: model.fit(inputs, targets, batch_size, verbose=0, shuffle=False)
    import tensorflow as tf

    rows = tf.data.Dataset.from_tensor_slices((inputs, targets))
    batches = quietly(rows.batch(batch_size, drop_remainder=True))
    return lambda: model.fit(batches, verbose=0, shuffle=False)
