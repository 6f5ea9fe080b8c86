"""Writes a CTranslate2 model and runs it, in a process without keras_lm.

    python -P ctranslate2_worker.py JOB.json

imports CTranslate2, NumPy and SentencePiece, neither keras_lm nor keras. `JOB.json`
holds

    {"path": "…",                    the folder to write into, with the SentencePiece
                                     models that `tokenizers` names in it
     "weights": "….npz",             arrays by the names of `ctranslate2_weights.py`
     "settings": {…},                of `ctranslate2_settings.py`
     "tokenizers": ["….model"],      of the source and the target, or the one there is
     "quantization": null,
     "expected": {…}}                what the model answers: `ctranslate2_answers.py`

The last line printed is `{"keras_lm": {…}}` with `greedy` (token ids of each answer),
`log_likelihoods` (of what was to be scored) and `size_bytes`; or with `error`, which
holds `kind`, `message` and, for the disk's errors, `number`.
"""

import json
import sys
from pathlib import Path

import numpy as np

STRANGERS = {"keras", "keras_lm"}


class RefusalError(Exception):
    """What CTranslate2 has no way to express."""


def write(job: dict) -> None:
    """Writes the model: CTranslate2's own specification, filled and saved.

    Args:
        job: see the top of this file.

    Raises:
        RefusalError: the tokenizers have different special tokens.
        ValueError: a weight is missing or has no place.
    """
    settings = job["settings"]
    tokens = _special_tokens(job)
    vocabularies = [_pieces(Path(job["path"]) / name) for name in job["tokenizers"]]
    if "encoder" in settings:
        spec = _translator(settings, *vocabularies)
        # A source ends with the separator, a target begins with it.
        tokens |= {"add_source_eos": True, "decoder_start_token": tokens["eos_token"]}
    else:
        spec = _generator(settings, *vocabularies)
    for name, value in tokens.items():
        setattr(spec.config, name, value)
    spec.config.layer_norm_epsilon = settings["layer_norm_epsilon"]
    with np.load(job["weights"]) as weights:
        for name in weights.files:
            place(spec, name, weights[name])
    spec.validate()
    spec.optimize(quantization=job["quantization"])
    spec.save(job["path"])


def _translator(settings, source_vocabulary, target_vocabulary):
    from ctranslate2.specs import TransformerSpec, transformer_spec

    spec = TransformerSpec(
        _side(transformer_spec.TransformerEncoderSpec, settings["encoder"]),
        _side(transformer_spec.TransformerDecoderSpec, settings["decoder"]),
    )
    spec.register_source_vocabulary(source_vocabulary)
    spec.register_target_vocabulary(target_vocabulary)
    return spec


def _generator(settings, vocabulary):
    from ctranslate2.specs import TransformerDecoderModelSpec, transformer_spec

    spec = TransformerDecoderModelSpec(
        _side(transformer_spec.TransformerDecoderSpec, settings["decoder"])
    )
    spec.register_vocabulary(vocabulary)
    return spec


def _side(spec_class, settings):
    """An encoder's or a decoder's specification, its tensors still empty."""
    from ctranslate2.specs import Activation

    activation = Activation[settings["activation"]]
    # Our models end in a normalisation; the specification has room for it only with
    # normalisation first. The flag is set to what it is afterwards.
    spec = spec_class(**{**settings, "activation": activation, "pre_norm": True})
    spec.pre_norm = settings["pre_norm"]
    spec.scale_embeddings = False
    return spec


def place(spec, name: str, array: np.ndarray) -> None:
    """Puts an array where its name says.

    Args:
        spec: a CTranslate2 specification.
        name: str, for example "decoder.layer.0.ffn.linear_0.weight".
        array: float32.

    Raises:
        ValueError: there is no such place.
    """
    *way, last = name.split(".")
    try:
        for step in way:
            spec = spec[int(step)] if step.isdecimal() else getattr(spec, step)
        setattr(spec, last, np.ascontiguousarray(array))
    except (AttributeError, IndexError) as error:
        raise ValueError(
            "A weight must have its place in CTranslate2's specification. "
            f"Received: {name}"
        ) from error


def check(job: dict) -> dict:
    """Runs what was written, from its files.

    Args:
        job: see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    asked, path = job["expected"], Path(job["path"])
    tokenizers = [_processor(path / name) for name in job["tokenizers"]]
    source, target = tokenizers[0], tokenizers[-1]
    texts = [_escaped(text, asked["escapes"]) for text in asked["texts"]]
    rows = source.encode(texts, out_type=str)
    if "encoder" in job["settings"]:
        pairs = [
            (_pieces_of(source, one), _pieces_of(target, other))
            for one, other in asked["scored"]
        ]
        greedy, scores = _translate(job["path"], rows, pairs, asked)
    else:
        separator = target.id_to_piece(target.eos_id())
        rows = [[separator, *row] for row in rows]
        scored = [[separator, *_pieces_of(target, row)] for (row,) in asked["scored"]]
        greedy, scores = _generate(job["path"], rows, scored, asked)
    return {
        "greedy": [[target.piece_to_id(piece) for piece in row] for row in greedy],
        "log_likelihoods": [float(sum(one.log_probs)) for one in scores],
        "size_bytes": sum(file.stat().st_size for file in path.iterdir()),
    }


def _translate(path, rows, pairs, asked):
    import ctranslate2

    translator = ctranslate2.Translator(path, compute_type="default", intra_threads=1)
    found = translator.translate_batch(
        rows,
        beam_size=1,
        max_decoding_length=asked["max_new_tokens"],
        min_decoding_length=0,
        max_input_length=0,
    )
    sources, targets = zip(*pairs)
    scores = translator.score_batch(list(sources), list(targets), max_input_length=0)
    return [one.hypotheses[0] for one in found], scores


def _generate(path, rows, texts, asked):
    import ctranslate2

    generator = ctranslate2.Generator(path, compute_type="default", intra_threads=1)
    # With a prompt of one token among them it gives the others back as answers.
    alone = [row for row in rows if len(row) == 1]
    others = [row for row in rows if len(row) > 1]
    found = {}
    for some in filter(None, [alone, others]):
        results = generator.generate_batch(
            some,
            beam_size=1,
            max_length=asked["max_new_tokens"],
            include_prompt_in_result=False,
        )
        found |= {
            tuple(row): one.sequences[0] for row, one in zip(some, results, strict=True)
        }
    scores = generator.score_batch(texts, max_input_length=0)
    return [found[tuple(row)] for row in rows], scores


def _special_tokens(job):
    """CTranslate2's names of our special tokens: one set for source and target."""
    found = []
    for name in job["tokenizers"]:
        processor = _processor(Path(job["path"]) / name)
        separator = processor.id_to_piece(processor.eos_id())
        unknown = processor.id_to_piece(processor.unk_id())
        found.append(
            {"unk_token": unknown, "bos_token": separator, "eos_token": separator}
        )
    if found[0] != found[-1]:
        raise RefusalError(
            "Source and target tokenizers must have the same special tokens for "
            f"CTranslate2. Received: {found[0]} and {found[-1]}"
        )
    return found[0]


def _pieces(path):
    processor = _processor(path)
    return _pieces_of(processor, range(processor.vocab_size()))


def _pieces_of(processor, token_ids):
    return [processor.id_to_piece(n) for n in token_ids]


def _processor(path):
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def _escaped(text, escapes):
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    for plain, escaped in escapes:
        text = text.replace(plain, escaped)
    return text


def main() -> None:
    """Reads the job, does it and prints the answer."""
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    try:
        write(job)
        answer = check(job)
    except OSError as error:
        text = error.strerror or str(error)
        answer = {"error": {"kind": "OSError", "message": text, "number": error.errno}}
    except RefusalError as error:
        answer = {"error": {"kind": "ExportError", "message": str(error)}}
    except Exception as error:
        text = f"CTranslate2 must run the model. Received: {type(error).__name__}: "
        answer = {"error": {"kind": "ExportError", "message": f"{text}{error}"}}
    strangers = STRANGERS & set(sys.modules)
    if strangers:
        raise RuntimeError(f"This must run without {sorted(strangers)}")
    print(json.dumps({"keras_lm": answer}))


if __name__ == "__main__":
    main()
