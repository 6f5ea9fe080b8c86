"""Tokenizer, roles, decoder and decoding loop as TensorFlow graphs: how a chat goes on.

Imported by the worker process only, on the TensorFlow backend.
"""

import tensorflow as tf  # noqa: TID253

from keras_lm.export.graph_chat import first_place, graph_chat_rows
from keras_lm.export.served_text_generator import ServedGenerator

_ROLE = tf.TensorSpec([None, None], tf.string, name="role")
_CONTENT = tf.TensorSpec([None, None], tf.string, name="content")


class ServedChat:
    """Tokenizer, layout, model and decoding loop as graphs.

    Args:
        pipeline: `ChatGenerator`.
    """

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.generator = ServedGenerator(pipeline)
        self.graph_tokenizer = self.generator.graph_tokenizer

    @tf.function(input_signature=[_ROLE, _CONTENT], autograph=False)
    def serve(self, role, content):
        """Replies to turns, strings `(B, N)`, greedily."""
        max_new_tokens = tf.constant(self.pipeline.max_new_tokens)
        new_tokens = self._reply(role, content, max_new_tokens)
        return {"reply": self.graph_tokenizer.decode(new_tokens)}

    @tf.function(
        input_signature=[
            _ROLE,
            _CONTENT,
            tf.TensorSpec([], tf.int32, name="max_new_tokens"),
            tf.TensorSpec([], tf.float32, name="temperature"),
            tf.TensorSpec([], tf.int32, name="seed"),
        ],
        autograph=False,
    )
    def generate(self, role, content, max_new_tokens, temperature, seed):
        """Replies to turns, drawn; `temperature` 0 is greedy."""
        new_tokens = self._reply(role, content, max_new_tokens, temperature, seed)
        is_text = tf.cast(new_tokens != self.generator.separator, tf.int32)
        return {
            "reply": self.graph_tokenizer.decode(new_tokens),
            "num_new_tokens": tf.reduce_sum(is_text, axis=1),
        }

    @tf.function(input_signature=[_ROLE, _CONTENT], autograph=False)
    def score(self, role, content):
        """Log-likelihoods of the last turns, given those before, nats."""
        room = tf.constant(self.pipeline.model.max_sequence_length)
        rows, last = self._rows(role, content, room, answers=False)
        count = tf.shape(role)[0]
        place = first_place(last[:count] == 0)
        has_one = tf.debugging.Assert(
            tf.equal(tf.size(place), 0),
            [
                "A conversation must have a turn to score. Received: none in "
                "conversation",
                place,
            ],
        )
        with tf.control_dependencies([has_one]):
            num_tokens = last - 1  # but for the role's token
        lengths = tf.cast(rows.row_lengths(), tf.int32)
        nats = self.generator.log_likelihoods(rows, lengths - num_tokens)
        return {"log_likelihood": nats[:count], "num_tokens": num_tokens[:count]}

    def _reply(self, role, content, max_new_tokens, temperature=None, seed=0):
        limit = self.pipeline.model.max_sequence_length
        in_range = tf.debugging.Assert(
            (max_new_tokens >= 1) & (max_new_tokens <= limit - 2),
            [
                "`max_new_tokens` must be an int, at least 1, and leave room for 2 "
                f"tokens more in the model's max_sequence_length={limit}. "
                "Received: max_new_tokens=",
                max_new_tokens,
            ],
        )
        with tf.control_dependencies([in_range]):
            room = limit - max_new_tokens - 2
        rows, _ = self._rows(role, content, room, answers=True)
        new_tokens = self.generator.continued(rows, max_new_tokens, temperature, seed)
        return new_tokens[: tf.shape(role)[0]]

    def _rows(self, role, content, room, answers):
        tokenizer = self.pipeline.tokenizer
        return graph_chat_rows(
            self.graph_tokenizer, tokenizer, role, content, room, answers
        )
