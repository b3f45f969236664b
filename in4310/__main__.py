"""`python -m in4310`, also as the program that torchrun starts: `torchrun -m in4310 run ...`."""

import sys
from pathlib import Path

import in4310

# `-m` puts the current folder first; only a checkout that is not installed needs it.
if not sys.flags.safe_path and Path(in4310.__file__).parent.parent != Path(sys.path[0]):
    del sys.path[0]

from in4310.cli import main

main()
