"""benchmarks/speed: what operations are for, and whose seconds a profile's are."""

import pytest

from benchmarks.speed import decoding, profiling, training, xla_profile
from benchmarks.speed.op_groups import Operation, group_of

BACK = "jit(train_step)/transpose(jvp(block_3))"
GRAPH = "StatefulPartitionedCall/gradient_tape/transformer_decoder_1"


@pytest.mark.once
@pytest.mark.parametrize(
    "group, path, shapes",
    [
        ("logits", "aten::matmul/aten::mm", [(4096, 384), (384, 8192)]),
        ("feed-forward", "MmBackward0/aten::mm", [(384, 4096), (4096, 1536)]),
        ("projections", "aten::matmul/aten::mm", [(4096, 384), (384, 384)]),
        ("attention", "aten::scaled_dot_product_attention", [(16, 6, 256, 64)] * 3),
        ("logits", "jit(train_step)/jvp(token_embedding)/dot_general", []),
        ("feed-forward", f"{BACK}/feed_forward/inner/transpose", []),
        ("projections", f"{BACK}/attention/query/dot_general", []),
        ("attention", f"{BACK}/attention/dot_general", []),
        (
            "projections",
            f"{GRAPH}/block_1_1/attention_1/key_1/Tensordot/MatMul:MatMul",
            [],
        ),
        ("attention", f"{GRAPH}/block_1_1/attention_1/MatMul_1:BatchMatMulV2", []),
    ],
)
def test_group_of_products(group, path, shapes):
    assert group_of(Operation("", path, True, 1.0, shapes)) == f"products: {group}"


@pytest.mark.once
@pytest.mark.parametrize(
    "group, path",
    [
        ("optimizer", "jit(train_step)/adam_w/add"),
        ("optimizer", "aten::_foreach_add_/aten::add_"),
        ("loss", "aten::cross_entropy_loss/aten::log_softmax/aten::_log_softmax"),
        ("loss", "StatefulPartitionedCall/compile_loss/masked_cross_entropy/Sum:Sum"),
        ("dropout, random numbers", "aten::dropout/aten::bernoulli_"),
        ("dropout, random numbers", "train/block_1/dropout/mul"),
        ("normalisation", f"{BACK}/attention_norm/jit(_var)/reduce_sum"),
        ("normalisation", f"{GRAPH}/block_0_1/attention_norm_1/mul_1/Mul_1:Mul"),
        ("biases, residuals", f"{BACK}/attention/query/reduce_sum"),
        ("biases, residuals", f"{BACK}/add"),
        (
            "biases, residuals",
            f"{GRAPH}/block_0_1/feed_forward_1/inner_1/BiasAdd:BiasAdd",
        ),
        ("GELU", f"{BACK}/feed_forward/erfc"),
        ("GELU", "GeluBackward0/aten::gelu_backward"),
        ("softmax, mask", f"{BACK}/attention/reduce_max"),
        ("embedding", "StatefulPartitionedCall/AddN_14/inputs_1:UnsortedSegmentSum"),
        (
            "copies, transposes, writes of keys and values",
            f"{BACK}/attention/transpose",
        ),
        ("views, new arrays", "aten::matmul/aten::reshape/aten::view"),
        ("other", "aten::argmax"),
    ],
)
def test_group_of_others(group, path):
    assert group_of(Operation("", path, False, 1.0)) == group


@pytest.mark.once
def test_seconds_of_xla_are_each_operations_own():
    # A loop of 9 ps holds a product of 6 ps, and that a fusion of 2; another thread
    # copies for 3 ps, the first of them beside the product: 8 ps in all.
    from tensorflow.compiler.xla.service import hlo_pb2
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    program, space = hlo_pb2.HloProto(), xplane_pb2.XSpace()
    body, fused = (program.hlo_module.computations.add(id=i) for i in (1, 2))
    body.instructions.add(name="dot.1", opcode="dot")
    fusion = body.instructions.add(name="copy_fusion.2", opcode="fusion")
    fusion.called_computation_ids.append(2)
    fusion.metadata.op_name = "jit(f)/block_4/exp"
    fused.instructions.add(name="e", opcode="exponential")
    body.instructions.add(name="while.3", opcode="while")
    body.instructions.add(name="copy.4", opcode="copy")
    plane = space.planes.add()
    for number, name in enumerate(["Hlo Proto", "hlo_op", "program_id"]):
        plane.stat_metadata[number].name = name
    metadata = plane.event_metadata[1]
    metadata.stats.add(metadata_id=0, bytes_value=program.SerializeToString())
    metadata.stats.add(metadata_id=2, uint64_value=7)
    for events in (
        [("while.3", 0, 9), ("dot.1", 1, 6), ("copy_fusion.2", 3, 2)],
        [("copy.4", 6, 3)],
    ):
        line = plane.lines.add()
        for name, begin, length in events:
            event = line.events.add(offset_ps=begin, duration_ps=length)
            event.stats.add(metadata_id=1, str_value=name)
            event.stats.add(metadata_id=2, uint64_value=7)

    operations, seconds = xla_profile.read(space.SerializeToString())

    assert {(*one[:3], round(one.seconds * 1e12)) for one in operations} == {
        ("dot: ", "", True, 4),
        ("copy_fusion: block/exp", "jit(f)/block_4/exp", False, 2),
        ("copy: /transpose", "/transpose", False, 3),
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
