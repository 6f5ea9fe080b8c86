"""Greedy decoding of 128 tokens after 32, batches of 1 and of 8.

The decoder is that of `training`, with random weights. KerasHub's GPT-2 is of its
shape, on the same backend (on TensorFlow also with XLA, which Keras leaves out on a
processor); Hugging Face's in PyTorch; CTranslate2 runs our own weights, as
`export_ctranslate2` writes them.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np

from benchmarks.speed.goal import Goal, times_as_fast
from benchmarks.speed.training import (
    VOCABULARY,
    decoder,
    hugging_face_config,
    keras_hub_gpt2,
)
from keras_lm.generation import generate

PROMPT, NEW, ROWS = 32, 128, (1, 8)
KERAS_HUB = {"tensorflow": 2, "torch": 3, "jax": 1.4}

GOALS = [
    Goal(
        f"decoding, batch {rows} / KerasHub, {backend}",
        times_as_fast(f"KerasHub, batch {rows}", f"keras_lm, batch {rows}"),
        least,
        backends=(backend,),
    )
    for backend, least in KERAS_HUB.items()
    for rows in ROWS
] + [
    Goal(
        f"decoding, batch {rows} / {peer}",
        times_as_fast(f"{peer}, batch {rows}", f"keras_lm, batch {rows}"),
        least,
        best=True,
    )
    for peer, rows, least in (
        ("CTranslate2", 1, 1.1),
        ("CTranslate2", 8, 0.8),
        ("Hugging Face", 1, 2),
        ("Hugging Face", 8, 2),
    )
]


def rivals():
    """Calls that make `NEW` tokens for each row."""
    tokenizer = made_tokenizer()
    model = decoder(0.0, tokenizer.vocabulary_size)
    calls = {}
    peers = {
        "KerasHub": keras_hub_generate(),
        "CTranslate2": ctranslate2_generate(model, tokenizer),
        "Hugging Face": hugging_face_generate(),
    }
    if keras.backend.backend() == "tensorflow":
        peers["KerasHub, XLA"] = keras_hub_generate(jit_compile=True)
    for rows in ROWS:
        prompts = np.random.default_rng(0).integers(
            5, tokenizer.vocabulary_size, (rows, PROMPT), dtype="int32"
        )
        calls[f"keras_lm, batch {rows}"] = lambda given=prompts: generate(
            model, given, NEW
        )
        for name, make in peers.items():
            calls[f"{name}, batch {rows}"] = make(prompts)
    return calls


def tokens(rival):
    """What a call of a rival makes, all rows together."""
    return next(rows * NEW for rows in ROWS if rival.endswith(f", batch {rows}"))


def check_length(*lengths, wanted=NEW):
    """No rival may stop early."""
    if any(length != wanted for length in lengths):
        raise ValueError(f"{wanted} tokens were wanted. Received: {lengths}")


def made_tokenizer():
    """Of docstrings, close to the vocabulary of the others."""
    from keras_lm import text

    texts = [document.text for document in text.docstring_corpus(["python", "numpy"])]
    return text.train_tokenizer(texts, VOCABULARY)


def keras_hub_generate(jit_compile="auto"):
    """KerasHub's loop on token ids."""
    model = keras_hub_gpt2(0.0)
    model.compile(sampler="greedy", jit_compile=jit_compile)

    def prepared(prompts):
        token_ids = np.zeros((len(prompts), PROMPT + NEW), "int32")
        token_ids[:, :PROMPT] = prompts
        mask = np.zeros(token_ids.shape, bool)
        mask[:, :PROMPT] = True
        given = {"token_ids": token_ids, "padding_mask": mask}
        return lambda: model.generate(given, stop_token_ids=None)

    return prepared


def hugging_face_generate():
    """Hugging Face's `generate`, never stopping early."""
    import torch
    import transformers

    model = transformers.GPT2LMHeadModel(hugging_face_config()).eval()

    def prepared(prompts):
        given = torch.tensor(np.minimum(prompts, VOCABULARY - 1)).long()
        mask = torch.ones_like(given)

        def run():
            with torch.inference_mode():
                made = model.generate(
                    given,
                    attention_mask=mask,
                    max_new_tokens=NEW,
                    do_sample=False,
                    pad_token_id=0,
                )
            check_length(made.shape[1] - PROMPT)

        return run

    return prepared


def ctranslate2_generate(model, tokenizer, compute_type="default"):
    """CTranslate2 with our weights; as many threads as this process may use."""
    import os

    import ctranslate2
    import sentencepiece

    from keras_lm.export import export_ctranslate2
    from keras_lm.pipelines import TextGenerator

    folder = Path(tempfile.mkdtemp()) / "decoder"
    export_ctranslate2(TextGenerator(model, tokenizer), folder)
    generator = ctranslate2.Generator(
        str(folder),
        inter_threads=1,
        intra_threads=len(os.sched_getaffinity(0)),
        compute_type=compute_type,
    )

    names = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "tokenizer.model")
    )

    def prepared(prompts):
        pieces = [[names.id_to_piece(int(one)) for one in row] for row in prompts]

        def run():
            made = generator.generate_batch(
                pieces,
                max_length=NEW,
                min_length=NEW,
                sampling_topk=1,
                include_prompt_in_result=False,
            )
            check_length(*[len(one.sequences_ids[0]) for one in made])

        return run

    return prepared
