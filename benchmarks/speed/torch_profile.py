"""The operations of a call on PyTorch, by its own profiler."""

import re

from benchmarks.speed.op_groups import Operation

PRODUCT = r"aten::(mm|addmm|bmm|baddbmm|mv|addmv|dot|_scaled_dot_product_\w+)$"


def profiled(call):
    """Runs the call under the profiler.

    An operation of ATen is counted without those that it calls. What autograd's engine
    does between them is none, nor is Python.

    Args:
        call: function without arguments.

    Returns:
        `(operations, seconds)`: list of `Operation`, and the seconds spent in them.
    """
    import torch

    only = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=only, record_shapes=True) as profiler:
        call()
    operations = [
        _operation(event)
        for event in profiler.events()
        if event.name.startswith("aten::")
    ]
    return operations, sum(one.seconds for one in operations)


def _operation(event):
    names, parent = [event.name], event.cpu_parent
    while parent is not None:
        names.append(parent.name)
        parent = parent.cpu_parent
    shapes, label = (), event.name
    is_product = bool(re.match(PRODUCT, event.name))
    if is_product:
        shapes = tuple(tuple(shape) for shape in event.input_shapes if len(shape) > 1)
        label = " ".join([label, *(str(list(shape)) for shape in shapes[:2])])
    path, seconds = "/".join(reversed(names)), event.self_cpu_time_total / 1e6
    return Operation(label, path, is_product, seconds, shapes)
