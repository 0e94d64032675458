# Each task is a function in make.py, which says what it does and how long it
# takes. Arguments: make test ARGS="-k data". Without make: python make.py test.
PYTHON ?= python3
TASKS := setup book test reproduce check-book pdf colab lab cells lint clean

.PHONY: help $(TASKS)
.NOTPARALLEL:

help:
	@$(PYTHON) make.py help

$(TASKS):
	@$(PYTHON) make.py $@ $(ARGS)
