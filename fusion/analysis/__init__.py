"""How two modalities differ: sparsity, divergence (PoMAI, Figure 1), similarity of encoders."""
