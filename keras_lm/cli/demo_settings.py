"""What makes a run of the demo this run; no import of Keras."""

import dataclasses

_LEAST_BATCHES = 4  # in one pass over the corpus
_LEAST_BATCH_SIZE, _LEAST_LENGTH = 4, 16


@dataclasses.dataclass(frozen=True)
class DemoSettings:
    """Everything that makes this run this run; a change of it starts training anew."""

    attention: str = "multi_head"
    vocabulary_size: int = 2048
    sequence_length: int = 128
    batch_size: int = 16
    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 128
    intermediate_dim: int = 512
    max_sequence_length: int = 256
    steps_per_epoch: int = 50
    epochs: int = 24
    learning_rate: float = 4e-3
    warmup_steps: int = 100
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.steps_per_epoch * self.epochs

    def with_steps(self, steps: int) -> "DemoSettings":
        """The same run with so many optimizer steps.

        Args:
            steps: int, at least 1.

        Returns:
            `DemoSettings`.
        """
        per_epoch = min(self.steps_per_epoch, steps)
        return dataclasses.replace(
            self,
            steps_per_epoch=per_epoch,
            epochs=-(-steps // per_epoch),
            warmup_steps=min(self.warmup_steps, max(steps // 10, 1)),
        )

    def for_corpus(self, num_tokens: int) -> "DemoSettings":
        """The same run with batches of which a small corpus fills some.

        First there are fewer rows in a batch, then they are shorter.

        Args:
            num_tokens: int. Of the text to train on.

        Returns:
            `DemoSettings`.

        Raises:
            ValueError: it does not even fill the smallest.
        """
        room = (num_tokens - 1) // _LEAST_BATCHES  # the last token is only predicted
        batch_size, length = self.batch_size, self.sequence_length
        while batch_size * length > room and batch_size > _LEAST_BATCH_SIZE:
            batch_size = max(batch_size // 2, _LEAST_BATCH_SIZE)
        while batch_size * length > room and length > _LEAST_LENGTH:
            length = max(length // 2, _LEAST_LENGTH)
        if batch_size * length > room:
            least = _LEAST_BATCHES * batch_size * length + 1
            raise ValueError(
                f"`corpus` must be longer: training takes at least {least} tokens, "
                f"about a page. Received: {num_tokens} tokens to train on"
            )
        return dataclasses.replace(self, batch_size=batch_size, sequence_length=length)
