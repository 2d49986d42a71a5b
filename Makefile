# Thin: the commands are those of the package course/, which work without make too.
# Works with GNU make 3.81 (macOS) and a plain sh.

VENV = .venv
PY = $(VENV)/bin/python
# What learners need is in the first, what building and testing needs besides in the second.
STAMP = $(VENV)/installed
DEV = $(VENV)/installed-dev
PIP = $(PY) -m pip install --quiet --disable-pip-version-check
FAILED = { echo "The packages could not be installed (see above): try the same command again." >&2; \
  exit 1; }
# What was given on make's command line (LESSONS=00 SOURCE=folder ...), quoted for the shell.
GIVEN = '$(subst ','\'',$(MAKEOVERRIDES))'

.PHONY: help course test check refresh lab serve notebooks site record test-matrix clean

help: ## list the targets
	@echo "make TARGET, where TARGET is"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1	\2/p' Makefile
	@echo "PYTHON=/path/to/python3 chooses the Python (3.11-3.13) that $(VENV) is made from."

course: $(STAMP) ## run the lessons: LESSONS=00 SOURCE=folder|kaggle|synthetic|auto ALPHA=1.0 ...
	@$(PY) -m course run --make $(GIVEN)

test: $(DEV) ## run the whole test suite
	@$(PY) -m course test

check: $(DEV) ## ruff, import-linter, what is stale, and the quick tests
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(VENV)/bin/lint-imports --no-logo
	@$(PY) -m course status
	@$(PY) -m course test -m "not slow"

lab: $(STAMP) ## open JupyterLab on your own copies of the lessons (my_notebooks/)
	@$(PY) -m course lab

serve: $(STAMP) ## start the prediction service and its page on http://127.0.0.1:8000
	@$(PY) -m course serve

notebooks: $(DEV) ## rebuild the notebooks and the README from their sources
	@$(PY) -m course notebooks

site: $(DEV) ## build the web book in site/_build/html
	@$(PY) -m course site

record: $(DEV) ## run the quickstart on real images with seeds 0-4 and record it in results/
	@$(PY) -m course record --make $(GIVEN)

refresh: $(DEV) ## make anew whatever is stale: models, records, notebooks, pages
	@$(PY) -m course refresh

test-matrix: $(DEV) ## run the lessons in other environments: ROWS=colab,offline LESSONS=00 ...
	@$(PY) -m course test-matrix --make $(GIVEN)

clean: ## remove what was installed and what runs left (data/ and my_notebooks/ stay)
	rm -rf $(VENV) runs site/_build .pytest_cache .ruff_cache .import_linter_cache *.egg-info

# The stamp is written last: an interrupted install, or a changed lock, starts afresh.
$(STAMP): requirements.lock
	@rm -f $@; found=; bare=; \
	for p in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11); do \
	  "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	    >/dev/null 2>&1 || continue; \
	  if "$$p" -c 'import ensurepip, venv' >/dev/null 2>&1; then found=$$p; break; fi; \
	  bare=$${bare:-$$p}; \
	done; \
	if [ -z "$$found" ] && [ -n "$$bare" ]; then \
	  v=$$("$$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$bare cannot make a virtual environment: sudo apt install python$$v-venv" >&2; \
	  exit 1; \
	elif [ -z "$$found" ]; then \
	  echo "The course needs Python 3.11, 3.12 or 3.13, and$(if $(PYTHON), $(PYTHON) is not one,\
	 there is none): install one, or say which with PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	echo "installing the packages into $(VENV) (a few minutes the first time) ..."; \
	"$$found" -m venv --clear $(VENV) && \
	$(PIP) --require-hashes -r requirements.lock && \
	$(PIP) --no-deps --no-build-isolation -e . || $(FAILED); \
	touch $@

$(DEV): $(STAMP) requirements-dev.lock
	@rm -f $@; echo "installing what building and testing needs ..."; \
	$(PIP) --require-hashes -r requirements-dev.lock || $(FAILED); \
	touch $@
