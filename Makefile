# The few commands of the README. STACK=<name> chooses another stack than dev.
.DEFAULT_GOAL := up
.NOTPARALLEL:
SHELL := /bin/bash

run := node --import tsx commands

.PHONY: up status psql backup test drill publish-drills publish-bench bench down doctor env lint format build node_modules

up: node_modules ## bare machine to running stack; prints the connection strings
	@$(run)/up.ts

status: node_modules ## machines, nodes, members; serving and redundant
	@$(run)/status.ts

psql: node_modules ## a session on the primary
	@$(run)/psql.ts

backup: node_modules ## a backup now; TYPE=full, differential, incremental (default) or restore-test
	@$(run)/backup.ts

test: node_modules ## everything that proves the project; KEEP=1 keeps a stack it brought up
	@$(run)/test.ts

drill: node_modules ## breaks the stack under load and says what was lost; ARGS="--list", ARGS="--fault NAME --rounds 5"
	@$(run)/drill.ts

publish-drills: node_modules ## tables of README.md and docs/measurements.md from a run of make drill: RUN=<name>
	@$(run)/publish-drills.ts

publish-bench: node_modules ## the table of docs/measurements.md from a run of make bench: RUN=<name>
	@$(run)/publish-bench.ts

bench: node_modules ## throughput and latency: through HAProxy against direct, synchronous against asynchronous
	@$(run)/bench.ts

down: node_modules ## destroys the stack and leaves nothing behind; CONFIRM=<stack> for others than dev
	@$(run)/down.ts

doctor: node_modules ## what is here, what is official and what is a stand-in, what is missing
	@$(run)/doctor.ts

env: node_modules ## for eval "$$(make -s env)": a shell in which plain pulumi works on the stack
	@$(run)/env.ts

lint: node_modules ## ESLint, Prettier and the TypeScript compiler
	@npm run --silent lint

format: node_modules ## Prettier on everything
	@npm run --silent format

build: node_modules ## the tools that make up would make, without bringing anything up
	@$(run)/build.ts

node_modules: node_modules/.package-lock.json

# npm writes this file last: it tells a complete install from an interrupted one.
node_modules/.package-lock.json: package-lock.json
	@echo "Installing the npm packages ..." >&2
	@npm ci --no-audit --no-fund --loglevel=error >&2
	@touch $@
