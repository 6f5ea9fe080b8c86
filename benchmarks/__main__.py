"""`make bench`: attention beside Keras' own, decoding beside starting over."""

import keras
import numpy as np

import keras_lm
from benchmarks.side_by_side import side_by_side

rng = np.random.default_rng(seed=0)


def bench_attention(length, heads=4, width=64):
    """Inference of one causal layer with dropout 0.1, through `predict`, as a ratio."""
    hidden = rng.normal(size=(1, length, heads * width)).astype("float32")
    layers = {
        "keras.layers.MultiHeadAttention": keras.layers.MultiHeadAttention,
        "MultiHeadAttention": keras_lm.layers.MultiHeadAttention,
        "LocalAttention": keras_lm.layers.LocalAttention,
    }
    calls = {}
    for name, layer_class in layers.items():
        inputs = keras.Input((length, heads * width))
        layer = layer_class(heads, width, dropout=0.1)
        model = keras.Model(inputs, layer(inputs, inputs, use_causal_mask=True))
        calls[name] = lambda model=model: model.predict_on_batch(hidden)
    return side_by_side(calls)


def bench_generation(prompt_length=32, num_new=64):
    """Greedy decoding with the state, and by running the whole sequence each step."""
    model = keras_lm.models.TransformerDecoder(2000, 4, 4, 128, 512, 256)
    prompt = rng.integers(0, 2000, (1, prompt_length), dtype="int32")

    def start_over():
        token_ids = np.zeros((1, prompt_length + num_new), "int32")
        token_ids[:, :prompt_length] = prompt
        for place in range(prompt_length, prompt_length + num_new):
            logits = model.predict_on_batch(token_ids)
            token_ids[0, place] = np.argmax(logits[0, place - 1])

    return side_by_side(
        {
            "starting over": start_over,
            "generate": lambda: keras_lm.generation.generate(model, prompt, num_new),
        }
    )


def show(title, seconds):
    """Ratios to the first, then what was measured."""
    first = next(iter(seconds.values()))
    print(f"{title} ({keras.backend.backend()})")
    for name, took in seconds.items():
        print(f"  {first / took:6.2f} times as fast  {took * 1e3:9.1f} ms  {name}")


if __name__ == "__main__":
    for length in (512, 2048, 4096):
        show(f"attention, {length} steps, 4 heads of 64", bench_attention(length))
    show("64 new tokens, 4 layers of 128", bench_generation())
