# %% [markdown]
# # Pretraining: what is hidden from a model, and what that is worth
#
# - **You will** see what six objectives hide and where each takes its loss, train one
#   encoder body with three of them (guess hidden words, tell replaced tokens, write the
#   next token) for the same number of steps, and learn a task from few labels from each
#   start, beside random weights.
# - **Read first** `02_language_model.py`: next tokens, perplexity, backends.
# - **Data** the docstrings of installed packages, read from their source files, which are
#   parsed and never run. Nothing to fetch.
# - **Cost** 458 s of processor time, 1.3 GiB on one thread (`torch`, Keras 3.15).
# - **Result** after 1,000 steps a hidden word costs 4.41 nats and a next token 3.32, where
#   frequencies alone give 5.96; a replaced token of unseen files has a higher logit than
#   another one in 89.7 % of pairs. To the task that is worth little: from 100 labels random
#   weights reach 63.9 %, masked words 66.7 (2.8 +- 2.0 more), replaced tokens 63.2, the
#   next token 64.5, which four draws of labels do not tell apart; counted words 72.8.
# - **Paper** Clark et al., 2020, https://arxiv.org/abs/2003.10555; Devlin et al., 2018,
#   https://arxiv.org/abs/1810.04805
#
# The one new idea: a text without labels is full of questions whose answers are known. Hide
# a part and let the model write it (generative: one of all tokens, where something is
# hidden), or change a part and let it judge (discriminative: yes or no, at every token).
# Either way the body learns what words go together, and a small head on it should then need
# fewer labels: how much of that so short a pretraining buys is seen at the end.

# %% Settings: everything you may want to change
import os

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
PACKAGES = ("numpy", "keras") if QUICK else ("python", "numpy", "keras", "sklearn")
EXAMPLE = "Return a sorted copy of the array. The input itself is not changed."
FILL = (  # the place to guess is marked
    "Return the * of the array elements over a given axis.",
    "If the file does not *, an error is raised.",
)
PROMPTS = ("Return the", "The default is")
FRACTION_KEPT = 0.3  # of the source files: for the task
VOCABULARY_SIZE = 500 if QUICK else 1000
LENGTH = 16 if QUICK else 32  # tokens of a row
SIZES = {
    "num_layers": 2,
    "num_heads": 4,
    "hidden_dim": 32 if QUICK else 64,
    "intermediate_dim": 64 if QUICK else 256,
    "max_sequence_length": LENGTH,
    "positions": "rotary",
}
WINDOW = 2  # the first block sees a token and so many less one on each side
GENERATOR_SIZES = (16, 4, 32) if QUICK else (32, 4, 128)  # width, heads, inner width
HIDDEN_SHARE = 0.3  # of the words; BERT's is 0.15
BATCH_SIZE, EPOCHS, STEPS_PER_EPOCH = (4, 2, 2) if QUICK else (32, 10, 100)
LEARNING_RATE = 4e-3
NUM_LABELS = (4, 8) if QUICK else (20, 100)  # the labelled sentences of the task
NUM_DRAWS = 2 if QUICK else 4  # of these sentences
NUM_TEST = 16 if QUICK else 1000
TASK_BATCH_SIZE, TASK_STEPS, TASK_RATE = 4 if QUICK else 16, 2 if QUICK else 60, 1e-3
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import ast
import importlib.util
import random
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
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import MultinomialNB

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
# Whole source files are kept apart. All docstrings of the others are text to pretrain on,
# without labels. The task is about the files kept: from its first sentence, is a docstring
# that of a class or of a function? Half of them give sentences with labels, half the test.

# %%
SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
LABELS = ["class", "function"]
DOCUMENTED = {
    ast.Module: "module",
    ast.ClassDef: "class",
    ast.FunctionDef: "function",
    ast.AsyncFunctionDef: "function",
}


def source_files(package):
    """The Python files of an installed package, without its tests."""
    if package == "python":
        root = Path(sysconfig.get_paths()["stdlib"])
    else:
        root = Path(importlib.util.find_spec(package).submodule_search_locations[0])
    paths = sorted(root.rglob("*.py"))
    return [p for p in paths if not SKIPPED & set(p.relative_to(root).parts[:-1])]


def docstrings(path):
    """`(kind, docstring)` of each module, class and function of a file."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # a file for another Python
        return []
    nodes = [node for node in ast.walk(tree) if type(node) in DOCUMENTED]
    found = [(DOCUMENTED[type(node)], ast.get_docstring(node)) for node in nodes]
    return [(kind, docstring) for kind, docstring in found if docstring]


def first_sentences(paths):
    """Those of 3 to 20 words, by kind."""
    found = {label: set() for label in LABELS}
    for path in paths:
        for kind, docstring in written[path]:
            sentence = " ".join(docstring.split("\n\n")[0].split())
            if kind in found and 3 <= len(sentence.split()) <= 20:
                found[kind].add(sentence)
    return found


warnings.simplefilter("ignore", SyntaxWarning)  # other people's escape sequences
paths = [path for package in PACKAGES for path in source_files(package)]
paths = paths[:200] if QUICK else paths
written = {path: docstrings(path) for path in paths}
paths = [path for path in paths if written[path]]
random.Random(SEED).shuffle(paths)
num_kept = round(FRACTION_KEPT * len(paths))
pretraining_texts = list(
    dict.fromkeys(text for path in paths[num_kept:] for _, text in written[path])
)
labelled = first_sentences(paths[: num_kept // 2])
tested = first_sentences(paths[num_kept // 2 : num_kept])
met = {text.split("\n\n")[0] for text in pretraining_texts}
met = {" ".join(sentence.split()) for sentence in met}
for kind in LABELS:  # what is tested stands nowhere else, and is of one kind
    others = [labelled["class"], labelled["function"], met]
    others += [some for other, some in tested.items() if other != kind]
    tested[kind] = sorted(tested[kind].difference(*others))
labelled = {kind: sorted(some - met) for kind, some in labelled.items()}
tokenizer = keras_lm.text.train_tokenizer(pretraining_texts, VOCABULARY_SIZE)
tokenizer = tokenizer.with_special_tokens(num_sentinels=8)  # for masks and gaps


def draw(sentences, number, seed):
    """As many sentences of each kind: texts, and their labels."""
    rng = np.random.default_rng(seed)
    pairs = [
        (some[place], kind)
        for kind, some in sentences.items()
        for place in rng.permutation(len(some))[: number // len(LABELS)]
    ]
    return [text for text, _ in pairs], [label for _, label in pairs]


test_texts, test_labels = draw(tested, NUM_TEST, SEED)
num_words = sum(len(text.split()) for text in pretraining_texts)
print(f"{num_words:,} words to pretrain on; {len(test_texts)} sentences to test, as")
for text, label in list(zip(test_texts, test_labels))[:: max(1, len(test_texts) // 8)]:
    print(f"  {label:9} {text}")

assert not met & set(test_texts)

# %% [markdown]
# ## Look at one example
#
# What is hidden is drawn anew in each pass. `masked_dataset` hides whole words, 30 of 100:
# most become a mask, one in ten another token, one in ten stays; `replaced_token_dataset`
# masks them all, and a small model, the generator, fills them in. Two objectives for an
# encoder-decoder take spans out: with a numbered sentinel each, of which the decoder writes
# what it stood for (T5), or with one mask whatever the length, and the decoder writes the
# whole text (BART).


# %%
def first(dataset):
    """The first batch, as arrays."""
    return [
        {name: array.numpy()[0] for name, array in part.items()}
        if isinstance(part, dict)
        else part.numpy()[0]
        for part in next(iter(dataset))
    ]


def named(token_id):
    """A token as people read it."""
    names = {tokenizer.mask_id: "[mask]", tokenizer.separator_id: "[end]"}
    names |= {token: f"[{n}]" for n, token in enumerate(tokenizer.sentinel_ids)}
    return names.get(token_id) or tokenizer.decode([int(token_id)])


ONE = {"sequence_length": 64, "batch_size": 1, "shuffle": False}
masking = keras_lm.text.WordMasking(tokenizer, HIDDEN_SHARE)  # of these, 80/10/10
all_masked = keras_lm.text.WordMasking(tokenizer, HIDDEN_SHARE, masked=1.0, random=0.0)
MASKED, REPLACED, NEXT = "masked words", "replaced tokens", "next token"
examples = {}  # objective: (tokens read, which of them were changed, answers)

inputs, answers, weights = first(
    keras_lm.text.masked_dataset([EXAMPLE], masking, **ONE)
)
real = inputs["padding_mask"]
original = np.array([*tokenizer.encode(EXAMPLE), tokenizer.separator_id])
read, said = inputs["token_ids"][real], [""] * real.sum()
for place, answer in zip(inputs["masked_positions"][weights > 0], answers):
    said[place] = named(answer)
examples[MASKED] = read, read != original, said

inputs, answers, weights = first(
    keras_lm.text.replaced_token_dataset([EXAMPLE], all_masked, **ONE)
)
read = inputs["token_ids"][real]
said = ["?" if token == tokenizer.mask_id else "no" for token in read]
examples[REPLACED] = read, read == tokenizer.mask_id, said

inputs, answer = first(
    keras_lm.text.sentence_pair_dataset([EXAMPLE], tokenizer, "order", **ONE)
)
read = inputs["token_ids"][inputs["padding_mask"]]
said = ["yes" if answer else "no", *[""] * (len(read) - 1)]
examples["sentence order"] = read, np.full(len(read), answer == 0), said

read = np.array([tokenizer.separator_id, *original[:-1]])  # as language_model_dataset
examples[NEXT] = read, np.zeros(len(read), bool), list(map(named, original))
for name, corruption in (
    ("spans (T5)", keras_lm.text.SpanDenoising(tokenizer)),
    ("infilling (BART)", keras_lm.text.TextInfilling(tokenizer)),
):
    inputs, answers, weights = first(
        keras_lm.text.denoising_dataset([EXAMPLE], corruption, **ONE)
    )
    source = inputs["encoder_token_ids"][inputs["encoder_padding_mask"]]
    decoder = inputs["decoder_token_ids"][weights > 0]
    changed = np.isin(source, [tokenizer.mask_id, *tokenizer.sentinel_ids])
    said = [""] * len(source) + list(map(named, answers[weights > 0]))
    read = np.concatenate([source, decoder])
    examples[name] = read, np.pad(changed, (0, len(decoder))), said

for name, (read, _, said) in examples.items():
    print(f"{name:17} reads {'|'.join(map(named, read))!r}")
    print(f"{'':17} says  {'|'.join(answer or '.' for answer in said)!r}")

# %% [markdown]
# How many answers does a text give, and each among how many?

# %%
num_tokens = tokenizer.vocabulary_size
choices = {REPLACED: 2, "sentence order": 2}
counts = {name: sum(map(bool, said)) for name, (_, _, said) in examples.items()}
for name, count in counts.items():
    print(f"{name:17} {count:2} answers, each one of {choices.get(name, num_tokens):,}")

columns = max(len(read) for read, _, _ in examples.values())
colors = np.full((3 * len(examples), columns), np.nan)
figure, axis = plt.subplots(figsize=(18, 6), layout="constrained")
for row, (read, changed, said) in enumerate(examples.values()):
    colors[3 * row, : len(read)] = np.where(changed, 1, 0)
    for place, (token, answer) in enumerate(zip(read, said)):
        style = {"ha": "center", "va": "center", "fontsize": 6.5}
        axis.text(place, 3 * row, named(token), **style)
        axis.text(place, 3 * row + 1, answer, **style)
        if answer:
            colors[3 * row + 1, place] = 2
axis.imshow(colors, cmap="Pastel1_r", vmin=0, vmax=8, aspect="auto")
axis.set_yticks(3 * np.arange(len(examples)), list(examples))
axis.set_xticks([])
axis.set(title="What is read, and below it what is to be answered")
figure.savefig(PICTURES / "10_objectives.png", dpi=120)

assert counts["sentence order"] == 1
assert counts[MASKED] == examples[REPLACED][1].sum()  # the same draw
for name in (REPLACED, NEXT, "infilling (BART)"):
    assert counts[name] == len(original)  # each token, and the end
assert max(counts[MASKED], counts["spans (T5)"]) < len(original)

# %% [markdown]
# In `10_objectives.png` see what was changed, in another colour than the rest of what is
# read, and below it where the loss is taken. BERT is asked about what is hidden only, GPT
# and ELECTRA about every token; ELECTRA's answers are yes or no ("?": yes, unless the
# generator puts there what was there before).
#
# ## Model
#
# One body, an encoder of two blocks, is trained three ways from the same random weights:
# below a head that guesses hidden words, behind a generator whose work it judges, and as a
# decoder, where no token sees those behind it. A decoder has the weights of an encoder, so
# what it has learnt can be put into the body, which looks to both sides again.
#
# The first block sees the nearest neighbours only, the second all tokens. So small a body
# need not find out first, from few steps, that neighbours tell most about a hidden word.


# %%
neighbours = keras_lm.layers.LocalAttention(
    SIZES["num_heads"],
    SIZES["hidden_dim"] // SIZES["num_heads"],
    window=WINDOW,
    rotary_wavelength=10_000.0,
)
settings = {**SIZES, "attention": [neighbours, "multi_head"], "seed": SEED}


def make_body():
    return keras_lm.models.TransformerEncoder(num_tokens, **settings)


start = make_body().get_weights()
masked_body, replaced_body = make_body(), make_body()
pretrained = {
    MASKED: keras_lm.models.MaskedLanguageModel(masked_body),
    REPLACED: keras_lm.models.ReplacedTokenDetector(
        replaced_body, tokenizer.mask_id, *GENERATOR_SIZES
    ),
    NEXT: keras_lm.models.TransformerDecoder(num_tokens, **settings),
}
bodies = {MASKED: masked_body, REPLACED: replaced_body, NEXT: pretrained[NEXT]}
for body in bodies.values():
    body.set_weights(start)
for name, model in pretrained.items():
    print(f"{name:15} {model.count_params():,} parameters", end=", ")
    print(f"{bodies[name].count_params():,} of them the body")

shapes = [weight.shape for weight in start]
assert [weight.shape for weight in pretrained[NEXT].get_weights()] == shapes

# %% [markdown]
# ## Train
#
# The same text, steps, batches and learning rates; the same steps are not the same time. The
# replaced tokens have two losses: the generator's, and the detector's, which counts 50
# times, for its numbers are small. No text is read twice, so each is scored on new text.
# (A row is a docstring or a part of one; the decoder's are filled up with the next, so that
# it reads more.)

# %%
sizes = {"sequence_length": LENGTH, "batch_size": BATCH_SIZE}
options = {**sizes, "seed": SEED, "repeat": True}
datasets = {
    MASKED: keras_lm.text.masked_dataset(pretraining_texts, masking, **options),
    REPLACED: keras_lm.text.replaced_token_dataset(
        pretraining_texts, all_masked, **options
    ),
    NEXT: keras_lm.text.language_model_dataset(pretraining_texts, tokenizer, **options),
}
token_loss = keras_lm.training.MaskedCrossEntropy()
losses = {
    "guesses": token_loss,
    "detections": keras_lm.training.ReplacedTokenCrossEntropy(),
}
steps = EPOCHS * STEPS_PER_EPOCH


def optimizer(peak, steps):
    schedule = keras_lm.training.WarmupCosine(peak, steps // 10, total_steps=steps)
    return keras.optimizers.AdamW(schedule, weight_decay=0.01, global_clipnorm=1.0)


histories, seconds = {}, {}
for name, model in pretrained.items():
    is_pair = name == REPLACED
    model.compile(
        optimizer(LEARNING_RATE, steps),
        loss=losses if is_pair else token_loss,
        loss_weights={"guesses": 1.0, "detections": 50.0} if is_pair else None,
    )
    began_s = time.perf_counter()
    histories[name] = model.fit(
        datasets[name],
        epochs=EPOCHS,
        steps_per_epoch=STEPS_PER_EPOCH,
        shuffle=False,
        verbose=2,
    ).history
    seconds[name] = time.perf_counter() - began_s
    print(f"{name}: {steps} steps in {seconds[name]:.0f} s")

RANDOM = "random weights"
starts = {RANDOM: start} | {name: body.get_weights() for name, body in bodies.items()}


# %%
def entropy(shares):
    return -sum(share * np.log(share) for share in shares if share)


stream = keras_lm.text.encode_corpus(pretraining_texts, tokenizer)
by_frequency = entropy(np.bincount(stream) / len(stream))
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
done = STEPS_PER_EPOCH * np.arange(1, EPOCHS + 1)
axes[0].plot(done, histories[MASKED]["loss"], "o-", label=MASKED)
axes[0].plot(
    done, histories[REPLACED]["guesses_loss"], "s--", label="the generator's words"
)
axes[0].plot(done, histories[NEXT]["loss"], "x-", label=NEXT)
axes[0].axhline(by_frequency, color="grey", linestyle=":", label="frequencies alone")
axes[0].set(title="One of all tokens", ylabel="nats for an answer")
axes[1].plot(done, histories[REPLACED]["detections_loss"], "s-", label=REPLACED)
axes[1].axhline(
    entropy([HIDDEN_SHARE, 1 - HIDDEN_SHARE]),
    color="grey",
    linestyle=":",
    label="the share of hidden words",
)
axes[1].set(title="Replaced or not", ylabel="nats for an answer")
for axis in axes:
    axis.set(xlabel="steps")
    axis.legend()
figure.savefig(PICTURES / "10_pretraining.png", dpi=120)

rows_read, rows = steps * BATCH_SIZE, len(stream) / LENGTH
print(f"frequencies alone: {by_frequency:.2f} nats; {rows_read / rows:.1f} passes")

assert rows_read < rows  # no text twice
if not QUICK:
    assert histories[MASKED]["loss"][-1] < by_frequency - 1
    assert histories[NEXT]["loss"][-1] < by_frequency - 2
    assert histories[REPLACED]["detections_loss"][-1] < 0.45

# %% [markdown]
# In `10_pretraining.png` see, on the left, how surprised each is by the right token, beside
# what frequencies alone give. The next token is learnt fastest: the one before it stands in
# the input. A hidden word must be got from its neighbours, all of it at once, so the two are
# not the same question. On the right the detector learns though its generator gets better.
#
# ## Use it
#
# What the three are able to do by themselves: guess a word, tell one that does not belong,
# go on with a text.


# %%
def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


for text in FILL:
    left, _, right = text.partition(" *")
    token_ids = [*tokenizer.encode(left), tokenizer.mask_id]
    place = len(token_ids) - 1
    token_ids += [*tokenizer.encode(right), tokenizer.separator_id]
    logits = numbers(pretrained[MASKED](np.array([token_ids])))[0, place]
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    best = np.argsort(-shares)[:6]
    told = ", ".join(f"{named(token)!r} {shares[token]:.0%}" for token in best)
    print(f"{text}\n  * = {told}")

generator = keras_lm.pipelines.TextGenerator(pretrained[NEXT], tokenizer, LENGTH // 2)
for prompt, text in zip(PROMPTS, generator(list(PROMPTS))):
    print(f"{prompt!r} goes on {text!r}")

# %% [markdown]
# The detector reads sentences of files that it has not seen, in which the generator has
# put something. How often has a replaced token a higher logit than one that stands where it
# stood (the area under the ROC curve)? Half the time, if nothing is known.

# %%
unseen = keras_lm.text.replaced_token_dataset(
    test_texts, all_masked, **sizes, shuffle=False, drop_remainder=False
)
is_replaced, logits = [], []
for inputs, answers, _ in unseen:
    detections = numbers(pretrained[REPLACED](inputs)["detections"])  # (B, T, 2)
    real = inputs["padding_mask"].numpy()
    shown = detections[..., 1].astype(int)
    replaced = shown != answers["detections"].numpy()
    is_replaced += replaced[real].tolist()
    logits += detections[..., 0][real].tolist()
area = roc_auc_score(is_replaced, logits)
print(f"{np.mean(is_replaced):.1%} of the tokens are replaced; area {area:.3f}")
assert QUICK or area > 0.85

row = int(replaced.sum(axis=1).argmax())  # of the last batch
for token, was_replaced, logit in zip(
    shown[row][real[row]], replaced[row][real[row]], detections[row, real[row], 0]
):
    mark = f"<{named(token)}>" if was_replaced else named(token)
    print(f"{mark}({1 / (1 + np.exp(-logit)):.0%})", end=" ")
print()

# %% [markdown]
# ### A task with few labels
#
# Class or function? A dense layer on the mean of the body's vectors says it. From each
# start the same labelled sentences, steps and rates; all weights are trained. Beside them
# naive Bayes, which counts words and needs no start.


# %%
def classifier_from(weights, texts, labels, seed):
    """A pipeline, its model trained on the labelled texts."""
    body = make_body()
    body.set_weights(weights)
    keras.utils.set_random_seed(seed)  # of the dense layer
    model = keras_lm.models.SequenceClassifier(body, len(LABELS), seed=seed)
    dataset = keras_lm.text.classification_dataset(
        texts,
        labels,
        tokenizer,
        LABELS,
        TASK_BATCH_SIZE,
        max_length=LENGTH,
        truncate=True,
        num_buckets=1,
        seed=seed,
        repeat=True,
    )
    model.compile(
        optimizer(TASK_RATE, TASK_STEPS),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(dataset, steps_per_epoch=TASK_STEPS, shuffle=False, verbose=0)
    return keras_lm.pipelines.TextClassifier(
        model, tokenizer, LABELS, LENGTH, truncate=True
    )


COUNTED = "naive Bayes"
accuracy = {(name, n): [] for name in (*starts, COUNTED) for n in NUM_LABELS}


def percent(found):
    """The mean of both kinds' shares of right answers: guessing gives 50."""
    right, kinds = found == np.array(test_labels), np.array(test_labels)
    return 100 * np.mean([right[kinds == kind].mean() for kind in LABELS])


began_s = time.perf_counter()
for number in NUM_LABELS:
    for seed in range(NUM_DRAWS):
        texts, labels = draw(labelled, number, seed)
        counter = CountVectorizer()
        bayes = MultinomialNB().fit(counter.fit_transform(texts), labels)
        found = bayes.predict(counter.transform(test_texts))
        accuracy[COUNTED, number].append(percent(found))
        for name, weights in starts.items():
            classifier = classifier_from(weights, texts, labels, seed)
            accuracy[name, number].append(percent(np.array(classifier(test_texts))))
accuracy = {key: np.array(found) for key, found in accuracy.items()}  # (draws,)
print(f"{len(starts) * len(NUM_LABELS) * NUM_DRAWS} classifiers", end=" ")
print(f"in {time.perf_counter() - began_s:.0f} s")

for number in NUM_LABELS:
    for name in (*starts, COUNTED):
        found = accuracy[name, number]
        told = ", ".join(f"{value:.1f}" for value in found)
        print(f"{number:4} labels, {name:16} {found.mean():.1f} % ({told})")
    for name in (MASKED, REPLACED, NEXT):
        gap = accuracy[name, number] - accuracy[RANDOM, number]
        error = gap.std(ddof=1) / np.sqrt(NUM_DRAWS)
        print(f"     {name} - {RANDOM}: {gap.mean():+.1f} +- {error:.1f} points")

figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
for place, name in enumerate((*starts, COUNTED)):
    places = np.arange(len(NUM_LABELS)) + 0.16 * place
    values = [accuracy[name, number] for number in NUM_LABELS]
    axis.bar(places, [some.mean() for some in values], 0.16, label=name)
    for x, some in zip(places, values):
        axis.plot([x] * len(some), some, "k.", markersize=4)
axis.set_xticks(np.arange(len(NUM_LABELS)) + 0.32, [f"{n} labels" for n in NUM_LABELS])
axis.axhline(50, color="grey", linestyle=":")
axis.set(title=f"{len(test_texts)} sentences of other files", ylabel="% right")
axis.legend(ncols=3)
axis.set_ylim(0, 110)
figure.savefig(PICTURES / "10_accuracy.png", dpi=120)

if not QUICK:  # claimed of the starts: nothing
    most = max(NUM_LABELS)
    best = max(accuracy[name, most].mean() for name in starts)
    assert accuracy[COUNTED, most].mean() > best + 3

# %% [markdown]
# In `10_accuracy.png` see a bar for each start and a dot for each draw of labels. The dots
# of the four starts mix: whatever was learnt from so little text, it is hardly more than
# what the draw of the labels does, and naive Bayes, which has learnt nothing before, is
# ahead with 100 labels. (Rates and steps of the task are untuned.)
#
# ## Export and check that it still agrees
#
# What was hidden in pretraining is nowhere in what is shipped: a classifier like any other.

# %%
texts, labels = draw(labelled, max(NUM_LABELS), SEED)
classifier = classifier_from(starts[MASKED], texts, labels, SEED)
classifier.save(WORK / "pipeline")
loaded = keras_lm.pipelines.load(WORK / "pipeline")
asked = [*test_texts[:20], "数组 🙂", ""]
gap = np.abs(loaded.logits(asked) - classifier.logits(asked)).max()
print(f"saved and loaded: logits differ by {gap:.1e}")

assert gap < 1e-5
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        classifier, SAVED_MODELS / "tutorial_pretraining"
    )
    litert = keras_lm.export.export_litert(
        classifier, SAVED_MODELS / "tutorial_pretraining.tflite", overwrite=True
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
# - `EPOCHS = 40`, and see which start gains from more steps.
# - `keras_lm.text.WordMasking(tokenizer, rate=0.4)`: more answers from each text.
# - `MaskedLanguageModel(encoder, judges_pairs=True)` on
#   `sentence_pair_dataset(.., masking=..)`, or a `TransformerEncoderDecoder` on
#   `denoising_dataset`: the other objectives.
# - `python -m benchmarks.quality_pretraining`: all of them, with three seeds.
# - `keras_lm.text.read_corpus(path)` in the docstrings' place, Chinese as much as English.
