# The commands a person types. What they do is in scripts/.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3

##@ The stack
.PHONY: up down clean logs ps jobs shell mta-config sieve

up:  ## Start the stack, from a bare machine if need be
	@$(PYTHON) -m scripts.up

down:  ## Stop the stack; mail, lists and archives stay
	@docker compose down

clean:  ## Stop the stack and delete its data, after asking (FORCE=yes: without)
	@$(PYTHON) -m scripts.clean

logs:  ## Follow the logs, of one service with S=core
	@docker compose logs --follow --tail=100 $(S)

ps:  ## Show the services and their health
	@docker compose ps

jobs:  ## Show when each scheduled job last succeeded
	@docker compose exec core python -m mailman_stack.core.jobs
	@docker compose exec qcluster django-admin jobs

shell:  ## Open a shell in a service: S=core
	@docker compose exec $(or $(S),core) bash

mta-config:  ## Print what the host's own MTA needs, with MTA=none and HOST_MTA
	@docker compose run --rm --no-deps --no-TTY web python -m mailman_stack.show host

sieve:  ## Print the Sieve rule for a mailbox that fetchmail reads
	@docker compose run --rm --no-deps --no-TTY web python -m mailman_stack.show sieve

##@ Development
.PHONY: test lint unit integration e2e lists browser host uberspace upstream-tests bench bench-search settings lock help

test:  ## Run every check below
	@$(PYTHON) -m scripts.test

lint:  ## Check code, images, scripts and YAML without running them
unit:  ## Test single modules (ARGS="-k name" selects tests, here and below)
integration:  ## Test services with those they need
e2e:  ## Test the whole stack by mail and in a browser (MTA=exim or MTA=sendmail: with that MTA)
lists:  ## Of e2e only what a list does
browser:  ## Of e2e only the web interface, in a headless browser
host:  ## Test MTA=none with each mail server on a host
uberspace:  ## Test MTA=none with a mailbox and a smarthost
lint unit integration e2e lists browser host uberspace:
	@$(PYTHON) -m scripts.test $@

upstream-tests:  ## Run the tests of Mailman's own parts in our images, on our database
	@$(PYTHON) -m scripts.test upstream

bench:  ## Measure this stack beside upstream's defaults and Debian's packages (QUICK=1: in ten minutes)
	@$(PYTHON) -m scripts.bench

bench-search:  ## Measure full-text search with Xapian and with Whoosh (MESSAGES=500: a trial)
	@$(PYTHON) -m scripts.toolbox env PYTHONPATH=src MESSAGES=$(MESSAGES) LIMIT=$(LIMIT) \
		python -m benchmarks.search

settings:  ## Write .env.example and docs/settings.md anew from the declared settings
	@$(PYTHON) -m scripts.toolbox env PYTHONPATH=src python -m mailman_stack.reference

lock:  ## Write the locked requirements anew from pyproject.toml
	@$(PYTHON) -m scripts.toolbox sh requirements/lock.sh

help:  ## Show this list
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
