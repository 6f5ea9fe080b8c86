"""Vectors of length 1 and which of them are nearest: faiss, and what was removed."""

from typing import Any

import numpy as np

from keras_lm.layers.arguments import check_choice
from keras_lm.text.check_at_least import check_at_least

KINDS = ("exact", "hnsw")


class VectorIndex:
    """Vectors in the order in which they came, each with the number of its slot.

    Shapes: `D` width, `N` vectors, `Q` queries.

    Args:
        width: int, `D`.
        kind: "exact" compares a query with every vector; "hnsw" walks through a graph.
        links: int, at least 2. Of a vector of the graph: faiss' `M`.
        build_effort: int, at least 1: faiss' `efConstruction`.
        search_effort: int, at least 1: faiss' `efSearch`.
        content: bytes that `to_bytes` gave, or `None` for an empty index.

    Raises:
        ImportError: faiss is not installed (the extra `search`).
        ValueError: `kind` is unknown, a number is out of range, or `content` is cut off
            or of another kind or width.
    """

    def __init__(
        self, width, kind, links, build_effort, search_effort, content: bytes | None
    ):
        check_choice("kind", kind, KINDS)
        check_at_least(1, build_effort=build_effort, search_effort=search_effort)
        check_at_least(2, links=links)
        self._faiss = _faiss()
        self.width, self.kind = width, kind
        # faiss and JSON know no ints of NumPy.
        self.links, self.build_effort = int(links), int(build_effort)
        self.search_effort = int(search_effort)
        self._index = self._empty() if content is None else self._read(content)
        self._alive = np.ones(self._index.ntotal, "bool")

    def __len__(self):
        return int(self._alive.sum())

    @property
    def num_slots(self) -> int:
        """How many vectors there are, with those that were removed."""
        return len(self._alive)

    def add(self, vectors: np.ndarray) -> None:
        """Gives each vector the next slot.

        Args:
            vectors: float32 `(N, D)`, each of length 1.
        """
        alive = np.pad(self._alive, (0, len(vectors)), constant_values=True)
        self._index.add(np.ascontiguousarray(vectors, "float32"))
        self._alive = alive

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest of each query, the nearest first.

        Args:
            vectors: float32 `(Q, D)`, each of length 1.
            k: int, at least 1.

        Returns:
            `(scores, slots)`: float32 and int64 `(Q, min(k, N))`: cosines, and slots,
            -1 where a graph gave no more.
        """
        k = min(int(k), len(self))
        if not k or not len(vectors):
            shape = (len(vectors), k)
            return np.zeros(shape, "float32"), np.zeros(shape, "int64")
        vectors = np.ascontiguousarray(vectors, "float32")
        return self._index.search(vectors, k, params=self._parameters())

    def remove(self, slots) -> None:
        """Hides what is in some slots; the other slots stay as they are.

        Args:
            slots: ints.
        """
        self._alive[list(slots)] = False

    def compact(self) -> np.ndarray | None:
        """Gives slots anew, in their order, if more than half were removed.

        Returns:
            int64: the old slot of each new one; or `None` where nothing was done.
        """
        kept = np.flatnonzero(self._alive)
        if 2 * len(kept) >= len(self._alive):
            return None
        vectors = self._index.reconstruct_batch(kept) if len(kept) else None
        self._index = self._empty()
        self._alive = np.zeros(0, "bool")
        if vectors is not None:
            self.add(vectors)
        return kept

    def to_bytes(self) -> bytes:
        """The vectors and the graph; what was removed is in it still.

        Returns:
            bytes.
        """
        return self._faiss.serialize_index(self._index).tobytes()

    def _parameters(self):
        """How to search: which slots are there, and how far to look."""
        options = {}
        if not self._alive.all():
            bits = np.packbits(self._alive, bitorder="little")
            options["sel"] = self._faiss.IDSelectorBitmap(bits)
        if self.kind == "exact":
            return self._faiss.SearchParameters(**options)
        return self._faiss.SearchParametersHNSW(efSearch=self.search_effort, **options)

    def _empty(self):
        if self.kind == "exact":
            return self._faiss.IndexFlatIP(self.width)
        index = self._faiss.IndexHNSWFlat(
            self.width, self.links, self._faiss.METRIC_INNER_PRODUCT
        )
        index.hnsw.efConstruction = self.build_effort
        return index

    def _read(self, content):
        try:
            index = self._faiss.deserialize_index(np.frombuffer(content, "uint8"))
        except (RuntimeError, MemoryError) as error:  # the latter of a wrong size
            raise ValueError(
                "The vectors must be whole. Received: what is cut off or too large "
                f"({error})"
            ) from error
        wanted = self._empty()
        if type(index) is not type(wanted) or index.d != self.width:
            raise ValueError(
                f"The vectors must be in a {type(wanted).__name__} of {self.width}. "
                f"Received: a {type(index).__name__} of {index.d}"
            )
        if self.kind == "hnsw":
            index.hnsw.efConstruction = self.build_effort
        return index


def _faiss() -> Any:  # its types are wrong
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "An index of texts needs the extra `search`: pip install "
            "'keras-lm[search]'. Received: an installation without faiss"
        ) from error
    return faiss
