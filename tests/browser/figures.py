"""Pictures as reports hold them, drawn here."""

import io

import numpy as np
from PIL import Image, ImageDraw


def plot():
    """PNG bytes of a diagram, 800 x 500."""
    picture = Image.new("RGB", (800, 500), "white")
    draw = ImageDraw.Draw(picture)
    heights = 400 * np.abs(np.sin(np.arange(40) / 5))
    draw.line([(20 + 19 * i, 450 - h) for i, h in enumerate(heights)], fill="navy", width=3)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
