"""Code blocks of Markdown pages, and a process that runs a page's Python."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def blocks_of(page):
    """`(language, number of the first line of code, code)` of each fenced block."""
    blocks, language, start, lines = [], None, 0, []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        fence = re.fullmatch(r"\s*(```+|~~~+)\s*(.*?)\s*", line)
        if fence and language is None:
            language, start, lines = fence[2], number + 1, []
        elif fence:
            blocks.append((language, start, "\n".join(lines)))
            language = None
        elif language is not None:
            lines.append(line)
    assert language is None, f"{page.name}:{start - 1}: this block is never closed"
    return blocks


def run_blocks(page, folder):
    """Runs a page's Python blocks in order, in one process; gives the process."""
    blocks = [
        (start, code) for lang, start, code in blocks_of(page) if lang == "python"
    ]
    assert blocks, f"{page.name} has no ```python block"
    # Each block stands on its own line numbers, so that a traceback shows the page's.
    script = ""
    for start, code in blocks:
        script += "\n" * (start - 1 - script.count("\n")) + code + "\n"
    path = folder / f"{page.stem}.py"
    path.write_text(script, "utf-8")
    work = folder / "work"
    work.mkdir()
    return subprocess.run(
        [sys.executable, path],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
    )
