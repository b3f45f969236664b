"""Code of a submission that tries to get a mark for a wrong function, or to do harm. It gets neither."""

import pytest

from in4310.judging import asked
from in4310.judging.judge import Judge
from in4310.judging.verdict import Outcome
from in4310.submission.live import Live

pytestmark = pytest.mark.slow  # all of them run in CI
WRONG = "{'top': paths[:k], 'bottom': paths[-k:]}"

ATTACKS = {
    # in the process of the checks, which it is not in
    "agreeing objects": "return type('L', (list,), {'__eq__': lambda *a: True, '__contains__': lambda *a: True})(paths[:k])",
    "agreeing dict": "return type('D', (dict,), {'get': lambda *a: object(), '__eq__': lambda *a: True})(top=paths[:k], bottom=[])",
    "agreeing number": "return type('F', (float,), {'__eq__': lambda *a: True, '__sub__': lambda *a: 0.0})(1.0)",
    "lying array": "import numpy as np\n    class A(np.ndarray):\n        def __array_ufunc__(self, *a, **o): return True\n"
    "        def __eq__(self, o): return True\n    return {'top': np.zeros(3).view(A), 'bottom': np.zeros(3).view(A)}",
    "lying tensor": "import torch\n    class T(torch.Tensor):\n        @classmethod\n        def __torch_function__(cls, *a, **o): return True\n"
    "    return {'top': torch.zeros(3).as_subclass(T), 'bottom': []}",
    "patched builtins": "import builtins\n    builtins.all = builtins.any = lambda *a: True\n    builtins.sorted = lambda *a, **o: []\n    return " + WRONG,
    "patched numpy": "import numpy\n    numpy.argsort = lambda *a, **o: numpy.arange(97)\n    numpy.allclose = lambda *a, **o: True\n    return " + WRONG,
    "patched torch": "import torch\n    torch.Tensor.__eq__ = lambda *a: True\n    torch.equal = lambda *a: True\n    return " + WRONG,
    "patched json": "import json\n    real = json.dumps\n    json.dumps = lambda d, **o: real(d, **o).replace('result', 'right')\n    return " + WRONG,
    "patched pytest": "import sys, types\n    sys.modules['pytest'] = sys.modules['_pytest'] = types.ModuleType('pytest')\n    return " + WRONG,
    "patched protocol": "from in4310.submission.sandbox import messages\n    messages.encode = lambda m: [b'\\0' * 8]\n    return " + WRONG,
    "replaced modules": "import sys\n    for name in list(sys.modules):\n        if name.startswith('in4310'): sys.modules[name] = None\n    return " + WRONG,
    # looking for the answer
    "frames": "import sys\n    f = sys._getframe(); seen = []\n    while f: seen += [k for k in f.f_locals if k in ('right', 'expected', 'order')]; f = f.f_back\n"
    "    if seen: return {'top': [], 'bottom': [], 'leak': seen}\n    return " + WRONG,
    "garbage": "import gc\n    for o in gc.get_objects():\n        if isinstance(o, dict) and 'top' in o and 'bottom' in o: return o\n    return " + WRONG,
    "checks on disk": "import glob\n    found = glob.glob('/**/test_1_scores.py', recursive=True) + glob.glob('/**/live.py', recursive=True)\n"
    "    found = [p for p in found if 'in4310' in p or 'requirements' in p]\n    if found: return open(found[0]).read()\n    return " + WRONG,
    "the reference itself": "from in4310.solution.ranking import rank as right\n    return right(scores, paths, column, k)",
    "the judge's memory": "import os\n    open(f'/proc/{os.getppid()}/mem', 'rb').read(10)\n    return " + WRONG,
    "the judge's environment": "import os\n    return {'top': list(os.environ), 'bottom': open('/proc/1/environ').read().split(chr(0))}",
    "the judge's folder": "import os\n    return {'top': os.listdir('/proc/1/cwd'), 'bottom': os.listdir('..')}",
    # leaving
    "os._exit": "import os\n    os._exit(0)",
    "SystemExit": "raise SystemExit(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "atexit": "import atexit, os\n    atexit.register(lambda: os.write(3, b'x'))\n    return " + WRONG,
    "deleter": "class X:\n        def __del__(self):\n            import os; os.write(3, b'forged')\n    X()\n    return " + WRONG,
    "thread that answers": "import threading, os\n    threading.Thread(target=lambda: [os.write(d, b'\\0' * 64) for d in range(3, 32) if not os.set_inheritable(d, True)], daemon=True).start()\n"
    "    import time; time.sleep(0.2)\n    return " + WRONG,
    "execve": "import os, sys\n    os.execv(sys.executable, [sys.executable, '-c', 'print(1)'])",
    "recursion": "import sys\n    sys.setrecursionlimit(10**9)\n    def f(x): return f([x])\n    return f(0)",
    "evil exception": "class E(Exception):\n        def __str__(self): raise SystemExit\n    raise E",
    # the host
    "files of the host": "open('/tmp/in4310-pwned', 'w').write('x')\n    open('/etc/passwd', 'a').write('x')\n    return " + WRONG,
    "shell": "import os, subprocess\n    os.system('touch /tmp/in4310-pwned')\n    subprocess.run(['sh', '-c', 'touch /submission/x /tmp/in4310-pwned'])\n    return " + WRONG,
    "kill everything": "import os, signal\n    os.kill(-1, signal.SIGKILL)\n    os.kill(os.getppid(), signal.SIGKILL)\n    return " + WRONG,
    "stop the parent": "import os, signal\n    os.kill(1, signal.SIGSTOP); os.killpg(0, signal.SIGTERM)\n    return " + WRONG,
    "set-user-id": "import os\n    os.setuid(0)\n    return " + WRONG,
    "chroot": "import os\n    os.chroot('/tmp')\n    return " + WRONG,
    "network": "import urllib.request\n    return urllib.request.urlopen('http://127.0.0.1:1/answer', timeout=1).read()",
    "name look-up": "import socket\n    return socket.getaddrinfo('example.org', 80)[0][4][0]",
    "raw socket": "import socket\n    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n    return " + WRONG,
    "import hook": "import sys\n    class H:\n        def find_spec(self, *a): raise SystemExit\n    sys.meta_path.insert(0, H())\n    return " + WRONG,
    "trace": "import sys\n    sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)\n    return " + WRONG,
    "closed descriptors": "import os\n    os.closerange(0, 64)\n    return " + WRONG,
    "huge answer": "return {'top': 'x' * (1 << 28), 'bottom': []}",
    "endless answer": "return {'top': (i for i in iter(int, 1)), 'bottom': []}",
    "million keys": "return {str(i): i for i in range(10**6)}",
    "NaN": "return {'top': [float('nan')] * k, 'bottom': [float('nan')] * k}",
    "control characters": "return {'top': ['\\x1b]0;owned\\x07\\x1b[2J' + p for p in paths[:k]], 'bottom': ['<script>alert(1)</script>'] * k}",
    "constants for known inputs": "return {'top': [f'c{i % 6}/{i}.jpg' for i in range(k)], 'bottom': [f'c{i % 6}/{i}.jpg' for i in range(k)]}",
}  # fmt: skip


@pytest.fixture
def judged(sandbox, tmp_path):
    def run(source):
        (tmp_path / "oblig.py").write_text(source)
        judge = Judge()
        asked.check_rank(Live(sandbox, tmp_path, {"rank": "oblig:rank"}), judge)
        return judge

    return run


RIGHT = "import numpy as np\n    o = np.argsort(-scores[:, column])\n    return {'top': [paths[i] for i in o[:k]], 'bottom': [paths[i] for i in o[-k:]]}"


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_mark_and_no_harm(judged, attack):
    judge = judged(f"def rank(scores, paths, column, k):\n    {ATTACKS[attack]}\n")
    assert judge.outcome is Outcome.FAILED
    texts = [judge.reason, *(f.found for f in judge.findings)]
    assert not any(ord(ch) < 32 for text in texts for ch in text)
    assert judged(f"def rank(scores, paths, column, k):\n    {RIGHT}\n").outcome is Outcome.PASSED, (
        "the next is not harmed"
    )


FILES = {
    "conftest.py": "raise SystemExit('ran')",
    "sitecustomize.py": "raise SystemExit('ran')",
    "usercustomize.py": "raise SystemExit('ran')",
    "torch.py": "raise SystemExit('ran')",
    "numpy.py": "raise SystemExit('ran')",
    "json.py": "raise SystemExit('ran')",
    "in4310/__init__.py": "raise SystemExit('ran')",
    "evil.pth": "import os; os.system('touch /tmp/in4310-pwned')",
    "pytest.ini": "[pytest]\naddopts = -p evil\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--collect-only'\n",
}


def test_files_that_configure_python_and_pytest_have_no_effect(judged, tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert judged(f"def rank(scores, paths, column, k):\n    {RIGHT}\n").outcome is Outcome.PASSED
    assert judged(f"def rank(scores, paths, column, k):\n    return {WRONG}\n").outcome is Outcome.FAILED
