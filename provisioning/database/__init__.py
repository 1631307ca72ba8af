"""The commands `observatory db …`: what is asked of a person and what is said; the work is done by the exporter's rooms."""
