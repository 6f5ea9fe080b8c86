"""Options of a search that a pipeline hands on: which are known there."""

import inspect

from keras_lm.generation import beam_search

# Arguments of `beam_search` that say nothing of texts: the pipeline gives them.
_OURS = {"model", "inputs", "padding_mask", "return_attention"}
_OURS |= {"start_token_id", "stop_token_ids"}
_KNOWN = {*inspect.signature(beam_search).parameters, "max_batch_tokens"} - _OURS
_KNOWN |= {"replace_unknown"}


def check_search_options(options: dict, *others: str) -> None:
    """Refuses what is no option of a text's search.

    Args:
        options: dictionary by name.
        *others: options of `generation.beam_search` that are none here.

    Raises:
        TypeError: there is another one.

    Example:
        >>> check_search_options({"length_penalty": 0.6})
    """
    known = sorted(_KNOWN - {*others})
    wrong = [name for name in options if name not in known]
    if wrong:
        raise TypeError(
            f"Options must be among {', '.join(known)}. "
            f"Received: {wrong[0]}={options[wrong[0]]!r:.50}"
        )
