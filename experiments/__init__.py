"""Experiments too long for a lesson: each module writes the record of its name, results/NAME.json.

``python -m experiments ladder`` runs one; ``python -m course refresh`` runs whatever is stale, in
order. Parameters stand in params.yaml, what depends on what in dvc.yaml."""
