"""What the documents point to is there: links, headings, and the files they name."""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"[a-z]+:")  # https:, mailto:
CODE = re.compile(r"`([^`\n]+)`")
NAMED_FILE = re.compile(r"[\w.-]+(/[\w.-]+)+\.[a-z]+|[\w.-]+(/[\w.-]+)*/")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
MADE_LATER = {"var/"}  # by the first start


def broken(document: Path, root: Path) -> list[str]:
    """The links and the named files of a document that lead nowhere."""
    text = FENCED.sub("", document.read_text())
    links = [link for link in LINK.findall(text) if not ELSEWHERE.match(link)]
    named = [code for code in CODE.findall(text) if NAMED_FILE.fullmatch(code)]
    return [link for link in links if not leads_somewhere(document, link)] + [
        name for name in named if name not in MADE_LATER and not (root / name).exists()
    ]


def leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = document.parent / path if path else document
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(document: Path) -> set[str]:
    """Every heading as a link writes it; one that comes again has a number."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in HEADING.findall(FENCED.sub("", document.read_text())):
        words = re.sub(r"[^\w\- ]", "", LINK.sub("", heading).strip().lower())
        anchor = words.replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_all_it_points_to_is_there(document):
    assert broken(document, ROOT) == []


def test_every_document_is_linked_from_another():
    linked = {
        (document.parent / link.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for link in LINK.findall(document.read_text())
    }
    assert [path.name for path in DOCUMENTS if path not in linked | {ROOT / "README.md"}] == []


@pytest.fixture
def page(tmp_path):
    """A document of these words, in a folder with one other and one program."""
    (tmp_path / "other.md").write_text("# Other\n\n## What's `here`?\n\n## Twice\n\n## Twice\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "code.py").touch()

    def write(words: str) -> Path:
        document = tmp_path / "page.md"
        document.write_text(words)
        return document

    return write


@pytest.mark.parametrize(
    "words",
    [
        "[a](other.md) [b](other.md#whats-here) [c](lib/code.py) [d](#mine)\n\n# Mine",
        "[a](other.md#twice) [b](other.md#twice-1) [c](other%2Emd)",
        "[a](https://example.org/gone.md) <https://example.org>",
        "`lib/code.py` `lib/` `scripts/serve --all` `/lib/gone.py` `gone.py` `1/s`",
        "```sh\ncat lib/gone.py  # `lib/gone.py`, [a](gone.md)\n```",
    ],
)
def test_what_is_there_is_found(page, tmp_path, words):
    assert broken(page(words), tmp_path) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("[a](gone.md)", "gone.md"),
        ("[a](other.md#gone)", "other.md#gone"),
        ("[a](other.md#twice-2)", "other.md#twice-2"),
        ("[a](#gone)\n\n# Mine", "#gone"),
        ("see `lib/gone.py`", "lib/gone.py"),
        ("see `gone/`", "gone/"),
        ("```sh\nls\n```\n[a](gone.md)\n```sh\nls\n```", "gone.md"),
    ],
)
def test_what_is_not_there_is_told(page, tmp_path, words, found):
    assert broken(page(words), tmp_path) == [found]
