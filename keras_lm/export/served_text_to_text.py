"""Tokenizers, encoder-decoder and beam search as TensorFlow graphs.

Imported by the worker process only, on the TensorFlow backend.
"""

import tensorflow as tf  # noqa: TID253

from keras_lm.generation.beams import bind
from keras_lm.generation.plan import make_plan
from keras_lm.generation.samplers import get_sampler
from keras_lm.text import GraphTokenizer

_TEXT = tf.TensorSpec([None], tf.string, name="text")


class ServedTextToText:
    """Strings in, answers and scores out, as `TextToText` gives them.

    Shapes: `B` batch, `N` hypotheses, `S` source tokens, `T` target tokens.

    Args:
        pipeline: `TextToText`.
        beam_size: int, at least 1. Hypotheses that go on, and that `n_best` gives.
    """

    def __init__(self, pipeline, beam_size):
        self.pipeline = pipeline
        self.model = pipeline.model
        self.beam_size = beam_size
        self.source_tokenizer = GraphTokenizer(pipeline.source_tokenizer)
        self.target_tokenizer = self.source_tokenizer
        if pipeline.target_tokenizer is not pipeline.source_tokenizer:
            self.target_tokenizer = GraphTokenizer(pipeline.target_tokenizer)

    @tf.function(input_signature=[_TEXT], autograph=False)
    def serve(self, text):
        """The best answer to each of `text`, string `(B,)`, its score, its end."""
        limit = tf.constant(self.pipeline.max_new_tokens)
        answers, scores, finished = self._search(text, limit, 1)
        return {
            "answer": answers[:, 0],
            "score": scores[:, 0],
            "finished": finished[:, 0],
        }

    @tf.function(
        input_signature=[_TEXT, tf.TensorSpec([], tf.int32, name="max_new_tokens")],
        autograph=False,
    )
    def n_best(self, text, max_new_tokens):
        """The `N` best answers to each of `text`, best first."""
        answers, scores, finished = self._search(text, max_new_tokens, self.beam_size)
        return {"answers": answers, "scores": scores, "finished": finished}

    @tf.function(
        input_signature=[_TEXT, tf.TensorSpec([None], tf.string, name="answer")],
        autograph=False,
    )
    def score(self, text, answer):
        """Log-likelihoods of each `answer`, given the text beside it, nats."""
        count = tf.size(text)
        same = tf.debugging.Assert(
            tf.equal(count, tf.size(answer)),
            ["There must be as many texts as answers. Received:"]
            + [count, "texts and", tf.size(answer), "answers"],
        )
        with tf.control_dependencies([same]):
            source = self._sources(_at_least_one(text))
        targets = self.target_tokenizer.encode(_at_least_one(answer))
        num_tokens = tf.cast(targets.row_lengths(), tf.int32) + 1
        limit = self.model.max_sequence_length
        with tf.control_dependencies([_fits("A target", num_tokens, limit)]):
            separators = self._separators(tf.size(num_tokens))
        shown = tf.concat([separators, targets], axis=1).to_tensor()
        wanted = tf.concat([targets, separators], axis=1).to_tensor()
        real = tf.sequence_mask(num_tokens)  # (B, T)
        logits = self.model(
            encoder_token_ids=source["token_ids"],
            decoder_token_ids=shown,
            encoder_padding_mask=source["padding_mask"],
            decoder_padding_mask=real,
            training=False,
        )
        lost = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits)
        lost = tf.reduce_sum(lost * tf.cast(real, tf.float32), axis=1)
        return {
            "log_likelihood": 0.0 - lost[:count],
            "num_tokens": num_tokens[:count],
        }

    def _search(self, text, max_new_tokens, num_hypotheses):
        """Answers, scores, and whether they ended, each `(B, N)`.

        Nothing is the only answer to nothing.
        """
        count = tf.size(text)
        source = self._sources(_at_least_one(text))
        limit = self.model.max_sequence_length - 1
        possible = tf.debugging.Assert(
            (max_new_tokens >= 1) & (max_new_tokens <= limit),
            [f"`max_new_tokens` must be at least 1 and at most {limit}. Received:"]
            + [max_new_tokens],
        )
        with tf.control_dependencies([possible]):
            starts = self._separators(tf.shape(source["token_ids"])[0])
        begin, advance, end = bind(self._plan(num_hypotheses))
        inputs = {
            "token_ids": starts,
            "padding_mask": tf.ones_like(starts, tf.bool),
            "max_new_tokens": max_new_tokens,
            "source": source,
        }
        carry = begin(self.model, inputs, 1 + max_new_tokens)

        def goes_on(carry):
            return ~tf.reduce_all(carry["finished"])

        def turn(carry):
            return (_shaped_as(carry, advance(self.model, carry)),)

        found = end(tf.while_loop(goes_on, turn, (carry,))[0])
        token_ids, scores = found["token_ids"], found["score"]  # (B, N, T), (B, N)
        flat = tf.reshape(token_ids, [-1, tf.shape(token_ids)[2]])
        answers = tf.reshape(self.target_tokenizer.decode(flat), tf.shape(scores))
        # A text without tokens has its separator only.
        is_empty = tf.reduce_sum(tf.cast(source["padding_mask"], tf.int32), 1) == 1
        is_empty = tf.expand_dims(is_empty, 1)
        first = tf.expand_dims(tf.range(num_hypotheses) == 0, 0)
        answers = tf.where(is_empty | ~tf.math.is_finite(scores), "", answers)
        nothing = tf.where(first, 0.0, -float("inf"))
        scores = tf.where(is_empty, nothing, scores)
        stop = self.pipeline.target_tokenizer.separator_id
        finished = is_empty | tf.reduce_any(tf.equal(token_ids, stop), axis=2)
        finished &= tf.math.is_finite(scores)
        return answers[:count], scores[:count], finished[:count]

    def _sources(self, text):
        """Tokens and the separator, padded on the right: what the model begins with."""
        tokens = self.source_tokenizer.encode(text)  # (B, None)
        lengths = tf.cast(tokens.row_lengths(), tf.int32) + 1
        limit = self.pipeline.max_source_length
        with tf.control_dependencies([_fits("A source", lengths, limit)]):
            ends = tf.fill(
                [tf.size(text), 1], self.pipeline.source_tokenizer.separator_id
            )
        token_ids = tf.concat([tokens, ends], axis=1).to_tensor()
        return {"token_ids": token_ids, "padding_mask": tf.sequence_mask(lengths)}

    def _separators(self, count):
        return tf.fill([count, 1], self.pipeline.target_tokenizer.separator_id)

    def _plan(self, num_hypotheses):
        return make_plan(
            self.model,
            beam_size=self.beam_size,
            num_hypotheses=num_hypotheses,
            num_groups=1,
            alternatives=False,
            sampler=get_sampler("greedy"),
            stop_token_ids=(self.pipeline.target_tokenizer.separator_id,),
            length_penalty=1.0,
            coverage_penalty=0.0,
            patience=1.0,
            diversity_penalty=0.0,
            min_new_tokens=0,
            with_attention=False,
            has_start=True,
        )


def _at_least_one(text):
    """A batch of no text becomes one of an empty text: some ops want a row."""
    return tf.concat([text, tf.fill([1 - tf.minimum(tf.size(text), 1)], "")], axis=0)


def _fits(name, lengths, limit):
    return tf.debugging.Assert(
        tf.reduce_all(lengths <= limit),
        [f"{name} must have at most {limit} tokens, its separator included. Received:"]
        + [lengths, "tokens"],
    )


def _shaped_as(before, after):
    """What a step gives, with the sizes that its arrays are known to keep."""

    def shaped(old, new):
        new.set_shape(old.shape)
        return new

    return tf.nest.map_structure(shaped, before, after)
