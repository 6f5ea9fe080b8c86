"""Greedy decoding of one text by the `.tflite` file, with weights of 8 bits.

128 tokens after 32 by the decoder of `decoding`, in a loop of Python over LiteRT's
signatures, as in `saved_models/README.md`; CTranslate2 runs the same weights, of 8 bits
too. The file is the same whatever backend wrote it.
"""

import json
import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.speed.decoding import (
    NEW,
    PROMPT,
    check_length,
    ctranslate2_generate,
    made_tokenizer,
)
from benchmarks.speed.goal import Goal, times_as_fast
from benchmarks.speed.training import decoder

GOALS = [
    Goal(
        "decoding, .tflite of int8 / CTranslate2 int8",
        times_as_fast("CTranslate2, int8", ".tflite, int8"),
        0.8,
        backends=("jax",),
    )
]


def rivals():
    """Calls that make `NEW` tokens."""
    tokenizer = made_tokenizer()
    model = decoder(0.0, tokenizer.vocabulary_size)
    prompts = np.random.default_rng(0).integers(
        5, tokenizer.vocabulary_size, (1, PROMPT), dtype="int32"
    )
    return {
        ".tflite, int8": litert_generate(model, tokenizer, "dynamic_int8")(prompts),
        ".tflite, float32": litert_generate(model, tokenizer, None)(prompts),
        "CTranslate2, int8": ctranslate2_generate(model, tokenizer, "int8")(prompts),
    }


def tokens(_rival):
    """What a call makes."""
    return NEW


def litert_generate(model, tokenizer, quantization):
    """A loop over the file; as many threads as this process may use."""
    from ai_edge_litert.interpreter import Interpreter

    from keras_lm.export import export_litert
    from keras_lm.pipelines import TextGenerator

    file = Path(tempfile.mkdtemp()) / "decoder.tflite"
    export_litert(TextGenerator(model, tokenizer), file, quantization)
    about = json.loads(file.with_suffix(".json").read_text("utf-8"))
    threads = len(os.sched_getaffinity(0))
    interpreter = Interpreter(str(file), num_threads=threads)
    prefill = interpreter.get_signature_runner("prefill")
    decode = interpreter.get_signature_runner("decode")

    def prepared(prompts):
        def run():
            state = {
                name: np.zeros(one["shape"], one["dtype"])
                for name, one in about["state"].items()
            }
            state, new = prefill(token_ids=prompts, **state), []
            while len(new) < NEW:
                new.append(int(state.pop("logits")[0].argmax()))
                state = decode(token_ids=np.array([new[-1:]], "int32"), **state)
            check_length(len(new))

        return run

    return prepared
