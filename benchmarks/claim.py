"""A claim about an attention layer, what was measured, and whether it holds."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Claim:
    """One row of the table that `attention_claims.py` prints.

    Args:
        layer: class name of the layer.
        claim: what is claimed, with its threshold, in one line.
        measured: what was measured, seed by seed where there are few.
        baseline: the same of the baseline, and which that is.
        holds: bool; `None` where it could not be run (the data are absent).
    """

    layer: str
    claim: str
    measured: str
    baseline: str
    holds: bool | None

    @property
    def verdict(self):
        """What the table says of it."""
        return {True: "holds", False: "fails", None: "not run"}[self.holds]
