"""The caption under a frame, which names the desired goal and says whether it holds now."""

import numpy as np


def add_caption(frame: np.ndarray, text: str, success: bool) -> np.ndarray:
    """Return `frame`, uint8 [H, W, 3], with a caption below it: uint8 [H + 30, W, 3].

    Args:
        frame: The picture.
        text: What the caption says; it is set smaller where it would not fit.
        success: Whether the goal holds, which turns the caption from orange to green.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = frame.shape[:2]
    image = Image.new("RGB", (width, height + 30), (24, 26, 31))
    image.paste(Image.fromarray(frame), (0, 0))
    draw = ImageDraw.Draw(image)
    label = f"{text}  (reached)" if success else text
    size = 17.0
    while size > 8 and draw.textlength(label, ImageFont.load_default(size)) > width - 36:
        size -= 1
    colour = (96, 211, 148) if success else (250, 190, 88)
    draw.ellipse((10, height + 10, 20, height + 20), fill=colour)
    draw.text((28, height + 15), label, fill=colour, font=ImageFont.load_default(size), anchor="lm")
    return np.array(image)  # a copy, because Pillow's own array is read-only
