"""A model's steps as TensorFlow graphs, one text at a time: what LiteRT runs.

The state goes in and out by name. Its parts are `state_..`, after each step others; an
encoder-decoder has `source_..` besides, what it knows of the source, which steps read
only. Imported by the worker process only, on the TensorFlow backend.
"""

import keras
import tensorflow as tf  # noqa: TID253


def decoder_signatures(model) -> dict:
    """`prefill` and `decode` of a decoder, which share one set of weights.

    Args:
        model: answers the decoding protocol.

    Returns:
        dict of concrete functions. Each takes `token_ids` and the state by name, and
        gives `logits (1, V)` of the last position and the state after it.
    """
    return _step_signatures(model, _empty_state(model), decoder_specs(model))


def encoder_decoder_signatures(model) -> dict:
    """`encode`, `prefill` and `decode` of an encoder-decoder.

    Args:
        model: answers the decoding protocol; begins with a source.

    Returns:
        dict of concrete functions. `encode` takes the source's `token_ids (1, S)` and
        gives all that the others take besides theirs: the state, which they give back
        changed, and the source, which they do not.
    """

    def encode(token_ids):
        return by_name(_encoded(model, token_ids))

    source_ids = tf.TensorSpec([1, None], tf.int32, name="token_ids")
    encode = tf.function(encode, autograph=False)
    nested = _encoded(model, tf.zeros([1, 1], tf.int32))
    return {
        "encode": encode.get_concrete_function(token_ids=source_ids),
        **_step_signatures(model, nested, encoder_decoder_specs(model)),
    }


def decoder_specs(model) -> dict[str, tf.TensorSpec]:
    """The state of one text, by name.

    Args:
        model: answers the decoding protocol.

    Returns:
        dict, such as `{"state_clock_index": .., "state_rows_0_key": ..}`.
    """
    return _specs(by_name(_empty_state(model)))


def encoder_decoder_specs(model) -> dict[str, tf.TensorSpec]:
    """State and source of one text, by name.

    Args:
        model: answers the decoding protocol; begins with a source.

    Returns:
        dict; an axis of the source's length has no size.
    """
    one, other = (
        _specs(by_name(_encoded(model, tf.zeros([1, length], tf.int32))))
        for length in (2, 3)
    )
    return {
        name: tf.TensorSpec(
            [
                size if size == other_size else None
                for size, other_size in zip(spec.shape, other[name].shape, strict=True)
            ],
            spec.dtype,
            name=name,
        )
        for name, spec in one.items()
    }


def by_name(state) -> dict[str, tf.Tensor]:
    """The parts of a state by the names that a file gives them.

    Args:
        state: nested, of the decoding protocol.

    Returns:
        dict, in the order of `keras.tree.flatten`.
    """
    return {
        "_".join(map(str, path if path[0] == "source" else ("state", *path))): (
            tf.convert_to_tensor(array)
        )
        for path, array in keras.tree.flatten_with_path(state)
    }


def _empty_state(model):
    return model.initial_state(1, model.max_sequence_length)


def _encoded(model, token_ids):
    return model.initial_state({"token_ids": token_ids}, model.max_sequence_length)


def _step_signatures(model, nested, specs):
    def step(token_ids, **given):
        state = keras.tree.pack_sequence_as(nested, [given[name] for name in specs])
        logits, state = model.step(token_ids, state, last_only=True)
        after = by_name(state)
        changed = {name: after[name] for name in specs if name.startswith("state_")}
        return {"logits": logits[:, -1], **changed}

    step = tf.function(step, autograph=False)
    lengths = {"prefill": None, "decode": 1}
    return {
        name: step.get_concrete_function(
            token_ids=tf.TensorSpec([1, length], tf.int32, name="token_ids"), **specs
        )
        for name, length in lengths.items()
    }


def _specs(arrays):
    return {
        name: tf.TensorSpec(array.shape, array.dtype, name=name)
        for name, array in arrays.items()
    }
