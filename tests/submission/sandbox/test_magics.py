"""Cells of notebooks as plain Python: what is for IPython and the shell does nothing, and lines stay where they are."""

import ast

import pytest

from in4310.submission.sandbox.notebooks import plain


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("x = 5\n%matplotlib inline", "x = 5\npass"),
        ("%%time\nx = 1", "\nx = 1"),
        ("%%bash\nls -la | wc", "\n"),
        ("files = !ls {DATA}", "files = []"),
        ("if new:\n    !pip install timm\nx = 1", "if new:\n    pass\nx = 1"),
        ("%time train(3)", "train(3)"),
        ("%timeit -n1 -r1 train(3)", "train(3)"),
        ("evaluate??\n?evaluate", "pass\npass"),
        ("x = (a\n% b)", "x = (a\n% b)"),
        ('s = """\n%d\n"""', 's = """\n%d\n"""'),
        ("%load_ext autoreload", "pass"),
    ],
)
def test_a_cell(cell, python):
    assert plain(cell) == python
    ast.parse(plain(cell))
