"""The operations of a call on JAX or TensorFlow, by the profiler that both have.

Both write an `xplane.pb`. In it stand the events of each thread, and for each program
of XLA what its operations are made of, with the names of the layers that they came
from. A fusion is named by its last operation; one that only moves numbers is a copy.
"""

import re
import tempfile
from pathlib import Path

import keras

from benchmarks.speed.op_groups import Operation

MOVES = {"parameter", "bitcast", "copy", "transpose", "reshape", "concatenate", "slice"}
MOVES |= {"tuple", "get-tuple-element", "dynamic-update-slice", "constant"}
RUNS_OTHERS = {"while", "call", "conditional"}


def profiled(call):
    """Runs the call under the profiler.

    Args:
        call: function without arguments.

    Returns:
        `(operations, seconds)`: list of `Operation`, and the seconds in which at least
        one of them ran.
    """
    with tempfile.TemporaryDirectory() as folder:
        _trace(call, folder)
        file = next(Path(folder).rglob("*.xplane.pb"))
        return read(file.read_bytes())


def read(serialized):
    """The same from the bytes of an `xplane.pb`."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(serialized)
    programs = {}
    for plane in space.planes:
        programs.update(_programs(plane))
    operations, intervals = [], []
    for plane in space.planes:
        for line in plane.lines:
            events = [_event(plane, line, event) for event in line.events]
            for event, seconds in _own_seconds(filter(None, events)):
                operation = _operation(event, programs, seconds)
                if operation is not None:
                    operations.append(operation)
                    intervals.append(event[:2])
    return operations, _covered(intervals) / 1e12


def _trace(call, folder):
    if keras.backend.backend() == "jax":
        import jax

        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        with jax.profiler.trace(folder, profiler_options=options):
            call()
    else:
        import tensorflow as tf

        tf.profiler.experimental.start(folder)
        call()
        tf.profiler.experimental.stop()


def _programs(plane):
    """`{id: {instruction: (instruction, opcodes within, shapes of a product)}}`."""
    from tensorflow.compiler.xla.service import hlo_pb2

    for metadata in plane.event_metadata.values():
        for stat in metadata.stats:
            if plane.stat_metadata[stat.metadata_id].name.lower() == "hlo proto":
                module = hlo_pb2.HloProto.FromString(stat.bytes_value).hlo_module
                yield metadata.id, _instructions(module)


def _instructions(module):
    parts = {part.id: part.instructions for part in module.computations}
    return {
        one.name: (one, *_within(one, parts, instructions))
        for instructions in parts.values()
        for one in instructions
    }


def _within(one, parts, siblings):
    """Opcodes of an instruction, or of those it fuses; shapes of the product there."""
    if one.opcode != "fusion":
        shape_of = {sibling.id: tuple(sibling.shape.dimensions) for sibling in siblings}
        is_product = one.opcode == "dot" or "matmul" in one.custom_call_target
        return {one.opcode}, tuple(shape_of[i] for i in one.operand_ids) * is_product
    opcodes, shapes = set(), ()
    for part in one.called_computation_ids:
        for inner in parts[part]:
            found, multiplied = _within(inner, parts, parts[part])
            opcodes, shapes = opcodes | found, shapes or multiplied
    return opcodes, shapes


def _event(plane, line, event):
    """`(begin, end, instruction, program)` in ps, of what XLA ran; else `None`."""
    stats = {
        plane.stat_metadata[stat.metadata_id].name: stat
        for stat in (*event.stats, *plane.event_metadata[event.metadata_id].stats)
    }
    if "hlo_op" not in stats:
        return None
    begin = line.timestamp_ns * 1000 + event.offset_ps
    program, name = stats["program_id"], stats["hlo_op"]
    name = plane.stat_metadata[name.ref_value].name or name.str_value
    program = program.uint64_value or program.int64_value
    return begin, begin + event.duration_ps, name, program


def _own_seconds(events):
    """Each event of a thread with its seconds, without those of events inside it."""
    running = []
    for event in sorted(events, key=lambda event: (event[0], -event[1])):
        while running and running[-1][0][1] <= event[0]:
            yield running.pop()
        if running:
            running[-1][1] -= (event[1] - event[0]) / 1e12
        running.append([event, (event[1] - event[0]) / 1e12])
    yield from running


def _operation(event, programs, seconds):
    *_, name, program = event
    one, opcodes, shapes = programs[program][name]
    if one.opcode in RUNS_OTHERS:
        return None
    path = one.metadata.op_name
    if opcodes <= MOVES:
        path += "/transpose"
    kind = re.sub(r"[.\d]+$", "", name)
    label = f"{kind}: {re.sub(r'block_[0-9]+', 'block', path)}"
    return Operation(label, path, shapes, seconds)


def _covered(intervals):
    """The length of the union."""
    total, reached = 0, 0
    for begin, end in sorted(intervals):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total
