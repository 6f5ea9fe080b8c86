"""What makes a training of a translator this one; no import of Keras."""

import dataclasses

_NUM_LAYERS = {"transformer": 3, "lstm": 2}
# What may change while a run goes on: how long it goes on, and what is made of it.
_NOT_OF_THE_RUN = ("epochs", "patience", "average_last")


@dataclasses.dataclass(frozen=True)
class TranslatorSettings:
    """Sizes and schedule that suit some ten thousand pairs of sentences.

    Args:
        model: "transformer" or "lstm".
        num_layers: int, of encoder and decoder each; 3 of a Transformer and 2 of an
            LSTM when `None`.
        hidden_dim: int. Width of the model.
        num_heads: int, of a Transformer; divides `hidden_dim`.
        dropout: float, 0 to 1.
        label_smoothing: float, 0 to 1.
        vocabulary_size: int. Tokens that source and target share, at most.
        max_length: int. Most tokens of a source or a target, its separator included.
        max_batch_tokens: int. Source and target tokens of a batch, padding included.
        learning_rate: float. The highest.
        warmup_steps: int. Optimizer steps up to it; at most those of 4 epochs.
        epochs: int. At most so many.
        patience: int. Training stops after so many epochs in which neither BLEU nor
            the held-out loss got better.
        average_last: int. The mean of the weights of so many last epochs is tried.
        num_held_out: int, or `None` for a tenth of the pairs, at most 500.
        seed: int.

    Raises:
        ValueError: numbers do not fit each other.
    """

    model: str = "transformer"
    num_layers: int | None = None
    hidden_dim: int = 256
    num_heads: int = 4
    dropout: float = 0.3
    label_smoothing: float = 0.1
    vocabulary_size: int = 8000
    max_length: int = 128
    max_batch_tokens: int = 2048
    learning_rate: float = 1e-3
    warmup_steps: int = 1000
    epochs: int = 30
    patience: int = 5
    average_last: int = 5
    num_held_out: int | None = None
    seed: int = 0

    def __post_init__(self):
        if self.model == "transformer" and self.hidden_dim % (2 * self.num_heads):
            raise ValueError(
                "`hidden_dim` must be a multiple of twice `num_heads`. Received: "
                f"hidden_dim={self.hidden_dim}, num_heads={self.num_heads}"
            )
        if self.max_batch_tokens < 2 * self.max_length:
            raise ValueError(
                "`max_batch_tokens` must hold a source and a target of `max_length`. "
                f"Received: max_batch_tokens={self.max_batch_tokens}, "
                f"max_length={self.max_length}"
            )

    @property
    def layers(self) -> int:
        """Layers of encoder and decoder each."""
        return self.num_layers or _NUM_LAYERS[self.model]

    def of_the_run(self) -> dict:
        """What must be the same for a run to go on from its checkpoint.

        Returns:
            dictionary of plain Python.
        """
        settings = dataclasses.asdict(self)
        return {
            name: settings[name] for name in settings if name not in _NOT_OF_THE_RUN
        }
