"""The records that come with the package are those that today's code would look for."""

import pytest

from mgtutorial import models, protocols, records

RUNS = list(records.read(records.shipped() / "runs"))


@pytest.mark.parametrize("run", RUNS, ids=lambda r: r["digest"])
def test_a_recorded_run_is_found_by_the_digest_of_its_config(run):
    # Otherwise a new field of a config would make every old run one that has to be repeated.
    config = dict(run["config"])
    made = protocols.TrainConfig(**{**config, "model": models.from_dict(config["model"])})
    found = records.digest({"config": made.as_dict(), "data": run["data"]["digest"]})
    assert found == run["digest"]
