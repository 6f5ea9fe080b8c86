"""What makes a training of a text generator this one; no import of Keras."""

import dataclasses

from keras_lm.text.document import Document
from keras_lm.text.split_documents import split_documents

_LEAST_DOCUMENTS = 3
_LEAST_BATCHES = 4  # in one pass over the corpus
_LEAST_BATCH_SIZE, _LEAST_LENGTH = 4, 16


@dataclasses.dataclass(frozen=True)
class GeneratorSettings:
    """Everything that makes this run this run; a change of it starts training anew.

    Args:
        attention: str. Of every block; see `layers.choose_attention`.
        vocabulary_size: int. Tokens, at most.
        sequence_length: int. Tokens of a row of a batch.
        batch_size: int. Rows of a batch, on all devices together.
        num_layers: int.
        num_heads: int; twice of it divides `hidden_dim`.
        hidden_dim: int. Width of the model.
        intermediate_dim: int. Width inside its feed-forward networks.
        max_sequence_length: int. Of a prompt and its continuation; at least
            `sequence_length`.
        dropout: float, 0 to 1.
        steps_per_epoch: int. Optimizer steps from one checkpoint to the next.
        epochs: int. So many times `steps_per_epoch` steps.
        learning_rate: float. The highest.
        warmup_steps: int. Optimizer steps up to it.
        held_out: float, above 0 and below 1. The part of the text to measure on.
        seed: int.

    Raises:
        ValueError: numbers do not fit each other.
    """

    attention: str = "multi_head"
    vocabulary_size: int = 2048
    sequence_length: int = 128
    batch_size: int = 16
    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 128
    intermediate_dim: int = 512
    max_sequence_length: int = 256
    dropout: float = 0.0
    steps_per_epoch: int = 50
    epochs: int = 24
    learning_rate: float = 4e-3
    warmup_steps: int = 100
    held_out: float = 0.05
    seed: int = 0

    def __post_init__(self):
        if self.hidden_dim % (2 * self.num_heads):
            raise ValueError(
                "`hidden_dim` must be a multiple of twice `num_heads`. Received: "
                f"hidden_dim={self.hidden_dim}, num_heads={self.num_heads}"
            )
        if self.max_sequence_length < self.sequence_length:
            raise ValueError(
                "`max_sequence_length` must be at least `sequence_length`. Received: "
                f"max_sequence_length={self.max_sequence_length}, "
                f"sequence_length={self.sequence_length}"
            )

    def of_the_run(self) -> dict:
        """What must be the same for a run to go on from its checkpoint.

        Returns:
            dictionary of plain Python.
        """
        return dataclasses.asdict(self)

    def split(self, documents: list[Document]):
        """The documents to train on, and those to measure on.

        Args:
            documents: list of `Document`.

        Returns:
            `(train, held_out)`: lists of `Document`.

        Raises:
            ValueError: there are too few.
        """
        if len(documents) < _LEAST_DOCUMENTS:
            raise ValueError(
                f"`corpus` must be longer: it takes at least {_LEAST_DOCUMENTS} "
                f"documents, or sections of one. Received: {len(documents)}"
            )
        return split_documents(documents, self.held_out, self.seed)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.steps_per_epoch * self.epochs

    def with_steps(self, steps: int) -> "GeneratorSettings":
        """The same run with so many optimizer steps.

        Args:
            steps: int, at least 1.

        Returns:
            `GeneratorSettings`.
        """
        per_epoch = min(self.steps_per_epoch, steps)
        return dataclasses.replace(
            self,
            steps_per_epoch=per_epoch,
            epochs=-(-steps // per_epoch),
            warmup_steps=min(self.warmup_steps, max(steps // 10, 1)),
        )

    def for_corpus(self, num_tokens: int, num_shares: int = 1) -> "GeneratorSettings":
        """The same run with batches of which a small corpus fills some.

        First there are fewer rows in a batch, then they are shorter.

        Args:
            num_tokens: int. Of the text to train on.
            num_shares: int. A batch keeps a multiple of so many rows, which it has.

        Returns:
            `GeneratorSettings`.

        Raises:
            ValueError: it does not even fill the smallest.
        """
        room = (num_tokens - 1) // _LEAST_BATCHES  # the last token is only predicted
        batch_size, length = self.batch_size, self.sequence_length
        fewest = -(-_LEAST_BATCH_SIZE // num_shares) * num_shares
        while batch_size * length > room and batch_size > fewest:
            half = batch_size // 2
            batch_size = max(half - half % num_shares, fewest)
        while batch_size * length > room and length > _LEAST_LENGTH:
            length = max(length // 2, _LEAST_LENGTH)
        if batch_size * length > room:
            least = _LEAST_BATCHES * batch_size * length + 1
            whom = "about a page" if num_shares == 1 else f"on {num_shares} devices"
            raise ValueError(
                f"`corpus` must be longer: training takes at least {least} tokens, "
                f"{whom}. Received: {num_tokens} tokens to train on"
            )
        return dataclasses.replace(self, batch_size=batch_size, sequence_length=length)
