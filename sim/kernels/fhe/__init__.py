"""When the stations, batches and streams of a bootstrapping machine do what (docs/fhe.md, section 3)."""
