"""Which operations a LiteRT file asks for."""


def litert_ops(content: bytes) -> list[str]:
    """The names of the operations in a file.

    Args:
        content: bytes of a `.tflite` file.

    Returns:
        sorted list of str: names of builtins, such as "FULLY_CONNECTED"; an operation
        that is none stands as "CUSTOM:" and its name.
    """
    return sorted({_name(code) for code in _codes(content)})


def strange_ops(content: bytes) -> set[str]:
    """The operations that a plain LiteRT runtime does not have.

    Args:
        content: bytes of a `.tflite` file.

    Returns:
        set of str, such as `{"FlexErfinv"}`; empty for a file that runs anywhere.
    """
    names = litert_ops(content)
    return {
        name.removeprefix("CUSTOM:") for name in names if name.startswith("CUSTOM:")
    }


def _codes(content):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    return [model.OperatorCodes(n) for n in range(model.OperatorCodesLength())]


def _name(code):
    from ai_edge_litert import schema_py_generated as schema

    if code.CustomCode():
        return f"CUSTOM:{code.CustomCode().decode()}"
    numbers = vars(schema.BuiltinOperator)
    # Old files keep numbers below 127 in the first field.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return next(name for name, value in numbers.items() if value == number)
