"""How a text is cut into regions, and which of them a query reads how."""

from typing import NamedTuple

from keras import ops

from keras_lm.layers.masks import both


class Regions(NamedTuple):
    """How a text is cut, and which regions are near.

    Args:
        size: int, at least 1. Tokens of a region.
        neighbors: int, at least 0. Near regions on each side that is seen.
        is_causal: bool. Only tokens up to the query, and regions that are complete.
    """

    size: int
    neighbors: int
    is_causal: bool

    def of(self, places):
        """The region of each place; below 0 for places below 0."""
        return ops.floor_divide(places, self.size)

    def near(self, rows, columns):
        """Bool: whether a query of region `rows` reads region `columns` exactly."""
        distance = rows - columns
        if self.is_causal:
            return both(distance >= 0, distance <= self.neighbors)
        return ops.abs(distance) <= self.neighbors

    def far(self, rows, columns):
        """Bool: whether a query of region `rows` reads the summary of `columns`."""
        distance = rows - columns
        return (distance if self.is_causal else ops.abs(distance)) > self.neighbors

    def step_mask(self, rows, places, seen):
        """Who sees what in a decoding step.

        Args:
            rows: int32 `(B, n)`, places of the queries; below 0 before the first token.
            places: int32 `(B, S)`, of the keys; -1 for padding.
            seen: bool `(B, R)`, whether a region has any token.

        Returns:
            bool `(B, 1, n, S + R)`, over the keys and the summaries.
        """
        rows, places = ops.expand_dims(rows, 2), ops.expand_dims(places, 1)
        near = both(places >= 0, places <= rows)
        near = both(near, self.near(self.of(rows), self.of(places)))
        numbers = ops.arange(0, ops.shape(seen)[1], dtype="int32")
        far = self.far(self.of(rows), ops.reshape(numbers, (1, 1, -1)))
        far = both(far, ops.expand_dims(seen, 1))
        return ops.expand_dims(ops.concatenate([near, far], axis=-1), 1)

    def mean_weights(self, weights, places):
        """The weight of each region in the mean query of each.

        Args:
            weights: float `(B, H, T, T)`.
            places: int32 `(B or 1, T)`, of queries and keys; -1 for padding.

        Returns:
            float `(B, H, R, R)`; 0 for regions without tokens.
        """
        num_regions = -(-ops.shape(places)[1] // self.size)
        numbers = ops.reshape(ops.arange(0, num_regions, dtype="int32"), (1, -1, 1))
        is_in = ops.equal(numbers, ops.expand_dims(self.of(places), 1))
        is_in = ops.cast(ops.expand_dims(is_in, 1), weights.dtype)  # (B, 1, R, T)
        sums = ops.matmul(is_in, weights)  # (B, H, R, T)
        sums = ops.matmul(sums, ops.transpose(is_in, (0, 1, 3, 2)))  # (B, H, R, R)
        return sums / ops.maximum(ops.sum(is_in, axis=-1, keepdims=True), 1)
