"""The records that come with the package are those that today's code would look for."""

from mgtutorial import _paths
from mgtutorial.training import protocols, records
from mgtutorial.training.recipes import recipe_of

RUNS = list(records.read(_paths.packaged_results() / "runs"))


def test_a_recorded_run_is_found_by_the_digest_of_its_config():
    # Otherwise a new field of a config would make every old run one that has to be repeated.
    assert RUNS
    for run in RUNS:
        assert records.run_digest(run.config, run.data) == run.digest, run.digest


def test_the_recipe_is_among_the_best_that_were_tried():
    """On validation images: the best, or within one standard error of it."""
    groups = {}  # what differs in its rate and its weight decay alone; of a fast run, in all ideas
    for run in RUNS:
        c = run.config
        if c.split == "fit":
            varied = {"lr", "weight_decay"}
            varied |= {"recipe", "epochs", "precision"} if run.budget == "fast" else set()
            rest = {k: v for k, v in run.choices.items() if k not in varied}
            tried = groups.setdefault(records.digest(rest), {})
            tried[c.lr, c.weight_decay, c.recipe, c.epochs, c.precision] = run
    assert sum(len(tried) > 1 for tried in groups.values()) >= 5
    for tried in groups.values():
        best = max(tried.values(), key=lambda run: run.metric.value)
        share, n = best.metric.value, best.evaluated_on.n
        decay = protocols.TrainConfig.weight_decay
        if best.budget == "fast":
            chosen = recipe_of(best.config.model, best.config.data)
            how = chosen["lr"], decay, chosen["recipe"], chosen["epochs"], "float32"
        else:
            rate = protocols.settings(best.budget, best.config.data)["lr"]
            how = rate, decay, None, best.config.epochs, "float32"
        recipe = tried[how]  # it was tried as well
        assert share - recipe.metric.value <= (share * (1 - share) / n) ** 0.5
