"""Forecasts as the exporter made them, on the screen: `commands` reads, `told` writes them out."""
