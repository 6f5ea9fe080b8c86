"""What functions of installed packages do, and how they are described."""

import ast
import importlib.util
import inspect
import pathlib
import re
import sysconfig
import warnings
from typing import NamedTuple

PACKAGES = ("python", "numpy", "scipy", "sklearn", "keras")
_SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
_LEAST_WORDS = 4  # of a summary, and of what is said besides
# An underlined heading, "Args:", a directive, a field, a list, a table, an example.
_SECTION = re.compile(
    r"\w.*\n\s*[-=~^]{3,}|[A-Z][\w ]*:\s*(\n|$)|\.\. |:\w|@\w|[*-] |[>`|]{3}"
)


class Function(NamedTuple):
    """A function, method or class with a docstring of more than a summary.

    Args:
        module: str.
        summary: str: the first paragraph of its docstring, the query.
        document: str: its name and all the rest.
        description: str: the paragraphs of the rest up to the first section, list or
            example; may be empty.
    """

    module: str
    summary: str
    document: str
    description: str


def functions_corpus(packages=PACKAGES):
    """The functions of packages, read from their source files, none of which is run.

    Args:
        packages: names of installed packages; "python" is the standard library.

    Returns:
        list of `Function`, no two documents alike.
    """
    found = {}
    for package in packages:
        root = _root(package)
        for path in sorted(root.rglob("*.py")):
            if not _SKIPPED.intersection(path.relative_to(root).parts):
                module = f"{package}/{path.relative_to(root).as_posix()}"
                for function in _functions(path, module):
                    found.setdefault(function.document, function)
    return list(found.values())


def _root(package):
    if package == "python":
        return pathlib.Path(sysconfig.get_paths()["stdlib"])
    spec = importlib.util.find_spec(package)
    return pathlib.Path(next(iter(spec.submodule_search_locations)))


def _functions(path, module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's escape sequences
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            return
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if not isinstance(node, kinds) or node.name.startswith("_"):
            continue
        docstring = inspect.cleandoc(ast.get_docstring(node, clean=False) or "")
        summary, _, rest = docstring.partition("\n\n")
        described = _description(rest)
        summary, rest = " ".join(summary.split()), " ".join(rest.split())
        if min(len(summary.split()), len(rest.split())) >= _LEAST_WORDS:
            yield Function(module, summary, f"{node.name}: {rest}", described)


def _description(rest):
    words = []
    for paragraph in re.split(r"\n\s*\n", rest.strip("\n")):
        if paragraph[:1].isspace() or _SECTION.match(paragraph):
            break
        words += paragraph.split()
    return " ".join(words)
