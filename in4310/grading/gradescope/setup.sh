#!/usr/bin/env bash
# Gradescope runs this once, as root, when the autograder is built. Python of its own: the base image's may be too old.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
shopt -s nullglob
wheels=("$root"/source/in4310-*.whl)
if [ ${#wheels[@]} != 1 ]; then # never from an index: whoever has our name there is not us
    echo "expected one wheel, in4310-...-py3-none-any.whl, beside setup.sh, found ${#wheels[@]}" >&2
    exit 2
fi
pip3 install --quiet uv
uv venv --quiet --python 3.12 "$root/venv"
# In one call, so that no second torch comes with it; of torch the builds for a CPU, all else from PyPI.
uv pip install --quiet --python "$root/venv/bin/python" --torch-backend cpu "${wheels[0]}"
