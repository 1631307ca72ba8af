"""The days before the first minute: samples of the same life, written as Prometheus blocks."""
