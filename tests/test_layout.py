"""The shape of the repository: class = file = test, docstrings, budgets, exports."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import keras
import pytest

import keras_lm

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "keras_lm"
MAX_LINES = 300
SECTIONS = [
    "Shapes",
    "Args",
    "Call arguments",
    "Returns",
    "Raises",
    "Example",
    "Source",
]
OTHER_SPELLINGS = ["Arguments", "Parameters", "Call args", "Shape", "Return", "Yields"]
OTHER_SPELLINGS += ["Raise", "Examples", "Usage", "Sources", "Reference", "References"]
# Every exported layer and model has these.
REQUIRED = ["Args", "Call arguments", "Returns", "Example"]
# Files that hold several functions of one kind, so none carries the file's name.
GATHERED = {
    "generation/generate.py",
    "generation/samplers.py",
    "layers/clock.py",
    "layers/masks.py",
}
# The three backends' files hold the same functions and are tested against each other.
BACKENDS = ["jax", "tensorflow", "torch"]
BACKEND_TEST = "tests/backend/test_backend.py"
# Keras' own methods, described by Keras.
KERAS_METHODS = {
    "build",
    "call",
    "compute_mask",
    "compute_output_shape",
    "compute_output_spec",
    "from_config",
    "get_build_config",
    "build_from_config",
    "get_config",
    "reset_state",
    "result",
    "update_state",
}

pytestmark = pytest.mark.once


def python_files(*folders):
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in files if "__pycache__" not in path.parts)


def parse(path):
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def snake_case(name):
    """`LSTMLanguageModel` -> `lstm_language_model`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def exports(room):
    """`(name, object)` of what the room offers."""
    module = importlib.import_module(f"keras_lm.{room}")
    offered = [(name, getattr(module, name)) for name in module.__all__]
    return [(name, thing) for name, thing in offered if not inspect.ismodule(thing)]


def source_of(thing):
    return Path(inspect.getsourcefile(inspect.unwrap(thing)))


def sections(docstring):
    """The names of the docstring's sections, as they come."""
    names = "|".join(SECTIONS + OTHER_SPELLINGS)
    return re.findall(rf"^({names}):", inspect.cleandoc(docstring), re.MULTILINE)


def public_definitions(path):
    """`(qualified name, node)` of public functions, classes and their methods."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in parse(path).body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node.name, node
            for member in getattr(node, "body", []) * isinstance(node, ast.ClassDef):
                if isinstance(member, kinds) and not member.name.startswith("_"):
                    yield f"{node.name}.{member.name}", member


def assert_none(offenders):
    """Fails with the whole list, a line each."""
    if isinstance(offenders, dict):
        offenders = [f"{name}: {fault}" for name, fault in offenders.items()]
    assert not offenders, "\n".join(["", *sorted(offenders)])


ROOMS = [room for room in keras_lm.__all__ if (PACKAGE / room / "__init__.py").exists()]


# ------------------------------------------------------------------------ files


def test_every_room_is_a_package_named_in_init():
    folders = {path.parent.name for path in python_files("keras_lm")} - {"keras_lm"}

    assert sorted(folders - {"backend", "cli"}) == keras_lm.__all__
    assert_none([f for f in folders if not (PACKAGE / f / "__init__.py").exists()])


def test_every_file_says_first_what_it_is():
    silent = [
        name_of(path)
        for path in python_files("keras_lm", "tests", "benchmarks")
        if not path.read_text("utf-8").startswith('"""')
        or not ast.get_docstring(parse(path))
    ]

    assert_none(silent)


def test_no_file_is_over_its_budget():
    sizes = {
        name_of(path): len(path.read_text("utf-8").splitlines())
        for path in python_files("keras_lm")
    }

    assert_none({path: size for path, size in sizes.items() if size > MAX_LINES})


def expected_test(path):
    room = path.parent.name
    if room == "backend":
        return BACKEND_TEST
    folder = "tests" if path.parent == PACKAGE else f"tests/{room}"
    return f"{folder}/test_{path.stem}.py"


def test_every_file_has_its_test():
    sources = [p for p in python_files("keras_lm") if not p.stem.startswith("__")]
    expected = {expected_test(path): name_of(path) for path in sources}
    missing = {s: f"no {t}" for t, s in expected.items() if not (ROOT / t).exists()}

    assert_none(missing)


def test_every_test_in_a_room_has_its_file():
    tests = [path for path in python_files("tests") if path.stem.startswith("test_")]
    rooms = [path for path in tests if path.parent != ROOT / "tests"]
    orphans = [
        name_of(path)
        for path in rooms
        if name_of(path) != BACKEND_TEST
        and not (PACKAGE / path.parent.name / f"{path.stem[5:]}.py").exists()
    ]

    assert_none(orphans)


def test_the_backends_offer_the_same_functions():
    offered = {
        backend: [name for name, _ in public_definitions(PACKAGE / f"{path}.py")]
        for backend in BACKENDS
        for path in [f"backend/{backend}"]
    }

    assert sorted(offered["jax"]) == sorted(offered["tensorflow"])
    assert sorted(offered["jax"]) == sorted(offered["torch"])


def imported_names(path):
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nobody_imports_keras_private_package():
    folders = ["keras_lm", "tests", "tutorials", "benchmarks"]
    users = {
        name_of(path)
        for path in python_files(*folders)
        if any(re.match(r"keras\.src\b", name) for name in imported_names(path))
    }

    assert_none(users)


# ---------------------------------------------------------------------- exports


@pytest.mark.parametrize("room", ROOMS)
def test_exports_are_sorted_and_come_from_the_room(room):
    names = [name for name, _ in exports(room)]
    strangers = [
        name
        for name, thing in exports(room)
        if not thing.__module__.startswith(f"keras_lm.{room}.")
    ]

    assert names == sorted(set(names))
    assert_none(strangers)


@pytest.mark.parametrize("room", ROOMS)
def test_every_export_lives_in_the_file_of_its_name(room):
    misplaced = {}
    for name, thing in exports(room):
        file = source_of(thing).relative_to(PACKAGE).as_posix()
        if file not in GATHERED and file != f"{room}/{snake_case(name)}.py":
            misplaced[name] = file

    assert_none(misplaced)


@pytest.mark.parametrize("room", ROOMS)
def test_every_export_is_named_in_its_test(room):
    untested = []
    for name, thing in exports(room):
        test = ROOT / "tests" / room / f"test_{source_of(thing).stem}.py"
        text = test.read_text("utf-8") if test.exists() else ""
        if not re.search(rf"\b{name}\b", text):
            untested.append(f"{name} in {name_of(test)}")

    assert_none(untested)


def test_what_is_gathered_holds_several():
    # A file that has become one class's leaves the list.
    single = [
        file
        for file in GATHERED
        if sum("." not in name for name, _ in public_definitions(PACKAGE / file)) < 2
    ]

    assert_none(single)


# ------------------------------------------------------------------- docstrings


def test_sections_are_spelled_and_ordered():
    wrong = {}
    for path in python_files("keras_lm"):
        for name, node in public_definitions(path):
            found = sections(ast.get_docstring(node) or "")
            if found != [section for section in SECTIONS if section in found]:
                wrong[f"{name_of(path)}: {name}"] = found

    assert_none(wrong)


@pytest.mark.parametrize("room", ROOMS)
def test_methods_that_are_not_keras_own_have_a_docstring(room):
    methods = {
        f"{name_of(path)}: {name}": (node.name, ast.get_docstring(node))
        for path in python_files(f"keras_lm/{room}")
        for name, node in public_definitions(path)
        if "." in name and node.name not in KERAS_METHODS
    }
    # A method that several classes have is described once, in the abstract class.
    described = {method for method, docstring in methods.values() if docstring}

    assert_none([name for name, (m, _) in methods.items() if m not in described])


@pytest.mark.parametrize("room", [r for r in ROOMS if r in ("layers", "models")])
def test_layers_and_models_have_the_required_sections(room):
    classes = {name: thing for name, thing in exports(room) if inspect.isclass(thing)}
    # Classes are abstract or final; an abstract one has no example of its own.
    abstract = {base for thing in classes.values() for base in thing.__bases__}
    missing = {}
    for name, thing in classes.items():
        if issubclass(thing, keras.layers.Layer) and thing not in abstract:
            found = sections(thing.__doc__ or "")
            raises = re.search(r"^ +raise \w+", inspect.getsource(thing), re.MULTILINE)
            required = REQUIRED + ["Raises"] * bool(raises)
            missing[name] = [s for s in required if s not in found]
            missing[name] += [] if ">>> " in (thing.__doc__ or "") else [">>> ..."]

    assert_none({name: absent for name, absent in missing.items() if absent})


def test_snake_case():
    assert snake_case("LSTMLanguageModel") == "lstm_language_model"
    assert snake_case("TransformerDecoder") == "transformer_decoder"
    assert snake_case("export_litert") == "export_litert"
