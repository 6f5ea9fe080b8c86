"""Runs exports in a process without keras_lm, and compares them with the model.

    python -P run_check.py check_exports.py JOB.json

`JOB.json` names the exports, see `run_check.py`, and holds what the model answered:

    {"prompts": ["…"],                 lone surrogates stand for invalid bytes
     "conversations": [[["…", "…"]]],  in their place, of a chat: role and content
     "greedy_texts": ["…"]}            what the model says to each, greedily

and, from the exporters, the numbers of `reference.py`. The last line printed is
`{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with `greedy_texts`, `equal`
(one bool a prompt), `agrees`, `tokens_per_second`, `size_bytes`, and, where the
numbers were given, `largest_difference`, `greedy_agreement`, `finite` and, for LiteRT,
`spread` (the mean standard deviation of the model's logits of a token).
"""

import json
import time
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
    given = _given(job, tools)
    (served,) = model.signatures["serving_default"](**given).values()
    texts = [text.decode("utf-8") for text in served.numpy()]
    answer = {
        **_compare_texts(texts, job),
        "tokens_per_second": _speed(model.signatures["generate"], given, job),
    }
    if "log_likelihoods" in job:
        score = model.signatures["score"]
        # One by one: scores take memory for rows x steps x vocabulary.
        rows = [
            {name: array[place : place + 1] for name, array in given.items()}
            for place in range(len(texts))
        ]
        scored = [score(**row)["log_likelihood"].numpy() for row in rows]
        scored = np.concatenate(scored).astype("float64")
        per_token = np.abs(scored - job["log_likelihoods"])
        per_token /= np.maximum(job["num_tokens"], 1)
        answer |= tools.judged(per_token, answer["equal"])
        answer["finite"] = bool(np.isfinite(scored).all())
    return answer


def _given(job, tools):
    """What a signature takes: texts; or roles and contents, "" where a turn is none."""
    import tensorflow as tf

    if "prompts" in job:
        return {"text": tools.strings(job["prompts"])}
    most = max(map(len, job["conversations"]))
    rows = [turns + [["", ""]] * (most - len(turns)) for turns in job["conversations"]]
    return {
        name: tf.stack([tools.strings([turn[side] for turn in row]) for row in rows])
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


def check_litert(path, job, tools):
    """Greedy texts of `prefill` and `decode`, and their logits step by step.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    generator = LiteRTGenerator(path)
    start = time.perf_counter()
    if "prompts" in job:
        prompts = map(tools.as_bytes, job["prompts"])
        rows = [generator.prompt_of(prompt) for prompt in prompts]
    else:
        rows = [
            generator.prompt_of_turns(
                [(role, tools.as_bytes(content)) for role, content in turns]
            )
            for turns in job["conversations"]
        ]
    answers = [generator.generate(row) for row in rows]
    seconds = time.perf_counter() - start
    return {
        **(_follow(generator, job, tools) if "token_ids" in job else {}),
        # Whether texts are equal, not tokens.
        **_compare_texts([text for text, _ in answers], job),
        "tokens_per_second": sum(count for _, count in answers) / seconds,
    }


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
        """Token ids of a chat, `(str, bytes)` turns; of a long one the oldest leave."""
        roles = self.about["role_ids"]
        separator = self.about["tokenizer"]["separator_id"]
        rows = [
            (role, [roles[role], *self.encode(content), separator])
            for role, content in turns
        ]
        room = self.about["max_sequence_length"] - self.about["max_new_tokens"] - 2
        used = sum(len(row) for role, row in rows if role == "system")
        needed = used + sum([len(row) for role, row in rows if role != "system"][-1:])
        if needed > room:
            raise ValueError(
                "The system's turns and the last other one must have at most "
                f"{room} tokens together. Received: {needed}"
            )
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


def _follow(generator, job, tools):
    """Shows LiteRT the model's own tokens and compares all logits on the way."""
    expected = np.load(job["logits_path"], mmap_mode="r")
    differences, equal, spreads, finite = [], [], [], True
    end = 0
    for tokens, length in zip(job["token_ids"], job["prompt_lengths"]):
        start, end = end, end + len(tokens) - length
        row = expected[start:end]
        logits, state = generator.step("prefill", tokens[:length], generator.start())
        for place in range(length - 1, len(tokens) - 1):
            if place >= length:
                logits, state = generator.step("decode", [tokens[place]], state)
            finite = finite and bool(np.isfinite(logits).all())
            own = row[place - length + 1]
            differences.append(float(np.abs(logits - own).max()))
            equal.append(tools.same_choice(logits.argmax(), own))
            spreads.append(float(own.std()))
    found = tools.judged(differences, equal)
    return {**found, "finite": finite, "spread": float(np.mean(spreads))}


def _compare_texts(texts, job):
    equal = [text == expected for text, expected in zip(texts, job["greedy_texts"])]
    return {"greedy_texts": texts, "equal": equal, "agrees": all(equal)}
