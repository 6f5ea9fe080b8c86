# %% [markdown]
# # A line that says what a text is about
#
# - **You will** train an encoder-decoder to write the first line of a docstring from the
#   description below it, and see whether it beats two baselines that learn nothing.
# - **Read first** `08_translation.py`, which explains the model, beams and scores.
# - **Data** the docstrings of installed packages, read from their source files, which are
#   parsed and never run; nothing to fetch.
# - **Cost** 377 s, 1.5 GiB on one thread (`torch`, Keras 3.15), with other work on the
#   machine; `jax` compiles each search and shape of batch first.
# - **Result** it does not beat them. ROUGE-L on 549 docstrings of files it has not seen: 9.0
#   for the model, 18.1 for the first sentence, 19.1 for its first 12 words and 16.5 for the
#   nearest description's summary. After six passes over 5,179 pairs it writes summaries,
#   but of something else.
# - **Paper** Rush et al., 2015, https://arxiv.org/abs/1509.00685
#
# The one new idea: the answer leaves most of the source out. What is to be kept is nowhere
# written down; it is learnt from pairs, as a translation is.

# %% Settings: everything you may want to change
import os

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
PACKAGES = ("python", "keras", "numpy", "scipy", "sklearn", "matplotlib")
if QUICK:
    PACKAGES = ("numpy",)
FRACTION_HELD_OUT = 1 / 12  # of the source files
SUMMARY_WORDS, LEAST_WORDS = (3, 16), 12  # of a summary; of a description
VOCABULARY_SIZE = 600 if QUICK else 2000
MAX_SOURCE_LENGTH, MAX_TARGET_LENGTH = 64, 32  # tokens, the separator included
MAX_BATCH_TOKENS = 2048
NUM_LAYERS, NUM_HEADS = (1, 2) if QUICK else (2, 4)  # of encoder and decoder each
HIDDEN_DIM, INTERMEDIATE_DIM = (16, 32) if QUICK else (96, 384)
DROPOUT, LABEL_SMOOTHING = 0.1, 0.1
LEARNING_RATE, WARMUP_STEPS = 3e-3, 2 if QUICK else 200
EPOCHS, STEPS_PER_EPOCH = (2, 3) if QUICK else (6, None)  # None: all pairs
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import ast
import importlib.util
import random
import re
import resource
import sys
import sysconfig
import tempfile
import time
import warnings
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
# `keras_lm.text.docstring_corpus` joins all docstrings of a module, and a summary must be
# told from what follows, so the files are parsed here, in the same way. The first line is
# the summary, the paragraphs up to the first section, list or example the description.

# %%
SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
DOCUMENTED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# An underlined heading, "Args:", a directive, a field, a list, a table, an example.
SECTION = re.compile(
    r"\w.*\n\s*[-=~^]{3,}|[A-Z][\w ]*:\s*(\n|$)|\.\. |:\w|@\w|[*-] |[>`|]{3}"
)


def source_files(package):
    """The Python files of an installed package, without its tests."""
    if package == "python":
        root = Path(sysconfig.get_paths()["stdlib"])
    else:
        root = Path(importlib.util.find_spec(package).submodule_search_locations[0])
    paths = sorted(root.rglob("*.py"))
    return [p for p in paths if not SKIPPED & set(p.relative_to(root).parts[:-1])]


def docstrings(path):
    """The docstrings of the classes and functions of a source file."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # a file for another Python
        return []
    nodes = (node for node in ast.walk(tree) if isinstance(node, DOCUMENTED))
    return [found for found in map(ast.get_docstring, nodes) if found]


def description_and_summary(docstring):
    """The pair that a docstring holds, or `None`."""
    summary, *paragraphs = re.split(r"\n\s*\n", docstring.strip())
    description = []
    for paragraph in paragraphs:
        if paragraph[:1].isspace() or SECTION.match(paragraph):
            break
        description += paragraph.split()
    least, most = SUMMARY_WORDS
    is_line = "\n" not in summary and not summary.endswith(")")  # no signature
    fits = least <= len(summary.split()) <= most and len(description) >= LEAST_WORDS
    if is_line and fits:
        return " ".join(description), summary
    return None


warnings.simplefilter("ignore", SyntaxWarning)  # other people's escape sequences
paths = [path for package in PACKAGES for path in source_files(package)]
pairs = {path: list(map(description_and_summary, docstrings(path))) for path in paths}
pairs = {path: [pair for pair in some if pair] for path, some in pairs.items()}
paths = [path for path in paths if pairs[path]]

# %% [markdown]
# Whole files are held out, for functions of one file describe each other. A pair whose
# description or summary is that of a held-out pair is not trained on.

# %%
num_held_out = max(1, round(FRACTION_HELD_OUT * len(paths)))
chosen = set(random.Random(SEED).sample(paths, num_held_out))
held_out = list(dict.fromkeys(pair for path in chosen for pair in pairs[path]))
held_out.sort()
held_out = held_out[:6] if QUICK else held_out
met = {side.lower() for pair in held_out for side in pair}
train = list(
    dict.fromkeys(
        pair
        for path in paths
        if path not in chosen
        for pair in pairs[path]
        if not met & {side.lower() for side in pair}
    )
)
train = train[:60] if QUICK else train
descriptions, references = (list(side) for side in zip(*held_out))
print(f"{len(train):,} pairs to train on; {len(held_out)} held out", end=", ")
print(f"of {len(chosen)} of {len(paths):,} source files")

assert not met & {side.lower() for pair in train for side in pair}

# %% [markdown]
# ## Look at one example
#
# A word of the summary that its description does not have cannot be copied from it.

# %%
print(f"summary      {references[0]}\ndescription  {descriptions[0]}")


def words(text):
    return re.findall(r"[^\W_]+", text.lower())


def new_words(summaries):
    """The share of the words of summaries that their descriptions do not have."""
    told = [
        word not in set(words(description))
        for summary, description in zip(summaries, descriptions)
        for word in words(summary)
    ]
    return np.mean(told)


print(f"{new_words(references):.0%} of the words of held-out summaries are new")

# %% [markdown]
# Two baselines. The first sentence of the description is what a hurried reader takes,
# whole or its first 12 words: ROUGE, below, is an F1, and a long answer loses precision.
# The nearest description that was seen, by character n-grams, lends its summary.
#
# ROUGE-1 and ROUGE-2 count shared words and pairs of words, ROUGE-L the longest common
# subsequence; each is the mean F1 over the texts, in percent.


# %%
def first_sentence(text):
    return re.split(r"(?<=[.!?])\s+", text)[0]


n_grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
known = n_grams.fit_transform([description for description, _ in train])
nearest = (n_grams.transform(descriptions) @ known.T).toarray().argmax(axis=1)
firsts = [first_sentence(description) for description in descriptions]
answers = {
    "first sentence": firsts,
    "its first 12 words": [" ".join(first.split()[:12]) for first in firsts],
    "nearest description": [train[place][1] for place in nearest],
}


def measured(summaries):
    return keras_lm.training.compare_texts(summaries, references, ["rouge"])


def show(name):
    values = ", ".join(f"{metric.value:4.1f}" for metric in results[name].values())
    length = np.mean([len(words(summary)) for summary in answers[name]])
    print(f"{name:22} ROUGE-1, 2, L {values}; {length:4.1f} words", end=", ")
    print(f"{new_words(answers[name]):.0%} new")


results = {name: measured(summaries) for name, summaries in answers.items()}
print(results["first sentence"]["rougeL"].signature)
for name in results:
    show(name)

# %% [markdown]
# ## Model
#
# That of the translator. A source has `MAX_SOURCE_LENGTH` tokens at most, so training cuts
# longer descriptions after so many: what something is comes first, as a rule.

# %%
tokenizer = keras_lm.text.train_tokenizer(
    [side for pair in train for side in pair], VOCABULARY_SIZE
)


def cut(text):
    """The text, or as many whole words of it as a source may have."""
    row = tokenizer.encode(text)
    if len(row) < MAX_SOURCE_LENGTH:
        return text
    return tokenizer.decode(row[: MAX_SOURCE_LENGTH - 1]).rpartition(" ")[0]


is_long = np.array(
    [len(row) >= MAX_SOURCE_LENGTH for row in tokenizer.encode(descriptions)]
)
shortened = [cut(description) for description in descriptions]
model = keras_lm.models.TransformerEncoderDecoder(
    tokenizer.vocabulary_size,
    num_layers=NUM_LAYERS,
    num_heads=NUM_HEADS,
    hidden_dim=HIDDEN_DIM,
    intermediate_dim=INTERMEDIATE_DIM,
    max_sequence_length=2 * MAX_TARGET_LENGTH,
    dropout=DROPOUT,
    seed=SEED,
)
summarizer = keras_lm.pipelines.TextToText(
    model,
    tokenizer,
    tokenizer,
    max_new_tokens=MAX_TARGET_LENGTH - 1,
    max_source_length=MAX_SOURCE_LENGTH,
)
print(f"{is_long.mean():.0%} of the held-out descriptions are longer than a source")

assert all(full.startswith(part) for full, part in zip(descriptions, shortened))

# %% [markdown]
# ## Train


# %%
def batches(pairs, **options):
    return keras_lm.text.parallel_dataset(
        [(cut(description), summary) for description, summary in pairs],
        tokenizer,
        tokenizer,
        MAX_BATCH_TOKENS,
        max_target_length=MAX_TARGET_LENGTH,
        drop_long=True,
        **options,
    )


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
began_s = time.perf_counter()
history = model.fit(
    batches(train, num_buckets=2, seed=SEED, repeat=True, notify=lambda _: None),
    validation_data=batches(held_out, num_buckets=1, shuffle=False),
    steps_per_epoch=steps,
    epochs=EPOCHS,
    shuffle=False,
    verbose=2,
).history
print(f"{model.count_params():,} parameters, {steps * EPOCHS:,} steps", end=" ")
print(f"in {time.perf_counter() - began_s:.0f} s")

figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
epochs = np.arange(1, EPOCHS + 1)
axis.semilogy(epochs, history["perplexity"], "o-", label="pairs it trains on")
axis.semilogy(epochs, history["val_perplexity"], "s--", label="held-out files")
axis.set(title="Perplexity of a token of the summary", xlabel="epoch")
axis.legend()
figure.savefig(PICTURES / "09_training.png", dpi=120)

# %% [markdown]
# In `09_training.png` see the two perplexities, epoch by epoch. The last epoch is used as
# it is: the held-out files choose nothing.
#
# ## Use it


# %%
def summarize(texts):
    return summarizer(texts, max_batch_tokens=16384)  # few batches


MODEL = "model, beam of 4"
answers[MODEL] = summarize(shortened)
results[MODEL] = measured(answers[MODEL])
for name in results:
    show(name)


def each(summaries):
    """ROUGE-L of each held-out text, `(N,)`."""
    compare = keras_lm.training.compare_texts
    found = [compare([s], [r], ["rouge"]) for s, r in zip(summaries, references)]
    return np.array([one["rougeL"].value for one in found])


rouge_l = {name: each(summaries) for name, summaries in answers.items()}
for name in list(answers)[:-1]:
    gap = rouge_l[MODEL] - rouge_l[name]
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    print(f"ROUGE-L of the model - {name}: {gap.mean():+.1f} +- {error:.1f}")

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for place, metric in enumerate(("rouge1", "rouge2", "rougeL")):
    values = [found[metric].value for found in results.values()]
    axes[0].barh(np.arange(len(values)) + 0.25 * place, values, 0.25, label=metric)
axes[0].set_yticks(np.arange(len(results)) + 0.25, list(results))
axes[0].invert_yaxis()
axes[0].set(title=f"{len(held_out)} held-out docstrings", xlabel="F1 (%)")
axes[0].legend()
lengths = np.array([len(words(description)) for description in descriptions])
groups = np.array_split(np.argsort(lengths, kind="stable"), 2 if QUICK else 5)
for name, style in zip(
    ("first sentence", "nearest description", MODEL), ("o:", "s--", "x-")
):
    heights = [rouge_l[name][group].mean() for group in groups]
    axes[1].plot([lengths[g].mean() for g in groups], heights, style, label=name)
axes[1].set(title="ROUGE-L by length", xlabel="words of the description", xscale="log")
axes[1].legend()
figure.savefig(PICTURES / "09_rouge.png", dpi=120)

for place in range(0, len(held_out), max(1, len(held_out) // 5)):
    print(f"\n{descriptions[place][:200]}")
    for name in ("first sentence", "nearest description", MODEL):
        print(f"  {name:20} {answers[name][place][:120]}")
    print(f"  {'as it was written':20} {references[place]}")

assert np.isclose(rouge_l[MODEL].mean(), results[MODEL]["rougeL"].value)

# %% [markdown]
# In `09_rouge.png` see, on the left, the baselines above and the model below, far behind;
# on the right, how each does as the description grows. A model that begins from nothing
# learns from so few pairs how a summary sounds ("Apply a ..", "Return the ..") long before
# it learns to read what is to be summarised.
#
# ### Texts longer than a source
#
# The pipeline itself leaves no part of a long text out: it cuts it into groups of whole
# sentences, answers each and joins the answers. That is right for a translation. A
# summary of each part is no summary of the whole, and the answer grows with the text.

# %%
places = np.flatnonzero(is_long)
if len(places):
    long_texts = [descriptions[place] for place in places]
    of_slices = summarize(long_texts)
    of_cut = [answers[MODEL][place] for place in places]
    long_references = [references[place] for place in places]
    for name, summaries in (("cut", of_cut), ("in slices", of_slices)):
        found = keras_lm.training.compare_texts(summaries, long_references, ["rouge"])
        length = np.mean([len(words(summary)) for summary in summaries])
        print(f"{len(places)} long texts, {name:10} ROUGE-L", end=" ")
        print(f"{found['rougeL'].value:.1f}, {length:.1f} words")
    print(of_slices[0])
    assert sum(map(len, of_slices)) > sum(map(len, of_cut))

# %% [markdown]
# ## Export and check that it still agrees
#
# As the translator's. The SavedModel refuses a text that is too long, so the program that
# calls it must cut, as `cut` does.

# %%
summarizer.save(WORK / "pipeline")
loaded = keras_lm.pipelines.load(WORK / "pipeline")
inputs = next(iter(batches(held_out[:1])))[0]
both = [keras.ops.convert_to_numpy(m(inputs)) for m in (loaded.model, model)]
gap = np.abs(both[0] - both[1]).max()
print(f"saved and loaded: logits differ by {gap:.1e}")
assert gap < 1e-5
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        summarizer, SAVED_MODELS / "tutorial_summaries"
    )
    litert = keras_lm.export.export_litert(
        summarizer, SAVED_MODELS / "tutorial_summaries.tflite", overwrite=True
    )
    for report in (saved_model, litert):
        print(report)
        assert report.agrees

used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
memory = max(usage.ru_maxrss for usage in used) / 2**20
processor_s = sum(usage.ru_utime + usage.ru_stime for usage in used)
print(f"all of it on {BACKEND}: {time.perf_counter() - START_S:.0f} s", end=", ")
print(f"{processor_s:.0f} s of processor time, largest process {memory:.1f} GiB")

# %% [markdown]
# ## What to try next
#
# - `PACKAGES = (.., "tensorflow", "torch")`: more than twice the pairs, if they are
#   installed.
# - `MAX_SOURCE_LENGTH = 128`: fewer descriptions are cut.
# - The name of the function in front of its description.
# - `summarizer(text, beam_size=4, length_penalty=2.0)`, and ROUGE-1 with its length.
# - `keras_lm.models.LSTMEncoderDecoder(.., attention="luong")` in the model's place.
