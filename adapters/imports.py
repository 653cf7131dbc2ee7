"""Objects that a targets file names by import path, `module:name`, where the operator has allowed that.

Importing runs code, and who writes a targets file need not be who runs the server: so nothing is imported that is not
on the operator's list, which has `module:name`, or `module` for all that is in it.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

from adapters.kind import FieldError, Surroundings

_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def load(path: str, around: Surroundings, key: tuple[str | int, ...]) -> Any:
    """The object at `path`; `key` is where the file says it. Raises FieldError."""
    if _PATH.fullmatch(path) is None:
        raise FieldError(key, f"`{path}` is no import path: write module and name, such as `ours.models:classify`")
    module, _, name = path.partition(":")
    if not {path, module} & around.imports:
        raise FieldError(key, f"`{path}` may not be imported: add it to ORCHESTRATOR_ALLOW_IMPORTS if you trust it")
    try:
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever somebody else's module does when it is imported
        raise FieldError(key, f"`{path}` cannot be imported: {type(error).__name__}: {error}") from error
    return found
