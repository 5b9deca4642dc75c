"""The SVG drawings of `plot`, turned into PNG by Pillow: rectangles, grid lines and text, and nothing else of SVG."""

import io
from xml.etree import ElementTree

from PIL import Image, ImageDraw, ImageFont

_SCALE = 2  # device pixels for one of the drawing's
_INK = {"title": "#1f2937", "small": "#6b7280", "panel": "#1f2937", "": "#1f2937"}
_SIZE = {"title": 15, "small": 11, "panel": 12, "": 12}
_ANCHOR = {"start": "ls", "middle": "ms", "end": "rs"}
_GRID = "#e5e7eb"


def png(drawing: str) -> bytes:
    """Return a drawing that `plot.bars` made as a PNG file's bytes."""
    root = ElementTree.fromstring(drawing)  # noqa: S314 - our own drawing
    _, _, width, height = (float(number) for number in root.attrib["viewBox"].split())
    image = Image.new("RGB", (int(width * _SCALE), int(height * _SCALE)), "#ffffff")
    draw = ImageDraw.Draw(image)
    for element in root:
        known = element.attrib
        if element.tag.endswith("rect"):
            x, y = float(known.get("x", 0)), float(known.get("y", 0))
            corner = (x + float(known["width"]), y + float(known["height"]))
            draw.rounded_rectangle(
                [x * _SCALE, y * _SCALE, corner[0] * _SCALE, corner[1] * _SCALE],
                float(known.get("rx", 0)) * _SCALE,
                fill=known["fill"],
            )
        elif element.tag.endswith("path"):
            start, _, bottom = known["d"].removeprefix("M").partition("V")
            x, top = (float(number) for number in start.split())
            draw.line([x * _SCALE, top * _SCALE, x * _SCALE, float(bottom) * _SCALE], fill=_GRID, width=_SCALE)
        elif element.tag.endswith("text"):
            kind = known.get("class", "")
            draw.text(
                (float(known["x"]) * _SCALE, float(known["y"]) * _SCALE),
                element.text or "",
                fill=_INK[kind],
                font=ImageFont.load_default(_SIZE[kind] * _SCALE),
                anchor=_ANCHOR[known["text-anchor"]],
            )
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
