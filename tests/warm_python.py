"""A Python that has imported TensorFlow already: tests start it some sixty times.

`install(folder)` puts a small program in the place of `sys.executable`. What runs an
export, checks one, or runs a tutorial or a page is handed to a server, which has done
the imports, and which forks: the process is a new one all the same, its arguments,
environment, folder and streams are those that it was given. All else, and all of it
where `KERAS_LM_COLD` is set (`make test-slow`), is run by the real Python.

    python tests/warm_python.py FOLDER KIND PARENT    # a server

A server imports before it has a thread, so that a fork of it is sound; it ends with
the process `PARENT`.
"""

import array
import atexit
import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

PYTHON = sys.executable  # the real one, before `install`
_TENSORFLOW = ["tensorflow", "tensorflow_text"]
_KERAS = ["keras", "keras_lm.pipelines", "keras_lm.training"]
# What a server of each kind imports; no code that exports may be of the kind "bare".
KINDS = {
    "bare": [*_TENSORFLOW, "ai_edge_litert.interpreter", "sentencepiece"],
    "tensorflow": [*_TENSORFLOW, *_KERAS, "keras_lm.export"],
    "torch": ["torch", *_TENSORFLOW, *_KERAS, "keras_lm.export", "matplotlib.pyplot"],
}
# NumPy and TensorFlow start threads as they are imported, unless they are told this.
_ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    )
}
_SCRIPTS = ("/tutorials/", "/README.py", "/attention.py", "/draw_attention.py")
_MODULES = ("keras_lm.export.worker", "tests.layer_exports")


def install(folder: Path) -> None:
    """From now on `sys.executable` is a client of the servers.

    Args:
        folder: path, made for this process alone: its sockets are there.
    """
    client = folder / "python"
    client.write_text(
        f"#!{sys.executable} -IS\n"
        "import runpy, sys\n"
        f"sys.argv[0] = {sys.executable!r}\n"
        f"warm = runpy.run_path({__file__!r})\n"
        f"sys.exit(warm['ask']({str(folder)!r}, {os.getpid()}))\n",
        encoding="utf-8",
    )
    client.chmod(client.stat().st_mode | stat.S_IXUSR)
    sys.executable = str(client)


def kind_of(arguments, environment):
    """The kind of server for a command, or `None` for the real Python.

    Args:
        arguments: list of str, those of Python.
        environment: dict.

    Returns:
        a key of `KINDS`, or `None`.
    """
    backend = environment.get("KERAS_BACKEND")
    if arguments[:1] == ["-P"] and "/keras_lm/export/run_check" in arguments[1]:
        return "bare"
    module = arguments[0] == "-m" and arguments[1] in _MODULES
    if module or any(part in arguments[0] for part in _SCRIPTS):
        return backend if backend in KINDS else None
    return None


def ask(folder, parent):
    """Has a server run this command; the client's part.

    Args:
        folder: str, of the sockets.
        parent: int, the process whose tests these are.

    Returns:
        int, the exit code.
    """
    executable, *arguments = sys.argv
    kind = kind_of(arguments, os.environ) if arguments else None
    if kind is None or "KERAS_LM_COLD" in os.environ:
        os.execv(executable, [executable, *arguments])  # noqa: S606
    server = connected(executable, folder, kind, parent)
    environment = dict(os.environ)
    job = {"arguments": arguments, "folder": os.getcwd(), "environment": environment}
    content = json.dumps(job).encode()
    streams = array.array("i", [0, 1, 2])
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)]
    server.sendmsg([struct.pack("!Q", len(content))], rights)
    server.sendall(content)
    return struct.unpack("!i", _received(server, 4))[0]


def connected(executable, folder, kind, parent):
    """A connection to the server of a kind, which is started if there is none.

    Args:
        executable: str, the real Python.
        folder: path, of the sockets.
        kind: key of `KINDS`.
        parent: int, the process that the server ends with.

    Returns:
        socket.

    Raises:
        TimeoutError: no server came up.
    """
    path = Path(folder) / kind
    for attempt in range(3000):  # five minutes, for a cold disk
        with contextlib.suppress(OSError):
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(path))
            return server
        if attempt == 0:
            command = [executable, __file__, folder, kind, str(parent)]
            with open(f"{path}.log", "ab") as log:
                subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    env={**os.environ, **_ONE_THREAD},
                )
        time.sleep(0.1)
    raise TimeoutError(f"No server came up, see {path}.log")


def _received(connection, size):
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise ConnectionError("the other side has gone")
        content += part
    return content


def serve(folder, kind, parent):
    """Imports, then forks for each that asks.

    Args:
        folder: str, of the sockets.
        kind: key of `KINDS`.
        parent: int, the process to end with.
    """
    sys.path[0] = str(Path(__file__).parent.parent)  # this repository's keras_lm
    for name in KINDS[kind]:
        importlib.import_module(name)
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads: a fork would lose all but one"
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{folder}/{kind}.new")
    server.listen()
    os.rename(f"{folder}/{kind}.new", f"{folder}/{kind}")  # now one can be answered
    server.settimeout(1)
    while _is_alive(parent):
        with contextlib.suppress(TimeoutError):
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _run_for(connection)
            connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _run_for(connection):
    """Forks once more, waits, and says how it ended; ends it when nobody waits."""
    head, streams, _, _ = socket.recv_fds(connection, 8, 3)
    job = json.loads(_received(connection, struct.unpack("!Q", head)[0]))
    child = os.fork()
    if child == 0:
        connection.close()
        _become(streams, job)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(child)
    if ended not in select.select([ended, connection], [], [])[0]:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):
        connection.sendall(struct.pack("!i", code if code >= 0 else 128 - code))
    os._exit(0)


def _become(streams, job):
    """Does in this process what `python ARGUMENTS` would."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    tempfile.tempdir = None  # it may have been asked for before there was this TMPDIR
    code = 1
    try:
        _run(job["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _run(arguments):
    installed = list(sys.path)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [path for path in given if path]
    if arguments[0] == "-m":
        sys.path[:] = [os.getcwd(), *paths, *installed]
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    if arguments[0] == "-P":
        arguments = arguments[1:]
    else:
        paths.insert(0, str(Path(arguments[0]).parent))
    sys.path[:] = [*paths, *installed]
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")


def _is_alive(process_id):
    return Path(f"/proc/{process_id}").exists()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
