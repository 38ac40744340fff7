"""`python -m pipelines.stages STAGE …` runs a stage, as dvc.yaml does."""

from pipelines.entry import guard, run_stage

guard(run_stage)
