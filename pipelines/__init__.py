import os

# OpenMP reads it once, when torch loads it. Its threads wait by spinning otherwise, and on a busy
# machine they then keep each other from working.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
