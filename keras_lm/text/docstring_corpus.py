"""The docstrings of installed packages: real English and code, nothing downloaded."""

import ast
import importlib.util
import inspect
import pathlib
import sysconfig
import warnings

from keras_lm.text.document import Document
from keras_lm.text.unicode import as_unicode

_SKIPPED_FOLDERS = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)


def docstring_corpus(packages=("python", "keras", "numpy")):
    """Harvests the docstrings of installed packages from their source files.

    Files are parsed, never imported or run. The docstrings of a module, its classes
    and functions, in the order of the file and joined by blank lines, are one
    document, so that whole modules can be held out (`split_documents`). A docstring
    that appeared before, word for word, is left out; so are folders of tests. What
    NumPy says of its compiled functions (`add_newdoc("numpy", "dot", "...")`) counts
    as a docstring.

    Args:
        packages: sequence of str. Names of installed packages; `"python"` is
            CPython's standard library.

    Returns:
        list of `Document`, one for each source module with a docstring; the name is
        the module's, the order that of `packages`, then of the paths.

    Raises:
        TypeError: `packages` is one string.
        ValueError: a package is not installed or has no source files, or there is
            no docstring at all.

    Example:
        >>> from keras_lm import text
        >>> documents = text.docstring_corpus(packages=("keras_lm",))
        >>> documents[0].name.startswith("keras_lm")
        True
    """
    if isinstance(packages, str):
        raise TypeError(
            f"`packages` must be a sequence of names. Received: {packages!r}"
        )
    seen, documents = set(), []
    for package in packages:
        for name, path in _source_files(package):
            docstrings = [d for d in _docstrings(path) if d not in seen]
            docstrings = list(dict.fromkeys(docstrings))  # once each, order kept
            seen.update(docstrings)
            if docstrings:
                documents.append(Document(name, "\n\n".join(docstrings)))
    if not documents:
        raise ValueError(
            "`packages` must hold at least one docstring. "
            f"Received: packages={tuple(packages)}"
        )
    return documents


def _source_files(package):
    """`(module name, path)` of each source file of a package, sorted by path."""
    if package == "python":
        root, prefix = pathlib.Path(sysconfig.get_paths()["stdlib"]), ()
    else:
        root, prefix = _package_folder(package), (package,)
    files = []
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        if not _SKIPPED_FOLDERS.intersection(parts[:-1]):
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            files.append((prefix + parts, path))
    files.sort()
    return [(".".join(parts), path) for parts, path in files]


def _package_folder(package):
    """The folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise ValueError(
            "`packages` must be names of installed packages, or 'python'. "
            f"Received: {package!r}"
        )
    return pathlib.Path(next(iter(found.submodule_search_locations)))


def _docstrings(path):
    """The cleaned docstrings of a source file, in the order of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's escape sequences
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # a file for another Python: no docstrings
            return []
    found = []
    _collect(tree, found)
    cleaned = (as_unicode(inspect.cleandoc(text)).strip() for text in found)
    return [text for text in cleaned if text]


def _collect(node, found):
    """Appends the docstrings at and below a node to `found`."""
    if isinstance(
        node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    ):
        found.append(ast.get_docstring(node, clean=False) or "")
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        found.append(_newdoc(node.value))
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _STATEMENTS):  # expressions hold no docstrings
            _collect(child, found)


def _newdoc(call):
    """The text of `add_newdoc(module, name, text)`, or ``""``."""
    function = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if not function.startswith("add_newdoc") or not call.args:
        return ""
    text = call.args[-1]
    if isinstance(text, ast.Tuple) and len(text.elts) == 2:  # (method, text)
        text = text.elts[1]
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        return text.value
    return ""
