# %% [markdown]
# # A language model with a memory of one size
#
# - **You will** train an LSTM to predict the next token, on independent windows and on
#   segments that go on where the last one ended, and see what the carried state buys.
# - **Read first** `02_language_model.py`: the same text, split, tokenizer and baselines.
# - **Data** NumPy's docstrings, read from the installed package; or set `CORPUS` to a
#   file or folder of your own (UTF-8, Chinese as much as English).
# - **Cost** 284 s, 1.2 GiB on one thread (`torch`, Keras 3.15), with other work on the
#   machine; `jax` compiles first and takes longer.
# - **Result** perplexity 65.1 on modules it has not seen, trained on segments and with the
#   state carried on (67.8 with the state reset every 64 tokens); 65.2 and 66.5 trained on
#   windows. The bigram model has 79.6, tutorial 2's Transformer 50.1 after as many tokens.
# - **Paper** Zaremba et al., 2014, https://arxiv.org/abs/1409.2329
#
# The one new idea: a Transformer keeps something of every token it has read, an LSTM a
# state of one size that it rewrites at each token. The state can be handed from one piece
# of a text to the next, so the model reads on and on; only its gradients end where a
# piece does (truncated backpropagation).

# %% Settings: everything you may want to change
import os

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
CORPUS = None  # path of a file or folder; None reads the docstrings of PACKAGES
PACKAGES = ("numpy",)  # "python" is the standard library
PROMPTS = ("Return the", "Create a new array", "Raises\n------\n")
VOCABULARY_SIZE = 600 if QUICK else 1500
SEQUENCE_LENGTH = 64  # of a window and of a segment
BATCH_SIZE = 4 if QUICK else 16
EMBEDDING_DIM, HIDDEN_DIM, NUM_LAYERS = (16, 24, 1) if QUICK else (128, 192, 1)
MAX_NEW_TOKENS = 8 if QUICK else 48
EPOCHS, STEPS_PER_EPOCH = (2, 3) if QUICK else (8, 150)
LEARNING_RATE, WARMUP_STEPS = 5e-3, 2 if QUICK else 60
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import resource
import sys
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
BACKEND = keras.backend.backend()

# %% [markdown]
# ## Data
#
# As in tutorial 2: whole documents are held out, the tokenizer learns from the others,
# and two baselines count. What is new is the order. The training text is one long row of
# tokens, cut into `BATCH_SIZE` rows of one length; a batch is a segment of each, so that
# row `i` of a batch goes on where row `i` of the batch before ended.

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


def in_segments(texts):
    """Token ids, next token ids and weights, each `(segments, B, T)`, none left out."""
    stream = keras_lm.text.encode_corpus(texts, tokenizer)
    sizes = BATCH_SIZE, SEQUENCE_LENGTH
    arrays = keras_lm.text.consecutive_segments(stream, *sizes)
    return [array.reshape(-1, *sizes) for array in arrays]


segments, held_out_segments = in_segments(train_texts), in_segments(held_out_texts)
for name, arrays in (("train", segments), ("held out", held_out_segments)):
    told = f"{int(arrays[2].sum()):,} tokens to predict in {len(arrays[0]):,} segments"
    print(f"{name:8} {told} of {BATCH_SIZE} x {SEQUENCE_LENGTH}")

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

assert held_out_segments[2].sum() == len(streams[2]) - 1

# %% [markdown]
# ## Look at one example
#
# Three things go wrong in LSTM language models that are passed around.
#
# 1. **The target is not shifted.** Then the token to predict is the one just read. A
#    model that copies its input has perplexity 1 on such targets and knows nothing of
#    the language.
# 2. **Only the last state predicts.** `outputs[-1]`, or a layer without
#    `return_sequences=True`, learns from one token of a window, and reads the others for
#    that one.
# 3. **The state is not carried.** It is set to zero before each batch, so that every
#    window begins without a memory, whatever the model could have kept.
#
# The first two can be seen here, the third is measured below.

# %%
token_ids, next_token_ids, _ = (array[0] for array in segments)
print(repr(tokenizer.decode(token_ids[0, :24])), "..")
print("goes on in the next batch:", repr(tokenizer.decode(segments[0][1, 0, :16])))


def nats_per_token(targets, logits):
    """What each target costs, `(B, T)`."""
    losses = keras.losses.sparse_categorical_crossentropy(
        targets, logits, from_logits=True
    )
    return keras.ops.convert_to_numpy(losses)


copying = 20 * np.eye(tokenizer.vocabulary_size, dtype="float32")[token_ids[:2]]
for name, targets in (("not shifted", token_ids), ("shifted", next_token_ids)):
    perplexity = np.exp(nats_per_token(targets[:2], copying).mean())
    print(
        f"a model that copies its input, targets {name}: perplexity {perplexity:,.1f}"
    )
    assert (perplexity < 1.01) == (name == "not shifted")
print(f"targets of a window: {next_token_ids.shape[1]}; if only its last counts: 1")

assert np.array_equal(token_ids[:, 1:], next_token_ids[:, :-1])  # shifted by one
assert np.array_equal(segments[1][0, :, -1], segments[0][1, :, 0])  # no token between

# %% [markdown]
# ## Model
#
# Embeddings, an LSTM (or more, one on the other), logits. What it keeps of a text is two
# vectors a layer, however long the text; the Transformer of tutorial 2 keeps a key and a
# value of every token in every layer.


# %%
def new_model():
    """The same weights each time."""
    keras.utils.set_random_seed(SEED)
    return keras_lm.models.LSTMLanguageModel(
        vocabulary_size=tokenizer.vocabulary_size,
        embedding_dim=EMBEDDING_DIM,
        hidden_dim=HIDDEN_DIM,
        num_layers=NUM_LAYERS,
    )


def numbers_kept(model, length):
    """What a model keeps of a text of so many tokens, to write the next one.

    The clock of a decode is left out: one bool a token, which an LSTM does not read.
    """
    rows = keras.tree.flatten(model.initial_state(1, length)["rows"])
    return sum(int(np.prod(array.shape)) for array in rows)


model = new_model()
transformer = keras_lm.models.TransformerDecoder(
    tokenizer.vocabulary_size,
    num_layers=2,
    num_heads=4,
    hidden_dim=128,
    intermediate_dim=512,
    max_sequence_length=8192,
)
kept = {}
for name, one in (("LSTM", model), ("Transformer", transformer)):
    kept[name] = [numbers_kept(one, length) for length in (64, 1024, 8192)]
    row = ", ".join(f"{number:,}" for number in kept[name])
    print(f"{name:12} {one.count_params():,} parameters; numbers kept", end=" ")
    print(f"of 64, 1,024 and 8,192 tokens: {row}")

assert len(set(kept["LSTM"])) == 1
assert kept["Transformer"][2] == 128 * kept["Transformer"][0]

# %% [markdown]
# ## Train
#
# Twice, from the same weights, with as many tokens, in batches of one size. The first
# model sees windows in random order, each from a state of zeros.
# `keras_lm.training.ConsecutiveSegments` trains the second: it keeps the states of a
# batch for the next one, and no gradient flows through them. They are forgotten at the
# start of each epoch and of each evaluation.
#
# After each epoch the held-out documents are read in each model's own way: in windows by
# the first, with a state that is carried by the second.


# %%
def compiled(model):
    """Ready for `fit`."""
    schedule = keras_lm.training.WarmupCosine(
        LEARNING_RATE, WARMUP_STEPS, total_steps=EPOCHS * STEPS_PER_EPOCH
    )
    model.compile(
        keras.optimizers.AdamW(
            schedule, weight_decay=0.1, beta_2=0.99, global_clipnorm=1.0
        ),
        loss=keras_lm.training.MaskedCrossEntropy(),
        weighted_metrics=[keras_lm.training.Perplexity()],
    )
    return model


def endless(arrays):
    """The segments in their order, pass after pass."""
    while True:
        yield from zip(*arrays)


def joined(arrays):
    """All batches in one array: what `validation_data` takes, a batch at a time."""
    return tuple(array.reshape(-1, SEQUENCE_LENGTH) for array in arrays)


fitting = {"epochs": EPOCHS, "steps_per_epoch": STEPS_PER_EPOCH, "shuffle": False}
models, histories = {}, {}
sizes = SEQUENCE_LENGTH, BATCH_SIZE

began_s = time.process_time()
models["windows"] = compiled(new_model())
histories["windows"] = models["windows"].fit(
    keras_lm.text.language_model_dataset(
        train_texts, tokenizer, *sizes, seed=SEED, repeat=True
    ),
    validation_data=joined(held_out_segments),
    validation_batch_size=BATCH_SIZE,
    verbose=0,
    **fitting,
)
print(f"windows: {time.process_time() - began_s:.0f} s of processor time")

began_s = time.process_time()
models["segments"] = new_model()
reader = compiled(keras_lm.training.ConsecutiveSegments(models["segments"], BATCH_SIZE))
histories["segments"] = reader.fit(
    endless(segments),
    validation_data=joined(held_out_segments),
    validation_batch_size=BATCH_SIZE,
    verbose=0,
    **fitting,
)
print(f"segments: {time.process_time() - began_s:.0f} s of processor time")

# %% [markdown]
# ### What the carried state buys
#
# Both models read the held-out documents in two ways: windows of 64 tokens, each from a
# state of zeros; and rows of all segments, which is the same as handing the state on.
# That is 32 times as long as anything a gradient went through.


# %%
def held_out_nats(model, carried):
    """What each held-out token costs, `(segments, B, T)`."""
    token_ids, next_token_ids, _ = held_out_segments
    nats = np.zeros(token_ids.shape, "float32")
    for row in range(BATCH_SIZE):
        texts, targets = token_ids[:, row], next_token_ids[:, row]  # (segments, T)
        if carried:
            texts, targets = texts.reshape(1, -1), targets.reshape(1, -1)
        logits = model.predict(texts, batch_size=len(texts), verbose=0)
        nats[:, row] = nats_per_token(targets, logits).reshape(-1, SEQUENCE_LENGTH)
    return nats


weights = held_out_segments[2]
nats = {
    (name, way): held_out_nats(models[name], carried=way == "carried")
    for name in models
    for way in ("reset", "carried")
}
found = {key: np.exp(np.average(n, weights=weights)) for key, n in nats.items()}
print(f"{'perplexity, held out':22}{'reset every 64':>16}{'carried':>10}")
for name in models:
    print(f"trained on {name:11}{found[name, 'reset']:16.2f}", end="")
    print(f"{found[name, 'carried']:10.2f}")
for name, perplexity in baselines.items():
    print(f"{name:22}{perplexity:16.2f}")

for name, way in (("windows", "reset"), ("segments", "carried")):
    last = histories[name].history["val_perplexity"][-1]
    assert abs(found[name, way] / last - 1) < 1e-3  # what `fit` said, by another way
if not QUICK:
    assert found["segments", "carried"] < found["segments", "reset"]
    assert all(perplexity < baselines["bigram"] for perplexity in found.values())

# %%
steps = STEPS_PER_EPOCH * np.arange(1, EPOCHS + 1)
figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
for (name, history), style in zip(histories.items(), ("s--", "o-")):
    axis.plot(steps, history.history["val_loss"], style, label=f"trained on {name}")
    axis.plot(steps, history.history["loss"], style[1:], color="grey", linewidth=1)
for (name, perplexity), style in zip(baselines.items(), (":", "--")):
    axis.axhline(np.log(perplexity), color="black", linewidth=1, linestyle=style)
    axis.text(steps[-1], np.log(perplexity) + 0.03, name, ha="right", va="bottom")
axis.set(title="Held-out documents", xlabel="optimizer steps", ylabel="nats per token")
axis.set_ylim(top=np.log(baselines["unigram"]) + 0.35)
axis.legend(loc="upper right", bbox_to_anchor=(1, 0.88))
figure.savefig(PICTURES / "06_loss.png", dpi=120)

# Tokens at one place of a segment are few: 3 and 4 are put together, 5 to 8, 9 to 16, ..
ends = 2 ** np.arange(SEQUENCE_LENGTH.bit_length())  # 1, 2, 4, .. 64
places = np.arange(1, SEQUENCE_LENGTH + 1)
groups = [(places > end // 2) & (places <= end) for end in ends]
names = [
    f"{places[group][0]}" + (f"-{places[group][-1]}" if group.sum() > 1 else "")
    for group in groups
]
by_place = {
    key: np.array(
        [np.average(n[..., group], weights=weights[..., group]) for group in groups]
    )
    for key, n in nats.items()
}
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for way, style in (("reset", "s--"), ("carried", "o-")):
    label = "from zeros" if way == "reset" else "from the segment before"
    axes[0].plot(names, by_place["segments", way], style, label=label)
axes[0].set(title="Trained on segments", ylabel="nats per token")
for name, style in (("windows", "s--"), ("segments", "o-")):
    gain = by_place[name, "reset"] - by_place[name, "carried"]
    axes[1].plot(names, gain, style, label=f"trained on {name}")
axes[1].axhline(0, color="black", linewidth=1)
axes[1].set(title="What the carried state saves", ylabel="nats per token")
for axis in axes:
    axis.set_xlabel("place in the segment")
    axis.legend()
figure.savefig(PICTURES / "06_places.png", dpi=120)

for name in models:
    gain = by_place[name, "reset"] - by_place[name, "carried"]
    row = ", ".join(f"{g:+.3f} at {place}" for g, place in zip(gain, names))
    print(f"trained on {name}, the carried state saves {row}")
    if not QUICK and name == "segments":
        assert gain[0] > gain[-1]

# %% [markdown]
# In `06_loss.png` the grey lines are the training losses of the two models, and the dotted
# and dashed ones what counting reaches. In `06_places.png` see, on the left, that a model
# which begins from zeros pays for it at the start of a segment only; on the right, how
# much: 1.5 nats at the first token, 0.5 at the second, 0.04 from the fifth on, nothing
# after the sixteenth. So far this LSTM looks back: sixteen tokens, not thousands. Trained
# on windows it expects to begin from zeros, loses less by it, and carried is as good.
#
# ## Use it
#
# A prompt is read into the state, and each new token is written from the state alone. The
# pipeline is the one of tutorial 2, for the LSTM answers the same decoding protocol.

# %%
samplers = keras_lm.generation.samplers
best = models["segments"]
generator = keras_lm.pipelines.TextGenerator(best, tokenizer, MAX_NEW_TOKENS)
greedy = generator(list(PROMPTS))
drawn = generator(list(PROMPTS), sampler=samplers.top_p(0.8), seed=SEED)
for prompt, likeliest, one in zip(PROMPTS, greedy, drawn):
    print(f"\n{prompt!r}\n  greedy     {likeliest!r}\n  top-p 0.8  {one!r}")
sentences = ["Return the shape of the array.", "array the of shape the Return."]
scores = generator.score(sentences)
for sentence, log_likelihood in zip(sentences, scores):
    print(f"log-likelihood {log_likelihood:7.1f} nats: {sentence}")

start = np.array([[tokenizer.separator_id, *tokenizer.encode(PROMPTS[0])]])
state = best.initial_state(1, max_length=64)
whole = keras.ops.convert_to_numpy(best(start))[0]
for place, token_id in enumerate(start[0]):
    logits, state = best.step(np.array([[token_id]], "int32"), state)
    step_logits = keras.ops.convert_to_numpy(logits)[0, 0]
    assert (
        np.abs(step_logits - whole[place]).max() < 1e-4
    )  # a step is a step of the whole
assert greedy == generator(list(PROMPTS))
if not QUICK and CORPUS is None:
    assert scores[0] > scores[1]  # the same words, but in order

# %% [markdown]
# ## Export and check that it still agrees
#
# The state goes in and out of both files as two arrays a layer. The exporters run what
# they wrote in another process and compare it with this model before they put it in place.

# %%
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        generator, SAVED_MODELS / "tutorial_lstm_lm"
    )
    litert = keras_lm.export.export_litert(
        generator, SAVED_MODELS / "tutorial_lstm_lm.tflite", overwrite=True
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
# - `CORPUS = "path/to/your/text"`, with `PROMPTS` that fit it.
# - `SEQUENCE_LENGTH = 16`: shorter segments begin more often; does carrying save more?
# - `dropout=0.3` in the model and more steps, where it reads its text many times.
# - `embedding.set_weights([vectors])` with `text.read_word_vectors`: known word vectors.
# - `07_pronunciations.py`: two LSTMs, one that reads and one that writes.
