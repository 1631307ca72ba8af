"""How long what is known stays: what each table holds, what of it is too old, and its removal, into an archive where wished.

`tables` says of every table how long it is kept and who removes what is older, `chunks` cuts what is too old into hours,
`archive` writes and verifies files, `applying` removes, `status` tells.
"""
