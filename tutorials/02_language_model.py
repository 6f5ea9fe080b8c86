# %% [markdown]
# # A language model of your own text
#
# - **You will** train a small GPT (a Transformer decoder) on text, see the same curve on
#   three backends, let it write with different samplers, and ship it.
# - **Read first** `01_self_attention.py`.
# - **Data** NumPy's docstrings, read from the installed package; or set `CORPUS` to a
#   file or folder of your own (UTF-8, Chinese as much as English).
# - **Cost** 454 s, 1.4 GiB on 2 CPU cores (`jax` and then the two others, Keras 3.15),
#   with other work on the machine for a part of it.
# - **Result** perplexity 50.1 on modules it has not seen, 0.63 of the bigram model's 79.6;
#   49.7 on TensorFlow, 49.5 on PyTorch.
# - **Paper** Radford et al., 2018,
#   https://openai.com/research/language-unsupervised
#
# The one new idea: to predict the next token, again and again, is all the training
# there is. Whatever the text shows (spelling, grammar, how a docstring is laid out)
# makes the next token less of a surprise, so the model learns it.

# %% Settings: everything you may want to change
import os

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
CORPUS = None  # path of a file or folder; None reads the docstrings of PACKAGES
PACKAGES = ("numpy",)  # "python" is the standard library
PROMPTS = ("Return the", "Create a new array", "Raises\n------\n")
VOCABULARY_SIZE = 600 if QUICK else 1500
SEQUENCE_LENGTH = 64
BATCH_SIZE = 8 if QUICK else 16
NUM_LAYERS, NUM_HEADS = (1, 2) if QUICK else (2, 4)
HIDDEN_DIM, INTERMEDIATE_DIM = (32, 64) if QUICK else (128, 512)
MAX_NEW_TOKENS = 8 if QUICK else 48
EPOCHS, STEPS_PER_EPOCH = (2, 3) if QUICK else (12, 100)
LEARNING_RATE, WARMUP_STEPS = 8e-3, 2 if QUICK else 60
os.environ.setdefault("KERAS_BACKEND", "jax")  # this process; the others come below
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import importlib.util
import inspect
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
WORK = Path(tempfile.mkdtemp())  # what the processes hand to each other
BACKEND = keras.backend.backend()
INSTALLED = [b for b in ("jax", "tensorflow", "torch") if importlib.util.find_spec(b)]
OTHERS = [backend for backend in INSTALLED if backend != BACKEND]
if QUICK:
    OTHERS = OTHERS[:1]
keras.utils.set_random_seed(SEED)

# %% [markdown]
# ## Data
#
# Whole documents are held out, so that no held-out line stands in a document that was
# trained on. The tokenizer learns from the training documents alone.

# %%
if CORPUS is None:
    documents = keras_lm.text.docstring_corpus(packages=PACKAGES)
else:
    documents = keras_lm.text.read_corpus(CORPUS)
if QUICK:
    documents = documents[:40]
train, held_out = keras_lm.text.split_documents(documents, 0.05, seed=SEED)
train_texts = [document.text for document in train]
held_out_texts = [document.text for document in held_out]
tokenizer = keras_lm.text.train_tokenizer(train_texts, VOCABULARY_SIZE)
num_words = sum(len(document.text.split()) for document in documents)
print(f"{num_words:,} words in {len(documents):,} documents; held out:")
print(", ".join(document.name for document in held_out[:6]), "..")

# %% [markdown]
# ## Look at one example
#
# The model reads `token_ids` and must say, at every position, the token that comes next:
# the targets are the inputs, one place on. Nothing is lost between text and tokens, so
# what is not in the vocabulary is spelled in bytes.

# %%
dataset = keras_lm.text.language_model_dataset(
    train_texts, tokenizer, SEQUENCE_LENGTH, BATCH_SIZE, shuffle=False
)
token_ids, next_token_ids = (array.numpy() for array in next(iter(dataset)))
pieces = [tokenizer.decode([token]) for token in token_ids[0][1:13].tolist()]
print(token_ids.shape, token_ids[0][1:13].tolist())
print(" | ".join(repr(piece)[1:-1] for piece in pieces))
unusual = "数组 naïve 🙂\n\tlast line "
print(repr(unusual), "->", len(tokenizer.encode(unusual)), "tokens")

assert np.array_equal(token_ids[0, 1:], next_token_ids[0, :-1])
assert tokenizer.decode(tokenizer.encode(unusual)) == unusual

# %% [markdown]
# Two baselines count instead of learning: how often each token comes (unigram), and how
# often it comes after the one before it (bigram). Perplexity `n` means: as unsure as a
# guess among `n` tokens.

# %%
counted, tuning = keras_lm.text.split_documents(train, 0.05, seed=SEED + 1)
streams = [
    keras_lm.text.encode_corpus([document.text for document in part], tokenizer)
    for part in (counted, tuning, held_out)
]
baselines = {}
for order, name in ((1, "unigram"), (2, "bigram")):
    n_gram = keras_lm.training.NGramModel(order, tokenizer.vocabulary_size)
    n_gram.fit(streams[0], streams[1])
    baselines[name] = n_gram.perplexity(streams[2])
    print(f"{name:8} perplexity {baselines[name]:6.1f} on held-out documents")

# %% [markdown]
# ## Model
#
# Token embeddings, blocks of the attention of tutorial 1 (causal: no position sees what
# comes later) and feed-forward networks, logits. An untrained model should know nothing:
# its perplexity is about the size of the vocabulary.

# %%
model = keras_lm.models.TransformerDecoder(
    vocabulary_size=tokenizer.vocabulary_size,
    num_layers=NUM_LAYERS,
    num_heads=NUM_HEADS,
    hidden_dim=HIDDEN_DIM,
    intermediate_dim=INTERMEDIATE_DIM,
    max_sequence_length=2 * SEQUENCE_LENGTH,
)
model.compile(
    loss=keras_lm.training.MaskedCrossEntropy(),
    weighted_metrics=[keras_lm.training.Perplexity()],
)
untrained = model.evaluate(token_ids, next_token_ids, verbose=0, return_dict=True)
print(f"{model.count_params():,} parameters", end=", ")
print(f"untrained: perplexity {untrained['perplexity']:,.0f}", end=" ")
print(f"with a vocabulary of {tokenizer.vocabulary_size:,}")

assert 0.8 < untrained["perplexity"] / tokenizer.vocabulary_size < 1.3

# %% [markdown]
# ## Train
#
# The model goes to a `.keras` file, so that every backend starts from the same weights.
# `train_model` loads it, compiles it (an optimizer in the file would be the class of the
# backend that wrote it), trains with `model.fit`, measures the held-out documents after
# each epoch and writes down what it saw. This process calls it; then the same lines run
# in a new process for each other backend, one after the other.


# %%
def train_model(folder):
    """Trains the model of `folder` on the backend of this process."""
    import json
    import time
    from pathlib import Path

    import keras

    import keras_lm.models
    import keras_lm.text
    import keras_lm.training

    folder = Path(folder)
    job = json.loads((folder / "job.json").read_text("utf-8"))
    tokenizer = keras_lm.text.SentencePieceTokenizer.load(folder / "tokenizer.model")
    model = keras.saving.load_model(folder / "start.keras", compile=False)
    steps = job["epochs"] * job["steps_per_epoch"]
    schedule = keras_lm.training.WarmupCosine(
        job["learning_rate"], job["warmup_steps"], total_steps=steps
    )
    model.compile(
        keras.optimizers.AdamW(
            schedule, weight_decay=0.1, beta_2=0.99, global_clipnorm=1.0
        ),
        loss=keras_lm.training.MaskedCrossEntropy(),
        weighted_metrics=[keras_lm.training.Perplexity()],
    )
    sizes = job["sequence_length"], job["batch_size"]
    train = keras_lm.text.language_model_dataset(
        job["train"], tokenizer, *sizes, seed=job["seed"], repeat=True
    )
    held_out = keras_lm.text.language_model_dataset(
        job["held_out"], tokenizer, *sizes, shuffle=False, drop_remainder=False
    )
    began_s = time.perf_counter()
    history = model.fit(
        train,
        validation_data=held_out,
        epochs=job["epochs"],
        steps_per_epoch=job["steps_per_epoch"],
        shuffle=False,
        verbose=2,
    ).history
    history["seconds"] = time.perf_counter() - began_s
    path = folder / f"{keras.backend.backend()}.json"
    path.write_text(json.dumps(history), encoding="utf-8")
    return model


def run(code, *arguments, backend="tensorflow"):
    """Runs Python code in a new process; gives what it prints."""
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


job = {
    "train": train_texts,
    "held_out": held_out_texts,
    "sequence_length": SEQUENCE_LENGTH,
    "batch_size": BATCH_SIZE,
    "epochs": EPOCHS,
    "steps_per_epoch": STEPS_PER_EPOCH,
    "learning_rate": LEARNING_RATE,
    "warmup_steps": WARMUP_STEPS,
    "seed": SEED,
}
(WORK / "job.json").write_text(json.dumps(job), encoding="utf-8")
tokenizer.save(WORK / "tokenizer.model")
model.save(WORK / "start.keras")

model = train_model(WORK)
the_same = inspect.getsource(train_model) + "\nimport sys\ntrain_model(sys.argv[1])"
for backend in OTHERS:
    run(the_same, WORK, backend=backend)

# %%
histories = {
    backend: json.loads((WORK / f"{backend}.json").read_text("utf-8"))
    for backend in [BACKEND, *OTHERS]
}
steps = STEPS_PER_EPOCH * np.arange(1, EPOCHS + 1)
curves = {backend: np.array(h["val_loss"]) for backend, h in histories.items()}
gaps = {b: np.abs(curves[b] - curves[BACKEND]) for b in OTHERS}
for backend, history in histories.items():
    told = f"{backend:10} perplexity {history['val_perplexity'][-1]:.2f} held out"
    speed = EPOCHS * STEPS_PER_EPOCH * BATCH_SIZE * SEQUENCE_LENGTH / history["seconds"]
    print(f"{told}, {history['seconds']:.0f} s, {speed:,.0f} tokens/s")
for backend, gap in gaps.items():
    print(f"{backend} and {BACKEND}: at most {gap.max():.1e} nats apart")

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for (backend, curve), style in zip(curves.items(), ("o-", "s--", "x:")):
    axes[0].plot(steps, curve, style, label=f"this model, {backend}", alpha=0.8)
training_loss = histories[BACKEND]["loss"]
axes[0].plot(steps, training_loss, color="grey", label="its training loss", linewidth=1)
for (name, perplexity), style in zip(baselines.items(), (":", "--")):
    axes[0].axhline(np.log(perplexity), color="black", linewidth=1, linestyle=style)
    axes[0].text(steps[-1], np.log(perplexity) + 0.03, name, ha="right", va="bottom")
axes[0].set(
    title="Held-out documents", xlabel="optimizer steps", ylabel="nats per token"
)
axes[0].set_ylim(top=np.log(baselines["unigram"]) + 0.35)
axes[0].legend(loc="upper right", bbox_to_anchor=(1, 0.88))
for (backend, gap), style in zip(gaps.items(), ("s--", "x:")):
    # A gap of exactly 0 cannot stand on a logarithmic axis.
    axes[1].semilogy(
        steps, np.maximum(gap, 1e-8), style, label=f"{backend} - {BACKEND}"
    )
axes[1].set(title="How far the backends are apart", xlabel="optimizer steps")
axes[1].set(ylabel="difference of the held-out loss (nats)")
axes[1].legend()
figure.savefig(PICTURES / "02_loss.png", dpi=120)

ratio = histories[BACKEND]["val_perplexity"][-1] / baselines["bigram"]
print(f"{ratio:.2f} of the bigram model's perplexity")
assert not QUICK or all(gap.max() < 1e-3 for gap in gaps.values())  # after six steps
if not QUICK:
    assert all(
        h["val_perplexity"][-1] < baselines["bigram"] for h in histories.values()
    )
    assert all(gap[-1] < 0.05 for gap in gaps.values())

# %% [markdown]
# In `02_loss.png` see, on the left, three curves in one place that cross the bigram line
# together (the grey line is lower: it is about documents the model has read); on the
# right, how far rounding, the only difference between the backends, drives them apart:
# 0.08 nats while the learning rate is high, 0.01 at the end.
#
# ## Use it
#
# `keras_lm.pipelines.TextGenerator` is tokenizer and model in one: strings in, their
# continuations out. What a model writes depends on how tokens are drawn from its
# probabilities.

# %%
samplers = keras_lm.generation.samplers
generator = keras_lm.pipelines.TextGenerator(model, tokenizer, MAX_NEW_TOKENS)
choices = {
    "greedy": samplers.greedy(),
    "temperature 0.5": samplers.temperature(0.5),
    "temperature 1.5": samplers.temperature(1.5),
    "top-p 0.8": samplers.top_p(0.8),
}
written = {
    name: generator(list(PROMPTS), sampler=sampler, seed=SEED)
    for name, sampler in choices.items()
}
for place, prompt in enumerate(PROMPTS):
    print(f"\n{prompt!r}")
    for name, texts in written.items():
        print(f"  {name:16}{texts[place]!r}")
print("\nas it comes: ", end="")
for piece in generator.stream(PROMPTS[0]):
    print(piece, end="", flush=True)
print()
sentences = ["Return the shape of the array.", "array the of shape the Return."]
scores = generator.score(sentences)
for sentence, nats in zip(sentences, scores):
    print(f"log-likelihood {nats:7.1f} nats: {sentence}")

assert written["greedy"] == generator(list(PROMPTS))  # greedy never varies
assert written["top-p 0.8"] == generator(
    list(PROMPTS), sampler=samplers.top_p(0.8), seed=SEED
)
if not QUICK and CORPUS is None:
    assert scores[0] > scores[1]  # the same words, but in order

# %%
start = [tokenizer.separator_id, *tokenizer.encode(PROMPTS[-1])]
logits = model(np.array([start]))[:, -1]  # (1, V): what comes after the prompt
history_ids, visible = np.array([start]), np.ones((1, len(start)), bool)
shown = {"as the model says": samplers.random(), **choices}
del shown["greedy"]
probabilities = {
    name: keras.ops.convert_to_numpy(
        keras.ops.softmax(sampler(logits, history_ids, visible), axis=-1)
    )[0]
    for name, sampler in shown.items()
}
likeliest = np.argsort(-probabilities["as the model says"])[:14]
names = [ascii(tokenizer.decode([token]))[1:-1] for token in likeliest.tolist()]

figure, axes = plt.subplots(
    1, len(shown), figsize=(11, 4.2), layout="constrained", sharex=True, sharey=True
)
for axis, (name, values) in zip(axes, probabilities.items()):
    rest = 1 - values[likeliest].sum()
    axis.barh(range(len(names)), values[likeliest])
    axis.set(title=f"{name}\n(all other tokens: {abs(rest):.0%})", xlabel="probability")
axes[0].set_yticks(
    range(len(names)), [f'"{name}"' for name in names], family="monospace"
)
axes[0].invert_yaxis()
axes[0].set_ylabel(f"token after {ascii(PROMPTS[-1])}")
figure.savefig(PICTURES / "02_samplers.png", dpi=120)

sums = [values.sum() for values in probabilities.values()]
entropies = {n: -(p * np.log(p + 1e-30)).sum() for n, p in probabilities.items()}
assert np.allclose(sums, 1, atol=1e-5)
assert entropies["temperature 0.5"] < entropies["as the model says"]
assert entropies["as the model says"] < entropies["temperature 1.5"]
assert entropies["top-p 0.8"] < entropies["as the model says"]

# %% [markdown]
# In `02_samplers.png` see a low temperature make the long bars longer, a high one give
# weight to everything, and top-p cut the tail off while the order of the rest stays.
#
# ## Export and check that it still agrees
#
# A saved pipeline is one directory, read on any backend. The exporters start TensorFlow
# processes of their own, run what they wrote and compare it with this model before they
# put it in place. The last process below is any program: it does not import keras_lm.

# %%
greedy = generator(list(PROMPTS))
generator.save(WORK / "pipeline")
LOAD = """
import json, sys
import keras_lm.pipelines
generator = keras_lm.pipelines.load(sys.argv[1])
print(json.dumps(generator(json.loads(sys.argv[2]))))
"""
for backend in OTHERS:
    printed = run(LOAD, WORK / "pipeline", json.dumps(PROMPTS), backend=backend)
    same = json.loads(printed.splitlines()[-1]) == greedy
    print(f"saved on {BACKEND}, loaded on {backend}: the same greedy text: {same}")
    assert same

saved_model = keras_lm.export.export_saved_model(
    generator, SAVED_MODELS / "tutorial_lm"
)
litert = keras_lm.export.export_litert(
    generator, SAVED_MODELS / "tutorial_lm.tflite", overwrite=True
)
for report in (saved_model, litert):
    print(report)
    assert report.agrees

SERVE = """
import json, sys
import tensorflow as tf, tensorflow_text
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
answers = serve(text=tf.constant(json.loads(sys.argv[2])))["generated_text"]
print(json.dumps([answer.decode("utf-8") for answer in answers.numpy()]))
"""
served = json.loads(run(SERVE, saved_model.path, json.dumps(PROMPTS)).splitlines()[-1])
print("the SavedModel, in a program without keras_lm:", repr(served[0]))

assert served == greedy

used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
memory = max(usage.ru_maxrss for usage in used) / 2**20
processor_s = sum(usage.ru_utime + usage.ru_stime for usage in used)
print(f"all of it on {BACKEND}: {time.perf_counter() - START_S:.0f} s", end=", ")
print(f"{processor_s:.0f} s of processor time, largest process {memory:.1f} GiB")

# %% [markdown]
# ## What to try next
#
# - `CORPUS = "path/to/your/text"`, with `PROMPTS` that fit it.
# - `PACKAGES = ("python", "keras", "numpy")` and more steps: `make demo` does this.
# - `samplers.chain(samplers.repetition_penalty(1.2), samplers.top_p(0.9))` against the
#   loops that greedy text falls into.
# - `generator(..., stop=["\n\n"])` ends a text at the first blank line.
# - `export_litert(..., quantization="dynamic_int8")`: a file of a third of the size; read
#   what its report says of the difference.
# - `saved_models/README.md` runs both exports without keras_lm.
