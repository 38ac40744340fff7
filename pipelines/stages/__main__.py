"""`python -m pipelines.stages STAGE …` runs a stage, as dvc.yaml does."""

from pipelines.entry import guard, run_stage

if __name__ == "__main__":
    guard(run_stage)
