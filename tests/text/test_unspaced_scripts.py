"""unspaced_scripts: which characters are in the table, and that it is one."""

import re

import pytest

from keras_lm.text.unspaced_scripts import CHINESE, OTHERS, UNSPACED

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("scripts", "inside"),
    [(CHINESE, "猫々〇𠮷"), (OTHERS, "ねコฉຂမខ"), (UNSPACED, "猫々〇𠮷ねコฉຂမខ")],
)
def test_the_table_holds_these_scripts_and_no_other(scripts, inside):
    texts = "猫々〇𠮷ねコฉຂမខ aéж한कم🙂。！"

    assert "".join(re.findall(f"[{scripts}]", texts)) == inside
