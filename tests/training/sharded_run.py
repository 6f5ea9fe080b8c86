"""Small models trained on 8 virtual devices in several ways; prints what came of it.

python -m tests.training.sharded_run MODEL,.. WAY,..

KERAS_BACKEND must be jax, and XLA_FLAGS must ask for the devices. A way that ends in +
also generates.

For each model and way one line of JSON: the losses, and the bytes of weights and of the
optimizer's state on each device, counted from the arrays' parts.
"""

import json
import random
import sys
import tempfile

import jax
import keras
import numpy as np

from keras_lm import generation, models, training

VOCABULARY, STEPS, ROWS, LENGTH = 96, 3, 8, 12
SIZES = {
    "num_layers": 1,
    "num_heads": 8,
    "hidden_dim": 32,
    "intermediate_dim": 64,
    "max_sequence_length": LENGTH,
    "dropout": 0.1,
    "seed": 5,
}
rng = np.random.default_rng(seed=0)


def ids(steps=LENGTH):
    return rng.integers(1, VOCABULARY, size=(STEPS * ROWS, steps), dtype="int32")


TOKENS, SOURCES, NEXT = ids(), ids(7), ids()
WEIGHTS = np.ones(NEXT.shape, "float32")
WEIGHTS[:, -3:] = 0


def decoder(**others):
    model = models.TransformerDecoder(VOCABULARY, **{**SIZES, **others})
    return model, TOKENS


def encoder():
    encoder = models.TransformerEncoder(VOCABULARY, **SIZES)
    return models.MaskedLanguageModel(encoder), TOKENS


def encoder_decoder():
    model = models.TransformerEncoderDecoder(VOCABULARY, **SIZES)
    inputs = {
        "encoder_token_ids": SOURCES,
        "encoder_padding_mask": SOURCES > 3,
        "decoder_token_ids": TOKENS,
        "decoder_padding_mask": WEIGHTS > 0,
    }
    return model, inputs


MODELS = {
    "decoder": decoder,
    "uneven_decoder": lambda: decoder(num_heads=2, intermediate_dim=60, gated=True),
    "local_decoder": lambda: decoder(attention="local", tie_embeddings=False),
    "encoder": encoder,
    "encoder_decoder": encoder_decoder,
    "lstm": lambda: (
        models.LSTMLanguageModel(
            VOCABULARY, num_layers=1, hidden_dim=16, embedding_dim=16, dropout=0.1
        ),
        TOKENS,
    ),
}
WAYS = {
    "one": lambda: training.distribute("none"),
    "data": lambda: training.distribute("data"),
    "model": lambda: training.distribute("model"),
    "both": lambda: training.ModelParallel(num_parts=4).scope(),
}


def bytes_on_devices(variables):
    """Of each device that holds anything: bytes, the largest first."""
    found = {}
    for variable in variables:
        for shard in variable.value.addressable_shards:
            found[shard.device] = found.get(shard.device, 0) + shard.data.nbytes
    return sorted(found.values(), reverse=True)


def compiled(name):
    random.seed(3)  # Keras draws the seeds of initializers from it
    model, inputs = MODELS[name]()
    model.compile(
        keras.optimizers.AdamW(1e-2, global_clipnorm=1.0),
        training.MaskedCrossEntropy(),
        weighted_metrics=[training.Perplexity()],
    )
    return model, inputs


def fit(model, inputs, **options):
    return model.fit(
        inputs,
        NEXT,
        sample_weight=WEIGHTS,
        batch_size=ROWS,
        epochs=2,
        shuffle=False,
        verbose=0,
        **options,
    ).history


def train(name, way, generates):
    with WAYS[way]():
        model, inputs = compiled(name)
        history = fit(model, inputs)
        weights = [v for v in model.variables if "seed" not in v.path]
        told = {
            "losses": history["loss"],
            "perplexities": history["perplexity"],
            "weights": bytes_on_devices(weights),
            "optimizer": bytes_on_devices(model.optimizer.variables),
        }
        if generates:
            new = generation.generate(model, TOKENS[:3, :4].tolist(), 5)
            told["generated"] = np.asarray(new).tolist()
        return told


def go_on_elsewhere(name):
    """One epoch in one way, the other in another, from the checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        for way, options in ("both", {"callbacks": [Stop()]}), ("data", {}):
            with WAYS[way]():
                model, inputs = compiled(name)
                checkpoint = training.ResumableCheckpoint(folder, {})
                start = checkpoint.restore(model)
                callbacks = [checkpoint, *options.get("callbacks", [])]
                fit(model, inputs, initial_epoch=start, callbacks=callbacks)
        assert start == 1
        return {"losses": checkpoint.history["loss"]}


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


if __name__ == "__main__":
    assert jax.device_count() == 8
    for name in sys.argv[1].split(","):
        for way in sys.argv[2].split(","):
            way, plus, _ = way.partition("+")
            told = go_on_elsewhere(name) if way == "resumed" else train(name, way, plus)
            print(json.dumps({"model": name, "way": way, **told}), flush=True)
