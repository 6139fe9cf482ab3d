"""What a bad scanner does to a page: a slight turn, uneven light, blur and noise."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageChops, ImageFilter


def damage(image: Image.Image, *, rng: Random) -> Image.Image:
    """The text stays readable for a person and inside the page."""
    angle = rng.choice((-1, 1)) * rng.uniform(0.3, 0.8)  # degrees
    turned = image.rotate(angle, resample=Image.Resampling.BICUBIC, fillcolor=image.getpixel((2, 2)))
    lit = ImageChops.multiply(turned, _light(image.size, dark=rng.randint(196, 222)))
    soft = lit.filter(ImageFilter.GaussianBlur(rng.uniform(0.7, 1.1)))
    return ImageChops.add(soft, _noise(image.size, sigma=rng.uniform(5, 8), rng=rng), offset=-128)


def _light(size: tuple[int, int], *, dark: int) -> Image.Image:
    """From white at the left to `dark` at the right edge."""
    gradient = Image.linear_gradient("L").rotate(90).resize(size)
    return gradient.point(lambda value: dark + value * (255 - dark) // 255)


def _noise(size: tuple[int, int], *, sigma: float, rng: Random) -> Image.Image:
    """Grey 128 plus noise; coarse, as a sum of random bytes (Pillow's own noise cannot be seeded)."""
    width, height = size
    pixels = bytes(min(255, max(0, round(128 + rng.gauss(0, sigma)))) for _ in range(width * height // 4))
    return Image.frombytes("L", (width // 2, height // 2), pixels[: (width // 2) * (height // 2)]).resize(
        size, Image.Resampling.BILINEAR
    )
