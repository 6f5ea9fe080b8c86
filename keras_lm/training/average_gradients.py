"""A callback by which several PyTorch processes train one model."""

import keras

from keras_lm.backend import data_parallel


class AverageGradients(keras.callbacks.Callback):
    """Data parallel training on PyTorch through `fit`, a process for each device.

    Before the first step all processes get the weights and the optimizer's state of the
    first. From there on each gradient is the mean over the processes, so their weights
    stay equal:

        gradient = (gradient_1 + .. + gradient_N) / N

    With equal numbers of tokens in each process's rows this is the gradient of all rows
    together; where weights hide some, a token of a process with few of them counts for
    more. The loss that `fit` shows is that of a process's own rows.

    `torch.nn.parallel.DistributedDataParallel` does the same to a module that it wraps,
    which `fit` cannot call. Keras 3.15 has no `keras.distribution` for PyTorch.

    The processes are started by `torchrun`; `distribute` puts all of it together.

    Raises:
        ValueError: `fit` begins on another backend, or in a process that torchrun did
            not start.
        ConnectionError: another process has ended.

    Example:
        >>> callback = AverageGradients()  # for model.fit(.., callbacks=[callback])

    Source: https://arxiv.org/abs/2006.15704, section 3.
    """

    def __init__(self):
        super().__init__()
        self._handles = []

    def on_train_begin(self, logs=None):
        """Makes the processes equal; Keras calls this."""
        if keras.backend.backend() != "torch":
            raise ValueError(
                "Gradients are averaged by this callback on PyTorch only. Received: "
                f"the backend {keras.backend.backend()}"
            )
        if data_parallel.join_workers() is None:
            raise ValueError(
                "Gradients are averaged between processes that torchrun started. "
                "Received: one process"
            )
        model, optimizer = self.model, self.model.optimizer
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        # The random generators' states stay: each process may drop other features.
        data_parallel.copy_from_first([*model.weights, *optimizer.variables])
        self.on_train_end()
        self._handles = data_parallel.average_gradients(model.trainable_variables)

    def on_train_end(self, logs=None):
        """Leaves gradients as they are again; Keras calls this."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
