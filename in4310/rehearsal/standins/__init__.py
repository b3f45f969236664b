"""What a rehearsal does not have, stood in for: each file here is one stand-in, found by being here.

A stand-in has a function `stand_in(see)`; it replaces what cannot be had (a GPU, a login, a window, a download), and
notes with `see.note` what a person should know of it.
"""

from __future__ import annotations

import importlib
import pkgutil

STANDINS = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
