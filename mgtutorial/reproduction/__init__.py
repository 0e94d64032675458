"""Part 4, reproduction: the papers' tables beside what was measured."""
