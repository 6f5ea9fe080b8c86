"""Runs exports of a `TextToText` in a process without keras_lm, and compares.

    python -P check_text_to_text.py JOB.json

imports neither keras_lm nor keras (TensorFlow loads Keras by itself); for LiteRT alone
not even TensorFlow. `JOB.json` names the exports and what the model answered:

    {"saved_model": "…/1",             a version folder; may be left out
     "litert": "….tflite",             with its .json and tokenizers; may be too
     "sources": ["…"],                 lone surrogates stand for invalid bytes
     "answers": ["…"],                 what the model says to each, by beam search
     "greedy_answers": ["…"]}          and greedily

and the numbers of `text_to_text_kind.reference`. The last line printed is
`{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with `answers`, `equal` (one
bool a source), `agrees`, `greedy_agreement` (of answers; of LiteRT's tokens),
`largest_difference`, `finite` and `size_bytes`; of a SavedModel also `scores`, of
LiteRT `spread`.
"""

import json
import sys
from pathlib import Path

import numpy as np


def check_saved_model(path, job):
    """Answers of `serving_default`, and log-likelihoods of `score`.

    Args:
        path: str. The version folder.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    import tensorflow as tf
    import tensorflow_text  # noqa: F401, its ops

    model = tf.saved_model.load(path)
    sources = tf.constant([_bytes(text) for text in job["sources"]], tf.string)
    targets = tf.constant([_bytes(text) for text in job["targets"]], tf.string)
    served = model.signatures["serving_default"](text=sources)
    answers = [text.decode("utf-8") for text in served["answer"].numpy()]
    scored = model.signatures["score"](text=sources, answer=targets)
    scored = scored["log_likelihood"].numpy().astype("float64")
    per_token = np.abs(scored - job["log_likelihoods"]) / job["num_tokens"]
    return {
        **_compare(answers, job["answers"]),
        "scores": served["score"].numpy().tolist(),
        "largest_difference": float(per_token.max(initial=0.0)),
        "finite": bool(np.isfinite(scored).all()),
        "size_bytes": _size_bytes(Path(path)),
    }


def check_litert(path, job):
    """Greedy answers of the three signatures, and their logits step by step.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    translator = LiteRTTranslator(path)
    answers = [translator.answer(_bytes(text)) for text in job["sources"]]
    return {
        **_compare(answers, job["greedy_answers"]),
        **_follow(translator, job),
        "size_bytes": _size_bytes(Path(path)),
    }


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


def _follow(translator, job):
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
            equal.append(_same_choice(logits, row[place]))
            spreads.append(float(row[place].std()))
    return {
        "finite": finite,
        "largest_difference": float(np.max(differences, initial=0.0)),
        "greedy_agreement": float(np.mean(equal)),
        "spread": float(np.mean(spreads)),
    }


def _same_choice(logits, expected):
    # Where the model's own two best are this close, either is its choice.
    return bool(expected[logits.argmax()] >= expected.max() - 1e-5)


def _compare(answers, expected):
    equal = [one == other for one, other in zip(answers, expected)]
    return {
        "answers": answers,
        "equal": equal,
        "agrees": all(equal),
        "greedy_agreement": float(np.mean(equal)),
    }


def _bytes(text):
    return text.encode("utf-8", "surrogateescape")


def _size_bytes(path):
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def main():
    """Reads the job, prints the answer."""
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    checks = {"saved_model": check_saved_model, "litert": check_litert}
    answer = {name: checks[name](job[name], job) for name in checks if name in job}
    strangers = {"keras_lm"} & set(sys.modules)
    if strangers:
        raise RuntimeError(f"This must run without {sorted(strangers)}")
    print(json.dumps({"keras_lm": answer}))


if __name__ == "__main__":
    main()
