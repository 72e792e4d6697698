"""Hostile images: mutations of good ones, and bombs and oddities made by hand."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

MIB = 1024 * 1024
SUFFIXES = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
# As many modes as the format can hold: each takes another way through the decoder.
MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "RGBA", "P", "I;16", "LA", "1"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("P", "L"),
    "BMP": ("RGB", "P", "1"),
    "TIFF": ("RGB", "CMYK", "I;16", "F", "P"),
}
OPTIONS: dict[str, tuple[dict[str, object], ...]] = {
    "JPEG": ({"quality": 90}, {"progressive": True}),
    "WEBP": ({"quality": 80}, {"lossless": True}),
    "TIFF": ({}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}),
}


# Mutations


def encodings(picture: Image.Image) -> list[bytes]:
    """The picture in each format, mode and option."""
    return [
        encoded(picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode), suffix, **options)
        for suffix in SUFFIXES
        for mode in MODES[suffix]
        for options in OPTIONS.get(suffix, ({},))
    ]


def encoded(picture: Image.Image, suffix: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, suffix, **options)
    return buffer.getvalue()


def mutated(rng: np.random.Generator, images: list[bytes]) -> bytes:
    """One of the images, damaged in one of the ways of MUTATIONS."""
    image, other = (images[index] for index in rng.integers(len(images), size=2))
    return MUTATIONS[rng.integers(len(MUTATIONS))](rng, image, other)


def flip_bits(rng: np.random.Generator, image: bytes, _: bytes) -> bytes:
    damaged = bytearray(image)
    for place in rng.integers(len(image), size=rng.integers(1, 16)):
        damaged[place] ^= 1 << rng.integers(8)
    return bytes(damaged)


def flip_bits_unnoticed(rng: np.random.Generator, image: bytes, other: bytes) -> bytes:
    """Flip bits and mend a PNG's checksums, so that the damage reaches the decoder of its pixels."""
    damaged = bytearray(flip_bits(rng, image, other))
    place = 8
    while damaged[1:4] == b"PNG" and place + 12 <= len(damaged):
        end = place + 8 + int.from_bytes(damaged[place : place + 4], "big")
        damaged[end : end + 4] = struct.pack(">I", zlib.crc32(damaged[place + 4 : end]))
        place = end + 4
    return bytes(damaged)


def damage_header(rng: np.random.Generator, image: bytes, _: bytes) -> bytes:
    """Set bytes near the beginning, where sizes and offsets stand, to extremes or to anything."""
    damaged = bytearray(image)
    for place in rng.integers(min(len(image), 128), size=rng.integers(1, 6)):
        damaged[place] = (0, 1, 127, 128, 255, int(rng.integers(256)))[rng.integers(6)]
    return bytes(damaged)


def truncate(rng: np.random.Generator, image: bytes, _: bytes) -> bytes:
    return image[: rng.integers(len(image))]


def swap_header(rng: np.random.Generator, image: bytes, other: bytes) -> bytes:
    length = int(rng.integers(4, 64))
    return other[:length] + image[length:]


def duplicate(rng: np.random.Generator, image: bytes, _: bytes) -> bytes:
    """Repeat a stretch of the file, or a PNG's chunk of that place."""
    first, last = sorted(rng.integers(len(image) + 1, size=2).tolist())
    chunk = image.find(b"IDAT", first) - 4
    if chunk > 0:
        first, last = chunk, chunk + 12 + int.from_bytes(image[chunk : chunk + 4], "big")
    return image[:last] + image[first:last] * int(rng.integers(1, 4)) + image[last:]


def cut_out(rng: np.random.Generator, image: bytes, _: bytes) -> bytes:
    first, last = sorted(rng.integers(len(image) + 1, size=2).tolist())
    return image[:first] + image[last:]


MUTATIONS: tuple[Callable[[np.random.Generator, bytes, bytes], bytes], ...] = (
    flip_bits,
    flip_bits_unnoticed,
    damage_header,
    truncate,
    swap_header,
    duplicate,
    cut_out,
)


# Bombs and oddities


@dataclass(frozen=True)
class Oddity:
    """A file made by hand. refused: words of the error that it must meet, or None if it is to be read."""

    build: Callable[[], bytes]
    refused: str | None = None


def flood(part: bytes, size: int = 40 * MIB) -> bytes:
    return part * (size // len(part))


def packed_zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    block = bytes(MIB)
    parts = [packer.compress(block[: min(MIB, size - start)]) for start in range(0, size, MIB)]
    return b"".join(parts) + packer.flush()


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(before: bytes = b"", after: bytes = b"", width: int = 4, height: int = 4, pixels: bytes | None = None) -> bytes:
    """A PNG of RGB pixels, with chunks before and after them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(64))) if pixels is None else pixels
    return b"\x89PNG\r\n\x1a\n" + header + before + body + after + chunk(b"IEND")


def segment(code: int, data: bytes = b"") -> bytes:
    return b"\xff" + bytes([code]) + struct.pack(">H", len(data) + 2) + data


def jpeg(side: int = 16, after_start: bytes = b"", **options: object) -> bytes:
    whole = encoded(Image.new("L", (side, side)), "JPEG", quality=10, **options)
    return whole[:2] + after_start + whole[2:]


def jpeg_of_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan's header is repeated, without data."""
    whole = jpeg(side, progressive=True)
    start = whole.rindex(b"\xff\xda")
    length = int.from_bytes(whole[start + 2 : start + 4], "big")
    return whole[:-2] + whole[start : start + 2 + length] * scans + whole[-2:]


def gif(canvas: int = 1, frame: int = 1, before: bytes = b"") -> bytes:
    screen = struct.pack("<HHBBB", canvas, canvas, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    picture = b"," + struct.pack("<HHHHB", 0, 0, frame, frame, 0) + b"\x02\x02\x44\x01\0;"
    return b"GIF89a" + screen + before + picture


def bmp(side: int, compression: int, data: bytes, bits: int = 8) -> bytes:
    palette = bytes(4 << bits)
    start = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, bits, compression, len(data), 0, 0, 1 << bits, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data


def tiff(width: int, height: int, tags: Mapping[int, tuple[int, ...]], tail: bytes = b"", following: int = 0) -> bytes:
    """A gray TIFF. tags: number -> values, long; a single one is the place of the tail if it is -1."""
    whole = {256: (width,), 257: (height,), 258: (8,), 259: (1,), 262: (1,), 277: (1,), **tags}
    end = 14 + 12 * len(whole)
    start = end + sum(4 * len(values) for values in whole.values() if len(values) > 1)
    entries: list[bytes] = []
    extra = b""
    for tag, values in sorted(whole.items()):
        if len(values) == 1:
            entries.append(struct.pack("<HHII", tag, 4, 1, start if values[0] == -1 else values[0]))
        else:
            entries.append(struct.pack("<HHII", tag, 4, len(values), end + len(extra)))
            extra += struct.pack(f"<{len(values)}I", *values)
    directory = struct.pack("<IH", 8, len(entries)) + b"".join(entries) + struct.pack("<I", following)
    return b"II*\0" + directory + extra + tail


def tiff_of_large_tile(side: int) -> bytes:
    tile = packed_zeros(side * side)
    tags = {259: (8,), 322: (side,), 323: (side,), 324: (-1,), 325: (len(tile),)}
    return tiff(8, 8, tags, tile)


def big_tiff_of_tags(tags: int) -> bytes:
    return b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, tags) + struct.pack("<HHQQ", 256, 3, 1, 1) * tags + bytes(8)


def webp(canvas: int = 1, frames: int = 1) -> bytes:
    """An animated WebP of frames of one pixel."""
    pixel = encoded(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    frame = b"ANMF" + struct.pack("<I", 16 + len(pixel)) + bytes(12) + b"\1\0\0\0" + pixel
    size = (canvas - 1).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + size + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return b"RIFF" + struct.pack("<I", len(body) + len(frame) * frames) + body + frame * frames


def animation(suffix: str) -> bytes:
    first, *others = (Image.new("RGB", (4, 4), (20 * number, 0, 0)) for number in range(10))
    return encoded(first, suffix, save_all=True, append_images=others)


PROFILE = chunk(b"iCCP", b"x\0\0" + packed_zeros(MIB))
LOOK_ALIKES = {
    "empty": b"",
    "one byte": b"\xff",
    "text": b"GIF87a is how a GIF begins",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "pdf": b"%PDF-1.7\n" + jpeg(),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    "photoshop": b"8BPS\0\1" + bytes(40),
    "icon": encoded(Image.new("RGB", (16, 16)), "ICO"),
    "jpeg 2000": encoded(Image.new("RGB", (16, 16)), "JPEG2000"),
}
UNKNOWN = "not an image of"
TOO_MANY_PIXELS = "pixels allowed"
DAMAGED = "can't be decoded"
TOO_MANY_PARTS = "made of more than"

# Files of up to a megabyte: fit for a test of a few seconds.
ODDITIES: dict[str, Oddity] = {
    **{name: Oddity(partial(bytes, data), UNKNOWN) for name, data in LOOK_ALIKES.items()},
    "png of 40,000 x 40,000": Oddity(lambda: png(width=40_000, height=40_000), TOO_MANY_PIXELS),
    "png without height": Oddity(lambda: png(height=0), UNKNOWN),
    "png profile of 64 MiB": Oddity(lambda: png(chunk(b"iCCP", b"x\0\0" + packed_zeros(64 * MIB))), DAMAGED),
    "png text of 64 MiB": Oddity(lambda: png(chunk(b"zTXt", b"x\0\0" + packed_zeros(64 * MIB))), DAMAGED),
    "png of 200 profiles": Oddity(lambda: png(PROFILE * 200), "more than 64 parts b'iCCP'"),
    "png of 200 profiles at the end": Oddity(lambda: png(after=PROFILE * 200), "more than 64 parts b'iCCP'"),
    "png of 64 MiB more pixels": Oddity(lambda: png(pixels=chunk(b"IDAT", packed_zeros(64 * MIB)))),
    "png said to have 2**32 frames": Oddity(lambda: png(chunk(b"acTL", b"\xff" * 8))),
    "png animation": Oddity(lambda: animation("PNG")),
    "jpeg of 90 more scans": Oddity(lambda: jpeg_of_scans(64, 90)),
    "jpeg of 200 scans": Oddity(lambda: jpeg_of_scans(64, 200), "more than 100 scans"),
    "jpeg of 10,000 scans and 4 megapixels": Oddity(lambda: jpeg_of_scans(2_000, 10_000), "more than 100 scans"),
    "jpeg of 100 exif segments": Oddity(
        lambda: jpeg(after_start=segment(0xE1, b"Exif\0\0" + bytes(99)) * 100), "more than 64 parts"
    ),
    "jpeg of 300 comments": Oddity(lambda: jpeg(after_start=segment(0xFE, b"\xff\xda" * 9) * 300)),
    "jpeg without an end": Oddity(lambda: jpeg()[:-2], DAMAGED),
    "jpeg in which a second one lies": Oddity(lambda: jpeg() + jpeg(progressive=True) * 30),
    "gif of 65,535 x 65,535": Oddity(lambda: gif(canvas=65_535), TOO_MANY_PIXELS),
    "gif frame of 65,535 x 65,535": Oddity(lambda: gif(frame=65_535), TOO_MANY_PIXELS),
    "gif animation": Oddity(lambda: animation("GIF")),
    "bmp of 40,000 x 40,000": Oddity(lambda: bmp(40_000, 0, b""), TOO_MANY_PIXELS),
    "bmp of 5,001 x 5,001 in runs": Oddity(lambda: bmp(5_001, 1, b"\0\0" * 5_001), "25000000 pixels allowed"),
    "bmp in runs": Oddity(lambda: bmp(8, 1, b"\x08\1\0\0" * 8)),
    "tiff of 2**31 x 2**31": Oddity(lambda: tiff(2**31, 2**31, {273: (8,)}), TOO_MANY_PIXELS),
    "tiff tile of 10,001 x 10,001": Oddity(lambda: tiff_of_large_tile(10_001), TOO_MANY_PIXELS),
    "tiff of 120,000 strips": Oddity(
        lambda: tiff(1, 120_000, {273: (8,) * 120_000, 278: (1,)}), "more than 100000 strips or tiles"
    ),
    "tiff whose next page is itself": Oddity(lambda: tiff(1, 1, {273: (8,), 278: (1,), 279: (1,)}, following=8)),
    "tiff whose strip lies beyond its end": Oddity(lambda: tiff(8, 8, {273: (2**31,), 278: (8,)}), DAMAGED),
    "webp of 2**24 x 2**24": Oddity(lambda: webp(canvas=2**24), TOO_MANY_PIXELS),
    "webp of 10,000 frames": Oddity(lambda: webp(frames=10_000)),
    "one pixel": Oddity(lambda: png(width=1, height=1)),
    "line of 100,000 pixels": Oddity(lambda: encoded(Image.new("L", (100_000, 1)), "PNG"), "more than 200 to 1"),
    "line of 200 pixels": Oddity(lambda: encoded(Image.new("L", (1, 200)), "PNG")),
}

# Files near the limit of bytes or of pixels: for the benchmark.
LARGE_ODDITIES: dict[str, Oddity] = {
    "png flood of chunks": Oddity(lambda: png(flood(chunk(b"prIv"))), TOO_MANY_PARTS),
    "png flood of chunks at the end": Oddity(lambda: png(after=flood(chunk(b"prIv"))), TOO_MANY_PARTS),
    "png flood of profiles": Oddity(lambda: png(flood(PROFILE)), "more than 64 parts"),
    "png flood of empty pixel chunks": Oddity(lambda: png(pixels=flood(chunk(b"IDAT"))), TOO_MANY_PARTS),
    "png flood of texts": Oddity(lambda: png(flood(chunk(b"zTXt", b"x\0\0" + packed_zeros(MIB)))), DAMAGED),
    "png of as many pixels as allowed": Oddity(
        lambda: png(width=10_000, height=10_000, pixels=chunk(b"IDAT", packed_zeros(300_010_000)))
    ),
    "jpeg flood of scans": Oddity(lambda: jpeg_of_scans(2_000, 4_000_000), "more than 100 scans"),
    "jpeg flood of exif segments": Oddity(
        lambda: jpeg(after_start=flood(segment(0xE1, b"Exif\0\0" + bytes(5_000)))), "more than 64 parts"
    ),
    "jpeg flood of comments": Oddity(lambda: jpeg(after_start=flood(segment(0xFE))), TOO_MANY_PARTS),
    "jpeg of 64 megapixels and 90 more scans": Oddity(lambda: jpeg_of_scans(8_000, 90)),
    "gif flood of comments": Oddity(lambda: gif(before=b"!\xfe" + flood(b"\1x") + b"\0"), TOO_MANY_PARTS),
    "bmp flood of runs": Oddity(lambda: bmp(5_000, 1, flood(b"\1\1")), TOO_MANY_PARTS),
    "bmp flood of empty steps": Oddity(lambda: bmp(5_000, 1, flood(b"\0\2\0\0")), TOO_MANY_PARTS),
    "bmp of 25 megapixels in runs": Oddity(lambda: bmp(5_000, 2, (b"\xfa\1" * 20 + b"\0\0") * 5_000, bits=4)),
    "tiff flood of strips": Oddity(lambda: tiff(1, 10**7, {273: (8,) * 10**7, 278: (1,)}), "more than 100000 strips"),
    "tiff flood of tags": Oddity(lambda: big_tiff_of_tags(2_000_000), TOO_MANY_PARTS),
    "webp of 64 megapixels": Oddity(lambda: webp(canvas=8_000)),
    "webp flood of frames": Oddity(lambda: webp(frames=600_000)),
}
