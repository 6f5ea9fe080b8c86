"""The scripts of saved_models/README.md, run as a reader would."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[2] / "saved_models" / "README.md"
MAX_LINES = 60  # of a script that only runs a model and a tokenizer
# Runs a script in which some packages cannot be imported.
RUNNER = """
import runpy, sys
blocked = set(sys.argv[1].split(","))
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocker())
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def script(name, most_lines=MAX_LINES):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    found = next(block for block in blocks if block.startswith(f"# {name} "))
    assert len(found.splitlines()) < most_lines
    return found


def run_script(name, blocked, path, prompts, most_lines=MAX_LINES):
    """The lines that the script prints."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(script(name, most_lines), encoding="utf-8")
        command = [
            sys.executable,
            "-c",
            RUNNER,
            ",".join(blocked),
            str(file),
            str(path),
        ]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONUTF8": "1"}
        done = subprocess.run(
            [*command, *prompts],
            cwd=folder,
            env=environment,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode("utf-8").removesuffix("\n").split("\n")
