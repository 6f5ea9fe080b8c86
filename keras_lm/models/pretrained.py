"""What the models share that are read from, and written as, the files of others."""

from keras_lm.models.from_keras_hub import from_keras_hub
from keras_lm.models.load_pretrained import load_pretrained
from keras_lm.models.save_pretrained import save_pretrained


class Pretrained:
    """Reads and writes directories as Hugging Face does.

    A final class names the families that it can be, in `LAYOUTS`.
    """

    LAYOUTS: dict = {}

    @classmethod
    def from_pretrained(cls, path, **arguments):
        """The model in a Hugging Face directory.

        A `TransformerEncoder` may be a BERT, RoBERTa, DistilBERT or ELECTRA; a
        `TransformerDecoder` a GPT-2, Llama, Mistral or Qwen2; a
        `TransformerEncoderDecoder` a Marian or BART.

        The numbers are those of transformers. Where rows are padded on the left, places
        are counted from the first real token here, so that a row gives what it gives
        alone; BERT and GPT-2 of transformers count from the edge unless they are given
        `position_ids` that do so.

        Args:
            path: directory with `config.json` and `model.safetensors`, as
                `save_pretrained` of transformers writes it. Nothing in it is executed.
            **arguments: of the constructor, in place of what the files say: `dropout`,
                `pooling`, `seed`, `dtype` ..

        Returns:
            model of the class. A head that it does not have is left out. It remembers
            the special tokens of its files for `save_pretrained`; a `.keras` file does
            not.

        Raises:
            ImportError: safetensors is not installed (the extra `pretrained`).
            OSError: a file is missing or cannot be read.
            ValueError: the files are of an unknown kind, or a weight is missing, has
                another shape or finds no place in the model.
        """
        return load_pretrained(cls, cls.LAYOUTS, path, arguments)

    @classmethod
    def from_keras_hub(cls, backbone, **arguments):
        """The model that a backbone of KerasHub is, with its weights.

        Args:
            backbone: `keras_hub.models.BertBackbone` for a `TransformerEncoder`,
                `keras_hub.models.GPT2Backbone` for a `TransformerDecoder`.
            **arguments: of the constructor, in place of what the backbone says.

        Returns:
            model of the class.

        Raises:
            TypeError: it is no such backbone.
            ValueError: a weight is missing or has another size, or the backbone is
                quantised or has adapters.
        """
        return from_keras_hub(cls, backbone, arguments)

    def save_pretrained(
        self,
        path,
        tokenizer=None,
        model_type=None,
        overwrite=False,
        special_tokens=None,
    ):
        """Writes the model as transformers and `from_pretrained` read it.

        The directory is complete or absent: `config.json`, `model.safetensors` with
        weights in float32, and the tokenizer's file. A `TransformerEncoder` made with
        `num_segments=1, normalize_first=False` is a BERT; a `TransformerDecoder` with
        `positions="learned"` a GPT-2, with `normalization="rms", gated=True,
        activation="silu", use_bias=False` a Llama; a `TransformerEncoderDecoder` with
        `positions="learned", share_positions=False, normalize_first=False,
        outer_norm="first"` a BART, and one that was read from a Marian is a Marian.
        Heads around an encoder are not written.

        What starts, ends and pads a text is in `config.json` what the files said that
        the model was read from, and `generation_config.json` is theirs, unless
        `tokenizer` has another padding or end. Else the separator of `tokenizer` starts
        and ends what a decoder writes, as in our datasets.

        Args:
            path: directory.
            tokenizer: of `keras_lm.text`, to be written beside the weights; or `None`.
                Transformers reads that of `HuggingFaceTokenizer`; the file of a
                `SentencePieceTokenizer` is for `SentencePieceTokenizer.load` alone.
            model_type: str, as "roberta": the family to write. The first one that can
                express the model when `None`: a RoBERTa is then written as the BERT
                of one segment that it equals.
            overwrite: bool. Whether a directory that is there may be replaced.
            special_tokens: dict or `None`. Ids in place of these, by their names in
                `config.json`: `{"decoder_start_token_id": 1}`.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            ImportError: safetensors is not installed (the extra `pretrained`).
            OSError: it cannot be written.
            ValueError: no family can express the model, and the text says what each
                wants; the tokenizer has more tokens than the model; or a name in
                `special_tokens` is none of an id.
        """
        given = special_tokens
        save_pretrained(
            self, self.LAYOUTS, path, tokenizer, model_type, overwrite, given
        )
