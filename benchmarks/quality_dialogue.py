"""Trains a chat model on chit-chat; prints how well it foretells, and how it repeats.

    KERAS_BACKEND=torch python -m benchmarks.quality_dialogue transformer
        [--data FILE] [--conversations N] [--epochs N] [--seed N] [--steps N]

The data are the Chit-Chat Challenge's of Brigham Young University, in the package
`chitchat-dataset` (its `dataset.json`, which `--data` can name too): 7,168
conversations, MIT licence; Myers, Etchart & Fulda, 2020, Conversational Scaffolding. Of
these 3,403 have two speakers and no turn above 400 characters. Who speaks first is the
user, the other one the assistant; a prompt, where the speakers were given one, is the
system's turn. 200 conversations, drawn with seed 0, are held out (a speaker may
be in both parts), and `--conversations` of the others, drawn too, are trained on.

`MODEL` is `transformer`, a decoder, or `lstm`, of as many weights; the tokenizer is
learnt from the training part. Perplexity is that of what the assistant says in the
held-out conversations and of the ends of its turns, after as much of the conversation
as fits 256 tokens. Beside it stand a unigram and a bigram model, counted on the turns
of both speakers and scored on the same tokens; a twentieth of the training
conversations tunes their weights.

distinct-1 and distinct-2 are of the replies to 200 beginnings of held-out
conversations, one each, drawn with seed 0, beside what people replied. What was found
is kept in `.cache/quality/`. `--steps N` trains so many steps twice, says how long all
would take, replies to 20 and keeps nothing.
"""

import argparse
import importlib.util
import json
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks import quality_runs as runs

VOCABULARY_SIZE, MAX_LENGTH, BATCH_SIZE = 3000, 256, 16
MAX_CHARACTERS = 400  # so that an answer and its question fit with a prompt
NUM_HELD_OUT, NUM_REPLIES, MAX_NEW_TOKENS = 200, 200, 40
LEARNING_RATE, DROPOUT = 2e-3, 0.1
TRANSFORMER = {"num_layers": 3, "num_heads": 4, "hidden_dim": 128}
TRANSFORMER |= {"intermediate_dim": 512, "positions": "rotary"}
LSTM = {"embedding_dim": 128, "hidden_dim": 260, "num_layers": 2}


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_dialogue")
    parser.add_argument("model", choices=["transformer", "lstm"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--conversations", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    given = runs.parse(parser)
    path = given.data or packaged_data()
    if path is None or not path.exists():
        print("not run: give --data, or install the package chitchat-dataset")
        return
    parts = read(path, given.conversations)
    found = {"conversations": {part: len(some) for part, some in parts.items()}}
    found |= run(given, parts)
    print(runs.as_text(found))
    if given.steps is None:
        runs.keep(f"dialogue_{given.model}_{found['backend']}_seed{given.seed}", found)


def run(given, parts):
    """Trains, and measures on the held-out part.

    Args:
        given: the command line's `model`, `epochs`, `seed` and `steps`.
        parts: dictionary of lists of conversations: "train", "held_out".

    Returns:
        dictionary of what was found, for JSON.
    """
    import keras

    from keras_lm import pipelines, text

    keras.utils.set_random_seed(given.seed)
    contents = [turn["content"] for talk in parts["train"] for turn in talk]
    tokenizer = text.train_tokenizer(contents, VOCABULARY_SIZE).with_roles()
    model = make_model(given.model, tokenizer.vocabulary_size, given.seed)
    found = {"backend": keras.backend.backend(), "parameters": model.count_params()}
    found["n_grams"] = n_grams(parts, tokenizer)
    print(json.dumps(found), flush=True)
    found |= fit(model, tokenizer, parts, given)
    chat = pipelines.ChatGenerator(model, tokenizer, MAX_NEW_TOKENS)
    found["replies"] = replies(chat, parts["held_out"], given.steps)
    return {**found, "peak_memory_mb": runs.peak_memory_mb()}


def make_model(name, vocabulary_size, seed):
    """The model."""
    from keras_lm import models

    if name == "lstm":
        return models.LSTMLanguageModel(
            vocabulary_size,
            dropout=DROPOUT,
            tie_embeddings=True,
            max_sequence_length=MAX_LENGTH,
            seed=seed,
            **LSTM,
        )
    return models.TransformerDecoder(
        vocabulary_size,
        dropout=DROPOUT,
        max_sequence_length=MAX_LENGTH,
        seed=seed,
        **TRANSFORMER,
    )


def fit(model, tokenizer, parts, given):
    """Trains; perplexity of the held-out part after each epoch, which chooses none."""
    import keras

    from keras_lm import text, training

    batches, held_out = (
        text.chat_dataset(
            parts[part], tokenizer, MAX_LENGTH, BATCH_SIZE, seed=given.seed
        )
        for part in ("train", "held_out")
    )
    steps = int(batches.cardinality()) * given.epochs
    schedule = training.WarmupCosine(LEARNING_RATE, max(steps // 20, 1), steps)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=0.1, global_clipnorm=1.0),
        training.MaskedCrossEntropy(),
        weighted_metrics=[training.Perplexity()],
    )
    if given.steps is not None:
        return time_of(model, batches, given.steps, steps)
    began, worked = time.perf_counter(), time.process_time()
    history = model.fit(
        batches,
        epochs=given.epochs,
        validation_data=held_out,
        shuffle=False,
        verbose=2,
    ).history
    return {
        "steps": steps,
        "perplexity": [round(one, 2) for one in history["val_perplexity"]],
        "training_seconds": round(time.perf_counter() - began),
        "training_processor_seconds": round(time.process_time() - worked),
    }


def time_of(model, batches, steps, all_steps):
    """Seconds of a step, and of all, guessed from so many steps."""
    first = model.fit(batches.take(steps), shuffle=False, verbose=0)  # compiles
    began = time.process_time()
    second = model.fit(batches.take(steps), shuffle=False, verbose=0)
    a_step = (time.process_time() - began) / steps
    return {
        "losses": [round(one.history["loss"][0], 3) for one in (first, second)],
        "num_steps": all_steps,
        "a_step_processor_seconds": round(a_step, 3),
        "all_steps_processor_seconds": round(a_step * all_steps),
    }


def n_grams(parts, tokenizer):
    """Perplexities of n-gram models on what the assistant says."""
    from keras_lm.training import NGramModel

    tuning = max(len(parts["train"]) // 20, 1)
    both = ("user", "assistant")
    counted = turns_as_row(parts["train"][tuning:], tokenizer, both)
    tuned = turns_as_row(parts["train"][:tuning], tokenizer, both)
    told = turns_as_row(parts["held_out"], tokenizer, ("assistant",))
    found = {"tokens": len(told) - 1}
    for order, name in ((1, "unigram"), (2, "bigram")):
        model = NGramModel(order, tokenizer.vocabulary_size)
        model.fit(counted, tuned)
        found[name] = round(model.perplexity(told), 2)
    return found


def turns_as_row(talks, tokenizer, roles):
    """Int array: a separator, and of each turn what is said and a separator.

    Roles are given and never told, so their tokens would take probability in vain; a
    separator before a turn says as much.
    """
    contents = [
        turn["content"] for talk in talks for turn in talk if turn["role"] in roles
    ]
    end = [tokenizer.separator_id]
    rows = [[*row, *end] for row in tokenizer.encode(contents)]
    return np.concatenate([end, *rows]).astype("int32")


def replies(chat, talks, steps):
    """distinct-n of the replies of the model, and of those of people."""
    from keras_lm.generation import samplers
    from keras_lm.training import distinct_n

    draw = random.Random(0)  # noqa: S311
    begun, people = [], []
    for talk in talks:
        places = [n for n, turn in enumerate(talk) if turn["role"] == "assistant"]
        place = draw.choice(places)
        begun.append(talk[:place])
        people.append(talk[place]["content"])
    count = NUM_REPLIES if steps is None else 20
    begun, people = begun[:count], people[:count]
    choices = {"greedy": "greedy", "top_p_0.9": samplers.top_p(0.9)}
    said = {
        name: [
            reply
            for start in range(0, count, BATCH_SIZE)
            for reply in chat(
                begun[start : start + BATCH_SIZE], sampler=sampler, seed=start
            )
        ]
        for name, sampler in choices.items()
    }
    found = {}
    for name, texts in {**said, "people": people}.items():
        (commonest, times), *_ = Counter(texts).most_common(1)
        found[name] = {
            "distinct_1": round(distinct_n(texts, 1), 4),
            "distinct_2": round(distinct_n(texts, 2), 4),
            "characters": round(float(np.mean([len(one) for one in texts])), 1),
            "commonest": [commonest, times],
        }
    rows = zip(begun[:6], *(texts[:6] for texts in said.values()), people, strict=False)
    found["examples"] = [
        [talk[-1]["content"] if talk else "", *texts] for talk, *texts in rows
    ]
    return found


def packaged_data():
    """The file inside the package, or `None`."""
    spec = importlib.util.find_spec("chitchat_dataset")
    return None if spec is None else Path(spec.origin).with_name("dataset.json")


def read(path, count):
    """Lists of conversations by part."""
    told = json.loads(path.read_text("utf-8"))
    talks = [turns_of(told[name]) for name in sorted(told)]
    talks = [talk for talk in talks if talk is not None]
    random.Random(0).shuffle(talks)  # noqa: S311
    end = NUM_HELD_OUT + count
    return {"train": talks[NUM_HELD_OUT:end], "held_out": talks[:NUM_HELD_OUT]}


def turns_of(conversation):
    """Its turns, or `None` where there are not two speakers, or a turn is long."""
    messages = [
        (message[0]["sender"], " ".join(one["text"] for one in message))
        for message in conversation["messages"]
    ]
    speakers = list(dict.fromkeys(sender for sender, _ in messages))
    longest = max(len(text) for _, text in messages)
    if len(speakers) != 2 or longest > MAX_CHARACTERS:
        return None
    roles = dict(zip(speakers, ("user", "assistant"), strict=True))
    prompt = conversation.get("prompt")
    first = [{"role": "system", "content": prompt}] if prompt else []
    return first + [
        {"role": roles[sender], "content": text} for sender, text in messages
    ]


if __name__ == "__main__":
    main()
