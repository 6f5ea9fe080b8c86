"""Local attention, forward and backward, beside full attention and other local ones.

One layer of 4 heads of 64 in a model of 256, one text, compiled as `fit` would; the
gradient is that of the weights and of the input. A query sees 256 keys. At 8,192 steps
on JAX and TensorFlow, at 16,384 on PyTorch, where full attention is one fused kernel;
there `local-attention` stands beside ours, and Longformer beside ours to both sides.
"""

import keras
import numpy as np

from benchmarks import measure_cost
from benchmarks.speed.goal import Goal, times_as_fast
from keras_lm.layers import LocalAttention

HEADS, DIM, WINDOW = measure_cost.HEADS, measure_cost.WIDTH, 256
WIDTH = HEADS * DIM
LENGTHS = {"jax": 8192, "tensorflow": 8192, "torch": 16_384}
FULL = {"jax": 8, "tensorflow": 4, "torch": 3}

GOALS = [
    Goal(
        f"local / full attention, {LENGTHS[backend]:,} steps",
        times_as_fast("full", "local"),
        least,
        backends=(backend,),
    )
    for backend, least in FULL.items()
] + [
    Goal(
        "local, both sides / Longformer",
        times_as_fast("Longformer", "local, both sides"),
        2,
        backends=("torch",),
    ),
    Goal(
        "local / local-attention",
        times_as_fast("local-attention", "local"),
        1,
        backends=("torch",),
    ),
]


def rivals():
    """Calls of both passes."""
    backend = keras.backend.backend()
    length = LENGTHS[backend]
    names = {"local": "local", "full": "multi_head"}
    calls = {
        name: measure_cost.calls_of(layer)["both"](length)
        for name, layer in names.items()
    }
    if backend == "torch":
        calls |= torch_rivals(length)
    return calls


def tokens(_rival):
    """What a call reads, on this backend."""
    return LENGTHS[keras.backend.backend()]


def torch_rivals(length):
    """Ours to both sides, and the others, each with projections to 256 and back."""
    import torch
    import transformers
    from local_attention import LocalAttention as TheirLocalAttention
    from transformers.models.longformer import modeling_longformer

    ours = LocalAttention(HEADS, DIM, window=WINDOW)
    ours.build((None, None, WIDTH), (None, None, WIDTH))
    config = transformers.LongformerConfig(
        attention_window=[2 * WINDOW],
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        attention_probs_dropout_prob=0.0,
    )
    longformer = modeling_longformer.LongformerSelfAttention(config, layer_id=0)
    theirs = TheirLocalAttention(
        WINDOW, causal=True, exact_windowsize=True, use_rotary_pos_emb=False
    )
    project, out = torch.nn.Linear(WIDTH, 3 * WIDTH), torch.nn.Linear(WIDTH, WIDTH)
    nowhere = torch.zeros(1, length, dtype=torch.bool)

    def local_attention(hidden):
        heads = project(hidden).unflatten(-1, (3 * HEADS, DIM)).transpose(1, 2)
        seen = theirs(*(one.contiguous() for one in heads.chunk(3, dim=1)))
        return out(seen.transpose(1, 2).flatten(2))

    def long_former(hidden):
        seen = longformer(
            hidden,
            attention_mask=torch.zeros(1, length),
            is_index_masked=nowhere,
            is_index_global_attn=nowhere,
            is_global_attn=False,
        )[0]
        return out(seen)

    linear = [*project.parameters(), *out.parameters()]
    weights = [variable.value for variable in ours.trainable_variables]
    return {
        "local, both sides": both_passes(
            lambda hidden: ours(hidden, hidden), weights, length
        ),
        "Longformer": both_passes(
            long_former,
            [
                *longformer.query.parameters(),
                *longformer.key.parameters(),
                *longformer.value.parameters(),
                *out.parameters(),
            ],
            length,
        ),
        "local-attention": both_passes(local_attention, linear, length),
    }


def both_passes(output, weights, length):
    """A call of PyTorch's forward and backward pass."""
    import torch

    random = np.random.default_rng(seed=0)
    hidden = torch.tensor(random.normal(size=(1, length, WIDTH)), dtype=torch.float32)
    hidden.requires_grad_()

    def call():
        loss = output(hidden).square().mean()
        torch.autograd.grad(loss, [*weights, hidden])

    return call
