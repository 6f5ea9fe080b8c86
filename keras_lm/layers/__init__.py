"""Building blocks, one public class a file."""

from keras_lm.layers.attention import Attention
from keras_lm.layers.attention_pooling import AttentionPooling
from keras_lm.layers.audio_embedding import AudioEmbedding
from keras_lm.layers.bahdanau_attention import BahdanauAttention
from keras_lm.layers.bayesian_attention import BayesianAttention
from keras_lm.layers.choose_attention import choose_attention
from keras_lm.layers.clock import Now, advance_clock, start_clock
from keras_lm.layers.dot_product_attention import dot_product_attention
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.dynamic_attention import DynamicAttention
from keras_lm.layers.dynamic_convolution import DynamicConvolution
from keras_lm.layers.feed_forward import FeedForward
from keras_lm.layers.gelu_tanh import gelu_tanh
from keras_lm.layers.local_attention import LocalAttention
from keras_lm.layers.log_mel_spectrogram import LogMelSpectrogram
from keras_lm.layers.lstm import LSTM
from keras_lm.layers.lstm_decoder import LSTMDecoder
from keras_lm.layers.lstm_encoder import LSTMEncoder
from keras_lm.layers.luong_attention import LuongAttention
from keras_lm.layers.modality_dropout import ModalityDropout
from keras_lm.layers.multi_head_attention import MultiHeadAttention
from keras_lm.layers.multimodal_attention import MultimodalAttention
from keras_lm.layers.multimodal_block import MultimodalBlock
from keras_lm.layers.patch_embedding import PatchEmbedding
from keras_lm.layers.recurrent_attention import RecurrentAttention
from keras_lm.layers.regional_attention import RegionalAttention
from keras_lm.layers.rotary_embedding import RotaryEmbedding
from keras_lm.layers.sinusoidal_embedding import SinusoidalEmbedding
from keras_lm.layers.text_pooling import TextPooling
from keras_lm.layers.token_embedding import TokenEmbedding
from keras_lm.layers.transformer_block import TransformerBlock
from keras_lm.layers.transformer_decoder_block import TransformerDecoderBlock
from keras_lm.layers.transformer_encoder_block import TransformerEncoderBlock

__all__ = [
    "Attention",
    "AttentionPooling",
    "AudioEmbedding",
    "BahdanauAttention",
    "BayesianAttention",
    "Dropout",
    "DynamicAttention",
    "DynamicConvolution",
    "FeedForward",
    "LSTM",
    "LSTMDecoder",
    "LSTMEncoder",
    "LocalAttention",
    "LogMelSpectrogram",
    "LuongAttention",
    "ModalityDropout",
    "MultiHeadAttention",
    "MultimodalAttention",
    "MultimodalBlock",
    "Now",
    "PatchEmbedding",
    "RecurrentAttention",
    "RegionalAttention",
    "RotaryEmbedding",
    "SinusoidalEmbedding",
    "TextPooling",
    "TokenEmbedding",
    "TransformerBlock",
    "TransformerDecoderBlock",
    "TransformerEncoderBlock",
    "advance_clock",
    "choose_attention",
    "dot_product_attention",
    "gelu_tanh",
    "start_clock",
]
