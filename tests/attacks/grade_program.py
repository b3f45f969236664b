"""Run by test_handed_out.py, as root and as an ordinary user: the command on a class, with an umask that closes nothing."""

import json
import os
import runpy
import sys

home = sys.argv[1]
os.umask(0)
os.chdir(home)
os.environ["IN4310_CACHE"] = f"{home}/.cache"
sys.argv = ["in4310", "grade", "class", "--out", "out", "--edition", "demo", "--jobs", "1", "--quiet"]
try:
    runpy.run_module("in4310", run_name="__main__")
except SystemExit as end:
    print(json.dumps([os.geteuid(), end.code]))
