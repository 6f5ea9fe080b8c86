"""What all that hides tokens must be given."""


def check_rate(rate: float):
    """Refuses a rate that hides nothing or everything.

    Args:
        rate: float.

    Raises:
        ValueError: `rate` is not between 0 and 1.
    """
    if not 0 < rate < 1:
        raise ValueError(f"`rate` must be above 0 and below 1. Received: rate={rate}")


def check_mask(tokenizer):
    """Refuses a tokenizer that has no mask token.

    Args:
        tokenizer: has `mask_id`.

    Raises:
        ValueError: `mask_id` is `None`.
    """
    if tokenizer.mask_id is None:
        raise ValueError(
            "`tokenizer` must have a mask token: `with_special_tokens()` adds one. "
            "Received: mask_id=None"
        )
