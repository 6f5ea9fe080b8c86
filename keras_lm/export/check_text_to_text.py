"""Runs exports of a `TextToText` in a process without keras_lm, and compares.

    python -P run_check.py check_text_to_text.py JOB.json

`JOB.json` names the exports, see `run_check.py`, and holds what the model answered:

    {"sources": ["…"],                 lone surrogates stand for invalid bytes
     "answers": ["…"],                 what the model says to each, by beam search
     "greedy_answers": ["…"]}          and greedily

and the numbers of `text_to_text_kind.reference`. The last line printed is
`{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with `answers`, `equal` (one
bool a source), `agrees`, `greedy_agreement` (of answers; of LiteRT's tokens),
`largest_difference`, `finite` and `size_bytes`; of a SavedModel also `scores` and
`finished`, of LiteRT `spread`.
"""

import json
from pathlib import Path

import numpy as np


def check_saved_model(path, job, tools):
    """Answers of `serving_default`, and log-likelihoods of `score`.

    Args:
        path: str. The version folder.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    import tensorflow as tf
    import tensorflow_text  # noqa: F401, its ops

    model = tf.saved_model.load(path)
    sources = tools.strings(job["sources"])
    targets = tools.strings(job["targets"])
    served = model.signatures["serving_default"](text=sources)
    answers = [text.decode("utf-8") for text in served["answer"].numpy()]
    scored = model.signatures["score"](text=sources, answer=targets)
    scored = scored["log_likelihood"].numpy().astype("float64")
    per_token = np.abs(scored - job["log_likelihoods"]) / job["num_tokens"]
    return {
        "answers": answers,
        **tools.judged(per_token, _equal(answers, job["answers"])),
        "scores": served["score"].numpy().tolist(),
        "finished": served["finished"].numpy().tolist(),
        "finite": bool(np.isfinite(scored).all()),
    }


def check_litert(path, job, tools):
    """Greedy answers of the three signatures, and their logits step by step.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    translator = LiteRTTranslator(path)
    answers = [translator.answer(tools.as_bytes(text)) for text in job["sources"]]
    equal = _equal(answers, job["greedy_answers"])
    found = _follow(translator, job, tools)
    return {**found, "answers": answers, "equal": equal, "agrees": all(equal)}


class LiteRTTranslator:
    """Answers with ai-edge-litert, numpy and sentencepiece alone.

    Args:
        path: str. The `.tflite` file, with its `.json`, `.source_tokenizer.model` and
            `.target_tokenizer.model` beside.
    """

    def __init__(self, path):
        import sentencepiece
        from ai_edge_litert.interpreter import Interpreter

        path = Path(path)
        self.about = json.loads(path.with_suffix(".json").read_text("utf-8"))
        self.pieces = {
            side: sentencepiece.SentencePieceProcessor(
                model_file=str(path.with_suffix(f".{side}_tokenizer.model"))
            )
            for side in ("source", "target")
        }
        self.interpreter = Interpreter(str(path))
        self.runners = {
            name: self.interpreter.get_signature_runner(name)
            for name in self.about["signatures"]
        }

    def encode(self, source_ids):
        """`(source, state)`, before the first target token."""
        given = self.runners["encode"](token_ids=np.array([source_ids], "int32"))
        return tuple(
            {name: given[name] for name in self.about[kind]}
            for kind in ("source", "state")
        )

    def step(self, token_ids, source, state):
        """`(logits (V,), state)` after more target tokens."""
        runner = self.runners["decode" if len(token_ids) == 1 else "prefill"]
        state = runner(token_ids=np.array([token_ids], "int32"), **source, **state)
        return state.pop("logits")[0], state

    def answer(self, text):
        """The greedy answer to a text, UTF-8 bytes."""
        escapes = self.about["source_tokenizer"]["escapes"]
        text = text.decode("utf-8", "replace")
        for plain, escaped in escapes:
            text = text.replace(plain, escaped)
        source_ids = self.pieces["source"].encode(text)
        if not source_ids:
            return ""
        end = self.about["source_tokenizer"]["separator_id"]
        source, state = self.encode([*source_ids, end])
        token = separator = self.about["target_tokenizer"]["separator_id"]
        said = []
        while len(said) < self.about["max_new_tokens"]:
            logits, state = self.step([token], source, state)
            token = int(logits.argmax())
            if token == separator:
                break
            said.append(token)
        text = b"".join(map(self._bytes, said)).decode("utf-8", "replace")
        for plain, escaped in reversed(escapes):
            text = text.replace(escaped, plain)
        return text

    def _bytes(self, token):
        pieces = self.pieces["target"]
        if pieces.is_control(token) or pieces.is_unknown(token):
            return b""
        piece = pieces.id_to_piece(token)
        if pieces.is_byte(token):  # "<0x0A>"
            return bytes([int(piece[3:5], 16)])
        return piece.replace("\u2581", " ").encode("utf-8")


def _follow(translator, job, tools):
    """Shows LiteRT the model's own tokens and compares all logits on the way.

    `prefill` reads the first half of an answer, `decode` the others.
    """
    expected = np.load(job["logits_path"], mmap_mode="r")
    differences, equal, spreads, finite = [], [], [], True
    for row, source_ids, tokens in zip(expected, job["source_ids"], job["target_ids"]):
        source, state = translator.encode(source_ids)
        first = (len(tokens) + 1) // 2
        steps = [tokens[:first], *([token] for token in tokens[first:])]
        for place, some in enumerate(steps, start=first - 1):
            logits, state = translator.step(some, source, state)
            finite = finite and bool(np.isfinite(logits).all())
            differences.append(float(np.abs(logits - row[place]).max()))
            equal.append(tools.same_choice(logits.argmax(), row[place]))
            spreads.append(float(row[place].std()))
    found = tools.judged(differences, equal)
    return {**found, "finite": finite, "spread": float(np.mean(spreads))}


def _equal(answers, expected):
    return [one == other for one, other in zip(answers, expected)]
