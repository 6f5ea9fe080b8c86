"""Finds among many texts those that mean what a query does: semantic search."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_lm.pipelines.embedder_fingerprint import (
    check_fingerprint,
    embedder_fingerprint,
)
from keras_lm.pipelines.index_entries import check_ids, check_metadata
from keras_lm.pipelines.text_embedder import TextEmbedder
from keras_lm.pipelines.text_index_files import (
    IndexFiles,
    read_index_files,
    write_index_files,
)
from keras_lm.pipelines.vector_index import VectorIndex
from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.list_of_texts import list_of_texts
from keras_lm.text.unicode import as_unicode

_TEXTS_AT_ONCE = 1024  # embedded: their token ids are one array
_SETTINGS = ("kind", "links", "build_effort", "search_effort")


class Hit(NamedTuple):
    """A text that was found.

    Args:
        id: int or str.
        text: str.
        score: float, -1 to 1: the cosine of its vector with the query's.
        metadata: what was given with it, or `None`.
    """

    id: int | str
    text: str
    score: float
    metadata: Any


class TextIndex:
    """Texts by the vectors of an embedder: what is like a query is found by it.

    It grows by `add`, shrinks by `remove`, and lies on the disk as a folder of its own,
    without the embedder, which is given again to `load`. An embedder that gives other
    vectors is refused there: train first, then index.

    "exact" compares a query with every text. "hnsw" walks from neighbour to neighbour
    in a graph: far faster where there are many texts, but it may miss some of the
    nearest; a larger `search_effort` misses fewer.

    Args:
        embedder: `TextEmbedder`.
        kind: "exact" or "hnsw".
        links: int, at least 2. Neighbours of a text in the graph, the paper's M: more
            find more, and take more memory. Of "hnsw" only, as the next two.
        build_effort: int, at least 1. How many candidates are looked at for the
            neighbours of a new text, the paper's efConstruction.
        search_effort: int, at least 1. How many are kept while a query walks, the
            paper's ef; never fewer than are asked for.

    Raises:
        ImportError: faiss is not installed (the extra `search`).
        TypeError: `embedder` is none.
        ValueError: `kind` is unknown, or a number is out of range.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two three"] * 5, 300)
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     tokenizer.vocabulary_size, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> index = TextIndex(keras_lm.pipelines.TextEmbedder(encoder, tokenizer))
        >>> index.add(["one", "two", "three"])
        [0, 1, 2]
        >>> ((hit,),) = index.search(["two"], k=1)
        >>> hit.id, hit.text, len(index)
        (1, 'two', 3)

    Source: https://arxiv.org/abs/1603.09320 (HNSW);
        https://github.com/facebookresearch/faiss
    """

    def __init__(
        self,
        embedder,
        kind: str = "exact",
        links: int = 32,
        build_effort: int = 200,
        search_effort: int = 64,
    ):
        if not isinstance(embedder, TextEmbedder):
            raise TypeError(
                "`embedder` must be a `pipelines.TextEmbedder`. "
                f"Received: {type(embedder).__name__}"
            )
        self.embedder = embedder
        self._vectors = VectorIndex(
            embedder.model.hidden_dim, kind, links, build_effort, search_effort, None
        )
        self._fingerprint = embedder_fingerprint(embedder)
        self._records: list = []  # by slot: id, text, metadata; None if removed
        self._slots: dict = {}  # by id
        self._next_id = 0

    def __len__(self):
        return len(self._slots)

    def __contains__(self, text_id):
        return text_id in self._slots

    def add(
        self,
        texts: Sequence,
        ids: Sequence | None = None,
        metadata: Sequence | None = None,
    ) -> list:
        """Adds texts, all or, where one is refused, none.

        Args:
            texts: list of str or UTF-8 bytes; invalid bytes become U+FFFD. Texts may be
                alike.
            ids: int or str for each, no two alike and none in the index; when `None`,
                ints that go on from the largest that there was.
            metadata: for each text what JSON can hold: a path, a page, a dict of both.

        Returns:
            list of ids.

        Raises:
            TypeError: `texts` is one string, a text is neither str nor bytes, an id is
                no int or str, or JSON cannot hold the metadata.
            ValueError: a text has too many tokens, there is not an id for each text, an
                id is there already, or a vector is not finite.
        """
        texts = [as_unicode(text) for text in list_of_texts(texts)]
        if ids is None:
            ids = range(self._next_id, self._next_id + len(texts))
        ids = check_ids(ids, len(texts), self._slots)
        metadata = check_metadata(metadata, len(texts))
        records = list(zip(ids, texts, metadata, strict=True))
        vectors = self._embed(texts)
        slots = {one: self._vectors.num_slots + n for n, one in enumerate(ids)}
        self._vectors.add(vectors)  # first: memory may run out there
        self._slots |= slots
        self._records += records
        numbers = [one for one in ids if isinstance(one, int)]
        self._next_id = max([self._next_id, *(number + 1 for number in numbers)])
        return ids

    def search(self, queries: Sequence, k: int = 10) -> list[list[Hit]]:
        """The texts that are most like each query.

        Args:
            queries: list of str or UTF-8 bytes.
            k: int, at least 1. How many are wanted.

        Returns:
            for each query a list of `Hit`, the best first: `k`, or all if there are
            fewer. ("hnsw" may find fewer of a text's neighbours than there are.)

        Raises:
            TypeError: `queries` is one string, or a text is neither str nor bytes.
            ValueError: `k` is no int or below 1, or a text has too many tokens.
        """
        queries = list_of_texts(queries, "queries")
        check_at_least(1, k=k)
        scores, slots = self._vectors.search(self._embed(queries), k)
        return [
            [
                self._hit(slot, score)
                for score, slot in zip(*row, strict=True)
                if slot >= 0
            ]
            for row in zip(scores.tolist(), slots.tolist(), strict=True)
        ]

    def remove(self, ids: Sequence) -> None:
        """Takes texts out, all or, where one is not there, none.

        Args:
            ids: list of ids.

        Raises:
            TypeError: `ids` is one string, or an id is a fraction.
            ValueError: an id is not in the index.
        """
        if isinstance(ids, (str, bytes)):
            raise TypeError(f"`ids` must be a list of ids. Received: {ids!r:.50}")
        ids = list(dict.fromkeys(ids))
        for one in ids:  # 0.0 and False would be found as 0
            if isinstance(one, (bool, float)):
                raise TypeError(f"An id must be an int or a str. Received: {one!r}")
        unknown = [one for one in ids if one not in self._slots]
        if unknown:
            raise ValueError(f"`ids` must be in the index. Received: {unknown[0]!r}")
        slots = [self._slots.pop(one) for one in ids]
        self._vectors.remove(slots)
        for slot in slots:
            self._records[slot] = None
        kept = self._vectors.compact()
        if kept is not None:
            self._records = [self._records[slot] for slot in kept]
            self._slots = {record[0]: n for n, record in enumerate(self._records)}

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes texts and vectors to a folder, complete or not at all.

        Args:
            directory: str or path, read back by `load`.
            overwrite: bool. Whether a folder that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        files = IndexFiles(
            settings={name: getattr(self._vectors, name) for name in _SETTINGS},
            next_id=self._next_id,
            fingerprint=self._fingerprint,
            records=self._records,
            vectors=self._vectors.to_bytes(),
        )
        write_index_files(directory, files, overwrite)

    @classmethod
    def load(cls, directory, embedder) -> "TextIndex":
        """The index that `save` wrote.

        Args:
            directory: str or path.
            embedder: `TextEmbedder`: the one that the index was made with, on whatever
                backend.

        Returns:
            `TextIndex`.

        Raises:
            FileNotFoundError: the directory, or a file in it, is not there.
            ImportError: faiss is not installed (the extra `search`).
            TypeError: `embedder` is none.
            ValueError: it is no index, a file in it is cut off or another's, or the
                embedder gives other vectors.
        """
        files = read_index_files(directory)
        if set(files.settings) != set(_SETTINGS):
            raise ValueError(
                f"{directory}: the settings of an index must be {list(_SETTINGS)}. "
                f"Received: {list(files.settings)}"
            )
        try:
            index = cls(embedder, **files.settings)
            check_fingerprint(files.fingerprint, index._fingerprint)
            index._take(files)
        except ValueError as error:
            raise ValueError(f"{directory}: {error}") from error
        return index

    def _take(self, files):
        """What was read, in place of nothing."""
        width = self.embedder.model.hidden_dim
        vectors = VectorIndex(width, **files.settings, content=files.vectors)
        if vectors.num_slots != len(files.records):
            raise ValueError(
                "There must be a vector for each text. Received: "
                f"{vectors.num_slots} vectors and {len(files.records)} texts"
            )
        removed = [n for n, record in enumerate(files.records) if record is None]
        vectors.remove(removed)
        self._vectors, self._records = vectors, files.records
        self._slots = {one[0]: n for n, one in enumerate(files.records) if one}
        self._next_id = files.next_id

    def _embed(self, texts):
        parts = [
            self.embedder(texts[start : start + _TEXTS_AT_ONCE])
            for start in range(0, max(len(texts), 1), _TEXTS_AT_ONCE)
        ]
        vectors = np.concatenate(parts)
        if not np.isfinite(vectors).all():
            raise ValueError(
                "The embedder's vectors must be finite. Received: "
                f"{np.count_nonzero(~np.isfinite(vectors))} numbers that are not"
            )
        return vectors

    def _hit(self, slot, score):
        text_id, text, metadata = self._records[slot]
        return Hit(text_id, text, min(max(score, -1.0), 1.0), metadata)
