"""What pytest loads wherever in4310 is installed: our plugin, or nothing in a project that has a module of our name.

A module of its own, beside the package: `python -m pytest` puts the current folder first, and with it that project's
in4310.py, whose import is not ours to cause.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

_found = find_spec("in4310")
if _found is not None and _found.origin and Path(_found.origin).with_name("plugin_options.py").is_file():
    import in4310.plugin

    sys.modules[__name__] = in4310.plugin
