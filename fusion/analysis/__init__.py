"""Differences of two modalities: sparsity, divergence (PoMAI, Figure 1), encoder similarity."""
