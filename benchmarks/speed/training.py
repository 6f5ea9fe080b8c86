"""Training a decoder of 6 x 384 through `model.fit`.

Context 256, vocabulary 8,192, batches of 16, AdamW, no dropout: 4,096 tokens a step,
and 89.7 million operations a token by nanoGPT's count. All have GPT-2's GELU, by a
tanh. KerasHub's GPT-2 is on the same backend; Hugging Face's and a plain GPT of
nanoGPT's shape are in PyTorch beside any backend of ours, and with the exact GELU
x-transformers' decoder beside PyTorch. A matrix product is one of 2,048 x 2,048 x 2,048
in float32, by the backend, by PyTorch and by NumPy: the machine's peak is the fastest.
"""

import keras
import numpy as np

from benchmarks.speed.fit_rows import fit_rows
from benchmarks.speed.goal import Goal, times_as_fast
from keras_lm.layers import gelu_tanh
from keras_lm.models import TransformerDecoder
from keras_lm.training import MaskedCrossEntropy

LAYERS, HEADS, WIDTH, LENGTH, VOCABULARY, BATCH, STEPS = 6, 6, 384, 256, 8192, 16, 1
TOKENS = STEPS * BATCH * LENGTH
OPERATIONS_A_TOKEN = 89.7e6
SIDE, PRODUCTS, PRODUCT = 2048, 4, "matrix product"


def share_of_peak(seconds):
    """Of the operations a second that the fastest large matrix product reaches."""
    took = [seconds[name] for name in seconds if name.startswith(PRODUCT)]
    if not took or "keras_lm" not in seconds:
        return None
    peak = PRODUCTS * 2 * SIDE**3 / min(took)
    return OPERATIONS_A_TOKEN * TOKENS / seconds["keras_lm"] / peak


GOALS = [
    Goal("training / KerasHub GPT-2", times_as_fast("KerasHub"), 1.25),
    Goal(
        "training / plain GPT in PyTorch",
        times_as_fast("plain GPT, torch"),
        2,
        best=True,
    ),
    Goal(
        "training / Hugging Face GPT-2",
        times_as_fast("Hugging Face, torch"),
        2,
        best=True,
    ),
    Goal(
        "training with dropout 0.1 / without",
        times_as_fast("keras_lm", "keras_lm, dropout 0.1"),
        0.85,
    ),
    Goal(
        "training: share of the fastest matrix product's speed",
        share_of_peak,
        0.75,
        best=True,
    ),
]


def rivals():
    """Calls of `STEPS` steps each."""
    token_ids = np.random.default_rng(0).integers(
        0, VOCABULARY, (STEPS * BATCH, LENGTH + 1), dtype="int32"
    )
    inputs, targets = token_ids[:, :-1], token_ids[:, 1:]
    calls = {
        "keras_lm": fitted(decoder(0.0), MaskedCrossEntropy(), inputs, targets),
        "keras_lm, dropout 0.1": fitted(
            decoder(0.1), MaskedCrossEntropy(), inputs, targets
        ),
        "KerasHub": keras_hub_fit(inputs, targets, 0.0),
        "KerasHub, dropout 0.1": keras_hub_fit(inputs, targets, 0.1),
        "plain GPT, torch": adam_steps(plain_gpt(), inputs, targets),
        "Hugging Face, torch": adam_steps(hugging_face(), inputs, targets),
        **matrix_products(),
    }
    if keras.backend.backend() == "torch":
        calls["x-transformers, torch"] = adam_steps(x_transformer(), inputs, targets)
    return calls


def tokens(rival):
    """What a call of a rival learns from."""
    return None if rival.startswith(PRODUCT) else TOKENS


def decoder(dropout, vocabulary_size=VOCABULARY):
    """Ours, of GPT-2's shape and with its GELU."""
    return TransformerDecoder(
        vocabulary_size,
        LAYERS,
        HEADS,
        WIDTH,
        4 * WIDTH,
        LENGTH,
        dropout=dropout,
        positions="learned",
        activation=gelu_tanh,
    )


def fitted(model, loss, inputs, targets):
    """`fit` over all rows once; KerasHub would measure its accuracy besides."""
    model.compile(keras.optimizers.AdamW(3e-4), loss, weighted_metrics=None)
    return fit_rows(model, inputs, targets, BATCH)


def keras_hub_fit(inputs, targets, dropout):
    """The same with KerasHub's GPT-2, and Keras' own loss."""
    given = {"token_ids": inputs, "padding_mask": np.ones_like(inputs, bool)}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return fitted(keras_hub_gpt2(dropout), loss, given, targets)


def keras_hub_gpt2(dropout):
    """KerasHub's, of the same shape."""
    import keras_hub

    backbone = keras_hub.models.GPT2Backbone(
        VOCABULARY, LAYERS, HEADS, WIDTH, 4 * WIDTH, dropout, LENGTH
    )
    return keras_hub.models.GPT2CausalLM(backbone, preprocessor=None)


def matrix_products():
    """Calls of `PRODUCTS` products; each result is small."""
    import torch

    def product(left, right):
        for _ in range(PRODUCTS):
            left = left @ right
        return left.sum()

    def by_backend(left, right):
        for _ in range(PRODUCTS):
            left = keras.ops.matmul(left, right)
        return keras.ops.sum(left)

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        by_backend = jax.jit(by_backend)
    elif backend == "tensorflow":
        import tensorflow as tf

        by_backend = tf.function(by_backend)
    side = np.ones((SIDE, SIDE), "float32")
    own, theirs = keras.ops.convert_to_tensor(side), torch.tensor(side)
    return {
        f"{PRODUCT}, {backend} by keras.ops": lambda: bool(by_backend(own, own)),
        f"{PRODUCT}, torch": lambda: bool(product(theirs, theirs)),
        f"{PRODUCT}, NumPy": lambda: bool(product(side, side)),
    }


# --------------------------------------------------------------- PyTorch alone


def adam_steps(model, inputs, targets):
    """Plain steps of AdamW."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    return torch_steps(model, inputs, targets, optimizer, STEPS)


def torch_steps(model, inputs, targets, optimizer, num_steps, most_norm=None):
    """A plain loop over all rows once.

    Args:
        model: module that gives logits, or what has `logits`.
        inputs: int32 `(num_steps * B, T)`.
        targets: as `inputs`.
        optimizer: of the model's parameters.
        num_steps: int.
        most_norm: float or `None`. The largest norm of the gradient.

    Returns:
        function without arguments.
    """
    import torch

    inputs, targets = (
        [torch.tensor(rows).long() for rows in np.split(ids, num_steps)]
        for ids in (inputs, targets)
    )

    def steps():
        for given, wanted in zip(inputs, targets, strict=True):
            optimizer.zero_grad(set_to_none=True)
            logits = model(given)
            logits = getattr(logits, "logits", logits)
            torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), wanted.flatten()
            ).backward()
            if most_norm is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), most_norm)
            optimizer.step()

    return steps


def hugging_face_config(**more):
    """GPT2Config of the same shape.

    Args:
        **more: other fields of it.
    """
    import transformers

    return transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        bos_token_id=None,  # theirs are beyond this vocabulary
        eos_token_id=None,
        **more,
    )


def hugging_face():
    """GPT2LMHeadModel without dropout."""
    import transformers

    config = hugging_face_config(
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, use_cache=False
    )
    return transformers.GPT2LMHeadModel(config).train()


def x_transformer():
    """x-transformers' decoder of GPT-2's shape, with fused attention."""
    from x_transformers import Decoder, TransformerWrapper

    layers = Decoder(dim=WIDTH, depth=LAYERS, heads=HEADS, attn_flash=True)
    return TransformerWrapper(
        num_tokens=VOCABULARY, max_seq_len=LENGTH, attn_layers=layers
    )


def plain_gpt():
    """A GPT of torch.nn's own modules and fused attention."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.project = nn.Linear(WIDTH, 3 * WIDTH)
            self.out = nn.Linear(WIDTH, WIDTH)
            self.wide = nn.Linear(WIDTH, 4 * WIDTH)
            self.narrow = nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, hidden):
            heads = self.project(self.first(hidden)).unflatten(-1, (3 * HEADS, -1))
            query, key, value = heads.transpose(1, 2).chunk(3, dim=1)
            seen = nn.functional.scaled_dot_product_attention(
                query, key, value, is_causal=True
            )
            hidden = hidden + self.out(seen.transpose(1, 2).flatten(2))
            inner = self.wide(self.second(hidden))
            inner = nn.functional.gelu(inner, approximate="tanh")
            return hidden + self.narrow(inner)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(VOCABULARY, WIDTH)
            self.places = nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
            self.norm = nn.LayerNorm(WIDTH)

        def forward(self, token_ids):
            places = self.places(torch.arange(token_ids.shape[1]))
            hidden = self.norm(self.blocks(self.tokens(token_ids) + places))
            return hidden @ self.tokens.weight.T

    model = Model()
    for weight in model.parameters():
        if weight.ndim > 1:
            nn.init.normal_(weight, std=0.02)
    return model
