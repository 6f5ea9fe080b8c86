"""From `import keras` done to the first token, in a fresh process.

Each call starts a process of its own and takes the seconds that it measured inside,
from behind `import keras`, which ours and KerasHub's both need, to the end: further
imports, a small model with random weights, and one token.
"""

import subprocess
import sys

from benchmarks.speed.goal import Goal

PROGRAM = """
import time, keras
began = time.perf_counter()
{rest}
print(time.perf_counter() - began)
"""
OURS = """
import numpy as np, keras_lm
model = keras_lm.models.TransformerDecoder(1000, 2, 4, 64, 256, 64)
keras_lm.generation.generate(model, np.ones((1, 8), "int32"), 1)
"""
KERAS_HUB = """
import numpy as np, keras_hub
backbone = keras_hub.models.GPT2Backbone(1000, 2, 4, 64, 256, 0.0, 64)
model = keras_hub.models.GPT2CausalLM(backbone, preprocessor=None)
model.compile(sampler="greedy")
ids = np.zeros((1, 9), "int32"); ids[:, :8] = 1
mask = np.zeros((1, 9), bool); mask[:, :8] = True
model.generate({"token_ids": ids, "padding_mask": mask}, stop_token_ids=None)
"""
THREADS = [1]
GOALS = [
    Goal(
        "import keras_lm after import keras, s",
        lambda seconds: seconds["import keras_lm"],
        at_most=0.3,
    ),
    Goal(
        "from import keras to the first token / KerasHub",
        lambda seconds: (
            seconds["first token, keras_lm"] / seconds["first token, KerasHub"]
        ),
        at_most=0.6,
    ),
]


def rivals():
    """Calls that give their own seconds."""
    return {
        "import keras_lm": process("import keras_lm"),
        "first token, keras_lm": process(OURS),
        "first token, KerasHub": process(KERAS_HUB),
    }


def tokens(_rival):
    """Nothing that is timed here has a rate."""
    return None


def process(rest):
    """A fresh Python that prints its seconds last."""
    program = PROGRAM.format(rest=rest.strip())

    def run():
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        return float(done.stdout.split()[-1])

    return run
