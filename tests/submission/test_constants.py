"""A constant stands for its value wherever it is given, if it is certain; where it is not, nothing is said."""

import json
from itertools import product

import pytest

from in4310.submission import source


def seeds_of(calls, name):
    return [value for value, call in source.seeds(calls) if call.last == name]


USES = {  # what is written with a value, and how it is read
    "train_test_split(x, random_state={})": lambda calls: seeds_of(calls, "train_test_split"),
    "torch.manual_seed({})": lambda calls: seeds_of(calls, "manual_seed"),
    "np.allclose(a, b, atol={})": lambda calls: [v for v, _ in source.comparisons(calls)],
    "assert abs(a - b) < {}": lambda calls: [v for v, _ in source.comparisons(calls)],
    "DataLoader(x, batch_size={})": lambda calls: [
        c.given("batch_size") for c in calls if c.last == "DataLoader"
    ],
}
# Where the value 42 is given: files by name, USE where it is used, as VALUE or in the form behind it.
CERTAIN = [
    {"main.py": "SEED = 42\nUSE:SEED"},
    {"main.py": "SEED: int = 42\ndef f():\n    USE:SEED"},
    {"main.py": "def main():\n    SEED = 42\n    USE:SEED\nmain()"},
    {"main.py": "def main():\n    SEED = 42\n    def inner():\n        USE:SEED\n    inner()"},
    {"main.py": "SEED = 1\nSEED = 42\nUSE:SEED"},
    {"main.py": "SEED, LR = 42, 0.1\nUSE:SEED"},
    {"main.py": "BASE = 40\nSEED = BASE + 2\nUSE:SEED"},
    {"main.py": "SEED = int('42')\nUSE:SEED"},
    {"main.py": "if __name__ == '__main__':\n    SEED = 42\n    USE:SEED"},
    {"main.py": "def f(seed=42):\n    USE:seed"},
    {"main.py": "def f(seed):\n    USE:seed\nf(42)"},
    {"main.py": "def f(x, *, seed=1):\n    USE:seed\nf(2, seed=42)\nf(3, seed=42)"},
    {"main.py": "def f(x, seed=42):\n    USE:seed\nf(2)\nf(3, 42)"},
    {"main.py": "conf = {'seed': 42, 'lr': 0.1}\nUSE:conf['seed']"},
    {"main.py": "conf = {'train': {'seed': 42}}\nUSE:conf['train']['seed']"},
    {"main.py": "conf = dict(seed=42)\nUSE:conf.get('seed', 0)"},
    {"main.py": "conf = {}\nUSE:conf.get('seed', 42)"},
    {"main.py": "def f(conf):\n    USE:conf['seed']\nf({'seed': 42})"},
    {"main.py": "class Config:\n    seed = 42\nUSE:Config.seed"},
    {"main.py": "class Config:\n    seed = 42\ncfg = Config()\nUSE:cfg.seed"},
    {"main.py": "class Base:\n    seed = 42\nclass Config(Base):\n    lr = 1\nUSE:Config().seed"},
    {"main.py": "@dataclass\nclass Config:\n    seed: int = 42\ndef f(c: Config):\n    USE:c.seed\nf(Config())"},
    {"main.py": "@dataclass\nclass Config:\n    seed: int = 1\ncfg = Config(seed=42)\nUSE:cfg.seed"},
    {"main.py": "class T:\n    def __init__(self, seed=42):\n        self.seed = seed\n    def f(self):\n        USE:self.seed\nT()"},
    {"main.py": "class T:\n    SEED = 42\n    def f(self):\n        USE:self.SEED"},
    {"main.py": "cfg = SimpleNamespace(seed=42)\nUSE:cfg.seed"},
    {"main.py": "p = argparse.ArgumentParser()\np.add_argument('--seed', type=int, default=42)\nargs = p.parse_args()\nUSE:args.seed"},
    {"main.py": "p.add_argument('-s', '--random-seed', default='42', type=int)\nargs = p.parse_args([])\nUSE:args.random_seed"},
    {"main.py": "def options():\n    p.add_argument('--s', dest='seed', default=42)\n    return p.parse_args()\ndef f(args):\n    USE:args.seed\nf(options())"},
    {"main.py": "from config import *\nUSE:SEED", "config.py": "SEED = 42"},
    {"main.py": "from config import SEED as s\nUSE:s", "config.py": "SEED = 42"},
    {"main.py": "import config as c\nUSE:c.SEED", "config.py": "SEED = 42"},
    {"main.py": "import config\nUSE:config.conf['seed']", "config.py": "conf = {'seed': 42}"},
    {"src/main.py": "from .config import SEED\nUSE:SEED", "src/config.py": "SEED = 42"},
    {"src/main.py": "from utils.config import Config\nUSE:Config.seed", "src/utils/config.py": "class Config:\n    seed = 42"},
    {"main.py": "from utils import config\nUSE:config.SEED", "utils/config.py": "SEED = 42"},
    {"main.py": "from options import get\nargs = get()\nUSE:args.seed",
     "options.py": "def get():\n    p.add_argument('--seed', default=42)\n    return p.parse_args()"},
    {"main.py": "with open('config.json') as f:\n    conf = json.load(f)\nUSE:conf['seed']", "config.json": '{"seed": 42}'},
    {"main.py": "conf = json.load(open('conf/config.json'))\nUSE:conf['a']['seed']", "conf/config.json": '{"a": {"seed": 42}}'},
    {"main.py": "NAME = 'config.yaml'\nconf = yaml.safe_load(open(NAME))\nUSE:conf['seed']", "config.yaml": "lr: 0.1\nseed: 42 # the answer\n"},
    {"main.py": "conf = yaml.safe_load(Path('c.yml').read_text())\nUSE:conf['run']['seed']", "c.yml": "run:\n  lr: 0.1\n  seed: 42\nlr: 3\n"},
    {"main.py": "cfg = OmegaConf.load('c.yaml')\nUSE:cfg.run.seed", "c.yaml": "run:\n    seed: 42\n"},
    {"lab.ipynb": ["SEED = 42", "%matplotlib inline", "def f():\n    USE:SEED"]},
    {"lab.ipynb": ["class Config:\n    seed = 42", "cfg = Config()", "USE:cfg.seed"]},
    {"lab.ipynb": ["from config import SEED", "USE:SEED"], "config.py": "SEED = 42"},
]  # fmt: skip
NOT_CERTAIN = [
    {"main.py": "USE:SEED"},
    {"main.py": "SEED = 42\nif quick:\n    SEED = 1\nUSE:SEED"},
    {"main.py": "SEED = 42\ndef f():\n    USE:SEED\nf()\nSEED = 43\nf()"},
    {"main.py": "for SEED in (42, 43):\n    USE:SEED"},
    {"main.py": "SEED = 42\nfor i in range(3):\n    USE:SEED\n    SEED = SEED + 1"},
    {"main.py": "SEED = 42\nSEED += 1\nUSE:SEED"},
    {"main.py": "SEED = 42\ndef f(SEED):\n    USE:SEED"},
    {"main.py": "SEED = 42\nx = [train_test_split(y, random_state=SEED) for SEED in range(3)]\nf = lambda SEED: USE:SEED"},
    {"main.py": "SEED = 42\ndef g():\n    global SEED\n    SEED = 1\ndef f():\n    USE:SEED"},
    {"main.py": "SEED = 42\ndef f():\n    USE:SEED\n    SEED = 1"},
    {"main.py": "try:\n    SEED = 42\nexcept E as SEED:\n    pass\nUSE:SEED"},
    {"main.py": "def f(seed=42):\n    USE:seed\nf(1)\nf()"},
    {"main.py": "def f(seed=42):\n    USE:seed\nmap(f, range(3))"},
    {"main.py": "def f(seed=42):\n    USE:seed\nf(*rest)"},
    {"main.py": "def f(seed=42):\n    USE:seed\nf(**rest)"},
    {"main.py": "conf = {'seed': 42}\nconf['seed'] = 1\nUSE:conf['seed']"},
    {"main.py": "conf = {'seed': 42}\ndef g(c):\n    c['seed'] = 1\ng(conf)\nUSE:conf['seed']"},
    {"main.py": "conf = {'seed': 42}\nconf.update(more)\nUSE:conf['seed']"},
    {"main.py": "conf = {'seed': 42}\nfor k in more:\n    conf[k] = 1\nUSE:conf['seed']"},
    {"main.py": "conf = {'seed': 42}\nconf = read()\nUSE:conf['seed']"},
    {"main.py": "class Config:\n    seed = 42\ncfg = Config()\ncfg.seed = 7\nUSE:cfg.seed"},
    {"main.py": "class Config:\n    seed = 42\nsetattr(Config, 'seed', 7)\nUSE:Config.seed"},
    {"main.py": "class T:\n    def __init__(self, seed=42):\n        self.seed = seed\n    def f(self):\n        USE:self.seed\nT()\nT(7)"},
    {"main.py": "p.add_argument('--seed', default=42)\nargs = p.parse_args(['--seed', '7'])\nUSE:args.seed"},
    {"main.py": "p.add_argument('--seed', default=42)\nargs = p.parse_args()\nargs.seed = 7\nUSE:args.seed"},
    {"main.py": "p.add_argument('--seed', default=42)\nq.add_argument('--seed', default=7)\nargs = p.parse_args()\nUSE:args.seed"},
    {"main.py": "p.add_argument('--seed', default=42)\np.set_defaults(seed=7)\nargs = p.parse_args()\nUSE:args.seed"},
    {"main.py": "p.add_argument('seed', default=42)\nargs = p.parse_args()\nUSE:args.seed"},
    {"main.py": "from config import SEED\nUSE:SEED", "a/config.py": "SEED = 42", "b/config.py": "SEED = 7"},
    {"main.py": "from config import SEED\nUSE:SEED", "config.py": "SEED = 42 if quick else 7"},
    {"main.py": "from config import SEED\nUSE:SEED", "config.py": "SEED = 42\nbroken("},
    {"main.py": "from config import SEED\nUSE:SEED", "config.py": "from main import SEED"},
    {"main.py": "conf = json.load(open('c.json'))\nUSE:conf['seed']", "c.json": "{broken"},
    {"main.py": "conf = json.load(open('c.json'))\nUSE:conf['seed']", "a/c.json": '{"seed": 42}', "b/c.json": '{"seed": 7}'},
    {"main.py": "conf = json.load(open(sys.argv[1]))\nUSE:conf['seed']", "c.json": '{"seed": 42}'},
    {"main.py": "conf = yaml.safe_load(open('c.yaml'))\nUSE:conf['seed']", "c.yaml": "seed: *other\n"},
    {"main.py": "conf = yaml.safe_load(open('c.yaml'))\nUSE:conf['seed']", "c.yaml": "seed: 42\nseed: 7\n"},
    {"lab.ipynb": ["SEED = 42", "def f():\n    USE:SEED", "SEED = 7"]},
]  # fmt: skip


def read(folder, files, use):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, list):
            cells = [{"cell_type": "code", "source": written(cell, use)} for cell in text]
            path.write_text(json.dumps({"cells": cells}))
        else:
            path.write_text(written(text, use))
    return source.read_calls(folder)


def written(text, use):
    before, mark, form = text.partition("USE:")
    form, _, after = form.partition("\n")
    return before + (use.format(form) + f"\n{after}" if mark else "")


@pytest.mark.parametrize("use", USES)
def test_a_value_that_is_certain_is_read_wherever_it_is_given(tmp_path, use):
    for i, files in enumerate(CERTAIN):
        assert USES[use](read(tmp_path / str(i), files, use)) == [42], files


@pytest.mark.parametrize("use", USES)
def test_of_a_value_that_is_not_certain_nothing_is_said(tmp_path, use):
    for i, files in enumerate(NOT_CERTAIN):
        if "assert" in use and "lambda" in str(files):
            continue
        found = USES[use](read(tmp_path / str(i), files, use))
        assert not [v for v in found if isinstance(v, int | float)], (files, found)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("nets = {18: models.resnet18, 34: models.resnet34}\nm = nets[n](pretrained=True)", "imagenet"),
        ("nets = {18: models.resnet18, 34: models.resnet34}\nm = nets[18](weights=None)", "scratch"),
        ("nets = [resnet18, resnet34]\nfor i in (0, 1):\n    m = nets[i](weights='DEFAULT')", "imagenet"),
        ("m = getattr(models, 'resnet18')(weights='DEFAULT')", "imagenet"),
        ("ARCH = 'resnet34'\nm = getattr(torchvision.models, ARCH)(weights=None)", "scratch"),
        ("m = models.__dict__['resnet18'](pretrained=True)", "imagenet"),
        ("from torchvision.models import resnet18 as r\nm = r(pretrained=True)", "imagenet"),
        ("net = models.resnet18\nm = net(True)", "imagenet"),
        ("def build(pretrained):\n    return resnet18(pretrained=pretrained)\nbuild(True)", "imagenet"),
        ("def build(pretrained=False):\n    return resnet18(pretrained=pretrained)\nbuild(pretrained=True)", "imagenet"),
        ("weights = ResNet18_Weights.DEFAULT\nm = resnet18(weights=weights)", "imagenet"),
        ("P = False\nm = resnet18(weights=ResNet18_Weights.DEFAULT if P else None)", "scratch"),
        ("m = ResNetForImageClassification.from_pretrained('microsoft/resnet-18')", "imagenet"),
        ("NAME = 'microsoft/resnet-18'\nm = AutoModelForImageClassification.from_pretrained(NAME)", "imagenet"),
        ("m = timm.create_model('resnet18', pretrained=True, num_classes=6)", "imagenet"),
        ("m = timm.create_model('resnet18', num_classes=6)", "scratch"),
        ("m = torch.hub.load('pytorch/vision', 'resnet18', pretrained=True)", "imagenet"),
    ],
)  # fmt: skip
def test_the_start_of_a_network_in_other_forms(tmp_path, text, start):
    assert [s for s, _ in source.starts(read(tmp_path, {"main.py": text}, ""))] == [start]


@pytest.mark.parametrize(
    "text",
    [
        "m = ResNetForImageClassification.from_pretrained('./mine/resnet')",
        "m = AutoModel.from_pretrained('google/vit-base-patch16-224')",
        "def build(weights):\n    return resnet18(weights=weights)\nfor w in (None, 'DEFAULT'):\n    build(w)",
        "nets = {18: models.resnet18, 0: Tiny()}\nm = nets[n](pretrained=True)",
        "m = getattr(models, name)(weights='DEFAULT')",
    ],
)
def test_a_start_that_cannot_be_told(tmp_path, text):
    assert source.starts(read(tmp_path, {"main.py": text}, "")) == []


@pytest.mark.parametrize(
    "text",
    [
        "a = b\nb = a\nf(random_state=a)",
        "def f(x):\n    return f(x)\ng(seed=f(1))",
        "class A(A):\n    pass\nf(seed=A.seed)",
        "".join(f"x{i + 1} = x{i}\n" for i in range(3000)) + "f(seed=x3000)",
        "x = 0\n" + "x = x + x\n" * 3000 + "f(seed=x)",
        "".join(f"x{i + 1} = x{i} if a else x{i}\n" for i in range(3000)) + "f(seed=x3000)",
        "x = 1\n" * 2000 + "f(seed=x)\n" * 2000,
        "".join(f"def f(s):\n    f(s)\nf({i})\n" for i in range(1000)),
    ],
)
def test_no_program_is_read_for_long(tmp_path, text):
    (tmp_path / "main.py").write_text(text)
    assert isinstance(source.read_calls(tmp_path), list)


def test_all_pairs_of_a_file_and_a_cell_agree(tmp_path):
    """What a file says in one scope, a notebook says in as many cells."""
    for i, (files, use) in enumerate(product(CERTAIN, USES)):
        if set(files) != {"main.py"} or " " in files["main.py"].splitlines()[-1][:1]:
            continue
        lines = written(files["main.py"], use).splitlines()
        starts = [n for n, line in enumerate(lines) if not line.startswith((" ", "@dataclass"))]
        cells = [
            "\n".join(lines[a:b]) for a, b in zip([0, *starts[1:]], [*starts[1:], len(lines)], strict=True)
        ]
        found = read(tmp_path / str(i), {"lab.ipynb": cells}, "")
        if all(_parses(cell) for cell in cells):
            assert USES[use](found) == [42], cells


def _parses(cell):
    try:
        compile(cell, "cell", "exec")
    except SyntaxError:
        return False
    return True
