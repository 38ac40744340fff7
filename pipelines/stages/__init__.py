"""One module per DVC stage, with the stage's name in dvc.yaml."""
