"""docs/: its Python runs, its pictures are drawn by the code, both languages say it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_lm.layers.choose_attention import ATTENTIONS
from tests.markdown import blocks_of, run_blocks

DOCS = Path(__file__).parent.parent / "docs"
SCALE = DOCS / "scale.md"
ENGLISH, CHINESE = DOCS / "attention.md", DOCS / "attention.zh.md"

pytestmark = pytest.mark.once


@pytest.mark.parametrize("page", [ENGLISH, SCALE], ids=lambda page: page.name)
def test_the_python_blocks_run_in_order(page, tmp_path):
    process = run_blocks(page, tmp_path)

    assert process.returncode == 0, process.stdout + process.stderr


def test_both_languages_have_the_same_code_but_for_comments():
    def code(page):
        return [
            re.sub(r"#.*", "#", code)
            for language, _, code in blocks_of(page)
            if language == "python"
        ]

    assert code(ENGLISH) == code(CHINESE)


def skeleton(page):
    """What must not differ: levels of headings, code words, pictures, sources."""
    text = page.read_text("utf-8")
    return {
        "levels": re.findall(r"^(#+) ", text, re.MULTILINE),
        "layers": re.findall(r"^## .*", text, re.MULTILINE)[2:],
        "pictures": re.findall(r"\]\((pictures/[\w.]+)\)", text),
        "sources": re.findall(r"https?://[\w./]+\w", text),
        "rows": len(re.findall(r"^\|", text, re.MULTILINE)),
    }


def test_both_languages_are_built_alike():
    english, chinese = skeleton(ENGLISH), skeleton(CHINESE)

    for part in ("levels", "pictures", "sources", "rows"):
        assert english[part] == chinese[part], part
    for one, other in zip(english["layers"], chinese["layers"], strict=True):
        assert re.findall(r"`\w+`", one) == re.findall(r"`\w+`", other)


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=lambda page: page.name)
def test_every_attention_of_a_model_is_described(page):
    text = page.read_text("utf-8")

    for name, layer in ATTENTIONS.items():
        assert f'`"{name}"`' in text, name
        assert re.search(rf"^## .*`{layer.__name__}`", text, re.MULTILINE), name


def test_the_pictures_are_drawn_by_the_code(tmp_path):
    script = DOCS / "draw_attention.py"
    process = subprocess.run(
        [sys.executable, script, tmp_path],
        env={**os.environ, "PYTHONPATH": str(DOCS.parent)},
        capture_output=True,
        text=True,
        timeout=280,
    )

    assert process.returncode == 0, process.stdout + process.stderr
    drawn = sorted(picture.name for picture in tmp_path.iterdir())
    shown = {Path(picture).name for picture in skeleton(ENGLISH)["pictures"]}
    assert drawn == sorted(shown)
    assert drawn == sorted(p.name for p in (DOCS / "pictures").glob("*.png"))


def test_links_lead_somewhere():
    for page in (ENGLISH, CHINESE):
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), (page.name, link)
