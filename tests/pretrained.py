"""Small models of transformers for each family, with random weights, in directories."""

import numpy as np

rng = np.random.default_rng(seed=0)
TOKEN_IDS = rng.integers(2, 47, size=(2, 7))
REAL = np.array([[True] * 7, [True] * 5 + [False] * 2])
SEGMENT_IDS = np.array([[0] * 4 + [1] * 3] * 2)
SIZES = {
    "vocab_size": 47,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "hidden_size": 18,
    "intermediate_size": 11,
    "max_position_embeddings": 19,
}
PAIRED = {
    "vocab_size": 47,
    "d_model": 18,
    "max_position_embeddings": 19,
    **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 3 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 11 for side in ("encoder", "decoder")},
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
LLAMA = {
    **SIZES,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "hidden_size": 24,
    "rms_norm_eps": 1e-3,
    "tie_word_embeddings": False,
    "rope_parameters": {"rope_type": "default", "rope_theta": 50.0},
}


def configs():
    """A small model of each family."""
    import transformers

    return {
        "bert": transformers.BertConfig(**SIZES, hidden_act="gelu_new"),
        "roberta": transformers.RobertaConfig(**SIZES, type_vocab_size=1),
        "electra": transformers.ElectraConfig(**SIZES, embedding_size=8),
        "distilbert": transformers.DistilBertConfig(
            vocab_size=47,
            n_layers=2,
            n_heads=3,
            dim=18,
            hidden_dim=11,
            max_position_embeddings=19,
        ),
        "gpt2": transformers.GPT2Config(
            vocab_size=47,
            n_layer=2,
            n_head=3,
            n_embd=18,
            n_positions=19,
            bos_token_id=1,
            eos_token_id=1,
        ),
        "marian": transformers.MarianConfig(
            **PAIRED,
            activation_function="swish",
            scale_embedding=True,
            decoder_start_token_id=1,
        ),
        "bart": transformers.BartConfig(**PAIRED, decoder_start_token_id=2),
        "llama": transformers.LlamaConfig(**LLAMA),
        "mistral": transformers.MistralConfig(**LLAMA),
        "qwen2": transformers.Qwen2Config(**LLAMA),
    }


def write(name, path, head=None, **changes):
    """Random weights in a directory; gives the model that has them, of transformers."""
    import torch
    import transformers

    model_class = getattr(transformers, head or "AutoModel")
    config = configs()[name]
    config.update(changes)
    model = model_class.from_config(config).eval()
    torch.manual_seed(0)
    for name, weight in model.named_parameters():
        if not name.endswith("embed_positions.weight") or weight.requires_grad:
            gain = name.endswith("weight") and weight.ndim == 1
            weight.data = gain * 1.0 + torch.randn(weight.shape) / 3
    for name, array in model.named_buffers():
        if name == "final_logits_bias":
            array.data = torch.randn(array.shape) / 3
    model.save_pretrained(path)
    return model


def ask(model, **arrays):
    """What transformers' model answers, first output."""
    import torch

    arrays = {name: torch.tensor(array) for name, array in arrays.items()}
    with torch.no_grad():
        return model(**arrays)[0].numpy()
