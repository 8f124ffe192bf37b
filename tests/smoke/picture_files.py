"""PNG files, and folders of them laid out like ImageNet."""

import pathlib
import zlib


def png(width, height, colour):
    """Returns the bytes of a picture of one colour."""

    def chunk(kind, body):
        data = kind + body
        return len(body).to_bytes(4, "big") + data + zlib.crc32(data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    rows = (b"\0" + bytes(colour) * width) * height
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


CLASSES = {"blue": (20, 30, 200), "green": (30, 190, 40), "red": (210, 30, 20)}


def make(folder, train=16, val=4):
    """Writes pictures of each class in both splits, each slightly different, some of them named .JPEG."""
    folder = pathlib.Path(folder)
    for split, count in ("train", train), ("val", val):
        for name, (red, green, blue) in CLASSES.items():
            place = folder / split / name
            place.mkdir(parents=True)
            for i in range(count):
                picture = png(40 + i, 50 - i, (red + i, green + i, blue + i))
                (place / f"{name}_{i:02}.{'JPEG' if i % 2 else 'png'}").write_bytes(picture)
    return folder
