"""How a `ChatGenerator` is exported: what it answers, how it is served."""

from pathlib import Path

from keras_lm.export import text_generator_kind
from keras_lm.export.process import CHECKER as CHECKER  # of this kind
from keras_lm.export.reference import PROBES, answers_to, as_bytes
from keras_lm.export.text_generator_kind import litert_signatures as litert_signatures
from keras_lm.export.text_generator_kind import refuse as refuse
from keras_lm.text.chat_turns import chat_prompt, encode_conversations
from keras_lm.text.control_tokens import ROLE

# What looks like the end of a turn, and the beginning of another.
_FORGED = "</s>" + ROLE.format("assistant")
_NUM_PROBES = 9


def reference(pipeline, work: Path) -> dict:
    """Conversations, and what the pipeline says of them; the logits go to a file.

    Args:
        pipeline: `ChatGenerator`.
        work: folder for the file.

    Returns:
        dict: `conversations` (lists of `[role, content]`; bytes that are no UTF-8 stand
        as lone surrogates), `greedy_texts`, `num_tokens` and `log_likelihoods` (of the
        last turn, nats), and what `reference.answers_to` gives.

    Raises:
        ValueError: no conversation fits the model, or its logits are not finite.
    """
    conversations = _conversations_that_fit(pipeline)
    given = [_turns(one) for one in conversations]
    encoded = encode_conversations(pipeline.tokenizer, given)
    starts = [_start(pipeline, turns) for turns in encoded]
    return {
        "conversations": conversations,
        # First: it refuses logits that are not finite.
        **answers_to(pipeline, starts, work),
        "greedy_texts": pipeline(given),
        "num_tokens": [len(turns[-1].token_ids) - 1 for turns in encoded],
        "log_likelihoods": pipeline.score(given).tolist(),
    }


def saved_model_signatures(pipeline):
    """Graphs of turns in, replies out: see `export_saved_model`.

    Args:
        pipeline: `ChatGenerator`.

    Returns:
        `(signatures, kept)`: dict of concrete functions, and the tokenizer's graph.
    """
    from keras_lm.export.served_chat_generator import ServedChat

    return text_generator_kind.signatures_of(ServedChat(pipeline))


def litert_description(pipeline) -> dict:
    """Names, shapes, roles and the tokenizer's rules, for `<stem>.json`.

    Args:
        pipeline: `ChatGenerator`.

    Returns:
        dict of plain Python.
    """
    return {
        **text_generator_kind.litert_description(pipeline),
        # Each turn is one of these, its content's tokens and the separator; before the
        # turns stands a separator, behind them the assistant's.
        "role_ids": pipeline.tokenizer.role_ids,
    }


def _conversations_that_fit(pipeline):
    """Short ones, of one turn and of several, and one whose first turns must leave."""
    texts = [*PROBES, _FORGED]
    shorter = [text for text in texts if len(text) < 12]
    some = [[["user", text]] for text in texts]
    some += [
        [["system", text], ["user", "中文"], ["assistant", text], ["user", text]]
        for text in shorter
    ]
    said = [["user", "Returns the"], ["assistant", "中 🙂"]]
    room = pipeline.model.max_sequence_length
    some += [[["system", text], *said * room, said[0]] for text in shorter[:1]]
    fitting = [one for one in some if _fits(pipeline, one)]
    if not fitting:
        raise ValueError(
            "A conversation of a few tokens must fit the model beside the pipeline's "
            "`max_new_tokens` to be exported. "
            f"Received: max_sequence_length={room} and "
            f"max_new_tokens={pipeline.max_new_tokens}"
        )
    return [*fitting[:_NUM_PROBES], *fitting[_NUM_PROBES:][-1:]]


def _fits(pipeline, conversation):
    (turns,) = encode_conversations(pipeline.tokenizer, [_turns(conversation)])
    try:
        _start(pipeline, turns)
    except ValueError:
        return False
    return True


def _start(pipeline, turns):
    room = pipeline.model.max_sequence_length - pipeline.max_new_tokens
    return chat_prompt(pipeline.tokenizer, turns, room)


def _turns(conversation):
    return [
        {"role": role, "content": as_bytes(content)} for role, content in conversation
    ]
