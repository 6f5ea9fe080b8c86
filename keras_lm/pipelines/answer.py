"""What a model answers to a text, and what is known of the answer."""

from typing import NamedTuple


class Answer(NamedTuple):
    """One answer, and how `generation.beam_search` scored it.

    Of a text that was cut into slices the score is the sum over these, and the answer
    has finished where that to each slice has.

    Args:
        text: str.
        score: float: the log-likelihood in nats, over a penalty that grows with the
            length. The higher, the better.
        finished: bool. Whether the model ended it. If not, it was cut off at
            `max_new_tokens`, and more of them may give more text.

    Example:
        >>> from keras_lm.pipelines.answer import Answer
        >>> Answer("un chat", score=-0.5, finished=True).text
        'un chat'
    """

    text: str
    score: float
    finished: bool
