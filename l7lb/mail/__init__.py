"""What mail needs beyond its protocols: who may come in, where an account lives, and who moves."""
