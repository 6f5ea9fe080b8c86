"""PyTorch: the fused attention kernel, writes in place, and loops that are replayed."""

import weakref

import keras
import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from keras_lm.backend.replay import Replay


def fused_attention(query, key, value, mask, is_causal, scale):
    """`scaled_dot_product_attention`: memory grows with T, not with T x S.

    Where values are not as wide as keys, it would build all scores: the narrower get
    zeros, which change no product.
    """
    width, missing = value.shape[3], query.shape[3] - value.shape[3]
    if query.shape[2] > 1:  # the scores of one query are less than a copy
        query, key = _widened(query, -missing), _widened(key, -missing)
        value = _widened(value, missing)
    context = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=is_causal,
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return context[..., :width]


def _widened(array, missing):
    return F.pad(array, (0, missing)) if missing > 0 else array


def dropout(inputs, rate, seed):
    """Four draws of 16 bits from each number of a generator; a rate of `n / 65536`."""
    dropped = min(round(rate * 2**16), 2**16 - 1)
    if inputs.device.type == "meta" or not inputs.numel():
        return inputs
    mixed = int(np.random.SeedSequence(seed.tolist()).generate_state(1)[0])
    generator = torch.Generator(device=inputs.device).manual_seed(mixed)
    shape, count = inputs.shape, inputs.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64, device=inputs.device)
    bits = bits.random_(-(2**63), None, generator=generator).view(torch.int16)
    keep = (bits[:count] >= dropped - 2**15).view(shape)
    return inputs * keep * (2**16 / (2**16 - dropped))


def map_recomputed(function, chunks, shared):
    """A loop; under autograd each turn is checkpointed."""
    present = next(chunk for chunk in chunks if chunk is not None)
    results = []
    for i in range(present.shape[0]):
        turn = tuple(None if chunk is None else chunk[i] for chunk in chunks)
        if torch.is_grad_enabled():
            results.append(checkpoint(function, turn, shared, use_reentrant=False))
        else:
            results.append(function(turn, shared))
    return torch.stack(results)


def gains_in_turn():
    """Its kernel keeps no scores: nothing is gained."""
    return False


def multiply_heads(left, right):
    """Keras' own product."""
    return keras.ops.matmul(left, right)


def write_slots(buffer, update, index, axis):
    """`index_copy_`: no copy of the buffer, no wait for the device."""
    slots = index + torch.arange(update.shape[axis], device=buffer.device)
    return buffer.index_copy_(axis, slots, update.to(buffer.dtype))


class Decoder:
    """A Python loop in inference mode, its steps replayed; see `backend.decoder`."""

    def __init__(self, model, begin, advance):
        self.model = weakref.ref(model)
        self.begin, self.advance = begin, Replay(advance)

    def run(self, token_ids, padding_mask, num_slots, capacity, num_new, seed):
        tokens = keras.ops.zeros((token_ids.shape[0], capacity), "int32")
        # Asking whether all rows have ended waits for the device: not every time.
        every = 1 if tokens.device.type == "cpu" else 16
        steps = self._steps(token_ids, padding_mask, num_slots, num_new, seed)
        for step, carry in enumerate(steps):
            tokens[:, step] = carry["token"]
            if (step + 1) % every == 0 and bool(carry["finished"].all()):
                break
        return tokens

    def stream(self, token_ids, padding_mask, num_slots, num_new, seed):
        for carry in self._steps(token_ids, padding_mask, num_slots, num_new, seed):
            yield carry["token"]
            if bool(carry["finished"].all()):
                return

    def _steps(self, token_ids, padding_mask, num_slots, num_new, seed):
        device = keras.ops.zeros(()).device  # where Keras puts its tensors
        token_ids = torch.as_tensor(token_ids, device=device)
        padding_mask = torch.as_tensor(padding_mask, device=device)
        model = self.model()
        self.advance.start(model)
        # One step a time: a generator must not leave inference mode on behind it.
        with torch.inference_mode():
            carry = self.begin(
                model, token_ids, padding_mask, num_slots, gumbel(seed, 0)
            )
        yield carry
        for step in range(1, num_new):
            with torch.inference_mode():
                carry = self.advance(model, carry, gumbel(seed, step))
            yield carry


class Search:
    """A Python loop in inference mode, its steps replayed; see `backend.search`."""

    def __init__(self, model, begin, advance, end):
        self.model = weakref.ref(model)
        self.begin, self.end = begin, end
        self.advance = Replay(lambda model, carry, noise: advance(model, carry))

    def run(self, inputs, num_slots):
        model = self.model()
        self.advance.start(model)
        with torch.inference_mode():
            inputs = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
            carry = self.begin(model, inputs, num_slots)
            while not bool(carry["finished"].all()):
                carry = self.advance(model, carry)
            return self.end(carry)


def gumbel(seed, step):
    """Gumbel noise of one step: a function of the shape."""

    def noise(shape):
        device = keras.ops.zeros(()).device
        # On processors the generator takes 32 bits of a seed: mix both into them.
        mixed = int(np.random.SeedSequence((seed, step)).generate_state(1)[0])
        generator = torch.Generator(device=device).manual_seed(mixed)
        exponential = torch.empty(shape, device=device)
        return -exponential.exponential_(generator=generator).log()

    return noise


def lstm(inputs, kernel, recurrent_kernel, bias, mask, hidden, cell):
    """PyTorch's fused kernel; padding is moved behind the real steps and back."""
    if inputs.is_meta:  # only shapes are asked for: no step is taken
        outputs = inputs.new_empty((*inputs.shape[:2], hidden.shape[-1]))
        return outputs, torch.empty_like(hidden), torch.empty_like(cell)
    if mask is None:
        return _fused_lstm(inputs, kernel, recurrent_kernel, bias, hidden, cell)
    order = torch.argsort(mask.logical_not().byte(), dim=1, stable=True)  # real first
    inputs = torch.cat([inputs, mask.logical_not().unsqueeze(2).to(inputs.dtype)], 2)
    inputs = inputs.gather(1, order.unsqueeze(2).expand(-1, -1, inputs.shape[2]))
    # One more input, 1 at padding, shuts the input gate and opens the forget gate.
    shut = torch.zeros_like(bias).view(4, -1)
    shut[0], shut[1] = -1e4, 1e4
    kernel = torch.cat([kernel, shut.view(1, -1)])
    outputs, _, cell = _fused_lstm(inputs, kernel, recurrent_kernel, bias, hidden, cell)
    every = torch.cat([hidden.unsqueeze(1), outputs], 1)  # by number of real steps
    seen = mask.long().cumsum(1).unsqueeze(2).expand_as(outputs)
    outputs = every.gather(1, seen)
    return outputs, torch.cat([hidden.unsqueeze(1), outputs], 1)[:, -1], cell


def _fused_lstm(inputs, kernel, recurrent_kernel, bias, hidden, cell):
    weights = [kernel.T, recurrent_kernel.T, bias, torch.zeros_like(bias)]
    outputs, hidden, cell = torch.lstm(
        inputs,
        (hidden.unsqueeze(0), cell.unsqueeze(0)),
        weights,
        has_biases=True,
        num_layers=1,
        dropout=0.0,
        train=torch.is_grad_enabled(),
        bidirectional=False,
        batch_first=True,
    )
    return outputs, hidden[0], cell[0]


def scan(function, state, steps):
    """A loop; where only shapes are asked for, its first turn."""
    arrays = list(steps.values())
    if arrays[0].is_meta:  # Keras takes 83 and 89 steps for a length that is unknown
        state = function(state, {name: array[0] for name, array in steps.items()})
        return {
            name: one.new_empty((len(arrays[0]), *one.shape))
            for name, one in state.items()
        }
    states = []
    for step in zip(*arrays, strict=True):
        state = function(state, dict(zip(steps, step, strict=True)))
        states.append(state)
    return {name: torch.stack([one[name] for one in states]) for name in state}
