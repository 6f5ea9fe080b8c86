"""A model whose weights lie on several devices, each with a part."""

import keras

from keras_lm.training.layout_map import layout_map


class ModelParallel(keras.distribution.ModelParallel):
    """Splits weights over some devices, and batches over groups of these.

    `num_parts` devices together hold one copy of the model; if there are more, further
    groups hold copies of their own and share the batch. Each weight, its gradient and
    its optimizer state are split as `layout_map` says.

    Differs from `keras.distribution.ModelParallel` in where the layouts come from, and
    in a weight that cannot be split into equal parts: here it lies whole on each
    device, there the model fails to build.

    For JAX, the backend that `keras.distribution` works on. A model made while it is in
    force is distributed, and so is what `fit` makes.

    Args:
        num_parts: int, divides the number of devices. All devices when `None`. A number
            that divides the heads of the model's attention needs the least
            communication.
        devices: list of names, as `keras.distribution.list_devices` gives them; all
            when `None`.

    Raises:
        ValueError: `num_parts` does not divide the number of devices, or the backend is
            not JAX.

    Example:
        >>> if keras.backend.backend() == "jax":
        ...     parallel = ModelParallel()
        ...     with parallel.scope():
        ...         model = keras_lm.models.TransformerDecoder(
        ...             vocabulary_size=64, num_layers=1, num_heads=2, hidden_dim=16,
        ...             intermediate_dim=32, max_sequence_length=20)
        ...         model.compile("adam", keras_lm.training.MaskedCrossEntropy())

    Source: https://arxiv.org/abs/1909.08053, section 3.
    """

    def __init__(self, num_parts=None, devices=None):
        if keras.backend.backend() != "jax":
            raise ValueError(
                "Weights are split over devices on JAX only. Received: the backend "
                f"{keras.backend.backend()}"
            )
        devices = keras.distribution.list_devices() if devices is None else devices
        num_parts = len(devices) if num_parts is None else num_parts
        if num_parts < 1 or len(devices) % num_parts:
            raise ValueError(
                "`num_parts` must divide the number of devices. Received: "
                f"num_parts={num_parts}, and {len(devices)} devices"
            )
        shape = (len(devices) // num_parts, num_parts)
        mesh = keras.distribution.DeviceMesh(shape, ["batch", "model"], devices)
        super().__init__(layout_map=layout_map(mesh), batch_dim_name="batch")

    def get_variable_layout(self, variable):
        """The layout of a weight; Keras calls this.

        Args:
            variable: `keras.Variable`.

        Returns:
            `keras.distribution.TensorLayout`.
        """
        layout = super().get_variable_layout(variable)
        num_parts = self.device_mesh.shape[1]
        for size, axis in zip(variable.shape, getattr(layout, "axes", ())):
            if axis == "model" and size % num_parts:
                whole = [None] * len(variable.shape)
                return keras.distribution.TensorLayout(whole, self.device_mesh)
        return layout
