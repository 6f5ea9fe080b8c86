"""Tokenizer, decoder and decoding loop as TensorFlow graphs: how a text is continued.

Imported by the worker process only, on the TensorFlow backend.
"""

import tensorflow as tf  # noqa: TID253

from keras_lm.backend import tensorflow as backend
from keras_lm.generation.decoding import bind
from keras_lm.text import GraphTokenizer

_TEXT = tf.TensorSpec([None], tf.string, name="text")


class ServedGenerator:
    """Tokenizer, model and decoding loop as graphs.

    Args:
        pipeline: `TextGenerator`, or another with its model and tokenizer.
    """

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.model = pipeline.model
        self.separator = pipeline.tokenizer.separator_id
        self.graph_tokenizer = GraphTokenizer(pipeline.tokenizer)

    @tf.function(input_signature=[_TEXT], autograph=False)
    def serve(self, text):
        """Continuations of `text`, string `(B,)`, greedily."""
        max_new_tokens = tf.constant(self.pipeline.max_new_tokens)
        new_tokens = self.continued(self._encode(text), max_new_tokens)
        new_tokens = new_tokens[: tf.size(text)]
        return {"generated_text": self.graph_tokenizer.decode(new_tokens)}

    @tf.function(
        input_signature=[
            _TEXT,
            tf.TensorSpec([], tf.int32, name="max_new_tokens"),
            tf.TensorSpec([], tf.float32, name="temperature"),
            tf.TensorSpec([], tf.int32, name="seed"),
        ],
        autograph=False,
    )
    def generate(self, text, max_new_tokens, temperature, seed):
        """Continuations of `text`, drawn; `temperature` 0 is greedy."""
        prompts = self._encode(text)
        new_tokens = self.continued(prompts, max_new_tokens, temperature, seed)
        new_tokens = new_tokens[: tf.size(text)]
        is_text = tf.cast(new_tokens != self.separator, tf.int32)
        return {
            "generated_text": self.graph_tokenizer.decode(new_tokens),
            "num_new_tokens": tf.reduce_sum(is_text, axis=1),
        }

    @tf.function(input_signature=[_TEXT], autograph=False)
    def score(self, text):
        """Log-likelihoods of `text` after a separator, nats."""
        token_ids = self._encode(text)  # (B, None)
        num_tokens = tf.cast(token_ids.row_lengths(), tf.int32) - 1
        nats = self.log_likelihoods(token_ids, tf.ones_like(num_tokens))
        count = tf.size(text)
        return {"log_likelihood": nats[:count], "num_tokens": num_tokens[:count]}

    def log_likelihoods(self, token_ids, first):
        """Log-likelihoods of the end of rows, given their beginning.

        Args:
            token_ids: ragged int32 `(B, None)`.
            first: int32 `(B,)`, at least 1: the place of the first token counted.

        Returns:
            float32 `(B,)`, nats.
        """
        num_tokens = tf.cast(token_ids.row_lengths(), tf.int32) - 1
        limit = self.model.max_sequence_length
        checks = [
            tf.debugging.Assert(
                tf.reduce_all(num_tokens <= limit),
                [f"A text must fit the model's max_sequence_length={limit}. Received:"]
                + [num_tokens, "tokens"],
            )
        ]
        with tf.control_dependencies(checks):
            width = tf.maximum(tf.reduce_max(num_tokens), 1) + 1
        token_ids = _dense(token_ids, width)
        logits = self.model(token_ids[:, :-1], training=False)
        lost = tf.nn.sparse_softmax_cross_entropy_with_logits(
            token_ids[:, 1:], logits
        )  # (B, T), nats
        real = tf.sequence_mask(num_tokens, width - 1)
        counted = real & ~tf.sequence_mask(first - 1, width - 1)
        return 0.0 - tf.reduce_sum(tf.where(counted, lost, 0.0), axis=1)

    def _encode(self, text):
        """Ragged int32 `(B, None)`: the separator, then the text's tokens."""
        # A batch of no text becomes one of an empty text: some ops want a row.
        text = tf.concat([text, tf.fill([1 - tf.minimum(tf.size(text), 1)], "")], 0)
        first = tf.fill([tf.size(text), 1], self.separator)
        return tf.concat([first, self.graph_tokenizer.encode(text)], axis=1)

    def continued(self, prompts, max_new_tokens, temperature=None, seed=0):
        """What comes after prompts.

        Args:
            prompts: ragged int32 `(B, None)`, at least one row.
            max_new_tokens: int32 `()`.
            temperature: float32 `()`, 0 for greedy; or `None`, greedy.
            seed: int32 `()`.

        Returns:
            int32 `(B, N)`: new token ids, the separator after the end.
        """
        token_ids, padding_mask = self._left_padded(prompts, max_new_tokens)
        model = self.model
        begin, advance = bind(_sampler(temperature), (self.separator,))
        num_slots = tf.shape(token_ids)[1] + max_new_tokens
        noise = _noise(temperature, seed, 0)
        carry = begin(model, token_ids, padding_mask, num_slots, noise)
        # Rows that the loop does not reach hold the separator: nothing, decoded.
        new_tokens = tf.fill([max_new_tokens, tf.shape(token_ids)[0]], self.separator)
        new_tokens = _set_row(new_tokens, 0, carry["token"])

        def goes_on(step, carry, new_tokens):
            return (step < max_new_tokens) & ~tf.reduce_all(carry["finished"])

        def turn(step, carry, new_tokens):
            carry = advance(model, carry, _noise(temperature, seed, step))
            return step + 1, carry, _set_row(new_tokens, step, carry["token"])

        loop = (tf.constant(1), carry, new_tokens)
        new_tokens = tf.while_loop(goes_on, turn, loop)[2]
        return tf.transpose(new_tokens)

    def _left_padded(self, prompts, max_new_tokens):
        """Prompts with padding on the left, int32 and bool `(B, P)`."""
        lengths = tf.cast(prompts.row_lengths(), tf.int32)
        limit = self.model.max_sequence_length
        checks = [
            tf.debugging.Assert(
                max_new_tokens >= 1,
                ["`max_new_tokens` must be at least 1. Received:", max_new_tokens],
            ),
            tf.debugging.Assert(
                tf.reduce_all(lengths + max_new_tokens <= limit),
                [
                    "Prompt and new tokens must fit the model's max_sequence_length="
                    f"{limit}. Received: prompt tokens",
                    lengths,
                    "and max_new_tokens",
                    max_new_tokens,
                ],
            ),
        ]
        with tf.control_dependencies(checks):
            width = tf.maximum(tf.reduce_max(lengths), 1)
        on_the_right = _dense(prompts, width)
        moved = width - tf.expand_dims(lengths, 1)  # (B, 1)
        places = tf.expand_dims(tf.range(width), 0) - moved  # (B, P)
        token_ids = tf.gather(on_the_right, tf.maximum(places, 0), batch_dims=1)
        return token_ids, places >= 0


def _dense(ragged, width):
    """`(B, width)`, padding on the right; `width` may be more than the longest row."""
    dense = ragged.to_tensor()
    return tf.pad(dense, [[0, 0], [0, width - tf.shape(dense)[1]]])


def _sampler(temperature):
    def scaled(logits, history, visible):
        if temperature is None:
            return logits
        return logits / tf.where(temperature > 0, temperature, 1.0)

    return scaled


def _noise(temperature, seed, step):
    def noise(shape):
        if temperature is None:
            return 0.0
        return tf.cast(temperature > 0, tf.float32) * backend.gumbel(seed, step)(shape)

    return noise


def _set_row(array, index, row):
    return tf.tensor_scatter_nd_update(array, [[index]], [row])
