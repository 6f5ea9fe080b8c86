"""Writes one export: the process that TensorFlow and its converter live in.

    python -m keras_lm.export.worker JOB.json

`JOB.json` holds `format` ("saved_model" or "litert"), `pipeline` (its directory),
`path` (what to write), `work` (a folder for what lies between), `modules` (to import
first: they define layers of the model) and `quantization`. The last line printed is
`{"keras_lm": {}}`, or `{"keras_lm": {"error": {"kind", "message"}}}`.
"""

import contextlib
import importlib
import json
import sys
from pathlib import Path

from keras_lm.export.export_error import ExportError


def main() -> None:
    """Reads the job, does it and prints the answer."""
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    answer = {}
    try:
        # What libraries print is no answer.
        with contextlib.redirect_stdout(sys.stderr):
            write(job)
    except OSError as error:
        number, text = error.errno, error.strerror or str(error)
        answer = {"error": {"kind": "OSError", "message": text, "number": number}}
    except (ExportError, ValueError) as error:
        kind = type(error).__name__
        answer = {"error": {"kind": kind, "message": str(error)}}
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        answer = {"error": {"kind": "ExportError", "message": text}}
    print(json.dumps({"keras_lm": answer}))


def write(job: dict) -> None:
    """Loads the pipeline and writes it in the format of the job.

    Args:
        job: see the top of this file.

    Raises:
        ExportError: the target cannot run the model.
        OSError: it cannot be written.
        ValueError: the pipeline cannot be read.
    """
    from keras_lm.export.kinds import kind_of
    from keras_lm.export.name_layers import name_layers
    from keras_lm.pipelines import load
    from keras_lm.pipelines.save_pipeline import tokenizer_names

    for name in job["modules"]:
        importlib.import_module(name)
    pipeline = load(job["pipeline"])
    name_layers(pipeline.model)
    path = Path(job["path"])
    if job["format"] == "saved_model":
        from keras_lm.export.saved_model_writer import write_saved_model

        write_saved_model(pipeline, str(path))
        return
    from keras_lm.export.litert_writer import write_litert

    write_litert(pipeline, path, job["quantization"], Path(job["work"]))
    for name in tokenizer_names(type(pipeline)):
        tokenizer = getattr(pipeline, name)
        if tokenizer is not None:
            tokenizer.save(path.with_suffix(f".{name}{tokenizer.FILE_SUFFIX}"))
    description = kind_of(pipeline).litert_description(pipeline)
    description["quantization"] = job["quantization"]
    text = json.dumps(description, indent=1)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
