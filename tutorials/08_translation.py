# %% [markdown]
# # A translator of your own pairs
#
# - **You will** train an encoder-decoder (a Transformer) to translate, compare it with two
#   baselines that learn nothing, search its answers with beams, and ship it.
# - **Read first** `02_language_model.py`.
# - **Data** the French messages of JupyterLab, 3,000 pairs, in the package
#   `jupyterlab-language-pack-fr-FR` (BSD licence, Project Jupyter Contributors): its
#   catalogues are read, nothing of it is imported. Or `--pairs FILE`, a UTF-8 file of your
#   own, `source<TAB>target` in each line.
# - **Cost** 643 s (599 s of processor time), 1.5 GiB on one thread (`torch`, Keras 3.15),
#   with other work on the machine; `jax` compiles each search and shape of batch first.
# - **Result** on 282 held-out pairs BLEU 19.6 and chrF 43.8 with a beam of 4, 16.5 and 41.5
#   greedily; copying has 4.9 and 22.9. The nearest training sentence's translation, 21.6 and
#   47.4, is still ahead: of 2,261 pairs a look-up makes more than a model that begins from
#   nothing, and its tuning BLEU is still rising in the last epoch.
# - **Paper** Vaswani et al., 2017, https://arxiv.org/abs/1706.03762
#
# The one new idea: the text that is written depends on another one that is only read. In
# each block the decoder asks the encoder's output, the source, with queries of its own.

# %% Settings: everything you may want to change
import os
import sys

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
if sys.argv[-1] == "--pairs":
    sys.exit("`--pairs` must be followed by a file. Received: nothing")
PAIRS = sys.argv[sys.argv.index("--pairs") + 1] if "--pairs" in sys.argv else None
PACKAGE = "jupyterlab-language-pack-fr-FR"
NUM_HELD_OUT, NUM_TUNING = (12, 8) if QUICK else (300, 150)  # different sources
VOCABULARY_SIZE = 500 if QUICK else 1200  # tokens that both languages share
MAX_LENGTH = 32  # tokens of a source or a target, with the separator that ends it
MAX_BATCH_TOKENS = 1024
NUM_LAYERS, NUM_HEADS = (1, 2) if QUICK else (2, 4)  # of encoder and decoder each
HIDDEN_DIM, INTERMEDIATE_DIM = (16, 32) if QUICK else (96, 384)
DROPOUT, LABEL_SMOOTHING = 0.2, 0.1
LEARNING_RATE, WARMUP_STEPS = 3e-3, 2 if QUICK else 300
EPOCHS, STEPS_PER_EPOCH = (2, 3) if QUICK else (40, None)  # even; all pairs
# (beam size, length penalty)
SEARCHES = ((1, 1.0), (2, 1.0), (4, 1.0), (8, 1.0), (4, 0.0), (4, 2.0))
if QUICK:
    SEARCHES = ((1, 1.0), (4, 1.0))
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import importlib.metadata
import json
import random
import re
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import keras
import matplotlib
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

import keras_lm
import keras_lm.models
import keras_lm.training

if "ipykernel" not in sys.modules:  # a script shows no windows
    matplotlib.use("Agg")
from matplotlib import pyplot as plt

START_S = time.perf_counter()
HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
PICTURES = Path(QUICK) if QUICK else HERE / "pictures"
SAVED_MODELS = Path(QUICK) if QUICK else HERE.parent / "saved_models"
PICTURES.mkdir(exist_ok=True)
WORK = Path(tempfile.mkdtemp())
BACKEND = keras.backend.backend()
keras.utils.set_random_seed(SEED)

# %% [markdown]
# ## Data
#
# A catalogue is a dictionary: the English message, after a context where one message has
# two meanings, and its translation, or several for different numbers. Each message is
# taken once, with its first translation; what is the same in both languages (names) is
# left out.


# %%
def catalogue_pairs(package):
    """`(message, translation)` of the JSON catalogues of an installed package."""
    found = {}
    for path in sorted(importlib.metadata.files(package)):
        if path.suffix == ".json":
            for message, translation in json.loads(path.read_text("utf-8")).items():
                if isinstance(translation, list):
                    translation = translation[0]
                if message and isinstance(translation, str):  # "" holds the settings
                    source, target = message.split("\4")[-1], translation
                    found.setdefault(source.strip(), target.strip())
    return list(found.items())


def words(sentence):
    """Its words in small letters: what makes two sentences the same below."""
    return " ".join(re.findall(r"\w+", sentence.lower())) or sentence


def cut(pairs, count):
    """Pairs of `count` different sources, and those that share no side with them."""
    sources = sorted({words(source) for source, _ in pairs})
    chosen = set(random.Random(SEED).sample(sources, count))
    apart = [pair for pair in pairs if words(pair[0]) in chosen]
    targets = {words(target) for _, target in apart}
    rest = [
        p for p in pairs if words(p[0]) not in chosen and words(p[1]) not in targets
    ]
    return apart, rest


given = catalogue_pairs(PACKAGE) if PAIRS is None else keras_lm.text.read_pairs(PAIRS)
pairs = list(dict.fromkeys(pair for pair in given if all(pair) and pair[0] != pair[1]))
held_out, rest = cut(pairs, NUM_HELD_OUT)
tuning, train = cut(rest, NUM_TUNING)
if QUICK:
    train = train[:200]
tokenizer = keras_lm.text.train_tokenizer(
    [side for pair in train for side in pair], VOCABULARY_SIZE
)


def that_fit(pairs):
    """The pairs of which both sides have less than MAX_LENGTH tokens."""
    sides = [tokenizer.encode(list(pair)) for pair in pairs]
    return [
        pair for pair, rows in zip(pairs, sides) if max(map(len, rows)) < MAX_LENGTH
    ]


counted = len(train) + len(tuning) + len(held_out)
train, tuning, held_out = map(that_fit, (train, tuning, held_out))
sources, references = (list(side) for side in zip(*held_out))
print(f"{len(given):,} pairs given; {len(train):,} to train on", end=", ")
print(f"{len(tuning)} to choose an epoch by, {len(held_out)} held out", end="; ")
print(f"{counted - len(train + tuning + held_out)} of {counted:,} left out as too long")

for side in (0, 1):  # no held-out sentence was seen, in either language
    seen = {words(pair[side]) for pair in train + tuning}
    assert not seen & {words(pair[side]) for pair in held_out}

# %% [markdown]
# ## Look at one example
#
# The encoder reads the source and a separator. The decoder is shown the separator and the
# target but its last token (`decoder_token_ids`), and must say the target and the
# separator that ends it: at each place it has seen what comes before.

# %%
example = max(held_out, key=lambda pair: len(pair[0]))
batch = keras_lm.text.parallel_dataset([example], tokenizer, tokenizer, shuffle=False)
inputs, next_token_ids, _ = next(batch.as_numpy_iterator())


def pieces(token_ids):
    """Each token as the text that it adds; the separator as a sign."""
    return [tokenizer.decode([token]) or "<sep>" for token in token_ids]


for name, row in [
    ("encoder reads", inputs["encoder_token_ids"][0]),
    ("decoder reads", inputs["decoder_token_ids"][0]),
    ("decoder says", next_token_ids[0]),
]:
    print(f"{name:14}", " | ".join(pieces(row.tolist())))

assert np.array_equal(inputs["decoder_token_ids"][0, 1:], next_token_ids[0, :-1])
assert tokenizer.decode(next_token_ids[0]) == example[1]

# %% [markdown]
# Two baselines learn nothing. One copies the source, which gets names and punctuation
# right. The other looks up the training source with the most similar character n-grams
# and answers with its translation: messages of one program resemble each other, so it is
# not easy to beat. BLEU counts the n-grams of words shared with the reference, chrF those
# of characters; sacrebleu's signature says how.


# %%
def measured(answers):
    """BLEU and chrF of answers to the held-out sources."""
    return keras_lm.training.compare_texts(answers, references)


def show(name, found):
    print(f"{name:22} BLEU {found['bleu'].value:5.1f}", end="  ")
    print(f"chrF {found['chrf'].value:5.1f}")


n_grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
known = n_grams.fit_transform([source for source, _ in train])
nearest = (n_grams.transform(sources) @ known.T).toarray().argmax(axis=1)
answers = {
    "the source itself": sources,
    "nearest sentence": [train[place][1] for place in nearest],
}
results = {name: measured(texts) for name, texts in answers.items()}
for metric in results["the source itself"].values():
    print(metric.signature)
for name, found in results.items():
    show(name, found)

# %% [markdown]
# ## Model
#
# Source and target have one vocabulary, and one matrix of embeddings serves three times:
# to read the source, to read the target and to give the logits.

# %%
model = keras_lm.models.TransformerEncoderDecoder(
    tokenizer.vocabulary_size,
    num_layers=NUM_LAYERS,
    num_heads=NUM_HEADS,
    hidden_dim=HIDDEN_DIM,
    intermediate_dim=INTERMEDIATE_DIM,
    max_sequence_length=2 * MAX_LENGTH,
    dropout=DROPOUT,
    share_embeddings=True,
    tie_embeddings=True,
    seed=SEED,
)
translator = keras_lm.pipelines.TextToText(
    model, tokenizer, tokenizer, max_new_tokens=MAX_LENGTH - 1
)
logits = model(inputs)  # (B, T, V)
print(f"{model.count_params():,} parameters, logits {tuple(logits.shape)}")

# %% [markdown]
# ## Train
#
# Label smoothing keeps a tenth of the probability for all other tokens: with so few pairs
# the model would else grow sure of what it knows by heart. The learning rate rises for
# `WARMUP_STEPS` and falls with the inverse square root of the step. After each second
# epoch the tuning pairs are translated, greedily, and the weights of the best BLEU are
# kept. The held-out pairs choose nothing.


# %%
def batches(pairs, **options):
    return keras_lm.text.parallel_dataset(
        pairs, tokenizer, tokenizer, MAX_BATCH_TOKENS, **options
    )


def translate(texts, beam_size, length_penalty=1.0):
    """For each text the best answers with their scores, in few large batches."""
    return translator.n_best(
        texts,
        num_hypotheses=beam_size,
        beam_size=beam_size,
        length_penalty=length_penalty,
        max_batch_tokens=8192,
    )


def best(ranked):
    return [hypotheses[0].text for hypotheses in ranked]


steps = STEPS_PER_EPOCH or int(batches(train, num_buckets=2).cardinality())
model.compile(
    keras.optimizers.Adam(
        keras_lm.training.InverseSquareRoot(LEARNING_RATE, WARMUP_STEPS),
        beta_2=0.98,
        global_clipnorm=1.0,
    ),
    loss=keras_lm.training.MaskedCrossEntropy(LABEL_SMOOTHING),
    weighted_metrics=[keras_lm.training.Perplexity()],
)
bleu = keras_lm.training.BleuCallback(
    lambda texts: best(translate(texts, 1)), tuning, every=2, restore_best_weights=True
)
began_s = time.perf_counter()
history = model.fit(
    batches(train, num_buckets=2, seed=SEED, repeat=True),
    validation_data=batches(tuning, num_buckets=1, shuffle=False),
    steps_per_epoch=steps,
    epochs=EPOCHS,
    callbacks=[bleu],
    shuffle=False,
    verbose=2,
).history
print(f"{steps * EPOCHS:,} steps in {time.perf_counter() - began_s:.0f} s")

epochs = np.arange(1, EPOCHS + 1)
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].semilogy(epochs, history["perplexity"], label="pairs it trains on")
axes[0].semilogy(epochs, history["val_perplexity"], "s--", label="tuning pairs")
axes[0].set(title="Perplexity per token", xlabel="epoch")
axes[0].legend()
axes[1].plot(epochs[1::2], history["val_bleu"], "o-")
axes[1].axvline(bleu.best_epoch + 1, color="grey", linestyle=":")
axes[1].set(title="BLEU of the tuning pairs, greedy", xlabel="epoch")
figure.savefig(PICTURES / "08_training.png", dpi=120)

# %% [markdown]
# In `08_training.png` see, on the left, that the pairs it does not train on are better
# understood to the end, if more slowly than those it does; on the right, that BLEU is still
# rising when training stops; dotted, the epoch whose weights are kept, the last.
#
# ## Use it
#
# Greedy search takes the likeliest token at each step and cannot take it back. A beam
# keeps several hypotheses alive. They are compared by log-probability over
# `((5 + length) / 6) ** length_penalty`: with a penalty of 0 each token more costs, and
# short answers win.

# %%
ranked = {}
for beam_size, penalty in SEARCHES:
    name = f"beam {beam_size}, penalty {penalty:g}"
    ranked[name] = translate(sources, beam_size, penalty)
    answers[name] = best(ranked[name])
    results[name] = measured(answers[name])
lengths = {name: sum(map(len, texts)) for name, texts in answers.items()}
for name, found in results.items():
    show(name, found)
    print(
        f"{lengths[name] / sum(map(len, references)):28.2f} of the references' length"
    )

GREEDY, BEAM = "beam 1, penalty 1", "beam 4, penalty 1"
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
for place, metric in enumerate(("bleu", "chrf")):
    values = [found[metric].value for found in results.values()]
    bars = np.arange(len(values)) + 0.4 * place
    axis.barh(bars, values, 0.4, label={"bleu": "BLEU", "chrf": "chrF"}[metric])
axis.set_yticks(np.arange(len(results)) + 0.2, list(results))
axis.invert_yaxis()
axis.set(title=f"{len(held_out)} held-out pairs")
axis.legend()
figure.savefig(PICTURES / "08_searches.png", dpi=120)

# %% [markdown]
# In `08_searches.png` see the two baselines on top, then wider beams, then beams of 4 with
# other length penalties. A beam of 2 has most of the gain over greedy search, 3 points of
# BLEU; answers are too short, so a penalty of 2, which prefers longer ones, is the best.
#
# A beam gives more than one answer, each with its score.

# %%
place = int(np.argsort([len(source) for source in sources])[-len(sources) // 8])
source = sources[place]
for name in ("nearest sentence", GREEDY, BEAM):
    print(f"{name:18} {answers[name][place]}")
print(f"{'reference':18} {references[place]}\n{'source':18} {source}")
for answer in ranked[BEAM][place]:
    print(f"{answer.score:8.3f} {answer.text}")

for hypotheses in ranked[BEAM]:
    scores = [answer.score for answer in hypotheses]
    assert scores == sorted(scores, reverse=True)

# %%
row = [*tokenizer.encode(source), tokenizer.separator_id]
found = keras_lm.generation.beam_search(
    model,
    [row],
    tokenizer.separator_id,
    beam_size=4,
    max_new_tokens=MAX_LENGTH - 1,
    stop_token_ids=[tokenizer.separator_id],
    return_attention=True,
)
said = found.token_ids[0, 0].tolist()
if tokenizer.separator_id in said:
    said = said[: said.index(tokenizer.separator_id) + 1]
attention = found.attention[0, 0, : len(said)]  # (T, S)

figure, axis = plt.subplots(figsize=(8, 6), layout="constrained")
image = axis.imshow(attention, cmap="Blues", vmin=0, vmax=1, aspect="auto")
axis.set_xticks(range(len(row)), map(repr, pieces(row)), rotation=60)
axis.set_yticks(range(len(said)), map(repr, pieces(said)))
axis.set(xlabel="token of the source", ylabel="token that is written")
figure.colorbar(image, label="weight, mean of the heads")
figure.savefig(PICTURES / "08_attention.png", dpi=120)

assert np.allclose(attention.sum(axis=-1), 1, atol=1e-4)
assert QUICK or tokenizer.decode(said) == answers[BEAM][place]

# %% [markdown]
# In `08_attention.png` see where in the source the last block of the decoder looks when it
# chooses each token, from top to bottom: at `and` for `et`, at `new` twice. What it makes
# of the rest is a phrase of its training pairs, and not a translation.
#
# ## Export and check that it still agrees
#
# The SavedModel has tokenizer and beam search inside: strings in, strings and scores out.
# The `.tflite` file has `encode`, `prefill` and `decode`. Both are run and compared with
# this model before they are put in place.

# %%
SERVE = """
import json, sys
import tensorflow as tf, tensorflow_text
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
answers = serve(text=tf.constant(json.loads(sys.argv[2])))["answer"]
print(json.dumps([answer.decode("utf-8") for answer in answers.numpy()]))
assert not any(name.startswith("keras_lm") for name in sys.modules)
"""


def run(code, *arguments):
    """Runs Python code in a new process; gives what it prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


translator.save(WORK / "pipeline")
loaded = keras_lm.pipelines.load(WORK / "pipeline")
both = [keras.ops.convert_to_numpy(m(inputs)) for m in (loaded.model, model)]
gap = np.abs(both[0] - both[1]).max()
print(f"saved and loaded: logits differ by {gap:.1e}")
assert gap < 1e-5
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        translator, SAVED_MODELS / "tutorial_translator"
    )
    litert = keras_lm.export.export_litert(
        translator, SAVED_MODELS / "tutorial_translator.tflite", overwrite=True
    )
    for report in (saved_model, litert):
        print(report)
        assert report.agrees
    printed = run(SERVE, saved_model.path, json.dumps(sources[:20]))
    served = json.loads(printed.splitlines()[-1])
    print("the SavedModel, without keras_lm:", served[0])
    assert served == answers[BEAM][:20]

used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
memory = max(usage.ru_maxrss for usage in used) / 2**20
processor_s = sum(usage.ru_utime + usage.ru_stime for usage in used)
print(f"all of it on {BACKEND}: {time.perf_counter() - START_S:.0f} s", end=", ")
print(f"{processor_s:.0f} s of processor time, largest process {memory:.1f} GiB")

# %% [markdown]
# ## What to try next
#
# - `--pairs my_pairs.tsv`, with a larger `VOCABULARY_SIZE` and `MAX_LENGTH`; some ten
#   thousand pairs deserve `keras-lm translate train --pairs my_pairs.tsv`, which goes on
#   when it was killed.
# - `LABEL_SMOOTHING = 0.0`: compare the tuning perplexity, and the scores of a beam.
# - `translator(sources, coverage_penalty=0.2)` against words that are left out.
# - `translator.n_best([source], num_groups=4, beam_size=4)`: answers that differ more.
# - `keras_lm.models.LSTMEncoderDecoder(.., attention="luong")` in the model's place.
# - `keras_lm.export.export_ctranslate2(translator, "folder")` for a CTranslate2 server.
