"""A learning rate for each layer: the lower it lies, the smaller."""

import re

import keras
import numpy as np
from keras import ops

from keras_lm.training.weight_paths import compiled_pattern, path_of

# As our models name them; the first name of a path is the model's.
_NUMBERED = re.compile(r"/(?:[a-z]+_)*(?:block|lstm|forward|backward)_(\d+)/")
_EMBEDDING = re.compile(r"/[^/]*embedding[^/]*/")


@keras.saving.register_keras_serializable(package="keras_lm")
class LayerwiseRates(keras.optimizers.Optimizer):
    """Wraps an optimizer, and lets each layer take but a share of its step.

    With groups of weights `0 .. G - 1` from the embeddings to the head, and `v'` what
    the optimizer makes of a weight `v` of group `g`:

        v = v + share_g (v' - v),    share_g = decay^(G - 1 - g)

    The step of Keras' optimizers is proportional to their learning rate, weight decay
    included, so this is a learning rate of its own for each group. (Gradients scaled
    instead would change nothing under Adam, which divides by their size.) Clipping,
    schedules, gradient accumulation and callbacks that set `learning_rate` work as
    without it; so does `LossScaleOptimizer`, which Keras puts around it in
    mixed_float16.

    `GradualUnfreezing` closes groups for a time: their share is 0, and their weights
    stay exactly as they are.

    Differs from ELECTRA's in that its top layer already learns `decay^2` as fast as the
    head; here each group is one step below the next. What lies above the last block
    (its normalisation, the pooling, the head) is the last group.

    Shapes: `G` groups.

    Args:
        optimizer: `keras.optimizers.Optimizer` or its name; without `use_ema`, which
            would average what it makes, not what is taken.
        decay: float, above 0 and at most 1. 0.8 is ELECTRA's, 1 / 2.6 ULMFiT's.
        groups: list of regular expressions, from the input to the output, looked for
            anywhere in the paths of weights: a weight belongs to the first that
            matches, those that none does to one more group, the last. When `None`,
            embeddings are the first group, "block_0" or "lstm_0" the second, and so on
            as the models of this package name them; all else is the last.
        name: str or `None`.

    Raises:
        TypeError: `optimizer` is wrapped already, or `groups` is no list of strings.
        ValueError: `decay` is out of range, `optimizer` has `use_ema`, one of `groups`
            is no regular expression; or, when it is built, all weights are of one group
            or a group is without any weight.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> optimizer = LayerwiseRates(keras.optimizers.AdamW(1e-4), decay=0.8)
        >>> optimizer.build(encoder.trainable_variables)
        >>> [round(float(share), 3) for share in ops.convert_to_numpy(optimizer.shares)]
        [0.512, 0.64, 0.8, 1.0]

    Source: https://arxiv.org/abs/1801.06146, section 3.2 (discriminative fine-tuning);
        https://arxiv.org/abs/2003.10555, appendix B (0.8).
    """

    def __init__(self, optimizer, decay=0.8, groups=None, name=None):
        optimizer = _checked(keras.optimizers.get(optimizer))
        if not 0 < decay <= 1:
            raise ValueError(
                f"`decay` must be above 0 and at most 1. Received: decay={decay}"
            )
        super().__init__(learning_rate=0.0, name=name)
        self.optimizer = optimizer
        self.decay = decay
        self.groups = None if groups is None else _checked_groups(groups)

    def build(self, variables):
        """Sorts the weights into groups; Keras calls this."""
        if self.built:
            return
        self.group_of = tuple(group_weights([v.path for v in variables], self.groups))
        self.num_groups = max(self.group_of) + 1
        self.optimizer.build(variables)
        super().build(variables)
        self.shares = self.add_variable(  # on TensorFlow, this may be inside a graph
            (self.num_groups,), self._first_shares, "float32", name="shares"
        )

    def open_groups(self, number):
        """Lets the last `number` groups learn, each at its rate, and no other.

        Args:
            number: int, 0 to `G`.
        """
        self.shares.assign(self._shares(number))

    @property
    def variables(self):
        """Its own and the wrapped optimizer's."""
        return [*self._variables, *self.optimizer.variables]

    def apply(self, grads, trainable_variables=None):
        """Takes a step; Keras calls this."""
        variables = self._trainable_variables
        if trainable_variables is not None:
            variables = list(trainable_variables)
        if not self.built:
            self.build(variables)
        before = [ops.copy(ops.convert_to_tensor(v)) for v in variables]
        self.optimizer.apply(grads, variables)
        for variable, old in zip(variables, before, strict=True):
            share = self.shares[self.group_of[self._get_variable_index(variable)]]
            step = ops.convert_to_tensor(variable) - old
            variable.assign(old + ops.cast(share, old.dtype) * step)
        self._iterations.assign_add(1)

    @property
    def learning_rate(self):
        """That of the last group."""
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        """Sets that of the last group, and with it all others."""
        self.optimizer.learning_rate = learning_rate

    @property
    def iterations(self):
        """Steps that were taken."""
        return self.optimizer.iterations

    @property
    def loss_scale_factor(self):
        """The wrapped optimizer's, which divides by it."""
        return self.optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, factor):
        """Sets the wrapped optimizer's; `LossScaleOptimizer` calls this."""
        if hasattr(self, "optimizer"):  # not while Keras' constructor sets its own
            self.optimizer.loss_scale_factor = factor

    def get_config(self):
        return {
            "name": self.name,
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "decay": self.decay,
            "groups": None if self.groups is None else list(self.groups),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        optimizer = keras.saving.deserialize_keras_object(
            config["optimizer"], custom_objects=custom_objects
        )
        return cls(**{**config, "optimizer": optimizer})

    def _shares(self, number):
        shares = self.decay ** np.arange(self.num_groups - 1, -1, -1.0)
        shares[: self.num_groups - number] = 0.0
        return shares.astype("float32")

    def _first_shares(self, shape, dtype=None):
        return ops.convert_to_tensor(self._shares(self.num_groups))


def group_weights(paths, groups=None):
    """The group of each weight, from the embeddings to the head.

    Args:
        paths: list of str.
        groups: as `LayerwiseRates` takes it.

    Returns:
        list of int, each from 0 to the largest.

    Raises:
        ValueError: there is one group only, or one without any weight.
    """
    places = [_place(path, groups) for path in paths]
    if groups is None:  # those that there are, close together; the last is the head's
        kinds = sorted(set(places))
    else:
        kinds = sorted({*range(len(groups)), *places})
        empty = [groups[kind] for kind in kinds if kind not in places]
        if empty:
            raise ValueError(
                "Each of `groups` must be the first to match some trained weight. "
                f"Received: {empty[0]!r}, which is of none of {len(paths)}"
            )
    if len(kinds) < 2:
        near = sorted({path_of(path).rpartition("/")[0] for path in paths})
        raise ValueError(
            "The trained weights must fall into at least two groups. Received: one, of "
            f"the layers {near[:3]}; name them with `groups`"
        )
    return [kinds.index(place) for place in places]


def _place(path, groups):
    if groups is not None:
        for place, pattern in enumerate(groups):
            if re.search(pattern, path_of(path)):
                return place
        return len(groups)
    numbered = _NUMBERED.search(path)
    if numbered:
        return int(numbered[1])
    return -1 if _EMBEDDING.search(path) else float("inf")


def _checked(optimizer):
    if isinstance(optimizer, (LayerwiseRates, keras.optimizers.LossScaleOptimizer)):
        raise TypeError(
            "`optimizer` must be a plain one; a LossScaleOptimizer goes around this. "
            f"Received: {type(optimizer).__name__}"
        )
    if getattr(optimizer, "use_ema", False):
        raise ValueError(
            "`optimizer` must be without `use_ema`. Received: use_ema=True"
        )
    return optimizer


def _checked_groups(groups):
    if isinstance(groups, str):
        raise TypeError(
            "`groups` must be a list of regular expressions. "
            f"Received: groups={groups!r}"
        )
    for pattern in groups:
        compiled_pattern(pattern, "groups")
    return list(groups)
