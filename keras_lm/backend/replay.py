"""A step of a loop on PyTorch, recorded as plain operations and played again."""

from collections import Counter

import keras
from torch.fx.experimental.proxy_tensor import make_fx

# To record a step takes as long as some 50 steps: before that it might not pay.
STEPS_BEFORE = 48
MOST_RECORDINGS = 16


class Replay:
    """Runs `function(model, carry, noise)`; once it has run often, without the layers.

    For one token, calling Keras' layers takes longer than their products. After
    `STEPS_BEFORE` steps with arrays of the same shapes the step is recorded, with the
    model's weights among the inputs, and from then on only its PyTorch operations run:
    the same ones, and so the same numbers. A model whose variables are others than
    before, or of another shape, is recorded anew.

    Args:
        function: `function(model, carry, noise) -> carry`, as `backend.decoder` has it.
            Where it looks at a number, that must be the same for all carries of the
            same shapes.
    """

    def __init__(self, function):
        self.function = function
        self.variables, self.weights = [], []
        self.recordings, self.steps = {}, Counter()

    def start(self, model):
        """Looks at the model's weights again: before the first step of a run."""
        variables = model.variables
        weights = [variable.value for variable in variables]
        if _forms(self.variables, self.weights) != _forms(variables, weights):
            self.recordings.clear()
            self.steps.clear()
        self.variables, self.weights = variables, weights

    def __call__(self, model, carry, noise=None):
        """The carry after the step."""
        arrays = keras.tree.flatten(carry)
        shapes = tuple((array.shape, array.dtype) for array in arrays)
        if shapes not in self.recordings:
            self.steps[shapes] += 1
            if self.steps[shapes] <= STEPS_BEFORE:
                return self.function(model, carry, noise)
            while len(self.recordings) >= MOST_RECORDINGS:
                del self.recordings[next(iter(self.recordings))]
            self.recordings[shapes] = self._record(model, carry, noise)
        play, noise_shapes, ending = self.recordings[shapes]
        noises = [noise(shape) for shape in noise_shapes]
        after = play(*self.weights, *arrays, *noises)
        return keras.tree.pack_sequence_as(ending, after)

    def _record(self, model, carry, noise):
        noise_shapes = _shapes_of_noise(self.function, model, carry, noise)
        noises = [noise(shape) for shape in noise_shapes]
        num_weights, num_noises = len(self.weights), len(noises)
        ending = None

        def step(*inputs):
            nonlocal ending
            weights = inputs[:num_weights]
            arrays = inputs[num_weights : len(inputs) - num_noises]
            drawn = iter(inputs[len(inputs) - num_noises :])
            mapping = list(zip(self.variables, weights, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                given = keras.tree.pack_sequence_as(carry, arrays)
                ending = self.function(model, given, lambda shape: next(drawn))
            return keras.tree.flatten(ending)

        arrays = _copies(keras.tree.flatten(carry))
        play = make_fx(step)(*self.weights, *arrays, *noises)
        return play, noise_shapes, keras.tree.map_structure(lambda _: None, ending)


def _forms(variables, weights):
    return [
        (id(variable), weight.shape, weight.dtype)
        for variable, weight in zip(variables, weights, strict=True)
    ]


def _shapes_of_noise(function, model, carry, noise):
    """Shapes of the noise that a step asks for, by taking it once for nothing."""
    shapes = []

    def noted(shape):
        shapes.append(tuple(shape))
        return noise(shape)

    copies = keras.tree.pack_sequence_as(carry, _copies(keras.tree.flatten(carry)))
    function(model, copies, noted)
    return shapes


def _copies(arrays):
    """Steps write into the arrays of their carry."""
    return [array.clone() for array in arrays]
