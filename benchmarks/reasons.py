"""What bounds each goal of `make bench` that was not met, as `RESULTS.md` found it."""

_PRODUCTS = (
    "three quarters of a step are products, for both: 1.25 would take a third to two "
    "thirds of all the rest"
)
_PLAIN_LOOP = "that loop runs at 0.79 of the product's speed: twice it is out of reach"
_ONE_ROW = "three quarters of a step are products of one row with all weights"
_FEW_ROWS = (
    "a step of 8 rows takes three times one of one row, though it reads the same "
    "weights: XLA's products of few rows, it seems; not profiled"
)
_LAYERS = "the layers: logits and the moving of the state are a third of a step"

REASONS = {
    "training / KerasHub GPT-2": _PRODUCTS,
    "training / plain GPT in PyTorch": _PLAIN_LOOP,
    "training / Hugging Face GPT-2": _PLAIN_LOOP,
    "training: share of the fastest matrix product's speed": (
        "26 to 28 % of a step are GELU, softmax, norms, loss and optimizer"
    ),
    "decoding, batch 1 / KerasHub, tensorflow": _ONE_ROW,
    "decoding, batch 1 / KerasHub, jax": _ONE_ROW,
    "decoding, batch 1 / CTranslate2": (
        f"{_ONE_ROW}; a second thread gains 1.16 there, CTranslate2 1.7"
    ),
    "decoding, batch 1 / Hugging Face": _ONE_ROW,
    "decoding, batch 8 / Hugging Face": _FEW_ROWS,
    "translation, greedy / Hugging Face Marian": _LAYERS,
    "translation, beam 4 / Hugging Face Marian": _LAYERS,
    "translation, greedy / CTranslate2": _LAYERS,
    "translation, beam 4 / CTranslate2": _LAYERS,
    "decoding, .tflite of int8 / CTranslate2 int8": (
        "of 2.6 ms a token 0.8 are copies of the state into the interpreter and out"
    ),
}
