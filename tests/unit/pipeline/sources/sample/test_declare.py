"""The declarations that the sample ships are right, fit its logs, and give way to the user's own."""

import gzip
import re

from pipeline.decisions.campaigns.campaign import load_campaigns
from pipeline.decisions.experiments.experiment import load_experiment
from pipeline.decisions.interventions.declaration import load_declaration
from pipeline.runtime.settings import Settings
from pipeline.sources.sample import generate
from pipeline.sources.sample.ads import CAMPAIGNS
from pipeline.sources.sample.clock import LAST_DAY
from pipeline.sources.sample.declare import declare


def test_every_declaration_can_be_read_and_its_days_lie_in_the_log(home: Settings) -> None:
    names = [file.relative_to(home.home).as_posix() for file in declare(home.home)]
    assert names == ["campaigns/promo.toml", "campaigns/spring.toml", "experiments/banner.toml", "interventions.toml"]
    declaration = load_declaration(home)
    assert declaration is not None
    assert [kind.name for kind in declaration.kinds] == ["price_drop", "return_risk", "fading_regular", "due_again"]
    experiment = load_experiment(home, "banner")
    assert experiment.last_day < LAST_DAY.isoformat()


def test_arms_are_the_campaigns_that_the_logs_name(home: Settings) -> None:
    declare(home.home)
    generate(home.landing, events=3000, days=1, seed=7)
    day = LAST_DAY.isoformat()
    with gzip.open(home.landing / "webshop" / f"{day}.jsonl.gz", "rt") as lines:
        shown = set(re.findall(r'"campaign":"([^"]+)"', lines.read()))
    arms = {campaign.name: {arm.campaign_id for arm in campaign.arms} for campaign in load_campaigns(home)}
    assert len(arms["spring"]) == len(arms["promo"]) == CAMPAIGNS
    assert shown
    assert shown <= arms["spring"]


def test_a_file_that_is_there_stays_as_it_is(home: Settings) -> None:
    own = home.home / "interventions.toml"
    own.write_text("# mine\n")
    assert own not in declare(home.home)
    assert own.read_text() == "# mine\n"
    assert declare(home.home) == []
