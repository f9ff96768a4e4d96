"""Gate bootstrapping on real ciphertexts: keys, encryption, gates, noise (docs/tfhe.md)."""
