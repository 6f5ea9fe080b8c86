"""Runs exports in a process without keras_lm, and compares them with the model.

    python -P check_exports.py JOB.json

imports neither keras_lm nor keras (TensorFlow loads Keras by itself); for LiteRT alone
not even TensorFlow. `JOB.json` names the exports and what the model answered:

    {"saved_model": "…/1",             a version folder; may be left out
     "litert": "….tflite",             with its .json and .tokenizer.model; may be too
     "prompts": ["…"],                 lone surrogates stand for invalid bytes
     "conversations": [[["…", "…"]]],  in their place, of a chat: role and content
     "greedy_texts": ["…"]}            what the model says to each, greedily

and, from the exporters, the numbers of `reference.py`. The last line printed is
`{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with `greedy_texts`, `equal`
(one bool a prompt), `agrees`, `tokens_per_second`, `size_bytes`, and, where the
numbers were given, `largest_difference`, `greedy_agreement` and `finite`.
"""

import json
import sys
import time
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
    given = _given(job)
    (served,) = model.signatures["serving_default"](**given).values()
    texts = [text.decode("utf-8") for text in served.numpy()]
    answer = {
        **_compare_texts(texts, job),
        "tokens_per_second": _speed(model.signatures["generate"], given, job),
        "size_bytes": _size_bytes(Path(path)),
    }
    if "log_likelihoods" in job:
        score = model.signatures["score"]
        scored = score(**given)["log_likelihood"].numpy().astype("float64")
        per_token = np.abs(scored - job["log_likelihoods"])
        per_token /= np.maximum(job["num_tokens"], 1)
        answer["finite"] = bool(np.isfinite(scored).all())
        answer["largest_difference"] = float(per_token.max(initial=0.0))
        answer["greedy_agreement"] = float(np.mean(answer["equal"]))
    return answer


def _given(job):
    """What a signature takes: texts; or roles and contents, "" where a turn is none."""
    import tensorflow as tf

    if "prompts" in job:
        prompts = [_bytes(prompt) for prompt in job["prompts"]]
        return {"text": tf.constant(prompts, tf.string)}
    most = max(map(len, job["conversations"]))
    rows = [turns + [["", ""]] * (most - len(turns)) for turns in job["conversations"]]
    return {
        name: tf.constant([[_bytes(turn[side]) for turn in row] for row in rows])
        for side, name in enumerate(("role", "content"))
    }


def _speed(generate, given, job):
    import tensorflow as tf

    # What was found to fit, if that is known, and no more.
    max_new_tokens = min(8, job.get("max_new_tokens", 8))
    arguments = {
        **given,
        "max_new_tokens": tf.constant(max_new_tokens),
        "temperature": tf.constant(0.0),
        "seed": tf.constant(0),
    }
    generate(**arguments)  # the first call plans the graph
    start = time.perf_counter()
    count = generate(**arguments)["num_new_tokens"].numpy().sum()
    return float(count / (time.perf_counter() - start))


def check_litert(path, job):
    """Greedy texts of `prefill` and `decode`, and their logits step by step.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    generator = LiteRTGenerator(path)
    start = time.perf_counter()
    if "prompts" in job:
        rows = [generator.prompt_of(_bytes(prompt)) for prompt in job["prompts"]]
    else:
        rows = [generator.prompt_of_turns(turns) for turns in job["conversations"]]
    answers = [generator.generate(row) for row in rows]
    seconds = time.perf_counter() - start
    answer = {
        **_compare_texts([text for text, _ in answers], job),
        "tokens_per_second": sum(count for _, count in answers) / seconds,
        "size_bytes": _size_bytes(Path(path)),
    }
    if "token_ids" in job:
        answer |= _follow(generator, job)
    return answer


class LiteRTGenerator:
    """Generates with ai-edge-litert, numpy and sentencepiece alone.

    Args:
        path: str. The `.tflite` file, with its `.json` and `.tokenizer.model` beside.
    """

    def __init__(self, path):
        import sentencepiece
        from ai_edge_litert.interpreter import Interpreter

        path = Path(path)
        self.about = json.loads(path.with_suffix(".json").read_text("utf-8"))
        self.pieces = sentencepiece.SentencePieceProcessor(
            model_file=str(path.with_suffix(".tokenizer.model"))
        )
        self.interpreter = Interpreter(str(path))
        self.runners = {
            name: self.interpreter.get_signature_runner(name)
            for name in ("prefill", "decode")
        }

    def start(self):
        """The empty state, an array for each name."""
        return {
            name: np.zeros(one["shape"], one["dtype"])
            for name, one in self.about["state"].items()
        }

    def step(self, signature, token_ids, state):
        """`(logits (V,), state)` after more tokens."""
        token_ids = np.array([token_ids], "int32")
        state = self.runners[signature](token_ids=token_ids, **state)
        return state.pop("logits")[0], state

    def encode(self, text):
        """Token ids of bytes."""
        text = text.decode("utf-8", "replace")
        for plain, escaped in self.about["tokenizer"]["escapes"]:
            text = text.replace(plain, escaped)
        return self.pieces.encode(text)

    def prompt_of(self, text):
        """Token ids of a text that is continued."""
        return [self.about["tokenizer"]["separator_id"], *self.encode(text)]

    def prompt_of_turns(self, turns):
        """Token ids of a chat, `(role, content)`, without the turns that do not fit."""
        roles = self.about["role_ids"]
        separator = self.about["tokenizer"]["separator_id"]
        rows = [
            (role, [roles[role], *self.encode(_bytes(content)), separator])
            for role, content in turns
        ]
        room = self.about["max_sequence_length"] - self.about["max_new_tokens"] - 2
        used = sum(len(row) for role, row in rows if role == "system")
        kept = [roles["assistant"]]
        for role, row in reversed(rows):
            used += 0 if role == "system" else len(row)
            if role == "system" or used <= room:
                kept = row + kept
        return [separator, *kept]

    def generate(self, prompt_ids):
        """`(text, number of tokens)` that continue a prompt, greedily."""
        escapes = self.about["tokenizer"]["escapes"]
        separator = self.about["tokenizer"]["separator_id"]
        new = []
        logits, state = self.step("prefill", prompt_ids, self.start())
        while len(new) < self.about["max_new_tokens"]:
            token = int(logits.argmax())
            new.append(token)
            if token == separator or len(new) == self.about["max_new_tokens"]:
                break
            logits, state = self.step("decode", [token], state)
        text = b"".join(map(self._bytes, new)).decode("utf-8", "replace")
        for plain, escaped in reversed(escapes):
            text = text.replace(escaped, plain)
        return text, len(new)

    def _bytes(self, token):
        if self.pieces.is_control(token) or self.pieces.is_unknown(token):
            return b""
        piece = self.pieces.id_to_piece(token)
        if self.pieces.is_byte(token):  # "<0x0A>"
            return bytes([int(piece[3:5], 16)])
        return piece.replace("\u2581", " ").encode("utf-8")


def _follow(generator, job):
    """Shows LiteRT the model's own tokens and compares all logits on the way."""
    expected = np.load(job["logits_path"], mmap_mode="r")
    differences, equal, spreads, finite = [], [], [], True
    for row, tokens, length in zip(expected, job["token_ids"], job["prompt_lengths"]):
        logits, state = generator.step("prefill", tokens[:length], generator.start())
        for place in range(length - 1, len(tokens) - 1):
            if place >= length:
                logits, state = generator.step("decode", [tokens[place]], state)
            finite = finite and bool(np.isfinite(logits).all())
            differences.append(float(np.abs(logits - row[place]).max()))
            equal.append(_same_choice(logits, row[place]))
            spreads.append(float(row[place].std()))
    return {
        "finite": finite,
        "largest_difference": max(differences, default=0.0),
        "greedy_agreement": float(np.mean(equal)),
        "spread": float(np.mean(spreads)),
    }


def _same_choice(logits, expected):
    # Where the model's own two best are this close, either is its choice.
    return bool(expected[logits.argmax()] >= expected.max() - 1e-5)


def _compare_texts(texts, job):
    equal = [text == expected for text, expected in zip(texts, job["greedy_texts"])]
    return {"greedy_texts": texts, "equal": equal, "agrees": all(equal)}


def _bytes(prompt):
    return prompt.encode("utf-8", "surrogateescape")


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
