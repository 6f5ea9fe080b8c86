"""NumPy references in float64, written as loops: slow, and easy to verify by eye."""

import math

import numpy as np


def attention(query, key, value, visible, scale=None):
    """Scaled dot-product attention, a query of a head at a time.

    Args:
        query: `(B, H, T, D)`.
        key: `(B, K, S, D)`, where `K` divides `H`.
        value: `(B, K, S, Dv)`.
        visible: bool, broadcastable to `(B, H, T, S)`.
        scale: float; `1 / sqrt(D)` when `None`.

    Returns:
        `(context, weights)`: `(B, H, T, Dv)` and `(B, H, T, S)`, 0 where a query sees
        nothing.
    """
    batch, heads, steps, width = query.shape
    group, num_keys = heads // key.shape[1], key.shape[2]
    scale = scale or 1 / math.sqrt(width)
    visible = np.broadcast_to(visible, (batch, heads, steps, num_keys))
    context = np.zeros((batch, heads, steps, value.shape[3]))
    weights = np.zeros((batch, heads, steps, num_keys))
    for b, h, t in np.ndindex(batch, heads, steps):
        seen = [s for s in range(num_keys) if visible[b, h, t, s]]
        if not seen:
            continue
        keys = key[b, h // group].astype("float64")
        scores = [keys[s] @ query[b, h, t] * scale for s in seen]
        shares = [math.exp(score - max(scores)) for score in scores]
        for s, share in zip(seen, shares, strict=True):
            weights[b, h, t, s] = share / sum(shares)
            context[b, h, t] += weights[b, h, t, s] * value[b, h // group, s]
    return context, weights


def dynamic_attention(query, key, value, visible, factor):
    """`attention`, the query of each head times a factor of how many keys it sees.

    Args:
        query: `(B, H, T, D)`.
        key: `(B, K, S, D)`.
        value: `(B, K, S, Dv)`.
        visible: bool `(B, H, T, S)`.
        factor: function of the head and the number of keys, at least 1.

    Returns:
        `(context, weights)`.
    """
    sharpened = np.zeros(query.shape)
    for b, h, t in np.ndindex(query.shape[:3]):
        count = max(int(visible[b, h, t].sum()), 1)
        sharpened[b, h, t] = query[b, h, t] * factor(h, count)
    return attention(sharpened, key, value, visible)


def regional_attention(
    query, key, value, vector, visible, offsets, size, neighbors, is_causal
):
    """Tokens of near regions and summaries of far ones, a query of a head at a time.

    Args:
        query: `(B, H, T, D)`.
        key: `(B, K, T, D)`, where `K` divides `H`.
        value: `(B, K, T, Dv)`.
        vector: `(K, D)`, by which the importance of a token is taken.
        visible: bool, broadcastable to `(B, H, T, T)`, before causality.
        offsets: of each row, the slot where its first region starts.
        size: of regions.
        neighbors: near regions on each side.
        is_causal: bool.

    Returns:
        `(context, weights)`: `(B, H, T, Dv)` and `(B, H, T, T)`, a summary's weight
        spread over its tokens; 0 for queries before the first region.
    """
    batch, heads, steps, width = query.shape
    group, scale = heads // key.shape[1], 1 / math.sqrt(width)
    visible = np.broadcast_to(visible, (batch, heads, steps, steps))
    context = np.zeros((batch, heads, steps, value.shape[3]))
    weights = np.zeros((batch, heads, steps, steps))
    for b, h, t in np.ndindex(batch, heads, steps):
        keys, q = key[b, h // group].astype("float64"), query[b, h, t]
        own = (t - offsets[b]) // size
        entries = []  # (score, {token: its part})
        for region in range(-(-steps // size)):
            first = offsets[b] + region * size
            tokens = range(first, min(first + size, steps))
            tokens = [s for s in tokens if visible[b, h, t, s]]
            behind = own - region
            if own < 0 or (is_causal and behind < 0) or not tokens:
                continue
            if abs(behind) <= neighbors:
                tokens = [s for s in tokens if s <= t or not is_causal]
                entries += [(keys[s] @ q * scale, {s: 1.0}) for s in tokens]
                continue
            shares = [math.exp(keys[s] @ vector[h // group] * scale) for s in tokens]
            parts = [share / sum(shares) for share in shares]
            summary = sum(w * keys[s] for w, s in zip(parts, tokens, strict=True))
            score = summary @ q * scale + math.log(sum(shares))
            entries.append((score, dict(zip(tokens, parts, strict=True))))
        total = sum(math.exp(score) for score, _ in entries)
        for score, parts in entries:
            for s, part in parts.items():
                weights[b, h, t, s] += math.exp(score) / total * part
        context[b, h, t] = weights[b, h, t] @ value[b, h // group]
    return context, weights


def mean_under_scores(scores, value, visible):
    """Softmax over the visible keys and the mean of their values, a query at a time.

    Args:
        scores: `(B, T, S)`.
        value: `(B, S, Dv)`.
        visible: bool, broadcastable to `(B, T, S)`.

    Returns:
        `(context, weights)`: `(B, T, Dv)` and `(B, T, S)`, 0 where nothing is seen.
    """
    visible = np.broadcast_to(visible, scores.shape)
    weights = np.zeros(scores.shape)
    context = np.zeros((*scores.shape[:2], value.shape[2]))
    for b, t in np.ndindex(scores.shape[:2]):
        seen = [s for s in range(scores.shape[2]) if visible[b, t, s]]
        shares = {s: math.exp(scores[b, t, s]) for s in seen}
        for s in seen:
            weights[b, t, s] = shares[s] / sum(shares.values())
            context[b, t] += weights[b, t, s] * value[b, s]
    return context, weights


def causal(num_queries, num_keys):
    """`(T, S)`: query `t` sees key `s` when `s <= t + S - T`."""
    visible = np.zeros((num_queries, num_keys), dtype="bool")
    for t, s in np.ndindex(num_queries, num_keys):
        visible[t, s] = s <= t + num_keys - num_queries
    return visible


def rotate(inputs, position_ids, wavelength=10_000.0):
    """Rotary embedding of `(B, H, T, D)`, a pair of features at a time."""
    batch, heads, steps, width = inputs.shape
    half = width // 2
    turned = np.zeros(inputs.shape)
    for b, h, t, i in np.ndindex(batch, heads, steps, half):
        angle = position_ids[b][t] * wavelength ** (-2 * i / width)
        first, second = inputs[b, h, t, i], inputs[b, h, t, i + half]
        turned[b, h, t, i] = first * math.cos(angle) - second * math.sin(angle)
        turned[b, h, t, i + half] = first * math.sin(angle) + second * math.cos(angle)
    return turned


def places(padding_mask):
    """Position of each token in its row, padding not counted."""
    rows = []
    for row in padding_mask:
        count, ids = 0, []
        for real in row:
            count += int(real)
            ids.append(max(count - 1, 0))
        rows.append(ids)
    return rows


def split_heads(array, num_heads):
    """`(B, T, H D)` -> `(B, H, T, D)`."""
    width = array.shape[2] // num_heads
    heads = [array[:, :, h * width : (h + 1) * width] for h in range(num_heads)]
    return np.stack(heads, axis=1)


def multi_head_attention(
    weights,
    query,
    value,
    visible,
    num_heads,
    num_key_value_heads,
    position_ids=None,
    wavelength=10_000.0,
):
    """Projections, heads, attention, output projection.

    Args:
        weights: dictionary from "query/kernel", "query/bias", .. to arrays.
        query: `(B, T, E)`.
        value: `(B, S, E)`.
        visible: bool, broadcastable to `(B, H, T, S)`.
        num_heads: int.
        num_key_value_heads: int.
        position_ids: of queries and keys, `(B, T)`, for rotary positions.
        wavelength: of these.

    Returns:
        `(output, weights)`.
    """
    q = split_heads(dense(weights, "query", query), num_heads)
    k = split_heads(dense(weights, "key", value), num_key_value_heads)
    v = split_heads(dense(weights, "value", value), num_key_value_heads)
    if position_ids is not None:
        q, k = (rotate(x, position_ids, wavelength) for x in (q, k))
    context, shares = attention(q, k, v, visible)
    merged = np.concatenate([context[:, h] for h in range(num_heads)], axis=-1)
    return dense(weights, "output", merged), shares


def feed_forward(weights, inputs, activation, gated=False):
    """Two dense layers, or three when gated, with an activation between."""
    inner = activation(dense(weights, "inner", inputs))
    if gated:
        inner = inner * dense(weights, "gate", inputs)
    return dense(weights, "output", inner)


def transformer_decoder(
    weights, token_ids, padding_mask, num_layers, num_heads, num_key_value_heads
):
    """A decoder as in `keras_lm.models`, rotary, normalised first, embeddings tied."""
    steps = token_ids.shape[1]
    position_ids = places(padding_mask)
    visible = causal(steps, steps)[None, None] & padding_mask[:, None, None, :]
    embeddings = weights["token_embedding/embeddings"]
    hidden = np.array([[embeddings[i] for i in row] for row in token_ids])
    for layer in range(num_layers):
        block = below(weights, f"block_{layer}/")
        normal = layer_norm(below(block, "attention_norm/"), hidden)
        attended, _ = multi_head_attention(
            below(block, "attention/"),
            normal,
            normal,
            visible,
            num_heads,
            num_key_value_heads,
            position_ids,
        )
        hidden = hidden + attended
        normal = layer_norm(below(block, "feed_forward_norm/"), hidden)
        hidden = hidden + feed_forward(below(block, "feed_forward/"), normal, gelu)
    return layer_norm(below(weights, "final_norm/"), hidden) @ embeddings.T


def layer_norm(weights, inputs, epsilon=1e-5):
    """Mean 0 and variance 1 over the features of each position, then gain and bias."""
    normal = np.zeros(inputs.shape)
    for place in np.ndindex(inputs.shape[:-1]):
        centred = inputs[place] - inputs[place].mean()
        normal[place] = centred / math.sqrt((centred**2).mean() + epsilon)
    return normal * weights["gamma"] + weights["beta"]


def dense(weights, name, inputs):
    """`inputs W + b`, without `b` where there is none."""
    return inputs @ weights[f"{name}/kernel"] + weights.get(f"{name}/bias", 0.0)


def gelu(inputs):
    """`x P(Z <= x)` for a standard normal `Z`."""
    return inputs * 0.5 * (1 + np.vectorize(math.erf)(inputs / math.sqrt(2)))


def named_weights(layer):
    """The weights of a layer or model by their paths, its own name left out."""
    return {
        weight.path.removeprefix(f"{layer.name}/"): np.array(array)
        for weight, array in zip(layer.weights, layer.get_weights(), strict=True)
    }


def below(weights, prefix):
    """What stands under `prefix`, by the rest of its name."""
    return {
        name.removeprefix(prefix): array
        for name, array in weights.items()
        if name.startswith(prefix)
    }


def lstm(
    inputs,
    kernel,
    recurrent_kernel,
    bias,
    real,
    hidden,
    cell,
    reverse=False,
):
    """A long short-term memory, a step of a row at a time.

    Args:
        inputs: `(B, T, D)`.
        kernel: `(D, 4U)`; gates in the order input, forget, candidate, output.
        recurrent_kernel: `(U, 4U)`.
        bias: `(4U,)`.
        real: bool `(B, T)`.
        hidden: `(B, U)`.
        cell: `(B, U)`.
        reverse: bool.

    Returns:
        `(outputs, hidden, cell)`: `(B, T, U)`, `(B, U)` and `(B, U)`.
    """
    hidden, cell = hidden.astype("float64"), cell.astype("float64")
    batch, steps, _ = inputs.shape
    outputs = np.zeros((batch, steps, hidden.shape[1]))
    for b in range(batch):
        for t in range(steps)[::-1] if reverse else range(steps):
            if real[b, t]:
                sums = inputs[b, t] @ kernel + hidden[b] @ recurrent_kernel + bias
                i, f, g, o = np.split(sums, 4)
                cell[b] = _sigmoid(f) * cell[b] + _sigmoid(i) * np.tanh(g)
                hidden[b] = _sigmoid(o) * np.tanh(cell[b])
            outputs[b, t] = hidden[b]
    return outputs, hidden, cell


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))
