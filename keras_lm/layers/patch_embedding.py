"""Images as a row of patches (Dosovitskiy et al., 2021)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class PatchEmbedding(keras.layers.Layer):
    """Cuts an image into squares; each becomes a vector, with its place added.

        hidden_t = W patch_t + p_t          patches row by row

    Shapes: `B` batch, `H`, `W` height and width in pixels, `C` channels, `T` patches,
    `D` hidden width.

    Args:
        patch_size: int, at least 1, divides height and width. Side of a patch, pixels.
        hidden_dim: int, at least 1, `D`.

    Call arguments:
        images: float `(B, H, W, C)`. Pixels, best within 0 and 1.

    Returns:
        float `(B, T, D)`, with `T = (H / patch_size) (W / patch_size)`.

    Raises:
        ValueError: a size is below 1, or the image is no grid of patches.

    Example:
        >>> embed = PatchEmbedding(patch_size=4, hidden_dim=16)
        >>> tuple(embed(ops.ones((2, 8, 12, 3))).shape)
        (2, 6, 16)

    Source: https://arxiv.org/abs/2010.11929, section 3.1.
    """

    def __init__(self, patch_size, hidden_dim, **kwargs):
        for name, size in (("patch_size", patch_size), ("hidden_dim", hidden_dim)):
            if size < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={size}"
                )
        super().__init__(**kwargs)
        self.patch_size = patch_size
        self.hidden_dim = hidden_dim
        self.projection = keras.layers.Conv2D(
            hidden_dim,
            patch_size,
            strides=patch_size,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="projection",
        )

    def build(self, images_shape):
        height, width = images_shape[1:3]
        sides = [height, width]
        if None in sides or any(side % self.patch_size for side in sides):
            raise ValueError(
                "The height and width of images must be multiples of `patch_size`. "
                f"Received: patch_size={self.patch_size}, images {images_shape}"
            )
        self.projection.build(images_shape)
        self.num_patches = (height // self.patch_size) * (width // self.patch_size)
        self.positions = self.add_weight(
            shape=(self.num_patches, self.hidden_dim),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="positions",
        )

    def call(self, images):
        patches = self.projection(images)  # (B, H / P, W / P, D)
        hidden = ops.reshape(patches, (-1, self.num_patches, self.hidden_dim))
        return hidden + ops.cast(self.positions, hidden.dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "hidden_dim": self.hidden_dim,
        }
