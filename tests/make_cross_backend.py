"""Makes tests/data/cross_backend.npz: `python -m tests.make_cross_backend`.

Weights, inputs and, by the loops of tests/reference.py, outputs of two layers and a
small model. The file stays as it is, so that all backends are compared with the same.
"""

from pathlib import Path

import numpy as np

from tests import reference

PATH = Path(__file__).parent / "data" / "cross_backend.npz"
SEED = 0
MODEL = {
    "vocabulary_size": 23,
    "num_layers": 2,
    "num_heads": 4,
    "hidden_dim": 24,
    "intermediate_dim": 29,
    "max_sequence_length": 17,
    "num_key_value_heads": 2,
}
ATTENTION = {"num_heads": 6, "key_dim": 4, "value_dim": 5, "num_key_value_heads": 3}
FEED_FORWARD = {"intermediate_dim": 13, "gated": True}


def dense(rng, name, inputs, outputs):
    kernel = rng.normal(scale=inputs**-0.5, size=(inputs, outputs))
    return {f"{name}/kernel": kernel, f"{name}/bias": rng.normal(size=outputs) * 0.1}


def attention_weights(rng, width, num_heads, key_dim, value_dim, num_key_value_heads):
    return {
        **dense(rng, "query", width, num_heads * key_dim),
        **dense(rng, "key", width, num_key_value_heads * key_dim),
        **dense(rng, "value", width, num_key_value_heads * value_dim),
        **dense(rng, "output", num_heads * value_dim, width),
    }


def norm_weights(rng, name, width):
    gamma = 1 + 0.1 * rng.normal(size=width)
    return {f"{name}/gamma": gamma, f"{name}/beta": 0.1 * rng.normal(size=width)}


def model_weights(rng):
    width, inner = MODEL["hidden_dim"], MODEL["intermediate_dim"]
    heads, shared = MODEL["num_heads"], MODEL["num_key_value_heads"]
    embeddings = rng.normal(size=(MODEL["vocabulary_size"], width))
    weights = {"token_embedding/embeddings": embeddings}
    for layer in range(MODEL["num_layers"]):
        block = {
            **under(
                "attention",
                attention_weights(
                    rng, width, heads, width // heads, width // heads, shared
                ),
            ),
            **dense(rng, "feed_forward/inner", width, inner),
            **dense(rng, "feed_forward/output", inner, width),
            **norm_weights(rng, "attention_norm", width),
            **norm_weights(rng, "feed_forward_norm", width),
        }
        weights.update(under(f"block_{layer}", block))
    return {**weights, **norm_weights(rng, "final_norm", width)}


def under(prefix, arrays):
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def single(arrays):
    """What is stored, and therefore what the reference computes with."""
    return {name: array.astype("float32") for name, array in arrays.items()}


def attention_case(rng):
    sizes = (ATTENTION[name] for name in ("num_heads", "key_dim", "value_dim"))
    weights = single(
        attention_weights(rng, 7, *sizes, ATTENTION["num_key_value_heads"])
    )
    inputs = single(
        {"query": rng.normal(size=(2, 5, 7)), "value": rng.normal(size=(2, 11, 7))}
    )
    mask = rng.random((2, 11)) < 0.7
    visible = reference.causal(5, 11) & mask[:, None, None]
    output, shares = reference.multi_head_attention(
        weights, inputs["query"], inputs["value"], visible, 6, 3
    )
    inputs = {**inputs, "value_mask": mask}
    return weights, inputs, {"output": output, "weights": shares}


def feed_forward_case(rng):
    weights = single(
        {
            **dense(rng, "inner", 7, 13),
            **dense(rng, "gate", 7, 13),
            **dense(rng, "output", 13, 7),
        }
    )
    inputs = single({"inputs": rng.normal(size=(2, 5, 7))})
    output = reference.feed_forward(weights, inputs["inputs"], reference.gelu, True)
    return weights, inputs, {"output": output}


def model_case(rng):
    weights = single(model_weights(rng))
    token_ids = rng.integers(0, MODEL["vocabulary_size"], size=(3, 11))
    padding_mask = np.ones((3, 11), "bool")
    padding_mask[1, :4] = padding_mask[2, [5, 10]] = False
    logits = reference.transformer_decoder(weights, token_ids, padding_mask, 2, 4, 2)
    inputs = {"token_ids": token_ids.astype("int32"), "padding_mask": padding_mask}
    return weights, inputs, {"logits": logits}


def make():
    rng = np.random.default_rng(SEED)
    cases = {
        "attention": attention_case(rng),
        "feed_forward": feed_forward_case(rng),
        "model": model_case(rng),
    }
    arrays = {}
    for name, (weights, inputs, outputs) in cases.items():
        arrays.update(under(f"{name}:weights", weights))
        arrays.update(under(f"{name}:inputs", inputs))
        arrays.update(under(f"{name}:outputs", single(outputs)))
    PATH.parent.mkdir(exist_ok=True)
    np.savez_compressed(PATH, **arrays)


def load(case):
    """`(weights, inputs, outputs)` of one case, each a dictionary."""
    with np.load(PATH) as stored:
        arrays = dict(stored)
    kinds = ("weights", "inputs", "outputs")
    return tuple(reference.below(arrays, f"{case}:{kind}/") for kind in kinds)


def give(layer, weights):
    """Puts the stored weights into a built layer or model, by their paths."""
    names = list(reference.named_weights(layer))
    assert sorted(names) == sorted(weights)
    layer.set_weights([weights[name] for name in names])


if __name__ == "__main__":
    make()
