"""How much there will be to store, to keep in memory and to compute for a platform of a given size.

`fleet` says how many values each label takes, `series` counts from the contract what is scraped and recorded, `cost` turns that
into memory, disk and work, `advice` says what to run at that size.
"""
