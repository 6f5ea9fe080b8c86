# %% [markdown]
# # Digits that are seen and heard
#
# - **You will** train attention between an image and a sound on a question that neither
#   answers alone, draw where each looks in the other, and ship a classifier that still
#   answers when one of them is missing.
# - **Read first** `01_self_attention.py`.
# - **Data** scikit-learn's 1,797 digits of 8 x 8 pixels, and telephone tones made below
#   from seed 0; nothing to fetch. With `--data DIR` spoken digits in place of the tones
#   (`DIR/fsdd/recordings_<speaker>.tar.xz`, the Free Spoken Digit Dataset).
# - **Cost** 849 s for the seven trainings (`jax`, Keras 3.15) on 2 CPU cores with much
#   other work on the machine; the rest was not timed.
# - **Result** same digit: 87.8 % of unseen pairs, 48.5 % with either alone. Which digit,
#   in noise: 96.1 % with both, 53.2 % from the image and 93.6 % from the sound alone; 31.7
#   and 89.4 % had training always shown both; models of one stream 59.7 and 94.3 %.
# - **Paper** Nagrani et al., 2021, https://arxiv.org/abs/2107.00135; Ma et al., 2022, on
#   what is missing, https://arxiv.org/abs/2204.05454
#
# The one new idea: queries come from one stream, keys and values from another. Patches of
# an image ask the steps of a sound, and the other way round. What is not there is masked,
# as padding is, and has no influence at all; but only training with streams missing
# teaches a model to do without them.

# %% Settings: everything you may want to change
import os
import sys

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
if sys.argv[-1] == "--data":
    sys.exit("`--data` must be followed by a folder. Received: nothing")
# A folder that holds fsdd/, speech in place of the tones.
DATA = sys.argv[sys.argv.index("--data") + 1] if "--data" in sys.argv else None
SAMPLING_RATE = 8000
NUM_TRAIN_IMAGES = 1247  # in the order of their writers; the rest is held out
NUM_HELD_OUT = 128 if QUICK else 2048  # pairs
PIXEL_NOISE = 0.45  # in task 2
HIDDEN_DIM, INTERMEDIATE_DIM = 32, 64
NUM_LAYERS, NUM_HEADS = (1, 2) if QUICK else (2, 4)
FUSION = "cross"  # or "bottleneck"
MODALITY_DROPOUT = 0.4
BATCH_SIZE = 16 if QUICK else 64
STEPS_RELATION, STEPS_DIGIT = (3, 3) if QUICK else (1500, 500)
LEARNING_RATE = 2e-3
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import json
import resource
import subprocess
import tarfile
import tempfile
import time
import wave
from pathlib import Path

import keras
import matplotlib
import numpy as np
from sklearn.datasets import load_digits

import keras_lm
import keras_lm.models

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
# A quarter of a second of tones, or a second of speech; and the noise of task 2.
NUM_SAMPLES, FRAMES, SAMPLE_NOISE = (8000, 4, 0.05) if DATA else (2000, 2, 0.6)

# %% [markdown]
# ## Data
#
# A digit is seen as somebody wrote it and heard as its telephone key: two tones at once,
# 0.1 to 0.2 s of a quarter of a second, begun anywhere, of any phase and loudness, a
# little out of tune. Images are held out by writer (one may straddle the cut), tones by
# seed. Task 1 asks whether both are the same digit, which half of the pairs are: one
# stream says nothing about it. Task 2 adds noise to both and asks which digit it is.

# %%
ROWS_HZ, COLUMNS_HZ = (697, 770, 852, 941), (1209, 1336, 1477)
KEYS = ("123", "456", "789", "*0#")
PITCHES = {
    key: (ROWS_HZ[row], COLUMNS_HZ[column])
    for row, keys in enumerate(KEYS)
    for column, key in enumerate(keys)
}
IMAGES, DIGITS = load_digits(return_X_y=True)
IMAGES = (IMAGES.reshape(-1, 8, 8, 1) / 16).astype("float32")


def tone(digit, held_out, random):
    """Samples `(N,)` of a key that is pressed for a while, and which of them, `(N,)`."""
    length = random.integers(800, 1600)
    begin = random.integers(NUM_SAMPLES - length)
    seconds = np.arange(NUM_SAMPLES) / SAMPLING_RATE
    turns = [
        pitch * seconds * random.normal(1, 0.005) + random.random()
        for pitch in PITCHES[str(digit)]
    ]
    waves = np.sin(2 * np.pi * np.array(turns))  # (2, N)
    pressed = (np.arange(NUM_SAMPLES) - begin) // length == 0
    loudness = random.uniform(0.1, 0.4)
    hiss = 0.02 * random.normal(size=NUM_SAMPLES)
    return (pressed * loudness * waves.sum(axis=0) + hiss).astype("float32"), pressed


# %% [markdown]
# With `--data`, a recording begun anywhere in its second takes the place of a tone. The
# first speaker by alphabet is heard in the test only, the others in training only.


# %%
def recordings(folder):
    """Whether held out to the digit to its recordings, each `(samples,)`."""
    found = {held_out: {digit: [] for digit in range(10)} for held_out in (False, True)}
    for place, path in enumerate(sorted(Path(folder).glob("recordings_*.tar.xz"))):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".wav"):  # digit_speaker_take.wav
                    with wave.open(archive.extractfile(member)) as file:
                        samples = np.frombuffer(file.readframes(NUM_SAMPLES), "<i2")
                    digit = int(Path(member.name).name[0])
                    found[place == 0][digit].append(samples / np.float32(2**15))
    return found


def recording(digit, held_out, random):
    """Samples `(N,)` of a spoken digit in silence, and which of them it takes, `(N,)`."""
    takes = RECORDINGS[held_out][digit]
    samples = takes[random.integers(len(takes))]
    begin = random.integers(NUM_SAMPLES - len(samples) + 1)
    around = (begin, NUM_SAMPLES - len(samples) - begin)
    return np.pad(samples, around), np.pad(np.ones(len(samples), bool), around)


RECORDINGS = recordings(Path(DATA) / "fsdd") if DATA else None
sound_of = recording if DATA else tone


# %%
def draw(num_pairs, task, held_out, random):
    """`num_pairs` pairs as the model takes them, and the labels `(N,)`.

    Task 1: 1 where the digits are the same, else 0. Task 2: the digit.
    """
    shown = random.integers(10, size=num_pairs)
    same = random.random(num_pairs) < (0.5 if task == 1 else 1)
    heard = (shown + np.where(same, 0, random.integers(1, 10, num_pairs))) % 10
    half = slice(NUM_TRAIN_IMAGES, None) if held_out else slice(NUM_TRAIN_IMAGES)
    places = [random.choice(np.flatnonzero(DIGITS[half] == digit)) for digit in shown]
    image = IMAGES[half][places]  # (N, 8, 8, 1)
    sounds = [sound_of(digit, held_out, random)[0] for digit in heard]
    sound = np.stack(sounds)  # (N, samples)
    if task == 2:
        image = image + PIXEL_NOISE * random.normal(size=image.shape)
        sound = sound + SAMPLE_NOISE * random.normal(size=sound.shape)
    streams = {"image": image.astype("float32"), "sound": sound.astype("float32")}
    return streams, (same if task == 1 else shown).astype("int32")


class Pairs(keras.utils.PyDataset):
    """Training pairs, each drawn once: the same ones for all models of a task."""

    def __init__(self, task, num_steps, names=("image", "sound")):
        super().__init__()
        self.task, self.length, self.names = task, num_steps, names

    def __len__(self):
        return self.length

    def __getitem__(self, place):
        random = np.random.default_rng([SEED, self.task, place])
        streams, labels = draw(BATCH_SIZE, self.task, False, random)
        return {name: streams[name] for name in self.names}, labels


held_out = {
    task: draw(NUM_HELD_OUT, task, True, np.random.default_rng([SEED + 1, task]))
    for task in (1, 2)
}
print(
    f"{NUM_TRAIN_IMAGES:,} images to train on, {len(IMAGES) - NUM_TRAIN_IMAGES} unseen"
)

# %% [markdown]
# ## Look at one example

# %%
figure, axes = plt.subplots(2, 4, figsize=(10, 4.6), layout="constrained")
examples = [int(np.flatnonzero(held_out[1][1] == same)[0]) for same in (1, 0)]
for axis, place in zip(axes.T, (*examples, 0, 1)):
    task = 1 if axis[0] in axes[0, :2] else 2
    streams, labels = held_out[task]
    axis[0].imshow(streams["image"][place, ..., 0], cmap="gray_r", vmin=0, vmax=1)
    axis[0].set_axis_off()
    said = ("another digit", "the same digit")[labels[place]] if task == 1 else ""
    axis[0].set_title(f"task 1: {said}" if task == 1 else f"task 2: {labels[place]}")
    axis[1].specgram(
        streams["sound"][place], NFFT=256, Fs=SAMPLING_RATE, noverlap=192, cmap="Blues"
    )
    axis[1].set(ylim=(0, 4000) if DATA else (500, 1700), xlabel="s")
axes[1, 0].set_ylabel("Hz")
figure.savefig(PICTURES / "05_pairs.png", dpi=120)

# %% [markdown]
# In `05_pairs.png` see a digit above and its key below: two dark lines, one of four low
# pitches and one of three high ones. On the right the noise of task 2 lies over both.
#
# ## Model
#
# `keras_lm.models.MultimodalClassifier`: the image in patches of 2 x 2, the sound in steps
# of 32 ms, blocks in which each stream attends to itself and then to the other
# (`MultimodalAttention`), the mean of both. A model of one stream is the same with a
# stream less. What is not there has no influence, trained or not:

# %%
STREAMS = {
    "image": {"kind": "image", "shape": [8, 8, 1], "patch_size": 2},
    "sound": {
        "kind": "audio",
        "num_samples": NUM_SAMPLES,
        "sampling_rate": SAMPLING_RATE,
        "frames_per_step": FRAMES,
    },
}


def build_model(names, num_classes, modality_dropout=0.0):
    """A model of the streams `names`."""
    keras.utils.set_random_seed(SEED)
    return keras_lm.models.MultimodalClassifier(
        {name: STREAMS[name] for name in names},
        num_classes,
        NUM_LAYERS,
        NUM_HEADS,
        HIDDEN_DIM,
        INTERMEDIATE_DIM,
        dropout=0.1,
        fusion=FUSION,
        modality_dropout=modality_dropout,
        seed=SEED,
    )


untrained = build_model(STREAMS, 10)
streams = {name: array[:8] for name, array in held_out[2][0].items()}
deaf = {**streams, "sound_present": np.zeros(8, bool)}
louder = {**deaf, "sound": streams["sound"] + 100}
without = untrained.predict_on_batch({"image": streams["image"]})
change = np.abs(untrained.predict_on_batch(louder) - without).max()
print(f"{untrained.count_params():,} parameters", end=", ")
print(f"what an absent sound holds changes logits by {change:.1e}")

assert change < 1e-5

# %% [markdown]
# ## Train
#
# Task 1 with both streams and with each alone; task 2 likewise, and once more with
# modality dropout: in training, 0.4 of the examples lose one of their streams.


# %%
def trained(task, names=tuple(STREAMS), modality_dropout=0.0):
    """The model after its training."""
    steps = STEPS_RELATION if task == 1 else STEPS_DIGIT
    model = build_model(names, 2 if task == 1 else 10, modality_dropout)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(
        keras.optimizers.Adam(schedule),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(Pairs(task, steps, names), shuffle=False, verbose=0)
    return model


def accuracy(model, task, names):
    """Share of the held-out pairs that are right when the model is given `names`."""
    streams, labels = held_out[task]
    logits = model.predict({name: streams[name] for name in names}, verbose=0)
    return float(np.mean(logits.argmax(axis=-1) == labels))


BOTH, IMAGE, SOUND = ("image", "sound"), ("image",), ("sound",)
relation, models = {}, {}
for label, names in {"both": BOTH, "image": IMAGE, "sound": SOUND}.items():
    began_s = time.perf_counter()
    model = trained(1, names)
    relation[label] = accuracy(model, 1, names)
    models.setdefault("relation", model)  # the first, of both
    seconds = time.perf_counter() - began_s
    print(f"same digit? {label:6} {relation[label]:6.1%} right, {seconds:.0f} s")

# %%
GIVEN = {"both": BOTH, "image only": IMAGE, "sound only": SOUND}
digit = {}
for label, names, modality_dropout in (
    ("a model of one", IMAGE, 0.0),
    ("a model of one", SOUND, 0.0),
    ("without dropout", BOTH, 0.0),
    ("modality dropout", BOTH, MODALITY_DROPOUT),
):
    began_s = time.perf_counter()
    models[label] = trained(2, names, modality_dropout)
    row = digit.setdefault(label, {})
    for given, streams in GIVEN.items():
        if set(streams) <= set(names):
            row[given] = accuracy(models[label], 2, streams)
    told = ", ".join(f"{given} {row[given]:.1%}" for given in row)
    print(f"which digit? {label:16} {told}, {time.perf_counter() - began_s:.0f} s")

figure, axes = plt.subplots(
    1, 2, figsize=(10, 4), layout="constrained", sharey=True, width_ratios=(1, 2)
)
axes[0].bar(list(relation), list(relation.values()), color=["C0", "C1", "C2"])
axes[0].axhline(0.5, color="grey", linewidth=1, linestyle=":")
axes[0].set(title="Task 1: the same digit?", xlabel="streams of the model")
axes[0].set(ylabel="accuracy, unseen pairs", ylim=(0, 1.15))
for place, (label, row) in enumerate(digit.items()):
    where = [list(GIVEN).index(given) + 0.28 * (place - 1) for given in row]
    axes[1].bar(where, list(row.values()), 0.26, label=label, color=f"C{place + 3}")
axes[1].set_xticks(range(3), list(GIVEN))
axes[1].axhline(0.1, color="grey", linewidth=1, linestyle=":")
axes[1].set(title="Task 2: which digit?", xlabel="what is there")
axes[1].legend(loc="upper center", ncols=3)
figure.savefig(PICTURES / "05_accuracy.png", dpi=120)

if not (QUICK or DATA):
    dropped, alone = digit["modality dropout"], digit["a model of one"]
    kept = digit["without dropout"]
    assert relation["both"] > 0.8
    assert max(relation["image"], relation["sound"]) < 0.55
    for given in ("image only", "sound only"):
        assert dropped[given] > alone[given] - 0.1
    assert dropped["both"] > max(alone.values())
    assert max(dropped[given] - kept[given] for given in alone) > 0.1

# %% [markdown]
# In `05_accuracy.png` see, on the left, that only the model of both streams is off the
# dotted line of a blind guess; on the right, that with a stream missing the model trained
# with modality dropout stays near a model made for what is left, and the one without
# falls below it, far below when only the image is left: the sound was so much the easier
# to read that it had not learnt to look. For the same reason both are only a little
# better than the sound alone.
#
# ## Use it
#
# Where does each stream look in the other? `MultimodalAttention.relations` gives the
# weights by reader and source. They are taken from the first block of the model of task 1,
# on pairs that it has not seen.


# %%
def first_relations(model, streams):
    """Reader to source to `(B, T, S)`, of the model's first block."""
    block, hidden = model.blocks[0], {}
    hidden["image"] = model.embeddings["image"](streams["image"])  # (B, T, D)
    hidden["sound"], _ = model.embeddings["sound"](streams["sound"])
    for name, stream in hidden.items():
        normal = block.norms[f"attention_{name}"](stream)
        hidden[name] = stream + block.attentions[name](normal)
    found = block.fusion.relations(hidden)
    return {
        reader: {s: keras.ops.convert_to_numpy(w) for s, w in sources.items()}
        for reader, sources in found.items()
    }


random = np.random.default_rng(SEED + 2)
places = NUM_TRAIN_IMAGES + random.permutation(len(IMAGES) - NUM_TRAIN_IMAGES)[:100]
sounds, pressed = zip(*(sound_of(DIGITS[place], True, random) for place in places))
pairs = {"image": IMAGES[places], "sound": np.stack(sounds)}
relations = first_relations(models["relation"], pairs)
heard = relations["image"]["sound"].mean(axis=1)  # (B, S): by all patches
seen = relations["sound"]["image"].mean(axis=1).reshape(-1, 4, 4)  # by all steps
num_steps = heard.shape[1]
centres = 128 * (FRAMES * np.arange(num_steps) + (FRAMES - 1) / 2)  # 128 a frame
centres = centres.astype(int)
sounding = np.stack(pressed)[:, np.minimum(centres, NUM_SAMPLES - 1)]  # (B, S)
on_tone, steps_on_tone = (heard * sounding).sum(axis=1).mean(), sounding.mean()
ink = IMAGES[places].reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)) > 0.15  # (B, 4, 4)
on_ink, patches_on_ink = (seen * ink).sum(axis=(1, 2)).mean(), ink.mean()
print(f"{on_tone:.0%} of the image's attention is on the tone, {steps_on_tone:.0%} of")
print(f"the steps; {on_ink:.0%} of the sound's on ink, {patches_on_ink:.0%} of patches")

figure, axes = plt.subplots(2, 4, figsize=(10, 5), layout="constrained")
for column, axis in enumerate(axes.T):
    axis[0].imshow(pairs["image"][column, ..., 0], cmap="gray_r", extent=(0, 8, 8, 0))
    image = axis[0].imshow(
        seen[column],
        cmap="Reds",
        alpha=0.6,
        extent=(0, 8, 8, 0),
        vmin=0,
        vmax=seen.max(),
    )
    axis[0].set_axis_off()
    axis[0].set_title(f"digit {DIGITS[places[column]]}")
    seconds = np.arange(NUM_SAMPLES) / SAMPLING_RATE
    axis[1].plot(seconds, pairs["sound"][column], color="lightgrey", linewidth=0.5)
    weight = axis[1].twinx()
    weight.step(centres / SAMPLING_RATE, heard[column], "C3", where="mid")
    weight.set(ylim=(0, heard.max() * 1.1))
    axis[1].set(xlabel="s", yticks=[])
figure.colorbar(image, ax=axes[0], label="weight")
weight.set_ylabel("weight", color="C3")
figure.savefig(PICTURES / "05_relations.png", dpi=120)

sums = sum(weights.sum(axis=-1) for weights in relations["image"].values())
assert np.allclose(sums, 1, atol=1e-4) or FUSION == "bottleneck"

# %% [markdown]
# In `05_relations.png` see, above, in red which patches of the image the sound looks at;
# below, the red line, what the image listens to. It is not what one would guess: much of
# the weight is on empty paper and on silence, more than their share. Before it asks the
# other, each stream has attended to itself, so that an empty patch can hold what the
# whole image says. Weights show what was mixed, not why the answer is right.
#
# `keras_lm.pipelines.StreamClassifier` is the model with its labels. `None`, or a name
# that is left out, is what is missing.

# %%
classifier = keras_lm.pipelines.StreamClassifier(
    models["modality dropout"], labels=list("0123456789")
)
streams = {name: array[:6] for name, array in held_out[2][0].items()}
right = [str(label) for label in held_out[2][1][:6]]
asked = {
    "seen and heard": streams,
    "only seen": {"image": streams["image"]},
    "only heard": {"image": None, "sound": streams["sound"]},
    "each lacks one": {
        "image": [*streams["image"][:3], None, None, None],
        "sound": [None, None, None, *streams["sound"][3:]],
    },
}
answers = {name: classifier(inputs) for name, inputs in asked.items()}
print(f"{'right':14}", *right)
for name, labels in answers.items():
    sure = classifier.probabilities(asked[name]).max(axis=-1)
    print(f"{name:14}", *labels, " sure:", *(f"{p:.2f}" for p in sure))

assert answers["each lacks one"] == answers["only seen"][:3] + answers["only heard"][3:]

# %% [markdown]
# ## Export and check that it still agrees
#
# Both exporters run what they wrote, with each stream missing in turn, and compare it with
# this model before they put it in place. The last process below does not import keras_lm;
# it says with `image_present` and `sound_present` what is there.


# %%
def run(code, *arguments):
    """Runs Python code in a new process; gives what it prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


classifier.save(WORK / "pipeline")
loaded = keras_lm.pipelines.load(WORK / "pipeline")
gap = np.abs(loaded.logits(streams) - classifier.logits(streams)).max()
print(f"saved and loaded: logits differ by {gap:.1e}")
assert gap < 1e-5

SERVE = """
import json, sys
import numpy as np, tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
arrays = dict(np.load(sys.argv[2]))
count = len(arrays["image"])
for image, sound in ((True, True), (True, False), (False, True)):
    there = {"image_present": [image] * count, "sound_present": [sound] * count}
    labels = serve(**{k: tf.constant(v) for k, v in {**arrays, **there}.items()})["label"]
    print(json.dumps([label.decode() for label in labels.numpy()]))
assert not any(name.startswith("keras_lm") for name in sys.modules)
"""
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        classifier, SAVED_MODELS / "tutorial_digits"
    )
    litert = keras_lm.export.export_litert(
        classifier, SAVED_MODELS / "tutorial_digits.tflite", overwrite=True
    )
    for report in (saved_model, litert):
        print(report)
        assert report.agrees
    np.savez(WORK / "streams.npz", **streams)
    printed = run(SERVE, saved_model.path, WORK / "streams.npz")
    served = [json.loads(line) for line in printed.splitlines()[-3:]]
    print("the SavedModel, without keras_lm:", *served, sep="\n  ")
    assert served == [
        answers[name] for name in ("seen and heard", "only seen", "only heard")
    ]

used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
memory = max(usage.ru_maxrss for usage in used) / 2**20
processor_s = sum(usage.ru_utime + usage.ru_stime for usage in used)
print(f"all of it on {BACKEND}: {time.perf_counter() - START_S:.0f} s", end=", ")
print(f"{processor_s:.0f} s of processor time, largest process {memory:.1f} GiB")

# %% [markdown]
# ## What to try next
#
# - `FUSION = "bottleneck"`: the streams meet in four vectors only; the cost no longer
#   grows with the product of their lengths.
# - `MODALITY_DROPOUT = 0.4` in task 1: half of what it then sees cannot be answered.
# - `SAMPLE_NOISE = 0.1`: a stream that is never wrong is the only one listened to, and the
#   model without dropout is lost without it.
# - `benchmarks/experiments/multimodal.py`: both tasks with recordings, each of three
#   speakers once the unheard one; `benchmarks/experiments/vqa.py`: questions about images.
