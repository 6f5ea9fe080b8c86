"""Which tokens begin, end and pad a text, in the files of pretrained models."""

# What a tokenizer of ours knows, by their names in `config.json`.
_OURS = {"pad_token_id": "padding_id", "eos_token_id": "separator_id"}
_ENDING = "_token_id"
_NOTHING = {"special_tokens": {}, "generation": {}}


def kept_settings(config: dict, generation: dict) -> dict:
    """What is kept of files that are read, for the day that the model is written.

    Args:
        config: of `config.json`.
        generation: of `generation_config.json`, or empty.

    Returns:
        dictionary: `special_tokens`, ids by their names in `config.json`, and
        `generation`.
    """
    known = {name: config[name] for name in config if name.endswith(_ENDING)}
    return {"special_tokens": known, "generation": generation}


def special_tokens(model, tokenizer, given: dict | None = None) -> tuple[dict, dict]:
    """What is written of special tokens.

    Args:
        model: with the `kept_settings` of its files, if it was read from some. They
            hold as long as the tokenizer has their padding and their end.
        tokenizer: with `padding_id` and `separator_id` if it has them; or `None`.
        given: ids that come before all others, by their names in `config.json`.

    Returns:
        `(ids, generation)`: ids, lists of ids or `None`, by their names in
        `config.json`; and all of `generation_config.json`, empty for no such file.

    Raises:
        ValueError: a name in `given` is none of an id.
    """
    given = given or {}
    wrong = [name for name in given if not str(name).endswith(_ENDING)]
    if wrong:
        raise ValueError(
            "`special_tokens` must have the names of config.json, as "
            f"'decoder_start_token_id'. Received: {wrong}"
        )
    found = {theirs: getattr(tokenizer, ours, None) for theirs, ours in _OURS.items()}
    found = {name: token_id for name, token_id in found.items() if token_id is not None}
    settings = getattr(model, "kept_settings", _NOTHING)
    kept, generation = settings["special_tokens"], settings["generation"]
    if any(_differ(kept.get(name), token_id) for name, token_id in found.items()):
        kept, generation = {}, {}
    unknown = {name: None for name in kept if kept[name] is None}
    known = {name: kept[name] for name in kept.keys() - unknown.keys()}
    ids = {**unknown, **found, **known, **given}
    return ids, {**generation, **given} if generation else {}


def _differ(kept, token_id):
    """Whether an id is not what the files say; they may name several ends."""
    return kept is not None and token_id not in (
        kept if isinstance(kept, list) else [kept]
    )
