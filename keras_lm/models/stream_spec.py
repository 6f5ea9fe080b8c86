"""What a model's streams are said to be: plain dictionaries, and what follows of them.

A stream of each kind has keys of its own: see `MultimodalClassifier`.
"""

from keras_lm.layers.audio_embedding import AudioEmbedding
from keras_lm.layers.patch_embedding import PatchEmbedding
from keras_lm.layers.token_embedding import TokenEmbedding

# What a stream of each kind must say of itself, and what it may say besides.
KINDS = {
    "image": ({"shape", "patch_size"}, set()),
    "audio": (
        {"num_samples", "sampling_rate"},
        {"num_mel_bins", "frame_length", "frame_step", "frames_per_step"},
    ),
    "text": ({"vocabulary_size", "max_length"}, set()),
}
# Said of the array, not of the layer that takes it.
OF_THE_ARRAY = {"kind", "shape", "num_samples"}
# Ends of a model's other keys: a stream must not be taken for one.
RESERVED = ("_present", "_mask")


def check_specs(streams):
    """Refuses streams that no model can be made of.

    Args:
        streams: dict of specs, by the stream's name.

    Raises:
        ValueError: no stream, a name that is empty or ends as other keys do, an unknown
            kind, a key that is missing or unknown, or an image whose shape is not
            `[H, W, C]`.
    """
    if not streams:
        raise ValueError("`streams` must describe at least one stream. Received: none")
    for name, spec in streams.items():
        if not name or name.endswith(RESERVED):
            raise ValueError(
                f"A stream's name must not be empty or end in {RESERVED}. "
                f"Received: {name!r}"
            )
        if spec.get("kind") not in KINDS:
            raise ValueError(
                f"The kind of a stream must be one of {sorted(KINDS)}. "
                f"Received: {name!r} with kind={spec.get('kind')!r}"
            )
        needed, optional = KINDS[spec["kind"]]
        given = set(spec) - {"kind"}
        if needed - given or given - needed - optional:
            raise ValueError(
                f"A stream of kind {spec['kind']!r} must have {sorted(needed)} and may "
                f"have {sorted(optional)}. Received: {name!r} with {sorted(given)}"
            )
        if spec["kind"] == "image" and len(spec["shape"]) != 3:
            raise ValueError(
                "The shape of an image must be [height, width, channels]. "
                f"Received: {name!r} with shape={spec['shape']}"
            )


def signature(spec):
    """Shape and dtype of the stream's array.

    Args:
        spec: dict.

    Returns:
        `(shape, dtype)`; the batch, first in the shape, is `None`.
    """
    if spec["kind"] == "image":
        return (None, *spec["shape"]), "float32"
    if spec["kind"] == "audio":
        return (None, spec["num_samples"]), "float32"
    return (None, spec["max_length"]), "int32"


def check_array(name, array, spec):
    """Refuses an array that is not what the stream is said to be.

    Args:
        name: str, the stream's.
        array: anything with a shape.
        spec: dict.

    Raises:
        ValueError: another rank or another size; a text may be shorter.
    """
    wanted, _ = signature(spec)
    shape = tuple(array.shape)
    fits = len(shape) == len(wanted)
    for size, limit in zip(shape[1:], wanted[1:]):
        if isinstance(size, int):  # lengths may be unknown
            fits &= size <= limit if spec["kind"] == "text" else size == limit
    if not fits:
        raise ValueError(
            f"The stream {name!r} must have shape {wanted}, text at most so long. "
            f"Received: an array of shape {shape}"
        )


def embedding(spec, hidden_dim, **options):
    """The layer that makes vectors of the stream.

    Args:
        spec: dict.
        hidden_dim: int, width of the vectors.
        **options: of the layer, such as its name.

    Returns:
        A `PatchEmbedding`, `AudioEmbedding` or `TokenEmbedding`.
    """
    layers = {"image": PatchEmbedding, "audio": AudioEmbedding, "text": TokenEmbedding}
    settings = {key: spec[key] for key in spec if key not in OF_THE_ARRAY}
    return layers[spec["kind"]](hidden_dim=hidden_dim, **settings, **options)
