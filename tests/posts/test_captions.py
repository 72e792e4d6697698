"""Captions that image files carry: where they are found, how they are read, and which files are refused."""

import json
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFile, TiffImagePlugin

from gemel.core.errors import DataError, ImageError
from gemel.posts import captions
from gemel.posts.captions import Caption, read_caption
from gemel.posts.captions_import import import_captions, rejected_path
from gemel.posts.requests import read_requests

UTF_8 = (1, 90, b"\x1b%G")


def iptc(*fields: tuple[int, int, bytes]) -> bytes:
    """An IPTC block of fields (record, data set, value)."""
    return b"".join(
        b"\x1c" + struct.pack(">BBH", record, number, len(value)) + value for record, number, value in fields
    )


def xmp(inner: str, head: str = "") -> bytes:
    """An XMP packet whose description holds `inner`."""
    spaces = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    people = 'xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    about = f'<rdf:Description rdf:about="" {people}>{inner}</rdf:Description>'
    return f'{head}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {spaces}>{about}</rdf:RDF></x:xmpmeta>'.encode()


def described(**texts: str) -> str:
    """A dc:description by language; _ stands for - in its name."""
    items = "".join(
        f'<rdf:li xml:lang="{language.replace("_", "-")}">{text}</rdf:li>' for language, text in texts.items()
    )
    return f"<dc:description><rdf:Alt>{items}</rdf:Alt></dc:description>"


def listed(tag: str, *items: str) -> str:
    return f"<{tag}><rdf:Bag>{''.join(f'<rdf:li>{item}</rdf:li>' for item in items)}</rdf:Bag></{tag}>"


def picture(form: str = "JPEG", fields: bytes = b"", packet: bytes = b"", description: Any = None) -> bytes:
    """An image with an IPTC block, an XMP packet and an EXIF description."""
    image, file, options = Image.new("RGB", (8, 8)), BytesIO(), {}
    exif = image.getexif()
    if description is not None:
        exif[0x010E] = description
        options["exif"] = exif
    if form == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        for tag, value in ((33723, fields), (700, packet)):
            if value:
                tags[tag], tags.tagtype[tag] = value, 1 if tag == 700 else 7
        options = {"tiffinfo": tags}
    elif form == "PNG" and packet:
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", packet.decode())
    elif packet:
        options["xmp"] = packet
    image.save(file, form, **options)
    content = file.getvalue()
    if form == "JPEG" and fields:
        resource = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(fields)) + fields + b"\0" * (len(fields) % 2)
        segment = b"Photoshop 3.0\0" + resource
        content = content[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + content[2:]
    return content


def text_of(data: bytes) -> str:
    return read_caption(data, "a.jpg").text


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_iptc_caption_is_the_text(form: str) -> None:
    data = picture(form, iptc((2, 120, b"A jaguar at dusk"), (2, 105, b"Jaguar")))
    assert read_caption(data, "a") == Caption("A jaguar at dusk", "IPTC", ())


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_xmp_description_is_the_text(form: str) -> None:
    data = picture(form, packet=xmp(described(x_default="Ein Jägüär")))
    assert read_caption(data, "a") == Caption("Ein Jägüär", "XMP", ())


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_exif_description_is_the_text_of_last_resort_but_the_headline(form: str) -> None:
    assert read_caption(picture(form, description="A jaguar"), "a") == Caption("A jaguar", "EXIF", ())


def test_headline_stands_in_for_a_caption() -> None:
    assert read_caption(picture(fields=iptc((2, 105, b"Jaguar seen"))), "a") == Caption("Jaguar seen", "headline", ())


def test_xmp_goes_before_iptc_and_iptc_before_exif() -> None:
    fields = iptc((2, 120, b"iptc"))
    assert text_of(picture("JPEG", fields, xmp(described(en="xmp")), "exif")) == "xmp"
    assert text_of(picture("JPEG", fields, xmp(described(en=" ")), "exif")) == "iptc"


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ({"de": "Katze", "x_default": "Cat", "fr": "Chat"}, "Cat"),
        ({"de": "Katze", "fr": "Chat"}, "Katze"),
        ({"de": "Katze", "x_default": ""}, "Katze"),
    ],
)
def test_default_language_goes_before_the_first(texts: dict[str, str], wanted: str) -> None:
    assert text_of(picture(packet=xmp(described(**texts)))) == wanted


def test_description_without_languages_is_read() -> None:
    assert text_of(picture(packet=xmp("<dc:description>A cat</dc:description>"))) == "A cat"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ([UTF_8, (2, 120, "Jägüär 🐆".encode())], "Jägüär 🐆"),
        ([(2, 120, "Jägüär".encode())], "Jägüär"),
        ([(2, 120, "Jägüär".encode("latin-1"))], "Jägüär"),
        ([UTF_8, (2, 120, "Jägüär".encode("latin-1"))], "Jägüär"),
        ([(1, 90, b"\x1b.A"), (2, 120, "Ã¤".encode("latin-1"))], "Ã¤"),
    ],
    ids=["stated", "not stated", "latin", "wrongly stated", "latin stated"],
)
def test_iptc_is_utf_8_where_it_can_be_and_else_latin_1(fields: list[tuple[int, int, bytes]], wanted: str) -> None:
    assert text_of(picture(fields=iptc(*fields))) == wanted


def test_exif_in_utf_8_is_read_as_such() -> None:
    assert text_of(picture(description="Jägüär".encode())) == "Jägüär"


def test_control_characters_and_line_breaks_become_spaces() -> None:
    assert text_of(picture(fields=iptc((2, 120, b" A\0 cat\r\n\x1b[31mand\x85 a dog\x07 ")))) == "A cat [31mand a dog"


def test_people_and_keywords_are_the_names_each_once() -> None:
    packet = xmp(listed("ext:PersonInImage", "Ann Lee") + listed("dc:subject", "cat", "Oslo"))
    fields = iptc((2, 25, b"cat"), (2, 25, b"dog"), (2, 25, b""), (2, 25, b"x" * 300))
    assert read_caption(picture("JPEG", fields, packet), "a").names == ("Ann Lee", "cat", "Oslo", "dog")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_image_without_a_caption_has_none(form: str) -> None:
    assert read_caption(picture(form), "a") == Caption("", None, ())


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY b SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (xmp(described(en="&b;"), ENTITIES), "EntitiesForbidden"),
        (xmp(described(en="&b;"), EXTERNAL), "EntitiesForbidden"),
        (xmp(described(en="cat"))[:-9], "ParseError"),
        (b"\xff\xfe\x00", "ParseError"),
    ],
    ids=["bomb", "file", "cut", "bytes"],
)
def test_hostile_or_broken_xmp_is_refused(packet: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=rf"a\.jpg: its XMP can't be read \({words}"):
        text_of(picture(packet=packet))


def test_deep_xmp_is_read() -> None:
    assert text_of(picture("TIFF", packet=xmp("<a>" * 100_000 + described(en="cat") + "</a>" * 100_000))) == "cat"


@pytest.mark.parametrize("kind", ["XMP", "IPTC"])
def test_too_much_metadata_is_refused_unread(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(captions, "MOST_METADATA", 10)
    data = picture("TIFF", iptc((2, 120, b"A jaguar")), xmp("") if kind == "XMP" else b"")
    with pytest.raises(ImageError, match=rf"\d+ bytes of {kind}, more than the 10 allowed"):
        text_of(data)


def test_very_long_caption_is_refused_and_not_cut() -> None:
    with pytest.raises(ImageError, match="a caption of 10001 characters, more than the 10000 allowed"):
        text_of(picture(fields=iptc((2, 120, b"x" * 10_001))))
    assert len(text_of(picture(fields=iptc((2, 120, b"x" * 10_000))))) == 10_000


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pixels_are_not_decoded(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    data = picture(form, packet=xmp(described(en="cat")))

    def decoded(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    assert text_of(data) == "cat"


def test_bounds_of_images_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemel.core.image_bounds.MAX_PIXELS", 10)
    with pytest.raises(ImageError, match="8 x 8 is more than the 10 pixels allowed"):
        text_of(picture())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photographs: two with captions, one of them in a folder below, one without, a broken one, and a text."""
    folder = tmp_path / "photos"
    (folder / "1999").mkdir(parents=True)
    fields = iptc((2, 120, b"Jaguars and a cat in Oslo: the jaguar slept"), (2, 25, b"jaguar"), (2, 25, b"Oslo"))
    (folder / "1999" / "b.JPG").write_bytes(picture(fields=fields))
    (folder / "a.tif").write_bytes(picture("TIFF", iptc((2, 120, b"A cat"), (2, 25, b"dog"))))
    (folder / "c.png").write_bytes(picture("PNG"))
    (folder / "d.jpg").write_bytes(b"no image")
    (folder / "notes.txt").write_text("no image")
    return folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_folder_becomes_posts_and_the_rest_is_kept_with_its_reason(folder: Path) -> None:
    target = folder.with_name("posts.jsonl")
    report = import_captions(folder, target)
    counts = {
        "images": 4,
        "posts": 2,
        "text from IPTC": 2,
        "without mentions": 1,
        "without caption": 1,
        "unreadable": 1,
    }
    assert report.counts() == counts
    first, second = lines(target)
    mentions = [{"mention": "Oslo", "start": 21, "end": 25}, {"mention": "jaguar", "start": 31, "end": 37}]
    assert first == {
        "id": "1999/b.JPG",
        "image": "photos/1999/b.JPG",
        "text": "Jaguars and a cat in Oslo: the jaguar slept",
        "mentions": mentions,
    }
    assert (second["id"], second["mentions"]) == ("a.tif", [])
    rejected = lines(rejected_path(target))
    assert [row["image"] for row in rejected] == ["c.png", "d.jpg"]
    assert rejected[0]["reason"] == "no caption"
    assert rejected[1]["reason"].startswith("not an image of JPEG")


def test_posts_are_those_that_gemel_link_reads(folder: Path) -> None:
    target = folder / "out" / "posts.jsonl"
    import_captions(folder, target)
    post = next(read_requests(target))
    assert [mention.text for mention in post.mentions] == ["Oslo", "jaguar"]
    assert post.image.resolve() == folder / "1999" / "b.JPG"


def test_same_folder_gives_the_same_bytes(folder: Path) -> None:
    target = folder.with_name("posts.jsonl")
    import_captions(folder, target)
    first = target.read_bytes()
    import_captions(folder, target)
    assert target.read_bytes() == first


def test_name_that_is_not_utf_8_is_kept_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "caf\udce9.jpg").write_bytes(picture())
    import_captions(tmp_path / "photos", tmp_path / "posts.jsonl")
    assert lines(tmp_path / "posts.rejected.jsonl") == [{"image": "caf\\xe9.jpg", "reason": "its name is not UTF-8"}]


def test_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images in it; their files end in \.bmp"):
        import_captions(tmp_path, tmp_path / "posts.jsonl")
    with pytest.raises(DataError, match="no such folder of images"):
        import_captions(tmp_path / "no", tmp_path / "posts.jsonl")


def test_failure_leaves_the_former_posts_and_no_drafts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = folder.parent / "out" / "posts.jsonl"
    import_captions(folder, target)
    before = target.read_bytes()

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("gemel.posts.captions_import.json_line", full)
    with pytest.raises(DataError, match="the import could not be written"):
        import_captions(folder, target)
    assert target.read_bytes() == before
    assert sorted(path.name for path in target.parent.iterdir()) == ["posts.jsonl", "posts.rejected.jsonl"]
