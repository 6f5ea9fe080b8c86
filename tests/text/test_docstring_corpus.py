"""docstring_corpus: what is harvested, in which order, without running anything."""

import sys
import textwrap

import pytest

from keras_lm.text import Document, docstring_corpus

pytestmark = pytest.mark.once
MODULE = '''
    """A module.

        Indented.
    Not.
    """
    raise RuntimeError("imported")

    class Shape:
        """A shape 中文."""

        def area(self):
            r"""The area \\d."""

            try:
                pass
            except OSError:
                async def inner(): "Inner."

        def twin(self):
            """A shape 中文."""

    def bare(): pass
    def number(): 5
    add_newdoc("package", "dot", """
        Dot product.
        """)
    np.add_newdoc("package", "array", ("sum", "Sum it."))
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that cannot be imported."""
    files = {
        "__init__.py": MODULE,
        "b.py": '"""Module b."""\ndef f():\n    """A shape 中文."""',
        "a/c.py": '"Module c. \\d \\ud800"',
        "a/__init__.py": "'''Package a.'''",
        "tests/test_b.py": '"""A test."""',
        "broken.py": 'print "Python 2"',
        "silent.py": "x = 1",
    }
    for name, source in files.items():
        path = tmp_path / "lessons" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return "lessons"


def test_a_case_done_by_hand(package):
    documents = docstring_corpus(packages=[package])

    parts = [
        "A module.\n\n    Indented.\nNot.",
        "A shape 中文.",
        "The area \\d.",
        "Inner.",
    ]
    parts += ["Dot product.", "Sum it."]
    assert documents == [
        Document("lessons", "\n\n".join(parts)),
        Document("lessons.a", "Package a."),
        Document("lessons.a.c", "Module c. \\d \ufffd\ufffd\ufffd"),
        Document("lessons.b", "Module b."),
    ]
    assert package not in sys.modules


def test_a_package_of_the_standard_library_is_part_of_python():
    documents = docstring_corpus(packages=["python"])
    names = [document.name for document in documents]

    assert {"json.decoder", "random", "tkinter"} <= set(names)
    assert len(set(names)) == len(names)
    assert not any("site-packages" in name or ".test." in name for name in names)
    assert sum(len(document.text.split()) for document in documents) > 200_000


@pytest.mark.parametrize("name", ["no_such_package", "os/path", "", "sys"])
def test_what_is_not_installed_is_refused(name):
    with pytest.raises(ValueError, match="must be names of installed packages"):
        docstring_corpus(packages=[name])


def test_no_docstrings_at_all_are_refused():
    with pytest.raises(ValueError, match="`packages` must hold at least one docstring"):
        docstring_corpus(packages=[])


def test_one_string_is_refused():
    with pytest.raises(TypeError, match="`packages` must be a sequence of names"):
        docstring_corpus(packages="keras")
