"""The operations of a file are read from the file."""

from ai_edge_litert import schema_py_generated as schema

from keras_lm.export.litert_ops import litert_ops, strange_ops


def file_with(*codes):
    import flatbuffers

    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = []
    for builtin, custom in codes:
        code = schema.OperatorCodeT()
        code.builtinCode, code.customCode = builtin, custom
        code.deprecatedBuiltinCode = min(builtin, 127)
        model.operatorCodes.append(code)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_builtins_and_others_are_told_apart():
    builtin = schema.BuiltinOperator
    content = file_with(
        (builtin.GELU, None), (builtin.ADD, None), (builtin.CUSTOM, b"FlexErfinv")
    )

    assert litert_ops(content) == ["ADD", "CUSTOM:FlexErfinv", "GELU"]
    assert strange_ops(content) == {"FlexErfinv"}


def test_a_file_of_ours_attends_and_holds_nothing_strange(litert):
    content = litert.path.read_bytes()

    assert {"SOFTMAX", "DYNAMIC_UPDATE_SLICE"} <= set(litert_ops(content))
    assert strange_ops(content) == set()
