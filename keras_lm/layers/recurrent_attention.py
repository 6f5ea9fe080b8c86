"""The skeleton of attention for recurrent networks: one head over the values."""

import keras
from keras import ops

from keras_lm import backend
from keras_lm.layers.masks import both, heads_mask, masked_softmax

# From so many numbers for a row of the batch on, queries are taken in chunks, each of
# which makes at most so many.
CHUNKED_FROM = 1024 * 1024


class RecurrentAttention(keras.layers.Layer):
    """One head over the values themselves; a final class says how it scores a key.

        weights_ts = softmax_s(score(q_t, k_s))
        context_t  = sum_s weights_ts x_s

    A final class defines `project_key`, once for each source, `prepare`, once for each
    query, and `score_keys`, which brings the two together; `numbers_per_pair` where
    that makes more than one number for a query and a key; `combine` where the output is
    more than the context. Unlike `Attention`, nothing projects the values. Its call is
    that of `keras.layers.MultiHeadAttention`.

    A recurrent decoder calls `remember` once and then `step`, as its queries come.

    Shapes: `B` batch, `T` query steps, `S` key steps, `U` width in which a key is
    scored, `Dq`, `Dk`, `Dv` widths of queries, keys and values, `n` new queries.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.score_vector = None

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        memory = self.remember(value, key, value_mask, key_mask)
        query_mask = _as_bool(query_mask)
        last = _last_keys(query, memory["key"]) if use_causal_mask else None
        rows = self.prepare(query, *_where(query, query_mask, memory["place"], last))
        pairs = _one_head(attention_mask)
        weights = None
        size = self._chunk_size(query, memory)
        if return_attention_scores or size is None:
            weights = self._weigh(rows, last, pairs, memory, self._vector())
            context = _mean(weights, memory["value"])
        else:
            context = self._in_chunks(rows, last, pairs, memory, size)
        context, weights = _hide_rows(context, weights, query_mask)
        output = self.combine(context, query)
        return (output, weights) if return_attention_scores else output

    def remember(self, value, key=None, value_mask=None, key_mask=None):
        """All that the steps of a decode need of a source; keys are projected once.

        Args:
            value: float `(B, S, Dv)`.
            key: float `(B, S, Dk)`; `value` when `None`.
            value_mask: bool `(B, S)` or `None`. `True` = real.
            key_mask: bool `(B, S)` or `None`. The same; both must be `True`.

        Returns:
            `{"key": (B, S, U), "value": (B, S, Dv), "place": (B, S)}`; `place`, int32,
            is the place of each key among the real ones of its row, -1 for padding.

        Raises:
            ValueError: the layer has neither been called nor built, so that the width
                of its queries is unknown.
        """
        if not self.built:
            raise ValueError(
                "Before a source is remembered, call the layer once, or "
                "`build(query_shape, value_shape)`: the width of its queries is not "
                f"known yet. Received: {self.name}, not built"
            )
        value = self._as_float(value)
        key = value if key is None else self._as_float(key)
        real = both(_as_bool(key_mask), _as_bool(value_mask))
        if real is None:
            real = ops.ones(ops.shape(key)[:2], "bool")
        place = ops.where(real, ops.cumsum(ops.cast(real, "int32"), axis=1) - 1, -1)
        return {"key": self.project_key(key), "value": value, "place": place}

    def step(self, query, memory, position_ids=None):
        """Attends with the next queries, which see the whole source.

        Args:
            query: float `(B, n, Dq)`. One or more queries.
            memory: as `remember` gives it.
            position_ids: int `(B or 1, n)`. The places of the queries, from 0 on, where
                the layer asks for them.

        Returns:
            `(output, weights)`: what the call gives for these queries, float
            `(B, n, ..)`; and float `(B, 1, n, S)`.
        """
        query = self._as_float(query)
        num_keys = ops.max(memory["place"], axis=1, keepdims=True) + 1  # (B, 1)
        rows = self.prepare(query, position_ids, num_keys)
        weights = self._weigh(rows, None, None, memory, self._vector())
        return self.combine(_mean(weights, memory["value"]), query), weights

    def project_key(self, key):
        """The keys as they are scored, `(B, S, U)`."""
        raise NotImplementedError(f"{type(self).__name__} must define `project_key`")

    def prepare(self, query, places, num_keys):
        """What scoring needs of each query.

        Args:
            query: float `(B, T, Dq)`.
            places: int `(B or 1, T)`. The place of each query, from 0 on; or `None`.
            num_keys: int `(B, T or 1)`. The real keys up to the end of the source, or
                up to the query when causal.

        Returns:
            tuple of arrays `(B or 1, T, ..)`, of which the first is float.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `prepare`")

    def score_keys(self, rows, key, place, vector):
        """Scores of all pairs.

        Uses weights only through its arguments: in chunks, TensorFlow finds gradients
        for no others.

        Args:
            rows: as `prepare` gives them.
            key: as `project_key` gives them.
            place: int `(B, S)`, as in `remember`.
            vector: `score_vector`, or `None` where the layer has none.

        Returns:
            `(scores, near)`: float `(B, T, S)`; and bool `(B, T, S)`, the pairs that
            may be visible at all, or `None`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `score_keys`")

    def numbers_per_pair(self):
        """How many numbers `score_keys` makes for a query and a key."""
        return 1

    def combine(self, context, query):
        """The output, `(B, T, ..)`."""
        return context

    def _as_float(self, array):
        return ops.cast(ops.convert_to_tensor(array), self.compute_dtype)

    def _vector(self):
        if self.score_vector is None:
            return None
        return ops.cast(self.score_vector, self.compute_dtype)

    def _weigh(self, rows, last, pairs, memory, vector):
        """The weights, `(B, 1, T, S)`."""
        place = memory["place"]
        scores, near = self.score_keys(rows, memory["key"], place, vector)
        mask = both(ops.expand_dims(place >= 0, 1), both(near, pairs))
        if last is not None:
            columns = ops.arange(0, ops.shape(place)[1], dtype="int32")
            mask = both(mask, ops.reshape(columns, (1, 1, -1)) <= last[:, :, None])
        weights = masked_softmax(scores, mask)  # (B, T, S)
        return ops.expand_dims(ops.cast(weights, self.compute_dtype), 1)

    def _chunk_size(self, query, memory):
        """How many queries to take at a time; `None` = all at once."""
        num_queries, num_keys = query.shape[1], memory["key"].shape[1]
        if not (isinstance(num_queries, int) and isinstance(num_keys, int)):
            return None  # unknown, or a symbol under JAX
        numbers = num_keys * self.numbers_per_pair()
        if num_queries * numbers <= CHUNKED_FROM:
            return None
        return max(1, CHUNKED_FROM // numbers)

    def _in_chunks(self, rows, last, pairs, memory, size):
        """The context, `size` queries at a time."""
        num_queries = rows[0].shape[1]
        num_chunks = -(-num_queries // size)
        more = num_chunks * size - num_queries

        def split(array):  # (B, T, ..) -> (chunks, B, size, ..)
            if array is None:
                return None
            rest = tuple(ops.shape(array)[2:])
            array = ops.pad(array, ((0, 0), (0, more), *[(0, 0)] * len(rest)))
            array = ops.reshape(array, (-1, num_chunks, size, *rest))
            return ops.moveaxis(array, 1, 0)

        if pairs is not None:
            shape = (ops.shape(pairs)[0], num_queries, memory["key"].shape[1])
            pairs = ops.broadcast_to(pairs, shape)

        def attend(chunk, shared):
            *some_rows, some_last, some_pairs = chunk
            *arrays, vector = shared
            source = dict(zip(memory, arrays, strict=True))
            weights = self._weigh(some_rows, some_last, some_pairs, source, vector)
            return _mean(weights, source["value"])

        chunks = tuple(split(array) for array in (*rows, last, pairs))
        shared = (*memory.values(), self._vector())
        context = backend.map_recomputed(attend, chunks, shared)
        context = ops.moveaxis(context, 0, 1)  # (B, chunks, size, Dv)
        shape = (-1, num_chunks * size, memory["value"].shape[2])
        return ops.reshape(context, shape)[:, :num_queries]


def project_rows(dense, array):
    """`dense(array)` of `(B, T, ..)`; that of one step without a transpose.

    In a loop of TensorFlow, XLA refuses the gradient of that transpose.
    """
    if array.shape[1] == 1:
        return ops.expand_dims(dense(array[:, 0]), 1)
    return dense(array)


def _mean(weights, value):
    """`(B, 1, T, S)` and `(B, S, Dv)` to `(B, T, Dv)`."""
    return ops.matmul(ops.squeeze(weights, 1), value)


def _last_keys(query, key):
    """The last key that each query sees when causal, `(1, T)`; below 0 for none."""
    num_queries, num_keys = ops.shape(query)[1], ops.shape(key)[1]
    rows = ops.arange(0, num_queries, dtype="int32") + (num_keys - num_queries)
    return ops.expand_dims(rows, 0)


def _where(query, query_mask, place, last):
    """`(places, num_keys)` as `prepare` wants them; padding is not counted."""
    count = ops.cumsum(ops.cast(place >= 0, "int32"), axis=1)  # (B, S)
    if last is not None:  # a query stands where the key at its place does
        seen = ops.take(count, ops.maximum(last[0], 0), axis=1)  # (B, T)
        return ops.maximum(seen - 1, 0), seen
    if query_mask is None:
        steps = ops.arange(0, ops.shape(query)[1], dtype="int32")
        return ops.expand_dims(steps, 0), count[:, -1:]
    places = ops.cumsum(ops.cast(query_mask, "int32"), axis=1) - 1
    return ops.maximum(places, 0), count[:, -1:]


def _one_head(attention_mask):
    """`(B or 1, T, S)`."""
    pairs = heads_mask(attention_mask)
    if pairs is None:
        return None
    if pairs.shape[1] != 1:
        raise ValueError(
            "`attention_mask` must be of one head: (T, S), (B, T, S) or (B, 1, T, S). "
            f"Received: attention_mask of shape {tuple(pairs.shape)}"
        )
    return pairs[:, 0]


def _hide_rows(context, weights, query_mask):
    if query_mask is None:
        return context, weights
    context = ops.where(query_mask[:, :, None], context, ops.cast(0, context.dtype))
    if weights is not None:
        rows = query_mask[:, None, :, None]
        weights = ops.where(rows, weights, ops.cast(0, weights.dtype))
    return context, weights


def _as_bool(mask):
    return None if mask is None else ops.cast(mask, "bool")
