"""How the converter's log becomes one sentence."""

import pytest

from keras_lm.export import ExportError, litert_writer


@pytest.mark.once
@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("Could not translate\n\nTF Select ops: Erf\n", "Received: Erf in "),
        ("error: 'tf.Erf' op is neither a custom op", "Received: Erf in "),
        (
            "\nsomething else\nand more",
            "must accept the model. Received: something else",
        ),
    ],
)
def test_the_converters_log_becomes_one_sentence(log, words):
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default(), tf.name_scope("block_1/attention"):
        tf.math.erf(tf.zeros([2]))

    error = litert_writer.refusal(RuntimeError(log), graph)

    assert isinstance(error, ExportError)
    assert words in str(error)
    assert "\n" not in str(error)
    assert "Erf" not in log or str(error).endswith("block_1/attention")
