"""Domains: `registry` knows those of this host, `nodes` what stands in the store of each, `create`,
`destroy`, `change` and `restart` are the operations on them, `keeper` does what a domain's end asks for.
"""
