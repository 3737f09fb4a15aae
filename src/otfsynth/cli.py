"""One console script for all commands: ``otfsynth NAME ...`` is ``python -m otfsynth.NAME ...``."""

from __future__ import annotations

import ast
import difflib
import runpy
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
USAGE_ERROR = 2


def main() -> None:
    """Run the command that the first argument names, with the others as its own."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        sys.exit(0 if arguments else USAGE_ERROR)
    name, known = arguments[0], commands()
    if name in ("-V", "--version"):
        from otfsynth import __version__

        print(f"otfsynth {__version__}")
    elif name in known:
        sys.argv = [f"otfsynth {name}", *arguments[1:]]
        # alter_sys makes the module __main__, by which Lightning starts the other ranks of a run.
        runpy.run_module(f"otfsynth.{name}", run_name="__main__", alter_sys=True)
    else:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        print(f"otfsynth: there is no command '{name}'{hint}\n\n{usage()}", file=sys.stderr)
        sys.exit(USAGE_ERROR)


def commands() -> dict[str, str]:
    """Name and description of every command: the package's runnable modules, read without importing them."""
    found = {}
    for file in sorted(PACKAGE.glob("*.py")):
        source = file.read_text()
        if 'if __name__ == "__main__":' in source and file != Path(__file__).resolve():
            first_line = (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]
            found[file.stem] = first_line.split(": ``")[0].rstrip(".")
    return found


def usage() -> str:
    """Text of ``otfsynth --help``."""
    known = commands()
    width = max(len(name) for name in known)
    listing = "\n".join(f"  {name:<{width}}  {description}" for name, description in known.items())
    return f"usage: otfsynth COMMAND ...\n\n{listing}\n\notfsynth COMMAND --help tells more."


if __name__ == "__main__":
    main()
