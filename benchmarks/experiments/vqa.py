"""Does `MultimodalAttention` answer questions about an image?

Data: easy-VQA (the package `easy-vqa`, its data are inside): 4,000 images for training
and 1,000 for the test, each with one shape of one colour, and 38,575 and 9,673
questions about them. There are 13 answers: three shapes, eight colours, yes and no;
74 % of the questions are of yes or no, many of them with a "not". The split is the
package's own. Images are reduced from 64 x 64 to 32 x 32 by the mean of 2 x 2 pixels; a
question is the ids of its words, at most 9. All training questions are used; a batch
takes the next 64 of a shuffled list of all of them.

Three models of one class, `MultimodalClassifier`: image and question; the question
alone, whose accuracy is what the way of asking gives away; the image alone. The two of
one stream are wider, so that they have at least as many parameters. All are trained
with Adam (cosine decay from 2e-3) for the same number of steps on the same batches.
Beside them stands what a table of the most frequent answer to each training question
gets right: there are only 107 different questions.

Sizes and steps were settled with seed 7 on the last 400 training images, held out for
that, so that the whole takes less than 20 minutes on one core: longer training was
still better. The test questions are for the seeds that count alone.
"""

import keras
import numpy as np

from benchmarks.claim import Claim
from keras_lm.models import MultimodalClassifier

LAYER = "MultimodalAttention"
SEEDS = (0, 1, 2)
SIZE, PATCH_SIZE = 32, 8  # pixels
NUM_LAYERS = 2
MAX_LENGTH = 9  # words of a question
STEPS, BATCH_SIZE, LEARNING_RATE = 1500, 64, 2e-3
# Width of the models, by their streams.
MODELS = {("image", "question"): 48, ("question",): 88, ("image",): 88}
KINDS = ("yes or no", "shape", "colour")
ABOVE, NEAR = 0.1, 0.02
CLAIMS = {
    "both": f"image and question: accuracy >= the question alone + {ABOVE}, for "
    "each seed",
    "prior": "the baseline is a fair one: the question alone >= the table of most "
    f"frequent answers - {NEAR}, for each seed",
}


def run(data):
    """Trains and tests for each seed; `data` is not used. See the top of this file."""
    try:
        import easy_vqa
    except ImportError:
        absent = "no easy-VQA: pip install easy-vqa"
        return [Claim(LAYER, claim, absent, "", None) for claim in CLAIMS.values()]
    train, test = load(easy_vqa, "train"), load(easy_vqa, "test")
    rows = np.arange(len(train["answers"]))
    found = {names: [] for names in MODELS}
    for seed in SEEDS:
        for names in MODELS:
            model = trained(train, rows, names, seed)
            found[names].append(accuracies(model, test, names))
            print(f"seed {seed}, {names}: {found[names][-1]}", flush=True)
    return claims(found, prior(train, test))


def claims(found, prior_accuracy):
    """What was found, seed by seed, as claims."""

    def text(names, *kinds):
        rows = [[one[kind] for one in found[names]] for kind in kinds]
        return "; ".join(
            f"{kind} " + "/".join(f"{accuracy:.3f}" for accuracy in row)
            for kind, row in zip(kinds, rows)
        )

    both, question, image = (
        np.array([one["all"] for one in found[names]]) for names in MODELS
    )
    kinds = ("all", *KINDS)
    alone = f"question alone: {text(('question',), *kinds)}"
    return [
        Claim(
            LAYER,
            CLAIMS["both"],
            text(("image", "question"), *kinds),
            f"{alone}; image alone: {text(('image',), 'all')}",
            bool((both >= question + ABOVE).all()),
        ),
        Claim(
            LAYER,
            CLAIMS["prior"],
            text(("question",), "all"),
            f"table {prior_accuracy:.3f}",
            bool((question >= prior_accuracy - NEAR).all()),
        ),
    ]


# ------------------------------------------------------------------------ data


def load(package, part):
    """Images `(N, H, W, 3)` and, of each question, word ids, answer, kind and image."""
    paths = getattr(package, f"get_{part}_image_paths")()
    size = {"target_size": (SIZE, SIZE), "interpolation": "box"}
    images = [keras.utils.load_img(paths[place], **size) for place in range(len(paths))]
    texts, answers, places = getattr(package, f"get_{part}_questions")()
    words = {word for text in package.get_train_questions()[0] for word in text.split()}
    word_ids = {word: place for place, word in enumerate(sorted(words), 1)}  # 0 pads
    questions = np.zeros((len(texts), MAX_LENGTH), "int32")
    for row, text in enumerate(texts):
        ids = [word_ids[word] for word in text.split()]
        questions[row, : len(ids)] = ids
    labels = sorted(package.get_answers())
    return {
        "images": np.stack([keras.utils.img_to_array(image) for image in images]) / 255,
        "questions": questions,
        "answers": np.array([labels.index(answer) for answer in answers], "int32"),
        "kinds": np.array([kind_of(answer) for answer in answers]),
        "places": np.array(places),
        "texts": texts,
    }


def kind_of(answer):
    """What a question with this answer asks for."""
    if answer in ("yes", "no"):
        return "yes or no"
    return "shape" if answer in ("circle", "rectangle", "triangle") else "colour"


def prior(train, test):
    """Accuracy of the most frequent answer to each question, on the test questions."""
    counts = {}
    for text, answer in zip(train["texts"], train["answers"]):
        counts.setdefault(text, np.zeros(13, int))[answer] += 1
    answers = [counts[text].argmax() for text in test["texts"]]
    return float(np.mean(answers == test["answers"]))


class Questions(keras.utils.PyDataset):
    """Batches of the questions at `rows`, with the streams `names`."""

    def __init__(self, part, rows, names):
        super().__init__()
        self.part, self.rows, self.names = part, rows, names

    def __len__(self):
        return -(-len(self.rows) // BATCH_SIZE)

    def __getitem__(self, place):
        rows, part = self.rows[place * BATCH_SIZE :][:BATCH_SIZE], self.part
        questions = part["questions"][rows]
        inputs = {}
        if "image" in self.names:
            inputs["image"] = part["images"][part["places"][rows]]
        if "question" in self.names:
            inputs |= {"question": questions, "question_mask": questions > 0}
        return inputs, part["answers"][rows]


# ---------------------------------------------------------------------- models


def make_model(names, seed):
    """A model of the streams `names`."""
    streams = {
        "image": {"kind": "image", "shape": [SIZE, SIZE, 3], "patch_size": PATCH_SIZE},
        "question": {"kind": "text", "vocabulary_size": 33, "max_length": MAX_LENGTH},
    }
    return MultimodalClassifier(
        {name: streams[name] for name in names},
        num_classes=13,
        num_layers=NUM_LAYERS,
        num_heads=4,
        hidden_dim=MODELS[names],
        intermediate_dim=2 * MODELS[names],
        fusion="cross",
        modality_dropout=0.0,
        seed=seed,
    )


def trained(train, rows, names, seed):
    """The model after its training on the questions at `rows`."""
    keras.utils.set_random_seed(seed)
    model = make_model(names, seed)
    draw = np.random.default_rng(seed)
    needed = STEPS * BATCH_SIZE
    epochs = [draw.permutation(rows) for _ in range(-(-needed // len(rows)))]
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS)
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    batches = Questions(train, np.concatenate(epochs)[:needed], names)
    model.fit(batches, shuffle=False, verbose=0)
    return model


def accuracies(model, test, names):
    """Share of the questions that are answered right, all and by kind."""
    rows = np.arange(len(test["answers"]))
    logits = model.predict(Questions(test, rows, names), verbose=0)
    right = np.argmax(logits, axis=-1) == test["answers"]
    found = {kind: float(right[test["kinds"] == kind].mean()) for kind in KINDS}
    return {"all": float(right.mean()), **found}
