"""Translation by a Transformer of 3 + 3 x 256, vocabulary 8k: 16 sources of 32 tokens.

Each answer has 64 tokens, however likely its end is. Hugging Face's Marian has the same
shape; CTranslate2 runs our own weights.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.speed.decoding import check_length, made_tokenizer
from benchmarks.speed.goal import Goal, times_as_fast
from keras_lm.generation import beam_search

LAYERS, HEADS, WIDTH, ROWS, SOURCE, NEW = 3, 4, 256, 16, 32, 64
BEAMS = {"greedy": 1, "beam 4": 4}

GOALS = [
    Goal(
        f"translation, {how} / {peer}",
        times_as_fast(f"{peer}, {how}", f"keras_lm, {how}"),
        least,
        best=True,
    )
    for peer, least in (("Hugging Face Marian", 2), ("CTranslate2", 0.9))
    for how in BEAMS
]


def rivals():
    """Calls that translate all rows, greedily and by a beam."""
    from keras_lm.models import TransformerEncoderDecoder

    tokenizer = made_tokenizer()
    model = TransformerEncoderDecoder(
        tokenizer.vocabulary_size,
        LAYERS,
        HEADS,
        WIDTH,
        4 * WIDTH,
        2 * NEW,
        positions="sinusoidal",
    )
    sources = np.random.default_rng(0).integers(
        5, tokenizer.vocabulary_size, (ROWS, SOURCE), dtype="int32"
    )
    stop = tokenizer.separator_id
    calls = {}
    ctranslate2 = ctranslate2_translate(model, tokenizer, sources)
    marian = marian_translate(sources, tokenizer.vocabulary_size)
    for how, beam_size in BEAMS.items():
        calls[f"keras_lm, {how}"] = lambda beam_size=beam_size: beam_search(
            model, sources, stop, beam_size, NEW, [stop], min_new_tokens=NEW
        )
        calls[f"Hugging Face Marian, {how}"] = marian(beam_size)
        calls[f"CTranslate2, {how}"] = ctranslate2(beam_size)
    return calls


def tokens(_rival):
    """What a call makes, all rows together."""
    return ROWS * NEW


def ctranslate2_translate(model, tokenizer, sources):
    """CTranslate2 with our weights; as many threads as this process may use."""
    import ctranslate2
    import sentencepiece

    from keras_lm.export import export_ctranslate2
    from keras_lm.pipelines import TextToText

    folder = Path(tempfile.mkdtemp()) / "translator"
    export_ctranslate2(TextToText(model, tokenizer, tokenizer), folder)
    translator = ctranslate2.Translator(
        str(folder), inter_threads=1, intra_threads=len(os.sched_getaffinity(0))
    )
    names = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "source_tokenizer.model")
    )
    pieces = [[names.id_to_piece(int(one)) for one in row] for row in sources]

    def prepared(beam_size):
        def run():
            made = translator.translate_batch(
                pieces,
                beam_size=beam_size,
                min_decoding_length=NEW,
                max_decoding_length=NEW,
            )
            check_length(*[len(one.hypotheses[0]) for one in made], wanted=NEW)

        return run

    return prepared


def marian_translate(sources, vocabulary_size):
    """Hugging Face's MarianMTModel, random weights."""
    import torch
    import transformers

    config = transformers.MarianConfig(
        vocab_size=vocabulary_size,
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        max_position_embeddings=2 * NEW,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        forced_eos_token_id=None,
    )
    model = transformers.MarianMTModel(config).eval()
    given = torch.tensor(sources).long()
    mask = torch.ones_like(given)

    def prepared(beam_size):
        def run():
            with torch.inference_mode():
                made = model.generate(
                    given,
                    attention_mask=mask,
                    num_beams=beam_size,
                    do_sample=False,
                    max_new_tokens=NEW,
                    min_new_tokens=NEW,
                )
            check_length(made.shape[1] - 1, wanted=NEW)

        return run

    return prepared
