"""The operations of a call on JAX or TensorFlow, by the profiler that both have.

Both write an `xplane.pb`. In it stand the events of each thread, and for each program
of XLA what its operations are made of, with the names of the layers that they came
from. A fusion is named by its last operation; one that only moves numbers is a copy.
TensorFlow's own operations, where nothing is compiled, carry these names themselves.
"""

import re
import tempfile
from pathlib import Path

import keras

from benchmarks.speed.op_groups import Operation

MOVES = {"parameter", "bitcast", "copy", "transpose", "reshape", "concatenate", "slice"}
MOVES |= {"tuple", "get-tuple-element", "dynamic-update-slice", "constant"}
RUNS_OTHERS = r"^(while|call|conditional)$|^(Stateless)?(While|If)$|PartitionedCall|Xla"


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
    """`(id, {instruction: (opcode, opcodes within, path, shapes given)})` of each."""
    from tensorflow.compiler.xla.service import hlo_pb2

    for metadata in plane.event_metadata.values():
        stats = _stats(plane, metadata.stats)
        if "Hlo Proto" in stats:
            proto = hlo_pb2.HloProto.FromString(stats["Hlo Proto"].bytes_value)
            parts = {one.id: one.instructions for one in proto.hlo_module.computations}
            instructions = {}
            for part in parts.values():
                shapes = {one.id: tuple(one.shape.dimensions) for one in part}
                for one in part:
                    given = tuple(shapes[number] for number in one.operand_ids)
                    opcodes, path = _within(one, parts), one.metadata.op_name
                    instructions[one.name] = one.opcode, opcodes, path, given
            number = _number(stats["program_id"]) if "program_id" in stats else None
            yield metadata.id if number is None else number, instructions


def _within(one, parts):
    """Opcodes of an instruction, or of those that it fuses."""
    if one.opcode != "fusion":
        if one.dot_dimension_numbers.lhs_batch_dimensions:
            return {"dot", "batch"}
        return {"dot" if "matmul" in one.custom_call_target else one.opcode}
    fused = (inner for part in one.called_computation_ids for inner in parts[part])
    return set().union(*(_within(inner, parts) for inner in fused))


def _event(plane, line, event):
    """`(begin, end, name, program)` in ps of an operation; `None` of other events.

    The program is XLA's, and `None` for one of TensorFlow's own operations, whose names
    end in their kinds: "a/b/MatMul:MatMul".
    """
    metadata = plane.event_metadata[event.metadata_id]
    begin = line.timestamp_ns * 1000 + event.offset_ps
    end = begin + event.duration_ps
    stats = _stats(plane, (*event.stats, *metadata.stats))
    if "hlo_op" in stats:
        name = stats["hlo_op"]
        name = name.str_value or plane.stat_metadata[name.ref_value].name
        return begin, end, name, _number(stats["program_id"])
    if re.fullmatch(r"[^:\s]+:[A-Z]\w+", metadata.name):
        return begin, end, metadata.name, None
    return None


def _stats(plane, stats):
    return {plane.stat_metadata[stat.metadata_id].name: stat for stat in stats}


def _number(stat):
    return stat.uint64_value or stat.int64_value


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
    shapes = ()
    if program is None:
        path, kind = name, name.split(":")[1]
        is_product, runs_others = "MatMul" in kind, re.search(RUNS_OTHERS, kind)
    else:
        unknown = name, {name}, "", ()
        opcode, opcodes, path, shapes = programs.get(program, {}).get(name, unknown)
        kind = re.sub(r"[.\d]+$", "", name)
        is_product, runs_others = "dot" in opcodes, re.search(RUNS_OTHERS, opcode)
        path += "/transpose" * (opcodes <= MOVES) + "/BatchMatMul" * (
            "batch" in opcodes
        )
    if runs_others:
        return None
    label = f"{kind}: {_short(path)}"
    if is_product and not path:
        label += " ".join(str(list(shape)) for shape in shapes[:2])
    return Operation(label, path, is_product, seconds, shapes)


def _short(path):
    """Without the number of the block, and what all paths begin with."""
    path = re.sub(r"block_\d+(_\d+)?", "block", path.split(":")[0].split(";")[0])
    return re.sub(
        r"jit\(\w+\)/|StatefulPartitionedCall/|transformer_decoder_\d+/", "", path
    )


def _covered(intervals):
    """The length of the union."""
    total, reached = 0, 0
    for begin, end in sorted(intervals):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total
