"""A function of tensors as a graph of its own: what becomes a signature."""


def graph_function(function, kinds: dict, shape: list):
    """A concrete function of tensors of one shape.

    TensorFlow is imported here: the kinds that use this are also read in the process
    that trained.

    Args:
        function: takes tensors by name, gives a dictionary of tensors.
        kinds: dict, the dtype of each by name.
        shape: list of int or `None`, of each.

    Returns:
        concrete function, `tf.types.experimental.ConcreteFunction`.
    """
    import tensorflow as tf

    specs = {
        name: tf.TensorSpec(shape, kind, name=name) for name, kind in kinds.items()
    }
    return tf.function(function, autograph=False).get_concrete_function(**specs)
