"""Outputs that a notebook has saved are judged, whether or not it runs."""

import base64
import hashlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from in4310.submission.folder import Submission
from in4310.submission.notebook_outputs import read_outputs
from in4310.submission.pieces import Hints

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")


def png():
    stream = io.BytesIO()
    Image.linear_gradient("L").resize((32, 24)).save(stream, "png")
    return stream.getvalue()


def notebook(path, *cells):
    document = {"nbformat": 4, "cells": [{"cell_type": "code", "source": s, "outputs": o} for s, o in cells]}
    path.write_text(json.dumps(document))
    return path


def picture(content=None):
    encoded = base64.encodebytes(content or png()).decode()
    return {"output_type": "display_data", "data": {"image/png": encoded, "text/plain": ["<Figure>"]}}


PRINTED = {"output_type": "stream", "name": "stdout",
           "text": ["Test accuracy: 0.91\n", "Test mAP: 0.95\n", "nothing else\n"]}  # fmt: skip
FAILED = {"output_type": "error", "ename": "CUDA\x1b[31mError", "evalue": "out of memory", "traceback": []}


@pytest.fixture
def failed_notebook(tmp_path):
    return notebook(
        tmp_path / "oblig 1.ipynb",
        (["plt.plot(train_loss)\n", "plt.show()"], [picture()]),
        ("evaluate(model)", [PRINTED]),
        ("plt.semilogy(np.linalg.eigvalsh(c))", [picture(), FAILED]),
    )


def test_a_notebook_that_failed_leaves_pictures_and_figures(failed_notebook):
    submission = Submission(failed_notebook.parent, Hints(CLASSES))
    names = [p.name for p in submission.pictures("plots")]
    assert names == ["cell1-1-loss.png", "cell3-2-eigen.png"]
    looks = [submission.look(p) for p in submission.pictures("plots")]
    assert {seen.digest for seen in looks} == {hashlib.sha256(png()).hexdigest()}
    assert {(seen.pixels.shape, seen.why) for seen in looks} == {((24, 32, 3), "")}
    assert submission.metrics["test"] == {"accuracy": 0.91, "map": 0.95}
    assert any(
        "its last run failed (cell 3: CUDA⟨U+001B⟩[31mError: out of memory)" in n for n in submission.notes
    )
    assert [p.name for p in failed_notebook.parent.iterdir()] == ["oblig 1.ipynb"]


def test_pictures_of_notebooks_stand_beside_others(failed_notebook):
    (failed_notebook.parent / "ranked.png").write_bytes(png())
    submission = Submission(failed_notebook.parent, Hints(CLASSES))
    assert [p.name for p in submission.pictures("plots")] == [
        "ranked.png",
        "cell1-1-loss.png",
        "cell3-2-eigen.png",
    ]
    assert submission.located["plots"][1].startswith("1 pictures, 2 in notebooks")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"cells": 7}', "[" * 100_000, '{"worksheets": []}', "\0", '{"cells": "abc"}']
)
def test_what_is_no_notebook_is_said(tmp_path, text):
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    with pytest.raises(ValueError, match="is not a notebook"):
        read_outputs(path)


def test_a_flood_of_pictures_is_cut(tmp_path):
    found = read_outputs(notebook(tmp_path / "a.ipynb", ("x", [picture()] * 300)))
    assert len(found.pictures) == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["source", "outputs", "data", "text", "image/png", "output_type", "ename"]), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(JSON, max_size=4))
def test_any_cells_are_read(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("notebook") / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    found = read_outputs(path)
    assert all(isinstance(content, bytes) for _, content in found.pictures)
