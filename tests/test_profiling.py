"""benchmarks/speed: what operations are for, and whose seconds a profile's are."""

import pytest

from benchmarks.speed import decoding, profiling, training, xla_profile
from benchmarks.speed.op_groups import Operation, group_of

STEP = "jit(train_step)/transpose(jvp(block_3))"


@pytest.mark.once
@pytest.mark.parametrize(
    "group, path, shapes",
    [
        ("products: logits", "aten::mm", ((4096, 384), (384, 8192))),
        ("products: feed-forward", "aten::mm", ((384, 4096), (4096, 1536))),
        ("products: projections", "aten::mm", ((4096, 384), (384, 384))),
        ("products: attention", f"{STEP}/attention/dot_general", ((96, 256, 64),) * 2),
        ("optimizer", "jit(train_step)/adam_w/add", ()),
        ("optimizer", "aten::_foreach_add_/aten::add_", ()),
        ("loss", "aten::cross_entropy_loss/aten::log_softmax/aten::_log_softmax", ()),
        ("normalisation", f"{STEP}/attention_norm/jit(_var)/reduce_sum", ()),
        ("biases, residuals", f"{STEP}/attention/query/reduce_sum", ()),
        ("biases, residuals", f"{STEP}/add", ()),
        ("GELU", f"{STEP}/feed_forward/erfc", ()),
        ("softmax, mask", f"{STEP}/attention/reduce_max", ()),
        ("views, new arrays", "aten::matmul/aten::reshape/aten::view", ()),
        ("other", "aten::argmax", ()),
    ],
)
def test_group(group, path, shapes):
    assert group_of(Operation("", path, shapes, 1.0)) == group


@pytest.mark.once
def test_seconds_of_xla_are_each_operations_own():
    # A loop of 9 ps holds a product of 4 and a fusion of 2; another thread copies for
    # 3 ps, the last of them when nothing else runs: 7 ps of 8 with an operation.
    from tensorflow.compiler.xla.service import hlo_pb2
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    program, space = hlo_pb2.HloProto(), xplane_pb2.XSpace()
    body, fused = (program.hlo_module.computations.add(id=i) for i in (1, 2))
    for number, sizes in enumerate([(2, 3), (3, 5)]):
        given = body.instructions.add(id=number, name=f"p{number}")
        given.shape.dimensions.extend(sizes)
    body.instructions.add(name="dot.1", opcode="dot", operand_ids=[0, 1])
    fusion = body.instructions.add(name="copy_fusion.2", opcode="fusion")
    fusion.called_computation_ids.append(2)
    fusion.metadata.op_name = "jit(f)/block_4/exp"
    fused.instructions.add(name="e", opcode="exponential")
    body.instructions.add(name="while.3", opcode="while")
    body.instructions.add(name="copy.4", opcode="copy")
    plane = space.planes.add()
    for number, name in enumerate(["Hlo Proto", "hlo_op", "program_id"]):
        plane.stat_metadata[number].name = name
    plane.event_metadata[7].stats.add(bytes_value=program.SerializeToString())
    for events in (
        [("while.3", 0, 9), ("dot.1", 1, 4), ("copy_fusion.2", 5, 2)],
        [("copy.4", 6, 3)],
    ):
        line = plane.lines.add()
        for name, begin, length in events:
            event = line.events.add(offset_ps=begin, duration_ps=length)
            event.stats.add(metadata_id=1, str_value=name)
            event.stats.add(metadata_id=2, uint64_value=7)

    operations, seconds = xla_profile.read(space.SerializeToString())

    found = {(one.label, one.shapes, round(one.seconds * 1e12)) for one in operations}
    assert found == {
        ("dot: ", ((2, 3), (3, 5)), 4),
        ("copy_fusion: jit(f)/block/exp", (), 2),
        ("copy: /transpose", (), 3),
    }
    assert round(seconds * 1e12) == 8


@pytest.mark.slow_elsewhere
def test_a_profile_knows_all_that_a_step_does(monkeypatch, capsys):
    small = {"LAYERS": 1, "HEADS": 2, "WIDTH": 16, "LENGTH": 8, "BATCH": 3}
    for name, size in {**small, "VOCABULARY": 50}.items():
        monkeypatch.setattr(training, name, size)
    monkeypatch.setattr(training.decoder, "__defaults__", (50,))
    monkeypatch.setattr(decoding, "PROMPT", 3)
    monkeypatch.setattr(decoding, "NEW", 4)

    calls = profiling.workloads()
    found = {name: profiling.shares(call) for name, call in calls.items()}

    for told in found.values():
        assert sum(told["groups"].values()) == pytest.approx(1)
        absent = [g for g in profiling.GROUPS[:4] if not told["groups"].get(g)]
        assert not absent
    assert {"loss", "optimizer", "normalisation"} <= set(found["training"]["groups"])
    profiling.show({"here": found})
    assert "| products: logits |" in capsys.readouterr().out
