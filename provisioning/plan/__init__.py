"""What an apply would change on the servers, and doing exactly that.

`objects` are the things on both sides, `target` is what a kind of server has to offer, `verdict` the table of what to do with
one object, `changes` the whole plan, `apply` the way it is carried out.
"""
