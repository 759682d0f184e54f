"""Texts of whole programs, the kinds of octets that hold one, and surveys of them."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from jamliquor.data.services import NAMES, service_code, service_image, service_text
from jamliquor.pvm.assembler import AssemblyError, assemble
from jamliquor.pvm.image import Image, Kind, parse_image, recognise
from jamliquor.pvm.program import InvalidProgram, StandardProgram, encode_program
from jamliquor.pvm.source import build, listing
from jamliquor.pvm.survey import survey


def included(texts: dict[str, str]) -> Callable[[str], str]:
    def find(name: str) -> str:
        if name not in texts:
            raise FileNotFoundError(2, "No such file or directory")
        return texts[name]

    return find


def test_directives() -> None:
    image = build(
        """
        .metadata "a name" 0x21         ; a comment; "with quotes"
        .standard 0x2000 3
        .read_only "text; not a comment" 7
        .read_only x"c0ffee"
        .read_write 1 2
        .let SECOND READ_WRITE+1
        load_imm_64 r1, READ_ONLY
        load_imm_64 r2, SECOND
        load_imm_64 r3, ARGUMENT
        load_imm r4, SECOND-READ_WRITE_IS_NO_NUMBER
        """.replace("SECOND-READ_WRITE_IS_NO_NUMBER", "SECOND - 0x20000")
        + "ecalli write\n"
    )
    read_only = b"text; not a comment\7\xc0\xff\xee"
    code = "load_imm_64 r1, 0x10000\nload_imm_64 r2, 0x30001\nload_imm_64 r3, 0xfeff0000\n"
    blob = assemble(code + "load_imm r4, 0x10001\necalli 4")
    standard = StandardProgram(read_only, b"\1\2", 3, 0x2000, blob)
    assert image == Image(blob, standard, b"a name!")
    assert recognise(image.encode()) == image


def test_kinds() -> None:
    bare = build("trap")
    standard = build(".standard 0 0\ntrap")
    service = build('.standard 0 0\n.metadata ""\ntrap')
    assert [image.kind for image in (bare, standard, service)] == list(Kind)
    for image in (bare, standard, service):
        assert recognise(image.encode()) == image
        assert build(listing(image)) == image
        assert parse_image(image.encode(), image.kind) == image


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("trap\n.standard 1", "line 2"),
        (".standard 1 2\n.standard 1 2", "line 2"),
        (".standard 0x1000000 0", "line 1"),
        (".standard 0 65536", "line 1"),
        ('.standard 0 0\n.read_only "open', "line 2"),
        (".standard 0 0\n.read_only 256", "line 2"),
        (".standard 0 0\n.read_only word", "line 2"),
        (".read_only 1", "line 1"),
        ("trap\n\n.include missing", "line 3"),
        ('trap\n\n.include "missing"', "line 3"),
        ('.include "itself"', "itself, line 1"),
        ('trap\n.include "broken"\ntrap', "broken, line 2"),
        ('.include "fine"\n\nnonsense', "line 3"),
        ("load_imm r1, UNKNOWN", "line 1"),
        (".let 1 2", "line 1"),
        (".let A", "line 1"),
        (".let A 1\nload_imm r1, A+B", "line 2"),
        (".jumps", "line 1"),
        (".jumps 256", "line 1"),
        (".jumps 1 0\n.jumps 1 0", "line 2"),
        ("load_imm_64 r1, 0x10000000000000000", "line 1"),
    ],
)
def test_errors_say_where(text: str, where: str) -> None:
    texts = {"itself": '.include "itself"', "broken": "trap\nnonsense", "fine": "trap\ntrap"}
    with pytest.raises(AssemblyError) as caught:
        build(text, included(texts))
    assert str(caught.value).startswith(where + ": ")


def test_without_a_finder_nothing_is_included() -> None:
    with pytest.raises(AssemblyError, match="nothing can be included"):
        build('.include "file"')


def test_data_that_is_too_large() -> None:
    row = '.read_only x"' + "00" * (1 << 20) + '"\n'
    with pytest.raises(AssemblyError, match="larger than"):
        build(".standard 0 0\n" + row * 16)


@pytest.mark.parametrize("kind", Kind)
def test_errors_in_octets_say_where(kind: Kind) -> None:
    code = service_code("echo")
    image = service_image("echo")
    whole = {Kind.PROGRAM: image.code, Kind.SERVICE: code, Kind.STANDARD: code[15:]}[kind]
    assert parse_image(whole, kind).code == image.code
    for cut in range(len(whole)):
        with pytest.raises(InvalidProgram) as caught:
            parse_image(whole[:cut], kind)
        assert caught.value.offset in (0, 2, cut), "a length, or the end"
    with pytest.raises(InvalidProgram) as caught:
        parse_image(whole + b"\0", kind)
    assert caught.value.offset == len(whole)


def test_the_inner_program_is_judged_at_its_place() -> None:
    code = bytearray(service_code("echo"))
    code[-1] |= 0x80
    with pytest.raises(InvalidProgram) as caught:
        parse_image(bytes(code), Kind.SERVICE)
    assert caught.value.offset == len(code) - 1
    with pytest.raises(InvalidProgram, match=r"no program blob.*no standard program.*no service code"):
        recognise(bytes(code))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_octets_are_refused_or_round_trip(seed: int) -> None:
    source = random.Random(seed)
    codes = [service_code(name) for name in NAMES]
    accepted = 0
    for _ in range(100):
        damaged = bytearray(source.choice(codes))
        at = source.randrange(len(damaged))
        damaged[at : at + source.choice((0, 1, 1, 1))] = source.randbytes(1)
        try:
            image = recognise(bytes(damaged))
        except InvalidProgram:
            continue
        assert build(listing(image)).encode() == damaged
        accepted += 1
    assert accepted


@pytest.mark.parametrize("seed", range(4))
def test_damaged_texts_are_assembled_or_refused(seed: int) -> None:
    source = random.Random(seed)
    lines = (service_text("key_value") + service_text("common")).splitlines()
    pieces = (
        '"',
        ";",
        ":",
        "+",
        "-",
        ",",
        ".jumps ",
        ".let ",
        "999999999999999999999",
        "é",
        "r13",
        " ",
    )
    refused = 0
    for _ in range(100):
        text = "\n".join(source.sample(lines, 20))
        at = source.randrange(len(text))
        text = text[:at] + source.choice(pieces) + text[at + source.randrange(3) :]
        try:
            build(text).encode()
        except AssemblyError:
            refused += 1
    assert refused


def test_survey() -> None:
    record = survey(service_image("echo"))
    assert record["kind"] == "service code"
    assert record["metadata"] == "jamliquor echo"
    assert record["exports"] == {"refine or is_authorized": 0, "accumulate": 5}
    assert record["imports"] == {"1 fetch": 1, "4 write": 1, "25 yield": 1, "100 log": 1}
    assert sum(record["mix"].values()) == record["instructions"]
    assert record["mix"]["ecalli"] == 4


def test_survey_of_odd_code() -> None:
    blob = encode_program(bytes((0, 254, 10, 77)), [0, 1, 2])
    record = survey(Image(blob))
    assert record["mix"] == {"(no such opcode)": 1, "ecalli": 1, "trap": 1}
    assert record["imports"] == {"77 (no such host call)": 1}
    assert record["exports"] == {}
    assert record["basic_blocks"] == 1
