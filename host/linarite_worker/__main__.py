"""Entry point of a worker process: `python .../linarite_worker/__main__.py`, under the app's interpreter.

Loads the package by its place, and takes that place off `sys.path`: the folder above it may hold the host and all it depends on, which
an app must not see. Written so that an old interpreter gets as far as saying that it is old.
"""

import sys


def _main():  # type: ignore[no-untyped-def]  # annotations of 3.10 would stop older interpreters
    if sys.version_info < (3, 10):  # noqa: UP036
        sys.stderr.write(sys.version.split()[0] + "\n")
        return 93
    import importlib.util
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    script = os.path.join(here, "__init__.py")
    spec = importlib.util.spec_from_file_location("linarite_worker", script, submodule_search_locations=[here])
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["linarite_worker"] = package
    spec.loader.exec_module(package)
    from linarite_worker.child import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(_main())  # type: ignore[no-untyped-call]
