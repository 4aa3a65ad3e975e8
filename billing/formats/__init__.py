"""The edge: what comes in becomes columns or rejections, what goes out becomes bytes."""
