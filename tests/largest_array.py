"""The largest array that a function builds, from what its backend says of each one."""

import math

import keras
from keras import ops


def largest_array(function, *arrays):
    """How many numbers the largest array has that `function(*arrays)` makes inside.

    On JAX and TensorFlow of the traced function, which is not run: what the compiler
    fuses away counts too. On PyTorch of each operation as it runs; views count as what
    they look at.

    Args:
        function: of arrays, to arrays.
        *arrays: NumPy arrays.

    Returns:
        int.
    """
    sizes = {"jax": _sizes_on_jax, "tensorflow": _sizes_on_tensorflow}
    return max(sizes.get(keras.backend.backend(), _sizes_on_torch)(function, arrays))


def _sizes_on_jax(function, arrays):
    import jax

    def walk(jaxpr):
        for equation in jaxpr.eqns:
            for variable in equation.outvars:
                yield math.prod(variable.aval.shape)
            for inner in jax.tree.leaves(
                list(equation.params.values()), is_leaf=_is_jaxpr
            ):
                if _is_jaxpr(inner):
                    yield from walk(getattr(inner, "jaxpr", inner))

    return walk(jax.make_jaxpr(function)(*arrays).jaxpr)


def _is_jaxpr(value):
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


def _sizes_on_tensorflow(function, arrays):
    import tensorflow as tf

    specs = [tf.TensorSpec(array.shape, array.dtype) for array in arrays]
    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    graph = traced.graph.as_graph_def(add_shapes=True)
    bodies = [body.node_def for body in graph.library.function]
    for nodes in (graph.node, *bodies):
        for node in nodes:
            for shape in node.attr["_output_shapes"].list.shape:
                sides = [side.size for side in shape.dim]
                assert min(sides, default=0) >= 0, (node.name, sides)  # -1: unknown
                yield math.prod(sides)


def _sizes_on_torch(function, arrays):
    from torch.utils._python_dispatch import TorchDispatchMode

    sizes = []

    class Recorded(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            result = operation(*args, **(kwargs or {}))
            for array in keras.tree.flatten(result):
                if ops.is_tensor(array):
                    size = array.untyped_storage().nbytes() // array.element_size()
                    sizes.append(size)
            return result

    tensors = [ops.convert_to_tensor(array) for array in arrays]
    with Recorded():
        function(*tensors)
    return sizes
