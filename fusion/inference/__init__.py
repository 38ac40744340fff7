"""Fusing pairs with a trained network, and other software's fused images."""
