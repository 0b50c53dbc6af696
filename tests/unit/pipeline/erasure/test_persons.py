"""Who is meant: one id of a person leads to all of them."""

import pytest

from pipeline.erasure.landed_records import remove_identities
from pipeline.erasure.names import Names
from pipeline.erasure.persons import find_persons
from pipeline.erasure.words import words_of
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.publish import publish
from pipeline.tables.registry import IDENTITIES
from tests.unit.pipeline.staged_factory import DAY, pass_audit, stage

MAPPED = "platform,raw_id,person_id\nweb,w-100200,P1\nmarket,99,P1\nweb,w-300400,P2\n"

SOURCE = """
platform = "{platform}"
timezone = "UTC"
delivery = {{ path = "{platform}/{{ds}}.csv", format = "csv", columns = ["a"] }}
event = {{ user_id = "a", item_id = "a", event_type = "a", event_time = "a" }}
"""


@pytest.fixture
def joined(home: Settings) -> Settings:
    (home.landing / "identity.csv").write_text(MAPPED)
    home.sources.mkdir(exist_ok=True)
    for platform in ("web", "market"):
        (home.sources / f"{platform}.toml").write_text(SOURCE.format(platform=platform))
    return home


def hashed(home: Settings, identity: str) -> str:
    return pseudonym(load_user_key(home.home), identity)


def test_any_id_leads_to_the_whole_person(joined: Settings) -> None:
    """The pseudonym of the person, and those that the ids had before the map joined them."""
    users = {hashed(joined, it) for it in ("web:w-100200", "market:99", "person:P1")}
    for named in ("web:w-100200", "market:99", *users):
        found = find_persons(joined, [named])
        assert found.users == users
        assert found.raw_ids == {("web", "w-100200"), ("market", "99")}
        assert found.person_ids == {"P1"}


def test_a_user_whom_no_map_knows(joined: Settings) -> None:
    assert find_persons(joined, ["web:solo"]).users == {hashed(joined, "web:solo")}
    assert find_persons(joined, ["a" * 32]).users == {"a" * 32}
    with pytest.raises(UsageError, match="found 'solo'"):
        find_persons(joined, ["web:solo", "solo"])


def test_only_telling_ids_are_searched_for(joined: Settings) -> None:
    """99 may be any number; `P1` any label: only with its platform is it a name."""
    words = words_of(joined, find_persons(joined, ["market:99"]), {}, set())
    assert {"w-100200", "web:w-100200", hashed(joined, "person:P1")} <= words.names
    assert not {"99", "market:99", "P1"} & words.names
    assert words.ordinary == {"99", "P1"}


def test_an_account_that_has_moved_is_another_s(joined: Settings) -> None:
    """w-100200 was P1's until March 2024, and 99 has left P1 since the last load."""
    rows = "web,w-100200,P1,\nweb,w-100200,P2,2024-03-01\nweb,w-500600,P1,\n"
    (joined.landing / "identity.csv").write_text("platform,raw_id,person_id,since\n" + rows)
    account = {it: hashed(joined, it) for it in ("web:w-100200", "web:w-500600", "market:99", "person:P1")}
    known = [(account["web:w-100200"], "2024-02-01"), (account["market:99"], "2024-02-01")]
    put = [{"account_id": it, "user_id": account["person:P1"], "since_ds": since, "ds": DAY} for it, since in known]
    pass_audit(joined, stage(joined, "identities", {DAY: put}, run="r"))
    publish(joined, IDENTITIES, "r")
    found = find_persons(joined, ["web:w-500600"])
    assert found.users == {account["web:w-500600"], account["person:P1"]}
    assert found.raw_ids == {("web", "w-500600")}
    assert remove_identities(joined, found) == 2, "also the row that names P1 for another's account"
    left = (joined.landing / "identity.csv").read_text()
    assert left == "platform,raw_id,person_id,since\nweb,w-100200,P2,2024-03-01\n"
    assert find_persons(joined, ["market:99"]).users == {account["market:99"]}


def test_the_map_forgets_the_person_alone(joined: Settings) -> None:
    assert remove_identities(joined, find_persons(joined, ["market:99"])) == 2
    left = (joined.landing / "identity.csv").read_text()
    assert left == "platform,raw_id,person_id\nweb,w-300400,P2\n"
    assert remove_identities(joined, find_persons(joined, ["market:99"])) == 0


def test_names_are_whole_words() -> None:
    names = Names(["web:u12", "u12345"])
    content = b"web:u12, web:u123, xu12345, u12345\nu12345_, (u12345)"
    assert [content[a:b] for a, b in names.spans(content)] == [b"web:u12", b"u12345", b"u12345"]
    assert Names([]).spans(b"anything") == []
