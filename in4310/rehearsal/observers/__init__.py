"""What is watched in a program that is rehearsed: each file here is one observer, found by being here.

An observer has a function `observe(see)`. With `see.function(owner, name, describe)` it is told each call of a function
that the student's own code makes, with `see.torch[name] = describe` each of a function or method of torch with this
name, whatever it is called through; `describe(result, *arguments, **keywords)` returns the fields of the event, or None
for none.
"""

from __future__ import annotations

import importlib
import pkgutil

OBSERVERS = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
