"""The pages of docs/ say what is true of the code beside them, and every link of any page leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliveries.deciders.own_types import OWN_TYPES
from hub.metrics.page import HubCollector
from webhooks.deciders.schemes import SCHEMES

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]


def prose(page: Path) -> str:
    """Without its code, where a bracket is no link and a `#` no heading."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What its headings are called in an address, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Where those lead that stay in this house: a file or folder, and an anchor or nothing."""
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`", "", prose(page))):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (page.parent / path if path else page).resolve(), anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_what_is_there(page: Path) -> None:
    astray = [
        (str(path.relative_to(ROOT)), anchor)
        for path, anchor in links(page)
        if not path.exists() or (anchor and anchor not in anchors(path))
    ]
    assert astray == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_to_copy_has_a_comment_which_a_shell_may_take_for_words(page: Path) -> None:
    """zsh does, where one types."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert [line for line in lines if re.search(r"(^|\s)#", line)] == []


def test_every_page_and_picture_is_one_step_from_the_readme_or_from_a_page_that_is() -> None:
    shown = {path for page in [ROOT / "README.md", *DOCS] for path, _ in links(page)}
    assert {path for path, _ in links(ROOT / "README.md")} >= set(DOCS)
    assert shown >= set((ROOT / "docs").iterdir())


def test_the_list_of_senders_is_the_table_of_schemes() -> None:
    listed = re.findall(
        r"^\| `([a-z0-9-]+)` \| ([^|]+) \|", (ROOT / "docs/sources.md").read_text(), re.MULTILINE
    )
    assert listed == [(row.slug, row.label) for row in SCHEMES.values()]


def test_the_readme_names_every_provider() -> None:
    told = (ROOT / "README.md").read_text().partition("\n## Who may send\n")[2].partition("\n## ")[0]
    names = [re.split(r",? \(|, ", row.label)[0] for row in SCHEMES.values() if row.docs_url]
    assert len(names) > 30
    assert [name for name in names if not re.search(rf"\b{name}\b", told)] == []


def test_the_table_of_what_weir_tells_of_itself_names_every_type_and_each_field() -> None:
    """A row may be of two types that say the same."""
    rows = re.findall(
        r"^\| (`weir\.[^|]+)\|[^|]+\|([^|]+)\|", (ROOT / "docs/subscribers.md").read_text(), re.MULTILINE
    )
    told = {
        name: set(re.findall(r"`(\w+)`", fields))
        for names, fields in rows
        for name in re.findall(r"`([\w.]+)`", names)
    }
    assert told == {each.name: set(each.fields) for each in OWN_TYPES.values()}


@pytest.mark.django_db
def test_the_table_of_metrics_names_every_one_and_no_other() -> None:
    rows = re.findall(r"^\| `weir_[^|]+\|", (ROOT / "docs/watching.md").read_text(), re.MULTILINE)
    named = set(re.findall(r"`(weir_[a-z_]+)`", "".join(rows)))
    ending = {"counter": "_total", "info": "_info"}
    assert named == {family.name + ending.get(family.type, "") for family in HubCollector().collect()}
